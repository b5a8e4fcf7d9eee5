"""Embedding recordings: time a clip and peak memory, against laion_clap.get_audio_embedding_from_filelist.

The model is LAION-CLAP at its full size (153 M parameters) with random weights, so nothing is downloaded; time and
memory do not depend on the values. Each measurement runs in a process of its own. The original takes all files as one
batch and keeps the autograd graph. The limit is the audio tower alone, on log-mels that are there already.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from table import ROOT, Row, child, exponent

TOKENS = 50265
CHILD = """
import sys
sys.path[:0] = [{!r}]
import extraction
extraction.work(*sys.argv[1:])
"""


def measure(tiny: bool = False) -> list[Row]:
    """A clip of ten seconds; peak memory, as the files become more."""
    sizes, layers = ([2, 4], 1) if tiny else ([8, 16, 32], 12)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sounds(folder, sizes[-1])
        script = CHILD.format(str(ROOT / "benchmarks"))
        child(script, "make", folder, 0, layers)
        ours = [child(script, "hf", folder, n, layers) for n in sizes]
        theirs = child(script, "theirs", folder, sizes[-1], layers)
        bare = child(script, "tower", folder, sizes[-1], layers)
    grown = exponent(sizes, [found["seconds"] for found in ours])
    note = f"clips of 10 s at 44.1 kHz, {sizes[-1]} of them; from {sizes[0]} on seconds grow with the power {grown:.2f}"
    n, last = sizes[-1], ours[-1]
    memory = f"above the model's own; with {sizes[0]} clips {ours[0]['mib']:.0f} MiB"
    return [
        Row("a clip embedded", last["seconds"] / n, theirs["seconds"] / n, bare["seconds"] / n, note),
        Row("peak memory", last["mib"], theirs["mib"], note=memory, unit="MiB"),
    ]


def sounds(folder: Path, n: int) -> None:
    import numpy as np
    import soundfile

    for i in range(n):
        wave = np.random.default_rng(i).standard_normal(441000) / 10
        soundfile.write(folder / f"{i:03d}.wav", wave, 44100)


def make(folder: Path, layers: int) -> None:
    """A checkpoint, tokenizer files of the true length, and the same in the form of transformers."""
    import clap_fixtures as made

    from aaclib.clap import convert

    made.VOCABULARY = 1000
    files = made.roberta_tokenizer(folder / "tokenizer")
    words = json.loads((files / "vocab.json").read_text())
    words |= {f"<filler{i}>": i for i in range(len(words), TOKENS)}
    (files / "vocab.json").write_text(json.dumps(words))
    made.save_laion(made.laion_module(folder / "tokenizer", layers=layers), folder / "random.pt")
    convert.convert(folder / "random.pt", folder / "hf", str(folder / "tokenizer"))


def work(what: str, name: str, n: str, layers: str) -> None:
    """One measurement, in this process; prints it."""
    sys.path[:0] = [str(ROOT / "tests" / "parity")]
    folder = Path(name)
    files = sorted(map(str, folder.glob("*.wav")))[: int(n)]
    if what == "make":
        make(folder, int(layers))
        print("{}")
        return
    from table import peak_mib, timed

    if what == "theirs":
        import clap_fixtures as made

        model = made.laion_module(folder / "tokenizer", layers=int(layers))
        action = functools.partial(model.get_audio_embedding_from_filelist, files)
    else:
        from aaclib import clap, embeddings
        from aaclib.store import Store

        backend = clap.load(f"hf:{folder / 'hf'}", "cpu")
        action = functools.partial(embeddings.embed_audio, backend, files, Store(folder / f"cache{n}"))
        action = functools.partial(tower, backend, len(files)) if what == "tower" else action
    before = peak_mib()
    seconds = timed(action)
    print(json.dumps({"seconds": seconds, "mib": max(peak_mib() - before, 0.1)}))


def tower(backend: Any, n: int, batch: int = 8) -> None:
    """The audio tower on log-mels of n windows."""
    import torch

    with torch.inference_mode():
        for start in range(0, n, batch):
            rows = min(batch, n - start)
            backend.mel_batch(torch.zeros(rows, 1, 1001, 64), torch.zeros(rows, 1, dtype=torch.bool))
