"""Decoding, resampling, windows and filling, and every kind of bad file by name and reason."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bad_audio import BAD, GOOD, write_bad
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import audio
from aaclib.audio import AudioError


@pytest.mark.parametrize(
    ("suffix", "subtype", "close"),
    [
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "FLOAT", 1e-7),
        ("wav", "ULAW", 0.05),
        ("flac", "PCM_16", 1e-4),
        ("ogg", "VORBIS", 0.2),
        ("mp3", None, 0.2),
        ("aiff", "PCM_16", 1e-4),
    ],
)
def test_formats(tmp_path, suffix, subtype, close):
    rate = 16000
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.stack([tone, np.zeros(rate)], axis=1), rate, subtype=subtype)
    wave, found = audio.read(path)
    assert found == rate and wave.dtype == np.float32 and wave.ndim == 1
    assert abs(len(wave) - rate) < 1200 * (suffix == "mp3") + 1
    if suffix != "mp3":
        np.testing.assert_allclose(wave, tone / 2, atol=close)  # the mean of both channels
    audio.check_readable(path)


def test_resampling_is_librosas(tmp_path):
    """What the CLAP models were evaluated with: mix to mono, then soxr at high quality."""
    import librosa

    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", rng.uniform(-0.9, 0.9, (44100, 2)), 44100, subtype="FLOAT")
    ours, theirs = audio.load(tmp_path / "a.wav", 48000), librosa.load(tmp_path / "a.wav", sr=48000)[0]
    np.testing.assert_allclose(ours, theirs[: len(ours)], atol=1e-7)
    assert 0 <= len(theirs) - len(ours) <= 1  # librosa may add one zero through rounding
    assert audio.load(tmp_path / "a.wav", 44100).size == 44100


def test_long_files_are_read_in_blocks(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", np.linspace(-0.5, 0.5, 50001), 8000)
    whole = audio.read(tmp_path / "a.flac")[0]
    monkeypatch.setattr(audio, "BLOCK", 777)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.flac")[0], whole)


def test_nothing_comes_from_memory(tmp_path, monkeypatch):
    """An MP3 and a FLAC that hold less than they promise: no rest is filled with what was read before."""
    monkeypatch.setattr(audio, "BLOCK", 4096)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 40000)
    soundfile.write(tmp_path / "a.mp3", noise, 16000)
    content = (tmp_path / "a.mp3").read_bytes()
    place = max(content.find(b"Xing"), content.find(b"Info"))
    frames = int.from_bytes(content[place + 8 : place + 12], "big")
    promising = content[: place + 8] + (3 * frames).to_bytes(4, "big") + content[place + 12 :]
    (tmp_path / "b.mp3").write_bytes(promising)
    found = []
    for level in (0.1, 0.9):  # other recordings before it, as large as its own blocks
        soundfile.write(tmp_path / "before.wav", np.full(200000, level), 16000)
        audio.read(tmp_path / "before.wav")
        found.append(audio.read(tmp_path / "b.mp3")[0])
    np.testing.assert_array_equal(*found)
    assert found[0].size <= 576 * (frames + 1)  # what decodes, and nothing that was only promised
    soundfile.write(tmp_path / "c.flac", noise, 16000)
    content = bytearray((tmp_path / "c.flac").read_bytes())
    content[21:26] = (content[21] & 0xF0).to_bytes() + (60000).to_bytes(4, "big")
    (tmp_path / "c.flac").write_bytes(content)
    with pytest.raises(AudioError, match="damaged or truncated"):
        audio.read(tmp_path / "c.flac")


@given(
    n=st.integers(1, 6000),
    rates=st.sampled_from([(16000, 48000), (44100, 16000), (8000, 44100), (22050, 22050)]),
    block=st.integers(1, 7000),
    channels=st.integers(1, 3),
)
@settings(max_examples=30, deadline=None)
def test_the_stream_gives_the_bits_of_the_whole(tmp_path_factory, n, rates, block, channels):
    import soxr

    path = tmp_path_factory.mktemp("stream") / "a.wav"
    wave = np.random.default_rng(n).uniform(-0.9, 0.9, (n + 500, channels)).astype(np.float32)
    soundfile.write(path, wave, rates[0], subtype="FLOAT")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audio, "BLOCK", block)
        ours, array = audio.load(path, rates[1]), audio.resample(wave.mean(axis=1), *rates)
    wanted = wave.mean(axis=1) if rates[0] == rates[1] else soxr.resample(wave.mean(axis=1), *rates, quality="HQ")
    np.testing.assert_array_equal(ours, wanted)
    np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32"])
def test_formats_without_seeking(tmp_path, subtype):
    wave = 0.3 * np.sin(np.arange(16000) / 5)
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype=subtype)
    assert np.corrcoef(audio.read(tmp_path / "a.wav")[0][:16000], wave)[0, 1] > 0.9


@pytest.mark.parametrize("rate", [1, 50, 20_000_000])
def test_sample_rates_of_no_recording(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.zeros(5000), rate)
    with pytest.raises(AudioError, match=f"a sample rate of {rate} Hz"):
        audio.load(tmp_path / "a.wav", 48000)
    with pytest.raises(AudioError, match=f"a sample rate of {rate} Hz"):
        audio.check(np.zeros(5000), rate)


def test_what_the_machine_cannot_hold_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(50000), 500)
    monkeypatch.setattr(audio.os, "sysconf", lambda name: 1 << 12)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    with pytest.raises(AudioError, match="too long: 0.0 hours at 480000 Hz take 0.2 GB, and this machine has 0.0 GB"):
        audio.load(tmp_path / "a.wav", 480000)


def test_many_channels(tmp_path):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 100)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav")[0], wave.mean(axis=1))


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_name_that_is_no_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(path, "wb") as file:
        soundfile.write(file, np.zeros(5000), 8000, format="WAV")
    assert audio.read(os.fsdecode(path))[0].size == 5000


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(tmp_path, kind):
    path = write_bad(tmp_path, kind)
    with pytest.raises(AudioError) as caught:
        audio.load(path, 16000)
    assert caught.value.name == str(path) and str(path) in str(caught.value)
    assert BAD[kind] in caught.value.reason
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  (it must come back from a worker process)
    assert (again.name, again.reason) == (caught.value.name, caught.value.reason)


@pytest.mark.parametrize("kind", GOOD)
def test_unusual_files_that_are_fine(tmp_path, kind):
    wave = audio.load(write_bad(tmp_path, kind), 16000)
    assert wave.size > 1000 and np.isfinite(wave).all() and np.abs(wave).max() > 0.1


def test_a_streamed_wav_without_a_length_is_read(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(4000, 0.25), 8000)
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert audio.read(path)[0].size == 4000


def test_arrays_are_checked():
    with pytest.raises(AudioError, match="1-D"):
        audio.check(np.zeros((2, 100)), 8000)
    with pytest.raises(AudioError, match="floats in -1..1, found int16"):
        audio.check(np.zeros(1000, np.int16), 8000, "x")
    with pytest.raises(AudioError, match="1 of 1000 samples are NaN"):
        audio.check(np.r_[np.zeros(999), np.nan], 8000)
    with pytest.raises(AudioError, match="positive"):
        audio.check(np.zeros(1000), 0)


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (np.r_[np.zeros(999), 32768.0], "samples up to 32768: floats are expected in -1..1; divide by 32768"),
        (np.r_[np.zeros(999), -101.0], "samples up to 101: floats are expected in -1..1; divide by 32768"),
        (np.r_[np.zeros(999), 1e20], r"samples up to 1e\+20: floats are expected in -1..1$"),
        (np.r_[np.zeros(999), 1e300], r"samples up to 1e\+300: floats are expected in -1..1$"),
    ],
)
def test_samples_at_another_scale(tmp_path, wave, reason):
    with pytest.raises(AudioError, match=reason):
        audio.check(wave, 8000)
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype="DOUBLE")
    with pytest.raises(AudioError, match=reason if wave.max() < 1e30 else "NaN or infinite"):
        audio.load(tmp_path / "a.wav", 16000)
    assert audio.check(wave.clip(-8, 8), 8000).size == 1000  # a loud mix of floats is one


# --- windows ----------------------------------------------------------------------------------------------------


def naive_windows(wave, size):
    parts, start = [], 0
    while start + size < len(wave):
        parts.append(wave[start : start + size])
        start += size
    return parts + [wave[len(wave) - size :]]


@given(n=st.integers(1, 400), size=st.integers(1, 90))
@settings(max_examples=200, deadline=None)
def test_windows_against_the_naive_way(n, size):
    wave = np.arange(1, n + 1, dtype=np.float32)
    result = audio.windows(wave, size)
    assert result.shape[1] == size
    if n >= size:
        np.testing.assert_array_equal(result, naive_windows(wave, size))
        assert set(result.ravel()) == set(wave)  # no sample is left out
    else:
        repeated = np.concatenate([wave] * (size // n))
        np.testing.assert_array_equal(result[0], np.r_[repeated, np.zeros(size - len(repeated))])


def test_policies():
    wave = np.arange(10, dtype=np.float32)
    assert audio.windows(wave, 4, "first").tolist() == [[0, 1, 2, 3]]
    assert audio.windows(wave, 4, "centre").tolist() == [[3, 4, 5, 6]]
    drawn = [audio.windows(wave, 4, "random", seed=s)[0, 0] for s in range(40)]
    assert drawn == [audio.windows(wave, 4, "random", seed=s)[0, 0] for s in range(40)] and len(set(drawn)) == 7
    with pytest.raises(ValueError, match="Known: windows, first"):
        audio.windows(wave, 4, "middle")
    with pytest.raises(ValueError, match="Known: repeatpad"):
        audio.windows(wave, 40, filling="mirror")


def test_fillings():
    wave = np.array([1, 2, 3], np.float32)
    assert audio.fill(wave, 8).tolist() == [1, 2, 3, 1, 2, 3, 0, 0]
    assert audio.fill(wave, 8, "repeat").tolist() == [1, 2, 3, 1, 2, 3, 1, 2]
    assert audio.fill(wave, 8, "zero").tolist() == [1, 2, 3, 0, 0, 0, 0, 0]
    assert audio.fill(wave, 8, "keep").tolist() == [1, 2, 3]


def test_quantise_is_laion_claps():
    wave = np.array([0, 1e-5, 4e-5, -4e-5, 0.5, 2.0, -2.0], np.float32)
    clipped = np.clip(wave, -1.0, 1.0)
    wanted = ((clipped * 32767.0).astype(np.int16) / 32767.0).astype(np.float32)
    np.testing.assert_array_equal(audio.quantise(wave), wanted)
    assert audio.quantise(wave)[1] == 0 and audio.quantise(wave)[5] == 1


def test_the_ogg_check_accepts_every_real_recording():
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "esc10" / "audio"
    if not folder.is_dir():
        pytest.skip("the recordings of ESC-10 are not beside the project (../shared/data/esc10)")
    files = sorted(folder.iterdir())
    for path in files:
        audio.check_readable(path)
    assert len(files) == 400
