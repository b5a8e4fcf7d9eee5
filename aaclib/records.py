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


def made_on(run: str | Path) -> str:
    """The kind of device (cpu, cuda, mps) that a finished run computed on; "" where its record does not say."""
    described = _described(run)
    chosen = described.get("config", {}).get("device") or described.get("machine", {}).get("device") or ""
    return chosen.split(":")[0]


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
