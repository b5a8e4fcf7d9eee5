"""The experiment: a pipeline whose captions are scored, and the numbers that the tables show.

Every number comes with n, seeds and a bootstrap interval over clips (and seeds, where there are several).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from aaclib import bridge, metrics, stats
from aaclib.metrics import Scores
from aaclib.pipeline import Pipeline


class Experiment(Pipeline):
    """All results of one profile."""

    def rows(self, target: str, decoding: str = "greedy") -> list[bridge.Strategy]:
        """The rows of a table: all strategies for greedy decoding, `generate.beam_rows` for beam search."""
        rows = self.strategies(target)
        return rows if decoding == "greedy" else [row for row in rows if row.name in self.config.generate.beam_rows]

    def scores(self, target: str, strategy: str, seed: int, decoding: str = "greedy") -> Scores:
        """The scores of one row and seed against all references of the evaluation clips."""
        return self._once(("scores", target, strategy, seed, decoding),
                          lambda: self._evaluate(self.captions(target, strategy, seed, decoding),
                                                 [clip.captions for clip in self.clips(target, "evaluation", seed)],
                                                 decoding))

    def _evaluate(self, candidates, references, decoding: str = "greedy") -> Scores:
        # beam search fills a second, small table, without SPICE, which costs most
        names = [n for n in self.config.metrics.names if decoding == "greedy" or n not in ("spice", "spider")]
        return metrics.evaluate(list(candidates), [list(r) for r in references], names, store=self.store, strict=False)

    def human(self, target: str) -> list[Scores]:
        """Each human caption against the others of its clip: one `Scores` for every place in the list of captions.
        Only the clips with as many captions as the most have are used, so that all are scored alike."""
        clips = self.clips(target, "evaluation", self.seeds[0])
        most = max(len(clip.captions) for clip in clips)
        full = [clip.captions for clip in clips if len(clip.captions) == most]
        return self._once(("human", target), lambda: [
            self._evaluate([c[k] for c in full], [c[:k] + c[k + 1:] for c in full]) for k in range(most)])

    def all_scores(self, target: str, strategy: str, decoding: str = "greedy") -> list[Scores]:
        """The scores of a row, one for each seed."""
        if strategy == "human":
            return self.human(target)
        # without a decoder or with the same CLAP in every seed there is still one score a seed: copies count as such
        return [self.scores(target, strategy, seed, decoding) for seed in self.seeds]

    def results(self, target: str, decoding: str = "greedy") -> pd.DataFrame:
        """Tidy: target, strategy, group, decoding, metric, value, low, high (fractions), n, seeds, note."""
        rows = self.rows(target, decoding)
        return pd.DataFrame([line for row in rows for line in self._lines(target, row, decoding)])

    def _lines(self, target: str, row: bridge.Strategy, decoding: str) -> list[dict]:
        scores = self.all_scores(target, row.name, decoding)
        about = {"target": target, "strategy": row.name, "group": row.group, "decoding": decoding}
        lines = []
        for name in self.config.metrics.names:
            if name in scores[0].missing or name not in scores[0].statistics:
                if decoding == "greedy":
                    lines.append({**about, "metric": name, "value": np.nan, "low": np.nan, "high": np.nan,
                                  "n": scores[0].n, "seeds": 0, "note": scores[0].missing.get(name, "not computed")})
                continue
            found = stats.interval(scores, name, self.config.metrics.bootstrap)
            seeds = 1 if row.name == "human" else len(scores)
            lines.append({**about, "metric": name, "value": found.value, "low": found.low, "high": found.high,
                          "n": found.n, "seeds": seeds, "note": bridge.CONTROLS.get(row.name, "")})
        return lines

    def relative(self, target: str, decoding: str = "greedy") -> pd.DataFrame | None:
        """Each row divided by the fully supervised one: strategy, metric, value, low, high; None where the run has no
        supervised row (`why_no_relative` says why)."""
        if self.why_no_relative(target, decoding):
            return None
        bound, lines = self.all_scores(target, "supervised", decoding), []
        for row in self.rows(target, decoding):
            scores = self.all_scores(target, row.name, decoding)
            for name in self.config.metrics.names if row.name != "human" else ():
                if name in bound[0].statistics and name in scores[0].statistics and name not in scores[0].missing:
                    found = stats.relative(scores, bound, name, self.config.metrics.bootstrap)
                    lines.append({"target": target, "strategy": row.name, "decoding": decoding, "metric": name,
                                  "value": found.value, "low": found.low, "high": found.high})
        return pd.DataFrame(lines)

    def why_no_relative(self, target: str, decoding: str = "greedy") -> str:
        if any(row.name == "supervised" for row in self.rows(target, decoding)):
            return ""
        return ("There is no fully supervised row in this run: it needs the audio of the training clips. "
                "Add 'supervised' to the target's strategies to have one.")

    def per_clip(self, target: str, strategy: str, seed: int, decoding: str = "greedy") -> pd.DataFrame:
        """clip, candidate, references and every metric, one row a clip; for anyone to audit."""
        clips = self.clips(target, "evaluation", seed)
        frame = pd.DataFrame({"clip": [clip.id for clip in clips],
                              "candidate": self.captions(target, strategy, seed, decoding),
                              "references": [list(clip.captions) for clip in clips]})
        return pd.concat([frame, self.scores(target, strategy, seed, decoding).per_clip.reset_index(drop=True)], axis=1)

    def comparisons(self, target: str, metric: str = "cider_d", decoding: str = "greedy",
                    against: str = "baseline") -> pd.DataFrame:
        """Every strategy against one row: a, b, difference, low, high, p, p_holm (over this family of tests)."""
        rows = [row.name for row in self.rows(target, decoding) if row.group != "control" and row.name != against]
        base = self.all_scores(target, against, decoding)
        found = [stats.compare(self.all_scores(target, name, decoding), base, metric, self.config.metrics.bootstrap)
                 for name in rows]
        holm = stats.holm([c.p for c in found])
        return pd.DataFrame([
            {"a": name, "b": against, "metric": metric, "difference": c.difference, "low": c.low, "high": c.high,
             "p": c.p, "p_holm": adjusted} for name, c, adjusted in zip(rows, found, holm, strict=True)])
