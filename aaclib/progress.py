"""Progress: one line that changes in place, with rate and time left; in a log a line every ten seconds."""

from __future__ import annotations

import re
import sys
import time

from aaclib import screen

LOG_S, PLACE_S = 10.0, 0.5  # between two lines of a log; between two states of one line
_silent = False

# a line that changes in place ends with a carriage return, its last state with a new line behind that
STATES = re.compile(r"[^\r\n]*\r\n?")
PASSED = re.compile(r"[^\r\n]*\r(?!\n)")


class Progress:
    """`step(n)` counts `n` more of `total`; `done`: those of an earlier process that was stopped.

    Where somebody looks on, the line is there after half a second and changes in place. A log (stderr) has one at most
    every `interval` seconds, and one at the end if it took longer than that.
    """

    def __init__(
        self, label: str, total: int | None = None, unit: str = "", interval: float | None = None, done: int = 0
    ):
        self.label, self.total, self.unit = label, total, unit
        self.in_place = screen.kernel() is not None or (sys.stderr is not None and sys.stderr.isatty())
        in_log = LOG_S if interval is None else interval
        self.interval = min(PLACE_S, in_log) if self.in_place and not screen.headless() else in_log
        self.done, self.before, self.started = done, done, time.monotonic()
        self._last, self._width = self.started, 0

    def step(self, n: int = 1, note: str = "") -> None:
        self.done += n
        now = time.monotonic()
        finished = self.total is not None and self.done >= self.total
        shown = self._last > self.started
        if now - self._last >= self.interval or (finished and (shown or now - self.started >= self.interval)):
            self._last = now
            self._show(self.line(note), finished)

    def _show(self, line: str, finished: bool) -> None:
        if _silent:
            return
        if self.in_place:  # blanks hide what a longer state has left
            line, self._width = line.ljust(self._width), len(line)
        end = ("\r\n" if finished else "\r") if self.in_place else "\n"
        stream = sys.stdout if screen.kernel() else sys.stderr  # which notebooks show in red
        stream.write(line + end)
        stream.flush()

    def line(self, note: str = "") -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = (self.done - self.before) / seconds
        of, unit = f"/{self.total}" if self.total else "", f" {self.unit}" if self.unit else ""
        parts = [f"{self.label}: {self.done}{of}{unit}"]
        if rate:
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if rate and self.total and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        else:
            begun = self.total and self.done < self.total
            parts.append(f"{duration(seconds)} so far" if begun else f"took {duration(seconds)}")
        return ", ".join(parts + ([note] if note else []))


def silence() -> None:
    """No progress of this process is shown: its parent reports for all."""
    global _silent
    _silent = True


def duration(seconds: float) -> str:
    """3 s, 2 min 05 s, 1 h 02 min."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
