"""What a run's scores say when rows are compared, with the bound and with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aaclib import metrics, stats
from aaclib.captions import unread
from aaclib.memo import remembered
from aaclib.results import scoring, tidy

if TYPE_CHECKING:
    from aaclib.run import Run

ALPHA = 0.05  # level of the tests that choose words and marks
TESTED = ("a", "b", "metric", "difference", "low", "high", "p", "p_holm", "p_seeds", "p_seeds_holm", "seeds")


# ---- the bound


@remembered
def bound(run: Run, target: str) -> str | None:
    """The row that stands for what paired audio can reach: of the supervised rows the one that describes the
    target's validation clips best. None where the run has no supervised row.

    >>> results.bound(run, "clotho")
    'supervised'
    """
    scores = bounds(run, target)
    return max(scores, key=scores.__getitem__, default=None)


@remembered
def bounds(run: Run, target: str) -> dict[str, float]:
    """Each supervised row and its CIDEr-D (a fraction) on the validation clips, the mean over seeds; NaN where one
    alone stands for itself, or there are no such clips (the row with more to learn from then comes first).

    >>> results.bounds(run, "clotho")
    """
    rows = [row.name for row in run.strategies(target) if row.group == "supervised" and row.inference == "audio"]
    clips = run.split(target, "validation").clips
    if len(rows) < 2 or not clips or not all(clip.captions for clip in clips):
        return dict.fromkeys(sorted(rows, key=len, reverse=True), np.nan)
    return {name: float(np.mean([_validated(run, target, name, seed) for seed in run.seeds])) for name in rows}


def _validated(run: Run, target: str, strategy: str, seed: int) -> float:
    references = [list(clip.captions) for clip in run.clips(target, "validation", seed)]
    captions = run.captions(target, strategy, seed, part="validation")
    return metrics.evaluate(captions, references, ["cider_d"], store=run.store).corpus["cider_d"]


@remembered
def relative(run: Run, target: str, decoding: str = "greedy") -> pd.DataFrame | None:
    """Each row divided by the bound: target, strategy, decoding, metric, value, low, high (1 is the bound; the interval
    at 95 %). None where the run has no bound (`why_no_relative` says why).

    >>> results.relative(run, "clotho").query("metric == 'cider_d'")
    """
    return None if why_no_relative(run, target, decoding) else _shared(run, target, decoding, stats.relative)


@remembered
def above_chance(run: Run, target: str, decoding: str = "greedy") -> pd.DataFrame | None:
    """As `relative`, after what captions on the wrong clips reach is taken from both: (row - shuffled) / (bound -
    shuffled). None where there is no bound, no such row, or the bound does not exceed it.

    >>> results.above_chance(run, "clotho")
    """
    rows = {row.name for row in scoring.rows(run, target, decoding)}
    if why_no_relative(run, target, decoding) or "shuffled" not in rows:
        return None
    chance = tidy.all_scores(run, target, "shuffled", decoding)
    try:
        return _shared(run, target, decoding, lambda row, whole, *rest: stats.above_chance(row, chance, whole, *rest))
    except ValueError:
        return None


def _shared(run: Run, target: str, decoding: str, share: Callable[..., stats.Interval]) -> pd.DataFrame:
    whole, shares, lines = _of_bound(run, target, decoding), _shares(run, target, decoding), []
    for row in [row for row in scoring.rows(run, target, decoding) if row.name != "human"]:
        scores = tidy.all_scores(run, target, row.name, decoding)
        for name in shares:
            if all(name in s.statistics for s in scores):
                interval = share(scores, whole, name, run.config.metrics.bootstrap)
                lines.append((target, row.name, decoding, name, interval.value, interval.low, interval.high))
    return pd.DataFrame(lines, columns=["target", "strategy", "decoding", "metric", "value", "low", "high"])


def why_no_relative(run: Run, target: str, decoding: str = "greedy") -> str:
    """Why there is no relative performance, and what would give one; '' where there is.

    >>> print(results.why_no_relative(run, "clotho"))
    """
    best = bound(run, target)
    if best is None:
        return (
            "There is no fully supervised row in this run: it needs the audio of the training clips. "
            "Add 'supervised' to the target's strategies to have one."
        )
    if best not in {row.name for row in scoring.rows(run, target, decoding)}:
        return f"The bound, {best}, is not among the rows of this table: add it to generate.beam_rows."
    if {s.corpus.get(run.config.metrics.headline) for s in _of_bound(run, target, decoding)} == {0.0}:
        return "The fully supervised row scores 0: its training has failed."
    return "" if _shares(run, target, decoding) else "The fully supervised row has no score in any metric."


def _of_bound(run: Run, target: str, decoding: str) -> list[metrics.Scores]:
    name = bound(run, target)
    return tidy.all_scores(run, target, name, decoding) if name else []


def _shares(run: Run, target: str, decoding: str) -> list[str]:
    """The metrics that every seed of the bound has: of one that is 0 in all there is no share."""
    whole = _of_bound(run, target, decoding)
    return [
        name
        for name in scoring.names(run, decoding)
        if all(name in s.corpus for s in whole) and any(s.corpus[name] for s in whole)
    ]


# ---- rows against rows


@remembered
def comparisons(
    run: Run, target: str, metric: str = "cider_d", decoding: str = "greedy", against: str = "baseline"
) -> pd.DataFrame:
    """Every row that is no control against one row, as `tested` tells it.

    >>> results.comparisons(run, "clotho", against="projection")[["a", "difference", "p_holm"]]
    """
    rows = scoring.rows(run, target, decoding)
    names = [row.name for row in rows if row.group != "control" and row.name != against]
    return tested(run, target, [(name, against) for name in names], metric, decoding)


@remembered
def told(run: Run, target: str, metric: str = "cider_d", decoding: str = "greedy") -> pd.DataFrame:
    """All contrasts that a run's sentences tell, as one family of tests (`tested`): every way to bridge the gap against
    the plain swap, the highest of them and the bound against captions on the wrong clips, it against copying.

    >>> results.told(run, "clotho").query("b == 'baseline'")
    """
    rows = {row.name: row for row in scoring.rows(run, target, decoding)}
    scores = {
        name: tidy.all_scores(run, target, name, decoding, metric)
        for name, row in rows.items()
        if row.group not in ("control", "supervised")
    }
    weak = {
        name: np.mean([s.corpus[metric] for s in by_seed])
        for name, by_seed in scores.items()
        if all(metric in s.corpus for s in by_seed)
    }
    pairs = [(name, "baseline") for name in weak if name != "baseline" and "baseline" in weak]
    if competing := {name: value for name, value in weak.items() if rows[name].group != "paired"}:
        best = max(competing, key=competing.__getitem__)
        pairs += [(best, control) for control in ("shuffled", "copy") if control in rows]
    if (top := bound(run, target)) in rows and "shuffled" in rows:
        pairs.append((top, "shuffled"))
    return tested(run, target, pairs, metric, decoding)


def tested(run: Run, target: str, pairs: Sequence[tuple[str, str]], metric: str, decoding: str) -> pd.DataFrame:
    """One family of tests: a, b, metric, difference, low, high (fractions, a - b), p, p_holm over clips, p_seeds,
    p_seeds_holm over seeds (NaN with one), seeds. The intervals hold together, each at the level 1 - 0.05 / number of
    tests. Rows without a value in this metric are left out.

    >>> results.tested(run, "clotho", [("noise", "c3"), ("shift", "c3")], "cider_d", "greedy")
    """
    names = {name for pair in pairs for name in pair}
    scores = {name: tidy.all_scores(run, target, name, decoding, metric) for name in names}
    scored = {name for name, by_seed in scores.items() if all(metric in s.statistics for s in by_seed)}
    pairs = [pair for pair in pairs if scored >= set(pair)]
    level, boot = 1 - ALPHA / max(len(pairs), 1), run.config.metrics.bootstrap
    tests = [stats.compare(scores[a], scores[b], metric, boot, level=level) for a, b in pairs]
    holm, over_seeds = (stats.holm([getattr(test, p) for test in tests]) for p in ("p", "p_seeds"))
    rows = [
        (a, b, metric, c.difference, c.low, c.high, c.p, p, c.p_seeds, p_seeds, c.seeds)
        for (a, b), c, p, p_seeds in zip(pairs, tests, holm, over_seeds, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(TESTED))


def way(run: Run, target: str, scores: metrics.Scores, seed: int) -> stats.Interval | None:
    """How much of the way from the plain swap to the bound captions go, by the headline metric: 1 is the bound. None
    where this run has no bound, or none that exceeds the plain swap.

    >>> results.way(run, "clotho", results.of_captions(run, "clotho", said, 0), 0).value
    """
    metric, top = run.config.metrics.headline, bound(run, target)
    if top is None:
        return None
    low, high = (scoring.of_captions(run, target, run.captions(target, n, seed), seed) for n in ("baseline", top))
    try:
        return stats.above_chance(scores, low, high, metric, run.config.metrics.bootstrap)
    except ValueError:
        return None


@remembered
def gate(run: Run, target: str) -> tuple[int, tuple[float, float], stats.Comparison | None]:
    """Whether decoders read embeddings better than a look-up does: on the clips that have a reference which stands
    in no training caption (in every seed), how many there are, the headline scores (fractions) of `reconstruction` and
    of `look-up`, and their comparison; None where there are fewer than two such clips.

    >>> n, (written, looked_up), test = results.gate(run, "clotho")
    """
    metric = run.config.metrics.headline
    chosen = np.all([unread(run, target, seed)[1] for seed in run.seeds], axis=0)
    rows = [tidy.all_scores(run, target, name) for name in ("reconstruction", "look-up")]
    if chosen.sum() < 2 or not all(metric in s.statistics for scores in rows for s in scores):
        return int(chosen.sum()), (np.nan, np.nan), None
    rows = [tidy.of_clips(chosen, scores, metric) for scores in rows]
    written, looked_up = (float(np.mean([stats.corpus(metric, s.statistics[metric]) for s in row])) for row in rows)
    return int(chosen.sum()), (written, looked_up), stats.compare(*rows, metric, run.config.metrics.bootstrap)
