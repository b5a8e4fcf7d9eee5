"""Uncertainty of scores: intervals, tests of a difference, Holm's correction, relative performance. Pure maths.

A score varies for two reasons: other clips would have been easier or harder, and another seed would have trained
another decoder. All runs of a table were scored on the same clips, so more seeds average away the second alone.

Intervals. With one run: the percentile bootstrap over clips (Efron & Tibshirani 1993); it says nothing of other
trainings. With S >= 2 runs: value +- t sqrt(V), V = V_clips + V_seeds. V_clips is the bootstrap variance over clips of
the mean over the runs, these held fixed; V_seeds = s^2 / S, s^2 the variance between the runs' corpus values. Both are
estimates, from n clips and S runs, so t has the degrees of freedom of Satterthwaite 1946,
V^2 / (V_clips^2 / (n - 1) + V_seeds^2 / (S - 1)). A run's luck on single clips counts in both parts: that errs to the
wide side, by a factor of at most sqrt(2). 95 % intervals cover about 95 % with five seeds, 92 to 95 % with three. With
two, s^2 is hardly known: they cover 87 to 95 %, may be too wide to be of use, and are marked `weak`. Where all runs
are equal (a row without a decoder, scored once for each seed) V_seeds is 0 and the interval is over clips alone.

A difference, a ratio or a share above chance has one such interval: its bootstrap over the same clips for all rows
and, for the seeds' part, its first-order value in each seed (paired seed by seed where rows have equally many runs;
rows with other numbers of runs are independent, a row with one run is fixed). A ratio has bounds only if what it
divides by is clearly positive (as in Fieller 1954): above 0 in every resample and in all of its own interval.

Tests. `p` swaps the clips' captions of two rows (approximate randomisation, Noreen 1989): a claim about these trained
decoders on clips like these. It is none about the method: where a mean difference over seeds varies as much by seeds as
by clips, it finds something in every sixth comparison of equal methods. `p_seeds` is the paired t-test over seeds: a
claim about other trainings, on these clips, taken as given as `p` takes the trainings. A sentence about a method needs
both; the interval of the difference has both sources in one.

The resamples themselves are made in `aaclib.resampling`. Also: Koehn 2004 (paired bootstrap of BLEU); Holm 1979;
Cochran 1977 (ratio estimates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from scipy.special import stdtr, stdtrit

from aaclib.aggregates import corpus
from aaclib.resampling import percentiles, permutation_p, resampled

N_BOOT = 1000
LEVEL = 0.95
NAN = float("nan")


class Scored(Protocol):
    """What these functions need of `aaclib.metrics.Scores`."""

    @property
    def statistics(self) -> Mapping[str, np.ndarray]: ...  # metric -> (n, k) float64


Runs: TypeAlias = Scored | Sequence[Scored]  # the scores of one row of a table: one per seed, or a single one


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float
    n: int  # clips
    seeds: int  # runs
    weak: bool = False  # two differing runs: their variance is hardly known


@dataclass(frozen=True)
class Comparison:
    difference: float  # a minus b
    low: float
    high: float
    p: float  # two-sided, of the permutation test over clips: for these decoders; never 0
    n: int
    seeds: int
    p_seeds: float = NAN  # two-sided, of the paired t-test over seeds: for other trainings; NaN: seeds say nothing
    weak: bool = False  # as of Interval


@dataclass(frozen=True)
class _Rows:
    """R rows of a table in one metric: each run's corpus value, and the runs' mean in B resamples of the clips."""

    values: list[np.ndarray]  # for each row (S,)
    samples: np.ndarray  # (R, B)
    n: int  # clips

    @property
    def means(self) -> np.ndarray:
        return np.array([np.mean(v) for v in self.values])  # (R,)

    @property
    def seeds(self) -> int:
        return min(map(len, self.values))


def interval(runs: Runs, metric: str, n_boot: int = N_BOOT, seed: int = 0, level: float = LEVEL) -> Interval:
    """The mean over seeds of a metric's corpus value, with its interval.

    The bounds are NaN where nothing varies that could: one clip, and one run or several equal ones. One clip and
    several seeds: the interval is over seeds, for this clip. Raises KeyError where a run lacks the metric and
    ValueError for no runs or no clips.

    >>> stats.interval(metrics.evaluate(captions, references), "cider_d").low
    """
    rows, weights = _rows([_tables(runs, metric)], metric, n_boot, seed), np.ones(1)
    value = float(rows.means[0])
    low, high = _bounds(rows, weights, value, rows.samples[0], level)
    return Interval(value, low, high, rows.n, rows.seeds, _weak(rows, weights))


def compare(
    a: Runs, b: Runs, metric: str, n_boot: int = N_BOOT, n_permutations=10000, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """Difference a - b with its interval, the p-value of a paired permutation test over clips and that of a paired
    t-test over seeds.

    Both were scored on the same clips in the same order. The permutation swaps a clip's captions of a and b (of all
    seeds together), which under the null hypothesis changes nothing; with differing numbers of seeds, seeds beyond the
    shorter list stay. `p_seeds` (df = S - 1) is NaN where a or b has one run, where they have different numbers of
    runs, and where the difference is the same in all seeds, as of copies of one run: then seeds say nothing.
    Raises ValueError where the numbers of clips differ."""
    tables_a, tables_b = _paired(metric, a, b)
    rows, weights = _rows([tables_a, tables_b], metric, n_boot, seed), np.array([1.0, -1.0])
    difference = float(weights @ rows.means)
    low, high = _bounds(rows, weights, difference, weights @ rows.samples, level)
    p = permutation_p(tables_a, tables_b, metric, difference, n_permutations, seed)
    return Comparison(difference, low, high, p, rows.n, rows.seeds, _seeds_p(rows), _weak(rows, weights))


def contrast(rows: Sequence[Runs], weights: Sequence[float], metric: str, n_boot: int = N_BOOT) -> Interval:
    """The weighted sum of R rows' values with its interval; weights of 1 and -1 give the difference of two rows.
    Raises ValueError where the rows were scored on different numbers of clips.

    >>> stats.contrast([own, other_style, other_content, other], [0.5, -0.5, 0.5, -0.5], "cider_d")    # style's part
    """
    found, summed = _rows(_paired(metric, *rows), metric, n_boot), np.asarray(weights, dtype=np.float64)
    value = float(summed @ found.means)
    low, high = _bounds(found, summed, value, summed @ found.samples, LEVEL)
    return Interval(value, low, high, found.n, found.seeds, _weak(found, summed))


def relative(a: Runs, b: Runs, metric: str, n_boot: int = N_BOOT) -> Interval:
    """Relative performance a / b (a fraction; the ratio of the means over seeds) with its interval.
    The bounds are NaN, beside the value, where b is 0 or less in any resample of the clips or its own interval reaches
    0. Raises ValueError where b scores 0."""
    rows = _rows(_paired(metric, a, b), metric, n_boot)
    if rows.means[1] == 0:
        raise ValueError(f"Relative performance in {metric}: the row compared with scores 0.")
    return _ratio(rows, np.array([1.0, 0.0]), np.array([0.0, 1.0]))


def above_chance(a: Runs, chance: Runs, bound: Runs, metric: str, n_boot: int = N_BOOT) -> Interval:
    """How much of the way from chance to the bound a row goes: (a - chance) / (bound - chance), each a mean over seeds.
    Interval and NaN bounds as of `relative`, with bound - chance as what is divided by. Raises ValueError where the
    bound does not exceed chance."""
    rows = _rows(_paired(metric, a, chance, bound), metric, n_boot)
    _, low, high = rows.means
    if not high > low:
        raise ValueError(f"{metric}: the bound ({high:.4f}) does not exceed chance ({low:.4f}).")
    return _ratio(rows, np.array([1.0, -1.0, 0.0]), np.array([0.0, -1.0, 1.0]))


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjusted p-values, in the order given; NaN stays NaN and does not count."""
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


# ---- inside


def _tables(runs: Runs, metric: str) -> list[np.ndarray]:
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


def _paired(metric: str, *rows: Runs) -> list[list[np.ndarray]]:
    tables = [_tables(row, metric) for row in rows]
    n, *others = (len(row[0]) for row in tables)
    if other := next((m for m in others if m != n), None):
        raise ValueError(f"{metric}: {n} clips against {other}; they must be the same clips.")
    return tables


def _rows(tables: list[list[np.ndarray]], metric: str, n_boot: int, seed: int = 0) -> _Rows:
    values = [np.array([corpus(metric, t) for t in row]) for row in tables]
    samples = np.array([runs.mean(axis=0) for runs in resampled(tables, metric, n_boot, seed)])
    return _Rows(values, samples, len(tables[0][0]))


def _ratio(rows: _Rows, top: np.ndarray, bottom: np.ndarray) -> Interval:
    """(top @ means) / (bottom @ means); top, bottom: (R,) weights of the rows. To first order a run that scores x moves
    the ratio r by (top - r bottom) x / base, the residual of a ratio estimate."""
    base = float(bottom @ rows.means)
    value = float(top @ rows.means) / base
    weights = (top - value * bottom) / base
    bases = bottom @ rows.samples
    reaches_zero = bases.min() <= 0 or _bounds(rows, bottom, base, bases, LEVEL)[0] <= 0
    bounds = (NAN, NAN) if reaches_zero else _bounds(rows, weights, value, top @ rows.samples / bases, LEVEL)
    return Interval(value, *bounds, rows.n, rows.seeds, _weak(rows, weights))


def _bounds(rows: _Rows, weights: np.ndarray, value: float, samples: np.ndarray, level: float) -> tuple[float, float]:
    """The interval of a value that moves with the rows' means by `weights` (R,) and is `samples` (B,) in the resamples
    of the clips; NaN where nothing varies that could."""
    parts = _seed_parts(rows, weights)
    if rows.n == 1 and not parts:
        return NAN, NAN
    if max(map(len, rows.values)) == 1:
        return percentiles(samples, level)
    if rows.n > 1:  # n / (n - 1): a resample varies by the variance of the n clips themselves
        parts.append((float(np.var(samples) * rows.n / (rows.n - 1)), rows.n - 1))
    variances, freedoms = np.array(parts).T
    total = variances.sum()
    if total == 0:
        return value, value
    freedom = total**2 / np.sum(variances**2 / freedoms)
    reach = float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(total))
    return value - reach, value + reach


def _seed_parts(rows: _Rows, weights: np.ndarray) -> list[tuple[float, int]]:
    """(variance of the mean over seeds, its degrees of freedom): one for the rows with S runs, paired seed by seed,
    for each S of which the runs differ."""
    parts = []
    for size in sorted({len(v) for v in rows.values} - {1}):
        terms = np.array([w * v for w, v in zip(weights, rows.values, strict=True) if len(v) == size])  # (R', S)
        if _differ(terms):
            parts.append((np.var(terms.sum(axis=0), ddof=1) / size, size - 1))
    return parts


def _differ(terms: np.ndarray) -> bool:
    """Whether the sums over rows of terms (R, S) differ between seeds by more than rounding."""
    return bool(np.ptp(terms.sum(axis=0)) > 1e-12 * np.abs(terms).max())


def _weak(rows: _Rows, weights: np.ndarray) -> bool:
    return any(freedom == 1 for _, freedom in _seed_parts(rows, weights))


def _seeds_p(rows: _Rows) -> float:
    """Two-sided p of the paired t-test over seeds of the first row against the second."""
    a, b = rows.values
    if len(a) != len(b) or not _differ(np.array([a, -b])):
        return NAN
    t = np.mean(a - b) / np.sqrt(np.var(a - b, ddof=1) / len(a))
    return float(2 * stdtr(len(a) - 1, -abs(t)))
