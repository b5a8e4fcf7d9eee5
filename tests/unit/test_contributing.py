"""CONTRIBUTING's lines run as they stand there, and what they add is in one run's table."""

import csv
import re
from pathlib import Path

import made
import numpy as np
import pytest

import aaclib
from aaclib import bridge, clap, config, own
from aaclib.bridge import Context
from aaclib.store import Store

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
SMALL = {"data.pretrain": "", "device": "cpu", "train.epochs": 1, "metrics.bootstrap": 20, "clap.batch_size": 8}
SMALL |= {"decoder.width": 16, "decoder.layers": 1, "decoder.heads": 2, "generate.max_tokens": 8, "seeds": [0]}


def lines(heading: str) -> str:
    """The Python of a section."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL))


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    for name in ("CLAPS", "DATASETS", "METRICS"):
        monkeypatch.setattr(own, name, {})
    yield
    for name in bridge.registered():
        bridge.forget(name)


@pytest.fixture
def garden(tmp_path, monkeypatch):
    """Forty recordings and garden.csv, where the lines look for them."""
    made.make(tmp_path / "made", 40, captions=1)
    (tmp_path / "made" / "audio").rename(tmp_path / "recordings")
    with open(tmp_path / "made" / "captions.csv", newline="") as file:
        rows = [
            {"file_name": r["file_name"], "split": r["split"], "caption": r["caption_1"]} for r in csv.DictReader(file)
        ]
    with open(tmp_path / "garden.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.chdir(tmp_path)


def test_a_strategy():
    exec(lines("A strategy"), {})
    z, context = np.eye(2, 3, dtype=np.float32), Context(gap=np.array([0, 0, 2], np.float32))
    half = np.float32(2**-0.5)
    np.testing.assert_allclose(bridge.train_half("halfway")(z, context), [[half, 0, half], [0, half, half]], rtol=1e-6)
    np.testing.assert_allclose(
        bridge.infer_half("back-halfway")(z, context), [[half, 0, -half], [0, half, -half]], rtol=1e-6
    )
    assert bridge.strategy("halfway+projection").group == "both" and bridge.reads("noise+back-halfway") == {
        "sigma",
        "gap",
    }


def test_a_metric():
    exec(lines("A metric"), {})
    scores = aaclib.metrics.evaluate(["a b c", "a"], [["x y z"], ["x", "x y z"]], ["same_length"], False, store=False)
    assert scores.per_clip.same_length.tolist() == [1, 0.5] and scores.corpus == {"same_length": 0.75}


def test_a_clap():
    exec(lines("A CLAP"), {})
    backend = clap.load("loudness", "cpu")
    z = backend.embed_audio([np.random.default_rng(0).normal(0, 0.1, 24000).astype(np.float32)], 16000)
    assert z.shape == (1, 8) and np.allclose(np.linalg.norm(z), 1)
    assert backend.embed_text(["a bell", "rain"]).shape == (2, 8)


def test_a_data_set(garden):
    exec(lines("A data set"), {})
    found = aaclib.datasets.load("garden", config.Data())
    text, audio = found.split("evaluation"), found.split("evaluation", audio=True)
    assert len(text.clips) == 8 and not text.paths and text.captions == audio.captions
    assert all(path.is_file() for path in audio.paths)


def test_all_of_them_in_one_run(garden, tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "cache"))
    load = config.load
    monkeypatch.setattr(config, "load", lambda profile, overrides: load(profile, {**overrides, **SMALL}))
    names = {}
    for heading in ("A strategy", "A metric", "A CLAP", "A data set", "All of them in one run"):
        exec(lines(heading), names)
    run = names["run"]
    assert isinstance(run.store, Store) and str(run.store.root).startswith(str(tmp_path))
    table = aaclib.results.results(run, "garden").pivot(index="strategy", columns="metric", values="value")
    assert list(table.index) == ["back-halfway", "baseline", "halfway", "halfway+projection"]
    assert list(table.columns) == ["rouge_l", "same_length"] and table.notna().all(axis=None)
    shown = aaclib.tables.main_table(run, "garden", "greedy")
    assert r"Same\\length" in shown.latex() and "halfway+projection" in shown.latex()


def test_what_contributing_names_is_there():
    root = Path(__file__).parents[2]
    for name in re.findall(r"`((?:aaclib|tests)/[\w./]+)`", TEXT):
        assert (root / name).exists(), name
