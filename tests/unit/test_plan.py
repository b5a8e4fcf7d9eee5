"""The plan: work that is left, times what a unit of it costs; and what a run teaches it."""

import json

import numpy as np
import pytest
import soundfile

from aaclib import config, train, training
from aaclib.run import Run
from aaclib.suite import costs, doctor, measure
from aaclib.suite.costs import MEASURED, SCALED, Cost, Unit, unit
from aaclib.suite.doctor import sizes, work

SMALL = {
    "data.targets": {"soundscapes-short": ["baseline", "noise", "projection", "copy"]},
    "data.sizes": {
        "soundscapes-pretrain.train": 50,
        "soundscapes-pretrain.validation": 20,
        "soundscapes-short.train": 60,
        "soundscapes-short.validation": 20,
        "soundscapes-short.evaluation": 20,
    },
    "generate.beam_rows": ["projection"],
    "metrics.names": ["bleu_1", "cider_d"],
    "gap.n_pairs": 10,
    "clap.epochs": 1,
    "train.epochs": 1,
    "device": "cpu",
}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for name in ("RAW", "CACHE", "RUNS"):
        monkeypatch.setenv(f"AACLIB_{name}", str(tmp_path / name.lower()))


class Even(dict):
    """Every unit costs a second."""

    def __missing__(self, one):
        return Cost(1.0, SCALED if one.kind in costs.SCALED_S else MEASURED)


def of(plan, what):
    return plan.stages[plan.stages.what.str.contains(what)]


def test_a_plan_is_counts_times_costs(folders):
    settings = config.load("smoke", SMALL)
    plan = doctor.plan(settings, known=Even())
    assert float(of(plan, "decoders").seconds.sum()) == pytest.approx(
        max(2 / (costs_at_once(plan)), 1) * steps(settings)
    )
    assert of(plan, "2 decoders").stage.tolist() == ["04_training/soundscapes-short"]  # baseline and projection share
    assert of(plan, "rows captioned").what.item() == "3 rows captioned"  # copy has no decoder
    assert of(plan, "by beam search").seconds.item() == 1  # one batch
    assert of(plan, "rows scored").seconds.item() == 5 * 20  # four rows, one of them by beam search as well
    assert plan.seconds == pytest.approx(plan.stages.seconds.sum()) and set(plan.stages.basis) == {MEASURED, SCALED}
    assert sum(seconds for seconds, _ in plan.of_stages().values()) == pytest.approx(plan.seconds)
    some = doctor.plan(settings, ["05_decoding/soundscapes-short"], known=Even())
    assert set(some.stages.stage) == {"05_decoding/soundscapes-short"} and len(of(some, "decoders"))
    assert doctor.plan(settings, [], known=Even()).seconds == 0


def costs_at_once(plan):
    import os

    return min(2, os.cpu_count())


def steps(settings):
    return 2 + work.VALIDATION * 100 / settings.train.batch_size  # 60 captions in batches of 32, 100 to validate on


def test_vocabulary_threads_and_supervised_rows_change_what_a_step_is(folders):
    def step(**overrides):
        plain = {key.replace("__", "."): value for key, value in overrides.items()}
        pieces = work.placed(config.load("smoke", SMALL | plain))
        (found,) = [piece for _, piece in pieces if piece.unit.kind == "step"]
        return found.n, json.loads(found.unit.settings), found.unit.at_once

    n, settings, _ = step()
    assert n == 2 and settings["decoder"]["vocabulary"] == 100 * -(-work.WORLD_WORDS // 100) + 4
    assert step(decoder__vocabulary=50)[1]["decoder"]["vocabulary"] == 50
    assert (
        step(decoder__tokenizer="bert-base-uncased", decoder__tokens="all")[1]["decoder"]["vocabulary"]
        == work.BERT_TOKENS
    )
    assert step(threads=1)[2] == 1
    rows = {"soundscapes-short": ["baseline", "supervised", "supervised+text"]}
    pieces = work.placed(config.load("smoke", {**SMALL, "data.targets": rows}))
    assert any(piece.what == "recordings embedded" and piece.n == 60 for _, piece in pieces)


def test_metrics_without_spice_cost_no_parses(folders, monkeypatch):
    def parses(names):
        pieces = work.placed(config.load("smoke", SMALL | {"metrics.names": names}))
        return sum(piece.count for _, piece in pieces if piece.unit.kind == "spice")

    assert parses(["cider_d", "spice"]) == 0  # it is not installed here
    monkeypatch.setattr(sizes, "installed", lambda: ())
    assert parses(["cider_d", "spice"]) > 100 and parses(["cider_d"]) == 0


def test_what_is_in_the_store_costs_nothing(folders):
    settings = config.load("smoke", SMALL)
    cold = doctor.plan(settings, known=Even())
    run = Run(settings)
    training.train_all(run)
    for name in ("baseline", "noise", "projection"):
        run.captions("soundscapes-short", name, 0)
    warm = doctor.plan(settings, known=Even())
    left = set(warm.stages.what) - {""}
    assert left == {"by beam search", "5 rows scored"} and len(set(cold.stages.what)) > 6
    other = doctor.plan(config.load("smoke", SMALL | {"train.epochs": 2}), known=Even())
    assert len(of(other, "2 decoders")) and not len(of(other, "CLAP")) and not len(of(other, "embedded"))
    assert len(of(doctor.plan(settings, refresh=4e9, known=Even()), "2 decoders"))  # --force makes all again


def test_recordings_without_captions_learn_from_text(folders, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000, np.float32), 16000)
    settings = config.load("folder", {"data.audio": str(tmp_path), "device": "cpu"})
    plan = doctor.plan(settings, known=Even())
    assert of(plan, "decoders").stage.tolist() == ["04_training/text"]
    assert "14_your_recordings/folder" in set(of(plan, "rows captioned").stage)


@pytest.mark.parametrize("kind", ["step", "generation", "window", "caption", "tiny_clap", "log_mel", "scene", "metric"])
def test_measuring_gives_a_time(kind):
    decoder = {"layers": 1, "heads": 2, "width": 16, "vocabulary": 40, "tokenizer": "words"}
    about = {
        "step": {"decoder": decoder, "dim": 8, "tokens": 5, "batch": 4, "threads": 1, "device": "cpu"},
        "generation": {"decoder": decoder, "dim": 8, "rows": 3, "beam": 2, "tokens": 3, "device": "cpu"},
        "window": {"clap": "tiny", "device": "cpu"},
        "caption": {"clap": "tiny", "tokens": 5, "device": "cpu"},
        "tiny_clap": {"width": 32, "batch": 4, "threads": 1, "device": "cpu"},
        "log_mel": {"width": 32, "threads": 1, "device": "cpu"},
        "scene": {"world": "short"},
        "metric": {"references": 2},
    }[kind]
    assert 0 < measure.run(kind, about) < 60


def test_costs_are_measured_once_and_again_when_others_have_gone(folders, monkeypatch):
    asked, load = [], [0.9]
    monkeypatch.setattr(costs, "busy", lambda: load[0])
    monkeypatch.setattr(costs, "_measured", lambda units: {one: asked.append(one) or 2.0 for one in units})
    one, java = unit("scene", world="short"), Unit("java")
    found = costs.costs([one, java])
    assert found[one] == Cost(2.0, MEASURED, 0.9) and found[java].basis == SCALED and found[java].seconds > 0
    costs.costs([one])
    assert asked == [one]
    load[0] = 0.0
    costs.costs([one])
    costs.costs([one])
    assert asked == [one, one]
    monkeypatch.setattr(costs, "machine", lambda: {"cpu": "another"})
    costs.costs([one])
    assert len(asked) == 3


def test_a_run_corrects_the_unit_that_its_time_came_from(folders, monkeypatch):
    monkeypatch.setattr(costs, "_measured", lambda units: dict.fromkeys(units, 2.0))
    step, own = unit("step", batch=4), Unit("notebook/04")
    costs.costs([step, own])
    learned = costs.learn({step: 100.0, own: 20.0}, 70.0)
    assert learned[step].seconds == pytest.approx(1.0) and costs.costs([step])[step] == learned[step]
    assert costs.learn({step: 50.0, own: 50.0}, 70.0) == {}  # either may be it
    assert costs.learn({step: 100.0}, 1000.0) == {} == costs.learn({}, 10.0)  # a machine that slept; no estimate


def test_the_table_has_estimate_and_reality():
    lines = costs.table({"04_training/a": {"estimated": 60.0, "seconds": 90.0}, "06_tables": {"seconds": 9.0}})
    assert [line.split() for line in lines] == [
        ["stage", "estimated", "took"],
        ["04_training/a", "1", "min", "00", "s", "1", "min", "30", "s"],
        ["06_tables", "-", "9", "s"],
    ]


def test_sizes_that_take_long_are_not_measured_at_their_end():
    tried = []

    def seconds_of(size):
        tried.append(size)
        return 0.5 + 0.1 * size

    assert measure.grown([8, 16, 64, 128], seconds_of) == pytest.approx(0.5 + 0.1 * 128)
    assert tried == [8, 8, 16] and train.train  # the first for nothing
