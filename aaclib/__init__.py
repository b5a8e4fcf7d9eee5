"""Weakly-supervised audio captioning from text alone: the model code behind the notebooks.

`import aaclib` loads no model, opens no socket and imports no PyTorch: the parts below are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# isort: off
if TYPE_CHECKING:  # for editors and type checkers, which cannot follow `__getattr__`
    from aaclib import (
        aggregates as aggregates,
        arrays as arrays,
        audio as audio,
        bridge as bridge,
        captioner as captioner,
        captions as captions,
        clap as clap,
        config as config,
        datasets as datasets,
        decoder as decoder,
        decoders as decoders,
        embeddings as embeddings,
        gap as gap,
        generate as generate,
        memory as memory,
        metrics as metrics,
        play as play,
        plots as plots,
        progress as progress,
        provenance as provenance,
        results as results,
        resume as resume,
        retrieval as retrieval,
        rows as rows,
        run as run,
        seeds as seeds,
        stats as stats,
        store as store,
        sweep as sweep,
        tables as tables,
        text as text,
        train as train,
        training as training,
    )
    from aaclib.captioner import Captioner as Captioner
    from aaclib.config import Config as Config
    from aaclib.run import Run as Run
    from aaclib.store import Store as Store
# isort: on

from aaclib import screen

__version__ = "0.1.0"

# name -> the module that has it; a module stands for itself
_CLASSES = {"Run": "aaclib.run", "Captioner": "aaclib.captioner", "Config": "aaclib.config", "Store": "aaclib.store"}
_MODULES = tuple(
    """
    aggregates arrays audio bridge captioner captions clap config datasets decoder decoders embeddings gap generate
    memory metrics play plots progress provenance results resume retrieval rows run seeds stats store sweep tables text
    train training
    """.split()
)

__all__ = ["__version__", *_CLASSES, *_MODULES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(importlib.import_module(_CLASSES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"aaclib.{name}")
    raise AttributeError(f"module 'aaclib' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


screen.settle_in()
