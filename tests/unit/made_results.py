"""A run of made numbers, for tests of tables and sentences.

A test module imports `made_numbers` beside `Made`: then the functions of aaclib.results, asked about a `Made`, answer
by its method of their name.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from aaclib import bridge, config, results, rows
from aaclib.datasets import Clip, Split
from aaclib.gap import given

VALUES = {
    "supervised": 0.60,
    "baseline": 0.30,
    "noise": 0.45,
    "projection": 0.4501,
    "noise+projection": 0.40,
    "shuffled": 0.05,
}


def made(target="soundscapes-long", decoding="greedy", values=VALUES, missing=True):
    lines = []
    for name, value in values.items():
        about = {"target": target, "strategy": name, "group": bridge.strategy(name).group, "decoding": decoding}
        for metric, factor in (("cider_d", 1.0), ("meteor", 0.5)):
            lines.append(
                {
                    **about,
                    "metric": metric,
                    "value": value * factor,
                    "low": (value - 0.04) * factor,
                    "high": (value + 0.05) * factor,
                    "n": 60,
                    "seeds": 1,
                    "note": "",
                }
            )
        if missing:
            lines.append(
                {
                    **about,
                    "metric": "spice",
                    "value": math.nan,
                    "low": math.nan,
                    "high": math.nan,
                    "n": 60,
                    "seeds": 0,
                    "note": "SPICE is not installed: run aaclib metrics install-spice",
                }
            )
    return pd.DataFrame(lines)


def family(differences, p_values, seeds=1, p_seeds=math.nan):
    """A family of tests as `results.tested` gives it: (a, b) -> difference, and p over clips."""
    return pd.DataFrame(
        [
            {
                "a": a,
                "b": b,
                "metric": "cider_d",
                "difference": d,
                "low": d - 0.02,
                "high": d + 0.02,
                "p": p_values[a, b],
                "p_holm": p_values[a, b],
                "p_seeds": p_seeds,
                "p_seeds_holm": p_seeds,
                "seeds": seeds,
            }
            for (a, b), d in differences.items()
        ]
    )


def against_best(best, p_values, values=VALUES, **over_seeds):
    return family(
        {(name, best): values[name] - values[best] for name in p_values},
        {(name, best): p for name, p in p_values.items()},
        **over_seeds,
    )


class Made:
    """What tables ask of a run and, as methods, of aaclib.results about it."""

    def __init__(
        self,
        folder,
        targets=("soundscapes-long",),
        values=VALUES,
        p=0.001,
        captions=2,
        supervised=True,
        seeds=(0,),
        p_seeds=math.nan,
    ):
        self.values = {k: v for k, v in values.items() if supervised or k != "supervised"}
        self.targets, self.seeds, self.p, self.p_seeds = targets, seeds, p, p_seeds
        self.synthetic, self.partial = targets[0].startswith("soundscapes"), True
        self.figures, self.tables, self.supervised = folder / "figures", folder / "tables", supervised
        rows = tuple(self.values)
        metrics = config.Metrics(names=("cider_d", "meteor", "spice"))
        self.config = config.Config(data=config.Data(targets=dict.fromkeys(targets, (*rows, "shift"))), metrics=metrics)
        self.count = captions

    def dataset(self, name):
        return SimpleNamespace(title=name.title(), synthetic=self.synthetic)

    def split(self, target, part, audio=False):
        texts = ("a dog barks", "rain falls")[: self.count] if part == "evaluation" else ("a dog barks", "a bell rings")
        return Split(target, part, tuple(Clip(f"{part}{i}", texts) for i in range(4)), notes=("Cut to four clips.",))

    def training_clips(self, target, part):
        return self.split(target, part).clips

    def clips(self, target, part, seed):
        return self.split(target, part).clips

    def audio(self, target, part, seed):
        return SimpleNamespace(errors={})

    def gap(self, seed):
        return given("0.114", 128, "no pairs")

    def strategies(self, target):
        return [bridge.strategy(name) for name in self.values]

    def left_out(self, target, name):
        return "no pairs to measure the gap on" if name == "shift" else ""

    def rows(self, target, decoding="greedy"):
        return self.strategies(target) if decoding == "greedy" else []

    def captions(self, target, strategy, seed, decoding="greedy"):
        return [f"{strategy} {i}" for i in range(4)]

    def results(self, target, decoding="greedy"):
        return made(target, decoding, self.values)

    def relative(self, target, decoding="greedy"):
        if not self.supervised:
            return None
        frame = made(target, decoding, self.values, missing=False)
        bound = frame.groupby("metric").value.transform("max")
        return frame.assign(**{c: frame[c] / bound for c in ("value", "low", "high")})

    def why_no_judgement(self):
        return ""

    def partial_judge(self):
        return self.partial

    def judge(self, seed):
        return SimpleNamespace(name="a made CLAP")

    def judgement(self, target):
        frame = made(target, "greedy", self.values, missing=False)
        return frame.assign(metric=frame.metric.map({"cider_d": "self_r@10", "meteor": "label_recall"}))

    def why_no_relative(self, target, decoding="greedy"):
        return "" if self.supervised else "There is no fully supervised row in this run."

    def bound(self, target):
        return "supervised" if self.supervised else None

    def bounds(self, target):
        return {"supervised": 0.58, "supervised+text": 0.5}

    def above_chance(self, target, decoding="greedy"):
        frame = self.relative(target, decoding)
        return None if frame is None else frame.assign(**{c: frame[c] - 0.1 for c in ("value", "low", "high")})

    def by_content(self, target, metric="cider_d"):
        frame = made(target, "greedy", self.values, missing=False)
        parts = [frame.assign(content="new", value=0.33, n=20), frame.assign(content="known", value=0.51, n=40)]
        return pd.concat(parts).query("metric == @metric") if self.synthetic else pd.DataFrame()

    def comparisons(self, target, metric="cider_d", decoding="greedy", against="baseline"):
        names = [n for n in self.values if bridge.strategy(n).group != "control" and n != against]
        return against_best(
            against, dict.fromkeys(names, self.p), self.values, seeds=len(self.seeds), p_seeds=self.p_seeds
        )

    def told(self, target, metric="cider_d", decoding="greedy"):
        weak = [n for n in self.values if bridge.strategy(n).group not in ("control", "supervised")]
        pairs = [(n, "baseline") for n in weak if n != "baseline"] + [(max(weak, key=self.values.get), "shuffled")]
        pairs += [("supervised", "shuffled")] if self.supervised else []
        return family(
            {(a, b): self.values[a] - self.values[b] for a, b in pairs},
            dict.fromkeys(pairs, self.p),
            len(self.seeds),
            self.p_seeds,
        )

    def per_clip(self, target, strategy, seed, decoding="greedy"):
        clips = [f"evaluation{i}" for i in range(4)]
        return pd.DataFrame(
            {
                "clip": clips,
                "candidate": self.captions(target, strategy, 0),
                "references": [["a dog barks", 'rain, "falls"']] * 4,
                "cider_d": [0.1, 0.4, 0.2, 0.3],
            }
        )


@pytest.fixture(autouse=True)
def made_numbers(monkeypatch):
    def answering(name, real):
        def answer(run, *about, **more):
            return getattr(run, name)(*about, **more) if isinstance(run, Made) else real(run, *about, **more)

        return answer

    for module, names in ((results, results.__all__), (rows, ("left_out",))):
        for name in names:
            if callable(real := getattr(module, name)):
                monkeypatch.setattr(module, name, answering(name, real))
