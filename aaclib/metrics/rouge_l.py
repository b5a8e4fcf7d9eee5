"""ROUGE-L (Lin, 2004) as pycocoevalcap computes it: beta = 1.2, best precision and best recall over the references."""

from __future__ import annotations

from typing import Any

from aaclib.metrics.result import Result, means

BETA = 1.2


def identity() -> dict[str, Any]:
    """What decides the values: this code alone, whose version is that of all scores."""
    return {}


def compute(candidates: list[str], references: list[list[str]]) -> dict[str, Result]:
    """Tokenised captions in; per clip 0 to 1, and the corpus value is the mean over clips.

    compute(["a dog barks"], [["a dog barks"]])["rouge_l"].per_clip      # array([1.])
    """
    return {
        "rouge_l": means(
            [_score(c.split(" "), [r.split(" ") for r in refs]) for c, refs in zip(candidates, references, strict=True)]
        )
    }


def _score(candidate: list[str], references: list[list[str]]) -> float:
    common = [longest_common_subsequence(candidate, reference) for reference in references]
    precision = max(c / float(len(candidate)) for c in common)
    recall = max(c / float(len(r)) for c, r in zip(common, references, strict=True))
    if not precision or not recall:
        return 0.0
    return ((1 + BETA**2) * precision * recall) / float(recall + BETA**2 * precision)


def longest_common_subsequence(a: list[str], b: list[str]) -> int:
    """Its length, a row of the table in the bits of one whole number (Hyyrö 2004): pycocoevalcap's loop, ten times
    faster.

        longest_common_subsequence("a b c d".split(), "a x c".split())      # 2
    """
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    whole = (1 << len(a)) - 1
    row = whole
    for word in b:
        matches = row & places.get(word, 0)
        row = (row + matches | row - matches) & whole
    return len(a) - row.bit_count()
