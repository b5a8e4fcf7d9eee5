"""The store as a finished run sees it: what it opened is opened again, whatever kind of device made it.

Keys hold the kind of device, because it decides the last bits of what is made anew. Embeddings and decoders are arrays,
though, which any machine can use; so a key that the run's record has under another kind is looked up there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aaclib.records import opened
from aaclib.store import Artefact, Store

DEVICES = ("cpu", "cuda", "mps", "xpu")  # kinds, as keys name them


class Finished(Store):
    """`run`: the name of a run, or its folder; one without a record has opened nothing, and this is a plain store."""

    def __init__(self, run: str | Path, root: str | Path | None = None, refresh: float | None = None):
        super().__init__(root, refresh)
        self.opened = opened(run)

    def open(self, kind: str, key: dict[str, Any]) -> Artefact | None:
        for device in DEVICES if self.opened else ():
            there = of_device(key, device)
            if f"{kind}/{self.id(kind, there)}" in self.opened:
                return super().open(kind, there)
        return super().open(kind, key)


def of_device(key: Any, device: str) -> Any:
    """A key with every kind of device that it names changed.

    >>> of_device({"backend": {"device": "cuda", "dim": 8}}, "cpu")
    {'backend': {'device': 'cpu', 'dim': 8}}
    """
    if isinstance(key, dict):
        return {name: device if name == "device" else of_device(value, device) for name, value in key.items()}
    return [of_device(value, device) for value in key] if isinstance(key, (list, tuple)) else key
