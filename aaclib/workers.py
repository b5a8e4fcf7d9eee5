"""Processes that work side by side, and that end with whoever started them: by an interrupt, an error or a kill."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from aaclib import progress

GRACE_S = 30.0  # a step and a save of a training take less, on any machine that trains side by side


@contextlib.contextmanager
def pool(count: int, *first: Any) -> Iterator[Callable[..., Future]]:
    """Yields `submit(function, *arguments) -> Future` of `count` processes, and waits for all that was submitted.
    `first`: a function and its arguments, called in each process before all else.

    Where the block is left by an exception, an interrupt say, what has not begun never begins, and the processes are
    told to end (SIGTERM: a training saves what it has), which takes a second or two. An interrupt reaches the caller
    alone: a notebook sends it to all processes of its kernel, and each would answer with a traceback.
    """
    before = multiprocessing.active_children()
    # spawn, not fork: the caller may have PyTorch's threads
    with ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), initializer=_begin, initargs=first
    ) as executor:

        def submit(function: Callable[..., Any], *arguments: Any) -> Future:
            with no_interrupts():  # which the process that is started for it inherits
                return executor.submit(function, *arguments)

        try:
            yield submit
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            end([process for process in multiprocessing.active_children() if process not in before])
            raise


def end(processes: Sequence[BaseProcess]) -> None:
    """Tells processes to end, and ends those that have not done so in time."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + GRACE_S
    for process in processes:
        process.join(max(until - time.monotonic(), 0))
        process.kill()


@contextlib.contextmanager
def no_interrupts() -> Iterator[None]:
    """An interrupt waits for the end of this block; a process that is started in it never sees one."""
    resource_tracker.ensure_running()  # else it would be started below, and lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(first: Callable[..., None] | None = None, *arguments: Any) -> None:
    if first:
        first(*arguments)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    progress.silence()  # the parent reports for all


def _end_with_parent() -> None:
    """A kernel that was killed ends nobody: without this, its decoders would train on unseen. They are saved first."""
    if (parent := multiprocessing.parent_process()) is None:
        return
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)
