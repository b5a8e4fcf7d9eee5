"""How much there is of everything that a plan counts, without fetching or loading any of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aaclib import roles
from aaclib.config import Config
from aaclib.datasets import MADE, DatasetError, load
from aaclib.datasets.audiocaps import CLIPS as AUDIOCAPS
from aaclib.datasets.clotho import CLIPS as CLOTHO
from aaclib.datasets.text import TENTH
from aaclib.datasets.wavcaps import CLIPS as WAVCAPS
from aaclib.metrics.install_spice import installed
from aaclib.metrics.result import Unavailable
from aaclib.suite.doctor.needs import NEED_SPICE


def spice_runs(config: Config) -> bool:
    """Whether SPICE is asked for and can run."""
    if not NEED_SPICE & set(config.metrics.names):
        return False
    try:
        installed()
    except Unavailable:
        return False
    return True


def dim(config: Config) -> int:
    """Of the CLAP's embeddings, as its kind has them."""
    return {"tiny": config.clap.width, "wavcaps": 1024}.get(config.clap.backend.partition(":")[0], 512)


def learned(config: Config, target: str, hears: str) -> int:
    """Captions of a training: those that it reads, and those of what it hears (`hears` as of bridge.TRAINING)."""
    own = count(config, target, "train")[1] if hears != "text" else 0
    return own + sum(count(config, name, "train")[1] for name in roles.read(config, target) if hears != "audio")


def count(config: Config, dataset: str, split: str) -> tuple[int, int]:
    """(clips, captions) of a split, without fetching anything; (0, 0) where that cannot be known."""
    published = {
        "clotho": (CLOTHO, 5),
        "audiocaps": (AUDIOCAPS, 1 if split == "train" else 5),
        "wavcaps": ({"train": WAVCAPS, "validation": 0, "evaluation": 0}, 1),
    }
    if dataset == roles.TEXT:
        parts = config.data.text_of[:1] if split == "evaluation" else config.data.text_of
        counts = [count(config, part, split) for part in parts]
        clips, captions = sum(clips for clips, _ in counts), sum(captions for _, captions in counts)
        wanted = round(config.data.text_size * (1.0 if split == "train" else TENTH)) or captions
        kept = min(1.0, wanted / max(captions, 1))
        return round(clips * kept), round(captions * kept)
    size = config.data.sizes.get(f"{dataset}.{split}")
    if dataset in published:
        clips, each = published[dataset]
        n = min(clips[split], size or clips[split])
        return n, n * each
    if dataset.partition("-")[0] in MADE:  # known without writing a caption, which takes seconds
        world: Any = load(dataset, config.data)
        return world.count(split)
    try:
        clips = load(dataset, replace(config.data, download=False)).split(split).clips[:size]
    except DatasetError:
        return 0, 0
    return len(clips), sum(len(clip.captions) for clip in clips)
