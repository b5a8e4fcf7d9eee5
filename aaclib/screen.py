"""Who looks on: somebody in a notebook, the runner that executes one, or a terminal."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any

HEADLESS = "AACLIB_HEADLESS"  # set by the runner
INTERRUPTED = "Interrupted. What is finished is kept; run the cell again to go on."


def kernel() -> Any:
    """The shell of the Jupyter kernel that this process is, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if shell is not None and shell.has_trait("kernel") else None


def headless() -> bool:
    """Whether this process belongs to the runner."""
    return HEADLESS in os.environ


def looked_at() -> bool:
    """Whether this process is a Jupyter kernel that somebody may be looking at."""
    return not headless() and kernel() is not None


def settle_in() -> None:
    """What importing aaclib changes in a kernel. An interrupt ends a cell with one line in place of a traceback of
    pages, unless nobody looks or somebody has set a handler. In the runner's kernels the bars of tqdm, which
    transformers imports, stay lines: as widgets they would be empty boxes in the executed copy."""
    if looked_at() and not kernel().custom_exceptions:
        kernel().set_custom_exc((KeyboardInterrupt,), _interrupted)
    if headless() and kernel() and "tqdm.notebook" not in sys.modules:
        modules: dict[str, Any] = sys.modules
        modules["tqdm.notebook"] = None  # cannot be imported
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module("tqdm.autonotebook")
        del modules["tqdm.notebook"]


def _interrupted(shell: Any, kind: type, *_: Any, **__: Any) -> list[str]:
    shell._showtraceback(kind, INTERRUPTED, [INTERRUPTED])
    return [INTERRUPTED]
