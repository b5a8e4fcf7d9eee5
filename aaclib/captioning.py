"""Captions for many recordings: one bad file costs the others nothing, and what is made is kept at once.

for batch in caption_files(captioner, files):
    for one in batch:
        print(one.path, one.caption or one.error)
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aaclib.audio import AudioError
from aaclib.errors import message
from aaclib.store import digest, write_text
from aaclib.sums import file_digest

if TYPE_CHECKING:
    from aaclib.captioner import Captioner


class Captioned(NamedTuple):
    path: Path
    caption: str = ""
    error: str = ""  # why there is no caption; "" where there is one


def caption_files(
    captioner: Captioner, files: Sequence[Path], beam: int = 1, batch: int = 32, kept: Kept | None = None
) -> Iterator[list[Captioned]]:
    """What became of each file, in order, `batch` files at a time. With `kept`, captions that it has already are not
    made again, and new ones are on the disk when they are handed out."""
    for start in range(0, len(files), batch):
        part = files[start : start + batch]
        known = kept.find(part, [captioner.key, beam]) if kept is not None else {}
        made = _caption(captioner, [path for path in part if path not in known], beam)
        if kept is not None:
            kept.add(made)
        outcomes = known | {one.path: one for one in made}
        yield [outcomes[path] for path in part]


def _caption(captioner: Captioner, files: Sequence[Path], beam: int) -> list[Captioned]:
    """All at once, or else one by one: whatever one of them raises is told of that one alone."""
    try:
        return [Captioned(*pair) for pair in zip(files, captioner.caption(files, beam=beam), strict=True)]
    except Exception as error:
        if len(files) == 1:
            return [Captioned(files[0], error=error.reason if isinstance(error, AudioError) else message(error))]
    return [one for path in files for one in _caption(captioner, [path], beam)]


class Kept:
    """The captions of a table that is not finished, in `<table>.part` beside it: a line of JSON each, on the disk
    before the next batch begins. A line counts for one captioner, beam, file name and content; a line that a kill cut
    short counts for nothing. Raises OSError where the table cannot be written.
    """

    def __init__(self, table: Path):
        if table.exists() and not table.is_file():
            raise FileExistsError(17, "this is no file to write captions to", str(table))
        self.table, self.path = table, table.with_name(table.name + ".part")
        self.reused = 0  # captions that this command found here
        self._keys: dict[Path, str] = {}
        self._captions: dict[str, str] = {}
        table.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+b")
        self._file.seek(0)
        content = self._file.read()
        for line in content.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                if entry["sum"] == digest([entry["key"], entry["caption"]]):
                    self._captions[entry["key"]] = entry["caption"]
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self._captions:
            self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._captions)

    def find(self, files: Sequence[Path], about: Any) -> dict[Path, Captioned]:
        """Those of the files that are captioned already, by a captioner that `about` names (a JSON value)."""
        self._keys = {}
        for path in files:
            with contextlib.suppress(OSError):  # who captions it will say what is wrong with it
                if path.is_file():
                    self._keys[path] = digest([about, str(path), file_digest(path)])
        here = {path: self._captions.get(key) for path, key in self._keys.items()}
        kept = {path: Captioned(path, caption) for path, caption in here.items() if caption is not None}
        self.reused += len(kept)
        return kept

    def add(self, made: Sequence[Captioned]) -> None:
        for one in made:
            if not one.error and (key := self._keys.get(one.path)):
                self._captions[key] = one.caption
                entry = {"file_name": str(one.path), "caption": one.caption, "key": key}
                entry["sum"] = digest([key, one.caption])
                self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, content: str) -> None:
        """Writes the table, whole, and removes what was kept for it."""
        write_text(self.table, content)
        self._captions = {}
