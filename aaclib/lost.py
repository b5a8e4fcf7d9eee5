"""Metrics lost to a crash: said on the console, and told to the runner, for which a stage with losses stays due.

The runner names a file in the environment of a stage's kernel. Whoever loses a metric there adds a line to it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "AACLIB_LOST"
ADVICE = ("Run the same command again: only what is missing is computed. If it is lost again, free memory (METEOR and "
          "SPICE take 2 GB each) or leave it out, with --no-spice or --set metrics.names=...")


def note(lost: Mapping[str, str]) -> None:
    """Says what was lost (metric -> why) on stderr and, within a run, in the stage's file."""
    for why, names in by_reason(lost).items():
        print(f"{names} lost to a crash: {why}", file=sys.stderr, flush=True)
    if lost and (path := os.environ.get(VARIABLE)):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(dict(lost)) + "\n")


def noted(path: str | Path = "") -> dict[str, str]:
    """What was lost so far: metric -> why. Without `path` that of this stage; {} outside of a run."""
    try:
        lines = Path(path or os.environ[VARIABLE]).read_text(encoding="utf-8").splitlines()
    except (KeyError, FileNotFoundError):
        return {}
    return {metric: why for line in lines for metric, why in json.loads(line).items()}


def by_reason(lost: Mapping[str, str]) -> dict[str, str]:
    """why -> the metrics, as text: one crashed process takes all that is made with it."""
    return {why: ", ".join(m for m, reason in lost.items() if reason == why) for why in dict.fromkeys(lost.values())}
