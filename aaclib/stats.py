"""Uncertainty of scores: bootstrap intervals, paired tests, Holm's correction, relative performance. Pure maths.

Sums over clips become corpus values in `aaclib.aggregates`; all resamples at once are one matrix product: counts (B, n)
times statistics (n, k).

Several seeds: the runs were scored on the same clips, so a replicate draws seeds, and draws clips once for all of them
(a crossed bootstrap; clips drawn anew for each seed would average away the clips' share of the variance). With S
seeds, the bootstrap sees (S - 1)/S of the variance between seeds: with two or three, read it as a lower bound.

Methods: Efron & Tibshirani 1993 (percentile bootstrap); Koehn 2004 (paired bootstrap); Noreen 1989 (approximate
randomisation); Holm 1979; Owen 2007 (crossed bootstrap).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from aaclib.aggregates import aggregate, corpus

N_BOOT = 1000
LEVEL = 0.95


class Scored(Protocol):
    """What these functions need of `aaclib.metrics.Scores`."""

    statistics: Mapping[str, np.ndarray]   # metric -> (n, k) float64


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float
    n: int                 # clips
    seeds: int             # runs


@dataclass(frozen=True)
class Comparison:
    difference: float      # a minus b
    low: float
    high: float
    p: float               # two-sided, of the permutation test; never 0
    n: int
    seeds: int


# ---- intervals and tests


def interval(runs: Scored | Sequence[Scored], metric: str, n_boot: int = N_BOOT, seed: int = 0,
             level: float = LEVEL) -> Interval:
    """Percentile bootstrap interval of the mean over seeds of a metric's corpus value.
    `runs`: the scores of one row of a table, one a seed (or a single one). Raises KeyError where a run lacks the metric
    and ValueError for no runs or no clips."""
    tables = _tables(runs, metric)
    value = _mean_value(tables, metric)
    if len(tables[0]) == 1 and len(tables) == 1:
        return Interval(value, float("nan"), float("nan"), 1, 1)       # nothing to resample
    low, high = _percentiles(_samples([tables], metric, n_boot, seed)[0], level)
    return Interval(value, low, high, len(tables[0]), len(tables))


def compare(a: Scored | Sequence[Scored], b: Scored | Sequence[Scored], metric: str, n_boot: int = N_BOOT,
            n_permutations: int = 10000, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Difference a - b with a paired bootstrap interval and the p-value of a paired permutation test.

    Both were scored on the same clips in the same order. A replicate uses the same clips for both, and the same seeds
    where both have equally many. The permutation swaps a clip's captions of a and b (of all seeds together), which
    under the null hypothesis changes nothing; with differing numbers of seeds, seeds beyond the shorter list stay.
    Raises ValueError where the numbers of clips differ."""
    tables_a, tables_b = _paired(a, b, metric)
    difference = _mean_value(tables_a, metric) - _mean_value(tables_b, metric)
    low, high = _percentiles(np.subtract(*_samples([tables_a, tables_b], metric, n_boot, seed)), level)
    p = _permutation_p(tables_a, tables_b, metric, difference, n_permutations, seed)
    return Comparison(difference, low, high, p, len(tables_a[0]), min(len(tables_a), len(tables_b)))


def relative(a: Scored | Sequence[Scored], b: Scored | Sequence[Scored], metric: str, n_boot: int = N_BOOT,
             seed: int = 0, level: float = LEVEL) -> Interval:
    """Relative performance a / b (a fraction) with a paired bootstrap interval. Raises ValueError where b scores 0."""
    tables_a, tables_b = _paired(a, b, metric)
    base = _mean_value(tables_b, metric)
    if base == 0:
        raise ValueError(f"Relative performance in {metric}: the row compared with scores 0.")
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = _percentiles(np.divide(*_samples([tables_a, tables_b], metric, n_boot, seed)), level)
    value, seeds = _mean_value(tables_a, metric) / base, min(len(tables_a), len(tables_b))
    return Interval(value, low, high, len(tables_a[0]), seeds)


def holm(p: Sequence[float] | Mapping[Any, float]) -> np.ndarray | dict[Any, float]:
    """Holm's step-down adjusted p-values, in the order (or under the keys) given; NaN stays NaN and does not count."""
    if isinstance(p, Mapping):
        return dict(zip(p, map(float, holm(list(p.values()))), strict=True))
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


# ---- inside


def _tables(runs: Scored | Sequence[Scored], metric: str) -> list[np.ndarray]:
    runs = list(runs) if isinstance(runs, Sequence) else [runs]
    if not runs:
        raise ValueError(f"No scores to take {metric} from.")
    tables = []
    for run in runs:
        if metric not in run.statistics:
            reason = getattr(run, "missing", {}).get(metric, "it was not computed")
            raise KeyError(f"{metric} is not among these scores: {reason}")
        table = np.asarray(run.statistics[metric], dtype=np.float64)
        tables.append(table[:, None] if table.ndim == 1 else table)
    if min(map(len, tables)) == 0:
        raise ValueError(f"{metric}: no clips.")
    if len({len(t) for t in tables}) > 1:
        raise ValueError(f"{metric}: the seeds were scored on different numbers of clips ({[len(t) for t in tables]}).")
    return tables


def _paired(a: Any, b: Any, metric: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    tables_a, tables_b = _tables(a, metric), _tables(b, metric)
    if len(tables_a[0]) != len(tables_b[0]):
        raise ValueError(f"{metric}: {len(tables_a[0])} clips against {len(tables_b[0])}; they must be the same clips.")
    return tables_a, tables_b


def _mean_value(tables: list[np.ndarray], metric: str) -> float:
    return float(np.mean([corpus(metric, t) for t in tables]))


def _samples(rows: list[list[np.ndarray]], metric: str, n_boot: int, seed: int) -> list[np.ndarray]:
    """For each row of a table (B,) values: each replicate averages over the seeds that it drew, the same ones for all
    rows of as many seeds."""
    samples = []
    for values in _resampled(rows, metric, n_boot, seed):                                             # (S, B)
        draw = np.random.default_rng([seed, 1, len(values)]).integers(len(values), size=values.shape)
        samples.append(np.take_along_axis(values, draw, axis=0).mean(axis=0))
    return samples


def _resampled(rows: list[list[np.ndarray]], metric: str, n_boot: int, seed: int) -> list[np.ndarray]:
    """For each row of a table (S, B) corpus values: the same B resamples of the clips for all rows and seeds."""
    n = len(rows[0][0])
    function = aggregate(metric)
    out = [np.empty((len(tables), n_boot)) for tables in rows]
    step = max(1, 4_000_000 // n)                        # 32 MB of counts at a time
    for start in range(0, n_boot, step):
        stop = min(start + step, n_boot)
        counts = _draw_clips(n, stop - start, seed, start)                                            # (b, n)
        for row, tables in zip(out, rows, strict=True):
            row[:, start:stop] = function(counts @ np.stack(tables), n)                           # (S, b, k) -> (S, b)
    return out


@lru_cache(maxsize=4)
def _draw_clips(n: int, n_boot: int, seed: int, start: int) -> np.ndarray:
    """(n_boot, n) how often each replicate draws each clip. Kept, since all rows and metrics of a table are resampled
    alike and drawing takes most of the time."""
    rng = np.random.default_rng([seed, 0, start])
    counts = rng.multinomial(n, np.full(n, 1.0 / n), size=n_boot).astype(np.float64)
    counts.flags.writeable = False
    return counts


def _percentiles(samples: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _permutation_p(tables_a: list, tables_b: list, metric: str, difference: float, n_permutations: int,
                   seed: int) -> float:
    n, function, rng = len(tables_a[0]), aggregate(metric), np.random.default_rng(seed)
    pairs = min(len(tables_a), len(tables_b))
    a, b = np.stack(tables_a), np.stack(tables_b)
    gap = b[:pairs] - a[:pairs]                                        # (S, n, k): what a swap adds to a's sums
    total_a, total_b = a.sum(axis=1), b.sum(axis=1)                    # (S, k)
    slack = 1e-12 * max(1.0, abs(difference))                          # equal up to rounding counts as equal
    extreme, step = 0, max(1, 4_000_000 // n)
    for start in range(0, n_permutations, step):
        swap = rng.integers(2, size=(min(step, n_permutations - start), n)).astype(np.float64)   # (b, n)
        moved = swap @ gap                                             # (S, b, k)
        new_a = np.repeat(total_a[:, None], len(swap), axis=1)
        new_b = np.repeat(total_b[:, None], len(swap), axis=1)
        new_a[:pairs] += moved
        new_b[:pairs] -= moved
        gaps = function(new_a, n).mean(axis=0) - function(new_b, n).mean(axis=0)
        extreme += int(np.count_nonzero(np.abs(gaps) >= abs(difference) - slack))
    return (1 + extreme) / (1 + n_permutations)
