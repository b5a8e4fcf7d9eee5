"""The small files of data sets: reading their tables, and finding audio by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from aaclib import reading
from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError
from aaclib.paths import raw_dir

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".oga", ".opus", ".aif", ".aiff")

# the one reader of tables, whose errors are a data set's here
read_table, read_text, read_lines, parse_json = map(
    reading.raising(DatasetError), (reading.read_table, reading.read_text, reading.read_lines, reading.parse_json))


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
