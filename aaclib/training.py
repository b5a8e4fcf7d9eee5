"""Training all decoders of a run: side by side on a CPU or a cluster; one after the other on an accelerator.

A small decoder hardly gains from a second thread, so two trainings on two cores take little longer than one.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from aaclib import bridge, cluster, config, decoders, own, progress, store
from aaclib.run import Run

# (target, seed) -> training -> its history, one mapping an epoch
Histories = Mapping[tuple[str, int], Mapping[str, list[dict]]]
# gets the histories so far; called about once a second and at the end
Watch = Callable[[Histories], None]
POLL_S = 1.0


class Job(NamedTuple):
    target: str
    row: bridge.Strategy  # the first row that needs this decoder
    seed: int


def trainings(run: Run, target: str) -> dict[str, bridge.Strategy]:
    """The different decoders that the target's rows need: training -> the first row that asks for it."""
    rows = [row for row in run.strategies(target) if row.written]
    return {row.training: row for row in reversed(rows)}


def train_all(run: Run, watch: Watch | None = None, targets: Sequence[str] = ()) -> Histories:
    """Trains what is not in the store yet and returns the history of every decoder of these targets, of all by
    default."""
    jobs = [
        Job(target, row, seed)
        for target in targets or run.targets
        for seed in run.seeds
        for row in trainings(run, target).values()
    ]
    keys = {job: decoders.key(run, *job) for job in jobs}  # makes the embeddings
    todo = [job for job in jobs if run.store.find("decoder", keys[job]) is None]
    if count := side_by_side(run, len(todo)):
        _side_by_side(run, todo, keys, count, watch)
    for job in jobs:  # what is left, and what no worker knows: a strategy that was made in a notebook
        run.decoder(job.target, job.row.name, job.seed, callback=_single(job, watch))
    found = {job: run.store.find("decoder", keys[job]) for job in jobs}
    histories = _grouped({job: one.meta["facts"]["history"] for job, one in found.items() if one})
    if watch:
        watch(histories)
    return histories


def side_by_side(run: Run, n: int) -> int:
    """How many of `n` trainings run at once in processes of their own; 0 where they run in this one, in turn. With a
    cluster all are handed to it."""
    if run.config.cluster:
        return n
    count = run.config.at_once(min(n, (os.cpu_count() or 1) // run.config.train.threads))
    return count if count > 1 and run.device.type == "cpu" else 0


def known() -> tuple:
    """What a worker is told first: strategies, CLAPs and data sets of one's own, perhaps of a notebook's cell."""
    return know, own.carried((bridge.registered(), own.registered()))


def elsewhere(run: Run) -> tuple[config.Config, Path, float]:
    """A run for `train_one`: of the same kind of device, and working alone."""
    return replace(run.config, cluster="", device=str(run.device)), run.store.root.absolute(), run.store.refresh


def _grouped(histories: Mapping[Job, list[dict]]) -> Histories:
    groups: dict = defaultdict(dict)
    for job, history in histories.items():
        groups[job.target, job.seed][job.row.training] = history
    return dict(groups)


def _single(job: Job, watch: Watch | None):
    return (lambda history: watch(_grouped({job: history}))) if watch else None


def _side_by_side(run: Run, jobs: list[Job], keys: dict[Job, dict], count: int, watch: Watch | None) -> None:
    finals = {job: run.store.root / "decoder" / run.store.id("decoder", keys[job]) for job in jobs}
    report = progress.Progress(
        f"training {len(jobs)} decoders, {run.config.cluster or f'{count} at a time'}",
        sum(decoders.epochs(run, *job) for job in jobs),
        "epochs",
        done=sum(map(len, map(_history, finals.values()))),
    )
    run.store.making("decoder")
    with cluster.pool(run.config.cluster, count, run.store.root, *known()) as submit:
        running = [submit(train_one, *elsewhere(run), job, final.name) for job, final in finals.items()]
        while not all(job.done() for job in running):
            time.sleep(POLL_S)
            _raise_first(running)
            histories = {job: history for job, final in finals.items() if (history := _history(final))}
            report.step(sum(map(len, histories.values())) - report.done)
            if watch:
                watch(_grouped(histories))
        _raise_first(running)


def _raise_first(jobs: list[Future]) -> None:
    for job in jobs:
        if job.done() and (error := job.exception()):
            raise error


def _history(final: Path) -> list[dict]:
    """What a training has written so far, in its unfinished or its finished folder."""
    for path in (final.with_name(final.name + ".part") / "history.json", final / "history.json"):
        try:
            return json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):  # not there, or damaged
            continue
    return []


def know(theirs: tuple[Mapping[str, bridge.Part], Mapping[str, Mapping[str, own.Own]]]) -> None:
    """Takes over what was registered in the process that asks."""
    bridge.know(theirs[0])
    own.know(theirs[1])


def train_one(*work: Any) -> None:
    """What a worker does: trains the decoder that `knowing` is asked about, where this process knows it."""
    if run := knowing(*work):
        job = work[-2]
        run.decoder(job.target, job.row.name, job.seed)


def knowing(settings: config.Config, root: Path, refresh: float, job: Job, wanted: str) -> Run | None:
    """The run, in another process, of the decoder with the id `wanted`; None where this process, which has imported
    aaclib anew, knows no such training, or another one of that name (a half that was changed by hand, not
    registered)."""
    run = Run(settings, store.Store(root, refresh))
    known = job.row.training in bridge.TRAINING
    return run if known and run.store.id("decoder", decoders.key(run, *job)) == wanted else None
