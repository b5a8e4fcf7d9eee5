"""Notebooks 02 and 03 on a made world: what they compute by hand agrees with the package, for many clips and for one,
with external pairs and without; a marked number can be changed; where the package is wrong, they say so."""

from __future__ import annotations

import re

import by_hand
import numpy as np
import pages
import pytest

from aaclib import gap, memory, retrieval

NAMES = ("02_embeddings", "03_modality_gap")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return by_hand.world(tmp_path_factory)


@pytest.fixture
def execute(world, tmp_path, monkeypatch):
    return by_hand.on(world, tmp_path, monkeypatch)


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
