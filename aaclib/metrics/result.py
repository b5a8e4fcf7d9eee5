"""What every metric returns, and what `evaluate` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
import pandas as pd

from aaclib.reprs import brief


class MetricError(RuntimeError):
    """A metric that cannot be computed or an input that cannot be scored; the message says why and what to do."""


class InputError(MetricError, ValueError):
    """Captions that cannot be scored; the message names the clip by its position."""


class Unavailable(MetricError):
    """Something that a metric needs is not installed here; the message names the command that helps."""


class Lost(MetricError):
    """A process that a metric needs died, stalled or did not start, although it is installed: another try may do.
    outside: nothing that it was asked can be the cause (another's signal, a start that failed)."""

    def __init__(self, message: str, outside: bool = False):
        super().__init__(message)
        self.outside = outside


@dataclass(frozen=True)
class Result:
    """One metric of one caption set.

    per_clip: (n,) float64, fractions as published; NaN where a clip could not be scored (then `failures` says why).
    statistics: (n, k) float64 sufficient statistics, from whose sums `aaclib.aggregates` computes the corpus value."""

    per_clip: np.ndarray
    statistics: np.ndarray
    failures: dict[int, str] = field(default_factory=dict)  # clip -> reason

    def __repr__(self) -> str:
        return brief(self, **vars(self))


def means(per_clip: np.ndarray | Sequence[float], failures: dict[int, str] | None = None) -> Result:
    """The result of a metric whose corpus value is the mean over clips. per_clip: (n,) numbers, NaN where `failures`
    (clip -> reason) says why there is none.

        means([0.2, 0.4]).statistics      # array([[0.2], [0.4]])
    """
    values = np.asarray(per_clip, dtype=np.float64)
    return Result(values, values[:, None], dict(failures or {}))


def packed(results: dict[str, Result]) -> bytes:
    """Results by metric as bytes, for a cache; `failures` are left out."""
    buffer = BytesIO()
    arrays = {f"{name}.{part}": getattr(r, part) for name, r in results.items() for part in ("per_clip", "statistics")}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpacked(blob: bytes) -> dict[str, Result]:
    """What was `packed`."""
    with np.load(BytesIO(blob), allow_pickle=False) as arrays:
        names = dict.fromkeys(name.split(".")[0] for name in arrays.files)
        return {name: Result(arrays[f"{name}.per_clip"], arrays[f"{name}.statistics"]) for name in names}


@dataclass
class Scores:
    """All metrics of one caption set.

    corpus: metric -> corpus value (a fraction; CIDEr-D may exceed 1).
    per_clip: one row per clip in the order given, one column per metric.
    missing: metric -> why it has no corpus value.
    lost: those of the missing that a crash took; another try may have them.
    statistics: metric -> (n, k) per-clip sufficient statistics, for `aaclib.stats`.
    notes: what a reader of the numbers should know, one sentence each."""

    corpus: dict[str, float]
    per_clip: pd.DataFrame
    missing: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    def __repr__(self) -> str:
        corpus = {name: float(f"{value:.4g}") for name, value in self.corpus.items()}
        return brief(self, n=self.n, corpus=corpus, missing=self.missing, notes=self.notes)

    @property
    def n(self) -> int:
        """How many clips."""
        return len(self.per_clip)
