"""Fluency errors, the second half of FENSE (Zhou et al., ICASSP 2022): 1 where a BERT is over 90 % sure of one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from aaclib.metrics import fense_models
from aaclib.metrics.result import Result, means

KINDS = ("add_tail", "repeat_event", "repeat_adv", "remove_conj", "remove_verb", "error")
THRESHOLD = 0.9
MAX_TOKENS = 64


def identity() -> dict[str, Any]:
    """What decides the values. Raises Unavailable without the model."""
    return fense_models.identity("echecker", "bert")


def compute(candidates: list[str], references: list[list[str]]) -> dict[str, Result]:
    """Captions as written (not tokenised); the references are not looked at. Raises Unavailable without the model."""
    return {"fer": means((probabilities(candidates)[:, KINDS.index("error")] > THRESHOLD).astype(np.float64))}


def probabilities(captions: list[str], batch_size: int = 32) -> np.ndarray:
    """(n, 6) float32: the detector's probability of each kind of error."""
    checkpoint, bert = fense_models.location("echecker"), fense_models.location("bert")
    import torch

    tokenizer, encoder, weight, bias = fense_models.echecker(checkpoint, bert)
    plain = [re.sub(r"[^\w\s]", "", caption).lower() for caption in captions]
    batches = fense_models.states(tokenizer, encoder, plain, batch_size, padding="max_length", max_length=MAX_TOKENS)
    rows = [torch.sigmoid(hidden[:, 0] @ weight.T + bias) for hidden, _ in batches]  # of the first token: (b, d) each
    return torch.cat(rows).float().cpu().numpy()
