"""A metric of your own, known to this process: `aaclib.metrics.register`. One for all is a file beside this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aaclib import own
from aaclib.config import METRICS
from aaclib.metrics.result import MetricError, Result, means

Score = Callable[[list[str], list[list[str]]], Sequence[float]]
OTHERS = ("clap_score", "self_r", "label_recall", "label_hit")  # metrics without references, by the beginnings of names
PROBE = (
    ["a dog barks", "rain falls on a roof", "a bell"],
    [["a dog is barking", "barking"], ["it rains", "rain on a roof"], ["a cat runs in the park"]],
)
LABELS: dict[str, str] = {}  # metric -> what tables and figures call it


def register(name: str, score: Score, *, label: str = "", raw: bool = False, made_by: Any = "") -> str:
    """Adds a metric of your own under a name that `evaluate` and the settings `metrics.names` and `metrics.headline`
    then know, in this process.

    score: (n candidates, n lists of references) -> n numbers, fractions; the corpus value is their mean. NaN where a
    clip cannot be scored: it is then named, and the corpus value is absent. Captions come as PTB tokens (lower case,
    no punctuation, one space between), or as written with `raw`.
    label: its name in tables and figures. made_by: JSON that names what else decides the values, such as the digest of
    a model's weights. Scores are kept by it, by the source of `score` and by what it makes of a few fixed captions, so
    a changed metric is computed anew. Registering a name again replaces it; ValueError for a name of this suite's own.

        def brevity(candidates, references):
            return [1 / (1 + len(candidate.split())) for candidate in candidates]
        metrics.register("brevity", brevity, label="Brevity")
        metrics.evaluate(["a dog barks"], [["a dog is barking"]], ["brevity"]).corpus      # {'brevity': 0.25}
    """
    if name.startswith(OTHERS):
        raise ValueError(f"'{name}' begins as a metric without references does ({', '.join(OTHERS)}).")
    options = {"raw": raw, "made_by": made_by}
    own.METRICS[own.plain(name, METRICS)] = own.Own(score, own.source(score), options)
    LABELS[name] = label or name
    return name


class Registered:
    """Stands where another metric's module stands."""

    def __init__(self, name: str):
        self.name, self.entry = name, own.METRICS[name]
        self.raw: bool = self.entry.options["raw"]

    def identity(self) -> dict[str, Any]:
        """What decides the values: its code, what `made_by` says, and the values of fixed captions, which change with
        a global or a helper as well."""
        values = self._values(*PROBE)
        return {"source": self.entry.source, "made_by": self.entry.options["made_by"], "probe": list(map(repr, values))}

    def compute(self, candidates: list[str], references: list[list[str]]) -> dict[str, Result]:
        values = self._values(candidates, references)
        failures = {int(clip): "it has no value (NaN)" for clip in np.flatnonzero(np.isnan(values))}
        return {self.name: means(values, failures)}

    def _values(self, candidates: list[str], references: list[list[str]]) -> np.ndarray:
        """(n,) float64. Raises MetricError where it did not give one number per clip."""
        values = np.asarray(self.entry.make(list(candidates), [list(refs) for refs in references]), dtype=np.float64)
        if values.shape != (len(candidates),):
            raise MetricError(f"{self.name}: expected {len(candidates)} numbers, found an array of {values.shape}.")
        return values
