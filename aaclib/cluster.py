"""More machines: the same `submit` as `workers.pool`, to the workers of a Dask cluster (the extra `cluster`).

local:N              N processes of this machine, under Dask's scheduler
tcp://HOST:PORT      a scheduler that runs already; its workers are started with --nthreads 1
slurm:FILE.yaml      workers that SLURM starts (dask_jobqueue.SLURMCluster); the file holds its settings, and `jobs`

Workers share the store with whoever asks them, by a file system that all of them see: results lie there, and locks on
it keep two of them from making the same artefact. Each looks at that before its first job. A job whose worker is lost
is given to another one, which goes on from what the lost one had kept. docs/cluster.md says more.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import functools
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aaclib import fitting, progress, provenance, workers

if TYPE_CHECKING:
    from distributed import Client  # pyright: ignore[reportMissingImports]

VARIABLE = "AACLIB_CLUSTER"  # the address of the one that the runner started, for its stages
SEEN_S = 15.0  # so long a new file may take to be seen elsewhere: network file systems remember what is not there
ANSWER_S = 60.0  # so long a scheduler, and the first worker of one that runs already, may take to answer
NUMBERS = ("jobs", "cores", "processes")  # of a SLURM file; everything else is text
_clients: dict[str, Client] = {}
_seen: set[Path] = set()  # probes that this worker has found well


class ClusterError(RuntimeError):
    """A cluster, or one of its workers, that cannot do its work; the message names it and the remedy."""


@dataclass(frozen=True)
class Asked:
    """What a worker is told with each job: how to be like the process that asks."""

    probe: Path  # a file in the store, which the process that asks holds a lock on
    made_with: dict[str, str]
    threads: int
    folder: str
    environment: dict[str, str]
    first: tuple[Any, ...]  # a function and its arguments, called before the job


@contextlib.contextmanager
def pool(spec: str, count: int, root: Path, *first: Any) -> Iterator[Callable[..., Future]]:
    """Yields `submit(function, *arguments) -> Future` to the workers of the cluster `spec`, or where that is "" of
    `count` processes of this machine, and waits for all that was submitted. `root`: the store's folder, which all of
    them share. `first`: a function and its arguments, called in a worker before all else.

    Where the block is left by an exception, what has not begun never begins. The workers of `local:` and `slurm:` are
    ended; those of a scheduler that ran already finish what they have begun, and their results are kept. Raises
    ClusterError, and what a job raises, with a note that names the worker.

    >>> with cluster.pool(run.config.cluster, 2, run.store.root) as submit:
    ...     [future.result() for future in [submit(pow, 2, n) for n in range(9)]]
    """
    if not spec:
        with workers.pool(count, *first) as submit:
            yield submit
        return
    client = _client(spec)
    with _probe(root) as probe:
        asked = _asked(probe, first)
        executor = client.get_executor(pure=False)
        try:
            yield lambda function, *arguments: executor.submit(_job, asked, function, *arguments)
            executor.shutdown()
        except BaseException as error:
            executor.shutdown(wait=False)
            close(spec)
            if type(error).__name__ == "KilledWorker":
                raise ClusterError(
                    f"A job was given to {error.last_worker.name} and others, and each was lost over it: too little "  # pyright: ignore[reportAttributeAccessIssue]
                    "memory, or ended by the cluster? Their logs say (fix: more memory or time a worker, then the same "
                    "command: what is finished is kept)."
                ) from error
            raise


def close(spec: str) -> None:
    """Ends the workers of `spec`, where this process started them, and lets go of a scheduler that ran already."""
    if client := _clients.pop(spec, None):
        cluster = client.cluster
        client.close()
        if cluster:
            cluster.close()


def address(spec: str) -> str:
    """Where the scheduler of `spec` answers; it is started where it has to be.

    >>> cluster.address("local:2")
    'tcp://127.0.0.1:41325'
    """
    return _client(spec).scheduler_info()["address"]


# ---- this side -------------------------------------------------------------------------------------------------------


def _client(spec: str) -> Client:
    """The connection of this process, made when first asked for and kept."""
    if spec not in _clients:
        try:
            with _own_interrupts():
                import dask_jobqueue  # noqa: F401  # pyright: ignore[reportMissingImports]
            import distributed  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ClusterError(f"cluster={spec} needs Dask (fix: pip install 'aaclib[cluster]').") from error
        where = spec if spec.startswith("tcp:") else os.environ.get(VARIABLE, spec)
        with workers.no_interrupts():  # which the workers inherit: this process answers for them
            try:
                _clients[spec] = distributed.Client(_started(where), timeout=ANSWER_S, set_as_default=False)
                if where.startswith("tcp:"):
                    _clients[spec].wait_for_workers(1, timeout=ANSWER_S)
            except (OSError, TimeoutError) as error:
                close(spec)
                raise ClusterError(
                    f"No scheduler with a worker answers at {where}: {error} (fix: dask scheduler; dask worker {where} "
                    "--nthreads 1 on each machine)."
                ) from error
    return _clients[spec]


def _started(spec: str) -> Any:
    """What `distributed.Client` connects to."""
    kind, _, rest = spec.partition(":")
    if kind == "tcp":
        return spec
    if kind == "slurm":
        return _slurm(Path(rest))
    from distributed import LocalCluster  # pyright: ignore[reportMissingImports]

    one: dict[str, Any] = {"processes": True, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
    return LocalCluster(int(rest), silence_logs=logging.CRITICAL, **one)


@contextlib.contextmanager
def _own_interrupts() -> Iterator[None]:
    """dask_jobqueue makes an interrupt end the process, from its import on: what it did before is put back."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _slurm(file: Path) -> Any:
    from dask_jobqueue.slurm import SLURMCluster  # pyright: ignore[reportMissingImports]

    if not shutil.which("sbatch"):
        raise ClusterError(f"cluster=slurm:{file}: there is no sbatch here (fix: run this where SLURM takes jobs).")
    if not file.is_file():
        raise ClusterError(f"cluster=slurm:{file}: there is no such file (fix: docs/cluster.md has one to begin with).")
    settings = dict(fitting.mapping(fitting.read_yaml_file(file), str(file)))
    settings |= {name: int(settings[name]) for name in NUMBERS if str(settings.get(name, "")).isdigit()}
    jobs = settings.pop("jobs", 1)
    more = [*settings.pop("worker_extra_args", []), "--nthreads", "1"]  # the last one counts
    try:
        cluster = SLURMCluster(**settings, worker_extra_args=more, scheduler_options={"dashboard_address": None})
    except (TypeError, ValueError) as error:
        raise ClusterError(f"{file}: {error} (fix: what dask_jobqueue.SLURMCluster takes, and `jobs`).") from error
    print(f"SLURM is asked for {jobs} jobs; they look for {cluster.scheduler_address}", file=sys.stderr, flush=True)
    cluster.scale(jobs=jobs)
    cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs, interval="30s")  # again for those that SLURM ends
    return cluster


@contextlib.contextmanager
def _probe(root: Path) -> Iterator[Path]:
    """A file by which a worker sees that it shares the store, and its locks."""
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=root.absolute(), prefix=".cluster-") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Path(file.name)


def _asked(probe: Path, first: tuple[Any, ...]) -> Asked:
    import torch

    environment = {
        k: v for k, v in os.environ.items() if k.startswith("AACLIB_") and k not in (VARIABLE, "AACLIB_TOLD")
    }
    return Asked(probe, _made_with(), torch.get_num_threads(), os.getcwd(), environment, first)


@functools.cache
def _made_with() -> dict[str, str]:
    """What decides results beside settings and data: the code of aaclib, and versions of what it computes with."""
    return {"aaclib's code": provenance.package_digest(), **provenance.versions()}


# ---- the worker's side -----------------------------------------------------------------------------------------------


def _job(asked: Asked, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a worker does; whatever goes wrong is told with its name."""
    from distributed import get_worker  # pyright: ignore[reportMissingImports]

    worker = get_worker()
    name = f"{worker.name} on {socket.gethostname()}"
    try:
        _prepare(asked, f"The worker {name}", worker.state.nthreads)
        return function(*arguments)
    except Exception as error:
        raise _told(error, f"(by the worker {name})") from None


def _prepare(asked: Asked, who: str, at_once: int) -> None:
    """Makes this worker like the process that asks. Raises ClusterError where it cannot be."""
    import threadpoolctl
    import torch

    progress.silence()
    os.environ.update(asked.environment)
    with contextlib.suppress(OSError):  # paths that begin here will be missed by name
        os.chdir(asked.folder)
    if asked.probe not in _seen:
        if at_once != 1:  # they would share PyTorch's random numbers
            raise ClusterError(f"{who} would do {at_once} jobs at once in one process (fix: --nthreads 1).")
        _shares(asked.probe, who)
        other = [name for name, value in asked.made_with.items() if _made_with().get(name) != value]
        if other:
            raise ClusterError(
                f"{who} has another version of {', '.join(other)} than the process that asks (fix: one environment for "
                "all, on the shared file system)."
            )
        _seen.add(asked.probe)
    # among how many threads a sum is split decides its last bits; more than it has would only wait for each other
    threads = min(asked.threads, _cores())
    threadpoolctl.threadpool_limits(threads)
    torch.set_num_threads(threads)
    if asked.first:
        asked.first[0](*asked.first[1:])


def _cores() -> int:
    """Those that this process may use, which SLURM decides for a job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shares(probe: Path, who: str) -> None:
    """Raises ClusterError where this machine does not see the store, or not its locks."""
    until = time.monotonic() + SEEN_S
    while not probe.exists():
        if time.monotonic() > until:
            raise ClusterError(
                f"{who} does not see the store's folder {probe.parent} (fix: put it on a file system that all machines "
                "share, under the same name: export AACLIB_CACHE=DIR)."
            )
        time.sleep(0.2)
    with open(probe, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    raise ClusterError(
        f"{who} sees {probe.parent} but not the locks that others hold there, so two workers would make one artefact "
        "at once (fix: mount it with locks: NFS without nolock and local_lock, Lustre with flock)."
    )


def _told(error: Exception, note: str) -> Exception:
    """The error with a note; one that cannot travel (its class wants other arguments than it keeps) by its words."""
    try:
        error = copy.copy(error)
    except Exception:
        error = ClusterError(f"{type(error).__name__}: {error}")
    error.add_note(note)
    return error
