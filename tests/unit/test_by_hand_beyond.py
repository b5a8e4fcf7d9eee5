"""The notebooks beyond the paper on a made world: what they compute by hand agrees with the package, and their answers
follow their numbers."""

from __future__ import annotations

import by_hand
import numpy as np
import pages
import pandas as pd
import pytest

from aaclib import maps, scaling
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
