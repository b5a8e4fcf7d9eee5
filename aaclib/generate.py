"""Captions from embeddings: batched, with the key-value cache, greedy or beam search by transformers' generate."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from aaclib.decoder import CaptionDecoder


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
