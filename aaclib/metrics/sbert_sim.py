"""SBERT-sim, the first half of FENSE (Zhou et al., ICASSP 2022): sentence cosine, mean over the references."""

from __future__ import annotations

from typing import Any

import numpy as np

from aaclib.metrics import fense_models
from aaclib.metrics.result import Result, means

MAX_TOKENS = 128  # the model's own


def identity() -> dict[str, Any]:
    """What decides the values. Raises Unavailable without the model."""
    return fense_models.identity("sbert")


def compute(candidates: list[str], references: list[list[str]]) -> dict[str, Result]:
    """Captions as written (not tokenised). Raises Unavailable without the model."""
    distinct = list(dict.fromkeys([*candidates, *(r for refs in references for r in refs)]))
    row = {caption: i for i, caption in enumerate(distinct)}
    z = embed(distinct)
    return {
        "sbert_sim": means(
            [
                float(np.mean(z[[row[r] for r in refs]] @ z[row[c]]))
                for c, refs in zip(candidates, references, strict=True)
            ]
        )
    }


def embed(captions: list[str], batch_size: int = 64) -> np.ndarray:
    """(n, d) float32 unit rows: mean of the token vectors, as sentence-transformers does it."""
    tokenizer, model = fense_models.sbert(fense_models.location("sbert"))
    import torch

    order = np.argsort([len(caption) for caption in captions], kind="stable")
    by_length, rows = [captions[i] for i in order], []
    for hidden, attended in fense_models.states(
        tokenizer, model, by_length, batch_size, padding=True, max_length=MAX_TOKENS
    ):
        mask = attended[..., None].to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        rows.append(torch.nn.functional.normalize(mean, dim=1).float().cpu().numpy())
    return np.concatenate(rows)[np.argsort(order)]
