"""The experiment: what the scores of a profile say when rows are compared, with the bound and with each other.

Every number comes with n, seeds and an interval over clips (and seeds, where there are several).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd

from aaclib import metrics, stats
from aaclib.inputs import of_source
from aaclib.memo import kept
from aaclib.scored import Scored

ALPHA = 0.05  # level of the tests that choose words and marks
TESTED = ("a", "b", "metric", "difference", "low", "high", "p", "p_holm", "p_seeds", "p_seeds_holm", "seeds")


class Experiment(Scored):
    """All results of one profile."""

    # ---- the bound

    @of_source
    @kept
    def bound(self, target: str) -> str | None:
        """The row that stands for what paired audio can reach: of the supervised rows the one that describes the
        target's validation clips best. None where the run has no supervised row."""
        found = self.bounds(target)
        return max(found, key=found.get) if found else None

    @of_source
    @kept
    def bounds(self, target: str) -> dict[str, float]:
        """Each supervised row and its CIDEr-D on the validation clips, the mean over seeds; NaN where one alone stands
        for itself, or there are no such clips (the row with more to learn from then comes first)."""
        rows = [row.name for row in self.strategies(target) if row.group == "supervised" and row.inference == "audio"]
        clips = self.split(target, "validation").clips
        if len(rows) < 2 or not clips or not all(clip.captions for clip in clips):
            return dict.fromkeys(sorted(rows, key=len, reverse=True), np.nan)
        return {name: float(np.mean([self._validated(target, name, seed) for seed in self.seeds])) for name in rows}

    def _validated(self, target: str, strategy: str, seed: int) -> float:
        references = [list(clip.captions) for clip in self.clips(target, "validation", seed)]
        captions = self.captions(target, strategy, seed, part="validation")
        return metrics.evaluate(captions, references, ["cider_d"], store=self.store).corpus["cider_d"]

    # ---- comparisons

    @kept
    def relative(self, target: str, decoding: str = "greedy") -> pd.DataFrame | None:
        """Each row divided by the bound: strategy, metric, value, low, high; None where the run has no bound
        (`why_no_relative` says why)."""
        return self._shared(target, decoding, stats.relative) if not self.why_no_relative(target, decoding) else None

    @kept
    def above_chance(self, target: str, decoding: str = "greedy") -> pd.DataFrame | None:
        """As `relative`, after what captions on the wrong clips reach is taken from both: (row - shuffled) / (bound -
        shuffled). None where there is no bound, no such row, or the bound does not exceed it."""
        if self.why_no_relative(target, decoding) or "shuffled" not in {r.name for r in self.rows(target, decoding)}:
            return None
        chance = self.all_scores(target, "shuffled", decoding)
        try:
            return self._shared(
                target, decoding, lambda row, bound, *rest: stats.above_chance(row, chance, bound, *rest)
            )
        except ValueError:
            return None

    def _shared(self, target: str, decoding: str, share: Callable[..., stats.Interval]) -> pd.DataFrame:
        bound, shares, lines = self.all_scores(target, self.bound(target), decoding), self._shares(target, decoding), []
        for row in [row for row in self.rows(target, decoding) if row.name != "human"]:
            scores = self.all_scores(target, row.name, decoding)
            for name in shares:
                if all(name in s.statistics for s in scores):
                    found = share(scores, bound, name, self.config.metrics.bootstrap)
                    lines.append(
                        {
                            "target": target,
                            "strategy": row.name,
                            "decoding": decoding,
                            "metric": name,
                            "value": found.value,
                            "low": found.low,
                            "high": found.high,
                        }
                    )
        return pd.DataFrame(lines)

    def why_no_relative(self, target: str, decoding: str = "greedy") -> str:
        bound = self.bound(target)
        if bound is None:
            return (
                "There is no fully supervised row in this run: it needs the audio of the training clips. "
                "Add 'supervised' to the target's strategies to have one."
            )
        if bound not in {row.name for row in self.rows(target, decoding)}:
            return f"The bound, {bound}, is not among the rows of this table: add it to generate.beam_rows."
        if {s.corpus.get(self.config.metrics.headline) for s in self.all_scores(target, bound, decoding)} == {0.0}:
            return "The fully supervised row scores 0: its training has failed."
        return "" if self._shares(target, decoding) else "The fully supervised row has no score in any metric."

    def _shares(self, target: str, decoding: str) -> list[str]:
        """The metrics that every seed of the bound has: of one that is 0 in all there is no share."""
        bound = self.all_scores(target, self.bound(target), decoding)
        return [
            name
            for name in self.names(decoding)
            if all(name in s.corpus for s in bound) and any(s.corpus[name] for s in bound)
        ]

    @kept
    def comparisons(
        self, target: str, metric: str = "cider_d", decoding: str = "greedy", against: str = "baseline"
    ) -> pd.DataFrame:
        """Every row that is no control against one row, as `tested` tells it."""
        names = [row.name for row in self.rows(target, decoding) if row.group != "control" and row.name != against]
        return self.tested(target, [(name, against) for name in names], metric, decoding)

    @kept
    def told(self, target: str, metric: str = "cider_d", decoding: str = "greedy") -> pd.DataFrame:
        """All contrasts that a run's sentences tell, as one family of tests: every way to bridge the gap against the
        plain swap, the highest of them and the bound against captions on the wrong clips, it against copying."""
        rows = {row.name: row for row in self.rows(target, decoding)}
        scores = {
            name: self.all_scores(target, name, decoding, metric)
            for name, row in rows.items()
            if row.group not in ("control", "supervised")
        }
        weak = {
            name: np.mean([s.corpus[metric] for s in found])
            for name, found in scores.items()
            if all(metric in s.corpus for s in found)
        }
        pairs = [(name, "baseline") for name in weak if name != "baseline" and "baseline" in weak]
        if competing := {name: value for name, value in weak.items() if rows[name].group != "paired"}:
            best = max(competing, key=competing.get)
            pairs += [(best, control) for control in ("shuffled", "copy") if control in rows]
        if {bound := self.bound(target), "shuffled"} <= rows.keys():
            pairs.append((bound, "shuffled"))
        return self.tested(target, pairs, metric, decoding)

    def tested(self, target: str, pairs: Sequence[tuple[str, str]], metric: str, decoding: str) -> pd.DataFrame:
        """One family of tests: a, b, metric, difference, low, high, p, p_holm over clips, p_seeds, p_seeds_holm over
        seeds (NaN with one), seeds. The intervals hold together, each at the level 1 - 0.05 / number of tests. Rows
        without a value in this metric are left out."""
        scores = {name: self.all_scores(target, name, decoding, metric) for name in {n for pair in pairs for n in pair}}
        there = {name for name, found in scores.items() if all(metric in s.statistics for s in found)}
        pairs = [pair for pair in pairs if there >= set(pair)]
        level, boot = 1 - ALPHA / max(len(pairs), 1), self.config.metrics.bootstrap
        found = [stats.compare(scores[a], scores[b], metric, boot, level=level) for a, b in pairs]
        holm, over_seeds = (stats.holm([getattr(c, p) for c in found]) for p in ("p", "p_seeds"))
        rows = [
            (a, b, metric, c.difference, c.low, c.high, c.p, p, c.p_seeds, p_seeds, c.seeds)
            for (a, b), c, p, p_seeds in zip(pairs, found, holm, over_seeds, strict=True)
        ]
        return pd.DataFrame(rows, columns=TESTED)

    @kept
    def gate(self, target: str) -> tuple[int, tuple[float, float], stats.Comparison | None]:
        """Whether decoders read embeddings better than a look-up does: on the clips that have a reference which stands
        in no training caption (in every seed), how many there are, the headline scores of `reconstruction` and of
        `look-up`, and their comparison; None where there are fewer than two such clips."""
        metric = self.config.metrics.headline
        some = np.all([self.unread(target, seed)[1] for seed in self.seeds], axis=0)
        rows = [self.all_scores(target, name) for name in ("reconstruction", "look-up")]
        if some.sum() < 2 or not all(metric in s.statistics for scores in rows for s in scores):
            return int(some.sum()), (np.nan, np.nan), None
        rows = [_on(some, scores, metric) for scores in rows]
        written, found = (float(np.mean([stats.corpus(metric, s.statistics[metric]) for s in row])) for row in rows)
        return int(some.sum()), (written, found), stats.compare(*rows, metric, self.config.metrics.bootstrap)

    # ---- what is new in evaluation

    @kept
    def new(self, target: str) -> np.ndarray | None:
        """(n,) bool: whether what sounds in an evaluation clip sounds together in no training clip. None where the data
        set does not know all that sounds in its clips."""
        clips = self.clips(target, "evaluation", self.seeds[0])
        if not all(clip.content for clip in clips):
            return None
        known = {clip.content for clip in self.training_clips(target, "train")}
        return np.array([clip.content not in known for clip in clips])

    @kept
    def by_content(self, target: str, metric: str = "cider_d") -> pd.DataFrame:
        """The results on the clips whose content is new, and on the others: as `results`, with a column `content`."""
        lines, new = [], self.new(target)
        for row in [row for row in self.rows(target) if row.name != "human" and new is not None]:
            scores = self.all_scores(target, row.name, "greedy", metric)
            for content, some in (("new", new), ("known", ~new)):
                if some.sum() > 1 and all(metric in s.statistics for s in scores):
                    found = stats.interval(_on(some, scores, metric), metric, self.config.metrics.bootstrap)
                    lines.append(
                        {
                            "target": target,
                            "strategy": row.name,
                            "group": row.group,
                            "metric": metric,
                            "content": content,
                            "value": found.value,
                            "low": found.low,
                            "high": found.high,
                            "n": found.n,
                            "seeds": len(scores),
                        }
                    )
        return pd.DataFrame(lines)


Run = Experiment


def _on(some: np.ndarray, scores: Sequence[stats.Scored], metric: str) -> list[stats.Scored]:
    """Of a metric, on some of the clips alone."""
    return [SimpleNamespace(statistics={metric: s.statistics[metric][some]}) for s in scores]
