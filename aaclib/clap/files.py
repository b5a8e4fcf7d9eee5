"""Content digests of users' files, remembered by path, size and times, so that a corpus is hashed once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from aaclib.config import cache_dir
from aaclib.names import printable
from aaclib.store import file_digest


def digests(paths: Iterable[str | Path], table: Path | None = None) -> list[str]:
    """sha256 of each file's whole content, in order; '' for a file that cannot be read (decoding will say why).

    `table`: the SQLite file that remembers them, by default `file-digests.sqlite` in the cache folder.
    """
    table = table or cache_dir() / "file-digests.sqlite"
    table.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(table, timeout=60, isolation_level=None)) as database:
        database.execute("pragma journal_mode = wal")
        database.execute("create table if not exists files "
                         "(path text primary key, stamp text not null, digest text not null)")
        return [_digest(Path(path), database) for path in paths]


def _digest(path: Path, database: sqlite3.Connection) -> str:
    try:
        status, name = path.stat(), printable(path.resolve())
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
        row = database.execute("select digest from files where path = ? and stamp = ?", (name, stamp)).fetchone()
        value = row[0] if row else file_digest(path)
    except OSError:
        return ""
    if not row:
        database.execute("insert or replace into files values (?, ?, ?)", (name, stamp, value))
    return value
