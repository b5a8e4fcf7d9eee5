"""From sums over clips to corpus values: BLEU, METEOR and the mean. Pure maths.

Each metric is a function of sums over clips. `Scores.statistics[metric]` holds one row of sufficient statistics per
clip, `AGGREGATES` turns sums of them into the corpus value, so any resample of clips has its true corpus value (BLEU
and METEOR are not means of per-clip values). CIDEr-D's per-clip values keep the document frequencies of the whole
reference set.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# METEOR 1.5, English, task `rank`: what `meteor-1.5.jar -l en -norm` uses
METEOR_ALPHA, METEOR_BETA, METEOR_GAMMA, METEOR_DELTA = 0.85, 0.2, 0.6, 0.75
METEOR_WEIGHTS = (1.0, 0.6, 0.8, 0.6)  # exact, stem, synonym, paraphrase
METEOR_COLUMNS = 23


def bleu(totals: np.ndarray, n: int) -> np.ndarray:
    """Corpus BLEU-N of summed (length, closest reference length, guesses 1..N, matches 1..N); totals: (..., 2 + 2N).
    Papineni et al. 2002, in the form of pycocoevalcap (its two smoothing constants included)."""
    totals = np.asarray(totals, dtype=np.float64)
    order = (totals.shape[-1] - 2) // 2
    length, reference = totals[..., 0], totals[..., 1]
    guess, correct = totals[..., 2 : 2 + order], totals[..., 2 + order :]
    value = np.prod((correct + 1e-15) / (guess + 1e-9), axis=-1) ** (1.0 / order)
    ratio = (length + 1e-15) / (reference + 1e-9)
    return value * np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1.0)), 1.0)


def meteor(totals: np.ndarray, n: int) -> np.ndarray:
    """METEOR of summed alignment statistics; totals: (..., 23), the jar's own order.
    The order: length, reference length, function words of both; for exact, stem, synonym, paraphrase matches: content
    words of the candidate and of the reference, function words of the candidate and of the reference; chunks, matched
    words of both. Denkowski & Lavie 2014; the formula of `MeteorScorer.computeMetrics` in meteor-1.5.jar."""
    t = np.asarray(totals, dtype=np.float64)
    weights = np.array(METEOR_WEIGHTS)
    stages = t[..., 4:20].reshape(*t.shape[:-1], 4, 4)  # (..., stage, [content c, r, function c, r])
    d = METEOR_DELTA
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = (d * (stages[..., 0] @ weights) + (1 - d) * (stages[..., 2] @ weights)) / (
            d * (t[..., 0] - t[..., 2]) + (1 - d) * t[..., 2]
        )
        recall = (d * (stages[..., 1] @ weights) + (1 - d) * (stages[..., 3] @ weights)) / (
            d * (t[..., 1] - t[..., 3]) + (1 - d) * t[..., 3]
        )
        mean = 1 / ((1 - METEOR_ALPHA) / precision + METEOR_ALPHA / recall)
        fragments = np.where(_perfect(t), 0.0, t[..., 20] / ((t[..., 21] + t[..., 22]) / 2))
        score = mean * (1 - METEOR_GAMMA * fragments**METEOR_BETA)
    return np.where(np.isnan(score), 0.0, np.maximum(score, 0.0))


def meteor_summable(statistics: np.ndarray) -> np.ndarray:
    """Per-clip counts (..., 23) as METEOR adds them up: a perfect match adds no chunk to the corpus's fragmentation
    (`MeteorStats.addStats`). The clip's own score stays the same."""
    summable = np.array(statistics, dtype=np.float64)
    summable[..., 20] = np.where(_perfect(summable), 0.0, summable[..., 20])
    return summable


def _perfect(t: np.ndarray) -> np.ndarray:
    """Whether every word of both captions is matched, in one chunk; t: (..., 23)."""
    return (t[..., 4:20:2].sum(-1) == t[..., 0]) & (t[..., 5:20:2].sum(-1) == t[..., 1]) & (t[..., 20] == 1)


def mean(totals: np.ndarray, n: int) -> np.ndarray:
    """The mean over clips of one statistic per clip; totals: (..., 1)."""
    return np.asarray(totals, dtype=np.float64)[..., 0] / n


AGGREGATES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "bleu_1": bleu,
    "bleu_2": bleu,
    "bleu_3": bleu,
    "bleu_4": bleu,
    "meteor": meteor,
}


def aggregate(metric: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """The function from (summed statistics (..., k), number of clips) to corpus values (...); the mean by default."""
    return AGGREGATES.get(metric, mean)


def corpus(metric: str, statistics: np.ndarray) -> float:
    """The corpus value of per-clip sufficient statistics (n, k)."""
    statistics = np.asarray(statistics, dtype=np.float64)
    if aggregate(metric) is mean:
        return float(np.mean(statistics[:, 0]))  # NumPy's pairwise sum, as pycocoevalcap's own mean
    return float(aggregate(metric)(statistics.sum(axis=0), len(statistics)))
