"""No damage to any kind of file of store and run is used without a word, or ends in an error that is not for users.

The harness `tests/damage.py` does the same to every file of a `smoke` run; here are one run on made data, and
what lies in unfinished folders, in seconds.
"""

import shutil
import sqlite3
from pathlib import Path

import damage
import made
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_clap import ToyClap

from aaclib import cache, config, embeddings, paths, records, results, resume, store
from aaclib.captioner import Captioner
from aaclib.clap import files
from aaclib.run import Run
from aaclib.suite import cli

SMALL = {
    "train.epochs": 1,
    "train.keep": "best",
    "metrics.names": ["bleu_1", "rouge_l"],
    "data.targets": {"folder": ["projection", "shuffled"]},
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A finished run on made data: `here` to damage, `whole` to put back."""
    folder = tmp_path_factory.mktemp("ground")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RUNS", "CACHE"):
            patch.setenv(f"AACLIB_{name}", str(folder / "here" / name.lower()))
        patch.setattr("aaclib.metrics._Run._tokens", lambda run, _: (run.candidates, run.references))  # needs Java
        made.make(folder / "world", n=40)
        settings = {**made.settings_of(folder / "world"), **SMALL}
        store.write_record(
            paths.runs_dir() / "mine" / "run.json",
            {"profile": "quick", "overrides": settings, "stages": {}, "written": "2026-01-02T03:04"},
        )
        asked(settings)
        shutil.copytree(folder / "here", folder / "whole")
        yield folder, settings


def asked(settings) -> list:
    done = Run(config.load("quick", settings))
    rows = [done.captions("folder", "projection", 0), results.scores(done, "folder", "projection", 0).corpus]
    return [
        results.retrieval(done, "folder", 0),
        *rows,
        Captioner.from_run("mine").caption([done.clips("folder", "evaluation", 0)[0].audio]),
        cli.main(["list"]),
    ]


def kinds(folder) -> list:
    """One file of each name in each kind of the store, and the record."""
    found = {}
    for path in sorted(p for p in (folder / "here").rglob("*") if p.is_file()):
        parts = path.relative_to(folder / "here").parts
        found.setdefault((*parts[:2], path.name), path)
    return list(found.values())


def test_every_kind_of_damage_to_every_kind_of_file(ground):
    folder, settings = ground
    damage.fresh()
    expected, seen = asked(settings), {}
    names = {path.name for path in kinds(folder)}
    assert {
        "rows.npy",
        "index.npy",
        "errors.json",
        "plan.json",
        "decoder.safetensors",
        "tokenizer.json",
        "captions.json",
        "artefact.json",
        "run.json",
        "v1.sqlite",
        "file-digests.sqlite",
    } <= names
    for path in kinds(folder):
        for how in damage.HOW:
            damage.fresh()
            left = damage.damage(path, how)
            found = damage.watch([lambda: asked(settings)])
            seen[path.name, how] = damage.verdict(path, left, found, [expected])
            shutil.rmtree(folder / "here")
            shutil.copytree(folder / "whole", folder / "here")
    assert not {case: found for case, found in seen.items() if found in damage.BAD}
    assert seen["decoder.safetensors", "deleted"] == "made again"
    assert seen["run.json", "one byte changed"] == "refused by name"


def test_a_decoder_that_was_damaged_is_not_trained_in_passing(ground):
    folder, _ = ground
    (weights,) = (folder / "here" / "cache").rglob("decoder.safetensors")
    damage.fresh()
    damage.damage(weights, "one byte changed")
    try:
        with pytest.raises(store.Damaged, match=f"{weights.parent} is damaged .decoder.safetensors .* Delete"):
            Captioner.from_run("mine")
        shutil.rmtree(weights.parent)
        with pytest.raises(config.ConfigError, match="Run ./run_all.sh"):
            Captioner.from_run("mine")
        assert records.gone([f"decoder/{weights.parent.name}"]) == f"decoder/{weights.parent.name} is gone"
    finally:
        shutil.rmtree(folder / "here")
        shutil.copytree(folder / "whole", folder / "here")
    assert records.gone([f"decoder/{weights.parent.name}"]) == ""


# ---- unfinished folders ----------------------------------------------------------------------------------------------


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Stores with an extraction of recordings and one of captions that were stopped after three shards."""
    folder = tmp_path_factory.mktemp("halves")
    made.make(folder / "world", n=10)
    recordings, texts = sorted((folder / "world").rglob("*.wav")), [f"caption {i} {'ab' * i}" for i in range(10)]

    def extract(root: Path, backend: ToyClap) -> list:
        kept = store.Store(root)
        return [
            embeddings.embed_audio(backend, recordings, kept, shard=2, batch_size=2),
            embeddings.embed_text(backend, texts, kept, shard=2, batch_size=2),
        ]

    class Stops(ToyClap):
        def stop(self, *batch):
            self.left = getattr(self, "left", 3) - 1
            if self.left < 0:
                raise Stopped
            return getattr(super(), self.part)(*batch)

        def __init__(self, part):
            super().__init__("cpu")
            self.part = part
            setattr(self, part, self.stop)

    whole = [np.array(rows) for rows in extract(folder / "whole", ToyClap("cpu"))]
    for part in ("embed_waves", "embed_text"):
        with pytest.raises(Stopped):
            extract(folder / "half", Stops(part))
    return folder, extract, whole


@pytest.mark.parametrize("how", damage.HOW)
def test_a_stopped_extraction_that_was_damaged_comes_to_the_same_rows(halves, how, capsys):
    folder, extract, whole = halves
    parts = [path for path in sorted((folder / "half").rglob("*.part/*")) if path.is_file()]
    assert {".shard-000001.npy", ".shard-000001.json", "plan.json"} <= {path.name for path in parts}
    for path in parts:
        shutil.rmtree(folder / "work", ignore_errors=True)
        shutil.copytree(folder / "half", folder / "work")
        damage.damage(folder / "work" / path.relative_to(folder / "half"), how)
        for rows, expected in zip(extract(folder / "work", ToyClap("cpu")), whole, strict=True):
            np.testing.assert_array_equal(rows, expected)
        said = capsys.readouterr().err
        assert how == "deleted" or path.suffix == ".lock" or f"{path.stem}.json is damaged" in said, path


@pytest.mark.parametrize("how", damage.HOW)
@pytest.mark.parametrize("which", ["state", "best"])
def test_a_state_that_was_damaged_begins_anew(tmp_path, how, which, capsys):
    def net():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))

    model, again, paths = net(), net(), {name: tmp_path / name for name in ("state", "best")}
    optimizer, other = (torch.optim.AdamW(one.parameters()) for one in (model, again))
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    for path in paths.values():
        resume.save(path, model, optimizer, {"history": [{"epoch": 1}]})
    assert resume.restore(paths["state"], again, other, [paths["best"]]) == {"history": [{"epoch": 1}]}
    assert torch.equal(again[0].weight, model[0].weight)
    damage.damage(paths[which], how)
    again = net()
    assert resume.restore(paths["state"], again, needs=[paths["best"]]) == {}
    assert torch.equal(again[0].weight, net()[0].weight)  # untouched
    assert (which, how) == ("state", "deleted") or f"{paths[which]} is damaged" in capsys.readouterr().err


# ---- what is remembered in SQLite ------------------------------------------------------------------------------------


@given(place=st.floats(0, 1, exclude_max=True), length=st.integers(1, 60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damaged_entry_is_used(tmp_path_factory, place, length):
    kept = cache.Cache("scores", store.Store(tmp_path_factory.mktemp("cache")))
    entries = {cache.key(i): bytes([i]) * 40 for i in range(120)}
    kept.put(entries)
    assert kept.get(entries) == entries
    content = bytearray(kept.path.read_bytes())
    start = int(place * len(content))
    content[start : start + length] = bytes(b ^ 0x55 for b in content[start : start + length])
    kept.path.write_bytes(content)
    assert kept.get(entries).items() <= entries.items()
    kept.put(entries)
    kept.put(entries)  # the first may find out that it is damaged
    assert kept.get(entries).items() <= entries.items()


def test_entries_of_an_earlier_version_are_none_and_a_damaged_file_is_begun_anew(tmp_path, capsys):
    kept = cache.Cache.at(tmp_path / "t.sqlite")
    with sqlite3.connect(kept.path) as db:
        db.execute("CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB, made REAL)")
        db.executemany("INSERT INTO entries VALUES (?, ?, 1)", [(b"a", b"without a sum"), (b"b", 7), (b"c", "text")])
    assert kept.get([b"a", b"b", b"c"]) == {}
    assert "3 entries are damaged or of an earlier version" in capsys.readouterr().err
    damage.fresh()
    kept.path.write_bytes(b"not a database, and long enough to be noticed as one" * 50)
    assert kept.get([b"a"]) == {} and f"{kept.path}: damaged" in capsys.readouterr().err
    kept.put({b"a": b"1"})
    assert kept.get([b"a"]) == {b"a": b"1"}


def test_where_nothing_can_be_written_what_is_known_is_read(tmp_path, monkeypatch, capsys):
    recording, table = tmp_path / "a.wav", tmp_path / "cache" / "t.sqlite"
    recording.write_bytes(b"sound")
    first = files.digests([recording], table)
    real, hashed = sqlite3.connect, []
    monkeypatch.setattr(sqlite3, "connect", lambda path, **how: real(f"file:{path}?mode=ro", uri=True, **how))
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
    monkeypatch.setattr(files, "file_digest", lambda path, real=files.file_digest: hashed.append(1) or real(path))
    assert files.digests([recording], table) == first and not hashed and capsys.readouterr().err == ""
    other = tmp_path / "b.wav"
    other.write_bytes(b"sound")
    for where in (table, tmp_path / "nowhere" / "t.sqlite"):
        damage.fresh()
        assert files.digests([other, tmp_path / "none"], where) == [*first, ""]
        assert f"{where}: " in capsys.readouterr().err


def test_a_finished_run_captions_where_nothing_can_be_written(ground, monkeypatch):
    """As on a disk that was mounted to be read: every way to open for writing, or to make a folder, fails."""
    folder, settings = ground
    expected = asked(settings)
    damage.fresh()
    real = open

    def only_read(path, mode="r", *args, **kwargs):
        if set(mode) & set("wax+") and str(path).startswith(str(folder)):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, mode, *args, **kwargs)

    def refuse(*path, **_):
        raise OSError(30, "Read-only file system", str(path[0]))

    monkeypatch.setattr("builtins.open", only_read)
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **how: connect(f"file:{path}?mode=ro", uri=True, **how))
    assert asked(settings) == expected
