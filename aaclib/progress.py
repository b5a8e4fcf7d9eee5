"""Progress: one line every ten seconds, with rate and time left; the same in a terminal, a log and a notebook."""

from __future__ import annotations

import sys
import time

INTERVAL_S = 10.0


class Progress:
    """`step(n)` counts `n` more of `total`; a line is printed at most every `interval` seconds and at the end if it
    took longer than that."""

    def __init__(self, label: str, total: int | None = None, unit: str = "", interval: float | None = None):
        self.label, self.total, self.unit = label, total, unit
        self.interval = INTERVAL_S if interval is None else interval
        self.done, self.started = 0, time.monotonic()
        self._last = self.started

    def step(self, n: int = 1, note: str = "") -> None:
        self.done += n
        now = time.monotonic()
        finished = self.total is not None and self.done >= self.total
        if now - self._last >= self.interval or (finished and now - self.started >= self.interval):
            self._last = now
            print(self.line(note), file=sys.stderr, flush=True)

    def line(self, note: str = "") -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = self.done / seconds
        of, unit = f"/{self.total}" if self.total else "", f" {self.unit}" if self.unit else ""
        parts = [f"{self.label}: {self.done}{of}{unit}"]
        if self.done:
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if self.done and self.total and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        else:
            parts.append(f"took {duration(seconds)}")
        return ", ".join(parts + ([note] if note else []))


def duration(seconds: float) -> str:
    """3 s, 2 min 05 s, 1 h 02 min."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
