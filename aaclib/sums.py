"""Size and sha256 of files: what shows that one was changed, cut, emptied or lost."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHARD = 2**28  # bytes under one sha256: the shards of a large file are hashed side by side
BLOCK = 2**20  # bytes that a thread holds


def sums(folder: Path, names: Iterable[str]) -> dict[str, list]:
    """name -> [size in bytes, sha256 of each shard] of files below `folder`."""
    sizes = {name: (folder / name).stat().st_size for name in names}
    shards = [(name, start) for name, size in sizes.items() for start in range(0, max(size, 1), SHARD)]
    recorded: dict[str, list] = {name: [size] for name, size in sizes.items()}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        digests = pool.map(lambda shard: _shard_digest(folder / shard[0], shard[1]), shards)
        for (name, _), digest in zip(shards, digests, strict=True):
            recorded[name].append(digest)
    return recorded


def changed(folder: Path, recorded: Mapping[str, list], content: bool = True) -> str:
    """What is wrong with the first of these files that does not fit its `sums` any more, or ''. Without `content` the
    sizes alone are looked at."""
    for name, (size, *_) in recorded.items():
        if not (folder / name).is_file():
            return f"{name} is gone"
        if (bytes_now := (folder / name).stat().st_size) != size:
            return f"{name} was changed: {bytes_now} bytes instead of {size}"
    try:
        now = sums(folder, recorded) if content else recorded
    except OSError as error:
        return f"it cannot be read: {error}"
    return next((f"{name} was changed" for name in recorded if now[name] != recorded[name]), "")


def file_digest(path: str | Path) -> str:
    """sha256 of a file's content, in full."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _shard_digest(path: Path, start: int) -> str:
    digest, left = hashlib.sha256(), SHARD
    with open(path, "rb") as handle:
        handle.seek(start)
        while block := handle.read(min(left, BLOCK)):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()
