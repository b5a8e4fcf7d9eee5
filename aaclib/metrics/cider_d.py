"""CIDEr-D (Vedantam et al., CVPR 2015) as pycocoevalcap computes it, document frequencies of this reference set.

The same arithmetic in the same order, but plain floats, and the references' vectors are made once for all caption sets
of a session. The values depend on the whole reference set, so a clip scored alone scores 0, and resamples of clips keep
the document frequencies of the whole set. CIDEr-D runs from 0 to 10.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from aaclib.metrics.result import Result, means

N, SIGMA = 4, 6.0
Vector = tuple[tuple[dict, ...], tuple[float, ...], int]  # weights and norms by n-gram length, and the length


def identity() -> dict[str, Any]:
    """What decides the values: this code alone, whose version is that of all scores."""
    return {}


def compute(candidates: list[str], references: list[list[str]]) -> dict[str, Result]:
    """Tokenised captions in; per clip 0 to 10, and the corpus value is the mean over clips.

    compute(["a b", "c d"], [["a b"], ["c d"]])["cider_d"].per_clip      # array([5., 5.]): they have no 3-grams
    """
    frequency, vectors = _reference_set(tuple(map(tuple, references)))
    size = math.log(float(len(vectors)))
    return {
        "cider_d": means(
            [
                score(vector(candidate, frequency, size), refs)
                for candidate, refs in zip(candidates, vectors, strict=True)
            ]
        )
    }


def score(candidate: Vector, references: list[Vector]) -> float:
    """Ten times the mean over n-gram lengths and references of the clipped, length-penalised cosine."""
    totals = [0.0] * N
    weights, norms, length = candidate
    for ref_weights, ref_norms, ref_length in references:
        penalty = np.e ** (-(float(length - ref_length) ** 2) / (2 * SIGMA**2))
        for n in range(N):
            other = ref_weights[n]
            value = 0.0
            for ngram, weight in weights[n].items():
                theirs = other.get(ngram)
                if theirs is not None:
                    value += min(weight, theirs) * theirs
            if norms[n] and ref_norms[n]:
                value /= norms[n] * ref_norms[n]
            totals[n] += value * penalty
    return sum(totals) / N / len(references) * 10.0


def frequencies(texts: Iterable[Iterable[str]]) -> Counter:
    """In how many of the texts, each a few captions, every n-gram occurs."""
    frequency: Counter = Counter()
    for captions in texts:
        frequency.update({ngram for caption in captions for ngram in _counts(caption)})
    return frequency


@functools.lru_cache(maxsize=4)
def _reference_set(references: tuple[tuple[str, ...], ...]) -> tuple[dict, list[list[Vector]]]:
    """In how many clips each n-gram occurs, and the vectors of all references."""
    frequency = frequencies(references)
    size = math.log(float(len(references)))
    return frequency, [[vector(ref, frequency, size) for ref in refs] for refs in references]


def _counts(caption: str) -> Counter:
    words = caption.split()
    return Counter(tuple(words[i : i + n]) for n in range(1, N + 1) for i in range(len(words) - n + 1))


def vector(caption: str, frequency: dict, size: float) -> Vector:
    """A caption as `score` takes it; `size`: the logarithm of how many texts the frequencies were counted in."""
    weights: tuple[dict, ...] = tuple({} for _ in range(N))
    squares, length = [0.0] * N, 0
    for ngram, count in _counts(caption).items():
        n = len(ngram) - 1
        weight = count * (size - math.log(max(1.0, frequency.get(ngram, 0))))
        weights[n][ngram] = weight
        squares[n] += weight * weight
        if n == 1:  # pycocoevalcap's length counts bigrams
            length += count
    return weights, tuple(map(math.sqrt, squares)), length
