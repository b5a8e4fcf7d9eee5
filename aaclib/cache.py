"""What was computed once, by content: one SQLite file per kind in the store, safe for several processes and for kills.

Captions are short and many, so a folder each (`Store.get`) would be slow; a transaction is as atomic. The file's name
holds the code version of the kind, and entries made before `store.refresh` are not used. Each value stands behind
eight bytes of the sha256 of key and value: an entry that does not fit them is none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aaclib.store import VERSIONS, Store

BUSY_S = 60.0
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SUM = 8  # bytes of the checksum in front of a value
_said: set[Path | None] = set()


def key(*parts: Any) -> bytes:
    """16 bytes that stand for any JSON-like content."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode()).digest()[:16]


def _sum(key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(key + value).digest()[:SUM]


class Cache:
    """`store=None`: keeps nothing. A cache that cannot be opened or written is reported once and done without; one that
    is damaged is begun anew."""

    def __init__(self, kind: str, store: Store | None):
        self.path = store.root / kind / f"v{VERSIONS[kind]}.sqlite" if store else None
        self.refresh = store.refresh if store else 0.0

    @classmethod
    def at(cls, path: Path) -> Self:
        """One that belongs to no kind of artefact."""
        cache = cls("", None)
        cache.path = path
        return cache

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The known ones among `keys`."""
        wanted, entries = list(dict.fromkeys(keys)), {}
        if self.path is None or not self.path.exists():
            return entries
        with self._forgiving(), self._open() as db:
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                marks = ",".join("?" * len(part))
                entries.update(
                    db.execute(
                        f"SELECT key, value FROM entries WHERE made >= ? AND key IN ({marks})", (self.refresh, *part)
                    )
                )
        sound = {k: v[SUM:] for k, v in entries.items() if isinstance(v, bytes) and v[:SUM] == _sum(k, v[SUM:])}
        if len(sound) < len(entries):
            self._say(f"{len(entries) - len(sound)} entries are damaged or of an earlier version; they are made again.")
        return sound

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        if self.path is None or not entries:
            return
        with self._forgiving():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB, made REAL)")
                db.executemany(
                    "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)",
                    [(k, _sum(k, v) + v, time.time()) for k, v in entries.items()],
                )

    def complete(
        self,
        items: Iterable[str],
        make: Callable[[list[str]], Sequence],
        pack: Callable[[Any], bytes],
        unpack: Callable[[bytes], Any],
        made_by: Any,
    ) -> dict[str, Any]:
        """item -> value: what is kept, and for the others what `make` gives (a list of as many), which is then kept.
        made_by: what decides a value beside the item, as JSON; of another nothing is taken."""
        keys = {item: key(made_by, item) for item in dict.fromkeys(items)}
        known = self.get(keys.values())
        values = {item: unpack(known[k]) for item, k in keys.items() if k in known}
        if fresh := [item for item in keys if item not in values]:
            new = dict(zip(fresh, make(fresh), strict=True))
            self.put({keys[item]: pack(value) for item, value in new.items()})
            values |= new
        return values

    def _open(self) -> contextlib.closing[sqlite3.Connection]:
        """To read and write, or, as SQLite does by itself, only to read where the file cannot be written."""
        assert self.path is not None  # who asks has looked
        db = sqlite3.connect(self.path, timeout=BUSY_S)
        db.text_factory = bytes  # a damaged entry may call itself text
        return contextlib.closing(db)

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """The cache only saves time: where it fails, say so once and compute."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
                self._say(f"damaged ({error}); a new one is begun.")
                with contextlib.suppress(OSError):
                    if self.path:
                        self.path.unlink(missing_ok=True)
            elif "no such table" not in str(error):  # another process just made the file
                self._say(f"{error}; it is done without.")

    def _say(self, what: str) -> None:
        if self.path not in _said:
            _said.add(self.path)
            print(f"{self.path}: {what}", file=sys.stderr)
