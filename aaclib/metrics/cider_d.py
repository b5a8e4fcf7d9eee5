"""CIDEr-D (Vedantam et al., CVPR 2015): pycocoevalcap's implementation, document frequencies of this reference set.

The values depend on the whole reference set, so a clip scored alone scores 0, and resamples of clips keep the document
frequencies of the whole set. CIDEr-D runs from 0 to 10.
"""

from __future__ import annotations

from aaclib.metrics.result import Result, means
from aaclib.store import Store

NAMES = ("cider_d",)


def compute(candidates: list[str], references: list[list[str]], store: Store | None = None) -> dict[str, Result]:
    """Tokenised captions in; the corpus value is the mean over clips."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    scorer = CiderScorer(n=4, sigma=6.0)
    for candidate, refs in zip(candidates, references, strict=True):
        scorer += (candidate, refs)
    scorer.compute_doc_freq()
    return {"cider_d": means(scorer.compute_cider())}
