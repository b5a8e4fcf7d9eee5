"""When a training is saved: before a signal ends it, and at intervals that cost little; how a command ends.

A signal waits for the end of the step in which it comes, so that what is saved is whole, and then does what it would
have done at once.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SOONEST_S = 5.0  # between two saves
SHARE = 0.02  # of the time may go into saving: the state of a large decoder has gigabytes


class Saves:
    """`with Saves(save) as whole:`, and inside `whole()` wherever the state is whole: it calls `save()` when that is
    due, at the latest `every_s` seconds after the last time."""

    def __init__(self, save: Callable[[], None], every_s: float = 60.0):
        self._save, self._every_s, self._came, self._handlers = save, every_s, 0, {}
        self._due = time.monotonic() + min(SOONEST_S, every_s)

    def __enter__(self) -> Callable[[], None]:
        if threading.current_thread() is threading.main_thread():  # Python handles signals in no other one
            for number in SIGNALS:
                self._handlers[number] = signal.signal(number, self._note) or signal.SIG_DFL
        return self.whole

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._came:
            signal.raise_signal(self._came)

    def whole(self) -> None:
        started = time.monotonic()
        if not self._came and started < self._due:
            return
        self._save()
        now = time.monotonic()
        self._due = now + min(max((now - started) / SHARE, SOONEST_S), self._every_s)
        if number := self._came:
            self._came = 0
            signal.signal(number, self._handlers[number])
            signal.raise_signal(number)
            signal.signal(number, self._note)  # it was ignored: the training goes on

    def _note(self, number: int, _: object) -> None:
        self._came = number


def die_politely() -> None:
    """From now on SIGTERM and a closed terminal end a command as Ctrl-C does, but for what nohup said is ignored."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
