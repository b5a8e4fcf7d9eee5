"""BLEU-1 to BLEU-4 (Papineni et al., ACL 2002): pycocoevalcap's implementation, closest reference length."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from aaclib.metrics.ptb import package
from aaclib.metrics.result import Result

NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4")


def identity() -> dict[str, Any]:
    """What decides the values: pycocoevalcap counts."""
    return package()


def compute(candidates: list[str], references: list[list[str]]) -> dict[str, Result]:
    """Tokenised captions in, four results out. Statistics of BLEU-N, (n, 2 + 2N): length, reference length, guesses
    1..N, matches 1..N, in words and n-grams.

        compute(["a dog barks"], [["a dog barks"]])["bleu_1"].per_clip      # about array([1.])
    """
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer, cook_test

    scorer = BleuScorer(n=4)
    scorer.crefs = _cooked(tuple(map(tuple, references)))
    scorer.ctest = [cook_test(candidate, refs) for candidate, refs in zip(candidates, scorer.crefs, strict=True)]
    _, per_clip = scorer.compute_score(option="closest", verbose=0)
    closest = [min((abs(r - c["testlen"]), r) for r in c["reflen"])[1] for c in scorer.ctest]
    lengths = np.array([[c["testlen"], r] for c, r in zip(scorer.ctest, closest, strict=True)], float)
    guess = np.array([c["guess"] for c in scorer.ctest], float)
    correct = np.array([c["correct"] for c in scorer.ctest], float)
    return {
        name: Result(np.array(per_clip[n - 1]), np.hstack([lengths, guess[:, :n], correct[:, :n]]))
        for n, name in enumerate(NAMES, start=1)
    }


@functools.lru_cache(maxsize=4)
def _cooked(references: tuple[tuple[str, ...], ...]) -> list:
    """The n-grams of a reference set, counted once for all caption sets of a session."""
    from pycocoevalcap.bleu.bleu_scorer import cook_refs

    return [cook_refs(refs) for refs in references]
