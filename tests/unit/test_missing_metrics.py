"""Tables, figures, sentences and notebooks of a run in which metrics are missing, whichever and wherever."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import made
import pandas as pd
import pytest

import aaclib
from aaclib import config, metrics, plots, results, tables
from aaclib.run import Run
from aaclib.store import Store
from aaclib.tables import frames

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
ROWS = ["supervised", "baseline", "noise", "projection", "copy", "shuffled", "human"]
WHY = "The PTB tokenizer was killed."


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The settings of a run of two seeds, and a store with its captions."""
    folder = tmp_path_factory.mktemp("world")
    made.make(folder)
    settings = {
        **made.settings_of(folder),
        "train.epochs": 2,
        "seeds": [0, 1],
        "generate.beam_rows": ["baseline"],
        "data.targets": {"folder": ROWS},
    }
    return settings, Store(folder / "store")


@pytest.fixture
def run(world, tmp_path, monkeypatch):
    """A fresh run on it, which is also what notebooks load, and whose `evaluate` loses what `lose` says."""
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    found = Run(config.load("quick", world[0]), world[1])
    monkeypatch.setattr(aaclib.Run, "load", classmethod(lambda *_: found))
    whole, found.lose, found.calls = metrics.evaluate, lambda call, names: (), 0

    def evaluate(candidates, references, names, **options):
        scores, gone = whole(candidates, references, names, **options), found.lose(found.calls, names)
        gone = gone if options.get("tokenize", True) else ()  # it is the tokenizer that was killed
        found.calls += 1
        keep = lambda values: {name: value for name, value in values.items() if name not in gone}  # noqa: E731
        return replace(
            scores,
            corpus=keep(scores.corpus),
            statistics=keep(scores.statistics),
            lost=tuple(gone),
            per_clip=scores.per_clip.drop(columns=list(gone)),
            missing=dict.fromkeys(gone, WHY),
        )

    monkeypatch.setattr(metrics, "evaluate", evaluate)
    return found


LOSSES = {
    "all": lambda call, names: names,
    "all but the first": lambda call, names: names if call else (),
    "the headline": lambda call, names: ["cider_d"],
    "the headline in one seed": lambda call, names: ["cider_d"] if call % 2 else (),
    "all but the headline": lambda call, names: [name for name in names if name != "cider_d"],
}


@pytest.mark.parametrize(
    ("notebook", "what"),
    [*(("06_tables", what) for what in LOSSES), ("05_decoding", "all"), ("05_decoding", "the headline in one seed")],
)
def test_notebooks_get_to_their_end(run, notebook, what, monkeypatch, capsys):
    """Every code cell of the notebook, in order; IPython.display only prints outside of a kernel."""
    run.lose = LOSSES[what]
    monkeypatch.chdir(NOTEBOOKS.parent)
    names: dict = {}
    for cell in json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    if notebook == "06_tables":
        frame = pd.read_csv(run.tables / "results.csv")
        assert tuple(frame.columns) == results.RESULTS
        assert (frame.note[frame.value.isna()] == WHY).all() and frame.value.isna().any()
        assert f"absent: {WHY}" in (run.tables / "folder-greedy.tex").read_text() or what not in ("all", "the headline")


@pytest.mark.parametrize("decoding", ["greedy", "beam"])
def test_frames_without_any_metric_have_their_columns_and_say_why(run, decoding):
    run.lose = LOSSES["all"]
    frame = results.results(run, "folder", decoding)
    assert tuple(frame.columns) == results.RESULTS and frame.value.isna().all() and set(frame.note) == {WHY}
    assert set(frame.metric) == set(results.names(run, decoding))
    assert len(frame) == len(results.rows(run, "folder", decoding)) * 4
    assert results.relative(run, "folder", decoding) is None
    assert "no score in any metric" in results.why_no_relative(run, "folder", decoding) or decoding == "beam"
    assert results.comparisons(run, "folder", decoding=decoding, against="baseline").empty
    assert frames.by_seed(run, "folder", "cider_d", decoding).value.empty and plots.bars(frame)
    table = tables.main_table(run, "folder", decoding)
    assert table.columns == () and "No metric could be computed" in table.notes[0]
    assert any(WHY in note for note in table.notes) and table.latex() and table._repr_html_()


def test_a_profile_without_metrics_has_empty_tables(world, tmp_path):
    settings = config.load("quick", world[0])
    bare = Run(replace(settings, metrics=replace(settings.metrics, names=())), world[1])
    assert (
        tuple(results.results(bare, "folder").columns) == results.RESULTS and results.relative(bare, "folder") is None
    )
    assert tables.main_table(bare, "folder").columns == ()
