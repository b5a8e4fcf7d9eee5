"""Training all decoders of a run: side by side on a CPU, one thread each; one after the other on an accelerator.

A small decoder hardly gains from a second thread, so two trainings on two cores take little longer than one.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch

from aaclib import bridge, config, progress, store
from aaclib.pipeline import Pipeline

# (target, seed) -> training -> its history, one mapping an epoch
Histories = Mapping[tuple[str, int], Mapping[str, list[dict]]]
# gets the histories so far; called about once a second and at the end
Watch = Callable[[Histories], None]
POLL_S = 1.0


class Job(NamedTuple):
    target: str
    row: bridge.Strategy               # the first row that needs this decoder
    seed: int


def trainings(pipeline: Pipeline, target: str) -> dict[str, bridge.Strategy]:
    """The different decoders that the target's rows need: training -> the first row that asks for it."""
    rows = [row for row in pipeline.strategies(target) if row.name not in ("copy", "shuffled", "human")]
    return {row.training: row for row in reversed(rows)}


def train_all(pipeline: Pipeline, watch: Watch | None = None) -> Histories:
    """Trains what is not in the store yet and returns the history of every decoder of the run."""
    jobs = [Job(target, row, seed) for target in pipeline.targets for seed in pipeline.seeds
            for row in trainings(pipeline, target).values()]
    keys = {job: pipeline.decoder_key(*job) for job in jobs}                                 # makes the embeddings
    todo = [job for job in jobs if pipeline.store.find("decoder", keys[job]) is None]
    if todo and pipeline.device.type == "cpu":        # the last one left too: with more threads it would differ
        _side_by_side(pipeline, todo, keys, min(len(todo), os.cpu_count() or 1), watch)
    for job in jobs:
        pipeline.decoder(job.target, job.row.name, job.seed, callback=_single(job, watch))
    histories = _grouped({job: pipeline.store.find("decoder", keys[job]).meta["facts"]["history"] for job in jobs})
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


def _side_by_side(pipeline: Pipeline, jobs: list[Job], keys: dict[Job, dict], workers: int,
                  watch: Watch | None) -> None:
    report = progress.Progress(f"training {len(jobs)} decoders, {workers} at a time",
                               sum(pipeline.train_settings(job.target, job.row).epochs for job in jobs), "epochs")
    finals = {job: pipeline.store.root / "decoder" / pipeline.store.id("decoder", keys[job]) for job in jobs}
    # spawn, not fork: the parent has PyTorch's threads
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_worker) as pool:
        running: list[Future] = [pool.submit(_train_one, pipeline.config, pipeline.store.root, pipeline.store.refresh,
                                             job.target, job.row.name, job.seed) for job in jobs]
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
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _raise_first(jobs: list[Future]) -> None:
    for job in jobs:
        if job.done() and job.exception():
            raise job.exception()


def _history(final: Path) -> list[dict]:
    """What a training has written so far, in its unfinished or its finished folder."""
    for path in (final.with_name(final.name + ".part") / "history.json", final / "history.json"):
        try:
            return json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):        # not there, or damaged
            continue
    return []


def _worker() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    progress.INTERVAL_S = math.inf     # the parent reports for all


def _end_with_parent() -> None:
    """A kernel that was killed ends nobody: without this, its decoders would train on unseen."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _train_one(settings: config.Config, root: Path, refresh: float, target: str, strategy: str, seed: int) -> None:
    Pipeline(settings, store.Store(root, refresh)).decoder(target, strategy, seed)
