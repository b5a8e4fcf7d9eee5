"""Weakly-supervised audio captioning from text alone: the model code behind the notebooks.

`import aaclib` loads no model, opens no socket and imports no PyTorch: the parts below are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from aaclib import screen

__version__ = "0.1.0"

# name -> the module that has it; a module stands for itself
_CLASSES = {"Run": "aaclib.run", "Captioner": "aaclib.captioner", "Config": "aaclib.config", "Store": "aaclib.store"}
_MODULES = tuple(
    """
    aggregates arrays audio bridge captioner captions clap config datasets decoder decoders embeddings gap generate
    memory metrics plots progress provenance results resume retrieval rows run seeds stats store tables text train
    training
    """.split()
)

__all__ = ["__version__", *_CLASSES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(importlib.import_module(_CLASSES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"aaclib.{name}")
    raise AttributeError(f"module 'aaclib' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


screen.settle_in()
