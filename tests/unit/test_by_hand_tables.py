"""Notebooks 01 and 06 and their solutions on a made world: what they count and test by hand agrees with the package,
for many clips and for one, for one seed and for several; where the package is wrong, they say so."""

from __future__ import annotations

import re

import by_hand
import made
import numpy as np
import pages
import pytest

import aaclib
from aaclib import config, stats
from aaclib.datasets import leakage
from aaclib.metrics import cider_d
from aaclib.store import Store
from aaclib.tables import facts

SETTINGS = {"train.epochs": 3, "metrics.names": ["bleu_1", "cider_d"], "metrics.bootstrap": 40}
ROWS = ["supervised", "baseline", "shift", "projection", "copy", "shuffled", "human"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder, 60, captions=2)
    made.make_pairs(folder / "wavcaps")
    return folder, Store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def execute(world, tmp_path, monkeypatch):
    """Every code cell of a notebook, in order, on `n` evaluation clips; returns its names and its figures."""
    folder, store = world
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))
    monkeypatch.chdir(by_hand.NOTEBOOKS)

    def run(name, n=12, changes=(), **settings):
        settings = {"data.captions": by_hand.captions_of(folder, n), "data.targets": {"folder": ROWS}} | settings
        settings = made.settings_of(folder) | SETTINGS | {"data.wavcaps": str(folder / "wavcaps")} | settings
        found = aaclib.Run(config.load("quick", settings), store)
        return by_hand.execute(name, lambda *_: found, monkeypatch, changes)

    return run


@pytest.mark.parametrize(
    ("name", "n"),
    [
        *((name, n) for name in ("01_data", "solutions/01_data", "06_tables") for n in (12, 2, 1)),
        ("solutions/06_tables", 12),
        ("solutions/06_tables", 2),  # of one clip there is no variance to take apart
    ],
)
def test_many_clips_and_few(execute, name, n):
    names, figures = execute(name, n)
    assert len(names["clips"] if "01" in name else names["references"]) == n
    for where, fig in figures.items():
        assert re.fullmatch("((folder/)?(01|06))_[a-z0-9_]+", where)
        pages.check(fig, where)
    assert len(figures) == {"01_data": 3, "06_tables": 4}.get(name, 0)


def test_over_several_seeds_the_t_test_has_an_answer(execute):
    one, several = (execute("06_tables", seeds=seeds)[0] for seeds in ([0], [0, 1, 2]))
    assert np.isnan(one["p_seeds"]) and 0 < several["p_seeds"] <= 1
    assert several["by_seed"].shape == (3, 2) and several["count"] == 3


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("01_data", "top = 18", "top = 3", "names"),
        ("01_data", "begin, count = 0, 3", "begin, count = 2, 2", "heard"),
        ("06_tables", "level = 0.95", "level = 0.5", "low"),
        ("06_tables", "permutations = 2000", "permutations = 50", "p"),
        ("06_tables", "target, ours = targets[0], names[-1]", "target, ours = targets[0], names[0]", "said"),
    ],
)
def test_a_marked_number_can_be_changed(execute, name, old, new, changed):
    before, after = by_hand.marked(execute, name, old, new, changed)
    assert before != after


@pytest.mark.parametrize(
    ("name", "module", "function", "wrong"),
    [
        ("01_data", leakage, "within", lambda found: found | {"different words": found["different words"] + 1}),
        ("01_data", facts, "caption_overlap", lambda share: share + 0.01),
        ("06_tables", cider_d, "score", lambda score: score + 0.1),
        ("06_tables", stats, "percentiles", lambda ends: (ends[0] - 0.1, ends[1])),
        ("06_tables", stats, "permutation_p", lambda p: p / 2),
        ("06_tables", stats, "_seeds_p", lambda p: 0.01),
        ("06_tables", stats, "holm", lambda p: p * 1.1),
        ("solutions/06_tables", stats, "stdtrit", lambda t: 1.96),
    ],
)
def test_where_the_package_is_wrong_the_notebook_says_so(execute, monkeypatch, name, module, function, wrong):
    right = getattr(module, function)
    monkeypatch.setattr(module, function, lambda *args, **options: wrong(right(*args, **options)))
    if function == "caption_overlap":
        monkeypatch.setattr(aaclib.tables, function, getattr(module, function))
    with pytest.raises(AssertionError):
        # CIDEr-D is kept from the tests above: other captions make it anew
        execute(name, n=9 if function == "score" else 12)
