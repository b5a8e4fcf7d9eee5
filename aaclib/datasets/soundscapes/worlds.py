"""The worlds: what sounds how often, how it is recorded and how people write about it.

All worlds share the physics of the sounds and most of the words. `pretrain` has the role of WavCaps, `long` of Clotho,
`short` of AudioCaps; `dev` is a third target, different again, for choosing settings on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from aaclib import seeds
from aaclib.datasets.soundscapes.scenes import CLASSES


@dataclass(frozen=True)
class Style:
    """How the people of a world write."""

    frames: dict[str, float]  # weights of the ways to build a clause
    taste: float  # how far the preference for single words strays from even; 0 = all the same
    detail: float  # probability that an attribute that could be mentioned is
    omit: float  # probability that an event in the background goes unmentioned
    room: float  # probability that the room is mentioned where it can be heard
    nouns: float  # probability that an event becomes a noun phrase where a clause would do
    words: tuple[int, int]  # fewest and most words of a caption, as far as the scene allows
    ending: str = "."
    capital: bool = True


@dataclass(frozen=True)
class World:
    name: str
    title: str
    seconds: float
    sizes: dict[str, int]  # default number of clips of each split
    captions: dict[str, int]  # captions of each clip; 0 = one to three
    layouts: dict[str, float]
    rooms: dict[str, float]
    attributes: dict[str, float]
    snr: tuple[float, float]  # dB, lowest and highest
    gain: tuple[float, float]  # dB, mean and standard deviation
    microphone: tuple[float, float]  # Hz: what lies below and above is weakened
    reverberation: tuple[float, float]  # seconds, shortest and longest of its halls
    style: Style
    contrast: float = 0.6  # how far class frequencies stray from even
    classes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Class frequencies: log-normal, the world's own."""
        if not self.classes:
            strays = seeds.rng(0, "soundscapes", "frequencies", self.name).normal(0, self.contrast, len(CLASSES))
            weights = np.exp(strays)
            object.__setattr__(
                self, "classes", {k: float(w) for k, w in zip(CLASSES, weights / weights.sum(), strict=True)}
            )


PLAIN = {"simple": 4, "progressive": 3, "heard": 1, "passive": 1, "nominal": 3, "there": 1, "hear": 0.6}
WORLDS = {
    w.name: w
    for w in (
        World(
            "pretrain",
            "Soundscapes, pretraining",
            5.6,
            {"train": 6000, "validation": 500, "evaluation": 500},
            {"train": 0, "validation": 1, "evaluation": 5},
            {"single": 3, "sequence": 3, "overlap": 2, "single+behind": 2.2, "sequence+behind": 1, "three": 0.6},
            {"": 5, "hall": 2.5, "outdoors": 2},
            {"level": 0.32, "distance": 0.28, "pitch": 0.5, "speed": 0.6},
            (20, 40),
            (0, 2.0),
            (60, 7200),
            (0.7, 1.5),
            Style({**PLAIN, "progressive": 5, "heard": 2.5, "nominal": 3.5}, 0.35, 0.6, 0.15, 0.55, 0.45, (4, 14)),
            contrast=0.25,
        ),
        World(
            "long",
            "Soundscapes-long",
            6.4,
            {"train": 1500, "validation": 200, "evaluation": 500},
            {"train": 5, "validation": 5, "evaluation": 5},
            {"single": 2, "sequence": 3, "overlap": 2, "single+behind": 2.5, "sequence+behind": 2, "three": 1.2},
            {"": 4, "hall": 3, "outdoors": 3},
            {"level": 0.3, "distance": 0.35, "pitch": 0.5, "speed": 0.6},
            (17, 34),
            (-2, 1.5),
            (90, 6200),
            (0.9, 1.8),
            Style({**PLAIN, "simple": 5, "passive": 2, "nominal": 4, "hear": 1.2}, 0.7, 0.62, 0.18, 0.6, 0.4, (7, 14)),
        ),
        World(
            "short",
            "Soundscapes-short",
            4.8,
            {"train": 5000, "validation": 200, "evaluation": 500},
            {"train": 1, "validation": 5, "evaluation": 5},
            {"single": 3, "sequence": 3.5, "overlap": 2.5, "single+behind": 2.5, "sequence+behind": 0.5, "three": 0.2},
            {"": 6, "hall": 1.5, "outdoors": 2.5},
            {"level": 0.35, "distance": 0.25, "pitch": 0.4, "speed": 0.6},
            (14, 30),
            (1.5, 2.0),
            (120, 7400),
            (0.6, 1.2),
            Style(
                {**PLAIN, "simple": 6, "progressive": 4, "passive": 0.6, "there": 0.4, "hear": 0.3},
                0.7,
                0.52,
                0.15,
                0.4,
                0.25,
                (4, 12),
                ending="",
            ),
        ),
        World(
            "dev",
            "Soundscapes-dev",
            5.2,
            {"train": 1500, "validation": 300, "evaluation": 300},
            {"train": 5, "validation": 5, "evaluation": 5},
            {"single": 2.5, "sequence": 2.5, "overlap": 3, "single+behind": 2.5, "sequence+behind": 1, "three": 0.5},
            {"": 5, "hall": 2, "outdoors": 3},
            {"level": 0.35, "distance": 0.3, "pitch": 0.45, "speed": 0.55},
            (15, 32),
            (-1, 2.0),
            (150, 6800),
            (0.8, 1.4),
            Style({**PLAIN, "heard": 2, "there": 1.5, "hear": 1}, 0.7, 0.58, 0.2, 0.5, 0.35, (5, 13),
                  ending="", capital=False),
        ),
    )
}


def get(name: str) -> World:
    """Raises KeyError naming the worlds that there are."""
    if name not in WORLDS:
        raise KeyError(f"There is no world '{name}'. Known: {', '.join(WORLDS)}.")
    return WORLDS[name]
