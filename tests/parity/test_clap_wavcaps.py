"""WavCaps' CLAP against an independent computation: torchlibrosa's front end, and its towers by other means."""

from __future__ import annotations

import clap_fixtures as made
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from aaclib import clap
from aaclib.clap import convert
from aaclib.clap.base import BackendError
from aaclib.clap.wavcaps import normalise

TEXTS = ["A dog barks, while rain falls on a tin roof.", "birds sing", "water drips into a metal bowl " * 12]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return made.bert_tokenizer(tmp_path_factory.mktemp("bert") / "files")


@pytest.fixture(scope="module", params=["Cnn14", "HTSAT"])
def pair(request, tokenizer, tmp_path_factory):
    from transformers import AutoTokenizer

    state = made.wavcaps_state(request.param, len(AutoTokenizer.from_pretrained(str(tokenizer))))
    path = tmp_path_factory.mktemp("wavcaps") / "checkpoint.pt"
    torch.save({"model": state, "optimizer": {"state": {}}, "epoch": 3}, path)
    return request.param, state, clap.load(f"wavcaps:{path}?tokenizer={tokenizer}", "cpu"), path


def front(wave: np.ndarray) -> torch.Tensor:
    """(1, 1, T, 64) by torchlibrosa, which the original uses."""
    from torchlibrosa import LogmelFilterBank, Spectrogram

    spectrum = Spectrogram(n_fft=1024, hop_length=320, win_length=1024, window="hann", center=True, pad_mode="reflect")
    mel = LogmelFilterBank(sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, ref=1.0, amin=1e-10, top_db=None)
    return mel(spectrum(torch.from_numpy(wave)[None]))


def norm(x: torch.Tensor, state: dict, name: str) -> torch.Tensor:
    return F.batch_norm(
        x, state[f"{name}.running_mean"], state[f"{name}.running_var"], state[f"{name}.weight"], state[f"{name}.bias"]
    )


def tower(kind: str, state: dict, wave: np.ndarray) -> torch.Tensor:
    below = {name.removeprefix("audio_encoder.audio_enc."): value for name, value in state.items()}
    mel = front(wave)
    if kind == "HTSAT":  # laion-clap's own class of the same network, with a front end of 32 kHz
        from clap_module.htsat import create_htsat_model

        model = create_htsat_model(made.of_32_khz("HTSAT")).eval()
        own = {name: below[name] for name in model.state_dict() if name in below}
        missing = model.load_state_dict(own, strict=False).missing_keys
        assert all(name.startswith(("head", "spectrogram_extractor", "logmel_extractor")) for name in missing)
        return model({"waveform": torch.from_numpy(wave)[None]}, device="cpu")["embedding"]
    x = norm(mel.transpose(1, 3), below, "bn0").transpose(1, 3)
    for i in range(1, 7):
        for j in (1, 2):
            x = F.conv2d(x, below[f"conv_block{i}.conv{j}.weight"], padding=1)
            x = F.relu(norm(x, below, f"conv_block{i}.bn{j}"))
        x = F.avg_pool2d(x, (2, 2))
    x = torch.mean(x, dim=3)
    return torch.max(x, dim=2)[0] + torch.mean(x, dim=2)


def project(x: torch.Tensor, state: dict, side: str) -> np.ndarray:
    x = F.relu(F.linear(x, state[f"{side}.0.weight"], state[f"{side}.0.bias"]))
    return F.normalize(F.linear(x, state[f"{side}.2.weight"], state[f"{side}.2.bias"]), dim=-1).numpy()


@torch.no_grad()
def test_audio(pair):
    kind, state, backend, _ = pair
    sounds = convert.signals(32000)
    waves = [sounds["10 s"][: 6 * 32000], sounds["3 s"], sounds["-60 dB"][:64000], sounds["silence"][:64000]]
    wanted = np.concatenate([project(tower(kind, state, wave), state, "audio_proj") for wave in waves])
    rows = backend.embed_audio(waves, 32000)
    assert rows.shape == (4, 1024) and np.abs(rows - wanted).max() < 1e-5
    assert (rows @ rows.T)[0, 3] < 0.98  # they differ, so that equality means something


@torch.no_grad()
def test_long_audio(pair):
    kind, state, backend, _ = pair
    long = convert.signals(32000)["25 s"][: 13 * 32000]
    if kind == "Cnn14":  # up to 30 s in one piece, as in its training
        wanted = project(tower(kind, state, long), state, "audio_proj")[0]
    else:
        parts = [long[start : start + 320000] for start in (0, len(long) - 320000)]
        wanted = np.concatenate([project(tower(kind, state, part), state, "audio_proj") for part in parts]).mean(axis=0)
    assert np.abs(backend.embed_audio([long], 32000)[0] - wanted / np.linalg.norm(wanted)).max() < 1e-5


@torch.no_grad()
def test_text(pair, tokenizer):
    from transformers import AutoTokenizer, BertConfig, BertModel

    kind, state, backend, path = pair
    below = {
        name.removeprefix("text_encoder.text_encoder."): value
        for name, value in state.items()
        if name.startswith("text_encoder.") and "position_ids" not in name
    }
    words = AutoTokenizer.from_pretrained(str(tokenizer))
    bert = BertModel(
        BertConfig(vocab_size=len(words), num_hidden_layers=1, intermediate_size=256), add_pooling_layer=False
    ).eval()
    bert.load_state_dict(below)
    cleaned = ["a dog barks while rain falls on a tin roof", "birds sing", TEXTS[2]]

    def naive(texts):
        rows = []
        for text in texts:  # one by one: no padding
            ids = torch.tensor([words(text)["input_ids"]])
            ids = torch.cat([ids[:, :29], ids[:, -1:]], dim=1) if ids.shape[1] > 30 else ids
            rows.append(project(bert(input_ids=ids).last_hidden_state[:, 0], state, "text_proj"))
        return np.concatenate(rows)

    assert np.abs(backend.embed_text(TEXTS) - naive(cleaned)).max() < 1e-5
    raw = clap.load(f"wavcaps:{path}?tokenizer={tokenizer}&text=raw", "cpu")  # as the paper's code gives it
    assert np.abs(raw.embed_text(TEXTS) - naive(TEXTS)).max() < 1e-5 and raw.digest != backend.digest
    assert np.abs(raw.embed_text(TEXTS[:1]) - backend.embed_text(TEXTS[:1])).max() > 1e-3
    with pytest.raises(BackendError, match="clean or raw"):
        clap.load(f"wavcaps:{path}?tokenizer={tokenizer}&text=shouted", "cpu")


def test_normalise_is_the_originals():
    assert normalise('A "dog" (big) barks ; loudly !') == "a dog big barks loudly"
    with pytest.raises(ValueError, match="punctuation"):
        normalise("...")


def test_refusals(pair, tmp_path):
    kind, state, backend, _ = pair
    with pytest.raises(BackendError, match="There is no checkpoint"):
        clap.load(f"wavcaps:{tmp_path / 'none.pt'}", "cpu")
    torch.save({"model": {"x": torch.zeros(2)}}, tmp_path / "other.pt")
    with pytest.raises(BackendError, match="no WavCaps retrieval checkpoint"):
        clap.load(f"wavcaps:{tmp_path / 'other.pt'}", "cpu")
    resnet = {name: value for name, value in state.items() if not name.startswith("audio_encoder.")}
    resnet["audio_encoder.audio_enc.resnet.layer1.weight"] = torch.zeros(1)
    torch.save({"model": resnet}, tmp_path / "resnet.pt")
    with pytest.raises(BackendError, match="ResNet38"):
        clap.load(f"wavcaps:{tmp_path / 'resnet.pt'}", "cpu")
