"""Content digests of users' files, remembered by path, size and times, so that a corpus is hashed once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from aaclib.config import cache_dir
from aaclib.store import file_digest

CREATE = "create table if not exists files (path text primary key, stamp text not null, digest text not null)"
FIND = "select digest from files where path = ? and stamp = ?"


def digests(paths: Iterable[str | Path], table: Path | None = None) -> list[str]:
    """sha256 of each file's whole content, in order; '' for a file that cannot be read (decoding will say why).

    `table`: the SQLite file that remembers them, by default `file-digests.sqlite` in the cache folder.
    """
    table = table or cache_dir() / "file-digests.sqlite"
    table.parent.mkdir(parents=True, exist_ok=True)
    result = []
    with closing(sqlite3.connect(table, timeout=60, isolation_level=None)) as database:
        database.execute("pragma journal_mode = wal")
        database.execute(CREATE)
        for path in map(Path, paths):
            try:
                status, name = path.stat(), str(path.resolve())
                stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
                row = database.execute(FIND, (name, stamp)).fetchone()
                value = row[0] if row else file_digest(path)
            except OSError:
                result.append("")
                continue
            if not row:
                database.execute("insert or replace into files values (?, ?, ?)", (name, stamp, value))
            result.append(value)
    return result


def digest_of(path: str | Path) -> str:
    """sha256 of one file's content; raises OSError where it cannot be read."""
    return digests([path])[0] or file_digest(path)
