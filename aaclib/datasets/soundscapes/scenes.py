"""Scenes: what sounds when, how loud, how far away and in which room; drawn from a world's distributions."""

from __future__ import annotations

import hashlib
import random
from dataclasses import astuple, dataclass

from aaclib import seeds
from aaclib.datasets.made import DATA_SEED
from aaclib.datasets.soundscapes.sounds import CLASSES, length
from aaclib.datasets.soundscapes.worlds import World, get

EDGE = 0.1  # seconds of quiet kept at a clip's ends
# Which scenes a split may hold, in shares of 100 by a hash, whatever the sizes; one that belongs to another split is
# drawn again. One combination of classes in five is held out: no scene for training or validation has it, so that a
# part of evaluation cannot be known from training. All other scenes are parted by their whole specification.
HELD_OUT = 20
SHARE = {"train": (0, 60), "validation": (60, 80), "evaluation": (80, 100)}
OUTSIDE = set(
    "rain thunder wind waves stream fire birds cow rooster sheep crickets frog owl horse car train "
    "helicopter motorcycle engine siren bell horn".split()
)
INSIDE = set("snore piano vacuum clock typing phone drip beeper crowd creak".split())


@dataclass(frozen=True)
class Event:
    kind: str
    start: float  # seconds
    seconds: float
    count: int = 0  # how many units; 0 for a flow
    role: str = "main"  # main | behind
    level: str = ""  # loud | faint
    distance: str = ""  # near | far
    speed: str = ""  # fast | slow
    pitch: str = ""  # high | low
    span: str = ""  # flows: whole (of the clip) | part


@dataclass(frozen=True)
class Scene:
    world: str
    split: str
    index: int
    seconds: float
    layout: str  # single | sequence | overlap
    events: tuple[Event, ...]  # main events in the order of their beginnings, then the one behind
    room: str  # hall | outdoors | "" (nothing to be heard of it)
    snr: float  # of the recording's noise, dB
    gain: float  # of the whole recording, dB
    seed: int

    @property
    def specification(self) -> tuple:
        """All that describes the scene, without where it stands and without the random stream it is rendered from."""
        return (self.seconds, self.layout, self.room, self.snr, self.gain, tuple(astuple(e) for e in self.events))

    @property
    def combination(self) -> tuple[str, ...]:
        """The classes that sound, in alphabetical order."""
        return tuple(sorted(event.kind for event in self.events))

    @property
    def held_out(self) -> bool:
        """Whether only evaluation may have this combination. One sound alone is none."""
        return len(self.events) > 1 and _place((self.world, self.combination)) < HELD_OUT

    @property
    def id(self) -> str:
        return f"{self.world}-{self.split}-{self.index:05d}"


def scene(world: World | str, split: str, index: int) -> Scene:
    """Clip `index` of a world's split; it hangs on these and the data seed alone. Raises KeyError for other splits."""
    world = world if isinstance(world, World) else get(world)
    first, last = SHARE[split]
    # faster than NumPy for single numbers
    rng = random.Random(seeds.derive(DATA_SEED, "soundscapes", world.name, split, index))
    while True:
        drawn = _draw(world, split, index, rng)
        if split == "evaluation" if drawn.held_out else first <= _place(drawn.specification) < last:
            return drawn


def _place(what: tuple) -> int:
    """0 to 99."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:4], "little") % 100


def _draw(world: World, split: str, index: int, rng: random.Random) -> Scene:
    layout, _, behind = weighted(rng, world.layouts).partition("+")
    number = {"single": 1, "sequence": 2, "overlap": 2, "three": 3}[layout]
    kinds = _kinds(world, rng, number, bool(behind))
    room = weighted(rng, world.rooms)
    if (room == "hall" and set(kinds) & OUTSIDE) or (room == "outdoors" and set(kinds) & INSIDE):
        room = ""
    first, last = EDGE, world.seconds - EDGE
    if layout in ("sequence", "three"):
        layout = "sequence"
        parts = [rng.uniform(0.85, 1.15) for _ in range(number)]
        cuts = [first + (last - first) * sum(parts[:i]) / sum(parts) for i in range(number + 1)]
        events = [_event(world, rng, kinds[i], cuts[i] + 0.05, cuts[i + 1] - 0.05, bool(behind)) for i in range(number)]
    else:
        together = layout == "overlap"
        events = [_event(world, rng, kind, first, last, bool(behind), together) for kind in kinds[:number]]
        events.sort(key=lambda e: e.start)
    if behind:
        events.append(Event(kinds[-1], 0.0, world.seconds, role="behind"))
    return Scene(
        world.name,
        split,
        index,
        world.seconds,
        layout,
        tuple(events),
        room,
        snr=round(rng.uniform(*world.snr), 1),
        gain=round(rng.gauss(*world.gain), 1),
        seed=rng.getrandbits(62),
    )


def _kinds(world: World, rng: random.Random, number: int, behind: bool) -> list[str]:
    """Different classes; the last one, where something is behind, can be there."""
    chosen: list[str] = []
    while len(chosen) < number + behind:
        kind = weighted(rng, world.classes)
        if kind not in chosen and (len(chosen) < number or CLASSES[kind].behind):
            chosen.append(kind)
    return chosen


def _event(
    world: World, rng: random.Random, kind: str, start: float, end: float, behind: bool, together: bool = False
) -> Event:
    """One event between `start` and `end`. Loudness and distance are never both marked: far is faint anyway."""
    sound, chances, room = CLASSES[kind], world.attributes, end - start
    said = {"level": "", "distance": "", "speed": "", "pitch": ""}
    draw = [rng.random() for _ in range(5)]
    if draw[0] < chances["level"]:
        said["level"] = "loud" if behind or draw[4] < 0.5 else "faint"
    elif draw[0] < chances["level"] + chances["distance"]:
        said["distance"] = "near" if behind or draw[4] < 0.45 else "far"
    if sound.pitch and draw[1] < chances["pitch"]:
        said["pitch"] = "high" if rng.random() < 0.5 else "low"
    if sound.flows:
        if sound.speed and draw[2] < chances["speed"]:
            said["speed"] = "fast" if rng.random() < 0.5 else "slow"
        whole = together or draw[3] < 0.6
        seconds, count, span = room if whole else room * rng.uniform(0.5, 0.75), 0, "whole" if whole else "part"
    else:
        fitting = [c for c in sound.counts if length(sound, c, "") <= room]
        count, span = rng.choice(fitting or [min(sound.counts)]), ""
        if sound.speed and count >= 3 and draw[2] < chances["speed"]:
            said["speed"] = "fast" if rng.random() < 0.5 or length(sound, count, "slow") > room else "slow"
        seconds = min(length(sound, count, said["speed"]), room)
    at = start + rng.uniform(0, room - seconds)
    return Event(kind, round(at, 2), round(seconds, 2), count, span=span, **said)


def weighted(rng: random.Random, weights: dict[str, float]) -> str:
    """One of the keys, by their weights."""
    return rng.choices(list(weights), list(weights.values()))[0]
