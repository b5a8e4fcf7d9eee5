"""Part of FENSE (Zhou et al., ICASSP 2022)."""

from __future__ import annotations

from aaclib.metrics.result import Unavailable


def compute(candidates, references, store=None):
    raise Unavailable("The models of FENSE are not here: set AACLIB_FENSE to the folder that holds them.")
