"""Archives (.zip, .7z) that unpack whole or not at all, and never outside their folder."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aaclib.datasets.download import DownloadError, need_space, short


@dataclass(frozen=True)
class Member:
    name: str
    size: int
    is_dir: bool
    is_link: bool


def extract(archive: Path, target: Path, keep: Callable[[str], bool] = lambda name: True) -> list[Path]:
    """Unpacks the files of a .zip or .7z whose base name `keep` accepts into the folder `target`, flat, by their base
    names, and returns them sorted. Raises DownloadError, and changes nothing, for a damaged archive, a member that
    would leave the folder, a link, two files of one name, or a disk without room."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        members = _members(archive)
        _check(archive, members)
        need_space(target.parent, sum(m.size for m in members), f"Unpacking {archive.name}")
        part.mkdir(parents=True)
        size = sum(m.size for m in members)
        print(f"Unpacking {archive.name}: {len(members)} entries, {size / 1e6:.0f} MB", file=sys.stderr, flush=True)
        with _damaged(archive):
            _unpack(archive, part)
        files = (p for p in part.rglob("*") if p.is_file() and not p.is_symlink())
        found = [p for p in files if keep(p.name) and not p.name.startswith("._") and "__MACOSX" not in p.parts]
        if not found:
            raise DownloadError(f"{archive} holds none of the files that it should. Delete it and run again.")
        names = [p.name for p in found]
        if len(set(names)) < len(names):
            twice = min(name for name in names if names.count(name) > 1)
            raise DownloadError(f"{archive} holds two files of one name: {twice}.")
        if target.is_dir() and any(target.iterdir()):
            whole = target                                   # beside what is there already
        else:
            whole = part / ".whole"                          # moved in one step: all or nothing, even when killed
            whole.mkdir()
        for path in found:
            os.replace(path, whole / path.name)
        if whole != target:
            os.replace(whole, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(f"The disk is full: no room to unpack {archive.name} in {target.parent}.") from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sorted(target / name for name in names)


def _members(archive: Path) -> list[Member]:
    with _damaged(archive):
        if archive.suffix == ".7z":
            import py7zr

            with py7zr.SevenZipFile(archive) as handle:
                return [Member(f.filename, f.uncompressed or 0, f.is_directory, f.is_symlink) for f in handle.list()]
        with zipfile.ZipFile(archive) as handle:
            return [Member(f.filename, f.file_size, f.is_dir(), stat.S_ISLNK(f.external_attr >> 16))
                    for f in handle.infolist()]


def _check(archive: Path, members: list[Member]) -> None:
    for member in members:
        path = PurePosixPath(member.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[:1] or member.name[1:2] == ":":
            raise DownloadError(f"{archive} has a member that would be written outside its folder ({member.name!r}). "
                                f"It is not the published archive: delete it.")
        if member.is_link:
            raise DownloadError(f"{archive} has a link in it ({member.name!r}). It is not the published archive: "
                                f"delete it.")


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".7z":
        import py7zr

        with py7zr.SevenZipFile(archive) as handle:
            handle.extractall(folder)
    else:
        with zipfile.ZipFile(archive) as handle:
            handle.extractall(folder)


@contextlib.contextmanager
def _damaged(archive: Path) -> Iterator[None]:
    """What the unpackers raise for a damaged archive, as one error."""
    import lzma
    import zlib

    import py7zr

    broken = (py7zr.exceptions.ArchiveError, py7zr.exceptions.AbsolutePathError, py7zr.exceptions.PasswordRequired,
              zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, NotImplementedError, RuntimeError)
    try:
        yield
    except DownloadError:
        raise
    except broken as error:
        raise DownloadError(f"{archive} is no whole archive ({short(error)}). Delete it and run again.") from error
