"""A run's scores as tidy frames: one line per row of the table and metric, with n, seeds and a bootstrap interval over
clips (and seeds, where there are several)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aaclib import bridge, stats
from aaclib.memo import remembered
from aaclib.metrics import Scores
from aaclib.results import judging, scoring

if TYPE_CHECKING:
    from aaclib.run import Run

RESULTS = ("target", "strategy", "group", "decoding", "metric", "value", "low", "high", "n", "seeds", "note")
BY_CONTENT = ("target", "strategy", "group", "metric", "content", "value", "low", "high", "n", "seeds")


def all_scores(run: Run, target: str, strategy: str, decoding: str = "greedy", metric: str = "") -> list[Scores]:
    """The scores of a row, one for each seed (of the human row one for each place in the list of captions); those
    without references for a `metric` that has none.

    >>> [scores.corpus["cider_d"] for scores in results.all_scores(run, "clotho", "noise")]
    """
    if metric.startswith(judging.JUDGED):
        return [judging.judged(run, target, strategy, seed) for seed in run.seeds]
    if strategy == "human":
        return scoring.human(run, target)
    # without a decoder or with the same CLAP in every seed there is still one score per seed: copies count as such
    return [scoring.scores(run, target, strategy, seed, decoding) for seed in run.seeds]


@remembered
def results(run: Run, target: str, decoding: str = "greedy") -> pd.DataFrame:
    """Tidy: the columns of `RESULTS`; value, low and high as fractions, the interval at 95 %. A metric that a row lacks
    is NaN, and its note says why.

    >>> results.results(run, "clotho").query("metric == 'cider_d'")
    """
    names = scoring.names(run, decoding)
    lines = [
        line
        for row in scoring.rows(run, target, decoding)
        for line in _lines(run, target, row, decoding, all_scores(run, target, row.name, decoding), names)
    ]
    return pd.DataFrame(lines, columns=list(RESULTS))


@remembered
def judgement(run: Run, target: str) -> pd.DataFrame:
    """As `results`, for the scores without references, greedy decoding; empty where there is no judge
    (`why_no_judgement` says why).

    >>> results.judgement(run, "clotho").query("metric == 'self_r@10'")
    """
    if judging.why_no_judgement(run):
        return pd.DataFrame()
    lines: list[dict[str, Any]] = []
    for row in run.strategies(target):
        scores = [judging.judged(run, target, row.name, seed) for seed in run.seeds]
        lines += _lines(run, target, row, "greedy", scores, list(scores[0].per_clip))
    frame = pd.DataFrame(lines, columns=list(RESULTS))
    human = frame.strategy == "human"  # here one score per seed, as every row, for each has its own judge
    return frame.assign(
        note=frame.note.mask(human, "each clip's first caption"), seeds=frame.seeds.mask(human, len(run.seeds))
    )


@remembered
def new(run: Run, target: str) -> np.ndarray | None:
    """(n,) bool: whether what sounds in an evaluation clip sounds together in no training clip. None where the data
    set does not know all that sounds in its clips.

    >>> results.new(run, "soundscapes-long").mean()
    """
    clips = run.clips(target, "evaluation", run.seeds[0])
    if not all(clip.content for clip in clips):
        return None
    known = {clip.content for clip in run.training_clips(target, "train")}
    return np.array([clip.content not in known for clip in clips])


@remembered
def by_content(run: Run, target: str, metric: str = "cider_d") -> pd.DataFrame:
    """The results on the clips whose content is new, and on the others: as `results`, with a column `content` ("new",
    "known"); empty where nothing is known of it.

    >>> results.by_content(run, "soundscapes-long").pivot(index="strategy", columns="content", values="value")
    """
    lines, is_new = [], new(run, target)
    if is_new is None:
        return pd.DataFrame()
    for row in [row for row in scoring.rows(run, target) if row.name != "human"]:
        scores = all_scores(run, target, row.name, "greedy", metric)
        for content, chosen in (("new", is_new), ("known", ~is_new)):
            if chosen.sum() > 1 and all(metric in s.statistics for s in scores):
                interval = stats.interval(of_clips(chosen, scores, metric), metric, run.config.metrics.bootstrap)
                about = {"target": target, "strategy": row.name, "group": row.group, "metric": metric}
                lines.append({**about, "content": content, **vars(interval)})
    return pd.DataFrame(lines, columns=list(BY_CONTENT))


@dataclass(frozen=True)
class Part:
    """One metric's scores on some of the clips."""

    statistics: dict[str, np.ndarray]  # metric -> (n, k) float64


def of_clips(chosen: np.ndarray, scores: Sequence[stats.Scored], metric: str) -> list[stats.Scored]:
    """One metric's scores on some of the clips alone. `chosen`: (n,) bool."""
    return [Part(statistics={metric: s.statistics[metric][chosen]}) for s in scores]


def _lines(
    run: Run, target: str, row: bridge.Strategy, decoding: str, scores: Sequence[Scores], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    about = {"target": target, "strategy": row.name, "group": row.group, "decoding": decoding}
    note, lines = _note(run, target, row), []
    for name in metrics:
        if lacking := [s for s in scores if name not in s.statistics]:
            gap = {"value": np.nan, "low": np.nan, "high": np.nan, "n": scores[0].n, "seeds": 0}
            lines.append({**about, "metric": name, **gap, "note": lacking[0].missing.get(name, "not computed")})
            continue
        numbers = vars(stats.interval(scores, name, run.config.metrics.bootstrap))
        seeds = 1 if row.name == "human" else len(scores)
        lines.append({**about, "metric": name, **numbers, "seeds": seeds, "note": note})
    return lines


def _note(run: Run, target: str, row: bridge.Strategy) -> str:
    counts = {len(clip.captions) for clip in run.clips(target, "evaluation", run.seeds[0])}
    if row.name != "human" or len(counts) == 1:
        return bridge.CONTROLS[row.name].about if row.name in bridge.CONTROLS else ""
    return (
        f"the first {scoring.human_captions(run, target)} captions of each clip that has two or more, each against "
        f"the others; the systems are scored against all (up to {max(counts)})"
    )
