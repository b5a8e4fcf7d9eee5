"""What may be written into a run's folder: never by hand over what the runner has made there.

A notebook invites to play. Where a run has a record (`run.json`), its figures and tables are the runner's: a notebook
that somebody works in adds, with the record's own settings, what that does not list, and shows the rest without saving.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aaclib import screen, store
from aaclib.config import Config

_said: set[Path] = set()  # folders of which this process has said that they stay as they are


def deciding(settings: Config | dict[str, Any]) -> dict[str, Any]:
    """The settings that decide what comes out, as JSON values; of a config, or of the "config" in a run's record."""
    tree = json.loads(json.dumps(asdict(settings) if isinstance(settings, Config) else settings))
    for group, name in ((tree, "threads"), (tree, "cluster"), (tree["data"], "download"), (tree["clap"], "workers")):
        group.pop(name, None)
    return tree


def may_save(run: Any, part: str, name: str = "") -> bool:
    """Whether `name` (with or without its ending; "" = any) may be written to the part "figures" or "tables" of a run.
    Where not, a line says so on the first time, and what to do."""
    folder = Path(getattr(run, part)).parent
    why = "" if screen.headless() else _why_not(run, folder, f"{part}/{name}")
    if why and folder not in _said:
        _said.add(folder)
        print(f'Shown and not saved: {why}. To save, give yours a name: overrides = {{..., "name": "mine"}}')
    return not why


def _why_not(run: Any, folder: Path, name: str) -> str:
    try:
        record = store.read_record(folder / "run.json")
    except FileNotFoundError:
        return ""
    except store.Damaged:
        return f"the record of the run '{folder.name}' is damaged"
    if deciding(record["config"]) != deciding(run.config):
        return f"the run '{folder.name}' has other settings"
    made = {file for stage in record["stages"].values() for file in stage["files"]}
    if any(name in (file, file.rpartition(".")[0]) or name[-1] == "/" and file.startswith(name) for file in made):
        return f"the finished run '{folder.name}' has it already"
    return ""


def write_text(run: Any, name: str, text: str) -> Path | None:
    """Writes `run.tables`/`name`, where it may be written; its path, or None."""
    if not may_save(run, "tables", name):
        return None
    store.write_text(Path(run.tables) / name, text)
    return Path(run.tables) / name
