"""The worlds: what sounds how often, how it is recorded and how people write about it.

All worlds share the physics of the sounds and most of the words. `pretrain` has the role of WavCaps, `long` of Clotho,
`short` of AudioCaps; `dev` is a third target, different again, for choosing settings on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aaclib import seeds
from aaclib.datasets.soundscapes import sounds_nature, sounds_people, sounds_things  # noqa: F401 - they fill CLASSES
from aaclib.datasets.soundscapes.lexicon import read
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


def _world(name: str, facts: dict[str, Any]) -> World:
    """A world from its part of worlds.yaml, where a range is a list."""
    ranges = {key: tuple(value) for key, value in facts.items() if isinstance(value, list)}
    style = {**facts["style"], "words": tuple(facts["style"]["words"])}
    return World(name, **{**facts, **ranges, "style": Style(**style)})


WORLDS = {name: _world(name, facts) for name, facts in read("worlds.yaml").items() if name != "plain"}


def get(name: str) -> World:
    """Raises KeyError naming the worlds that there are."""
    if name not in WORLDS:
        raise KeyError(f"There is no world '{name}'. Known: {', '.join(WORLDS)}.")
    return WORLDS[name]
