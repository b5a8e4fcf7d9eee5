"""Seeds: one number decides everything random, and independent parts never share a stream; and the other thing that
decides the last bits of a result on a CPU, the number of threads that compute it."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: object) -> int:
    """A 63-bit seed of its own for the part called `names`, so that adding a part never shifts another's numbers."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def rng(seed: int, *names: object) -> np.random.Generator:
    return np.random.default_rng(derive(seed, *names))


def seed_all(seed: int, *names: object) -> None:
    """Seeds the global streams of Python, NumPy and PyTorch (all devices), for code that cannot take a generator."""
    import torch

    value = derive(seed, *names)
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)


def torch_state(device: torch.device) -> dict[str, str]:
    """Where PyTorch's global streams for computations on `device` are, as JSON values."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return {name: state.numpy().tobytes().hex() for name, state in states.items()}


def set_torch_state(saved: dict[str, str], device: torch.device) -> None:
    """Puts the streams back where `torch_state` found them."""
    import torch

    states = {name: torch.frombuffer(bytearray.fromhex(state), dtype=torch.uint8) for name, state in saved.items()}
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps":
        torch.mps.set_rng_state(states["mps"])


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """PyTorch computes with `n` CPU threads inside, whatever the machine or OMP_NUM_THREADS say, and as before behind
    it: among how many threads a product or a sum is split decides its last bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
