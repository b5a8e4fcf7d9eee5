"""The same recording gives the same embedding in whatever format it comes."""

from pathlib import Path

import formats
import numpy as np
import pytest
import soundfile
from toy_clap import ToyClap

ESC10 = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "esc10" / "audio"
HEARD = 0.99  # the least cosine that any lossy format may have; of linear 8 bits, whose noise at -48 dB is all
HEARD_8 = 0.9  # that the toy finds in quiet windows, a little less (the tiny CLAP: 0.9999)


def same_embeddings(masters: list[Path], folder: Path) -> int:
    """Writes each recording in its share of all formats; returns how many files were compared."""
    backend, compared = ToyClap("cpu"), 0
    rows = backend.embed_audio(masters)
    for i, (row, original) in enumerate(zip(rows, masters, strict=True)):
        for kind, subtype in formats.KINDS[i :: len(masters)]:
            path = formats.convert(original, folder, kind, subtype)
            if path:
                most, cosine = formats.distance(row, backend.embed_audio([path])[0])
                least = HEARD_8 if subtype in ("PCM_S8", "PCM_U8", "DPCM_8") else HEARD
                assert (most < 1e-5) if formats.lossless(kind, subtype) else (cosine > least), (kind, subtype, cosine)
                compared += 1
                path.unlink()
    return compared


def test_made_recordings(tmp_path):
    rng, t = np.random.default_rng(0), np.arange(44100) / 44100
    for i in range(4):
        wave = 0.4 * np.sin(2 * np.pi * (200 + 90 * i) * t) * np.exp(-i * t) + 0.02 * rng.standard_normal(t.size)
        soundfile.write(tmp_path / f"{i}.wav", wave, 44100)
    assert same_embeddings(sorted(tmp_path.glob("?.wav")), tmp_path) > 100


def test_real_recordings(tmp_path):
    if not ESC10.is_dir():
        pytest.skip("the recordings of ESC-10 are not beside the project (../shared/data/esc10)")
    sources = sorted(ESC10.iterdir())[::20]
    masters = [formats.master(source, tmp_path / f"{source.stem}.wav") for source in sources]
    assert len(masters) == 20 and same_embeddings(masters, tmp_path) > 100
