"""The memory: CLAP text embeddings of the training captions, to which audio embeddings are brought at inference.

Both products run over blocks of the memory, so that a million captions need no (n, m) matrix. A memory that is a numpy
array is multiplied by numpy; one that is a torch tensor (`resident`) where it lies, by the same lines.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

BLOCK = 16384  # memory rows at a time: 64 MB of products for 1,000 queries in float32
QUERIES = 1024
EXACT = 2**24  # up to so many products the weights of a projection are float64, beyond float32: a third of the time
LEAST = -80.0  # exponents below it are as good as none, and the smallest floats are slow

_copies: dict[tuple[int, str], Any] = {}


def resident(memory: np.ndarray, device: str | None) -> Any:
    """The memory for computing on a torch device ("cuda:0"): copied there once, and kept for as long as the array
    lives, which must not be changed meanwhile. None: the array itself."""
    if device is None:
        return memory
    import torch  # seconds: for those alone who use it

    if (key := (id(memory), device)) not in _copies:
        _copies[key] = torch.tensor(memory, dtype=torch.float32, device=device)
        weakref.finalize(memory, _copies.pop, key, None)
    return _copies[key]


def nearest_index(z: np.ndarray, memory: Any, block: int = BLOCK) -> np.ndarray:
    """Index of the memory row with the largest dot product for each row of `z`, (n,) int64; the first one of equals.

    z: (n, d) float32; memory: (m, d) float32, may be memory-mapped, or a `resident` one. Raises ValueError for shapes
    that do not fit, and for a row that is not finite, naming it: nothing is near it, or everything.
    """
    xp, queries, memory = _check(z, memory)
    best, index = xp.full_like(queries[:, 0], -np.inf), xp.zeros_like(queries[:, 0], dtype=xp.int64)
    for rows, start, _, products in _products(xp, queries, memory, block):
        there, value = products.argmax(1), xp.amax(products, 1)
        better = value > best[rows]
        best[rows] = xp.where(better, value, best[rows])
        index[rows] = xp.where(better, there + start, index[rows])
    return _numpy(index)


def nearest(z: np.ndarray, memory: Any, block: int = BLOCK) -> np.ndarray:
    """Nearest-neighbour decoding: argmax_m <z, m>, (n, d) float32, rows of the memory as they are."""
    return np.asarray(_numpy(memory[nearest_index(z, memory, block)]), dtype=np.float32)


def nearest_few(z: np.ndarray, memory: Any, k: int, block: int = BLOCK) -> np.ndarray:
    """Indices of the k rows of the memory with the largest dot products, nearest first, (n, min(k, m)) int64. Raises
    ValueError as `nearest_index`."""
    xp, queries, memory = _check(z, memory)
    k = min(k, len(memory))
    best, index = np.full((len(z), k), -np.inf, np.float32), np.zeros((len(z), k), np.int64)
    for rows, start, _, products in _products(xp, queries, memory, block):
        there = np.broadcast_to(np.arange(start, start + products.shape[1]), products.shape)
        values, places = np.hstack([best[rows], _numpy(products)]), np.hstack([index[rows], there])
        few = np.argpartition(-values, k - 1, axis=1)[:, :k]
        best[rows], index[rows] = np.take_along_axis(values, few, 1), np.take_along_axis(places, few, 1)
    return np.take_along_axis(index, np.argsort(-best, axis=1, kind="stable"), 1)


def project(z: np.ndarray, memory: Any, tau: float = 0.01, block: int = BLOCK) -> np.ndarray:
    """Projection-based decoding (DeCap, Li et al. 2023): normalise(sum_m softmax(<z, m> / tau) m), (n, d), unit rows.

    The softmax is accumulated block by block with a running maximum, so it is exact: to the last bits of float32 where
    numpy has at most EXACT products, else to 1e-5. tau > 0. Raises ValueError as `nearest_index`.
    """
    if not tau > 0:
        raise ValueError(f"expected tau > 0, found {tau}")
    xp, queries, memory = _check(z, memory)
    exact = xp is np and len(queries) * len(memory) <= EXACT
    total = xp.zeros_like(queries, dtype=xp.float64 if exact else xp.float32)  # (n, d); the weights' own sum cancels
    top = xp.full_like(total[:, 0], -np.inf)
    for rows, _, some, products in _products(xp, queries, memory, block):
        weights = products.astype(np.float64) if exact else products
        weights /= tau
        new_top = xp.maximum(top[rows], xp.amax(weights, 1))
        weights -= new_top[:, None]
        if not exact:
            xp.clip(weights, LEAST, 0, out=weights)
        xp.exp(weights, out=weights)
        total[rows] *= xp.exp(top[rows] - new_top)[:, None]
        total[rows] += weights @ (some.astype(np.float64) if exact else some)
        top[rows] = new_top
    total = _numpy(total)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _products(xp: Any, z: Any, memory: Any, block: int):
    """Yields (slice of z, first memory row, memory rows, products (rows, block)) over all blocks."""
    for q in range(0, len(z), QUERIES):
        rows = slice(q, min(q + QUERIES, len(z)))
        for start in range(0, len(memory), block):
            some = memory[start : start + block]
            some = np.asarray(some, dtype=np.float32) if xp is np else some
            if q == 0:  # each block once, not for all queries again
                _finite(xp, some, "the memory", start)
            yield rows, start, some, z[rows] @ some.T


def _finite(xp: Any, z: Any, what: str, start: int = 0) -> None:
    """Raises ValueError naming the first row that is not finite. A row's sum shows it, without an array of z's size."""
    for i in np.flatnonzero(~np.isfinite(_numpy(xp.sum(z, 1)))):
        if not np.isfinite(_numpy(z[i])).all():
            raise ValueError(f"row {start + i} of {what} is not finite: it is no embedding")


def _check(z: np.ndarray, memory: Any) -> tuple[Any, Any, Any]:
    """The library that multiplies (numpy or torch), z as it takes it, and the memory."""
    z = np.asarray(z, dtype=np.float32)
    if z.ndim != 2 or memory.ndim != 2 or z.shape[1] != memory.shape[1]:
        raise ValueError(f"expected z (n, d) and memory (m, d), found {z.shape} and {tuple(memory.shape)}")
    if not len(memory):
        raise ValueError("the memory is empty: it needs at least one caption")
    _finite(np, z, "z")
    if isinstance(memory, np.ndarray):
        return np, z, memory
    import torch

    return torch, torch.tensor(z, device=memory.device), memory


def _numpy(array: Any) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
