"""Many settings: what is made is kept, so that a sweep that was stopped makes the rest alone."""

import made
import pandas as pd
import pytest

from aaclib import config, results, sweep
from aaclib.bridge import StrategyError
from aaclib.config import ConfigError
from aaclib.run import Run
from aaclib.store import Store

POINTS = [{"gap.sigma": 0.0}, {"gap.sigma": 0.3}, {"gap.sigma": 0.3, "gap.tau": 1.0}, {"data.sizes.folder.train": 20}]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder, n=60)
    return folder


def experiment(world, store, **overrides):
    few = {"train.epochs": 1, "data.pairs": "", "gap.sigma": "0.1", "threads": 1}
    return Run(config.load("quick", {**made.settings_of(world), **few, **overrides}), Store(store))


def test_a_sweep_is_a_tidy_frame_and_what_was_stopped_makes_the_rest_alone(world, tmp_path):
    run, making = experiment(world, tmp_path), []
    run.store.making = making.append

    def stop(kind):
        making.append(kind)
        if making.count("decoder") == 2:
            raise KeyboardInterrupt

    run.store.making = stop
    with pytest.raises(KeyboardInterrupt):
        sweep.points(run, "folder", POINTS, ["noise"])
    assert making.count("decoder") == 2 and making.count("captions") == 1
    run, rest = experiment(world, tmp_path), []
    run.store.making = rest.append
    found = sweep.points(run, "folder", POINTS, ["noise"])
    # three decoders for four points: tau changes none
    assert rest.count("decoder") == 2 and rest.count("captions") == 2
    again = []
    run.store.making = again.append
    pd.testing.assert_frame_equal(sweep.points(run, "folder", POINTS, ["noise"]), found)
    assert again == []
    about = ["gap.sigma", "gap.tau", "data.sizes.folder.train", "strategy", "seed", "metric", "value", "n", "note"]
    assert list(found.columns) == about and len(found) == len(POINTS) * len(run.config.metrics.names)
    assert list(found["gap.sigma"].drop_duplicates()) == ["0.0", "0.3", "0.1"] and set(found.n) == {12}
    last = found[found["data.sizes.folder.train"] == 20].set_index("metric")
    point = sweep.at(run, POINTS[-1])
    assert len(point.split("folder", "train").clips) == 20
    assert last.value["cider_d"] == results.scores(point, "folder", "noise", 0).corpus["cider_d"]


def test_a_metric_that_is_missing_is_no_number_and_says_why(world, tmp_path, monkeypatch):
    run = experiment(world, tmp_path, **{"metrics.names": ["bleu_1", "fer"]})
    monkeypatch.delenv("AACLIB_FENSE", raising=False)
    found = sweep.points(run, "folder", [{}], ["copy"]).set_index("metric")
    assert (
        found.value.isna().to_dict() == {"bleu_1": False, "fer": True}
        and found.note["fer"]
        and not found.note["bleu_1"]
    )


def test_what_is_no_setting_or_no_row_is_told_before_anything_is_made(world, tmp_path):
    run = experiment(world, tmp_path)
    with pytest.raises(ConfigError, match="gap.tau"):
        sweep.points(run, "folder", [{"gap.tua": 1}], ["noise"])
    with pytest.raises(ConfigError, match="gap.n_pairs"):
        sweep.points(run, "folder", [{"gap.n_pairs": 0, "gap.sigma": "rms"}], ["noise"])
    with pytest.raises(StrategyError, match="noize"):
        sweep.points(run, "folder", [{}], ["noize"])
    assert not (tmp_path / "decoder").exists()
