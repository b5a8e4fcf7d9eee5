"""The sound classes: how they go on in time, which attributes they can have, what makes them.

A class is either a `unit`, one bark or one knock, which is repeated as often as the scene says, or a `flow`, which
goes on for as long as the scene says. Its function gets a random stream and the audible attributes as numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aaclib.datasets.soundscapes.synth import Signal, place, samples

CLASSES: dict[str, Sound] = {}  # filled by the sounds_*.py modules, in their order
SPEED = {"slow": 0.62, "": 1.0, "fast": 1.65}  # factor of a rate
PITCH = {"low": 0.66, "": 1.0, "high": 1.5}  # factor of a frequency
GAP = {"slow": 1.0, "": 0.38, "fast": 0.09}  # seconds of pause between the units of one event


@dataclass(frozen=True)
class Sound:
    make: Callable[..., Signal]  # unit: (rng, pitch); flow: (rng, n, pitch, speed)
    seconds: float = 0.0  # of one unit; 0 = a flow
    counts: tuple[int, ...] = ()  # how many units an event may have
    pitch: bool = False  # whether high and low can be heard in it
    speed: bool = False  # whether fast and slow can be heard in it
    behind: bool = False  # whether it can be the background of a scene

    @property
    def flows(self) -> bool:
        return not self.seconds


def unit(seconds: float, counts: tuple[int, ...], pitch: bool = False, speed: bool = True) -> Callable:
    """Registers a function (rng, pitch) -> one instance of about `seconds`, under the function's name."""
    return _register(seconds=seconds, counts=counts, pitch=pitch, speed=speed)


def flow(pitch: bool = False, speed: bool = False, behind: bool = False) -> Callable:
    """Registers a function (rng, n, pitch, speed) -> n samples, under the function's name."""
    return _register(pitch=pitch, speed=speed, behind=behind)


def _register(**facts: Any) -> Callable:
    def register(make: Callable[..., Signal]) -> Callable[..., Signal]:
        CLASSES[make.__name__] = Sound(make, **facts)
        return make

    return register


def length(sound: Sound, count: int, speed: str) -> float:
    """Seconds that `count` units take, pauses included."""
    return count * sound.seconds + (count - 1) * GAP[speed]


def make(
    name: str, rng: np.random.Generator, seconds: float, count: int = 1, pitch: str = "", speed: str = ""
) -> Signal:
    """One event of this class, about full scale, faded at its ends; `count` is for units, `seconds` for flows."""
    sound = CLASSES[name]
    factor = PITCH[pitch] * np.exp(rng.uniform(-0.06, 0.06))
    if sound.flows:
        rate = SPEED[speed] * np.exp(rng.uniform(-0.06, 0.06))
        out = np.asarray(sound.make(rng, samples(seconds), factor, rate), dtype=float)
    else:
        out = np.zeros(samples(length(sound, count, speed) + 0.35))
        step = sound.seconds + GAP[speed]
        for i in range(count):  # units of one event resemble each other: one source makes them
            one = sound.make(rng, factor * np.exp(rng.normal(0, 0.015)))
            place(out, one, max(i * step + rng.normal(0, 0.04) * min(step, 0.5) * (i > 0), 0), rng.uniform(0.85, 1.0))
    edge = min(samples(0.12 if sound.flows else 0.003), len(out) // 2)
    ramp = np.linspace(0, 1, edge)
    out[:edge] *= ramp
    out[-edge:] *= ramp[::-1]
    return out
