"""What was computed once, by content: one SQLite file a kind in the store, safe for several processes and for kills.

Captions are short and many, so a folder each (`Store.get`) would be slow; a transaction is as atomic. The file's name
holds the code version of the kind, and entries made before `store.refresh` are not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aaclib.store import VERSIONS, Store

BUSY_S = 60.0
_said: set[str] = set()


def key(*parts: Any) -> bytes:
    """16 bytes that stand for any JSON-like content."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode()).digest()[:16]


class Cache:
    """`store=None`: keeps nothing. A cache that cannot be opened or written is reported once and done without."""

    def __init__(self, kind: str, store: Store | None):
        self.path = store.root / kind / f"v{VERSIONS[kind]}.sqlite" if store else None
        self.refresh = store.refresh if store else 0.0

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The known ones among `keys`."""
        wanted, found = list(dict.fromkeys(keys)), {}
        if self.path is None or not self.path.exists():
            return found
        with self._forgiving(), self._open() as db:
            for start in range(0, len(wanted), 500):
                part = wanted[start:start + 500]
                marks = ",".join("?" * len(part))
                found.update(db.execute(f"SELECT key, value FROM entries WHERE made >= ? AND key IN ({marks})",
                                        (self.refresh, *part)))
        return found

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        if self.path is None or not entries:
            return
        with self._forgiving():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB, made REAL)")
                db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)",
                               [(k, v, time.time()) for k, v in entries.items()])

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=BUSY_S)
        try:
            yield db
        finally:
            db.close()

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """The cache only saves time: where it fails, say so once and compute."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if "no such table" in str(error):           # another process has just made the file
                return
            if str(self.path) not in _said:
                _said.add(str(self.path))
                print(f"{self.path}: {error}; scores are computed without it. Delete the file if it is damaged.",
                      file=sys.stderr)
