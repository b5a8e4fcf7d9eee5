"""A helper process of this session: METEOR's and SPICE's Java, started once, ended with the session however it ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from aaclib.metrics.java import environment
from aaclib.metrics.result import Lost

SENT = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)  # by somebody; Java itself dies of others

_guard = threading.Lock()
_of_session: dict[type, Any] = {}
Value = TypeVar("Value")


def twice(action: Callable[[], Value]) -> Value:
    """What `action` returns; where its process is lost, it is tried once more, with a fresh one."""
    try:
        return action()
    except Lost as lost:
        say_again(lost)
        return action()


def say_again(lost: Lost) -> None:
    """Says on stderr what was lost, before another try."""
    print(f"Tried once more: {lost}", file=sys.stderr, flush=True)


def signal_of(code: int) -> int:
    """The signal that ended a process, or 0. Java answers one with the exit code 128 + its number, as shells do."""
    number = -code if code < 0 else code - 128
    return number if number in signal.valid_signals() else 0


def ended(code: int) -> str:
    """How a process ended, in words."""
    number = signal_of(code)
    if number == signal.SIGKILL:
        return "was killed, by somebody or because the machine ran out of memory"
    return f"ended ({signal.strsignal(number)})" if number else f"ended (exit {code})"


def printing(how: str, said: bytes) -> str:
    """How a process ended, and what it printed last."""
    text = said.decode(errors="replace").strip()[-500:]
    return f"{how}: {text}" if text else f"{how}."


class Child:
    """A process that reads requests and writes answers, one per line. It ends by itself when its input closes."""

    name = "The process"

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        self.owner = 0
        self.lock = threading.Lock()
        self.interrupted = False  # by another thread than that which waits for it

    @classmethod
    def of_session(cls) -> Self:
        """The session's own: always the same one, started when first asked."""
        with _guard:
            if cls not in _of_session:
                _of_session[cls] = cls()
                atexit.register(_of_session[cls].stop)
            return _of_session[cls]

    @property
    def mine(self) -> bool:
        """Whether there is a process and this one started it: a forked child starts its own."""
        return self.process is not None and self.owner == os.getpid()

    @property
    def alive(self) -> bool:
        """Whether this process's own is running."""
        return self.mine and self.running.poll() is None

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """The process. Raises Lost where there is none."""
        if self.process is None:
            raise Lost(f"{self.name} was not started, or was stopped.")
        return self.process

    def spawn(self, command: list[str], cwd: Path | None = None) -> None:
        """Raises Lost where it cannot be started."""
        self.stop()
        try:
            self.errors = tempfile.TemporaryFile()
            # a group of its own: who interrupts all processes of a notebook's kernel means this session alone
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                env=environment(),
                process_group=0,
            )
        except OSError as error:
            raise Lost(f"{self.name} could not be started: {error}.", outside=True) from error
        self.owner = os.getpid()
        self.answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.listener = threading.Thread(target=_listen, args=(self.process.stdout, self.answers), daemon=True)
        self.listener.start()

    @contextlib.contextmanager
    def exchange(self) -> Iterator[None]:
        """One at a time; whatever cuts it short ends the process, whose next answer would be to the old question."""
        with self.lock:
            try:
                self.go_on()
                yield
            except BaseException:
                self.stop()
                raise

    def send(self, text: str) -> None:
        """Writes in a thread, so that neither side waits for the other; where the process ends, `answer` says so."""
        threading.Thread(target=_write, args=(self.running.stdin, text), daemon=True).start()

    def answer(self, timeout: float) -> bytes:
        """The next line. Raises Lost where none comes in time or the process has ended."""
        try:
            line = self.answers.get(timeout=timeout)
        except queue.Empty:
            raise self.lost(f"did not answer in {timeout:.0f} s") from None
        if not line.endswith(b"\n"):
            raise self.lost()
        return line

    def lost(self, how: str = "") -> Lost:
        """Ends the process and says why it is lost: `how`, or how it ended; and what it printed last. Raises
        KeyboardInterrupt where `interrupt` ended it."""
        self.go_on()
        with contextlib.suppress(subprocess.TimeoutExpired):  # Java may still be saying why
            self.running.wait(1)
        code = self.running.poll()
        self.running.kill()
        self.listener.join(1)
        self.errors.seek(0)
        said = self.errors.read()
        while not self.answers.empty():
            said += self.answers.get()  # Java complains of its start on standard output
        self.stop()
        if b"OutOfMemoryError" in said:
            how = "ran out of memory"
        how = how or ("closed its output" if code is None else ended(code))
        sent = code is not None and signal_of(code) in SENT
        return Lost(printing(f"{self.name} {how}", said), outside=sent or b"insufficient memory" in said)

    def interrupt(self) -> None:
        """Ends the process for another thread that waits for it, and for which that is an interrupt."""
        self.interrupted = True
        if process := self.process:
            process.kill()

    def go_on(self) -> None:
        """Raises KeyboardInterrupt where `interrupt` was called."""
        if self.interrupted:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Ends it, if there is one that this process started."""
        if self.mine:
            process = self.running
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, self.errors):
                with contextlib.suppress(OSError):  # what was still to be written has nobody to go to
                    if pipe:
                        pipe.close()
        self.process = None


def _listen(pipe: IO[bytes], answers: queue.SimpleQueue) -> None:
    with contextlib.suppress(ValueError):  # closed by stop()
        for line in pipe:
            answers.put(line)
    answers.put(b"")


def _write(pipe: IO[bytes], text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        pipe.write(text.encode("utf-8", errors="replace"))
        pipe.flush()
