"""A made data set and a made CLAP: a whole run in seconds, for tests."""

import hashlib
import json

import numpy as np
import pandas as pd
import soundfile
import torch

from aaclib import config
from aaclib.clap.base import Backend
from aaclib.run import Run
from aaclib.store import Store

RATE, DIM = 8000, 24
THINGS, DOES, PLACES = ["dog", "cat", "bell", "car"], ["sings", "runs", "sleeps"], ["park", "house", "street"]


class MadeClap(Backend):
    """Text: the sum of fixed random vectors of its words. Audio: the spectrum of tones, of which each word has one.
    The two sit in cones of their own, as real ones do."""

    name, dim, sample_rate, window_s = "made", DIM, RATE, 0.5
    digest = "made-1"

    def __init__(self, device=None):
        super().__init__(device or "cpu")
        self.words = THINGS + DOES + PLACES
        rng = np.random.default_rng(0)
        self.vectors = rng.standard_normal((len(self.words), DIM)).astype(np.float32)
        self.cone = 2 * rng.standard_normal(DIM).astype(np.float32)

    def text_batch(self, texts):
        known = [[self.words.index(w) for w in text.split() if w in self.words] for text in texts]
        return torch.tensor(np.array([self.vectors[words].sum(0) - self.cone for words in known]))

    def audio_batch(self, waves):
        power = torch.fft.rfft(waves).abs()[:, [int(tone(i) * self.window_s) for i in range(len(self.words))]]
        present = (power > 0.3 * power.amax(1, keepdim=True)).float()
        return present @ torch.tensor(self.vectors) + torch.tensor(self.cone)


def tone(i: int) -> float:
    return 200.0 + 200.0 * i


def make(folder, n=150, captions=2, seed=0):
    """`n` recordings of 0.5 s and captions.csv with a split column."""
    rng = np.random.default_rng(seed)
    audio = folder / "audio"
    audio.mkdir(parents=True)
    words, rows, t = THINGS + DOES + PLACES, [], np.arange(RATE // 2) / RATE
    for i in range(n):
        said = [rng.choice(THINGS), rng.choice(DOES), rng.choice(PLACES)]
        wave = sum(0.2 * np.sin(2 * np.pi * tone(words.index(w)) * t) for w in said)
        soundfile.write(audio / f"{i:03d}.wav", wave, RATE)
        text = [f"a {said[0]} {said[1]} in the {said[2]}", f"in the {said[2]} a {said[0]} {said[1]}"][:captions]
        split = ["train", "train", "train", "validation", "evaluation"][i % 5]
        rows.append(
            {"file_name": f"{i:03d}.wav", "split": split, **{f"caption_{k + 1}": c for k, c in enumerate(text)}}
        )
    pd.DataFrame(rows).to_csv(folder / "captions.csv", index=False)


def make_pairs(folder, n=12, seed=9):
    """External pairs in the form of WavCaps' SoundBible: `n` recordings with a caption each."""
    make(folder / "made", n, captions=1, seed=seed)
    table = pd.read_csv(folder / "made" / "captions.csv")
    data = [{"id": f"{1000 + i}", "caption": caption, "duration": 0.5} for i, caption in enumerate(table.caption_1)]
    for row, name in zip(data, table.file_name, strict=True):
        (folder / "made" / "audio" / name).rename(folder / f"{row['id']}.wav")
    (folder / "sb_final.json").write_text(json.dumps({"data": data}))


def settings_of(folder) -> dict:
    """The settings of a run on what `make` made."""
    return {
        "data.audio": str(folder / "audio"),
        "data.captions": str(folder / "captions.csv"),
        "data.pretrain": "",
        "data.pairs": "folder.train",
        "clap.backend": "made:MadeClap",
        "device": "cpu",
        "decoder.width": 32,
        "decoder.layers": 1,
        "decoder.heads": 2,
        "decoder.dropout": 0.0,
        "train.epochs": 25,
        "train.lr": 0.01,
        "train.warmup_steps": 10,
        "train.batch_size": 16,
        "metrics.bootstrap": 50,
        "metrics.names": ["bleu_1", "bleu_4", "rouge_l", "cider_d"],
        "data.targets": {
            "folder": [
                "supervised",
                "baseline",
                "noise",
                "shift",
                "c3",
                "nearest",
                "projection",
                "noise+projection",
                "copy",
                "reconstruction",
                "shuffled",
                "human",
            ]
        },
    }


def run_of(folder, store, **overrides) -> Run:
    """A run on what `make` made, its artefacts in the folder `store`."""
    return Run(config.load("quick", {**settings_of(folder), **overrides}), Store(store))


def content(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
