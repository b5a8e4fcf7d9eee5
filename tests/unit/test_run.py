"""A run as an object: what it prints, what it says of itself, and that its numbers are functions of it."""

import inspect

import made
import numpy as np
import pytest

from aaclib import bridge, config, results
from aaclib.captions import derangement
from aaclib.decoders import Trained
from aaclib.reprs import brief
from aaclib.run import Run
from aaclib.store import Artefact, Store


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder)
    return Run(config.load("quick", made.settings_of(folder)), Store(folder / "store"))


def test_a_run_prints_what_it_is_and_what_is_there(run, tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))
    fresh = Run(run.config, run.store)
    told = f"Run 'quick': folder ({len(run.config.data.targets['folder'])} rows); seeds 0; CLAP made:MadeClap; "
    assert repr(fresh).startswith(told) and "no run.json yet, 0 files in figures" in repr(fresh)
    (tmp_path / "quick" / "figures").mkdir(parents=True)
    for name in ("run.json", "figures/a.pdf", "figures/a.png"):
        (tmp_path / "quick" / name).touch()
    assert repr(fresh).endswith(f"{tmp_path / 'quick'}: run.json, 2 files in figures, 0 files in tables")


def test_arrays_print_as_names_and_shapes(run):
    texts, audio, pairs = run.texts("folder", "train", 0), run.audio("folder", "evaluation", 0), run.pairs(0)
    n, d = texts.z.shape
    assert repr(texts) == (f"Texts(captions={n} [{texts.captions[0]!r}, ...], clip=({n},) int64, z=({n}, {d}) float32)")
    assert repr(audio).startswith("Audio(ids=30 ['") and f"z=(30, {d}) float32, errors=0" in repr(audio)
    assert f"z_a=({len(pairs.ids)}, {d}) float32, z_t=({len(pairs.ids)}, {d}) float32" in repr(pairs)
    context, estimate = run.context("folder", 0), run.gap(0)
    assert repr(context).startswith("Context(sigma=0.") and f"gap=({d},) float32" in repr(context)
    assert "own_audio_mean" not in repr(context) and f"vector=({d},) float32" in repr(estimate)
    assert all("\n" not in repr(thing) and len(repr(thing)) < 400 for thing in (texts, audio, pairs, context, estimate))
    assert repr(bridge.Context()) == "Context(sigma=0, sigma_without_gap=0, tau=0.01, renormalise=True, axes=100)"
    assert (
        brief("x", none=None, empty=[], one=["a"], many=(1, 2))
        == "str(none=None, empty=[], one=1 ['a'], many=2 [1, ...])"
    )


def test_a_decoder_prints_what_it_was_trained_for(run, tmp_path):
    def build(folder):
        return {"history": [{"epoch": 1}, {"epoch": 2}], "target": "folder", "training": "noise", "seed": 0}

    artefact = Store(tmp_path).get("decoder", {}, build)
    said = repr(Trained(artefact, run.device))
    assert said == f"Trained(target='folder', training='noise', seed=0, epochs=2, folder='{artefact.path}')"
    assert isinstance(artefact, Artefact)


def functions() -> dict:
    """The public functions of a run and of its results, by name."""
    of_run = {f"Run.{name}": value for name, value in vars(Run).items() if name[0] != "_"}
    found = of_run | {f"results.{name}": getattr(results, name) for name in results.__all__}
    found = {name: getattr(value, "__func__", value) for name, value in found.items()}
    return {name: value for name, value in found.items() if inspect.isfunction(value)}


def test_every_public_function_says_what_it_gives_and_shows_a_call():
    silent = [name for name, function in functions().items() if ">>>" not in (inspect.getdoc(function) or "")]
    assert silent == [] and len(functions()) > 30


def test_a_run_has_few_methods_and_all_numbers_are_functions_of_it():
    methods = [name for name in functions() if name.startswith("Run.")]
    assert len(methods) <= 20, "what is computed from a run belongs into a module of its own"
    for name in set(functions()) - set(methods):
        first = next(iter(inspect.signature(functions()[name]).parameters.values()))
        assert (first.name, first.annotation) == ("run", "Run"), name


def test_what_is_kept_of_a_run_goes_with_it(run, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "clips", lambda *about: asked.append(about) or run.audio(*about).clips)
    other = Run(run.config, run.store)
    assert results.new(run, "folder") is results.new(run, "folder") is None and len(asked) == 1
    assert results.new(other, "folder") is None and len(asked) == 1
    assert np.array_equal(run.memory_rows("folder", 0), other.memory_rows("folder", 0))
    assert run.memory_rows("folder", 0) is not other.memory_rows("folder", 0)


def test_derangement_moves_everybody():
    with pytest.raises(ValueError, match="one clip alone"):
        derangement(1, np.random.default_rng(0))
    for n in (2, 3, 50):
        order = derangement(n, np.random.default_rng(n))
        assert sorted(order) == list(range(n)) and (order != np.arange(n)).all()
