"""A helper process of this session: METEOR's and SPICE's Java, started once, ended with the session however it ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Self

_guard = threading.Lock()
_of_session: dict[type, Child] = {}


class Child:
    """A process that reads requests and writes answers, one a line. It ends by itself when its input closes."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        self.owner = 0
        self.lock = threading.Lock()

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
        return self.mine and self.process.poll() is None

    def spawn(self, command: list[str], cwd: Path | None = None) -> None:
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.owner = os.getpid()
        self.answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(self.process.stdout, self.answers), daemon=True).start()

    def send(self, text: str) -> None:
        """Writes in a thread, so that neither side waits for the other; where the process ends, `answer` says so."""
        threading.Thread(target=_write, args=(self.process.stdin, text), daemon=True).start()

    def answer(self, timeout: float) -> bytes:
        """The next line; one without a line's end where the process has ended. Raises TimeoutError."""
        try:
            return self.answers.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no answer in {timeout:.0f} s") from None

    def said(self) -> str:
        """What it wrote to its standard error."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def stop(self) -> None:
        if self.mine:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout, self.errors):
                with contextlib.suppress(OSError):         # what was still to be written has nobody to go to
                    pipe.close()
        self.process = None


def _listen(pipe: IO[bytes], answers: queue.SimpleQueue) -> None:
    with contextlib.suppress(ValueError):                  # closed by stop()
        for line in pipe:
            answers.put(line)
    answers.put(b"")


def _write(pipe: IO[bytes], text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        pipe.write(text.encode("utf-8", errors="replace"))
        pipe.flush()
