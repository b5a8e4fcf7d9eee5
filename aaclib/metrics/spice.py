"""SPICE (Anderson et al., ECCV 2016)."""

from __future__ import annotations

from aaclib.metrics.result import Unavailable

NAMES = ("spice",)


def compute(candidates, references, store=None):
    raise Unavailable("SPICE is not installed here. Install it with: aaclib metrics install-spice")
