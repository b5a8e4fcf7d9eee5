"""Audio: decode, mix to mono, resample, cut or fill to windows. No torch in here.

`soundfile` (libsndfile) reads WAV, FLAC, OGG, Opus, AIFF, MP3 and more; `soxr` at its high quality resamples, which is
what `librosa.load` does and so what the CLAP models were evaluated with. A file that cannot give usable samples is an
`AudioError` that names it and the reason; nothing is repaired in silence. Files are decoded, mixed and resampled in a
stream, so that a long one takes the memory of its result alone: 0.7 GB for an hour at 48 kHz.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aaclib import containers
from aaclib.names import printable

POLICIES = ("windows", "first", "centre", "random", "fusion")  # what happens to audio longer than a window
FILLINGS = ("repeatpad", "repeat", "zero", "keep")  # and to shorter audio
MIN_SECONDS = 0.01
BLOCK = 1 << 20  # samples at a time, those of all channels together
LOUDEST = 100.0  # 40 dB over full scale: no mix is louder, and int16 is, even of silence
TRUNCATED = re.compile("File seems to be truncated|Seems to be a truncated file|Data length [0-9]+ should be")
RATES = (100, 10_000_000)  # Hz: from recorders of whales and elephants to those of ultrasound


class AudioError(ValueError):
    """Audio that cannot be used. `.name` is the file (or the place in a list of arrays), `.reason` a short phrase."""

    def __init__(self, name: str | Path, reason: str):
        self.name, self.reason = printable(name), reason
        super().__init__(f"{self.name}: {reason}")

    def __reduce__(self):
        return (AudioError, (self.name, self.reason))  # so that it survives the way back from a worker process


def load(path: str | Path, sample_rate: int) -> np.ndarray:
    """The whole recording as float32 (samples,), mono, at `sample_rate` Hz. Raises AudioError."""
    return _loaded(path, sample_rate)[0]


def read(path: str | Path) -> tuple[np.ndarray, int]:
    """The recording as float32 (samples,), channels averaged, and its own sample rate in Hz. Raises AudioError."""
    return _loaded(path, None)


def check(wave: np.ndarray, sample_rate: int, name: str | Path = "audio") -> np.ndarray:
    """`wave` as float32 if it is 1-D, long enough, finite and in the range of floats; else AudioError."""
    wave = np.asarray(wave)
    if wave.ndim != 1:
        raise AudioError(name, f"expected a 1-D array of samples, found shape {wave.shape}")
    if not np.issubdtype(wave.dtype, np.floating):
        raise AudioError(name, f"expected samples as floats in -1..1, found {wave.dtype}")
    for _ in _checked(_blocks(wave), sample_rate, name):
        pass
    return np.ascontiguousarray(wave, dtype=np.float32)


def check_readable(path: str | Path) -> None:
    """A quick look at the headers only; what is wrong further in shows when the file is decoded. Raises AudioError."""
    with _opened(path) as file:
        _check_length(file.frames, file.samplerate, path)


def resample(wave: np.ndarray, from_rate: int, to_rate: int, name: str | Path = "audio") -> np.ndarray:
    """float32 (samples,) at `to_rate` Hz, by soxr at high quality."""
    return wave if from_rate == to_rate else _resampled(_blocks(wave), from_rate, to_rate, name)


# ---- the stream: (samples,) float32 at a time ------------------------------------------------------------------------


def _loaded(path: str | Path, sample_rate: int | None) -> tuple[np.ndarray, int]:
    with _opened(path) as file:
        rate = sample_rate or file.samplerate
        _check_room(file, rate, path)
        return _resampled(_checked(_mono(file, path), file.samplerate, path), file.samplerate, rate, path), rate


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """A `soundfile.SoundFile`. Whatever it and the file system raise, then and while it is read, becomes AudioError."""
    import soundfile

    path, file = Path(path), None
    try:
        with contextlib.ExitStack() as stack:
            spliced = containers.examine(path)
            name = os.fsencode(path) if os.name == "posix" else str(path)  # any name, decodable or not
            source: Any = stack.enter_context(spliced) if spliced else name
            file = stack.enter_context(soundfile.SoundFile(source))
            file.seekable = lambda: False  # else soundfile seeks after each read: MP3s decode otherwise, FLACs fail
            if spliced and spliced.frames_behind():
                raise AudioError(path, f"damaged: only its first {file.frames} samples can be decoded")
            if TRUNCATED.search(file.extra_info):  # what libsndfile notes of VOC, WVE and MAT4
                raise AudioError(path, "truncated: its header promises more samples than there are")
            _check_rate(file.samplerate, path)
            yield file
    except containers.Unusable as error:
        raise AudioError(path, str(error)) from error
    except soundfile.LibsndfileError as error:
        what = "damaged or truncated" if file else "not readable as audio"
        raise AudioError(path, f"{what} ({str(error.error_string).strip().rstrip('.')})") from error
    except FileNotFoundError as error:
        raise AudioError(path, "there is no such file") from error
    except OSError as error:
        raise AudioError(path, f"cannot be opened ({error.strerror})") from error
    except MemoryError as error:
        raise AudioError(path, "takes more memory than there is") from error


def _mono(file: Any, path: str | Path) -> Iterator[np.ndarray]:
    """What decodes, channels averaged. Raises AudioError where that is less than the file promises."""
    done, most = 0, max(1, BLOCK // file.channels)
    while len(block := file.read(min(most, file.frames - done), dtype="float32", always_2d=True)):
        done += len(block)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused by `_checked`
            mixed = block.mean(axis=1)
        yield mixed
    if done < _promised(file):
        raise AudioError(path, f"damaged or truncated: {done} of {file.frames} samples could be decoded")


def _promised(file: Any) -> int:
    """Samples a channel that the file says it has; 0 where it does not say, as in a stream, or only lets one guess."""
    return 0 if file.frames >= 2**62 or file.subtype.startswith("MPEG") else file.frames


def _checked(blocks: Iterable[np.ndarray], sample_rate: int, name: str | Path) -> Iterator[np.ndarray]:
    """The blocks as they are; at their end AudioError if together they are no usable recording."""
    _check_rate(sample_rate, name)
    size, bad, peak = 0, 0, 0.0
    for block in blocks:
        size += block.size
        highest = np.abs(block).max(initial=0)
        if not np.isfinite(highest):
            finite = np.isfinite(block)
            bad, highest = bad + block.size - int(finite.sum()), np.abs(block).max(where=finite, initial=0)
        peak = max(peak, float(highest))
        yield block
    _check_length(size, sample_rate, name)
    if bad:
        raise AudioError(name, f"{bad} of {size} samples are NaN or infinite")
    if peak > LOUDEST:
        raise AudioError(
            name, f"samples up to {peak:.6g}: floats are expected in -1..1" + "; divide by 32768" * (peak <= 32768)
        )


def _check_rate(sample_rate: int | None, name: str | Path) -> None:
    if sample_rate is None or sample_rate <= 0:
        raise AudioError(name, f"the sample rate must be a positive number of Hz, found {sample_rate}")
    if not RATES[0] <= sample_rate <= RATES[1]:
        raise AudioError(
            name,
            f"a sample rate of {sample_rate} Hz is that of no recording ({RATES[0]} Hz to {RATES[1] // 10**6} MHz are)",
        )


def _check_length(size: int, sample_rate: int, name: str | Path) -> None:
    if size == 0:
        raise AudioError(name, "empty: it holds no samples")
    if size < max(2, MIN_SECONDS * sample_rate):
        raise AudioError(
            name,
            f"too short: {size} sample{'s' * (size > 1)} at {sample_rate} Hz, "
            f"at least {MIN_SECONDS * 1000:.0f} ms are needed",
        )


def _check_room(file: Any, sample_rate: int, path: str | Path) -> None:
    """Refuses, before anything is decoded, what this machine could not hold."""
    seconds = _promised(file) / file.samplerate
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        return
    if 4 * seconds * sample_rate > memory:
        raise AudioError(
            path,
            f"too long: {seconds / 3600:.1f} hours at {sample_rate} Hz take "
            f"{4 * seconds * sample_rate / 1e9:.1f} GB, and this machine has {memory / 1e9:.1f} GB "
            f"of memory; cut it into pieces (or its header is damaged)",
        )


def _blocks(wave: np.ndarray) -> Iterator[np.ndarray]:
    return (wave[start : start + BLOCK] for start in range(0, wave.size, BLOCK))


def _resampled(blocks: Iterable[np.ndarray], from_rate: int, to_rate: int, name: str | Path) -> np.ndarray:
    """All blocks as one array at `to_rate` Hz: to the bit what `soxr.resample` makes of the whole."""
    import soxr

    data, size = bytearray(), 0  # it grows in place, without a second copy
    stream = None if from_rate == to_rate else soxr.ResampleStream(from_rate, to_rate, 1, "float32", "HQ")
    for block in blocks:
        size += block.size
        data += (stream.resample_chunk(block) if stream else np.asarray(block, np.float32, order="C")).data
    if stream:
        data += stream.resample_chunk(np.empty(0, np.float32), last=True).data
    if not data:
        raise AudioError(name, f"too short: nothing is left of {size} samples after resampling to {to_rate} Hz")
    return np.frombuffer(data, np.float32)


# ---- windows ---------------------------------------------------------------------------------------------------------


def windows(
    wave: np.ndarray, size: int, policy: str = "windows", filling: str = "repeatpad", seed: int = 0
) -> np.ndarray:
    """Cuts or fills one recording: float32 (samples,) -> (k, size); k > 1 only with `policy` 'windows'.

    Longer audio: 'windows' = side by side, the last one aligned to the end; 'first', 'centre'; 'random' = one window
    whose place hangs on `seed` and the samples alone, so that a run repeats in any order of files.
    Shorter audio is filled by `fill`; with `filling` 'keep' it stays as it is, (1, samples).
    """
    if wave.size <= size:
        return fill(wave, size, filling)[None]
    return np.stack(list(cuts(wave, size, policy, seed)))


def cuts(wave: np.ndarray, size: int, policy: str, seed: int = 0) -> Iterator[np.ndarray]:
    """The windows of a recording longer than one, (size,) each, as views: see `windows`."""
    if policy not in POLICIES:
        raise ValueError(f"Unknown policy for long audio '{policy}'. Known: {', '.join(POLICIES)}.")
    last = wave.size - size
    if policy == "windows":
        starts = [*range(0, last, size), last]
    elif policy == "random":
        starts = [int(np.random.default_rng([seed, zlib.crc32(wave.tobytes())]).integers(0, last + 1))]
    elif policy == "fusion":
        raise ValueError("'fusion' is done by the model itself, not by cutting windows.")
    else:
        starts = [0 if policy == "first" else last // 2]
    return (wave[start : start + size] for start in starts)


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
    result[: repeats * wave.size] = np.tile(wave, repeats)
    return result


def quantise(wave: np.ndarray) -> np.ndarray:
    """To 16 bits and back, by truncation, as LAION-CLAP does with every file. It matters for very quiet audio."""
    result = np.empty(wave.size, np.float32)
    for start in range(0, wave.size, BLOCK):  # block by block: the steps between would be in float64
        part = np.clip(wave[start : start + BLOCK], -1.0, 1.0)
        result[start : start + BLOCK] = (part * 32767.0).astype(np.int16) / 32767.0
    return result
