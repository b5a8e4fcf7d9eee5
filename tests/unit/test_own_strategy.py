"""A strategy of one's own: trained by workers, a row of the table, named by what it does."""

import made
import pytest

from aaclib import bridge, config, decoders, steps, training
from aaclib.run import Run
from aaclib.store import Store


def step(factor):
    return lambda z, context, rng=None: z + factor * context.need("gap")


@pytest.fixture
def own():
    yield
    for name in bridge.registered():
        bridge.forget(name)


def test_a_strategy_of_ones_own_is_trained_by_workers_is_a_row_and_is_never_given_an_old_decoder(
    tmp_path, monkeypatch, own
):
    monkeypatch.setattr(training.os, "cpu_count", lambda: 2)
    made.make(tmp_path / "world")
    settings = {"train.epochs": 1, "data.targets": {"folder": ["baseline"]}}
    found = Run(config.load("quick", {**made.settings_of(tmp_path / "world"), **settings}), Store(tmp_path))
    by_workers, one, ids = [], training._side_by_side, []
    monkeypatch.setattr(training, "_side_by_side", lambda *a: (one(*a), by_workers.append(len(list(paths())))))

    def paths():
        return (path for path in (tmp_path / "decoder").iterdir() if path.is_dir())

    for factor in (0.5, -3):
        bridge.register("echo", training=[step(factor)], reads=["gap"])
        assert set(training.train_all(found)["folder", 0]) == {"text", "echo"}
        ids.append(found.decoder("folder", "echo", 0).artefact.id)
    assert by_workers[0] == 2 and len(set(ids)) == 2 and len(list(paths())) == 3
    assert [row.name for row in found.strategies("folder")] == ["baseline", "echo"]
    before = decoders.key(found, "folder", bridge.strategy("echo"), 0)
    monkeypatch.setattr(steps, "unit", lambda z: z)  # no entry and no step changed, but what they do
    assert decoders.key(found, "folder", bridge.strategy("echo"), 0) != before
    assert "source" not in decoders.key(found, "folder", bridge.strategy("baseline"), 0)
