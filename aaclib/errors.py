"""How an error is told to whoever gave the command."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

from aaclib.paths import cache_dir, existing, runs_dir
from aaclib.store import NO_ROOM

# what libraries say of it: libsndfile knows no more than "System error", SQLite and tempfile have words of their own
SIGNS = (*map(os.strerror, NO_ROOM), "disk is full", "System error", "No usable temporary directory")
NOTHING, LITTLE = 1 << 20, 100 << 20  # bytes free: too little for anything; little enough to be the one that is full


def for_the_user(error: Exception) -> bool:
    """Our own error classes, and files that are not there or may not be touched."""
    return type(error).__module__.split(".")[0] == "aaclib" or (isinstance(error, OSError) and bool(error.filename))


def message(error: Exception) -> str:
    """What the error says; with its class where it was not made for people, and the worker that it happened to."""
    said = str(error) if for_the_user(error) else f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.filename:
        said = f"{error.filename}: {error.strerror}"
    return " ".join([said, *getattr(error, "__notes__", ())])


def no_room(said: object) -> str:
    """How much room our folders have, what is kept and what helps, where an error (or its text) says that something
    could not be written for want of room; else ""."""
    folders = (runs_dir(), cache_dir(), Path(os.environ.get("TMPDIR") or "/tmp"))
    free = {str(folder): shutil.disk_usage(existing(folder)).free for folder in folders}
    if not any(sign in str(said) for sign in SIGNS) and min(free.values()) >= NOTHING:
        return ""
    short = {folder: size for folder, size in free.items() if size < LITTLE}
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    why = [f"{folder} has {size / 2**20:,.1f} MiB free" for folder, size in (short or free).items()]
    if limit != resource.RLIM_INFINITY:
        why = [f"no file may be larger than {limit:,} bytes (ulimit -f)"]
    return (
        f"There is no room to write: {'; '.join(why)}. All that was finished is kept. Make room, or move what "
        f"needs it (export AACLIB_RUNS=DIR AACLIB_CACHE=DIR TMPDIR=DIR), and give the same command: it goes on."
    )
