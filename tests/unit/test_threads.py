"""The setting `threads` never decides what comes out, nor do PyTorch's own threads what a training gives."""

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path

import made
import numpy as np
import pytest
import soundfile
import torch

from aaclib import bridge, config, seeds, text, train, training, workers
from aaclib.clap import tiny, tiny_files
from aaclib.clap.tiny_model import SAMPLE_RATE
from aaclib.datasets import Clip, Split, soundscapes
from aaclib.decoder import CaptionDecoder
from aaclib.run import Run
from aaclib.store import Store

CAPTIONS = [
    f"a {thing} {verb} in the {place} while a {other} waits"
    for thing in ("dog", "cat", "bell", "car")
    for verb in ("sings", "runs")
    for place in ("park", "house", "street")
    for other in ("man", "woman")
]
COUNTS = (1, 2, 4)


def at_any_count(compute) -> list:
    """What `compute()` gives where PyTorch begins with one thread, two and four."""
    before, found = torch.get_num_threads(), []
    try:
        for n in COUNTS:
            torch.set_num_threads(n)
            found.append(compute())
            assert torch.get_num_threads() == n, "the caller's threads are left alone"
    finally:
        torch.set_num_threads(before)
    return found


def decoder_of(width: int) -> tuple[CaptionDecoder, train.Examples]:
    tokenizer = text.WordTokenizer.train(CAPTIONS)
    seeds.seed_all(0, "model")
    model = CaptionDecoder(config.Decoder(layers=2, heads=2, width=width), 128, tokenizer)
    z = bridge.unit(np.random.default_rng(0).standard_normal((len(CAPTIONS), 128)).astype(np.float32))
    return model, train.Examples(z, tokenizer.encode(CAPTIONS))


def test_a_decoder():
    def weights(**settings) -> bytes:
        model, examples = decoder_of(128)
        with tempfile.TemporaryDirectory() as folder:
            train.train(
                model,
                bridge.train_half("noise"),
                bridge.Context(sigma=0.1),
                examples,
                examples,
                config.Train(epochs=1, batch_size=32, lr=3e-3, keep="best", **settings),
                0,
                Path(folder),
            )
        return b"".join(p.detach().numpy().tobytes() for p in model.parameters())

    found = at_any_count(weights)
    assert len(set(found)) == 1 and weights(threads=2) != found[0]  # the setting that is in the key does


def test_a_tiny_clap(tmp_path):
    time, clips = np.arange(16000) / SAMPLE_RATE, []
    for i, caption in enumerate(CAPTIONS[:16]):
        soundfile.write(tmp_path / f"{i}.wav", 0.3 * np.sin(2 * np.pi * 110 * 2 ** (i / 4) * time), SAMPLE_RATE)
        clips.append(Clip(str(i), (caption, f"so {caption}"), tmp_path / f"{i}.wav"))
    split, settings = Split("made", "train", tuple(clips)), config.Clap(epochs=1, train_batch=16, train_threads=1)

    def weights(settings=settings) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            made_here = tiny.train(split, settings, 0, Store(folder), "cpu", window_s=1.6)
            return (made_here / tiny_files.WEIGHTS).read_bytes()

    found = at_any_count(weights)
    assert len(set(found)) == 1 and weights(replace(settings, train_threads=2)) != found[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder, n=40)
    return folder


def run_of(world, store, **overrides):
    few = {"train.epochs": 1, "data.targets": {"folder": ["baseline", "noise", "shift"]}}
    return Run(config.load("quick", {**made.settings_of(world), **few, **overrides}), Store(store))


def test_the_setting_bounds_what_runs_at_once_and_names_nothing(world, tmp_path, monkeypatch):
    monkeypatch.setattr(training.os, "cpu_count", lambda: 3)
    seen, trained, before = [], {}, torch.get_num_threads()
    monkeypatch.setattr(training, "_side_by_side", lambda *a: seen.append(a[3]))
    for threads, side_by_side in ((0, [3]), (1, []), (2, [2]), (9, [3])):
        seen.clear()
        run = run_of(world, tmp_path / str(threads), threads=threads)
        training.train_all(run)
        assert seen == side_by_side and run.config.at_once(6) == min(threads or 6, 6)
        assert torch.get_num_threads() == before  # embeddings and captions are computed as ever
        trained[threads] = {
            path.name: made.content(path / "decoder.safetensors")
            for path in (run.store.root / "decoder").iterdir()
            if path.is_dir()
        }
    assert len(trained[0]) == 3 and all(ids == trained[0] for ids in trained.values())
    monkeypatch.setattr(training.os, "cpu_count", lambda: 4)
    seen.clear()
    training.train_all(run_of(world, tmp_path / "two", threads=0, **{"train.threads": 2}))
    assert seen == [2]  # four cores hold two trainings of two threads


def test_rendering_has_no_more_workers_than_asked_for(tmp_path, monkeypatch):
    pools = []

    @contextlib.contextmanager
    def pool(count):
        pools.append(count)
        raise RuntimeError("enough")
        yield

    monkeypatch.setattr(workers, "pool", pool)
    settings = config.Data(sizes={"soundscapes-dev.train": 500})
    for most in (2, 3):
        with pytest.raises(RuntimeError, match="enough"):
            soundscapes.load("soundscapes-dev", settings, Store(tmp_path), most).split("train", audio=True)
    assert pools == [2, 3]
