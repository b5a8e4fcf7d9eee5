"""Captions from embeddings: batched, with the key-value cache, greedy or beam search by transformers' generate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from aaclib.contradictions import POSITIONS
from aaclib.decoder import CaptionDecoder
from aaclib.device import free_bytes


@torch.inference_mode()
def generate(
    model: CaptionDecoder,
    z: np.ndarray,
    beam: int = 1,
    max_tokens: int = 30,
    batch_size: int = 256,
    prompts: Sequence[str] | None = None,
) -> list[str]:
    """One caption a row of `z` (n, d) float32, which has passed the inference half of its strategy.

    `beam` = 1 is greedy. Generation stops at the end token or after `max_tokens`. `prompts`: a text for each row that
    the decoder reads before it writes, as in its training; raises ValueError for one that leaves no room.

    >>> generate(model, z, prompts=["is there a dog"] * len(z))
    """
    model.eval()
    device = next(model.parameters()).device
    tokenizer = model.tokenizer
    read = [[]] * len(z) if prompts is None else tokenizer.encode(prompts)  # each with its end token, as in training
    model.check_room(max(map(len, read), default=0) + max_tokens)
    captions = [""] * len(z)
    for batch in _batches(read, batch_size):
        rows = torch.from_numpy(np.array(z[batch], dtype=np.float32)).to(device)
        prefix = model.prefix(rows)  # (B, k, W)
        if prompts is not None:
            words = torch.tensor([read[i] for i in batch], device=device)  # (B, P)
            prefix = torch.cat([prefix, model.gpt.transformer.wte(words)], dim=1)  # (B, k + P, W)
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
        for i, caption in zip(batch, tokenizer.decode_batch(out.tolist()), strict=True):  # each up to its end token
            captions[i] = caption
    return captions


def _batches(read: list[list[int]], size: int) -> Iterator[list[int]]:
    """The rows whose prompts have as many tokens, together: nothing is padded. Without prompts in their order."""
    groups = defaultdict(list)
    for i, prompt in enumerate(read):
        groups[len(prompt)].append(i)
    for rows in groups.values():
        yield from (rows[i : i + size] for i in range(0, len(rows), size))


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
