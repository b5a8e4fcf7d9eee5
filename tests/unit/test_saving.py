"""Playing never spoils a result: what the runner has made is not written over by hand."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from aaclib import config, plots, saving, store, tables

FILES = {"figures/05_strategies.png": [3, "x"], "figures/05_strategies.pdf": [3, "x"], "tables/results.csv": [3, "x"]}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.delenv("AACLIB_HEADLESS", raising=False)
    monkeypatch.setattr(saving, "_said", set())
    folder = tmp_path / "smoke"
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("old")
    settings = config.load("smoke")
    return SimpleNamespace(
        config=settings, figures=folder / "figures", tables=folder / "tables", synthetic=True, folder=folder
    )


def finish(run, settings=None):
    record = {"config": saving.deciding(settings or run.config), "stages": {"05_decoding": {"files": FILES}}}
    store.write_record(run.folder / "run.json", record)


def contents(run):
    return {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}


def figure():
    with plots.styled():
        drawn, axes = plots.figure()
        axes[0, 0].bar(["clotho"], [0.1])
    return drawn


def changed(run, **overrides):
    settings = config.load("smoke", {"gap.tau": 0.1, **overrides})
    return SimpleNamespace(**{**vars(run), "config": settings})


def test_with_other_settings_all_is_shown_and_nothing_written_and_one_line_says_so(run, capsys):
    finish(run)
    before, playing = contents(run), changed(run)
    for name in ("05_strategies", "05_new"):
        assert plots.show(figure(), playing, name).data.startswith(b"\x89PNG")
    assert tables.export_run(playing) == [] and saving.write_text(playing, "findings.md", "new") is None
    assert contents(run) == before
    told = capsys.readouterr().out
    assert told.count("\n") == 1 and "'smoke' has other settings" in told and '"name": "mine"' in told


def test_with_its_own_settings_a_run_is_added_to_but_what_it_has_stays(run, capsys):
    finish(run)
    before = contents(run)
    plots.show(figure(), run, "05_strategies")  # drawn from a number that was changed in a cell, for all we know
    assert contents(run) == before and "has it already" in capsys.readouterr().out
    plots.show(figure(), run, "05_strat")
    assert saving.write_text(run, "findings.md", "new").read_text() == "new"
    assert set(contents(run)) - set(before) == {
        *(run.figures / f"05_strat.{kind}" for kind in ("png", "pdf", "csv")),
        run.tables / "findings.md",
    }
    assert not saving.may_save(run, "tables")


def test_settings_that_decide_nothing_are_no_other_settings(run):
    finish(run, replace(run.config, threads=7, data=replace(run.config.data, download=False)))
    assert saving.may_save(run, "figures", "new")


def test_the_runner_writes_and_so_does_a_run_without_a_record(run, monkeypatch):
    before = contents(run)
    plots.show(figure(), changed(run), "05_strategies")
    assert (
        set(contents(run)) - set(before) == {run.figures / "05_strategies.csv"}
        and (run.figures / "05_strategies.png").read_bytes() != b"old"
    )
    finish(run)
    assert not saving.may_save(changed(run), "figures", "05_strategies")
    monkeypatch.setenv("AACLIB_HEADLESS", "1")
    assert saving.may_save(changed(run), "figures", "05_strategies")


def test_a_damaged_record_protects_what_lies_beside_it(run, capsys):
    (run.folder / "run.json").write_text("{}")
    assert not saving.may_save(run, "figures", "05_new") and "damaged" in capsys.readouterr().out


def test_a_figure_says_what_it_shows_in_words(run):
    history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [3.0, 2, 1], "validation_loss": [3.0, 2, 2]})
    shown = plots.show(plots.losses({"text": history, "noise": history}, "clotho"), run, "04_losses")
    training, validation, lines = shown.alt.split(". ")
    assert training == "(a) Training, clotho: cross-entropy (nats per token) against epoch"
    assert (validation, lines) == ("(b) Validation, clotho: epoch", "text, noise")
    assert plots.show(figure(), run, "01_overlap", alt="one bar").alt == "one bar"
