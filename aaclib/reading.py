"""The one reader of tables and text that people bring: CSV with commas, semicolons or tabs, JSON, JSONL, plain lines.

What is doubtful is an error that names the file and the line, never fewer rows than the file has. UTF-8 with or
without its mark and what Excel saves as UTF-16 are read; lines end with LF, CR LF or CR, and nowhere else.
"""

from __future__ import annotations

import ast
import contextlib
import csv
import difflib
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aaclib.escape import uncell

UTF8 = ("utf-8-sig",)
MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
NO_TEXT = {
    b"PK\x03\x04": "an Excel or OpenDocument sheet (.xlsx, .ods) or another ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel sheet (.xls)",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x1f\x8b": "a file packed by gzip",
    b"%PDF": "a PDF",
}
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
AUDIO = re.compile(r"\.(wave?|w64|flac|mp3|mpga|og[ga]|opus|aiff?|au|m4a|aac|mp4|webm)$", re.IGNORECASE)
_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ITEM = rf"(?:{_STRING}|None|null|nan|NaN)"
_LIST = re.compile(rf"\s*\[\s*(?:{_ITEM}(?:[\s,]+{_ITEM})*[\s,]*)?\]\s*", re.DOTALL)  # numpy's have no commas


class TableError(ValueError):
    """A file that cannot be read as a table or text; the message names it, the line and what to do."""


@contextlib.contextmanager
def raising(kind: type[Exception]) -> Iterator[None]:
    """Turns a TableError into the error of who asked; also as a decorator."""
    try:
        yield
    except TableError as error:
        raise kind(str(error)) from error


@dataclass(frozen=True)
class Row:
    where: str  # "captions.csv, line 12", for messages
    cells: dict[str, Any]  # column -> text (CSV) or JSON value; a list where columns share a name

    def values(self, column: str) -> list[Any]:
        """Every value: of all columns of this name, of a JSON list, and of a list that is written into a cell."""
        cell = self.cells.get(column)
        return [value for one in (cell if isinstance(cell, list) else [cell]) for value in listed(one)]

    def texts(self, column: str) -> list[str]:
        """The values that are not empty. Raises TableError for one that is no text."""
        values = [value for value in self.values(column) if value is not None]
        if wrong := [value for value in values if isinstance(value, (list, dict))]:
            raise TableError(f"{self.where}: column '{column}' holds {wrong[0]!r:.80}, not text.")
        return [text for text in map(str, values) if text.strip()]

    def text(self, column: str) -> str:
        """The one value without outer spaces, "" where there is none. Raises TableError for several."""
        return self._one(column).strip()

    def name(self, column: str) -> str:
        """The one value as it stands, for names may begin with a space. Raises TableError for none and for several."""
        if not self._one(column).strip():
            raise TableError(f"{self.where}: no file name or id in column '{column}'.")
        return self._one(column)

    def _one(self, column: str) -> str:
        value = self.cells.get(column)
        if isinstance(value, (list, dict)):
            raise TableError(
                f"{self.where}: column '{column}' holds {len(value)} values where one is expected. Is the "
                f"column there several times?"
            )
        return "" if value is None else str(value)


def listed(value: Any) -> list[Any]:
    """The texts of a list that is written into a cell, as JSON or Python writes it; any other value is one."""
    if not isinstance(value, str) or not _LIST.fullmatch(value):
        return [value]
    with contextlib.suppress(ValueError):
        return [text for text in json.loads(value) if isinstance(text, str)]
    with contextlib.suppress(ValueError, SyntaxError):
        return [ast.literal_eval(text) for text in re.findall(_STRING, value, re.DOTALL)]
    return [value]


def read_table(path: Path, needs: Iterable[str] = (), encodings: Sequence[str] = UTF8) -> list[Row]:
    """All rows of a CSV, TSV, JSON or JSONL file. JSON: a list of objects, an object whose "data" or "annotations"
    (COCO) is one, or one object of clips and captions, whose columns are 'clip' and 'caption'.

    Raises TableError for a file that is missing, empty, in another encoding or form, naming the line, and for one
    without a column that it `needs`.
    """
    text = read_text(path, encodings=encodings)
    readers = {".json": _json, ".jsonl": _jsonl, ".ndjson": _jsonl}
    rows = list(readers.get(path.suffix.lower(), _csv)(path, text))
    if not rows:
        raise TableError(f"{path} has no rows.")
    columns(path, rows, needs)
    return rows


def read_text(path: Path, setting: str = "", encodings: Sequence[str] = UTF8) -> str:
    """The whole text, with line feeds as its only line ends, in the first of `encodings` that it is in; `setting`
    (" (data.text)") says in the message where the path came from."""
    if not path.is_file():
        raise TableError(f"There is no file {path}{setting}.")
    content = path.read_bytes()
    if what := next((what for start, what in NO_TEXT.items() if content.startswith(start)), ""):
        raise TableError(f"{path} is {what}, no text: save it as CSV (UTF-8), and give that file.")
    encodings = next(((name,) for mark, name in MARKS.items() if content.startswith(mark)), encodings)
    text = _decoded(path, content, encodings)
    if "\0" in text:
        raise TableError(
            f"{path}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a NUL byte, which no text "
            f"has. Is it in UTF-16 or damaged? Save it as UTF-8."
        )
    return re.sub("\r\n?", "\n", text)


def _decoded(path: Path, content: bytes, encodings: Sequence[str]) -> str:
    first, *others = encodings
    try:
        return content.decode(first)
    except UnicodeDecodeError as error:
        if others:
            return _decoded(path, content, others)
        name = first.removesuffix("-sig")
        raise TableError(f"{path} is not in {name} (byte {error.start}). Save it as UTF-8.") from error


def read_lines(path: Path, setting: str = "") -> list[str]:
    """The lines of a file that are not blank, without outer spaces."""
    return [line.strip() for line in read_text(path, setting).split("\n") if line.strip()]


def columns(path: Path, rows: Sequence[Row], needs: Iterable[str] = ()) -> list[str]:
    """Every column that any row has, in order of appearance. Raises TableError if one of `needs` is not among them,
    with those that are and the nearest one."""
    have = list(dict.fromkeys(name for row in rows for name in row.cells))
    for name in needs:
        if name not in have:
            close = difflib.get_close_matches(name, have, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise TableError(f"{path} has no column '{name}'; it has {', '.join(map(repr, have))}.{hint}")
    return have


# ---- CSV -------------------------------------------------------------------------------------------------------------


def _csv(path: Path, text: str) -> Iterator[Row]:
    delimiter = _delimiter(text, "\t,;" if path.suffix.lower() == ".tsv" else ",\t;")
    records = _records(path, text, delimiter)
    _, header = next(records, (0, []))
    places = {name: [i for i, other in enumerate(header) if other == name] for name in header}
    for line, cells in records:
        where = f"{path.name}, line {line}"
        if len(cells) != len(header):
            raise TableError(
                f"{where}: {'more' if len(cells) > len(header) else 'fewer'} cells than columns "
                f"({len(cells)}, not {len(header)}). A cell with a {DELIMITERS[delimiter]} must stand in "
                f"quotes."
            )
        if cells == header:  # files that were joined carry their header again
            raise TableError(f"{where} is the header once more. Remove that line.")
        yield Row(where, {name: [cells[i] for i in at] if at[1:] else cells[at[0]] for name, at in places.items()})


def _delimiter(text: str, preferred: str) -> str:
    """The first of `preferred` that the header has outside quotes."""
    header = re.sub('"[^"]*"', "", text.lstrip("\n").split("\n", 1)[0])
    return next((delimiter for delimiter in preferred if delimiter in header), ",")


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line of its beginning, cells) of each record that is not blank.

    A lone quote turns inside and outside round for what follows it. So a record whose quotes do not pair up is right
    only where the odd one is surely text: not if the record runs over lines, and not if that quote ends a cell and some
    cell up to there began with one. Two lone quotes are known by the file names between them.
    """
    taken: list[str] = []
    reader = csv.reader(_kept(io.StringIO(text), taken), delimiter=delimiter, strict=True)
    begins, begun = re.compile(f'^"|{delimiter}"', re.MULTILINE), False
    try:
        for cells in reader:
            record = "".join(taken)
            begun = begun or bool(begins.search(record))
            ends = begun and any(cell.endswith('"') and cell.count('"') % 2 for cell in cells)
            if record.count('"') % 2 and (len(taken) > 1 or ends):
                raise csv.Error("it does not pair up with another one")
            line = reader.line_num - len(taken) + 1
            if rows := [
                inner
                for cell in cells
                if "\n" in cell
                for inner in cell.split("\n")
                if delimiter in inner and any(map(AUDIO.search, inner.split(delimiter)))
            ]:
                raise _quotes(
                    f"{path.name}, line {line}",
                    f"a cell in quotes begins here that holds '{rows[0]:.60}', which looks like a row",
                )
            if cells:
                yield line, [*map(uncell, cells)]
            taken.clear()
    except csv.Error as error:
        line = reader.line_num - len(taken) + 1 + _opened(taken)
        raise _quotes(f"{path.name}, line {line}", f"a quote here is not closed ({error})") from error


def _kept(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _opened(lines: list[str]) -> int:
    """Which of a record's lines has the quote that is still open at its end."""
    quotes, place = 0, 0
    for i, line in enumerate(lines):
        place = place if quotes % 2 else i
        quotes += line.count('"')
    return place


def _quotes(where: str, what: str) -> TableError:
    return TableError(f"{where}: {what}. A cell in quotes ends with a quote, and a quote in its text is written twice.")


# ---- JSON ------------------------------------------------------------------------------------------------------------


def parse_json(text: str, where: object) -> Any:
    """The value of a JSON text of the file `where`. NaN and Infinity, which JSON has not, are null; an object with a
    key twice is an error. Raises TableError."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) and "\n" in text else ""
        raise TableError(f"{where}{line}: no valid JSON ({getattr(error, 'msg', error)}).") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"an object has the key {key!r} twice")
        members[key] = value
    return members


def _json(path: Path, text: str) -> Iterator[Row]:
    tree = parse_json(text, path.name)
    if isinstance(tree, dict):
        clips = [{"clip": name, **(v if isinstance(v, dict) else {"caption": v})} for name, v in tree.items()]
        inner = (tree[key] for key in ("data", "annotations") if isinstance(tree.get(key), list))
        tree = next(inner, clips if any(tree.values()) else None)
    if not isinstance(tree, list):
        raise TableError(
            f'{path}: expected a list of objects, an object whose "data" is one (COCO: "annotations"), or '
            f"one object of clips and captions."
        )
    return (_row(item, f"{path.name}, item {number}") for number, item in enumerate(tree))


def _jsonl(path: Path, text: str) -> Iterator[Row]:
    lines = ((f"{path.name}, line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return (_row(parse_json(line, where), where) for where, line in lines)


def _row(item: object, where: str) -> Row:
    if not isinstance(item, dict):
        raise TableError(f"{where}: expected a list of objects, found {type(item).__name__}.")
    return Row(where, item)
