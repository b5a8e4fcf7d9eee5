"""A run made on one kind of device is opened on another; what a GPU does otherwise, as far as a CPU can tell."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_keys import SMALLEST

import aaclib
from aaclib import config, device, finished, generate, paths, provenance, store
from aaclib.decoder import CaptionDecoder
from aaclib.text import WordTokenizer

TARGET = "soundscapes-long"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A tiny run whose record and keys say that a GPU made it."""
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    settings = {name: value for name, value in SMALLEST.items() if name != "device"} | {"name": "theirs"}
    real = store.Store.id
    with monkeypatch.context() as there:
        there.setattr(store.Store, "id", lambda self, kind, key: real(self, kind, finished.of_device(key, "cuda")))
        run = aaclib.Run.load("quick", settings)
        captions = run.captions(TARGET, "noise+projection", 0)
    opened = [f"{path.parent.name}/{path.name}" for path in (tmp_path / "cache").glob("*/*") if path.is_dir()]
    described = {"profile": "quick", "overrides": settings, "machine": {"device": "cuda"}}
    store.write_record(
        paths.runs_dir() / "theirs" / "run.json", {**described, "stages": {"05": {"artefacts": sorted(opened)}}}
    )
    return settings, captions, opened


def test_it_is_opened_by_what_its_record_names_and_nothing_is_made_again(elsewhere):
    settings, captions, _ = elsewhere
    made = []
    for run in (aaclib.Run.load("quick", settings), aaclib.Run.of_run("theirs")):
        run.store.making = made.append
        assert run.captions(TARGET, "noise+projection", 0) == captions and made == []
    run.captions(TARGET, "baseline", 0)  # another training: anew, by this machine
    assert made == ["decoder", "captions"]
    captioner = aaclib.Captioner.from_run("theirs", "noise+projection", device="cpu")
    z = captioner.run.audio(TARGET, "evaluation", 0).z
    assert captioner.from_embeddings(z) == captions


def test_a_device_that_is_asked_for_makes_its_own(elsewhere):
    settings, _, opened = elsewhere
    run = aaclib.Run.load("quick", settings | {"device": "cpu"})
    run.clap(0)
    there = {f"{path.parent.name}/{path.name}" for path in run.store.root.glob("tiny-clap/*") if path.is_dir()}
    assert there - set(opened), "the CLAP of another device was taken for this one's"


def test_a_run_without_a_record_has_a_plain_store(tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))
    found = finished.Finished("nowhere", tmp_path)
    artefact = found.get("captions", {"device": "cpu"}, lambda folder: None)
    assert found.opened == frozenset() and store.Store(tmp_path).find("captions", {"device": "cpu"}) == artefact
    assert found.find("captions", {"device": "cuda"}) is None


def test_float32_is_float32_and_the_record_says_so():
    assert not torch.backends.cudnn.allow_tf32 and torch.get_float32_matmul_precision() == "highest"
    assert provenance.machine()["tf32"] is config.TF32 is False


def test_captions_at_once_are_bounded_by_the_free_memory_of_a_gpu(monkeypatch):
    model = CaptionDecoder(config.Decoder(layers=2, heads=2, width=32), 8, WordTokenizer.train(["a dog barks"]))
    assert generate.fitting(model, 256) == 256
    monkeypatch.setattr(generate, "free_bytes", lambda device: 2**20)
    assert generate.fitting(model, 256) == 256  # a CPU takes what the setting says

    weight = SimpleNamespace(device=torch.device("cuda"))  # which needs no GPU to be named
    there: Any = SimpleNamespace(
        mapping=SimpleNamespace(weight=weight), settings=model.settings, tokenizer=model.tokenizer
    )
    few, fewer = generate.fitting(there, 256), generate.fitting(there, 256, beam=3)
    assert 1 <= fewer < few < 256
    monkeypatch.setattr(generate, "free_bytes", lambda device: 0)
    assert generate.fitting(there, 256) == 1


def test_the_cpu_is_taken_where_nothing_else_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device.pick_device() == torch.device("cpu") and device.pick_device("cuda:1").index == 1
    assert device.free_bytes(torch.device("cpu")) > 0
