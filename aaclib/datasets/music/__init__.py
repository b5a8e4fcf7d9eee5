"""A synthetic data set of music: short pieces with captions of their instruments, tempo, mode and dynamics.

`music-pretrain` trains a CLAP of its own and gives the pairs; `music-hall` is the target: another room, another
recorder, and writers who say less. Every piece follows from (world, split, index) and the data seed alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from aaclib import seeds
from aaclib.config import Data
from aaclib.datasets import DatasetError
from aaclib.datasets.made import DATA_SEED, RATE, Made, Rendering, sizes
from aaclib.datasets.music.pieces import Piece, piece, play
from aaclib.datasets.music.words import captions, named
from aaclib.datasets.soundscapes import synth
from aaclib.store import Store

__all__ = ["RATE", "WORLDS", "Music", "World", "load", "named", "render"]


@dataclass(frozen=True)
class World:
    """Where pieces are recorded, and who writes about them."""

    name: str
    title: str
    sizes: dict[str, int]
    captions: dict[str, int]  # of each clip
    room: float  # how loud the hall answers, beside the direct sound
    echo: tuple[float, float]  # seconds, shortest and longest of its halls
    snr: tuple[float, float]  # dB, of the recorder's noise
    microphone: tuple[float, float]  # Hz: what lies below and above is weakened
    detail: float  # probability that an attribute is mentioned


WORLDS = {
    world.name: world
    for world in (
        World(
            "pretrain",
            "Music, pretraining",
            {"train": 1600, "validation": 100, "evaluation": 100},
            {"train": 2, "validation": 1, "evaluation": 5},
            room=0.3,
            echo=(0.4, 0.9),
            snr=(25, 45),
            microphone=(50, 7400),
            detail=0.75,
        ),
        World(
            "hall",
            "Music in a hall",
            {"train": 600, "validation": 100, "evaluation": 250},
            {"train": 3, "validation": 5, "evaluation": 5},
            room=0.7,
            echo=(1.0, 1.8),
            snr=(18, 32),
            microphone=(90, 6400),
            detail=0.65,
        ),
    )
}


class Music(Made):
    """One world as a data set. `sizes`: split -> number of clips; `workers`: processes that render."""

    def __init__(self, world: str, given: dict[str, int], store: Store, workers: int = 0):
        self.world, name = WORLDS[world], f"music-{world}"
        each = self.world.captions
        super().__init__(name, self.world.title, sizes(name, self.world.sizes, given), each, store, workers)

    def piece(self, split: str, index: int) -> Piece:
        """What is true of a clip: music.load("music-hall").piece("evaluation", 0).truth"""
        return piece(self.world.name, split, index)

    def about(self, split: str, index: int) -> dict[str, Any]:
        """The labels are the instruments heard."""
        drawn, seed = self.piece(split, index), seeds.derive(DATA_SEED, "music", "words", self.world.name, split, index)
        written = captions(drawn, self.world.captions[split], self.world.detail, seed)
        return {"id": f"{self.name}-{split}-{index:05d}", "captions": written, "labels": drawn.truth["instrument"]}

    def key(self, split: str) -> dict[str, Any]:
        return {"music": asdict(self.world) | {"sizes": None}}

    def rendering(self, split: str) -> Rendering:
        heard = asdict(self.world) | {"sizes": None, "captions": None, "detail": None}
        return Rendering(
            f"{self.name}, {split}", {"music": heard, "split": split}, partial(_play, self.world.name, split)
        )


def render(world: World, drawn: Piece) -> np.ndarray:
    """A piece as its world records it, float32 mono at RATE, between -1 and 1; the same for the same piece."""
    rng, x = np.random.default_rng(drawn.seed + 1), play(drawn)
    x = x + world.room * synth.convolve(x, synth.room(rng, rng.uniform(*world.echo)))
    noise = synth.white(rng, len(x)) * 0.1 * 10 ** (-rng.uniform(*world.snr) / 20)
    return np.tanh(synth.bandlimit(x + noise, *world.microphone)).astype(np.float32)


def _play(world: str, split: str, index: int) -> np.ndarray:
    return render(WORLDS[world], piece(world, split, index))


def load(name: str, data: Data | None = None, store: Store | None = None, workers: int = 0) -> Music:
    """`music-<world>`. Raises DatasetError naming the worlds."""
    world = name.partition("-")[2]
    if world not in WORLDS:
        known = ", ".join(f"music-{w}" for w in WORLDS)
        raise DatasetError(f"There is no synthetic data set '{name}'. Known: {known}.")
    return Music(world, (data or Data()).sizes, store or Store(), workers)
