"""Projection and nearest neighbours of a large memory, against their bare float32 products and the published way.

    python benchmarks/memory.py [--queries 256] [--rows 5000 100000 1000000] [--rounds 3]

The published way (zelaki/wsac), restated: one query at a time against the whole memory. Bare: the two products (for
nearest one) over the same blocks. The ways take turns; each has the least of its times. Peak memory beyond the arrays
is printed, and how far a projection is from that of one query at a time.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aaclib import memory
from aaclib.bridge import unit

DIM, TAU, ONE_BY_ONE = 512, 0.01, 4  # the published way is timed on so many queries


def rows(sizes: Sequence[int] = (5_000, 100_000), queries: int = 256, rounds: int = 3) -> list[dict[str, Any]]:
    """Two rows for each size of the memory: name, ours_s, published_s, bare_s, ratio = published_s / ours_s."""
    return [row for size in sizes for row in of_size(size, queries, rounds)]


def of_size(size: int, queries: int, rounds: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    held = np.empty((size, DIM), np.float32)
    for start in range(0, size, 16384):
        held[start : start + 16384] = unit(rng.standard_normal((min(16384, size - start), DIM), dtype=np.float32))
    # as far from its nearest as a recording is from its caption
    z = unit(held[rng.integers(size, size=queries)] + 0.08 * rng.standard_normal((queries, DIM), dtype=np.float32))
    ways: dict[str, dict[str, Callable[[], object]]] = {
        "projection": {
            "ours_s": lambda: memory.project(z, held, TAU),
            "published_s": lambda: [softmaxed(one, held) for one in z[:ONE_BY_ONE]],
            "bare_s": lambda: [(z @ block.T) @ block for block in blocks(held)],
        },
        "nearest": {
            "ours_s": lambda: memory.nearest(z, held),
            "published_s": lambda: [held[(held @ one).argmax()] for one in z[:ONE_BY_ONE]],
            "bare_s": lambda: [z @ block.T for block in blocks(held)],
        },
    }
    before = peak_mib()
    error = np.abs(memory.project(z[:8], held, TAU) - np.stack([softmaxed(one, held) for one in z[:8]])).max()
    memory.project(z, held, TAU)
    print(f"{size:,} rows: within {error:.1e} of one query at a time, {peak_mib() - before:.0f} MiB more at the peak")
    found = []
    for name, sides in ways.items():
        best = dict.fromkeys(sides, np.inf)
        for _ in range(rounds):
            best = {side: min(best[side], seconds(way)) for side, way in sides.items()}
        best["published_s"] *= queries / min(queries, ONE_BY_ONE)
        ratio = best["published_s"] / best["ours_s"]
        found.append({"name": f"{name}, {queries} x {size:,} x {DIM}", **best, "ratio": ratio})
    return found


def softmaxed(one: np.ndarray, held: np.ndarray) -> np.ndarray:
    """One query (d,) -> (d,), by the formula."""
    scaled = (held @ one) / TAU
    weights = np.exp(scaled - scaled.max())
    mixed = (weights / weights.sum()) @ held
    return mixed / np.linalg.norm(mixed)


def blocks(held: np.ndarray, size: int = 16384):
    return (held[start : start + size] for start in range(0, len(held), size))


def seconds(way: Callable[[], object]) -> float:
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for row in rows(options.rows, options.queries, options.rounds):
        print(
            f"{row['name']:<36} {row['ours_s']:.3f} s; published {row['published_s']:.2f} s, {row['ratio']:.1f}x; "
            f"bare {row['bare_s']:.3f} s, ours is {row['ours_s'] / row['bare_s']:.2f}x that"
        )


if __name__ == "__main__":
    main()
