"""FENSE (Zhou et al., ICASSP 2022): SBERT-sim, nine tenths of it taken off a caption with a fluency error."""

from __future__ import annotations

from aaclib.metrics.result import Result, means

PENALTY = 0.9


def combine(sbert_sim: Result, fer: Result) -> dict[str, Result]:
    """(n,) per clip, -1 to 1, of the sentences' cosine and of `fer` (1 where there is an error)."""
    return {"fense": means(sbert_sim.per_clip * (1 - PENALTY * fer.per_clip))}
