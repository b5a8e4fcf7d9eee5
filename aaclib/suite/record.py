"""The folder of a run: its record run.json, what its stages wrote, and what a kill left there.

run.json                          what each finished stage was made from, wrote and cost
notebooks/<target>/<name>.ipynb   executed notebooks; those of the whole run lie in notebooks/ itself
figures/, tables/, logs/          the same for figures (<target>/<name>) and logs; tables of all targets lie together
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aaclib.store import Damaged, read_record, temporary, write_record
from aaclib.suite import notebook
from aaclib.sums import sums


class RunError(RuntimeError):
    """A run that cannot begin; the message says what to do."""


class Folder:
    """What lies below data/runs/<run>."""

    def __init__(self, path: Path):
        self.path, self.record_path = path, path / "run.json"

    def read(self) -> dict[str, Any]:
        """What `run.json` says; an empty record where there is none, and where it was changed, which is said."""
        try:
            return read_record(self.record_path)
        except FileNotFoundError:
            return {"stages": {}}
        except Damaged as error:
            error.made_again()
            return {"stages": {}}

    def write(self, record: Mapping[str, Any]) -> None:
        write_record(self.record_path, record)

    def notebook(self, place: str) -> Path:
        """The executed notebook of a stage (`Stage.place`)."""
        return self.path / "notebooks" / f"{place}.ipynb"

    def log(self, place: str, suffix: str = "log") -> Path:
        return self.path / "logs" / f"{place}.{suffix}"

    def executed(self, place: str) -> dict[str, list]:
        """The `sums` of a notebook that was just executed, under the name that it will have."""
        [executed] = sums(self.path, [f"notebooks/{place}{notebook.PART}"]).values()
        return {f"notebooks/{place}.ipynb": executed}

    def files(self) -> dict[str, int]:
        """Figures and tables of the run with their times."""
        paths = [path for part in ("figures", "tables") for path in self.visible(part)]
        return {p.relative_to(self.path).as_posix(): p.stat().st_mtime_ns for p in paths}

    def visible(self, part: str, pattern: str = "*") -> list[Path]:
        """The files of one part of the run, but for hidden ones: what is being written, and Jupyter's checkpoints."""
        paths = sorted((self.path / part).rglob(pattern))
        return [p for p in paths if p.is_file() and "/." not in f"/{p.relative_to(self.path).as_posix()}"]

    def settle(self, record: Mapping[str, Any]) -> None:
        """Gives executed notebooks their names once the record tells of them, so that at any moment a stage is either
        finished or not begun, and removes those of which it does not tell."""
        told = {name: recorded for stage in record["stages"].values() for name, recorded in stage["files"].items()}
        for part in self.visible("notebooks", f"*{notebook.PART}"):
            place = part.relative_to(self.path / "notebooks").as_posix().removesuffix(notebook.PART)
            if self.executed(place).items() <= told.items():
                os.replace(part, self.notebook(place))
            else:
                part.unlink()

    def sweep(self, record: Mapping[str, Any]) -> None:
        """Removes what a kill left of an earlier start."""
        self.settle(record)
        for own in list((self.path / "notebooks").rglob(notebook.OWN)):
            shutil.rmtree(own, ignore_errors=True)
        for path in self.path.rglob(".*"):
            if temporary(path):
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Two runs of one profile would write over each other's notebooks. Raises RunError for the second, and where
        nothing can be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = open(self.path / ".lock", "w")
        except OSError as error:
            raise RunError(
                f"Results cannot be written to {self.path} ({error.filename}: {error.strerror}). Fix "
                f"that, or choose another folder: export AACLIB_RUNS=DIR"
            ) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(
                    f"Another run of '{self.path.name}' is at work in {self.path}. Wait for it, or give "
                    f"this one a name of its own with --set name=NAME."
                ) from error
            yield

    def listing(self) -> Iterable[str]:
        """Where everything lies, a line for each part."""
        for part, pattern in (("tables", "*.csv"), ("figures", "*.pdf"), ("notebooks", "*.ipynb")):
            count = len([p for p in self.visible(part, pattern) if not p.stem.endswith((".part", ".failed"))])
            yield f"  {part:<10} {self.path / part}" + (f"   ({count} {pattern})" if count else "   (none yet)")
        yield f"  {'record':<10} {self.record_path}"
