"""Runs one notebook without a screen: papermill, in a kernel of the very Python that runs this module."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TextIO

from aaclib.errors import no_room
from aaclib.paths import cache_dir, raw_dir, runs_dir
from aaclib.store import StoreError
from aaclib.suite.outputs import Tee, tidy

START_TIMEOUT_S = 300
GRACE_S = 10.0  # a kernel that was interrupted may take so long to keep what it has
PART, OWN = ".part.ipynb", ".kernel"  # a notebook that is being executed; the folder of its kernel's own files


class NotebookError(RuntimeError):
    """A notebook failed. `lines`: three lines that name the notebook and the cell, the error, and where to look."""

    def __init__(self, where: str, error: str, look: str):
        self.lines = (where, error, look)
        super().__init__("\n".join(self.lines))


def execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    console: TextIO | None = None,
) -> dict[str, float]:
    """Runs the notebook `source` with `parameters` in the folder `cwd`.

    The executed notebook is `<name>.part.ipynb` beside `target`, which takes that place when the caller has noted what
    it has to; after a failing cell it is `<name>.failed.ipynb`. What cells print goes to `log`, their progress and what
    they write to stderr to `console` as well. `environment` is added to the kernel's environment variables; of
    the user's own settings for IPython and Jupyter the kernel sees nothing.

    Returns {"peak_memory_mib": of the kernel and its children}. Raises NotebookError (which names `target` of the
    parameters) when a cell fails, the kernel dies or does not start, or the disk is full.
    """
    import papermill

    for name in ("papermill", "asyncio"):  # what they would print is in NotebookError
        logging.getLogger(name).addHandler(logging.NullHandler())
    part, failed, own = target.with_suffix(PART), target.with_suffix(".failed.ipynb"), target.parent / OWN
    failed.unlink(missing_ok=True)
    with _open(log) as text, PeakMemory() as memory:
        try:
            own.mkdir(parents=True, exist_ok=True)
            _interruptible(
                lambda: papermill.execute_notebook(
                    _literal(source),
                    _literal(part),
                    dict(parameters),
                    kernel_name="python3",
                    language="python",
                    kernel_manager_class=_this_python(environment or {}, own, text),
                    cwd=str(cwd),
                    progress_bar=False,
                    stdout_file=Tee(text, console, progress_alone=True),
                    stderr_file=Tee(text, console),
                    start_timeout=START_TIMEOUT_S,
                )
            )
            tidy(part)
        except Exception as error:  # a cell's, the kernel's or the disk's: whatever ends a notebook
            where, what = _failure(part, error, log)
            called = source.name + (f" ({parameters['target']})" if parameters.get("target") else "")
            if where:
                with contextlib.suppress(OSError, ValueError, StoreError):  # what stopped it may stop this as well
                    tidy(part)
                os.replace(part, failed)
            part.unlink(missing_ok=True)
            seen = ("The notebook as far as it came", failed), ("what it printed", log)
            look = "; ".join(f"{name}: {path}" for name, path in seen if path and path.exists())
            raise NotebookError(called + where, what, no_room(what) or look) from error
        finally:
            shutil.rmtree(own, ignore_errors=True)
    return {"peak_memory_mib": memory.peak_mib}


def environment(root: Path, offline: bool = False, refresh: float | None = None) -> dict[str, str]:
    """What kernels of a run find in their environment beside our own. `root`: the project's folder, where they work;
    `refresh`: artefacts older than this time are made again (`Store`)."""
    above = str(Path(__file__).resolve().parents[2])
    paths = [above, *filter(None, [os.environ.get("PYTHONPATH")])]
    values = {
        "PYTHONPATH": os.pathsep.join(paths),
        "AACLIB_HOME": str(root),
        "AACLIB_HEADLESS": "1",
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUTF8": "1",
    }
    # a relative folder is meant from here
    folders = {"RUNS": runs_dir(), "RAW": raw_dir(), "CACHE": cache_dir()}
    values |= {f"AACLIB_{name}": str(folder.absolute()) for name, folder in folders.items()}
    if offline:
        values |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "AACLIB_OFFLINE": "1"}
    if refresh:
        values["AACLIB_REFRESH"] = repr(refresh)
    return values


def _literal(path: Path) -> str:
    """papermill fills in {names} in paths."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _open(path: Path | None) -> TextIO:
    if path is None:
        return open(os.devnull, "w")
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "w", encoding="utf-8", buffering=1)


def _failure(part: Path, error: Exception, log: Path | None) -> tuple[str, str]:
    """The cell that failed, numbered as in the source notebook, and what happened in it."""
    import nbformat
    from nbclient.exceptions import DeadKernelError

    what = f"{type(error).__name__}: {error}"
    if name := getattr(error, "ename", ""):
        what = f"{name}: {getattr(error, 'evalue', '')}"
    elif isinstance(error, DeadKernelError):
        what = f"{type(error).__name__}: the kernel died without a word; it may have run out of memory"
    try:
        cells = nbformat.read(part, as_version=4).cells
        added = ("injected-parameters", "papermill-error-cell-tag")
        cells = [cell for cell in cells if not set(added) & set(cell.metadata.get("tags", []))]
        begun = [i for i, c in enumerate(cells) if c.cell_type == "code" and c.metadata.papermill["start_time"]]
    except (OSError, ValueError, KeyError, AttributeError):  # the disk was full, and it is cut
        return "", _short(what, 500)
    if not begun:
        words = log.read_text(encoding="utf-8", errors="replace").split("\n") if log else []
        last = next((f" ({line.strip()})" for line in reversed(words) if line.strip()), "")
        return ", before its first cell", _short(what + last, 500)
    lines = [line.strip() for line in cells[begun[-1]].source.splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    return f", cell {begun[-1] + 1} of {len(cells)}: {_short(code[0] if code else '', 90)}", _short(what, 500)


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def _this_python(environment: Mapping[str, str], own: Path, log: TextIO) -> type:
    """A kernel manager whose kernel is this interpreter, whatever kernels are installed for the user or the system. It
    keeps its files in the folder `own`; what it says before it can answer, or while it dies, goes to `log`."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    # log level: nbclient interrupts a kernel before it ends it, which the kernel would report as an error
    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.log_level=50"],
        display_name="Python 3",
        language="python",
        env={**environment, **_private(own)},
    )

    class ThisPython(AsyncKernelManager):
        def __init__(self, **options: Any):
            super().__init__(connection_file=str(own / "connection.json"), **options)

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        async def start_kernel(self, **options: Any) -> None:
            await super().start_kernel(**options, stdout=log, stderr=log)

    return ThisPython


def _private(own: Path) -> dict[str, str]:
    """Where IPython and Jupyter read their settings and write; matplotlib as well, where there is no home to write to
    (else the list of fonts that it keeps there would be made again for each notebook)."""
    names = ["IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"]
    if not os.access(os.path.expanduser("~"), os.W_OK | os.X_OK):
        names.append("MPLCONFIGDIR")
    return dict.fromkeys(names, str(own))


def _interruptible(call: Callable[[], Any]) -> Any:
    """Runs `call` in a thread, so that a signal reaches this one at once (nbclient would swallow it and call it a dead
    kernel); the kernel is then ended with all its children before the exception goes on."""
    import psutil

    before, future = set(psutil.Process().children(recursive=True)), Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        return future.result()
    except BaseException:
        if thread.is_alive():
            _end(future, before)
        raise


def _end(future: Future, before: set[Any]) -> None:
    """Interrupts the kernel, as Jupyter's stop button does, and kills what is left of it after `GRACE_S`, or at once
    where somebody asks again; also a kernel that has still to start."""
    import psutil

    me, patience, asked = psutil.Process(), time.monotonic() + GRACE_S, set()
    with contextlib.suppress(OSError):
        print("\nStopping; what is at work keeps what it has. Once more to stop at once.", file=sys.stderr, flush=True)
    while not future.done():
        try:
            for kernel in set(me.children()) - before - asked:
                asked.add(kernel)
                with contextlib.suppress(psutil.NoSuchProcess):
                    kernel.send_signal(signal.SIGINT)
            if time.monotonic() > patience:
                for child in set(me.children(recursive=True)) - before:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
            wait([future], timeout=0.1)
        except KeyboardInterrupt:
            patience = 0


class PeakMemory:
    """Samples the memory of all child processes together, once a second. Pages that processes share are counted
    once where the system tells (Linux), else in each of them."""

    def __init__(self, interval_s: float = 1.0):
        self.peak_mib, self._interval = 0.0, interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        import psutil

        me = psutil.Process()
        while not self._stop.wait(self._interval):
            total = 0
            for child in me.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    memory = child.memory_full_info()
                    total += getattr(memory, "pss", memory.rss)
            self.peak_mib = max(self.peak_mib, round(total / 2**20, 1))
