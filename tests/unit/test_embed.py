"""The extraction engine: order, resume after kills, bad files, digests, spreading over processes, own embeddings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bad_audio import BAD, GOOD, write_bad
from toy_clap import ToyClap

from aaclib import clap, cluster, embeddings
from aaclib.audio import AudioError
from aaclib.clap import files
from aaclib.clap.base import Backend, BackendError
from aaclib.store import Store

HERE = Path(__file__).resolve().parent
AT_DECODING = ("nan", "infinite", "truncated flac", "16 bits as floats")  # what a look at the header does not show


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "cache"))
    ToyClap.calls = 0
    return Store(tmp_path / "cache")


def recordings(folder: Path, n: int, seed: int = 0) -> list[Path]:
    """Noise of 0.05 to 0.9 s: shorter than a window, longer, and several windows."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = [folder / f"clip{i:03d}.wav" for i in range(n)]
    for i, path in enumerate(paths):
        soundfile.write(path, rng.uniform(-0.5, 0.5, 400 + 97 * (i % 70)) * rng.uniform(0.1, 1), 8000)
    return paths


def naive(backend: Backend, path: Path) -> np.ndarray:
    """One recording: every window by itself, unit rows averaged, unit length again."""
    import torch

    from aaclib import audio

    wave = audio.load(path, backend.sample_rate)
    rows = []
    for window in audio.windows(wave, round(backend.window_s * backend.sample_rate)):
        row = backend.audio_batch(torch.from_numpy(window[None]))[0].numpy().astype(np.float64)
        rows.append(row / np.linalg.norm(row))
    mean = np.mean(rows, axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("workers", [0, 3])
def test_rows_are_in_order_and_equal_the_naive_way(store, tmp_path, workers):
    paths, backend = recordings(tmp_path / "a", 50), ToyClap("cpu")
    rows = embeddings.embed_audio(backend, paths, store, workers=workers, shard=7, batch_size=4)
    assert isinstance(rows, np.memmap) and rows.dtype == np.float32 and rows.shape == (50, 6)
    np.testing.assert_allclose(rows, [naive(backend, path) for path in paths], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    ToyClap.calls = 0
    assert np.array_equal(embeddings.embed_audio(backend, paths, store, workers=workers, shard=7, batch_size=4), rows)
    assert ToyClap.calls == 0  # a second run computes nothing
    artefact = embeddings.extract_audio(backend, paths, store, shard=7, batch_size=4).artefact
    assert {path.name for path in artefact.path.iterdir()} == {
        "artefact.json",
        "plan.json",
        "errors.json",
        "index.npy",
        "rows.npy",
    }


def test_the_key(store, tmp_path):
    paths, backend = recordings(tmp_path / "a", 3), ToyClap("cpu")
    moved = [path.rename(tmp_path / path.name) for path in paths]
    embeddings.embed_audio(backend, moved, store)
    calls = ToyClap.calls
    other = recordings(tmp_path / "b", 3)  # the same content at another place
    embeddings.embed_audio(backend, other, store)
    assert ToyClap.calls == calls
    embeddings.embed_audio(backend, other[::-1], store)  # another order is another result
    backend.long_audio = "first"
    embeddings.embed_audio(backend, other, store)
    assert ToyClap.calls > 2 * calls
    changed = ToyClap.calls
    embeddings.embed_audio(backend, other[:2], store)  # a part of the split is not the split
    assert changed < ToyClap.calls


def test_digests_are_remembered_until_a_file_changes(tmp_path, monkeypatch):
    path, hashed = tmp_path / "a.bin", []
    path.write_bytes(b"one")
    monkeypatch.setattr(files, "file_digest", lambda p: hashed.append(p) or f"d{len(hashed)}")
    table = tmp_path / "cache" / "t.sqlite"
    assert files.digests([path, path], table) == ["d1", "d1"] and len(hashed) == 1
    path.write_bytes(b"two")
    assert files.digests([path, tmp_path / "none"], table) == ["d2", ""] and len(hashed) == 2


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from toy_clap import ToyClap
from aaclib import embeddings
from aaclib.store import Store
import numpy as np
root = Path(sys.argv[1])
paths = sorted((root / "a").iterdir())
texts = [f"caption {{'abcdef'[i % 6] * (i % 17)}} {{i // 2}}" for i in range(140)]
def extract(kind, store):
    if kind == "audio":
        return embeddings.embed_audio(ToyClap("cpu"), paths, store, shard=2, batch_size=2, workers=2)
    return embeddings.embed_text(ToyClap("cpu"), texts, store, shard=2, batch_size=2)
def shards(kind):
    return len(list((root / f"killed-{{kind}}").rglob(".shard-*.json")))
random.seed(5)
for kind in ("audio", "text"):
    os.environ["TOY_SLEEP"] = "0.005"
    for _ in range(10):
        wanted = shards(kind) + random.choice([0, 1, 2, 3])
        child = os.fork()
        if not child:
            extract(kind, Store(root / f"killed-{{kind}}"))
            os._exit(0)
        while shards(kind) < wanted and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "finished before it was killed"
    kept = shards(kind)
    rows = extract(kind, Store(root / f"killed-{{kind}}"))
    os.environ["TOY_SLEEP"] = "0"
    assert np.array_equal(rows, extract(kind, Store(root / f"whole-{{kind}}"))), "not the rows of an unbroken run"
    print("KEPT", kind, kept, rows.shape)
"""


def test_killed_ten_times(tmp_path):
    recordings(tmp_path / "a", 140)
    run = subprocess.run(
        [sys.executable, "-c", KILLED.format(here=str(HERE)), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    kept = [line.split() for line in run.stdout.splitlines() if line.startswith("KEPT")]
    assert [line[1] for line in kept] == ["audio", "text"]
    assert all(int(line[2]) >= 8 for line in kept), "too little was kept from one kill to the next"


def test_bad_files_among_four_hundred(store, tmp_path):
    good = recordings(tmp_path / "a", 376) + [write_bad(tmp_path / "a", kind) for kind in GOOD]
    bad = {write_bad(tmp_path / "a", kind): kind for kind in BAD}
    assert len(good) == 380 and len(bad) == len(BAD) > 20
    paths, backend = [*good], ToyClap("cpu")
    for i, path in enumerate(bad):
        paths.insert(7 + i * 19, path)
    result = embeddings.extract_audio(backend, paths, store, on_error="skip", shard=32)
    assert result.errors.keys() == {str(path) for path in bad}
    for path, kind in bad.items():
        assert BAD[kind] in result.errors[str(path)] and result.errors[str(path)]
    assert [paths[i] for i in result.index] == good and len(result.rows) == 380
    np.testing.assert_allclose(result.rows[::40], [naive(backend, path) for path in good[::40]], atol=1e-6)
    with pytest.raises(embeddings.ExtractionError) as caught:
        embeddings.embed_audio(backend, paths, store, shard=32)
    assert caught.value.errors == result.errors
    for path in bad:
        assert path.name in str(caught.value)
    with pytest.raises(ValueError, match="on_error"):
        embeddings.extract_audio(backend, paths, store, on_error="ignore")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_bad_file_whose_name_is_no_text(store, tmp_path):
    paths = [*recordings(tmp_path / "a", 2), tmp_path / "a" / os.fsdecode(b"caf\xe9.wav")]
    paths[2].write_bytes(b"\1\2\3")
    result = embeddings.extract_audio(ToyClap("cpu"), paths, store, on_error="skip")
    assert list(result.errors) == [str(tmp_path / "a" / "caf\\udce9.wav")] and len(result.rows) == 2


def test_bad_headers_are_known_before_the_first_batch(store, tmp_path):
    paths = recordings(tmp_path / "a", 30) + [write_bad(tmp_path / "a", kind) for kind in BAD]
    with pytest.raises(embeddings.ExtractionError) as caught:
        embeddings.embed_audio(ToyClap("cpu"), paths, store)
    assert ToyClap.calls == 0 and len(caught.value.errors) == len(BAD) - len(AT_DECODING)


def test_a_late_error_loses_nothing_and_a_mended_file_costs_one_shard(store, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "digests", lambda paths: ["as if what cannot be decoded could be at another time"])
    paths, backend = recordings(tmp_path / "a", 40), ToyClap("cpu")
    paths.insert(21, write_bad(tmp_path / "a", "nan"))
    for _ in range(2):
        with pytest.raises(embeddings.ExtractionError, match="3 of 16000 samples are NaN"):
            embeddings.embed_audio(backend, paths, store, shard=4)
    first, ToyClap.calls = ToyClap.calls, 0
    assert len(embeddings.extract_audio(backend, paths, store, shard=4, on_error="skip").rows) == 40
    assert ToyClap.calls == 0
    other = Store(tmp_path / "other")
    with pytest.raises(embeddings.ExtractionError):
        embeddings.embed_audio(backend, paths, other, shard=4)
    soundfile.write(paths[21], np.random.default_rng(9).uniform(-0.5, 0.5, 2000), 8000)
    ToyClap.calls = 0
    rows = embeddings.embed_audio(backend, paths, other, shard=4)
    assert 0 < ToyClap.calls < first / 4
    np.testing.assert_allclose(rows[21], naive(backend, paths[21]), atol=1e-6)


def test_a_resumed_extraction_keeps_its_partition(store, tmp_path, monkeypatch):
    paths, backend = recordings(tmp_path / "a", 20), ToyClap("cpu")
    monkeypatch.setattr(backend, "audio_batch_size", lambda: 3)
    monkeypatch.setattr(backend, "embed_waves", lambda waves, size: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        embeddings.embed_audio(backend, paths, store)
    monkeypatch.undo()
    sizes, original = [], backend.embed_waves
    monkeypatch.setattr(backend, "embed_waves", lambda waves, size: sizes.append(size) or original(waves, size))
    monkeypatch.setattr(backend, "audio_batch_size", lambda: 11)  # by now more memory is free
    embeddings.embed_audio(backend, paths, Store(store.root))
    assert sizes == [3]


# --- text -------------------------------------------------------------------------------------------------------


def test_text_is_embedded_once_and_in_order(store):
    texts, backend = ["a cab", "bed", "a cab", "f" * 40, "bed", "dada"] * 50, ToyClap("cpu")
    rows = embeddings.embed_text(backend, texts, store, shard=2, batch_size=1)
    assert isinstance(rows, np.memmap) and ToyClap.calls == 4
    wanted = backend.text_batch(texts).numpy()
    np.testing.assert_allclose(rows, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
    assert np.array_equal(rows, backend.embed_text(texts))
    with pytest.raises(ValueError, match="Caption 1 of 2 is empty"):
        embeddings.embed_text(backend, ["a", " "], store)
    assert embeddings.embed_text(backend, [], store).shape == (0, 6)


def test_what_the_base_refuses(tmp_path):
    class Broken(ToyClap):
        def audio_batch(self, waves):
            return super().audio_batch(waves) * float("nan")

        def text_batch(self, texts):
            return super().text_batch(texts)[:, :3]

    with pytest.raises(BackendError, match="NaN"):
        Broken("cpu").embed_audio([np.ones(2000)], 8000)
    with pytest.raises(BackendError, match=r"expected embeddings of shape \(1, 6\), found \(1, 3\)"):
        Broken("cpu").embed_text(["a"])
    with pytest.raises(ValueError, match="sample_rate"):
        ToyClap("cpu").embed_audio([np.ones(2000)])
    with pytest.raises(TypeError, match="brackets"):
        ToyClap("cpu").embed_text("a dog")
    with pytest.raises(TypeError, match="brackets"):
        ToyClap("cpu").embed_audio("a.wav")
    with pytest.raises(AudioError, match=r"recording 1: samples up to 1e\+20"):  # not blamed on the weights
        ToyClap("cpu").embed_audio([np.ones(2000), np.r_[np.ones(1999), 1e20]], 8000)


def test_a_class_of_ones_own(tmp_path):
    backend = clap.load("toy_clap:ToyClap", "cpu", long_audio="centre")
    assert isinstance(backend, ToyClap) and backend.settings()["long_audio"] == "centre"
    assert clap.load("toy_clap:ToyClap?autocast=bfloat16", "cpu").settings()["dtype"] == "float32"  # CUDA only
    with pytest.raises(ValueError, match="autocast"):
        clap.load("toy_clap:ToyClap?autocast=int8", "cpu")
    with pytest.raises(ValueError, match="Known: tiny:FOLDER"):
        clap.load("no_such_module:Clap")
    with pytest.raises(ValueError, match="no fusion"):
        clap.load("toy_clap:ToyClap", "cpu", long_audio="fusion")


# --- several processes ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_worker_processes(store, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="dask is optional (pip install 'aaclib[cluster]')")
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    paths = recordings(tmp_path / "a", 40)
    bad = write_bad(tmp_path / "a", "nan")
    backend, two = clap.load("toy_clap:ToyClap", "cpu"), {"cluster": "local:2"}
    try:
        rows = embeddings.extract_audio(backend, [*paths, bad], store, shard=4, batch_size=4, on_error="skip", **two)
        assert ToyClap.calls == 0  # none of it was done in this process
        other = clap.load("toy_clap:LateToy", "cpu")
        other.recipe = backend.recipe
        with pytest.raises(RuntimeError, match="differs from the one that asked"):
            embeddings.extract_audio(other, paths, store, shard=20, **two)
    finally:
        cluster.close("local:2")
    assert list(rows.errors) == [str(bad)]
    alone = embeddings.embed_audio(backend, paths, Store(tmp_path / "alone"), shard=4, batch_size=4)
    assert np.array_equal(rows.rows, alone)


# --- embeddings brought along ----------------------------------------------------------------------------------


def bring(folder: Path, audio=None, ids=("a.wav", "b.wav", "c.flac"), text=None, captions=("a dog", "rain")) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    unit = lambda n: (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True))(rng.standard_normal((n, 5)))  # noqa: E731
    np.save(folder / "audio.npy", unit(3).astype(np.float32) if audio is None else audio)
    np.save(folder / "text.npy", unit(2) if text is None else text)
    (folder / "audio_ids.txt").write_text("\n".join(ids) + "\n")
    (folder / "captions.json").write_text(json.dumps(captions))
    return folder


def test_embeddings_brought_along(store, tmp_path):
    from safetensors.numpy import save_file

    folder = bring(tmp_path / "e")
    audio = np.load(folder / "audio.npy")
    (folder / "audio.npy").unlink()
    save_file({"rows": audio}, folder / "audio.safetensors")
    (folder / "about.json").write_text('{"name": "my CLAP", "training_data": "birds"}')
    backend = clap.load(f"embeddings:{folder}")
    assert (backend.name, backend.dim, backend.training_data) == ("my CLAP", 5, "birds")
    rows = embeddings.embed_audio(backend, ["/x/c.flac", "/y/a.wav", "b.wav"], store)
    np.testing.assert_allclose(rows, audio[[2, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(
        embeddings.embed_text(backend, ["rain", "a dog", "rain"], store),
        np.load(folder / "text.npy")[[1, 0, 1]],
        atol=1e-6,
    )
    with pytest.raises(BackendError, match=r"1 of 2 recordings have no embedding: '/x/z.wav'"):
        backend.embed_audio(["a.wav", "/x/z.wav"])
    with pytest.raises(BackendError, match="1 of 1 captions have no embedding: 'A dog'"):
        backend.embed_text(["A dog"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"audio": np.ones((3, 5), np.float32)}, "3 of 3 rows are not of length 1"),
        ({"audio": np.full((3, 5), np.nan)}, "3 of 3 rows are not of length 1"),
        ({"audio": np.eye(3)}, "audio has 3 dimensions, text 5"),
        ({"audio": np.eye(5)[:2]}, "2 rows in audio, but 3 ids"),
        ({"audio": np.ones(5)}, r"expected \(n, d\)"),
        ({"audio": np.eye(5, dtype=int)[:3]}, r"expected \(n, d\) floating-point"),
        ({"ids": ("a.wav", "b.wav", "a.wav")}, "'a.wav' stands twice"),
        ({"captions": ("a", 3)}, "list of strings"),
        ({"audio": np.array([{}, {}])}, "audio.npy cannot be read"),
    ],
)
def test_unusable_embeddings(tmp_path, change, message):
    with pytest.raises(BackendError, match=message):
        clap.load(f"embeddings:{bring(tmp_path / 'e', **change)}")


def test_no_embeddings(tmp_path):
    with pytest.raises(BackendError, match="There is no folder"):
        clap.load(f"embeddings:{tmp_path / 'none'}")
    with pytest.raises(BackendError, match=r"neither audio.npy nor audio.safetensors"):
        clap.load(f"embeddings:{tmp_path}")
