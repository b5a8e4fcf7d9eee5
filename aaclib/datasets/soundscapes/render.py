"""Rendering: a scene's events, mixed in its room, as its world records them.

Clips are kept as FLAC files in shards of `SHARD`, each an artefact of its own: a killed rendering goes on with the
next shard, and a profile with more clips shares the shards of one with fewer.
"""

from __future__ import annotations

import io
import os
from concurrent.futures import as_completed
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile

from aaclib import seeds, workers
from aaclib.datasets.soundscapes import sounds, synth
from aaclib.datasets.soundscapes.scenes import DATA_SEED, Event, Scene, scene
from aaclib.datasets.soundscapes.worlds import World, get
from aaclib.progress import Progress
from aaclib.store import Artefact, Store, write_bytes

RATE = synth.RATE
SHARD = 50  # clips
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


def render_split(world: str, split: str, n: int, store: Store, most: int = 0) -> list[Path]:
    """The files of the first `n` clips of a split, rendered by at most so many processes (0 = one per core) where they
    are not there yet."""
    shards, todo = range(-(-n // SHARD)), unrendered(world, split, n, store)
    count = min(most or os.cpu_count() or 1, len(todo))
    progress = Progress(f"rendering soundscapes-{world}, {split}", len(todo) * SHARD, "clips")
    if count > 1:
        store.making("scenes")
        with workers.pool(count) as submit:  # which never import PyTorch
            jobs = [submit(_shard, world, split, i, store.root, store.refresh) for i in todo]
            for job in as_completed(jobs):
                job.result()
                progress.step(SHARD)
    made = [_shard(world, split, i, store.root, store.refresh) for i in shards]
    return [made[i // SHARD] / f"{i:05d}.flac" for i in range(n)]


def unrendered(world: str, split: str, n: int, store: Store) -> list[int]:
    """The shards of the first `n` clips of a split that are not in the store."""
    return [i for i in range(-(-n // SHARD)) if store.find("scenes", _key(world, split, i)) is None]


def _key(world: str, split: str, shard: int) -> dict:
    heard = asdict(get(world)) | {"sizes": None, "captions": None, "style": None}
    return {"world": heard, "split": split, "shard": shard, "size": SHARD, "seed": DATA_SEED}


def _shard(world: str, split: str, shard: int, root: Path, refresh: float) -> Artefact:
    def build(folder: Path) -> dict:
        for index in range(shard * SHARD, (shard + 1) * SHARD):
            flac = io.BytesIO()  # libsndfile calls a full disk a 'System error'
            soundfile.write(
                flac, render(scene(world, split, index)), RATE, "PCM_16", format="FLAC", compression_level=0.2
            )
            write_bytes(folder / f"{index:05d}.flac", flac.getvalue())
        return {"clips": SHARD}

    return Store(root, refresh).get("scenes", _key(world, split, shard), build)
