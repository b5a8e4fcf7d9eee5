"""Resampling clips: bootstrap and permutation of corpus values, all resamples at once.

Sums over clips become corpus values in `aaclib.aggregates`; B resamples are one matrix product, counts (B, n) times
statistics (n, k). `aaclib.stats` says what the results mean.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from aaclib.aggregates import aggregate


def resampled(rows: list[list[np.ndarray]], metric: str, n_boot: int, seed: int) -> list[np.ndarray]:
    """For each row of a table (S, B) corpus values: the same B resamples of the clips for all rows and seeds."""
    n, function = len(rows[0][0]), aggregate(metric)
    out = [np.empty((len(tables), n_boot)) for tables in rows]
    step = max(1, 4_000_000 // n)  # 32 MB of counts at a time
    for start in range(0, n_boot, step):
        stop = min(start + step, n_boot)
        counts = draw_clips(n, stop - start, seed, start)  # (b, n)
        for row, tables in zip(out, rows, strict=True):
            row[:, start:stop] = function(counts @ np.stack(tables), n)  # (S, b, k) -> (S, b)
    return out


@lru_cache(maxsize=4)
def draw_clips(n: int, n_boot: int, seed: int, start: int) -> np.ndarray:
    """(n_boot, n) how often each replicate draws each clip. Kept, since all rows and metrics of a table are resampled
    alike and drawing takes most of the time."""
    rng = np.random.default_rng([seed, 0, start])
    counts = rng.multinomial(n, np.full(n, 1.0 / n), size=n_boot).astype(np.float64)
    counts.flags.writeable = False
    return counts


def percentiles(samples: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def permutation_p(
    tables_a: list, tables_b: list, metric: str, difference: float, n_permutations: int, seed: int
) -> float:
    n, function, rng = len(tables_a[0]), aggregate(metric), np.random.default_rng(seed)
    pairs = min(len(tables_a), len(tables_b))
    a, b = np.stack(tables_a), np.stack(tables_b)
    gap = b[:pairs] - a[:pairs]  # (S, n, k): what a swap adds to a's sums
    total_a, total_b = a.sum(axis=1), b.sum(axis=1)  # (S, k)
    slack = 1e-12 * max(1.0, abs(difference))  # equal up to rounding counts as equal
    extreme, step = 0, max(1, 4_000_000 // n)
    for start in range(0, n_permutations, step):
        swap = rng.integers(2, size=(min(step, n_permutations - start), n)).astype(np.float64)  # (b, n)
        moved = swap @ gap  # (S, b, k)
        new_a = np.repeat(total_a[:, None], len(swap), axis=1)
        new_b = np.repeat(total_b[:, None], len(swap), axis=1)
        new_a[:pairs] += moved
        new_b[:pairs] -= moved
        gaps = function(new_a, n).mean(axis=0) - function(new_b, n).mean(axis=0)
        extreme += int(np.count_nonzero(np.abs(gaps) >= abs(difference) - slack))
    return (1 + extreme) / (1 + n_permutations)
