"""The memory: CLAP text embeddings of the training captions, to which audio embeddings are brought at inference.

Both products run over blocks of the memory, so that a million captions need no (n, m) matrix.
"""

from __future__ import annotations

import numpy as np

BLOCK = 16384  # memory rows at a time: 64 MB of products for 1,000 queries in float32
QUERIES = 1024


def nearest_index(z: np.ndarray, memory: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """Index of the memory row with the largest dot product for each row of `z`, (n,) int64; the first one of equals.

    z: (n, d) float32; memory: (m, d) float32, may be memory-mapped. Raises ValueError for shapes that do not fit, and
    for a row that is not finite, naming it: nothing is near it, or everything.
    """
    z, memory = _check(z, memory)
    best = np.full(len(z), -np.inf, dtype=np.float32)
    index = np.zeros(len(z), dtype=np.int64)
    for rows, start, products in _products(z, memory, block):
        there = products.argmax(1)
        value = products[np.arange(len(products)), there]
        better = value > best[rows]
        best[rows] = np.where(better, value, best[rows])
        index[rows] = np.where(better, there + start, index[rows])
    return index


def nearest(z: np.ndarray, memory: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """Nearest-neighbour decoding: argmax_m <z, m>, (n, d) float32, rows of the memory as they are."""
    return np.asarray(memory[nearest_index(z, memory, block)], dtype=np.float32)


def nearest_few(z: np.ndarray, memory: np.ndarray, k: int, block: int = BLOCK) -> np.ndarray:
    """Indices of the k rows of the memory with the largest dot products, nearest first, (n, min(k, m)) int64. Raises
    ValueError as `nearest_index`."""
    z, memory = _check(z, memory)
    k = min(k, len(memory))
    best = np.full((len(z), k), -np.inf, dtype=np.float32)
    index = np.zeros((len(z), k), dtype=np.int64)
    for rows, start, products in _products(z, memory, block):
        there = np.broadcast_to(np.arange(start, start + products.shape[1]), products.shape)
        values, places = np.hstack([best[rows], products]), np.hstack([index[rows], there])
        few = np.argpartition(-values, k - 1, axis=1)[:, :k]
        best[rows], index[rows] = np.take_along_axis(values, few, 1), np.take_along_axis(places, few, 1)
    return np.take_along_axis(index, np.argsort(-best, axis=1, kind="stable"), 1)


def project(z: np.ndarray, memory: np.ndarray, tau: float = 0.01, block: int = BLOCK) -> np.ndarray:
    """Projection-based decoding (DeCap, Li et al. 2023): normalise(sum_m softmax(<z, m> / tau) m), (n, d), unit rows.

    The softmax is accumulated block by block with a running maximum, so it is exact. tau > 0. Raises ValueError as
    `nearest_index`.
    """
    if not tau > 0:
        raise ValueError(f"expected tau > 0, found {tau}")
    z, memory = _check(z, memory)
    top = np.full(len(z), -np.inf, dtype=np.float64)
    total = np.zeros((len(z), z.shape[1]), dtype=np.float64)  # the weights' own sum cancels in the normalisation
    for rows, start, products in _products(z, memory, block):
        scaled = products.astype(np.float64) / tau
        new_top = np.maximum(top[rows], scaled.max(1))
        weights = np.exp(scaled - new_top[:, None])
        total[rows] *= np.exp(top[rows] - new_top)[:, None]
        total[rows] += weights @ memory[start : start + products.shape[1]].astype(np.float64)
        top[rows] = new_top
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _products(z: np.ndarray, memory: np.ndarray, block: int):
    """Yields (slice of z, first memory row, products (rows, block)) over all blocks."""
    for q in range(0, len(z), QUERIES):
        rows = slice(q, min(q + QUERIES, len(z)))
        for start in range(0, len(memory), block):
            some = np.asarray(memory[start : start + block], dtype=np.float32)
            if q == 0:  # each block once, not for all queries again
                _finite(some, "the memory", start)
            yield rows, start, z[rows] @ some.T


def _finite(z: np.ndarray, what: str, start: int = 0) -> None:
    """Raises ValueError naming the first row that is not finite. A row's sum shows it, without an array of z's size."""
    for i in np.flatnonzero(~np.isfinite(z.sum(axis=1))):
        if not np.isfinite(z[i]).all():
            raise ValueError(f"row {start + i} of {what} is not finite: it is no embedding")


def _check(z: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = np.asarray(z, dtype=np.float32)
    if z.ndim != 2 or memory.ndim != 2 or z.shape[1] != memory.shape[1]:
        raise ValueError(f"expected z (n, d) and memory (m, d), found {z.shape} and {memory.shape}")
    if not len(memory):
        raise ValueError("the memory is empty: it needs at least one caption")
    _finite(z, "z")
    return z, memory
