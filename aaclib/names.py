"""File names: which ones are equal, which ones only look so, and which file a table means."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path


def name_key(name: str) -> str:
    """A file name without what unpackers and file systems change: outer and repeated spaces, case, Unicode form, and
    characters that are not allowed everywhere."""
    return re.sub(r"[\s_:?*\"<>|\\/]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


def match_names(
    names: Iterable[str], files: Iterable[Path], taken: Collection[Path] = ()
) -> tuple[dict[str, Path], dict[str, list[Path]]]:
    """name -> file, and the names that could mean several files, with these.

    A name, with or without its suffix, means the only file of exactly that name; where there is none, the only one with
    the same `name_key` that is not `taken` and that no other name means exactly. Folders in a name decide where several
    files have it.
    """
    exact, loose = defaultdict(list), defaultdict(list)
    for file in files:
        for name in {file.name, file.stem}:
            exact[name].append(file)
            loose[name_key(name)].append(file)
    names = {name: Path(name) for name in names}
    hits = {name: exact.get(path.name, []) for name, path in names.items()}
    taken = {*taken, *(file for means in hits.values() if len(means) == 1 for file in means)}
    meant, doubtful = {}, {}
    for name, path in names.items():
        several = hits[name] or [file for file in loose.get(name_key(path.name), []) if file not in taken]
        several = [file for file in several if _ends_with(file, path)] or several
        if len(several) == 1:
            meant[name] = several[0]
        elif several:
            doubtful[name] = several
    return meant, doubtful


def printable(name: str | Path) -> str:
    """A name that can be written anywhere: bytes in it that are no text (a file system allows any) as escapes."""
    return str(name).encode(errors="backslashreplace").decode()


def told_apart(names: Iterable[object], among: Iterable[object] = ()) -> list[str]:
    """Names or paths for a message, in quotes; one that ends like another, of them or `among` those, in escapes."""
    written = list(map(str, names))
    looks = Counter(_look(name) for name in {*written, *map(str, among)})
    return [ascii(name) if looks[_look(name)] > 1 else repr(name) for name in written]


def _look(name: str) -> str:
    return unicodedata.normalize("NFKC", Path(name).name).strip()


def _ends_with(file: Path, path: Path) -> bool:
    parents = zip(reversed(path.parts[:-1]), reversed(file.parts[:-1]), strict=False)
    return all(name_key(wanted) == name_key(there) for wanted, there in parents)
