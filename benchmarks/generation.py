"""Captions by a decoder of the paper's size (random weights): a batch at once with the cache, against the published
way, one embedding after another, the whole sequence read anew for each token. The limit: the bare matrix products."""

from __future__ import annotations

import numpy as np
import torch
from table import Row, alternately, exponent

from aaclib import config, generate, text
from aaclib.decoder import CaptionDecoder

DIM = 512


def measure(tiny: bool = False) -> list[Row]:
    """Greedy decoding, beam search, and how greedy decoding grows with the batch."""
    settings = config.Decoder(width=32, layers=1, heads=2) if tiny else config.Decoder()
    words, tokens, batch, single = (50, 4, 8, 2) if tiny else (5000, 20, 256, 8)
    model, z = decoder(settings, words), np.random.default_rng(0).standard_normal((batch, DIM), dtype=np.float32)
    rows = []
    for name, beam in (("greedy", 1), ("beam 3", 3)):
        found = alternately(
            {
                "ours": lambda beam=beam: generate.generate(model, z, beam, tokens, batch),
                "theirs": lambda beam=beam: [by_hand(model, row, beam, tokens) for row in z[:single]],
                "limit": lambda beam=beam: products(model, batch * beam, tokens),
            },
            1 if tiny else 2,
        )
        each = {"ours": batch, "theirs": single, "limit": batch}
        per = {what: seconds / each[what] for what, seconds in found.items()}
        note = f"a caption of {tokens} tokens, {settings.layers} x {settings.width}, {words} words, batches of {batch}"
        rows.append(Row(f"{name}, a caption", per["ours"], per["theirs"], per["limit"], note))
    sizes = [batch // 8, batch // 4, batch // 2, batch]
    grown = [alternately({"": lambda n=n: generate.generate(model, z[:n], 1, tokens, n)}, 2)[""] for n in sizes]
    note = f"batches of {sizes[0]} to {batch} captions: seconds grow with the power {exponent(sizes, grown):.2f}"
    return [*rows, Row("greedy, a batch", grown[-1], note=note)]


def decoder(settings: config.Decoder, words: int) -> CaptionDecoder:
    torch.manual_seed(0)
    tokenizer = text.WordTokenizer.train([" ".join(f"w{i}" for i in range(words - 4))], words)
    return CaptionDecoder(settings, DIM, tokenizer).eval()


@torch.inference_mode()
def by_hand(model: CaptionDecoder, z: np.ndarray, beam: int, tokens: int) -> list[int]:
    """One caption, `beam` sequences side by side, each read from its start for every token; greedy for 1."""
    prefix = model.prefix(torch.from_numpy(z[None]))  # (1, k, W)
    held = [([], 0.0)]
    for _ in range(tokens):
        ids = torch.tensor([sequence for sequence, _ in held], dtype=torch.long).reshape(len(held), -1)
        read = torch.cat([prefix.expand(len(held), -1, -1), model.gpt.transformer.wte(ids)], 1)
        scores = model.gpt(inputs_embeds=read, use_cache=False).logits[:, -1].log_softmax(-1)  # (held, V)
        best, index = scores.topk(beam)
        grown = [
            ([*sequence, int(word)], total + float(score))
            for (sequence, total), row, one in zip(held, best, index, strict=True)
            for score, word in zip(row, one, strict=True)
        ]
        held = sorted(grown, key=lambda one: -one[1])[:beam]
    return held[0][0]


@torch.inference_mode()
def products(model: CaptionDecoder, rows: int, tokens: int) -> None:
    """The products of `rows` hidden states with every weight matrix, once a token."""
    matrices = [p for p in model.gpt.transformer.h.parameters() if p.ndim == 2]  # (in, out) each
    head = model.gpt.lm_head.weight  # (V, W)
    for _ in range(tokens):
        for matrix in matrices:
            torch.ones(rows, matrix.shape[0]) @ matrix
        torch.ones(rows, head.shape[1]) @ head.T
