"""Reading the small files of data sets (tables of captions in CSV, TSV, JSON and JSONL) and finding audio by name."""

from __future__ import annotations

import csv
import difflib
import io
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aaclib.config import Data, raw_dir
from aaclib.datasets import Clip, DatasetError
from aaclib.names import told_apart

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".oga", ".opus", ".aif", ".aiff", ".wave", ".bwf", ".rf64", ".w64",
                  ".aifc", ".mpga", ".mp2", ".au", ".snd", ".caf", ".sph", ".nist", ".voc", ".sf", ".ircam", ".svx",
                  ".8svx", ".avr", ".paf", ".pvf")
FOREIGN_SUFFIXES = (".m4a", ".m4b", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".ac3", ".eac3", ".dts", ".ape", ".wv",
                    ".tta", ".mka", ".weba", ".webm", ".spx", ".mpc", ".ra", ".rm", ".dsf", ".dff")     # not decoded
HIDDEN = (".", "__MACOSX")


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
            yield Row(where, cells)
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
    folder = home_path(given) if given else raw_dir() / name
    if given and must_exist and not folder.is_dir():
        raise DatasetError(f"There is no folder {folder} (data.{name}).")
    return folder


def home_path(path: str | Path) -> Path:
    """`path` with ~ or ~user in front as that home folder; a name that merely begins with ~ stays."""
    try:
        return Path(path).expanduser()
    except RuntimeError:                   # nobody of that name has a home
        return Path(path)


def audio_files(folder: Path) -> list[Path]:
    """All recordings below a folder, sorted, those in linked folders too; hidden files and macOS's leftovers are none.

    What cannot be decoded here (m4a, wma ...) is a recording as well, so that it is named and not forgotten, unless it
    stands there in another format under the same name.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    found = [path for path in _files_below(folder) if _suffix(path) in AUDIO_SUFFIXES + FOREIGN_SUFFIXES]
    beside = {path.with_suffix("") for path in found if _suffix(path) in AUDIO_SUFFIXES}
    return sorted(p for p in found if p.is_file() and (_suffix(p) in AUDIO_SUFFIXES or p.with_suffix("") not in beside))


def by_stem(folder: Path) -> dict[str, Path]:
    """File name without suffix -> the first recording of that name below a folder, one that can be decoded before one
    that cannot."""
    files = audio_files(folder) if folder.is_dir() else []
    return {file.stem: file for file in sorted(reversed(files), key=lambda file: _suffix(file) in AUDIO_SUFFIXES)}


def _suffix(path: Path) -> str:
    return path.suffix.strip().lower()


def _files_below(folder: Path) -> Iterator[Path]:
    """Each folder once, whatever links lead to it, and under its own name if it has one below `folder`."""
    seen, todo = set(), [folder]
    for start in todo:                     # it grows by the links that are met
        for here, folders, names in os.walk(start):
            real = Path(here).resolve()
            folders[:] = [name for name in sorted(folders) if real not in seen and not name.startswith(HIDDEN)]
            if real not in seen:
                seen.add(real)
                yield from (Path(here, name) for name in names if not name.startswith(HIDDEN))
                links = (path for path in (Path(here, name) for name in folders) if path.is_symlink())
                todo += [link for link in links if not real.is_relative_to(link.resolve())]      # that were a loop


def with_audio(clips: Collection[Clip], files: Mapping[str, Path]) -> tuple[list[Clip], tuple[str, ...]]:
    """Those clips that have a file (clip id -> file), each with it, and the ids of the others."""
    here = [replace(clip, audio=files[clip.id]) for clip in clips if clip.id in files]
    return here, tuple(clip.id for clip in clips if clip.id not in files)


def doubts(doubtful: Mapping[str, Sequence[Path]]) -> list[str]:
    """The note on clips whose name could mean several files (`names.match_names`), if there are any."""
    shown = [f"{name} ({', '.join(files)})" for name, *files in (told_apart([n, *f]) for n, f in doubtful.items())]
    return [f"{len(shown)} clips are left out whose names could each mean several files: {some(shown, 3)}. Give them "
            f"exact names, with their folders."] if shown else []


def some(names: Iterable[object], n: int = 5) -> str:
    """The first few of many names, for a message."""
    names = list(map(str, names))
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
