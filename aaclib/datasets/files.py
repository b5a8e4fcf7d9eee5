"""Reading the small files of data sets: tables of captions in CSV, TSV, JSON and JSONL, and finding audio by name."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aaclib.datasets import DatasetError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".oga", ".opus", ".aif", ".aiff")


@dataclass(frozen=True)
class Row:
    where: str                         # "captions.csv, line 12", for messages
    cells: dict[str, Any]              # column -> text (CSV) or JSON value

    def text(self, column: str) -> str:
        value = self.cells.get(column)
        return "" if value is None else str(value).strip()


def read_table(path: Path, encoding: str = "utf-8-sig") -> list[Row]:
    """All rows of a CSV, TSV, JSON (a list of objects, or an object whose "data" is one) or JSONL file.

    Raises DatasetError for a file that is missing, empty, in another encoding or form, naming the line.
    """
    if not path.is_file():
        raise DatasetError(f"There is no file {path}.")
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not in {encoding} (byte {error.start}). Save it as UTF-8.") from error
    readers = {".json": _json, ".jsonl": _jsonl, ".ndjson": _jsonl}
    rows = list(readers.get(path.suffix.lower(), _csv)(path, text))
    if not rows:
        raise DatasetError(f"{path} has no rows.")
    return rows


def _csv(path: Path, text: str) -> Iterator[Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            where = f"{path.name}, line {reader.line_num}"
            if None in cells:
                raise DatasetError(f"{where}: more cells than columns. A caption with a comma must stand in quotes.")
            if list(cells.values()) == list(cells):          # files that were joined carry their header again
                raise DatasetError(f"{where} is the header once more. Remove that line.")
            yield Row(where, cells)
    except csv.Error as error:
        raise DatasetError(f"{path.name}, line {reader.line_num}: {error}.") from error


def _json(path: Path, text: str) -> Iterator[Row]:
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path.name}, line {error.lineno}: no valid JSON ({error.msg}).") from error
    items = tree.get("data") if isinstance(tree, dict) else tree
    if not isinstance(items, list):
        raise DatasetError(f'{path}: expected a list of objects, or an object whose "data" is one.')
    for number, item in enumerate(items):
        where = f"{path.name}, item {number}"
        if not isinstance(item, dict):
            raise DatasetError(f"{where}: expected an object, found {type(item).__name__}.")
        yield Row(where, item)


def _jsonl(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            item = json.loads(line)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{where}: no valid JSON ({error.msg}).") from error
        if not isinstance(item, dict):
            raise DatasetError(f"{where}: expected an object, found {type(item).__name__}.")
        yield Row(where, item)


def columns(rows: Sequence[Row]) -> list[str]:
    """Every column that any row has, in order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row.cells))


def require(path: Path, rows: Sequence[Row], names: Iterable[str]) -> None:
    """Raises DatasetError if a column is missing, with the columns that are there and the nearest one."""
    have = columns(rows)
    for name in names:
        if name not in have:
            close = difflib.get_close_matches(name, have, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise DatasetError(f"{path} has no column '{name}'; it has {', '.join(map(repr, have))}.{hint}")


def audio_files(folder: Path) -> list[Path]:
    """All audio files below a folder, sorted; hidden files and macOS's `._` leftovers are no recordings."""
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    found = (p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
    hidden = (".", "__MACOSX")
    return sorted(p for p in found if not any(part.startswith(hidden) for part in p.relative_to(folder).parts))


def name_key(name: str) -> str:
    """A file name without what unpackers and file systems change: outer and repeated spaces, case, Unicode form, and
    characters that are not allowed everywhere."""
    return re.sub(r"[\s_:?*\"<>|\\/]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


def match_names(names: Iterable[str], files: Iterable[Path]) -> dict[str, Path]:
    """name -> file: the exact name first, else the only one with the same `name_key`."""
    files = list(files)
    exact = {file.name: file for file in files}
    loose: dict[str, list[Path]] = {}
    for file in files:
        loose.setdefault(name_key(file.name), []).append(file)
    found = {}
    for name in names:
        candidates = [exact[name]] if name in exact else loose.get(name_key(name), [])
        if len(candidates) == 1:
            found[name] = candidates[0]
    return found


def some(names: Sequence[str], n: int = 5) -> str:
    """The first few of many names, for a message."""
    names = list(names)
    return ", ".join(map(str, names[:n])) + (f" and {len(names) - n} more" if len(names) > n else "")
