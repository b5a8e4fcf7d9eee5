"""`aaclib lab`: JupyterLab on working copies of the notebooks, so that reading and playing leave the project as it is.

A copy whose cells are as they came follows the project's notebook when that changes; one that was edited stays.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from aaclib.paths import project_root, work_dir
from aaclib.provenance import notebook_digest
from aaclib.screen import HEADLESS
from aaclib.store import Damaged, read_json, replacing, write_json
from aaclib.suite import notebook

COPIED = ".copied.json"  # notebook -> the digest of its cells when it was copied


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="make the copies, say what would be started, and end")
    parser.add_argument(
        "options", nargs="*", metavar="OPTION", help="for JupyterLab, after --: -- --no-browser --port 8889"
    )


def run(args: argparse.Namespace) -> int:
    root, folder = project_root(), work_dir() / "notebooks"
    for line in refresh(root / "notebooks", folder):
        print(line)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.absolute()}", *args.options]
    print(f"Working copies of the notebooks: {folder}", flush=True)
    if args.dry_run:
        print(shlex.join(command))
        return 0
    os.execve(command[0], command, environment(root))


def environment(root: Path) -> dict[str, str]:
    """JupyterLab's, and through it its kernels': they find aaclib, data and runs from wherever a notebook lies."""
    values = {**os.environ, **notebook.environment(root)}
    del values[HEADLESS]  # somebody looks on
    return values


def refresh(source: Path, folder: Path) -> Iterator[str]:
    """Brings the copies of all notebooks below `source` to `folder` up to date; yields a line for each that was edited
    and therefore kept although its original has changed since."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = _copied(folder)
    for original in sorted(source.rglob("*.ipynb")):
        name = original.relative_to(source).as_posix()
        if "/." in f"/{name}":  # Jupyter's checkpoints
            continue
        now, copy = notebook_digest(original), folder / name
        if copy.exists() and copied.get(name) == now:
            continue
        if copy.exists() and _digest(copy) not in (copied.get(name), now):
            yield f"{name} has changed in the project. Your copy is edited and stays; delete {copy} to get the new one."
            continue
        with replacing(copy) as temporary:
            shutil.copyfile(original, temporary)
        copied[name] = now
    write_json(folder / COPIED, copied)


def _copied(folder: Path) -> dict[str, str]:
    try:
        return read_json(folder / COPIED)
    except (FileNotFoundError, Damaged):  # then every copy that differs counts as edited
        return {}


def _digest(path: Path) -> str:
    """Of a copy's cells; "" of one that is no notebook any more."""
    try:
        return notebook_digest(path)
    except (ValueError, KeyError, TypeError):
        return ""
