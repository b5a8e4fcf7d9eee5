"""Artefacts: every result that took work is kept under the hash of what it was made from.

An artefact is a folder `<root>/<kind>/<id>/` with the files that its builder wrote and `artefact.json`, which says
how it was made, with size and sha256 of each file. `id` hashes the kind, the version of the code that makes that kind,
and the key: the parameters and the ids of the inputs. A builder works in `<id>.part`, which is renamed when it is done.
A builder that was killed finds its own `.part` again and may go on from what it wrote there; hidden files in it serve
that alone and go when it is done.

What disks and people do to finished files is seen when a process first opens an artefact, for they are hashed then. An
artefact that does not fit its sums, or that has none (earlier versions wrote none), counts as not there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from aaclib.paths import cache_dir
from aaclib.sums import changed, sums
from aaclib.told import tell

# Bump the number when the code that makes a kind changes what it makes; `tests/unit/test_versions.py` demands it.
VERSIONS = {
    "scenes": 2,  # rendered audio of a synthetic world
    "scene-captions": 2,
    "tiny-clap": 4,  # a trained tiny CLAP
    "audio-embeddings": 2,
    "text-embeddings": 2,
    "decoder": 2,
    "captions": 1,
    "candidates": 1,  # several captions for each clip
    "tokens": 1,  # PTB-tokenised captions
    "meteor": 1,
    "spice": 1,
    "scores": 1,
}

RECORD = "artefact.json"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_opened: dict[Path, tuple[tuple, dict]] = {}  # folder -> stamp and content of a record whose files all fit


class StoreError(RuntimeError):
    """An artefact that cannot be made or read; the message names the file and what to do."""


class Damaged(StoreError):
    """(path, why): a file, or the folder of an artefact, that is not as it was written."""

    def __str__(self) -> str:
        return "{} is damaged ({}). Delete it and run again.".format(*self.args)

    def made_again(self) -> None:
        """Says so on stderr."""
        print("{} is damaged ({}): it is made again.".format(*self.args), file=sys.stderr)


@dataclass(frozen=True)
class Artefact:
    kind: str
    id: str
    path: Path

    def __repr__(self) -> str:
        return f"Artefact({self.kind}/{self.id})"

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def meta(self) -> dict[str, Any]:
        return read_record(self.path / RECORD, content=False)


class Store:
    """`root`: the folder that holds all artefacts. `refresh`: artefacts made before this time (Unix seconds) are
    made again, which is how `--force` reaches through processes."""

    def __init__(self, root: str | Path | None = None, refresh: float | None = None):
        self.root = Path(root) if root else cache_dir()
        self.refresh = refresh if refresh is not None else float(os.environ.get("AACLIB_REFRESH", 0))
        self.making: Callable[[str], None] = lambda kind: None  # called before an artefact of a kind is made

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def id(self, kind: str, key: dict[str, Any]) -> str:
        """Sixteen hex digits. `key` may hold JSON values, dataclasses, paths' names and other artefacts."""
        text = json.dumps([kind, VERSIONS[kind], _plain(key)], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def find(self, kind: str, key: dict[str, Any]) -> Artefact | None:
        """The finished artefact, or None; also where it is damaged, for `get` makes it again."""
        with contextlib.suppress(Damaged):
            return self.open(kind, key)
        return None

    def open(self, kind: str, key: dict[str, Any]) -> Artefact | None:
        """As `find`, for those who cannot make it: raises Damaged, which names the folder to delete."""
        artefact = Artefact(kind, self.id(kind, key), self.root / kind / self.id(kind, key))
        return artefact if artefact.path.is_dir() and _whole(artefact.path)["made"] >= self.refresh else None

    def get(self, kind: str, key: dict[str, Any], build: Callable[[Path], dict[str, Any] | None]) -> Artefact:
        """The artefact of this key, made by `build(folder)` if it is not there yet or does not fit its sums.

        `build` writes its files into `folder` and may return a dict of small facts for `artefact.json`. After a kill
        it is called with the same folder, contents kept: a builder that resumes must write its files atomically and
        check what it finds (`write_record`), one that does not simply writes them again.
        """
        if artefact := self.find(kind, key):
            return artefact
        final = self.root / kind / self.id(kind, key)
        part = final.with_name(final.name + ".part")
        with room(final), locked(final.with_name(final.name + ".lock")):
            try:
                if artefact := self.open(kind, key):  # another process was faster
                    return artefact
            except Damaged as error:
                error.made_again()
            done = 0.0
            with contextlib.suppress(Damaged):  # who was killed before the renaming had done all else
                done = _whole(part)["made"]
            if done <= self.refresh:
                self.making(kind)
                part.mkdir(exist_ok=True)
                started = time.time()
                facts = build(part) or {}
                spent = {"made": time.time(), "seconds": round(time.time() - started, 2)}
                made_from = {"kind": kind, "id": final.name, "version": VERSIONS[kind], "key": key}
                files = [path.relative_to(part).as_posix() for path in sorted(part.rglob("*")) if path.is_file()]
                contents = [name for name in files if name[0] != "." and name != RECORD]
                write_record(part / RECORD, {**made_from, "facts": facts, **spent}, contents)
            for scratch in part.glob(".*"):
                scratch.unlink()
            if final.exists():
                shutil.rmtree(final)
            os.replace(part, final)
            _note(final, read_record(final / RECORD, content=False))
        return Artefact(kind, final.name, final)


def _whole(folder: Path) -> dict[str, Any]:
    """The record of an artefact whose files all fit it; raises Damaged where they do not."""
    try:
        if _opened.get(folder, ((),))[0] != _stamp(folder):
            _note(folder, read_record(folder / RECORD))
        return _opened[folder][1]
    except FileNotFoundError:
        raise Damaged(folder, f"{RECORD} is gone") from None
    except Damaged as error:
        raise Damaged(folder, error.args[1]) from None


def _note(folder: Path, record: dict[str, Any]) -> None:
    """Remembers that a folder fits its record, and tells the runner what was opened."""
    _opened[folder] = _stamp(folder), record
    if folder.suffix != ".part":
        tell("opened", f"{folder.parent.name}/{folder.name}")


def _stamp(folder: Path) -> tuple:
    status = (folder / RECORD).stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path`; the operating system releases it when the process dies. The file goes with
    the lock: who waited for one that is gone by then asks for the next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(path, "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                gone = not os.path.samestat(os.fstat(handle.fileno()), path.stat())
            except FileNotFoundError:
                gone = True
            if gone:
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


@contextlib.contextmanager
def room(path: str | Path) -> Iterator[None]:
    """Where a disk, a quota or the largest size of a file is full: one StoreError that names `path`."""
    try:
        yield
    except Exception as error:
        told = re.search(r"os error (\d+)", str(error))  # by libraries in Rust
        number = getattr(error, "errno", None) or (int(told[1]) if told else None)
        if number not in NO_ROOM:
            raise
        raise StoreError(f"{path}: {os.strerror(number)}. Make room and run again; what is finished is kept.") from None


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary name beside `path` that takes its place when the block ends well, and is removed when not."""
    path = Path(path)
    with room(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def temporary(path: Path) -> bool:
    """Whether a file has a name such as `replacing` gives: it is being written, or a kill left it."""
    return bool(re.fullmatch(r"\..+(\.[^.]+)\.[a-z0-9_]{8}\1", path.name))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes the whole file or nothing."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    write_bytes(path, content.encode())


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(_plain(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The value of a JSON file. Raises Damaged."""
    try:
        return json.loads(Path(path).read_text())
    except ValueError as error:
        raise Damaged(path, error) from error


def write_record(path: str | Path, value: Mapping[str, Any], files: Iterable[str] | None = None) -> None:
    """A JSON object that cannot change unseen, nor can the `files` beside it (paths relative to its folder)."""
    value = value if files is None else {**value, "files": sums(Path(path).parent, files)}
    write_json(path, {**value, "checksum": digest(value)})


def read_record(path: str | Path, content: bool = True) -> dict[str, Any]:
    """What `write_record` wrote. Raises Damaged where it, or one of its files, has changed; without `content` only the
    sizes of these are compared."""
    record = read_json(path)
    if not isinstance(record, dict) or "checksum" not in record:
        raise Damaged(path, "it has no checksum, as those of earlier versions")
    if record.pop("checksum") != digest(record):
        raise Damaged(path, "its checksum does not fit")
    if wrong := changed(Path(path).parent, record.get("files", {}), content):
        raise Damaged(path, wrong)
    return record


def digest(value: Any) -> str:
    """Sixteen hex digits of any JSON-like value or of bytes."""
    if not isinstance(value, bytes):
        value = json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(value).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """The JSON form of a key: artefacts become their ids, dataclasses dicts, paths their names."""
    if isinstance(value, Artefact):
        return f"{value.kind}:{value.id}"
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return value.name
    if (item := getattr(value, "item", None)) and getattr(value, "ndim", 0) == 0:  # numpy scalars
        return item()
    return value
