"""What a stage's kernel tells the runner beside what it prints: artefacts that it opened, metrics that it lost.

The runner names a file in the kernel's environment; each line of it is [kind, value].
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

VARIABLE = "AACLIB_TOLD"


def tell(kind: str, value: Any) -> None:
    """Adds a JSON value to what is told; outside of a run nobody listens."""
    if path := os.environ.get(VARIABLE):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps([kind, value]) + "\n")


def told(kind: str, path: str | Path = "") -> list[Any]:
    """All values of a kind in order. Without `path` those of this stage so far; [] outside of a run."""
    try:
        lines = Path(path or os.environ[VARIABLE]).read_text(encoding="utf-8").splitlines()
    except (KeyError, FileNotFoundError):
        return []
    return [value for name, value in map(json.loads, lines) if name == kind]
