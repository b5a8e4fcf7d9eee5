"""Rendering: a scene's events, mixed in its room, as its world records them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np

from aaclib import seeds
from aaclib.datasets.made import Rendering
from aaclib.datasets.soundscapes import sounds, synth
from aaclib.datasets.soundscapes.scenes import Event, Scene, scene
from aaclib.datasets.soundscapes.worlds import World, get

REFERENCE = 0.07  # loudness (RMS) of an ordinary sound: -23 dB
CEILING = 0.97  # louder is bent below it, as a recorder's limiter does
LEVEL = {"loud": 8.5, "": 0.0, "faint": -11.0}  # dB
DISTANCE = {"near": 3.0, "": 0.0, "far": -8.0}  # dB
BEHIND = -11.0  # dB
FAR_TAIL, HALL_TAIL = 1.2, 0.9  # reverberation's amplitude beside the direct sound's


def render(scene: Scene) -> np.ndarray:
    """The scene's recording, float32 mono at 16 kHz, between -1 and 1; the same for the same scene."""
    world, n = get(scene.world), synth.samples(scene.seconds)
    dry, out = np.zeros(n), np.zeros(n)
    for i, event in enumerate(scene.events):
        rng = seeds.rng(scene.seed, "event", i)
        synth.place(dry if event.distance != "far" else out, _event(event, rng, n), event.start)
    out += dry
    rng = seeds.rng(scene.seed, "room")
    if scene.room == "hall":
        out = out + HALL_TAIL * synth.convolve(out, synth.room(rng, rng.uniform(*world.reverberation)))
    elif scene.room == "outdoors":
        out = out + _open_air(out, rng)
    return _microphone(out, scene, world, seeds.rng(scene.seed, "microphone"))


def _event(event: Event, rng: np.random.Generator, n: int) -> np.ndarray:
    """One event at its loudness, as far away as it is; long enough to hold its own echo."""
    x = sounds.make(event.kind, rng, event.seconds, max(event.count, 1), event.pitch, event.speed)
    gain = LEVEL[event.level] + DISTANCE[event.distance] + (BEHIND if event.role == "behind" else 0.0)
    x = x * (REFERENCE * 10 ** (gain / 20) / max(synth.loudness(x), 1e-6))
    if event.distance == "far":  # air and ground take the treble, echoes come nearly as loud as the sound
        x = np.pad(synth.low(x, 1800), (0, min(synth.samples(0.6), n)))
        x = 0.7 * x + FAR_TAIL * 0.5 * synth.convolve(x, synth.room(rng, 0.9, 1500))
    elif event.distance == "near":  # closeness is treble and breath
        x = x + 0.5 * synth.high(x, 3000)
    return x


def _open_air(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One late echo from far off, and a breath of wind in the microphone."""
    delay = synth.samples(rng.uniform(0.28, 0.4))
    echo = np.zeros_like(x)
    echo[delay:] = 0.28 * synth.low(x, 1500)[:-delay]
    wind = synth.low(synth.white(rng, len(x)), 220) * synth.wander(rng, len(x), 1.5, 0.3, 1.0)
    return echo + wind * (0.09 * REFERENCE / max(synth.loudness(wind), 1e-6))


def _microphone(x: np.ndarray, scene: Scene, world: World, rng: np.random.Generator) -> np.ndarray:
    """The world's recorder: its band, its noise, its level."""
    noise = synth.white(rng, len(x)) * (REFERENCE * 10 ** (-scene.snr / 20))
    low, high = world.microphone
    x = synth.bandlimit(x + noise, low, high) * 10 ** (scene.gain / 20)
    return (CEILING * np.tanh(x / CEILING)).astype(np.float32)


# ---- files -----------------------------------------------------------------------------------------------------------


def rendering(world: str, split: str) -> Rendering:
    """The recordings of a world's split."""
    heard = asdict(get(world)) | {"sizes": None, "captions": None, "style": None}
    return Rendering(f"soundscapes-{world}, {split}", {"world": heard, "split": split}, partial(_play, world, split))


def _play(world: str, split: str, index: int) -> np.ndarray:
    return render(scene(world, split, index))
