"""Finished runs: what their `run.json` says. `run` is the name of a profile (or a name that was given), or a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aaclib.config import Config, ConfigError, load
from aaclib.paths import cache_dir, runs_dir
from aaclib.store import RECORD, Damaged, read_record


def settings(run: str | Path, device: str | None = None) -> Config:
    """The settings of a finished run, with another device where one is given. Raises ConfigError where there is no such
    run."""
    described = _described(run)
    here = {"cluster": "", **({"device": device} if device else {})}  # what is asked of it is done by this machine
    return load(described["profile"], {**described.get("overrides", {}), **here})


def opened(run: str | Path) -> frozenset[str]:
    """The artefacts ("kind/id") that the stages of a run opened; none where there is no record of it."""
    try:
        stages = read_record(record_of(run)).get("stages", {}).values()
    except (FileNotFoundError, Damaged):
        return frozenset()
    return frozenset(name for stage in stages for name in stage.get("artefacts", ()))


def record_of(run: str | Path) -> Path:
    """Where the `run.json` of a run lies, or would lie."""
    return (Path(run) if Path(run).is_dir() else runs_dir() / str(run)) / "run.json"


def _described(run: str | Path) -> dict[str, Any]:
    """The record of a finished run. Raises ConfigError where there is none, and store.Damaged where it was changed."""
    record = record_of(run)
    if not record.is_file():
        there = sorted(path.parent.name for path in runs_dir().glob("*/run.json"))
        raise ConfigError(
            f"There is no finished run '{run}' ({record} is missing). "
            + (f"Finished: {', '.join(there)}." if there else "Make one with ./run_all.sh.")
        )
    return read_record(record)


def gone(names: Iterable[str]) -> str:
    """Which of these artefacts ("kind/id") is gone or lacks something, or ''; of files only the sizes are looked at."""
    for name in names:
        try:
            read_record(cache_dir() / name / RECORD, content=False)
        except FileNotFoundError:
            return f"{name} is gone"
        except Damaged as error:
            return f"{name} is damaged ({error.args[1]})"
    return ""
