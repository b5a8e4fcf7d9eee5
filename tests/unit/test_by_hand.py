"""Notebooks 02 and 03 on a made world: what they compute by hand agrees with the package, for many clips and for one,
with external pairs and without; a marked number can be changed; where the package is wrong, they say so."""

from __future__ import annotations

import re

import by_hand
import made
import numpy as np
import pages
import pytest

import aaclib
from aaclib import config, gap, memory, retrieval
from aaclib.store import Store

NAMES = ("02_embeddings", "03_modality_gap")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder, 60, captions=2)
    return folder, Store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def execute(world, tmp_path, monkeypatch):
    """Every code cell of a notebook, in order, on `n` evaluation clips; returns its names and its figures."""
    folder, store = world
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))

    def run(name, n=12, changes=(), **settings):
        settings = made.settings_of(folder) | {"data.captions": by_hand.captions_of(folder, n)} | settings
        found = aaclib.Run(config.load("quick", settings), store)
        return by_hand.execute(name, lambda *_: found, monkeypatch, changes)

    return run


@pytest.mark.parametrize("name", [*NAMES, *(f"solutions/{name}" for name in NAMES)])
@pytest.mark.parametrize("n", [12, 2, 1])
def test_many_clips_and_few(execute, name, n):
    names, figures = execute(name, n)
    assert names["n"] == n and names["target"] == "folder"
    for where, fig in figures.items():
        assert re.fullmatch(f"folder/{name[:2]}_[a-z_]+", where)
        pages.check(fig, where)
    assert len(figures) == (0 if "/" in name else {"02": 4, "03": 5}[name[:2]])


def test_without_external_pairs_the_gap_is_looked_at_on_the_targets_own(execute):
    names, _ = execute("03_modality_gap", **{"data.pairs": "", "gap.sigma": "0.1"})
    assert names["run"].gap(0).n == 0 and np.allclose(names["outside"], names["delta"])
    assert set(names["estimate"].sigma) == {"rms", "linf", "residual", "caption"}


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("02_embeddings", "number = 0 ", "number = 3 ", "wave"),
        ("02_embeddings", "number, k = 0, 5", "number, k = 4, 2", "nearest"),
        ("02_embeddings", "size, hop, bands = 1024, 320, 64", "size, hop, bands = 512, 160, 20", "log_mel"),
        ("03_modality_gap", "tau = 0.01", "tau = 0.5", "table"),
        ("03_modality_gap", "sigma = estimate.sigma_value", "sigma = 0.5", "noisy"),
        ("03_modality_gap", "share = 1.0", "share = 0.5", "moved"),
        ("03_modality_gap", 'names = ["baseline", "noise", "shift", ', "names = [", "maps"),
    ],
)
def test_a_marked_number_can_be_changed(execute, name, old, new, changed):
    before, after = by_hand.marked(execute, name, old, new, changed)
    assert len(before) != len(after) or not np.array_equal(before, after)


@pytest.mark.parametrize(
    ("name", "module", "function"),
    [
        ("02_embeddings", retrieval, "text_to_audio_ranks"),
        ("02_embeddings", retrieval, "audio_to_text_ranks"),
        ("03_modality_gap", gap, "gap_vector"),
        ("03_modality_gap", gap, "_caption_spread"),
        ("03_modality_gap", memory, "project"),
        ("03_modality_gap", memory, "nearest"),
    ],
)
def test_where_the_package_is_wrong_the_notebook_says_so(execute, monkeypatch, name, module, function):
    right = getattr(module, function)
    monkeypatch.setattr(module, function, lambda *args, **options: right(*args, **options)[::-1] + 1)
    if function == "_caption_spread":
        monkeypatch.setattr(module, function, lambda *args: right(*args) + 0.1)
    with pytest.raises(AssertionError):
        execute(name)
