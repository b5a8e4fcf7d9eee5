"""LAION-CLAP: our two ways of running it against the laion-clap package's own functions, and the converter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import clap_fixtures as made
import numpy as np
import pytest
import torch
from clap_fixtures import save_laion

from aaclib import clap
from aaclib.clap import checkpoint, convert
from aaclib.clap.base import BackendError

TEXTS = [*convert.TEXTS, "water drips into a metal bowl, " * 40]  # the last one is cut at 77 tokens
CLOSE = 1e-5  # on unit embeddings


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return made.roberta_tokenizer(tmp_path_factory.mktemp("roberta") / "files")


@pytest.fixture(scope="module")
def original(tokenizer):
    return made.laion_module(tokenizer)


@pytest.fixture(scope="module")
def source(original, tmp_path_factory):
    return save_laion(original, tmp_path_factory.mktemp("laion") / "630k-best.pt")


@pytest.fixture(scope="module")
def laion(source, tokenizer):
    return clap.load(f"laion:{source}?tokenizer={tokenizer}", "cpu")


@pytest.fixture(scope="module")
def folder(source, tokenizer, tmp_path_factory):
    target = tmp_path_factory.mktemp("hf") / "converted"
    report = convert.convert(source, target, str(tokenizer))
    assert report["equal"] and report == json.loads((target / "parity.json").read_text())
    return target


@pytest.fixture(scope="module")
def hf(folder):
    return clap.load(f"hf:{folder}", "cpu")


@pytest.fixture(scope="module")
def sounds():
    return convert.signals()


@pytest.fixture(scope="module")
def truth(original, sounds, tokenizer):
    """The package's own numbers, one recording at a time; long ones by our windows, since its crop is random."""

    def one(wave: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return original.get_audio_embedding_from_data([wave])[0]

    rows = {name: one(wave) for name, wave in sounds.items() if name != "25 s"}
    long = sounds["25 s"]
    mean = np.mean([one(long[start : start + 480000]) for start in (0, 480000, len(long) - 480000)], axis=0)
    rows["25 s"] = mean / np.linalg.norm(mean)
    with torch.no_grad():
        return rows, original.get_text_embedding(TEXTS)


@pytest.mark.parametrize("name", ["laion", "hf"])
def test_equals_the_package(name, truth, sounds, request):
    backend = request.getfixturevalue(name)
    audio = backend.embed_audio([*sounds.values()], 48000, batch_size=2)
    wanted = np.stack([truth[0][name] for name in sounds])
    assert np.abs(audio - wanted).max() < CLOSE
    assert np.abs(backend.embed_text(TEXTS) - truth[1]).max() < CLOSE
    np.testing.assert_allclose(np.linalg.norm(audio, axis=1), 1, atol=1e-6)
    cosines = audio @ audio.T  # the comparison means something: these sounds differ
    assert cosines[0, 3] < 0.9 and cosines[0, 1] < 0.99
    with pytest.raises(ValueError, match="Caption 1 of 2 is empty"):
        backend.embed_text(["a dog", "  "])


def test_files_equal_the_package(original, laion, hf, tmp_path):
    """Decoding, resampling and mixing too: 22.05 kHz stereo, FLAC, 3 s and 9 s. (Of 10 s at this rate librosa makes
    480,001 samples, one too many, and the package then crops at random.)"""
    import soundfile

    rng, paths = np.random.default_rng(0), []
    for i, seconds in enumerate((3, 9)):
        paths.append(str(tmp_path / f"{i}.flac"))
        soundfile.write(paths[-1], rng.uniform(-0.5, 0.5, (22050 * seconds, 2)), 22050)
    with torch.no_grad():
        wanted = original.get_audio_embedding_from_filelist(paths)
    assert np.abs(laion.embed_audio(paths) - wanted).max() < CLOSE
    assert np.abs(hf.embed_audio(paths) - wanted).max() < CLOSE


def test_rows_do_not_depend_on_the_batch(hf, sounds):
    waves = [sounds["3 s"], sounds["25 s"], sounds["-60 dB"]]
    together, alone = hf.embed_audio(waves, 48000), [hf.embed_audio([wave], 48000, batch_size=1)[0] for wave in waves]
    assert np.abs(together - np.stack(alone)).max() < 1e-6
    assert np.array_equal(together, hf.embed_audio(waves, 48000))


@pytest.mark.parametrize(
    ("position_ids", "wrapped", "protocol", "old"),
    [(True, True, 2, False), (False, True, 4, False), (True, False, 2, True), (False, False, 4, True)],
)
def test_checkpoint_layouts(original, source, position_ids, wrapped, protocol, old, tmp_path):
    path = save_laion(
        original, tmp_path / "c.pt", position_ids=position_ids, wrapped=wrapped, protocol=protocol, old_layout=old
    )
    state = checkpoint.state_dict(checkpoint.load(path), "state_dict")
    assert checkpoint.digest(state) == checkpoint.digest(checkpoint.state_dict(checkpoint.load(source), "state_dict"))
    own = original.model.state_dict()
    assert state.keys() == {name for name in own if not name.endswith(".position_ids")}
    assert all(torch.equal(state[name], own[name]) for name in state)


def test_other_architectures_are_named(original, tmp_path):
    from aaclib.clap import laion as module

    state = {name: value for name, value in original.model.state_dict().items() if "position_ids" not in name}
    with pytest.raises(BackendError, match="PANN"):
        module.architecture({**state, "audio_branch.conv_block1.conv1.weight": torch.zeros(1)}, "x.pt")
    with pytest.raises(BackendError, match="BERT"):
        places = {"text_branch.embeddings.position_embeddings.weight": torch.zeros(512, 768)}
        module.architecture(state | places, "x.pt")
    with pytest.raises(BackendError, match="no LAION-CLAP checkpoint"):
        module.architecture({"weight": torch.zeros(2)}, "x.pt")
    wide = {**state, "audio_branch.patch_embed.proj.weight": torch.zeros(128, 1, 4, 4)}
    assert module.architecture(wide, "x.pt").audio == "HTSAT-base"
    broken = {name: value for name, value in state.items() if name != "audio_branch.norm.weight"}
    torch.save(broken, tmp_path / "b.pt")
    with pytest.raises(BackendError, match="lacks audio_branch.norm.weight"):
        checkpoint.load_strictly(original.model, broken, tmp_path / "b.pt")


def edited(folder, target, file, **changes):
    shutil.copytree(folder, target)
    content = json.loads((target / file).read_text())
    for key, value in changes.items():
        (content if key in content else content["text_config"])[key] = value
    (target / file).write_text(json.dumps(content))
    return target


def test_the_hub_folders_settings_are_put_right(folder, hf, sounds, tmp_path):
    """The published folders say 0 Hz and 1e-12; the weights were trained with 50 Hz and 1e-5."""
    wrong = edited(folder, tmp_path / "a", "preprocessor_config.json", frequency_min=0, padding="pad")
    wrong = edited(wrong, tmp_path / "b", "config.json", layer_norm_eps=1e-12)
    backend, own = clap.load(f"hf:{wrong}", "cpu"), clap.load(f"hf:{wrong}?settings=own", "cpu")
    assert "frequency_min=50" in backend.describe()["settings"] and "1e-05" in backend.describe()["settings"]
    waves = [sounds["3 s"], sounds["10 s"]]
    assert np.array_equal(backend.embed_audio(waves, 48000), hf.embed_audio(waves, 48000))
    assert np.array_equal(backend.embed_text(TEXTS), hf.embed_text(TEXTS))
    assert np.abs(own.embed_audio(waves, 48000) - hf.embed_audio(waves, 48000)).max() > 1e-4
    assert own.digest != backend.digest and backend.digest == hf.digest
    hop = edited(folder, tmp_path / "c", "preprocessor_config.json", hop_length=320)
    with pytest.raises(BackendError, match=r"hop_length.*320.*settings=own"):
        clap.load(f"hf:{hop}", "cpu")


def test_incomplete_folders_are_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    lacking = shutil.copytree(folder, tmp_path / "weights")
    weights = load_file(lacking / "model.safetensors")
    weights.pop("audio_projection.linear1.weight")
    save_file(weights, lacking / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendError, match="audio_projection.linear1.weight"):
        clap.load(f"hf:{lacking}", "cpu")
    dumb = shutil.copytree(folder, tmp_path / "tokens")
    for file in ("tokenizer.json", "vocab.json", "merges.txt"):
        (dumb / file).unlink(missing_ok=True)
    with pytest.raises(BackendError, match="tokenizer"):
        clap.load(f"hf:{dumb}", "cpu")


def test_nothing_here_and_no_hub(monkeypatch, tmp_path):
    with pytest.raises(BackendError, match=r"neither a folder here nor in the Hugging Face cache.*hf download laion/x"):
        clap.load("hf:laion/x", "cpu")
    monkeypatch.setenv("AACLIB_RAW", str(tmp_path))
    with pytest.raises(BackendError, match=rf"630k-fusion-best.pt.*hf download.*{tmp_path}/clap"):
        clap.load("laion:630k-fusion-best", "cpu")
    with pytest.raises(BackendError, match="630k-best"):
        clap.load("laion:no-such-name", "cpu")


def test_the_converter_leaves_nothing_behind_when_it_fails(source, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "parity", lambda *args: {"compared": True, "equal": False})
    with pytest.raises(BackendError, match="differ"):
        convert.convert(source, tmp_path / "out", str(tokenizer))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    with pytest.raises(BackendError, match="there already"):
        convert.convert(source, tmp_path / "there", str(tokenizer))


@pytest.mark.slow
def test_fusion(tokenizer, tmp_path):
    """A fusion checkpoint: short audio, the model's own fusion of long audio, our windows, the converter."""
    original = made.laion_module(tokenizer, fusion=True)
    path = save_laion(original, tmp_path / "630k-fusion-best.pt", protocol=4)
    report = convert.convert(path, tmp_path / "hf", str(tokenizer))
    assert report["fusion"] and report["equal"]
    one = clap.load(f"laion:{path}", "cpu", tokenizer=str(tokenizer), long_audio="fusion")
    other = clap.load(f"hf:{tmp_path / 'hf'}", "cpu", long_audio="fusion")
    sounds = convert.signals()
    waves = [sounds["3 s"], sounds["25 s"]]
    rows = one.embed_audio(waves, 48000)
    assert np.abs(rows - other.embed_audio(waves, 48000)).max() < CLOSE
    assert np.array_equal(rows, one.embed_audio(waves, 48000))
    mel = one.mel(torch.from_numpy(one.wave(np.tile(sounds["3 s"], 3), 48000))[None])
    from transformers import ClapFeatureExtractor

    extractor = ClapFeatureExtractor(frequency_min=50)
    wanted = extractor._np_extract_fbank_features(one.wave(np.tile(sounds["3 s"], 3), 48000), extractor.mel_filters)
    assert np.abs(mel[0].numpy() - wanted).mean() < 1e-4  # dB; the HTK filters without norm
    assert np.abs(mel[0].numpy() - wanted).max() < 0.05  # where a narrow low filter holds next to nothing
    long = other.mel(torch.from_numpy(other.wave(sounds["25 s"], 48000))[None])[0]
    from unittest import mock

    with mock.patch("numpy.random.choice", lambda places: places[len(places) // 2]):
        wanted = extractor._random_mel_fusion(long.numpy(), len(long), 1001)
    from aaclib.clap.mel import fused

    assert np.abs(fused(long, 1001)[0].numpy() - wanted).max() < 1e-4
    windows = clap.load(f"hf:{tmp_path / 'hf'}", "cpu")
    assert np.abs(windows.embed_audio(waves, 48000)[1] - rows[1]).max() > 1e-3


@pytest.mark.slow
def test_the_larger_audio_tower(tokenizer, tmp_path):
    """HTSAT-base, which LAION's checkpoints for music and speech have: recognised by its weights, equal, converted."""
    original = made.laion_module(tokenizer, audio="HTSAT-base")
    path = save_laion(original, tmp_path / "music_audioset_epoch_15_esc_90.14.pt")
    sounds = [convert.signals()[name] for name in ("10 s", "3 s")]
    with torch.no_grad():
        wanted = np.concatenate([original.get_audio_embedding_from_data([wave]) for wave in sounds])
    backend = clap.load(f"laion:{path}?tokenizer={tokenizer}", "cpu")
    assert np.abs(backend.embed_audio(sounds, 48000) - wanted).max() < CLOSE
    assert convert.convert(path, tmp_path / "hf", str(tokenizer))["equal"]
    assert np.abs(clap.load(f"hf:{tmp_path / 'hf'}", "cpu").embed_audio(sounds, 48000) - wanted).max() < CLOSE


def test_an_unfused_model_has_no_fusion(folder):
    with pytest.raises(ValueError, match="no fusion"):
        clap.load(f"hf:{folder}", "cpu", long_audio="fusion")


def test_importing_loads_no_model():
    code = (
        "import sys, aaclib.clap\nassert not {'torch', 'laion_clap', 'clap_module', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
