"""Runs the code cells of a notebook in this process, on a made world, with or without changes to its lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import made
import matplotlib
import pandas as pd
import pytest
from matplotlib.figure import Figure

import aaclib
from aaclib import config, plots
from aaclib.store import Store

matplotlib.use("agg")
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def sources(name: str) -> list[str]:
    """The code cells of a notebook ("02_embeddings", "solutions/02_embeddings")."""
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def captions_of(folder: Path, n: int) -> str:
    """The path of a made world's captions with the first `n` evaluation clips alone."""
    table = pd.read_csv(folder / "captions.csv")
    judged = table.index[table.split == "evaluation"]
    path = folder / f"captions-{n}.csv"
    table.drop(judged[n:]).to_csv(path, index=False)
    return str(path)


def execute(
    name: str, load: Any, monkeypatch: pytest.MonkeyPatch, changes: Sequence[tuple[str, str]] = ()
) -> tuple[dict[str, Any], dict[str, Figure]]:
    """Every code cell in order, each (old, new) of `changes` replaced in it; its names and its figures. `load` stands
    in for `aaclib.Run.load`."""
    figures: dict[str, Figure] = {}
    names: dict[str, Any] = {}
    monkeypatch.setattr(aaclib.Run, "load", classmethod(load))
    monkeypatch.setattr(plots, "show", lambda fig, run, name, **_: figures.update({name: fig}))
    for source in sources(name):
        for old, new in changes:
            source = source.replace(old, new)
        exec(source, names)
    return names, figures


def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """A made world of 60 clips with two captions each, and an empty store."""
    folder = tmp_path_factory.mktemp("world")
    made.make(folder, 60, captions=2)
    return folder, Store(tmp_path_factory.mktemp("store"))


def on(place: tuple[Path, Store], runs: Path, monkeypatch: pytest.MonkeyPatch, **known: Any) -> Any:
    """A function that executes every code cell of a notebook, in order, on `n` evaluation clips of a made world, under
    these settings and its own, and returns its names and its figures."""
    folder, store = place
    monkeypatch.setenv("AACLIB_RUNS", str(runs))

    def run(name, n=12, changes=(), **settings):
        settings = made.settings_of(folder) | {"data.captions": captions_of(folder, n)} | known | settings
        found = aaclib.Run(config.load("quick", settings), store)
        return execute(name, lambda *_: found, monkeypatch, changes)

    return run


def marked(run: Any, name: str, old: str, new: str, changed: str) -> tuple[Any, Any]:
    """The value that `changed` has before and after `old`, in a line that invites to it, becomes `new`. `run` executes
    a notebook, with its changes."""
    line = next(line for source in sources(name) for line in source.splitlines() if old in line)
    assert "# change me" in line
    before, after = (run(name, changes=changes)[0][changed] for changes in ([], [(old, new)]))
    return before, after
