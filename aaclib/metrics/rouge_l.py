"""ROUGE-L (Lin, 2004): pycocoevalcap's implementation, beta = 1.2, best precision and recall over the references."""

from __future__ import annotations

from aaclib.metrics.result import Result, means
from aaclib.store import Store

NAMES = ("rouge_l",)


def compute(candidates: list[str], references: list[list[str]], store: Store | None = None) -> dict[str, Result]:
    """Tokenised captions in; the corpus value is the mean over clips."""
    from pycocoevalcap.rouge.rouge import Rouge

    scorer = Rouge()
    return {"rouge_l": means([scorer.calc_score([c], refs) for c, refs in zip(candidates, references, strict=True)])}
