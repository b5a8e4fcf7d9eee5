"""A pipeline whose captions are scored: against references, and without any.

Every number comes with n, seeds and a bootstrap interval over clips (and seeds, where there are several).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from aaclib import bridge, clap, embeddings, metrics, stats, text
from aaclib.clap.base import Backend
from aaclib.memo import kept
from aaclib.metrics import Scores, clap_score, label_recall
from aaclib.pipeline import Pipeline

JUDGED = ("clap_score", "self_r", "label_recall", "label_hit")  # the beginnings of what needs no references
RESULTS = ("target", "strategy", "group", "decoding", "metric", "value", "low", "high", "n", "seeds", "note")


class Scored(Pipeline):
    """The scores of one profile's captions."""

    def rows(self, target: str, decoding: str = "greedy") -> list[bridge.Strategy]:
        """The rows of a table: all strategies for greedy decoding, `generate.beam_rows` for beam search."""
        rows = self.strategies(target)
        return rows if decoding == "greedy" else [row for row in rows if row.name in self.config.generate.beam_rows]

    def names(self, decoding: str = "greedy") -> list[str]:
        """The metrics of a table. Beam search fills a second, small one, without SPICE, which costs most."""
        return [n for n in self.config.metrics.names if decoding == "greedy" or n not in ("spice", "spider")]

    @kept
    def scores(self, target: str, strategy: str, seed: int, decoding: str = "greedy") -> Scores:
        """The scores of one row and seed against all references of the evaluation clips."""
        references = [clip.captions for clip in self.clips(target, "evaluation", seed)]
        return self._evaluate(self.captions(target, strategy, seed, decoding), references, decoding)

    def _evaluate(self, candidates, references, decoding: str = "greedy") -> Scores:
        found = metrics.evaluate(
            list(candidates), [list(r) for r in references], self.names(decoding), store=self.store, strict=False
        )
        return found if found.n > 1 else _of_one_clip(found)

    @kept
    def human(self, target: str) -> list[Scores]:
        """Each human caption against the others of its clip: one `Scores` for every place in the list of captions. Of
        all clips with two or more, the first `human_captions`, so that all are scored alike."""
        k = self.human_captions(target)
        clips = self.clips(target, "evaluation", self.seeds[0])
        used = [clip.captions[:k] for clip in clips if len(clip.captions) > 1]
        return [self._evaluate([c[i] for c in used], [c[:i] + c[i + 1 :] for c in used]) for i in range(k)]

    def human_captions(self, target: str) -> int:
        """How many captions of a clip the human row uses: as many as every clip has that has two or more."""
        counts = [len(clip.captions) for clip in self.clips(target, "evaluation", self.seeds[0])]
        return min(n for n in counts if n > 1)

    def _note(self, target: str, row: bridge.Strategy) -> str:
        counts = {len(clip.captions) for clip in self.clips(target, "evaluation", self.seeds[0])}
        if row.name != "human" or len(counts) == 1:
            return bridge.CONTROLS[row.name].about if row.name in bridge.CONTROLS else ""
        return (
            f"the first {self.human_captions(target)} captions of each clip that has two or more, each against the "
            f"others; the systems are scored against all (up to {max(counts)})"
        )

    def all_scores(self, target: str, strategy: str, decoding: str = "greedy", metric: str = "") -> list[Scores]:
        """The scores of a row, one for each seed; those without references for a `metric` that has none."""
        if metric.startswith(JUDGED):
            return [self.judged(target, strategy, seed) for seed in self.seeds]
        if strategy == "human":
            return self.human(target)
        # without a decoder or with the same CLAP in every seed there is still one score a seed: copies count as such
        return [self.scores(target, strategy, seed, decoding) for seed in self.seeds]

    @kept
    def results(self, target: str, decoding: str = "greedy") -> pd.DataFrame:
        """Tidy: the columns of `RESULTS`, values as fractions. A metric that a row lacks is NaN, its note says why."""
        return pd.DataFrame(
            [
                line
                for row in self.rows(target, decoding)
                for line in self._lines(
                    target, row, decoding, self.all_scores(target, row.name, decoding), self.names(decoding)
                )
            ],
            columns=RESULTS,
        )

    def _lines(
        self, target: str, row: bridge.Strategy, decoding: str, scores: list[Scores], metrics: Sequence[str]
    ) -> list[dict]:
        about = {"target": target, "strategy": row.name, "group": row.group, "decoding": decoding}
        note, lines = self._note(target, row), []
        for name in metrics:
            if lacking := [s for s in scores if name not in s.statistics]:
                lines.append(
                    {
                        **about,
                        "metric": name,
                        "value": np.nan,
                        "low": np.nan,
                        "high": np.nan,
                        "n": scores[0].n,
                        "seeds": 0,
                        "note": lacking[0].missing.get(name, "not computed"),
                    }
                )
                continue
            found = stats.interval(scores, name, self.config.metrics.bootstrap)
            seeds = 1 if row.name == "human" else len(scores)
            lines.append(
                {
                    **about,
                    "metric": name,
                    "value": found.value,
                    "low": found.low,
                    "high": found.high,
                    "n": found.n,
                    "seeds": seeds,
                    "note": note,
                }
            )
        return lines

    # ---- without references

    @kept
    def judged(self, target: str, strategy: str, seed: int) -> Scores:
        """What can be said of a row's captions without references: clap_score and self_r@k by the judge, label_recall
        and label_hit where the clips have labels. The human row is each clip's first caption."""
        clips = self.clips(target, "evaluation", seed)
        captions = (
            [clip.captions[0] for clip in clips] if strategy == "human" else self.captions(target, strategy, seed)
        )
        # an empty caption stays empty here: it finds no clip
        captions = list(map(text.NORMALISE[self.config.data.normalise], captions))
        judge = self.judge(seed)
        found = clap_score.judge(
            lambda texts: embeddings.embed_text(judge, texts, self.store), self.judge_audio(target, seed), captions
        )
        if any(clip.labels for clip in clips):
            found |= label_recall.label_recall(captions, [clip.labels for clip in clips])
        return metrics.together(found, len(clips))

    def judge(self, seed: int) -> Backend:
        """The CLAP that judges captions: `metrics.judge`; else, where every seed has a CLAP of its own, the next
        seed's; else the run's own, which wrote them and is partial."""
        other = self.config.metrics.judge
        return self._other_clap(other) if other else self.clap(self._judging(seed))

    def _judging(self, seed: int) -> int:
        """The seed whose CLAP judges what was written with this one's."""
        several = self.config.clap.backend == "tiny" and not self.source
        return self.seeds[(self.seeds.index(seed) + 1) % len(self.seeds)] if several else seed

    @property
    def partial_judge(self) -> bool:
        """Whether captions are judged by the CLAP from whose embeddings they were written."""
        return not self.config.metrics.judge and self._judging(self.seeds[0]) == self.seeds[0]

    @kept
    def _other_clap(self, name: str) -> Backend:
        return clap.load(name, self.device)

    def judge_audio(self, target: str, seed: int) -> np.ndarray:
        """(n, d) unit rows: the judge's embeddings of `clips(target, "evaluation")`."""
        if not self.config.metrics.judge:
            return self.audio(target, "evaluation", self._judging(seed)).z
        paths = [clip.audio for clip in self.clips(target, "evaluation", seed)]  # those that could be read
        settings = self.config.clap
        return embeddings.embed_audio(
            self.judge(seed),
            paths,
            self.store,
            batch_size=settings.batch_size or None,
            workers=self.at_once(settings.workers),
        )

    def why_no_judgement(self) -> str:
        """Why captions cannot be judged by a CLAP, or ''."""
        if getattr(self.judge(self.seeds[0]), "precomputed", False):
            return (
                "The embeddings were brought along, without the CLAP that made them, so new captions have none: "
                "name a judge with --set metrics.judge=hf:laion/clap-htsat-unfused."
            )
        return ""

    @kept
    def judgement(self, target: str) -> pd.DataFrame:
        """As `results`, for the scores without references, greedy decoding; empty where there is no judge."""
        if self.why_no_judgement():
            return pd.DataFrame()
        lines: list[dict] = []
        for row in self.strategies(target):
            scores = [self.judged(target, row.name, seed) for seed in self.seeds]
            lines += self._lines(target, row, "greedy", scores, list(scores[0].per_clip))
        frame = pd.DataFrame(lines)
        human = frame.strategy == "human"  # here one score a seed, as every row, for each has its own judge
        return frame.assign(
            note=frame.note.mask(human, "each clip's first caption"), seeds=frame.seeds.mask(human, len(self.seeds))
        )

    def per_clip(self, target: str, strategy: str, seed: int, decoding: str = "greedy") -> pd.DataFrame:
        """clip, candidate, references and every metric, one row a clip; for anyone to audit."""
        clips = self.clips(target, "evaluation", seed)
        frame = pd.DataFrame(
            {
                "clip": [clip.id for clip in clips],
                "candidate": self.captions(target, strategy, seed, decoding),
                "references": [list(clip.captions) for clip in clips],
            }
        )
        return pd.concat([frame, self.scores(target, strategy, seed, decoding).per_clip.reset_index(drop=True)], axis=1)


def _of_one_clip(found: Scores) -> Scores:
    """Without the metrics that weigh words by how few clips have them: of one clip they are 0, whatever is said."""
    weighted = [name for name in ("cider_d", "spider", "spider_fl") if name in found.statistics]
    why = "it weighs words by how few of the clips have them, and there is one clip"
    return replace(
        found,
        corpus={k: v for k, v in found.corpus.items() if k not in weighted},
        statistics={k: v for k, v in found.statistics.items() if k not in weighted},
        per_clip=found.per_clip.drop(columns=weighted),
        missing=found.missing | dict.fromkeys(weighted, why),
    )
