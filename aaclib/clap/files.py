"""Content digests of users' files, remembered by path, size and times, so that a corpus is hashed once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from aaclib.cache import Cache, key
from aaclib.names import printable
from aaclib.paths import cache_dir
from aaclib.sums import file_digest

CHUNK = 256  # files whose digests are remembered together


def digests(paths: Iterable[str | Path], table: Path | None = None) -> list[str]:
    """sha256 of each file's whole content, in order; '' for a file that cannot be read (decoding will say why).

    `table`: the SQLite file that remembers them, by default `file-digests.sqlite` in the cache folder.
    """
    paths, cache = list(map(Path, paths)), Cache.at(table or cache_dir() / "file-digests.sqlite")
    return [one for i in range(0, len(paths), CHUNK) for one in _digests(paths[i : i + CHUNK], cache)]


def _digests(paths: list[Path], cache: Cache) -> list[str]:
    keys = list(map(_key, paths))
    known, fresh = cache.get(own for own in keys if own), {}
    for path, own in zip(paths, keys, strict=True):
        if own and own not in known and own not in fresh:
            with contextlib.suppress(OSError):
                fresh[own] = file_digest(path).encode()
    cache.put(fresh)
    known |= fresh
    return [known.get(own or b"", b"").decode() for own in keys]


def _key(path: Path) -> bytes | None:
    """Of a file as it stands now; None where there is none."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return key(printable(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return None
