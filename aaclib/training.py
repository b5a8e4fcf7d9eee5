"""Training all decoders of a run: side by side on a CPU; one after the other on an accelerator.

A small decoder hardly gains from a second thread, so two trainings on two cores take little longer than one.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from joblib import wrap_non_picklable_objects

from aaclib import bridge, config, decoders, own, progress, store
from aaclib.run import Run

# (target, seed) -> training -> its history, one mapping an epoch
Histories = Mapping[tuple[str, int], Mapping[str, list[dict]]]
# gets the histories so far; called about once a second and at the end
Watch = Callable[[Histories], None]
POLL_S = 1.0
GRACE_S = 30.0  # a step and a save take less, on any machine that trains side by side


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
    workers = run.config.at_once(min(len(todo), (os.cpu_count() or 1) // run.config.train.threads))
    if workers > 1 and run.device.type == "cpu":
        _side_by_side(run, todo, keys, workers, watch)
    for job in jobs:  # what is left, and what no worker knows: a strategy that was made in a notebook
        run.decoder(job.target, job.row.name, job.seed, callback=_single(job, watch))
    found = {job: run.store.find("decoder", keys[job]) for job in jobs}
    histories = _grouped({job: one.meta["facts"]["history"] for job, one in found.items() if one})
    if watch:
        watch(histories)
    return histories


def _grouped(histories: Mapping[Job, list[dict]]) -> Histories:
    groups: dict = defaultdict(dict)
    for job, history in histories.items():
        groups[job.target, job.seed][job.row.training] = history
    return dict(groups)


def _single(job: Job, watch: Watch | None):
    return (lambda history: watch(_grouped({job: history}))) if watch else None


def _side_by_side(run: Run, jobs: list[Job], keys: dict[Job, dict], workers: int, watch: Watch | None) -> None:
    report = progress.Progress(
        f"training {len(jobs)} decoders, {workers} at a time",
        sum(decoders.settings(run, job.target, job.row)[0].epochs for job in jobs),
        "epochs",
    )
    finals = {job: run.store.root / "decoder" / run.store.id("decoder", keys[job]) for job in jobs}
    made_by = run.config, run.store.root, run.store.refresh
    # spawn, not fork: the parent has PyTorch's threads
    context = multiprocessing.get_context("spawn")
    theirs = wrap_non_picklable_objects((bridge.registered(), own.registered()), keep_wrapper=False)
    with ProcessPoolExecutor(workers, context, initializer=_worker, initargs=(theirs,)) as pool:
        running: list[Future] = [pool.submit(_train_one, *made_by, job, final.name) for job, final in finals.items()]
        try:
            while not all(job.done() for job in running):
                time.sleep(POLL_S)
                _raise_first(running)
                histories = {job: history for job, final in finals.items() if (history := _history(final))}
                report.step(sum(map(len, histories.values())) - report.done)
                if watch:
                    watch(_grouped(histories))
            _raise_first(running)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            ending = multiprocessing.active_children()
            for process in ending:
                process.terminate()  # it saves what it trains
            for process in ending:
                process.join(GRACE_S)
            raise


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


def _worker(registered: tuple[Mapping[str, bridge.Part], Mapping[str, Mapping[str, own.Own]]] | None = None) -> None:
    """`registered`: the parts of strategies, CLAPs and data sets that the process that asks was given, perhaps in a
    notebook's cell."""
    if registered:
        bridge.know(registered[0])
        own.know(registered[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    progress.INTERVAL_S = math.inf  # the parent reports for all


def _end_with_parent() -> None:
    """A kernel that was killed ends nobody: without this, its decoders would train on unseen. They are saved first."""
    if (parent := multiprocessing.parent_process()) is None:
        return
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


def _train_one(settings: config.Config, root: Path, refresh: float, job: Job, wanted: str) -> None:
    """Trains the decoder of the id `wanted`, unless this process, which has imported aaclib anew, knows no such
    training, or another one of that name (a half that was changed by hand, not registered)."""
    run = Run(settings, store.Store(root, refresh))
    known = job.row.training in bridge.TRAINING
    if known and run.store.id("decoder", decoders.key(run, *job)) == wanted:
        run.decoder(job.target, job.row.name, job.seed)
