"""How much text a pair is worth: from two curves, of scores by captions and of scores by pairs. Pure maths.

Both curves are judged on the same clips, and both are resampled together: an interval here says how far the exchange
would move with other clips, for these trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from aaclib.aggregates import corpus
from aaclib.resampling import resampled
from aaclib.stats import LEVEL, N_BOOT, Scored


class Worth(NamedTuple):
    """What some pairs reach, and how many captions reach the same. `captions`, `low` and `high` are 0 where the fewest
    captions that were tried do already, and inf where the most do not."""

    pairs: int
    score: float
    captions: float
    low: float
    high: float


def needed(score: float, sizes: np.ndarray, scores: np.ndarray) -> float:
    """How many captions reach a score. sizes: (k,) numbers of captions, ascending; scores: (k,) what they reach.

    The curve is a line between its points over the logarithm of their number, and never falls: whoever has more may
    use less. 0 where the first point reaches the score already, inf where none does.

    >>> scaling.needed(0.25, np.array([100, 10000]), np.array([0.2, 0.3]))
    1000.0
    """
    rising = np.maximum.accumulate(scores)
    if score <= rising[0]:
        return 0.0
    return float(np.exp(np.interp(score, rising, np.log(sizes), right=np.inf)))


def worth(
    text: Mapping[int, Scored], paired: Mapping[int, Scored], metric: str, n_boot: int = N_BOOT, seed: int = 0
) -> list[Worth]:
    """For each number of pairs, how many captions reach the same, with its interval over clips. text, paired: number of
    captions, or of pairs, -> the scores on the same clips. Raises ValueError for fewer than two points of text.

    >>> [one.captions / one.pairs for one in scaling.worth(by_captions, by_pairs, "cider_d")]
    """
    if len(text) < 2:
        raise ValueError(f"a curve needs two numbers of captions, found {len(text)}")
    sizes, counts = sorted(text), sorted(paired)
    tables = [np.asarray(found.statistics[metric]) for found in [text[n] for n in sizes] + [paired[n] for n in counts]]
    samples = np.array([one[0] for one in resampled([[table] for table in tables], metric, n_boot, seed)])  # (k + p, B)
    values = np.array([corpus(metric, table) for table in tables])
    k, x, out = len(sizes), np.array(sizes), []
    for row, pairs in enumerate(counts, k):
        drawn = [needed(samples[row, b], x, samples[:k, b]) for b in range(n_boot)]
        # no mean of two draws: one of them may be inf
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
        out.append(Worth(pairs, float(values[row]), needed(values[row], x, values[:k]), float(low), float(high)))
    return out
