"""The notebooks beyond the paper on a made world: what they compute by hand agrees with the package, and their answers
follow their numbers."""

from __future__ import annotations

import by_hand
import numpy as np
import pages
import pandas as pd
import pytest

from aaclib import maps, scaling, stats
from aaclib.run import Run
from aaclib.tables import answers


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return by_hand.world(tmp_path_factory)


@pytest.fixture
def execute(world, tmp_path, monkeypatch):
    return by_hand.on(world, tmp_path, monkeypatch, **{"train.epochs": 2, "threads": 1})


@pytest.mark.parametrize("n", [12, 2])
def test_bridges_by_hand_agree_with_the_package(execute, n):
    names, figures = execute("10_bridges", n)
    assert set(figures) == {"folder/10_shared_axes", "folder/10_pairs"}
    for where, fig in figures.items():
        pages.check(fig, where)
    assert set(names["curve"].bridge) == {"shift at inference", "procrustes", "ridge"}
    assert list(names["table"].row) == ["baseline", *names["rows"]]
    assert {"related", "noise+prompt"} < set(names["rows"]) and "labels+noise" not in names["rows"]  # no labels here
    assert list(names["choices"].decoding) == ["greedy", "beam", "mbr", "refine"] * 2
    assert list(names["reported"].system) == ["baseline", names["highest"], "noise+projection, mbr"]


@pytest.mark.parametrize("function", ["procrustes", "ridge", "realign", "shared_axes"])
def test_where_a_map_is_wrong_the_notebook_says_so(execute, monkeypatch, function):
    right = getattr(maps, function)

    def wrong(*args):
        made_of = right(*args)
        two = made_of if isinstance(made_of, tuple) else (made_of, made_of)
        off = tuple(lambda z, one=one: one(z)[::-1] + 1 for one in two)
        return off if isinstance(made_of, tuple) else off[0]

    monkeypatch.setattr(maps, function, wrong)
    with pytest.raises(AssertionError):
        execute("10_bridges")


@pytest.mark.parametrize("way", ["mbr", "refine"])
def test_where_a_choice_is_wrong_the_notebook_says_so(execute, monkeypatch, way):
    """The candidates' order is turned round behind the choice's back."""
    ask = Run.captions

    def wrong(self, target, strategy, seed, decoding="greedy", part="evaluation"):
        right = ask(self, target, strategy, seed, decoding, part)
        return right[1:] + right[:1] if decoding == way else right

    monkeypatch.setattr(Run, "captions", wrong)
    with pytest.raises((AssertionError, ValueError)):
        execute("10_bridges")


def test_a_marked_number_can_be_changed(execute):
    before, after = by_hand.marked(execute, "10_bridges", "strength = 1.0", "strength = 50.0", "W")
    assert not np.allclose(before, after)


def test_text_scaling_on_a_data_set_that_has_no_more_text_than_its_own(execute):
    names, figures = execute("09_text_scaling", **{"train.batch_size": 8})
    assert set(figures) == {"folder/09_text_scaling"}
    pages.check(figures["folder/09_text_scaling"], "folder/09_text_scaling")
    whole = names["full"]
    assert names["sizes"] == sorted(names["sizes"]) and names["sizes"][-1] == whole and names["others"] == []
    assert set(names["worth"].pairs) == set(names["sizes"]) and set(names["worth"].row) == {"noise", "projection"}
    ends = (
        names["curves"].query("row == 'projection' or row == 'projection, whole memory'").set_index(["captions", "row"])
    )
    assert ends.value[whole, "projection"].tolist() == ends.value[whole, "projection, whole memory"].tolist()


def test_where_the_price_of_a_pair_is_wrong_the_notebook_says_so(execute, monkeypatch):
    monkeypatch.setattr(scaling, "needed", lambda score, sizes, scores: 17.0)
    with pytest.raises(AssertionError):
        execute("09_text_scaling", **{"train.batch_size": 8})


def test_one_domain_alone_cannot_be_crossed(execute):
    names, figures = execute("08_cross_domain")
    assert names["kept"].empty and names["causes"].empty and names["lost"].empty
    assert len(names["crossed"]) and set(figures) == {"08_cross_domain"}


def test_what_the_bridges_are_said_to_do_follows_the_numbers():
    lines = [("ridge", "baseline", 10, 0.2), ("ridge", "baseline", 50, 0.4), ("ridge", "baseline", 50, 0.5)]
    curve = pd.DataFrame(lines, columns=["bridge", "decoder", "pairs", "cider_d"])
    table = pd.DataFrame(
        {
            "row": ["baseline", "ridge", "santa", "shift"],
            "cider_d": [30.0, 45.0, 20.0, 31.0],
            "difference": [np.nan, 15.0, -10.0, 1.0],
            "p": [np.nan, 0.001, 0.02, 0.9],
        }
    )
    said = "\n".join(answers.bridges(curve, {"baseline": 0.3, "projection": 0.45}, table))
    assert "above baseline from 50 pairs on, projection with no number of pairs tried" in said
    assert "better than the plain swap over these clips, with these decoders: ridge." in said
    assert "worse than the plain swap over these clips, with these decoders: santa." in said
    assert "highest CIDEr-D has ridge, 45.0" in said


@pytest.mark.parametrize(
    ("difference", "p", "word"), [(0.05, 0.001, "is better"), (-0.05, 0.001, "is worse"), (0.05, 0.2, "cannot be told")]
)
def test_what_is_said_of_the_best_follows_the_test(difference, p, word):
    lines = [("baseline", 30.0, 20.0, 0.0), ("c3", 36.0, 24.0, 50.0), ("noise+ridge, mbr", 41.0, 23.0, np.nan)]
    table = pd.DataFrame(lines, columns=["system", "cider_d", "label_recall", "way"])
    test = stats.Comparison(difference, difference - 0.01, difference + 0.01, p, 9, 1, np.nan, False)
    said = "\n".join(answers.best(table, test, ["cider_d", "label_recall"]))
    assert "CIDEr-D 41.0 against 36.0" in said and f"**{word}" in said and "of the way" not in said
    table.loc[2, "way"] = 90.0
    said = "\n".join(answers.best(table, test, ["cider_d", "label_recall"]))
    assert "90 % of the way from the plain swap to the bound, the paper's row 50 %" in said


def test_what_is_said_of_other_tasks_follows_the_numbers():
    captioned = pd.DataFrame(
        [
            ("supervised", 60.0, 58.0, 62.0, 20.0, 0.001),
            ("baseline", 40.0, 38.0, 42.0, np.nan, np.nan),
            ("noise", 50.0, 48.0, 52.0, 10.0, 0.001),
            ("nearest", 35.0, 33.0, 37.0, -5.0, 0.01),
            ("copy", 55.0, 53.0, 57.0, 15.0, 0.001),
        ],
        columns=["row", "CIDEr-D", "low", "high", "against the plain swap", "p"],
    )
    told = pd.DataFrame([("mode", 2, 50.0, 51.0)], columns=["attribute", "values", "chance (%)", "told from z_a (%)"])
    names = ["row", "attribute", "what", "value", "low", "high", "n"]
    attributes = pd.DataFrame([("noise", "mode", "right when said", 49.0, 40.0, 58.0, 70)], columns=names)
    accuracy = pd.DataFrame({"row": ["supervised", "baseline", "noise", "question alone"], "kind": "which first"})
    accuracy[["accuracy", "low", "high"]] = np.array([[80.0], [52.0], [61.0], [50.0]]) + [0.0, -3.0, 3.0]
    for other, differences, p in (
        ("question alone", [30, 2, 11, np.nan], [0.001, 0.5, 0.01, np.nan]),
        ("baseline", [28, np.nan, 9, -2], [0.001, np.nan, 0.2, 0.5]),
    ):
        accuracy[f"difference, {other}"], accuracy[f"p, {other}"] = differences, p
    said = "\n".join(answers.other_tasks(captioned, attributes, told, accuracy))
    assert (
        "noise has the highest CIDEr-D of the rows that heard none of it, 50.0 [48.0, 52.0]; supervised has 60.0"
        in said
    )
    assert "Better than the plain swap: noise; worse: nearest." in said
    assert "told from z_a in 51 % (chance 50 %); noise says it right in 49.0 [40.0, 58.0] %" in said
    assert "best without recordings is noise, 61.0 [58.0, 64.0] %; question alone 50.0, supervised 80.0" in said
    assert "Better than question alone: noise." in said and "Better than the plain swap: none." in said
