"""One recording in every format that libsndfile writes, and how far its embedding is from the original's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

KINDS = [
    (kind, subtype)
    for kind in soundfile.available_formats()
    if kind not in ("RAW", "SD2")
    for subtype in soundfile.available_subtypes(kind)
]
NEEDED_RATE = {"OPUS": 48000, "WVE": 8000}
ROUGH_RATE = ("HTK", "SDS", "VOC")  # they keep the time from sample to sample, and give another rate back
EXACT = (
    "PCM_16",
    "PCM_24",
    "PCM_32",
    "FLOAT",
    "DOUBLE",
    "ALAC_16",
    "ALAC_20",
    "ALAC_24",
    "ALAC_32",
    "DWVW_16",
    "DWVW_24",
    "DPCM_16",
)  # for samples of 16 bits


def lossless(kind: str, subtype: str) -> bool:
    return subtype in EXACT and kind not in ROUGH_RATE


def master(source: Path, path: Path) -> Path:
    """The recording as 16-bit WAV, mono: what the other formats are made from."""
    wave, rate = soundfile.read(source, dtype="float32", always_2d=True)
    soundfile.write(path, np.clip(wave.mean(axis=1), -1, 1), rate, subtype="PCM_16", format="WAV")
    return path


def convert(original: Path, folder: Path, kind: str, subtype: str) -> Path | None:
    """The recording in another format, or None where libsndfile does not write it."""
    wave, rate = soundfile.read(original, dtype="float32" if subtype in ("FLOAT", "DOUBLE") else "int16")
    wanted = NEEDED_RATE.get(subtype, NEEDED_RATE.get(kind, rate))
    wave = wave if wanted == rate else soxr.resample(wave, rate, wanted)
    path = folder / f"{original.stem}-{subtype}.{kind.lower()}"
    try:
        soundfile.write(path, wave, wanted, subtype, format=kind)
    except soundfile.LibsndfileError:
        path.unlink(missing_ok=True)
        return None
    return path


def distance(row: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The largest difference of two unit rows, and their cosine."""
    return float(np.abs(row - other).max()), float(row @ other)
