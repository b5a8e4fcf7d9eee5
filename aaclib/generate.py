"""Captions from embeddings: batched, with the key-value cache, greedy or beam search by transformers' generate."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from aaclib.contradictions import POSITIONS
from aaclib.decoder import CaptionDecoder
from aaclib.device import free_bytes


@torch.inference_mode()
def generate(
    model: CaptionDecoder, z: np.ndarray, beam: int = 1, max_tokens: int = 30, batch_size: int = 256
) -> list[str]:
    """One caption a row of `z` (n, d) float32, which has passed the inference half of its strategy.

    `beam` = 1 is greedy. Generation stops at the end token or after `max_tokens`.
    """
    model.eval()
    device = next(model.parameters()).device
    tokenizer = model.tokenizer
    captions: list[str] = []
    for start in range(0, len(z), batch_size):
        rows = torch.from_numpy(np.array(z[start : start + batch_size], dtype=np.float32)).to(device)
        prefix = model.prefix(rows)  # (B, k, W)
        gpt: Any = model.gpt  # transformers' types lack what its mixins add
        out = gpt.generate(  # (B, max_tokens): new tokens only
            inputs_embeds=prefix,
            attention_mask=torch.ones(prefix.shape[:2], dtype=torch.long, device=device),
            max_new_tokens=max_tokens,
            num_beams=beam,
            do_sample=False,
            use_cache=True,
            pad_token_id=tokenizer.pad,
            eos_token_id=tokenizer.eos,
        )
        captions += tokenizer.decode_batch(out.tolist())  # each up to its end token
    return captions


def fitting(model: CaptionDecoder, most: int, beam: int = 1, max_tokens: int = 30) -> int:
    """How many captions are generated at once: `most`, or what a quarter of a GPU's free memory has room for.

    A caption needs keys and values of every layer, and its logits in a few copies, once for each beam, in float32.
    """
    device = model.mapping.weight.device
    if device.type != "cuda":
        return most
    settings = model.settings
    cached = 2 * settings.layers * settings.width * min(settings.prefix_tokens + max_tokens, POSITIONS)
    bytes_each = 4 * beam * (2 * cached + 4 * model.tokenizer.vocabulary_size)
    return max(1, min(most, free_bytes(device) // 4 // bytes_each))
