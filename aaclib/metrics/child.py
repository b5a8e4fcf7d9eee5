"""A helper process of this session: METEOR's and SPICE's Java, started once, ended with the session however it ends."""

from __future__ import annotations

import atexit
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Self

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

    def said(self) -> str:
        """What it wrote to its standard error."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def stop(self) -> None:
        if self.mine:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout, self.errors):
                try:
                    pipe.close()
                except OSError:         # what was still to be written has nobody to go to
                    pass
        self.process = None
