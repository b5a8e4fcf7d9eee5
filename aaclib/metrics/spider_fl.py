"""SPIDEr-FL (DCASE 2023, Task 6a): SPIDEr, nine tenths of it taken off a caption with a fluency error."""

from __future__ import annotations

from aaclib.metrics.fense import PENALTY
from aaclib.metrics.result import Result, means


def combine(spider: Result, fer: Result) -> dict[str, Result]:
    """(n,) per clip, 0 to 5.5; NaN for a clip that SPICE could not score."""
    return {"spider_fl": means(spider.per_clip * (1 - PENALTY * fer.per_clip), spider.failures)}
