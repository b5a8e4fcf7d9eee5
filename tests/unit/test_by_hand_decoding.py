"""Notebooks 04 and 05 on a made world: what they compute by hand agrees with the package, for many clips and for one; a
marked number can be changed; where the package is wrong, they say so; a strategy of one's own is a row of the table."""

from __future__ import annotations

import json
import re

import by_hand
import made
import numpy as np
import pytest

import aaclib
from aaclib import bridge, config, decoder, generate, memory, plots, steps, training

NAMES = ("04_training", "05_decoding")
QUICKLY = ("steps = 800", "steps = 30")  # captions are not learned by heart in so few
FIGURES = {"04": {"04_by_heart", "04_loss", "04_words"}}
FIGURES["05"] = {"05_tau", "05_spectrograms", "05_strategies", "05_greedy_beam"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return by_hand.world(tmp_path_factory)


@pytest.fixture
def execute(world, tmp_path, monkeypatch):
    """Every code cell of a notebook, in order, on `n` evaluation clips; returns its names and its figures."""
    folder, store = world
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))

    def run(name, n=12, changes=(), rows=(), **settings):
        settings = (
            made.settings_of(folder)
            | {"data.captions": by_hand.captions_of(folder, n), "train.epochs": 4, "threads": 1}
            | settings
        )
        settings["data.targets"]["folder"] = list(rows) or settings["data.targets"]["folder"]

        def load(kind, profile, overrides):
            return kind(config.load("quick", {**settings, **overrides}), store)

        return by_hand.execute(name, load, monkeypatch, [QUICKLY, *changes])

    return run


@pytest.mark.parametrize("name", [*NAMES, *(f"solutions/{name}" for name in NAMES)])
@pytest.mark.parametrize("n", [12, 2, 1])
def test_many_clips_and_few(execute, name, n):
    names, figures = execute(name, n)
    assert names["target"] == "folder" and "top-10" not in bridge.INFERENCE and "blend" not in bridge.INFERENCE
    assert set(figures) == (set() if "/" in name else {f"folder/{figure}" for figure in FIGURES[name[:2]]})
    for where, fig in figures.items():
        assert fig.get_figwidth() in (plots.SINGLE, plots.DOUBLE), where


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_of_few_rows_without_a_bound_and_without_beam_search(execute, name):
    names, figures = execute(name, rows=["baseline", "projection"], **{"generate.beam_rows": []})
    assert [row.name for row in names["run"].strategies("folder")] == ["baseline", "projection"]
    if name == "05_decoding":
        assert "no row was decoded both ways" in {
            text.get_text() for text in figures["folder/05_greedy_beam"].axes[0].texts
        }


def test_a_strategy_of_ones_own_is_a_row_of_the_table_and_of_no_other(execute):
    names, _ = execute("05_decoding")
    rows = {row.name: row.group for row in names["table"].rows}
    assert rows["top-10"] == "inference" and names["table"].columns[0] == "cider_d"
    assert "top-10" not in set(names["scored"].strategy) and "top-10" not in names["made"]


def test_ten_of_ten_captions_are_a_projection(execute):
    names, _ = execute("05_decoding")
    run, z = names["run"], np.array(names["heard"].z)
    few = steps.Context(memory=names["M"][:10], tau=0.05)
    ours = bridge.unit(names["to_top_ten"](z, few))
    assert np.allclose(ours, memory.project(z, few.memory, few.tau), atol=1e-5)
    whole = run.context("folder", 0)
    assert not np.allclose(names["to_top_ten"](z, whole), memory.project(z, whole.memory, whole.tau), atol=1e-3)


def test_only_the_decoders_of_the_named_targets_are_trained(world, monkeypatch):
    run = aaclib.Run(config.load("quick", made.settings_of(world[0])), world[1])
    asked = []
    monkeypatch.setattr(run, "targets", ("folder", "another"))
    monkeypatch.setattr(training, "trainings", lambda run, target: asked.append(target) or {})
    assert training.train_all(run, targets=["another"]) == {} and asked == ["another"]
    assert training.train_all(run) == {} and asked[1:] == ["folder", "another"]


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("04_training", "batch = 4", "batch = 2", "logits"),
        ("04_training", "few = min(200, len(texts.captions))", "few = 20", "recited"),
        ("04_training", "sigma = context.sigma", "sigma = 0.01", "noisy"),
        ("04_training", "number = 0", "number = 3", "sentence"),
        ("05_decoding", "clip = min(7, len(heard.z) - 1)", "clip = 2", "z_a"),
        ("05_decoding", "tau = run.config.gap.tau", "tau = 0.5", "mixed"),
        ("05_decoding", "walk = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]", "walk = [0.1]", "walked"),
        ("05_decoding", "beam = max(2, run.config.generate.beam)", "beam = 5", "hypotheses"),
    ],
)
def test_a_marked_number_can_be_changed(execute, name, old, new, changed):
    before, after = by_hand.marked(execute, name, old, new, changed)
    assert len(before) != len(after) or not np.array_equal(before, after)


@pytest.mark.parametrize(
    ("name", "module", "function"),
    [
        ("04_training", decoder.CaptionDecoder, "forward"),
        ("04_training", steps, "_noisy"),
        ("04_training", generate, "generate"),
        ("05_decoding", memory, "project"),
        ("05_decoding", memory, "nearest"),
        ("05_decoding", generate, "generate"),
        ("05_decoding", decoder.CaptionDecoder, "forward"),
    ],
)
def test_where_the_package_is_wrong_the_notebook_says_so(execute, monkeypatch, name, module, function):
    execute(name)  # what it needs is in the store
    right = getattr(module, function)

    def wrong(*args, **options):
        found = right(*args, **options)
        return (
            [f"{caption} not" for caption in found]
            if isinstance(found, list)
            else found[::-1] + 1
            if found.ndim
            else found + 1
        )

    monkeypatch.setattr(module, function, wrong)
    with pytest.raises(AssertionError):
        execute(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_an_answer(name):
    def text(name):
        cells = json.loads((by_hand.NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")

    asked = re.findall(r"^(\d)\. ", text(name).partition("**Questions**")[2], re.MULTILINE)
    answered = re.findall(r"^## (\d)\. ", text(f"solutions/{name}"), re.MULTILINE)
    assert asked == answered and len(asked) >= 3
