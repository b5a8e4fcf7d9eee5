"""Metrics lost to a crash: said on the console, and told to the runner, for which a stage with losses stays due."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from aaclib.told import tell, told

ADVICE = (
    "Run the same command again: only what is missing is computed. If it is lost again, free memory (METEOR and "
    "SPICE take 2 GB each) or leave it out, with --no-spice or --set metrics.names=..."
)


def note(lost: Mapping[str, str]) -> None:
    """Says what was lost (metric -> why) on stderr and tells the runner."""
    for why, names in by_reason(lost).items():
        print(f"{names} lost to a crash: {why}", file=sys.stderr, flush=True)
    if lost:
        tell("lost", dict(lost))


def noted(path: str | Path = "") -> dict[str, str]:
    """What was lost so far: metric -> why. Without `path` in this stage; {} outside of a run."""
    return {metric: why for lost in told("lost", path) for metric, why in lost.items()}


def by_reason(lost: Mapping[str, str]) -> dict[str, str]:
    """why -> the metrics, as text: one crashed process takes all that is made with it."""
    return {why: ", ".join(m for m, reason in lost.items() if reason == why) for why in dict.fromkeys(lost.values())}
