"""Many settings of one run, side by side on this machine or a cluster: each point is decoders, captions and scores.

frame = sweep.points(run, "clotho", [{"gap.sigma": s} for s in (0, 0.01, 0.1)], rows=["noise"])

All that is made is in the store, so a sweep that was killed makes only the rest, and another one what is new in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from operator import attrgetter
from typing import Any, NamedTuple

import pandas as pd

from aaclib import bridge, captions, cluster, config, decoders, fitting, results, training
from aaclib.progress import Progress
from aaclib.run import Run

Settings = Sequence[Mapping[str, Any]]


def points(
    run: Run,
    target: str,
    settings: Settings,
    rows: Sequence[str] = ("projection",),
    seeds: Sequence[int] = (),
    decoding: str = "greedy",
) -> pd.DataFrame:
    """What these strategies score on a target under each of these changes of the run's settings.

    settings: for each point what it changes, as `config.load` takes it; {} is the run as it is. seeds: the run's by
    default. One row for each point, strategy, seed and metric, in this order: a column for every setting that some
    point changes (the run's own value where it does not), strategy, seed, metric, value (of the corpus, a fraction), n
    (clips), note (why there is no value, which is NaN then).

    Decoders that points share are trained once. Decoders and captions are made by as many workers as `training` has, or
    by the cluster; the scores by this process. Raises ConfigError, StrategyError, and what a training raises.

    >>> found = sweep.points(run, "clotho", [{"gap.tau": tau} for tau in (0.01, 0.1)], ["projection"], seeds=[0])
    >>> found[found.metric == "cider_d"].plot("gap.tau", "value")
    """
    asked = target, list(map(bridge.strategy, rows)), tuple(seeds) or run.seeds, decoding
    _make(run, list(_todo(run, settings, *asked)), decoding)
    varied = dict.fromkeys(name for one in settings for name, _ in fitting.pairs(config.Config, one.items()))
    found = []
    for point in (at(run, one) for one in settings):
        there = {name: _value(point.config, name) for name in varied}
        for row in asked[1]:
            for seed in asked[2]:
                scores = results.scores(point, target, row.name, seed, decoding)
                here = {"strategy": row.name, "seed": seed}
                for name in results.names(point, decoding):
                    value = {"metric": name, "value": scores.corpus.get(name), "n": scores.n}
                    found.append({**there, **here, **value, "note": scores.missing.get(name, "")})
    return pd.DataFrame(found).astype({"value": float})


def at(run: Run, changes: Mapping[str, Any]) -> Run:
    """A point as a run: the same settings with changes on top, as `config.load` takes them, and the same store. Raises
    ConfigError.

    >>> results.results(sweep.at(run, {"gap.tau": 0.1}), "clotho")             # with intervals
    """
    values = {name: attrgetter(name)(run.config) for name in fitting.settings(config.Config)}
    new = fitting.put(values, fitting.pairs(config.Config, changes.items()))
    point = Run(config.consistent(fitting.build(config.Config, new)), run.store)
    if point.config.clap == run.config.clap and run.config.clap.backend != "tiny":
        vars(point)["clap"] = run.clap  # its weights are in memory once
    return point


def _value(settings: config.Config, name: str) -> Any:
    """The value of a setting, or of an entry of one (data.sizes.clotho.train)."""
    *owner, entry = name.split(".", 2)
    value = attrgetter(".".join(name.split(".", 2)[:2]))(settings)
    return value.get(entry) if len(owner) == 2 else value


class Todo(NamedTuple):
    work: tuple  # what `training.train_one` takes; its last is the decoder's id
    trained: bool


def _todo(
    run: Run, settings: Settings, target: str, rows: list[bridge.Strategy], seeds: Sequence[int], decoding: str
) -> Iterator[Todo]:
    """What is not in the store yet. A point's arrays are let go with it, so that memory does not grow with them."""
    for point in (at(run, one) for one in settings):
        for job in (training.Job(target, row, seed) for row in rows if row.written for seed in seeds):
            found = point.store.find("decoder", key := decoders.key(point, *job))
            if not (found and captions.there(point, *job, found, decoding)):
                wanted = point.store.id("decoder", key)
                yield Todo((*training.elsewhere(point), job, wanted), found is not None)


def _make(run: Run, todo: list[Todo], decoding: str) -> None:
    """Decoders, each once, then captions, side by side where that is possible. What is left then, and what workers do
    not know, is made by whoever asks for it."""
    if not (count := training.side_by_side(run, len(todo))):
        return
    trainings = {one.work[-1]: one.work for one in todo if not one.trained}
    report = Progress("sweep", len(trainings) + len(todo), "decoders and sets of captions")
    with cluster.pool(run.config.cluster, count, run.store.root, *training.known()) as submit:
        for works in (
            [(training.train_one, *work) for work in trainings.values()],
            [(_caption, decoding, *one.work) for one in todo],
        ):
            for future in as_completed([submit(*work) for work in works]):
                future.result()
                report.step()


def _caption(decoding: str, *work: Any) -> None:
    """Leaves the captions in the store."""
    if run := training.knowing(*work):
        job = work[-2]
        run.captions(job.target, job.row.name, job.seed, decoding)
