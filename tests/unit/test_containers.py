"""Whole files are read, cut ones are refused, and what cannot be decoded is named, whatever the container."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import audio
from aaclib.audio import AudioError
from aaclib.containers import Spliced

RATE = 16000
WAVE = 0.3 * np.sin(np.arange(3 * RATE) / 5) + 0.05 * np.random.default_rng(0).standard_normal(3 * RATE)
CUT_UNSEEN = {"PVF", "PAF", "IRCAM", "AVR", "MAT5", "XI", "SDS", "MPC2K"}  # as aaclib.containers says


def content(kind: str, subtype: str | None = None, wave: np.ndarray = WAVE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, RATE, subtype, format=kind)
    return buffer.getvalue()


WRITTEN = {kind: content(kind) for kind in soundfile.available_formats() if kind not in ("RAW", "SD2", "WVE")}
WRITTEN["OPUS"] = content("OGG", "OPUS")


def read(path: Path, data: bytes) -> np.ndarray:
    path.write_bytes(data)
    audio.check_readable(path)
    return audio.read(path)[0]


def changed(data: bytes, place: int, form: str, *values: int | bytes) -> bytes:
    data = bytearray(data)
    struct.pack_into(form, data, place, *values)
    return bytes(data)


@pytest.mark.parametrize("kind", sorted(WRITTEN.keys() - CUT_UNSEEN))
def test_a_file_cut_in_half_is_refused_whatever_its_container(tmp_path, kind):
    data = WRITTEN[kind]
    assert read(tmp_path / "whole", data).size > 2.9 * RATE
    (tmp_path / "half").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match="truncated|Format not recognised"):  # HTK is known by its length alone
        audio.read(tmp_path / "half")


@pytest.mark.parametrize("kind", ["WAV", "RF64", "AIFF", "CAF", "W64"])
def test_large_chunks_before_the_samples(tmp_path, kind):
    data = WRITTEN[kind]
    form, name = {"W64": ("<16sQ", b"junk" + bytes(12)), "CAF": (">4sq", b"free"), "AIFF": (">4sI", b"JUNK")}.get(
        kind, ("<4sI", b"JUNK")
    )
    place = data.index(b"SSND" if kind == "AIFF" else b"data")
    chunk = struct.pack(form, name, 20000 + 24 * (kind == "W64")) + bytes(20000)
    longer = data[:place] + chunk + data[place:]
    np.testing.assert_array_equal(read(tmp_path / "a", longer), read(tmp_path / "b", data))
    with pytest.raises(AudioError, match="truncated"):
        read(tmp_path / "c", longer[: len(longer) // 2 + 15000])


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFF00, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0x7FFFFFDB, 0])
@pytest.mark.parametrize("outer", [0xFFFFFFFF, 0x7FFFF024, 36, 8, 0])
def test_a_wav_that_could_not_know_its_length(tmp_path, length, outer):
    data = WRITTEN["WAV"]
    streamed = changed(changed(data, 4, "<I", outer), data.index(b"data") + 4, "<I", length)
    np.testing.assert_array_equal(read(tmp_path / "a.wav", streamed), read(tmp_path / "b.wav", data))


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("AU", [(8, ">I", 0xFFFFFFFF)]),
        ("AU", [(8, ">I", 0x7FFFFFFF)]),
        ("AU", [(8, ">I", 0)]),
        ("AIFF", [(b"SSND", ">I", 0), (4, ">I", 0)]),
        ("AIFF", [(b"SSND", ">I", 8), (4, ">I", 46)]),
        ("CAF", [(b"data", ">q", -1)]),
        ("W64", [(112, "<Q", 2**63 - 1)]),
        ("RF64", [(20, "<QQQ", 0)]),
        ("RF64", [(28, "<Q", 2**64 - 1)]),
        ("FLAC", [(21, ">BI", 0)]),
    ],
)
def test_other_containers_that_could_not_know_their_length(tmp_path, kind, places):
    data = WRITTEN[kind]
    for place, form, *values in places:
        place = place if isinstance(place, int) else data.index(place) + 4
        values = values * (len(form) - 1)
        if kind == "W64":
            place = data.index(b"data") + 16
        if kind == "FLAC":
            values = [data[place] & 0xF0, 0]
        data = changed(data, place, form, *values)
    np.testing.assert_array_equal(read(tmp_path / "a", data), read(tmp_path / "b", WRITTEN[kind]))
    if kind == "FLAC":
        with pytest.raises(AudioError, match="truncated: this FLAC does not say how long it is"):
            read(tmp_path / "c", data[: len(data) // 2])


def test_a_file_without_samples_is_not_taken_for_a_stream(tmp_path):
    data = content("WAV", wave=WAVE[:0]) + b"LIST" + struct.pack("<I4s", 4, b"INFO")
    with pytest.raises(AudioError, match="holds no samples"):
        read(tmp_path / "a.wav", changed(data, 4, "<I", len(data) - 8))


# ---- OGG and MP3 ----------------------------------------------------------------------------------------------------


def pages(data: bytes) -> list[bytes]:
    starts = [place for place in range(len(data)) if data.startswith(b"OggS\0", place)]
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def checksum(page: bytes) -> bytes:
    value = 0
    for byte in changed(page, 22, "<I", 0):
        value ^= byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return changed(page, 22, "<I", value)


@pytest.mark.parametrize("kind", ["OGG", "OPUS"])
def test_ogg_pages(tmp_path, kind):
    *first, last = pages(WRITTEN[kind])
    whole = read(tmp_path / "a.ogg", WRITTEN[kind])
    good = [WRITTEN[kind] + bytes(100_000), WRITTEN[kind] + b"TAG" + bytes(125)]
    if kind == "OGG":  # libsndfile wants the flag of an Opus whose last page ends early
        good.append(b"".join(first) + checksum(changed(last, 5, "B", last[5] & ~4)))
    for data in good:
        np.testing.assert_array_equal(read(tmp_path / "b.ogg", data), whole)
    assert 0 < read(tmp_path / "c.ogg", b"".join(first)).size < whole.size  # it ends with a page, as a stream may
    for cut in (b"Og", last[:20], last[:28], last[:-1]):
        with pytest.raises(AudioError, match="last OGG page is cut"):
            read(tmp_path / "d.ogg", b"".join(first) + cut)
    with pytest.raises(AudioError, match="2 OGG streams stand one behind the other"):
        read(tmp_path / "e.ogg", WRITTEN[kind] * 2)
    with pytest.raises(AudioError, match="damaged or truncated: .* of 48000 samples"):
        read(tmp_path / "f.ogg", b"".join(first[:3] + first[4:]) + last)


def mp3_frames(data: bytes) -> Iterator[bytes]:
    """The frames of an MP3 at 16 kHz (MPEG 2, layer III)."""
    place = data.index(b"\xff\xf3")
    while place < len(data):
        rate = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[data[place + 2] >> 4]
        length = 72 * rate * 1000 // RATE + (data[place + 2] >> 1 & 1)
        yield data[place : place + length]
        place += length


def test_an_mp3_that_does_not_say_how_long_it_is(tmp_path):
    loud = WAVE * np.repeat([0.001, 1.0], WAVE.size // 2)  # its bit rate varies: nothing can be foretold
    info, *frames = mp3_frames(content("MP3", wave=loud))
    assert b"Xing" in info or b"Info" in info
    bare = b"".join(frames)
    whole = read(tmp_path / "a.mp3", bare)
    assert whole.size == 576 * len(frames)
    for more in (b"TAG" + bytes(125), bytes(5000), b"APETAGEX" + bytes(600)):
        np.testing.assert_array_equal(read(tmp_path / "b.mp3", bare + more), whole)
    tag = b"ID3\4\0\0" + bytes([0, 0, 40, 0]) + bytes(40 * 128)
    np.testing.assert_array_equal(read(tmp_path / "c.mp3", tag + bare), whole)
    half = read(tmp_path / "d.mp3", bare[: len(bare) // 2])  # nobody can know that this is half
    np.testing.assert_array_equal(half, whole[: half.size])
    assert half.size % 576 == 0 and 0 < half.size < whole.size
    with pytest.raises(AudioError, match="damaged: only its first"):
        read(tmp_path / "e.mp3", b"".join(frames[:20]) + bytes(4000) + b"".join(frames[20:]))
    with pytest.raises(AudioError, match="truncated: .* bytes are there"):
        read(tmp_path / "f.mp3", (info + bare)[:-2000])
    with pytest.raises(AudioError, match="another MP3 .* stands behind its end"):
        read(tmp_path / "g.mp3", (info + bare) * 2)
    assert read(tmp_path / "h.mp3", info + bare + b"TAG" + bytes(125)).size == WAVE.size


# ---- what is no such file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "head", "what"),
    [
        ("a.mp3", b"\xff\xf1\x50\x80", "AAC audio"),
        ("a.mp3", b"\xff\xf9\x50\x80", "AAC audio"),
        ("a.mp3", b"ID3\4\0\0\0\0\0\5" + bytes(5) + b"\xff\xf1\x50\x80", "AAC audio"),
        ("a.wav", b"\0\0\0\x20ftypM4A ", "MPEG-4 audio"),
        ("a.wma", b"0&\xb2u\x8ef\xcf\x11", "Windows Media audio"),
        ("a.amr", b"#!AMR\n", "AMR audio"),
        ("a.ogg", b"OggS" + bytes(24) + b"Speex   ", "Speex audio"),
    ],
)
def test_formats_that_cannot_be_decoded_are_named_whatever_the_file_is_called(tmp_path, name, head, what):
    with pytest.raises(AudioError, match=f"it holds {what}.*ffmpeg -i {name} a.(wav|flac)"):
        read(tmp_path / name, head + bytes(range(256)) * 20)


@given(
    kind=st.sampled_from(sorted(WRITTEN.keys() - {"SDS"})),
    place=st.integers(0, 150),
    junk=st.binary(max_size=6),
    end=st.floats(0, 1),
)  # libsndfile prints whatever is wrong with an SDS
@settings(max_examples=60, deadline=None)
def test_damaged_headers_give_samples_or_one_kind_of_error(tmp_path_factory, kind, place, junk, end):
    data = WRITTEN[kind][: RATE // 2]
    data = data[:place] + junk + data[place + len(junk) :]
    path = tmp_path_factory.mktemp("damaged") / "a.wav"
    path.write_bytes(data[: round(end * len(data)) or 1])
    try:
        assert np.isfinite(audio.load(path, RATE)).all()
    except AudioError as error:
        assert error.name == str(path)


@given(
    head=st.binary(max_size=20),
    skip=st.integers(0, 40),
    moves=st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 60), st.integers(0, 60)), max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_a_spliced_file_reads_like_the_bytes_it_stands_for(tmp_path_factory, head, skip, moves):
    path = tmp_path_factory.mktemp("spliced") / "a"
    path.write_bytes(bytes(range(60)))
    plain = io.BytesIO(head + bytes(range(60))[skip:])
    with Spliced(path, head, skip) as spliced:
        for whence, offset, n in moves:
            offset = -min(offset, len(plain.getvalue())) if whence == io.SEEK_END else offset
            assert spliced.seek(offset, whence) == plain.seek(offset, whence) == spliced.tell()
            buffer = bytearray(n)
            wanted = plain.read(n)
            assert (spliced.readinto(buffer), bytes(buffer[: len(wanted)])) == (len(wanted), wanted)
