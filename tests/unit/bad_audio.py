"""Files that a user's folder may hold: bad ones, each with what its error must say, and unusual ones that are fine."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import soundfile

BAD = {
    "empty file": "0 bytes",
    "no samples": "holds no samples",
    "truncated wav": "truncated",
    "truncated flac": "damaged or truncated",
    "truncated ogg": "truncated",
    "text as wav": "the file is text",
    "html as mp3": "the file is text",
    "binary as flac": "not readable as audio",
    "nan": "3 of 16000 samples are NaN",
    "infinite": "NaN or infinite",
    "one sample": "1 sample at",
    "5 ms": "at least 10 ms",
    "zero channels": "hannel count is zero",
    "a folder": "folder",
    "missing": "no such file",
    "dangling link": "no such file",
    "wav header only": "truncated",
    "zip as wav": "not readable as audio",
    "png as ogg": "not readable as audio",
    "cut header": "truncated",
    "aac as mp3": "AAC audio",
    "16 bits as floats": "divide by 32768",
    "1 Hz": "sample rate of 1 Hz",
    "raw": "raw samples",
}
GOOD = ("8 kHz mu-law", "96 kHz 24-bit stereo", "six channels", "float wav")


def tone(seconds: float = 1.0, rate: int = 16000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * rate)) / rate)


def write_bad(folder: Path, kind: str) -> Path:
    """Writes the file of this kind (of BAD or GOOD) into `folder` and returns its path."""
    name = kind.replace(" ", "_")
    path = folder / f"{name}.{next((suffix for suffix in ('flac', 'ogg', 'mp3', 'raw') if suffix in kind), 'wav')}"
    if kind == "empty file":
        path.touch()
    elif kind in ("no samples", "one sample", "5 ms"):
        soundfile.write(path, tone()[: {"no samples": 0, "one sample": 1, "5 ms": 80}[kind]], 16000)
    elif kind.startswith("truncated"):
        soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 16000), 16000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "text as wav":
        path.write_text("file_name,caption\na.wav,a dog barks\n" * 20)
    elif kind == "html as mp3":
        path.write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>")
    elif kind in ("binary as flac", "zip as wav", "png as ogg"):
        magic = {"binary": b"\x00\x01", "zip": b"PK\x03\x04", "png": b"\x89PNG\r\n\x1a\n"}[kind.split()[0]]
        path.write_bytes(magic + np.random.default_rng(1).bytes(5000))
    elif kind in ("nan", "infinite"):
        wave = tone()
        wave[100:103] = np.nan if kind == "nan" else np.inf
        soundfile.write(path, wave, 16000, subtype="FLOAT")
    elif kind == "raw":
        path.write_bytes(np.random.default_rng(1).bytes(5000))
    elif kind == "aac as mp3":
        path.write_bytes(b"\xff\xf1\x50\x80" + np.random.default_rng(1).bytes(5000))
    elif kind == "16 bits as floats":
        soundfile.write(path, np.round(32767 * tone()), 16000, subtype="FLOAT")
    elif kind == "1 Hz":
        soundfile.write(path, tone(), 1)
    elif kind == "zero channels":
        soundfile.write(path, tone(), 16000)
        content = bytearray(path.read_bytes())
        content[22:24] = struct.pack("<H", 0)
        path.write_bytes(content)
    elif kind in ("wav header only", "cut header"):
        soundfile.write(path, tone(), 16000)
        path.write_bytes(path.read_bytes()[: 44 if kind == "wav header only" else 30])
    elif kind == "a folder":
        path.mkdir()
    elif kind == "dangling link":
        os.symlink(folder / "nowhere.wav", path)
    elif kind == "8 kHz mu-law":
        soundfile.write(path, tone(rate=8000), 8000, subtype="ULAW")
    elif kind == "96 kHz 24-bit stereo":
        soundfile.write(path, np.stack([tone(rate=96000)] * 2, axis=1), 96000, subtype="PCM_24")
    elif kind == "six channels":
        soundfile.write(path, np.stack([tone()] * 6, axis=1), 16000)
    elif kind == "float wav":
        soundfile.write(path, tone(), 16000, subtype="FLOAT")
    elif kind != "missing":
        raise ValueError(kind)
    return path
