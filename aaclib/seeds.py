"""Seeds: one number decides everything random, and independent parts never share a stream."""

from __future__ import annotations

import hashlib
import random

import numpy as np


def derive(seed: int, *names: object) -> int:
    """A 63-bit seed of its own for the part called `names`, so that adding a part never shifts another's numbers."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def rng(seed: int, *names: object) -> np.random.Generator:
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: object, device: str = "cpu"):
    import torch

    return torch.Generator(device).manual_seed(derive(seed, *names))


def seed_all(seed: int, *names: object) -> None:
    """Seeds the global streams of Python, NumPy and PyTorch (all devices), for code that cannot take a generator."""
    import torch

    value = derive(seed, *names)
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)
