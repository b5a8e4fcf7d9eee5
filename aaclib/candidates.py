r"""Several captions for each clip, and two ways to choose one of them.

    mbr       the one with the highest mean similarity to the others: what most of them agree on (minimum Bayes risk)
    refine    the one whose CLAP text embedding lies nearest to the audio (CLAP-refine of SLAM-AAC, 2024)

The similarity is CIDEr-D with the document frequencies of the training text: it weighs a word by how few clips have it,
so captions agree in what they hear and not in "followed by", and it costs microseconds. What is chosen by it gains in
that very metric, so read another one (label recall) beside it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from aaclib import seeds
from aaclib.decoder import CaptionDecoder
from aaclib.generate import several
from aaclib.metrics import cider_d
from aaclib.store import digest
from aaclib.text import NORMALISE


class Drawn:
    """A step of transformers' generate: with Gumbel noise on logits / temperature the largest one is a draw from their
    softmax. Every row has a generator of its own, so company in a batch changes nothing."""

    def __init__(self, generators: Sequence[np.random.Generator], temperature: float):
        self.generators, self.temperature = generators, temperature

    def __call__(self, tokens: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        noise = np.stack([generator.gumbel(size=logits.shape[1]) for generator in self.generators])
        return logits / self.temperature + torch.from_numpy(noise).to(logits)


def sampled(
    model: CaptionDecoder,
    z: np.ndarray,
    n: int,
    temperature: float,
    max_tokens: int = 30,
    batch_size: int = 256,
    prompts: Sequence[str] | None = None,
) -> list[list[str]]:
    """`n` captions drawn for each row of `z` (m, d) float32, by a seed that is the row itself: the same row gives the
    same captions in every batch.

    >>> candidates.sampled(trained.model, z_a, 16, temperature=0.7)[0]
    """
    rows = np.repeat(np.asarray(z, dtype=np.float32), n, axis=0)
    before = None if prompts is None else [prompt for prompt in prompts for _ in range(n)]

    def draw(batch: list[int]) -> Drawn:
        return Drawn([seeds.rng(0, "draw", digest(rows[i].tobytes()), i % n) for i in batch], temperature)

    said = several(model, rows, 1, max_tokens, batch_size, before, draw)
    return [[one for one, *_ in said[n * i : n * (i + 1)]] for i in range(len(z))]


def agreed(candidates: Sequence[Sequence[str]], texts: Iterable[Iterable[str]]) -> list[str]:
    """Of each clip's candidates the one with the highest mean similarity to the others, the first of equals; a caption
    that stands there twice agrees with itself. `texts`: the captions of each training clip, for the frequencies.

    >>> candidates.agreed([["a dog barks", "a dog barks twice", "rain"]], [["a dog barks"], ["rain falls"]])
    ['a dog barks']
    """
    plain = NORMALISE["lower-nopunct"]
    texts = [list(map(plain, captions)) for captions in texts]
    frequency, size = cider_d.frequencies(texts), math.log(max(len(texts), 1))

    def choose(captions: Sequence[str]) -> str:
        words = list(map(plain, captions))
        counts = Counter(words)  # beam and draws often write the same: each pair is compared once
        vectors = {one: cider_d.vector(one, frequency, size) for one in counts}
        mean = {
            one: sum((n - (one == other)) * cider_d.score(mine, [vectors[other]]) for other, n in counts.items())
            for one, mine in vectors.items()
        }
        return captions[max(range(len(words)), key=lambda i: mean[words[i]])]

    return list(map(choose, candidates))


def heard(candidates: Sequence[Sequence[str]], z_a: np.ndarray, embed: Callable[[list[str]], np.ndarray]) -> list[str]:
    """Of each clip's candidates the one whose text embedding lies nearest to the clip's audio, the first of equals; one
    without words is chosen where there is no other. z_a: (n, d) audio embeddings; `embed`: of their CLAP, captions to
    unit rows (k, d).

    >>> candidates.heard(several, z_a, run.clap(0).embed_text)
    """
    distinct = sorted({one for captions in candidates for one in captions if one.strip()})
    rows = dict(zip(distinct, embed(distinct) if distinct else (), strict=True))
    nearness = lambda one, audio: float(rows[one] @ audio) if one in rows else -math.inf  # noqa: E731
    return [
        max(captions, key=lambda one: nearness(one, audio)) for captions, audio in zip(candidates, z_a, strict=True)
    ]
