"""Runs one notebook without a screen: papermill, in a kernel of the very Python that runs this module."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from aaclib.store import room

START_TIMEOUT_S = 300


class NotebookError(RuntimeError):
    """A cell failed. `lines`: three lines that name the notebook and the cell, the error, and where to look."""

    def __init__(self, where: str, error: str, look: str):
        self.lines = (where, error, look)
        super().__init__("\n".join(self.lines))


def execute(
    source: Path, target: Path, parameters: Mapping[str, Any], *, cwd: Path,
    environment: Mapping[str, str] | None = None, log: Path | None = None, console: TextIO | None = None,
) -> dict[str, float]:
    """Runs the notebook `source` with `parameters` in the folder `cwd` and writes the executed notebook to `target`.

    The executed notebook appears under its name only when every cell has run; while it runs it is `<name>.part.ipynb`
    beside it, and after a failing cell `<name>.failed.ipynb`. What cells print goes to `log`, what they write to
    stderr (progress lines) to `console` as well. `environment` is added to the kernel's environment variables.

    Returns {"peak_memory_mib": of the kernel and its children together}. Raises NotebookError when a cell fails or
    the kernel dies.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    target.parent.mkdir(parents=True, exist_ok=True)
    part, failed = target.with_suffix(".part.ipynb"), target.with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    with room(part), _open(log) as text, PeakMemory() as memory:
        try:
            _interruptible(lambda: papermill.execute_notebook(
                _literal(source), _literal(part), dict(parameters), kernel_name="python3", language="python",
                kernel_manager_class=_this_python(environment or {}), cwd=str(cwd), progress_bar=False,
                stdout_file=text, stderr_file=Tee(text, console), start_timeout=START_TIMEOUT_S,
            ))
        except (PapermillExecutionError, DeadKernelError) as error:
            os.replace(part, failed)
            where, what = _failure(failed, error)
            look = f"The notebook as far as it came: {failed}" + (f"; what it printed: {log}" if log else "")
            raise NotebookError(f"{source.name}, {where}", what, look) from error
    os.replace(part, target)
    return {"peak_memory_mib": memory.peak_mib}


def _literal(path: Path) -> str:
    """papermill fills in {names} in paths."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _open(path: Path | None) -> TextIO:
    if path is None:
        return open(os.devnull, "w")
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "w", encoding="utf-8", buffering=1)


def _failure(path: Path, error: Exception) -> tuple[str, str]:
    """The cell that failed, numbered as in the source notebook, and what happened in it."""
    import nbformat

    cells = nbformat.read(path, as_version=4).cells
    added = ("injected-parameters", "papermill-error-cell-tag")
    cells = [cell for cell in cells if not set(added) & set(cell.metadata.get("tags", []))]
    begun = [i for i, cell in enumerate(cells) if cell.cell_type == "code" and cell.metadata.papermill["start_time"]]
    at = begun[-1] if begun else 0
    lines = [line.strip() for line in cells[at].source.splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    where = f"cell {at + 1} of {len(cells)}: {_short(code[0] if code else '', 90)}"
    if hasattr(error, "ename"):
        return where, _short(f"{error.ename}: {error.evalue}", 500)
    return where, f"{type(error).__name__}: the kernel died without a word; it may have run out of memory"


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def _this_python(environment: Mapping[str, str]) -> type:
    """A kernel manager whose kernel is this interpreter, whatever kernels are installed for the user or the system."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    # log level: nbclient interrupts a kernel before it ends it, which the kernel would report as an error
    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.log_level=50"],
        display_name="Python 3", language="python", env=dict(environment),
    )

    class ThisPython(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

    return ThisPython


def _interruptible(call: Callable[[], Any]) -> Any:
    """Runs `call` in a thread, so that a signal reaches this one at once (nbclient would swallow it and call it a dead
    kernel); the kernel is then ended with all its children before the exception goes on."""
    import psutil

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(call)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                for child in psutil.Process().children(recursive=True):
                    if child.pid not in before:
                        _kill(child)
            raise


def _kill(process: Any) -> None:
    import psutil

    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


class Tee:
    """A text stream that writes to several others."""

    def __init__(self, *streams: TextIO | None):
        self.streams = [stream for stream in streams if stream is not None]

    def write(self, text: str) -> None:
        for stream in self.streams:
            stream.write(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()


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
                try:
                    memory = child.memory_full_info()
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
                total += getattr(memory, "pss", memory.rss)
            self.peak_mib = max(self.peak_mib, round(total / 2**20, 1))
