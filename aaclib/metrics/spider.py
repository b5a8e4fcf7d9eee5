"""SPIDEr (Liu et al., ICCV 2017): the mean of CIDEr-D and SPICE, clip by clip."""

from __future__ import annotations

from aaclib.metrics.result import Result, means


def combine(cider_d: Result, spice: Result) -> dict[str, Result]:
    """(n,) per clip, 0 to 5.5; NaN for a clip that SPICE could not score."""
    return {"spider": means((cider_d.per_clip + spice.per_clip) / 2, spice.failures)}
