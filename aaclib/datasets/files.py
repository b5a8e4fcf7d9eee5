"""Reading the small files of data sets (tables of captions in CSV, TSV, JSON and JSONL) and finding audio by name."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aaclib.config import Data, raw_dir
from aaclib.datasets import Clip, DatasetError
from aaclib.escape import uncells

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".oga", ".opus", ".aif", ".aiff")


# ---- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    where: str                         # "captions.csv, line 12", for messages
    cells: dict[str, Any]              # column -> text (CSV) or JSON value

    def text(self, column: str) -> str:
        value = self.cells.get(column)
        return "" if value is None else str(value).strip()


def read_table(path: Path, needs: Iterable[str] = (), encoding: str = "utf-8-sig") -> list[Row]:
    """All rows of a CSV, TSV, JSON (a list of objects, or an object whose "data" is one) or JSONL file.

    Raises DatasetError for a file that is missing, empty, in another encoding or form, naming the line, and for one
    without a column that it `needs`.
    """
    text = read_text(path, encoding=encoding)
    readers = {".json": _json, ".jsonl": _jsonl, ".ndjson": _jsonl}
    rows = list(readers.get(path.suffix.lower(), _csv)(path, text))
    if not rows:
        raise DatasetError(f"{path} has no rows.")
    columns(path, rows, needs)
    return rows


def read_text(path: Path, setting: str = "", encoding: str = "utf-8-sig") -> str:
    """The whole text; `setting` (" (data.text)") says in the message where the path came from."""
    if not path.is_file():
        raise DatasetError(f"There is no file {path}{setting}.")
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig")
        raise DatasetError(f"{path} is not in {name} (byte {error.start}). Save it as UTF-8.") from error


def parse_json(text: str, where: object, line: int = 1) -> Any:
    """The value of a JSON text that begins in this line of the file `where`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{where}, line {line + error.lineno - 1}: no valid JSON ({error.msg}).") from error


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
            yield Row(where, uncells(cells))
    except csv.Error as error:
        raise DatasetError(f"{path.name}, line {reader.line_num}: {error}.") from error


def _json(path: Path, text: str) -> Iterator[Row]:
    tree = parse_json(text, path.name)
    items = tree.get("data") if isinstance(tree, dict) else tree
    if not isinstance(items, list):
        raise DatasetError(f'{path}: expected a list of objects, or an object whose "data" is one.')
    return (_object(item, f"{path.name}, item {number}") for number, item in enumerate(items))


def _jsonl(path: Path, text: str) -> Iterator[Row]:
    lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    return (_object(parse_json(line, path.name, number), f"{path.name}, line {number}") for number, line in lines)


def _object(item: object, where: str) -> Row:
    if not isinstance(item, dict):
        raise DatasetError(f"{where}: expected an object, found {type(item).__name__}.")
    return Row(where, item)


def columns(path: Path, rows: Sequence[Row], needs: Iterable[str] = ()) -> list[str]:
    """Every column that any row has, in order of appearance. Raises DatasetError if one of `needs` is not among them,
    with those that are and the nearest one."""
    have = list(dict.fromkeys(name for row in rows for name in row.cells))
    for name in needs:
        if name not in have:
            close = difflib.get_close_matches(name, have, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise DatasetError(f"{path} has no column '{name}'; it has {', '.join(map(repr, have))}.{hint}")
    return have


# ---- audio -----------------------------------------------------------------------------------------------------------


def data_folder(data: Data, name: str, must_exist: bool = True) -> Path:
    """The folder that `data.<name>` gives, which has to be there, or else data/raw/<name>, which need not."""
    given = getattr(data, name)
    folder = Path(given).expanduser() if given else raw_dir() / name
    if given and must_exist and not folder.is_dir():
        raise DatasetError(f"There is no folder {folder} (data.{name}).")
    return folder


def audio_files(folder: Path) -> list[Path]:
    """All audio files below a folder, sorted; hidden files and macOS's `._` leftovers are no recordings."""
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    found = (p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
    hidden = (".", "__MACOSX")
    return sorted(p for p in found if not any(part.startswith(hidden) for part in p.relative_to(folder).parts))


def with_audio(clips: Collection[Clip], files: Mapping[str, Path]) -> tuple[list[Clip], tuple[str, ...]]:
    """Those clips that have a file (clip id -> file), each with it, and the ids of the others."""
    here = [replace(clip, audio=files[clip.id]) for clip in clips if clip.id in files]
    return here, tuple(clip.id for clip in clips if clip.id not in files)


def name_key(name: str) -> str:
    """A file name without what unpackers and file systems change: outer and repeated spaces, case, Unicode form, and
    characters that are not allowed everywhere."""
    return re.sub(r"[\s_:?*\"<>|\\/]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


def match_names(names: Iterable[str], files: Sequence[Path]) -> dict[str, Path]:
    """name -> file: the exact name first, else the only one with the same `name_key`."""
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


def some(names: Iterable[object], n: int = 5) -> str:
    """The first few of many names, for a message."""
    names = list(map(str, names))
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
