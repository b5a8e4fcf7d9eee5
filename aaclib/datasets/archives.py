"""Archives (.zip, .7z) that unpack whole or not at all, and never outside their folder."""

from __future__ import annotations

import contextlib
import errno
import lzma
import os
import shutil
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from aaclib.datasets.download import DownloadError, Remote, fetch, need_space, short

# what Python's own unpackers raise for a damaged archive
SPOILT = (zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, NotImplementedError, RuntimeError)


@contextlib.contextmanager
def fetched(file: Remote, archive: Path, allowed: bool) -> Iterator[Path]:
    """The archive, downloaded if it is not there; a downloaded one is removed when the block ends well, unpacked."""
    own = archive.is_file()
    yield fetch(file, archive, allowed)
    if not own:
        archive.unlink()


def extract(archive: Path, target: Path, keep: Callable[[str], bool] = lambda name: True) -> list[Path]:
    """Unpacks the files of a .zip or .7z whose base name `keep` accepts into the folder `target`, flat, by their base
    names, and returns them sorted. Raises DownloadError, and changes nothing, for a damaged archive, a member that
    would leave the folder, a link, two files of one name, or a disk without room."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with _opened(archive) as handle:
            entries, size = _checked(archive, handle)
            need_space(target.parent, size, f"Unpacking {archive.name}")
            part.mkdir(parents=True)
            print(f"Unpacking {archive.name}: {entries} entries, {size / 1e6:.0f} MB", file=sys.stderr, flush=True)
            handle.extractall(part)
        files = (p for p in part.rglob("*") if p.is_file() and not p.is_symlink())
        unpacked = [p for p in files if keep(p.name) and not p.name.startswith("._") and "__MACOSX" not in p.parts]
        if not unpacked:
            raise DownloadError(f"{archive} holds none of the files that it should. Delete it and run again.")
        names = [p.name for p in unpacked]
        if len(set(names)) < len(names):
            twice = min(name for name in names if names.count(name) > 1)
            raise DownloadError(f"{archive} holds two files of one name: {twice}.")
        if target.is_dir() and any(target.iterdir()):
            whole = target  # beside what is there already
        else:
            whole = part / ".whole"  # moved in one step: all or nothing, even when killed
            whole.mkdir()
        for path in unpacked:
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


def _checked(archive: Path, handle: Any) -> tuple[int, int]:
    """Number of entries and bytes, unpacked. Raises DownloadError for a member that could do harm."""
    if isinstance(handle, zipfile.ZipFile):
        members = [(m.filename, m.file_size, stat.S_ISLNK(m.external_attr >> 16)) for m in handle.infolist()]
    else:
        members = [(m.filename, m.uncompressed or 0, m.is_symlink) for m in handle.list()]
    for name, _, is_link in members:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[:1] or name[1:2] == ":":
            raise DownloadError(
                f"{archive} has a member that would be written outside its folder ({name!r}). "
                f"It is not the published archive: delete it."
            )
        if is_link:
            raise DownloadError(f"{archive} has a link in it ({name!r}). It is not the published archive: delete it.")
    return len(members), sum(size for _, size, _ in members)


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[Any]:
    """The archive, open as a ZipFile or SevenZipFile; what the unpackers raise for a damaged one, as one error."""
    import py7zr
    import py7zr.exceptions

    seven = py7zr.exceptions
    broken = (*SPOILT, seven.ArchiveError, seven.AbsolutePathError, seven.PasswordRequired)
    try:
        with (py7zr.SevenZipFile if archive.suffix == ".7z" else zipfile.ZipFile)(archive) as handle:
            yield handle
    except DownloadError:
        raise
    except broken as error:
        raise DownloadError(f"{archive} is no whole archive ({short(error)}). Delete it and run again.") from error
