"""Artefacts: every result that took work is kept under the hash of what it was made from.

An artefact is a folder `<root>/<kind>/<id>/` with the files that its builder wrote and `artefact.json`, which says
how it was made. `id` hashes the kind, the version of the code that makes that kind, and the key: the parameters and
the ids of the inputs. A builder works in `<id>.part`, which is renamed when it is done, so a folder named by an id is
always whole. A builder that was killed finds its own `.part` again and may go on from what it wrote there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from aaclib.config import cache_dir

# Bump the number when the code that makes a kind changes what it makes; `tests/unit/test_versions.py` demands it.
VERSIONS = {
    "scenes": 1,       # rendered audio of a synthetic world
    "scene-captions": 1,
    "tiny-clap": 3,    # a trained tiny CLAP
    "audio-embeddings": 1,
    "text-embeddings": 1,
    "decoder": 1,
    "captions": 1,
    "tokens": 1,       # PTB-tokenised captions
    "meteor": 1,
    "spice": 1,
    "scores": 1,
}


class StoreError(RuntimeError):
    """An artefact that cannot be made or read; the message names the file and what to do."""


@dataclass(frozen=True)
class Artefact:
    kind: str
    id: str
    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def meta(self) -> dict[str, Any]:
        return json.loads((self.path / "artefact.json").read_text())


class Store:
    """`root`: the folder that holds all artefacts. `refresh`: artefacts made before this time (Unix seconds) are
    made again, which is how `--force` reaches through processes."""

    def __init__(self, root: str | Path | None = None, refresh: float | None = None):
        self.root = Path(root) if root else cache_dir()
        self.refresh = refresh if refresh is not None else float(os.environ.get("AACLIB_REFRESH", 0))

    def id(self, kind: str, key: dict[str, Any]) -> str:
        """Sixteen hex digits. `key` may hold JSON values, dataclasses, paths' names and other artefacts."""
        text = json.dumps([kind, VERSIONS[kind], _plain(key)], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def find(self, kind: str, key: dict[str, Any]) -> Artefact | None:
        """The finished artefact, or None."""
        artefact = Artefact(kind, self.id(kind, key), self.root / kind / self.id(kind, key))
        try:
            fresh = artefact.meta["made"] >= self.refresh
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (json.JSONDecodeError, KeyError) as error:
            raise StoreError(f"{artefact / 'artefact.json'} is damaged ({error}). "
                             f"Delete {artefact.path} and run again.") from error
        return artefact if fresh else None

    def get(self, kind: str, key: dict[str, Any], build: Callable[[Path], dict[str, Any] | None]) -> Artefact:
        """The artefact of this key, made by `build(folder)` if it is not there yet.

        `build` writes its files into `folder` and may return a dict of small facts for `artefact.json`. After a kill
        it is called with the same folder, contents kept: a builder that resumes must write its files atomically
        (`write_bytes`, `write_json`), one that does not simply writes them again.
        """
        if found := self.find(kind, key):
            return found
        final = self.root / kind / self.id(kind, key)
        part = final.with_name(final.name + ".part")
        part.mkdir(parents=True, exist_ok=True)
        with locked(final.with_name(final.name + ".lock")):
            if found := self.find(kind, key):      # another process was faster
                return found
            part.mkdir(parents=True, exist_ok=True)
            started = time.time()
            facts = build(part) or {}
            record = {
                "kind": kind, "id": final.name, "version": VERSIONS[kind], "key": _plain(key),
                "facts": _plain(facts), "made": time.time(), "seconds": round(time.time() - started, 2),
            }
            write_json(part / "artefact.json", record)
            if final.exists():
                shutil.rmtree(final)
            os.replace(part, final)
        return Artefact(kind, final.name, final)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path`; the operating system releases it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary name beside `path` that takes its place when the block ends well, and is removed when not."""
    path = Path(path)
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
    """The value of a JSON file. Raises StoreError that names the file where it is damaged."""
    try:
        return json.loads(Path(path).read_text())
    except json.JSONDecodeError as error:
        raise StoreError(f"{path} is damaged ({error}). Delete it and run again.") from error


def digest(value: Any) -> str:
    """Sixteen hex digits of any JSON-like value or of bytes."""
    if not isinstance(value, bytes):
        value = json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(value).hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """sha256 of a file's content, in full."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


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
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:   # numpy scalars
        return value.item()
    return value
