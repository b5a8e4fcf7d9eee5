"""Audio: decode, mix to mono, resample, cut or fill to windows. No torch in here.

`soundfile` (libsndfile) reads WAV, FLAC, OGG, Opus, AIFF and MP3; `soxr` at its high quality resamples, which is what
`librosa.load` does and so what the CLAP models were evaluated with. A file that cannot give usable samples is an
`AudioError` that names it and the reason; nothing is repaired in silence.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

POLICIES = ("windows", "first", "centre", "random", "fusion")     # what happens to audio longer than a window
FILLINGS = ("repeatpad", "repeat", "zero", "keep")                # and to shorter audio
MIN_SECONDS = 0.01
BLOCK = 1 << 20                                                   # frames decoded at a time: many channels stay small


class AudioError(ValueError):
    """Audio that cannot be used. `.name` is the file (or the place in a list of arrays), `.reason` a short phrase."""

    def __init__(self, name: str | Path, reason: str):
        self.name, self.reason = str(name), reason
        super().__init__(f"{name}: {reason}")

    def __reduce__(self):
        return (AudioError, (self.name, self.reason))     # so that it survives the way back from a worker process


def load(path: str | Path, sample_rate: int) -> np.ndarray:
    """The whole recording as float32 (samples,), mono, at `sample_rate` Hz. Raises AudioError."""
    wave, rate = read(path)
    return resample(wave, rate, sample_rate, name=path)


def read(path: str | Path) -> tuple[np.ndarray, int]:
    """The recording as float32 (samples,), channels averaged, and its own sample rate in Hz. Raises AudioError."""
    import soundfile

    path = Path(path)
    check_header(path)
    try:
        with soundfile.SoundFile(str(path)) as file:
            expected, rate = file.frames, file.samplerate
            blocks = [block.mean(axis=1) for block in file.blocks(BLOCK, dtype="float32", always_2d=True)]
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from error
    wave = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if wave.size < expected and path.suffix.lower() != ".mp3":     # an MP3's length is an estimate
        raise AudioError(path, f"truncated: {wave.size} of {expected} samples could be decoded")
    return check(wave, rate, path), rate


def check(wave: np.ndarray, sample_rate: int, name: str | Path = "audio") -> np.ndarray:
    """`wave` as float32 if it is 1-D, long enough and finite; else AudioError."""
    wave = np.asarray(wave)
    if wave.ndim != 1:
        raise AudioError(name, f"expected a 1-D array of samples, found shape {wave.shape}")
    if not np.issubdtype(wave.dtype, np.floating):
        raise AudioError(name, f"expected samples as floats in -1..1, found {wave.dtype}")
    if sample_rate is None or sample_rate <= 0:
        raise AudioError(name, f"the sample rate must be a positive number of Hz, found {sample_rate}")
    if wave.size == 0:
        raise AudioError(name, "empty: it holds no samples")
    if wave.size < max(2, MIN_SECONDS * sample_rate):
        raise AudioError(name, f"too short: {wave.size} sample{'s' * (wave.size > 1)} at {sample_rate} Hz, "
                               f"at least {MIN_SECONDS * 1000:.0f} ms are needed")
    bad = int(wave.size - np.isfinite(wave).sum())
    if bad:
        raise AudioError(name, f"{bad} of {wave.size} samples are NaN or infinite")
    return np.ascontiguousarray(wave, dtype=np.float32)


def check_readable(path: str | Path) -> None:
    """A quick look at the header only; what is wrong further in shows when the file is decoded. Raises AudioError."""
    import soundfile

    check_header(Path(path))
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from error
    check(np.zeros(min(info.frames, info.samplerate), np.float32), info.samplerate, path)      # is it long enough?


def _unreadable(path: str | Path, error: Exception) -> AudioError:
    return AudioError(path, f"not readable as audio ({str(error.error_string).strip().rstrip('.')})")


def check_header(path: Path) -> None:
    """Finds what libsndfile passes over or does not tell apart: no bytes, text, a WAV or OGG cut short, no channels."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise AudioError(path, "this is a folder, not a file")
        with open(path, "rb") as file:
            head = file.read(4096)
            file.seek(max(0, size - (1 << 16)))
            tail = file.read() if head[:4] == b"OggS" else b""
    except FileNotFoundError as error:
        raise AudioError(path, "there is no such file") from error
    except OSError as error:
        raise AudioError(path, f"cannot be opened ({error.strerror})") from error
    if size == 0:
        raise AudioError(path, "empty: the file has 0 bytes")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        _check_wav(path, size, head)
    elif head[:4] == b"OggS":
        last = tail.rfind(b"OggS")
        if last < 0 or not tail[last + 5] & 4 or len(tail) < last + 27:     # the last page must say that it is the last
            raise AudioError(path, "truncated: the OGG stream has no last page")
    elif not any(byte > 126 or (byte < 32 and byte not in b"\t\r\n\f") for byte in head):
        raise AudioError(path, "not audio: the file is text")


def _check_wav(path: Path, size: int, head: bytes) -> None:
    position = 12
    while position + 8 <= len(head):
        name, length = head[position:position + 4], struct.unpack("<I", head[position + 4:position + 8])[0]
        if name == b"fmt " and position + 12 <= len(head):
            if struct.unpack("<H", head[position + 10:position + 12])[0] == 0:
                raise AudioError(path, "not usable: its header says zero channels")
        if name == b"data":
            streamed = length >= 0xFFFFFF00       # a pipe could not know the length; libsndfile reads to the end
            if not streamed and position + 8 + length > size:
                raise AudioError(path, f"truncated: {size - position - 8} of {length} bytes of samples are there")
            return
        position += 8 + length + length % 2
    if position >= size:
        raise AudioError(path, "truncated: the file ends before its samples begin")


def resample(wave: np.ndarray, from_rate: int, to_rate: int, name: str | Path = "audio") -> np.ndarray:
    """float32 (samples,) at `to_rate` Hz, by soxr at high quality."""
    if from_rate == to_rate:
        return wave
    import soxr

    result = soxr.resample(wave, from_rate, to_rate, quality="HQ")
    if result.size == 0:
        raise AudioError(name, f"too short: nothing is left of {wave.size} samples after resampling to {to_rate} Hz")
    return np.ascontiguousarray(result, dtype=np.float32)


def windows(wave: np.ndarray, size: int, policy: str = "windows", filling: str = "repeatpad",
            seed: int = 0) -> np.ndarray:
    """Cuts or fills one recording: float32 (samples,) -> (k, size); k > 1 only with `policy` 'windows'.

    Longer audio: 'windows' = side by side, the last one aligned to the end; 'first', 'centre'; 'random' = one window
    whose place hangs on `seed` and the samples alone, so that a run repeats in any order of files.
    Shorter audio is filled by `fill`; with `filling` 'keep' it stays as it is, (1, samples).
    """
    if policy not in POLICIES:
        raise ValueError(f"Unknown policy for long audio '{policy}'. Known: {', '.join(POLICIES)}.")
    if wave.size <= size:
        return fill(wave, size, filling)[None]
    last = wave.size - size
    if policy == "windows":
        starts = [*range(0, last, size), last]
    elif policy == "random":
        starts = [int(np.random.default_rng([seed, zlib.crc32(wave.tobytes())]).integers(0, last + 1))]
    elif policy == "fusion":
        raise ValueError("'fusion' is done by the model itself, not by cutting windows.")
    else:
        starts = [0 if policy == "first" else last // 2]
    return np.stack([wave[start:start + size] for start in starts])


def fill(wave: np.ndarray, size: int, filling: str = "repeatpad") -> np.ndarray:
    """float32 (samples,) with samples <= size -> (size,).

    'repeatpad' = whole repeats, then zeros (LAION-CLAP's way); 'repeat' = repeated to the brim; 'zero'; 'keep' = as is.
    """
    if filling not in FILLINGS:
        raise ValueError(f"Unknown filling for short audio '{filling}'. Known: {', '.join(FILLINGS)}.")
    if wave.size >= size or filling == "keep":
        return wave[:size]
    if filling == "repeat":
        return np.resize(wave, size)
    repeats = size // wave.size if filling == "repeatpad" else 1
    result = np.zeros(size, np.float32)
    result[:repeats * wave.size] = np.tile(wave, repeats)
    return result


def quantise(wave: np.ndarray) -> np.ndarray:
    """To 16 bits and back, by truncation, as LAION-CLAP does with every file. It matters for very quiet audio."""
    return ((np.clip(wave, -1.0, 1.0) * 32767.0).astype(np.int16) / 32767.0).astype(np.float32)
