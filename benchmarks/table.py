"""The one form of all benchmarks: a module `benchmarks/NAME.py` with `measure(tiny) -> list[Row]`.

Two ways that are compared are measured alternately in one process, several times; the least time of each counts
(`alternately`), because a shared machine only ever adds to it. What grows has an exponent fitted to it (`exponent`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """Seconds for one piece of work, or MiB where `unit` says so. `published`: as the paper's code or the original
    package does it. `limit`: the least that the machine could take, the bare arithmetic for example. None = there is
    no such thing. `note`: sizes, and what is compared."""

    name: str
    ours: float
    published: float | None = None
    limit: float | None = None
    note: str = ""
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """How many times faster than the published way."""
        return self.published / self.ours if self.published else None

    @property
    def above_limit(self) -> float | None:
        """How many times the machine's limit."""
        return self.ours / self.limit if self.limit else None


def timed(action: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def alternately(ways: Mapping[str, Callable[[], object]], times: int = 3) -> dict[str, float]:
    """Name -> the least seconds of `times` calls, one way after the other, each once before for nothing."""
    for action in ways.values():
        action()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(times):
        for name, action in ways.items():
            found[name].append(timed(action))
    return {name: min(seconds) for name, seconds in found.items()}


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """b of seconds = a * size ** b, by least squares on logarithms.

    >>> round(exponent([1, 2, 4], [3, 6, 12]), 2)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def child(script: str, *arguments: object, environment: Mapping[str, str] | None = None) -> dict:
    """What a fresh Python process prints last, as JSON: of what earlier work would spoil, peak memory say."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        raise RuntimeError(f"A measured process failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def peak_mib() -> float:
    """The most memory that this process has held, MiB (Linux counts KiB, macOS bytes)."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
