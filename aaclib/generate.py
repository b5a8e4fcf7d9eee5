"""Captions from embeddings: batched, with the key-value cache, greedy or beam search by transformers' generate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from aaclib.contradictions import POSITIONS
from aaclib.decoder import CaptionDecoder
from aaclib.device import free_bytes


def generate(
    model: CaptionDecoder,
    z: np.ndarray,
    beam: int = 1,
    max_tokens: int = 30,
    batch_size: int = 256,
    prompts: Sequence[str] | None = None,
    **how: Any,
) -> list[str]:
    """One caption a row of `z` (n, d) float32, which has passed the inference half of its strategy.

    `beam` = 1 is greedy. Generation stops at the end token or after `max_tokens`. `prompts`: a text for each row that
    the decoder reads before it writes, as in its training; raises ValueError for one that leaves no room. `how`:
    further options of transformers' generate, such as no_repeat_ngram_size.

    >>> generate(model, z, prompts=["is there a dog"] * len(z))
    """
    return [one for one, *_ in several(model, z, 1, max_tokens, batch_size, prompts, num_beams=beam, **how)]


@torch.inference_mode()
def several(
    model: CaptionDecoder,
    z: np.ndarray,
    n: int,
    max_tokens: int = 30,
    batch_size: int = 256,
    prompts: Sequence[str] | None = None,
    each: Callable[[list[int]], Any] | None = None,
    **how: Any,
) -> list[list[str]]:
    """`n` captions for each row of `z`; of a beam search (num_beams=5) the n best, the best one first. `each`: what
    processes the logits of a batch, made of its rows' places in `z`. The rest as of `generate`.

    >>> generate.several(model, z, 5, num_beams=5)[0]
    """
    from transformers import LogitsProcessorList  # seconds: for those alone who decode

    model.eval()
    device = next(model.parameters()).device
    tokenizer = model.tokenizer
    read = [[]] * len(z) if prompts is None else tokenizer.encode(prompts)  # each with its end token, as in training
    model.check_room(max(map(len, read), default=0) + max_tokens)
    captions: list[list[str]] = [[]] * len(z)
    for batch in _batches(read, batch_size):
        rows = torch.from_numpy(np.array(z[batch], dtype=np.float32)).to(device)
        prefix = model.prefix(rows)  # (B, k, W)
        if prompts is not None:
            words = torch.tensor([read[i] for i in batch], device=device)  # (B, P)
            prefix = torch.cat([prefix, model.gpt.transformer.wte(words)], dim=1)  # (B, k + P, W)
        gpt: Any = model.gpt  # transformers' types lack what its mixins add
        options = how if each is None else {**how, "logits_processor": LogitsProcessorList([each(batch)])}
        out = gpt.generate(  # (B n, max_tokens): new tokens only
            inputs_embeds=prefix,
            attention_mask=torch.ones(prefix.shape[:2], dtype=torch.long, device=device),
            max_new_tokens=max_tokens,
            num_return_sequences=n,
            do_sample=False,
            use_cache=True,
            pad_token_id=tokenizer.pad,
            eos_token_id=tokenizer.eos,
            **options,
        )
        said = tokenizer.decode_batch(out.tolist())  # each up to its end token
        for place, i in enumerate(batch):
            captions[i] = said[n * place : n * (place + 1)]
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
