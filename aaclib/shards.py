"""Rows made in shards: killed at any moment, the work goes on with the shards that are not yet there.

While an artefact is made, its folder holds `plan.json` (the partition into shards and batches, kept by whoever resumes,
because another one changes the last bits) and two hidden files per finished shard: its rows, and a record that names
the bad items and shows that the rows are whole.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aaclib.store import Damaged, read_record, replacing, write_bytes, write_record


def partition(part: Path, batch_size: int, shard: int | None, least: int = 64) -> dict[str, int]:
    """The partition: the one that this extraction began with, else a new one that is written down. The shards of one
    that is lost are, too."""
    try:
        return read_record(part / "plan.json")
    except FileNotFoundError:
        pass
    except Damaged as error:
        error.made_again()
    for file in part.glob(".shard-*"):
        file.unlink()
    write_record(part / "plan.json", {"batch_size": batch_size, "shard": shard or max(least, 4 * batch_size)})
    return read_record(part / "plan.json")


def each(part: Path, n: int, size: int) -> Iterator[tuple[int, int, Path]]:
    """(first, end, file) of the shards of `n` items."""
    for start in range(0, n, size):
        yield start, min(start + size, n), part / f".shard-{start // size:06d}.npy"


def save(file: Path, rows: np.ndarray) -> None:
    """Writes the whole array or nothing."""
    content = io.BytesIO()  # numpy does not say why it could not write a file
    np.save(content, rows)
    write_bytes(file, content.getvalue())


def save_shard(file: Path, rows: np.ndarray, errors: dict[str, str]) -> None:
    """Rows of the good items of a shard, then the record (places and reasons of the bad ones) that makes it count."""
    save(file, rows)
    write_record(file.with_suffix(".json"), {"errors": errors}, files=[file.name])


def bad_items(file: Path) -> dict[str, str] | None:
    """The bad items of a finished shard, place in it -> why; None for one that has to be made, or made again because it
    is damaged."""
    try:
        return read_record(file.with_suffix(".json"))["errors"]
    except FileNotFoundError:
        return None
    except Damaged as error:
        error.made_again()
        return None


def gather(part: Path, order: np.ndarray, n: int, size: int, dim: int) -> None:
    """rows.npy from the shards of `n` items, one shard in memory at a time; row i is the shards' row order[i]."""
    with replacing(part / "rows.npy") as temporary:
        if len(order) == 0:
            np.save(temporary, np.empty((0, dim), np.float32))
            return
        rows, done = np.lib.format.open_memmap(temporary, "w+", np.float32, (len(order), dim)), 0
        if hasattr(os, "posix_fallocate"):  # else a full disk ends the process when a page is written
            with open(temporary, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        for _, _, file in each(part, n, size):
            block = np.load(file, mmap_mode="r")
            here = np.flatnonzero((order >= done) & (order < done + len(block)))
            rows[here] = block[order[here] - done]
            done += len(block)
        rows.flush()
