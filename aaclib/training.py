"""Training all decoders of a target: side by side on a CPU, one thread each; one after the other on an accelerator.

A small decoder hardly gains from a second thread, so two trainings on two cores take little longer than one.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import torch

from aaclib import bridge, config, store
from aaclib.pipeline import Pipeline
from aaclib.progress import Progress

# training -> its history so far; called about once a second and at the end
Watch = Callable[[dict[str, list[dict]]], None]
POLL_S = 1.0


def trainings(pipeline: Pipeline, target: str) -> dict[str, bridge.Strategy]:
    """The different decoders that the target's rows need: training -> the first row that asks for it."""
    rows = [row for row in pipeline.strategies(target) if row.name not in ("copy", "shuffled", "human")]
    return {row.training: row for row in reversed(rows)}


def train_all(pipeline: Pipeline, target: str, seed: int, watch: Watch | None = None) -> dict[str, list[dict]]:
    """Trains what is not in the store yet and returns the history of every training of the target."""
    rows = trainings(pipeline, target)
    keys = {name: pipeline.decoder_key(target, row, seed) for name, row in rows.items()}     # makes the embeddings
    todo = [name for name, key in keys.items() if pipeline.store.find("decoder", key) is None]
    workers = min(len(todo), os.cpu_count() or 1)
    if pipeline.device.type == "cpu" and workers > 1:
        _side_by_side(pipeline, target, seed, {name: rows[name] for name in todo}, keys, workers, watch)
    for name in rows:
        pipeline.decoder(target, rows[name].name, seed, callback=_single(name, watch))
    histories = {name: pipeline.store.find("decoder", keys[name]).meta["facts"]["history"] for name in rows}
    if watch:
        watch(histories)
    return histories


def _single(name: str, watch: Watch | None):
    return (lambda history: watch({name: history})) if watch else None


def _side_by_side(pipeline: Pipeline, target: str, seed: int, rows: dict[str, bridge.Strategy], keys: dict[str, dict],
                  workers: int, watch: Watch | None) -> None:
    progress = Progress(f"training {len(rows)} decoders on {target}, {workers} at a time",
                        len(rows) * pipeline.config.train.epochs, "epochs")
    parts = {name: pipeline.store.root / "decoder" / pipeline.store.id("decoder", keys[name]) for name in rows}
    # spawn, not fork: the parent has PyTorch's threads
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        jobs: list[Future] = [pool.submit(_train_one, pipeline.config, pipeline.store.root, pipeline.store.refresh,
                                          target, row.name, seed) for row in rows.values()]
        try:
            while not all(job.done() for job in jobs):
                time.sleep(POLL_S)
                _raise_first(jobs)
                histories = {name: _history(path) for name, path in parts.items()}
                done = sum(map(len, histories.values()))
                progress.step(done - progress.done)
                if watch:
                    watch({name: history for name, history in histories.items() if history})
            _raise_first(jobs)
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
        except (FileNotFoundError, NotADirectoryError):
            continue
    return []


def _one_thread() -> None:
    torch.set_num_threads(1)


def _train_one(settings: config.Config, root: Path, refresh: float, target: str, strategy: str, seed: int) -> None:
    Pipeline(settings, store.Store(root, refresh)).decoder(target, strategy, seed)
