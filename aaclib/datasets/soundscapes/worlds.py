"""The worlds: what sounds how often, how it is recorded and how people write about it.

All worlds share the physics of the sounds and most of the words. `pretrain` has the role of WavCaps, `long` of Clotho,
`short` of AudioCaps; `dev` is a third target, different again, for choosing settings on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from aaclib import seeds
from aaclib.datasets.soundscapes import sounds_nature, sounds_people, sounds_things  # noqa: F401 - they fill CLASSES
from aaclib.datasets.soundscapes.sounds import CLASSES


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
    classes: dict[str, float] = field(init=False)  # how often each class sounds

    def __post_init__(self) -> None:
        """Class frequencies: log-normal, the world's own."""
        weights = np.exp(seeds.rng(0, "soundscapes", "frequencies", self.name).normal(0, self.contrast, len(CLASSES)))
        frequencies = dict(zip(CLASSES, (weights / weights.sum()).tolist(), strict=True))
        object.__setattr__(self, "classes", frequencies)


PLAIN = {"simple": 4, "progressive": 3, "heard": 1, "passive": 1, "nominal": 3, "there": 1, "hear": 0.6}
WORLDS = {
    world.name: world
    for world in (
        World(
            name="pretrain",
            title="Soundscapes, pretraining",
            seconds=5.6,
            contrast=0.25,
            sizes={"train": 6000, "validation": 500, "evaluation": 500},
            captions={"train": 0, "validation": 1, "evaluation": 5},
            layouts={
                "single": 3,
                "sequence": 3,
                "overlap": 2,
                "single+behind": 2.2,
                "sequence+behind": 1,
                "three": 0.6,
            },
            rooms={"": 5, "hall": 2.5, "outdoors": 2},
            attributes={"level": 0.32, "distance": 0.28, "pitch": 0.5, "speed": 0.6},
            snr=(20, 40),
            gain=(0, 2.0),
            microphone=(60, 7200),
            reverberation=(0.7, 1.5),
            style=Style(
                frames={**PLAIN, "progressive": 5, "heard": 2.5, "nominal": 3.5},
                taste=0.35,
                detail=0.6,
                omit=0.15,
                room=0.55,
                nouns=0.45,
                words=(4, 14),
            ),
        ),
        World(
            name="long",
            title="Soundscapes-long",
            seconds=6.4,
            sizes={"train": 1500, "validation": 200, "evaluation": 500},
            captions={"train": 5, "validation": 5, "evaluation": 5},
            layouts={
                "single": 2,
                "sequence": 3,
                "overlap": 2,
                "single+behind": 2.5,
                "sequence+behind": 2,
                "three": 1.2,
            },
            rooms={"": 4, "hall": 3, "outdoors": 3},
            attributes={"level": 0.3, "distance": 0.35, "pitch": 0.5, "speed": 0.6},
            snr=(17, 34),
            gain=(-2, 1.5),
            microphone=(90, 6200),
            reverberation=(0.9, 1.8),
            style=Style(
                frames={**PLAIN, "simple": 5, "passive": 2, "nominal": 4, "hear": 1.2},
                taste=0.7,
                detail=0.62,
                omit=0.18,
                room=0.6,
                nouns=0.4,
                words=(7, 14),
            ),
        ),
        World(
            name="short",
            title="Soundscapes-short",
            seconds=4.8,
            sizes={"train": 5000, "validation": 200, "evaluation": 500},
            captions={"train": 1, "validation": 5, "evaluation": 5},
            layouts={
                "single": 3,
                "sequence": 3.5,
                "overlap": 2.5,
                "single+behind": 2.5,
                "sequence+behind": 0.5,
                "three": 0.2,
            },
            rooms={"": 6, "hall": 1.5, "outdoors": 2.5},
            attributes={"level": 0.35, "distance": 0.25, "pitch": 0.4, "speed": 0.6},
            snr=(14, 30),
            gain=(1.5, 2.0),
            microphone=(120, 7400),
            reverberation=(0.6, 1.2),
            style=Style(
                frames={**PLAIN, "simple": 6, "progressive": 4, "passive": 0.6, "there": 0.4, "hear": 0.3},
                taste=0.7,
                detail=0.52,
                omit=0.15,
                room=0.4,
                nouns=0.25,
                words=(4, 12),
                ending="",
            ),
        ),
        World(
            name="dev",
            title="Soundscapes-dev",
            seconds=5.2,
            sizes={"train": 1500, "validation": 300, "evaluation": 300},
            captions={"train": 5, "validation": 5, "evaluation": 5},
            layouts={
                "single": 2.5,
                "sequence": 2.5,
                "overlap": 3,
                "single+behind": 2.5,
                "sequence+behind": 1,
                "three": 0.5,
            },
            rooms={"": 5, "hall": 2, "outdoors": 3},
            attributes={"level": 0.35, "distance": 0.3, "pitch": 0.45, "speed": 0.55},
            snr=(15, 32),
            gain=(-1, 2.0),
            microphone=(150, 6800),
            reverberation=(0.8, 1.4),
            style=Style(
                frames={**PLAIN, "heard": 2, "there": 1.5, "hear": 1},
                taste=0.7,
                detail=0.58,
                omit=0.2,
                room=0.5,
                nouns=0.35,
                words=(5, 13),
                ending="",
                capital=False,
            ),
        ),
    )
}


def get(name: str) -> World:
    """Raises KeyError naming the worlds that there are."""
    if name not in WORLDS:
        raise KeyError(f"There is no world '{name}'. Known: {', '.join(WORLDS)}.")
    return WORLDS[name]
