"""Pieces of music: which instruments, how fast, in which mode, how loud; drawn at random and played by scipy."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aaclib import seeds
from aaclib.datasets.made import DATA_SEED
from aaclib.datasets.soundscapes import synth
from aaclib.datasets.soundscapes.synth import Signal

SECONDS = 4.4
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}  # semitones above the tonic
TONICS = (57, 60, 62, 64, 65)  # MIDI: A3 to F4
PACE = {"slow": (56, 68), "moderate": (92, 106), "fast": (152, 176)}  # quarter notes a minute
DYNAMICS = ("soft", "loud", "rising", "falling")
LEVEL = {"soft": (-15.0, -15.0), "loud": (2.0, 2.0), "rising": (-20.0, 2.0), "falling": (2.0, -20.0)}  # dB, first, last
CALM = 1500  # Hz above which soft playing has little
HELD_OUT = 20  # of 100 combinations, which evaluation alone may have
LOUD = 0.1  # RMS of an ordinary piece


# ---- instruments: (frequency in Hz, n samples, rng) -> n samples, about full scale


def piano(f: float, n: int, rng: np.random.Generator) -> Signal:
    return synth.tone(f, n, synth.rolloff(10, 1.2)) * synth.decay(n, 1.4)


def guitar(f: float, n: int, rng: np.random.Generator) -> Signal:
    pluck = synth.band(synth.white(rng, n), 2500, 0.7) * synth.decay(n, 0.04, 0.0005)
    return synth.tone(f, n, synth.rolloff(16, 0.7)) * synth.decay(n, 0.6) + 0.8 * pluck


def bells(f: float, n: int, rng: np.random.Generator) -> Signal:
    partials = ((2.0, 1.0, 1.6), (5.4, 0.6, 0.7), (10.8, 0.35, 0.35))  # a bar's, which are no harmonics
    return sum((gain * synth.sine(f * k, n) * synth.decay(n, long) for k, gain, long in partials), np.zeros(n))


def organ(f: float, n: int, rng: np.random.Generator) -> Signal:
    return synth.tone(f, n, (1.0, 0.9, 0.1, 0.7, 0.0, 0.1, 0.0, 0.5)) * synth.hump(n, 0.03, 0.05)


def flute(f: float, n: int, rng: np.random.Generator) -> Signal:
    breath = synth.band(synth.white(rng, n), 2 * f, 2)
    return (synth.tone(2 * f * _vibrato(n, 5, 0.004), n, (1.0, 0.2, 0.05)) + 0.12 * breath) * synth.hump(n, 0.1, 0.15)


def violin(f: float, n: int, rng: np.random.Generator) -> Signal:
    bow = synth.tone(f * _vibrato(n, 6, 0.012), n, synth.rolloff(18, 0.8))
    return synth.formants(bow, [(500, 1.5, 0.8), (1200, 1.5, 1.0), (2600, 2, 0.9)]) * synth.hump(n, 0.18, 0.15)


def trumpet(f: float, n: int, rng: np.random.Generator) -> Signal:
    return synth.tone(f, n, (0.5, 0.9, 1.0, 0.9, 0.8, 0.6, 0.45, 0.35, 0.25, 0.2)) * synth.hump(n, 0.05, 0.1)


def bass(f: float, n: int, rng: np.random.Generator) -> Signal:
    return synth.low(synth.tone(f / 4, n, synth.rolloff(6, 0.8)), 500) * synth.decay(n, 0.9, 0.01)


def strings(f: float, n: int, rng: np.random.Generator) -> Signal:
    return synth.low(synth.tone(f * _vibrato(n, 4, 0.008), n, synth.rolloff(12, 1.0)), 2200) * synth.hump(n, 0.15, 0.2)


def drums(beat: int, n: int, rng: np.random.Generator) -> Signal:
    """A kick, or on every second beat a snare; half a beat later a hi-hat."""
    out = np.zeros(n)
    if beat % 2:
        synth.place(out, synth.band(synth.white(rng, n), 1800, 0.5) * synth.decay(n, 0.16), 0)
    else:
        synth.place(out, synth.sine(50 + 110 * synth.decay(n, 0.12), n) * synth.decay(n, 0.25), 0)
    synth.place(out, synth.high(synth.white(rng, n), 6000) * synth.decay(n, 0.05), n / synth.RATE / 2, 0.35)
    return out


LEADS: dict[str, Callable] = {p.__name__: p for p in (piano, flute, violin, guitar, trumpet, organ, bells)}
BESIDE = ("", "drums", "bass", "strings")


@dataclass(frozen=True)
class Piece:
    lead: str  # of LEADS
    beside: str  # of BESIDE; "" = it plays alone
    tempo: str  # of PACE
    mode: str  # of SCALES
    dynamics: str  # of DYNAMICS
    tonic: int  # MIDI
    seed: int

    @property
    def truth(self) -> dict[str, tuple[str, ...]]:
        """Attribute -> what is true of this piece."""
        instruments = tuple(filter(None, (self.lead, self.beside)))
        return {"instrument": instruments, "tempo": (self.tempo,), "mode": (self.mode,), "dynamics": (self.dynamics,)}


def piece(world: str, split: str, index: int) -> Piece:
    """Clip `index` of a world's split. One combination of attributes in five is held out: evaluation has those alone,
    and training text and validation never."""
    rng = random.Random(seeds.derive(DATA_SEED, "music", world, split, index))
    while True:
        lead, beside, tempo = rng.choice(list(LEADS)), rng.choice(BESIDE), rng.choice(list(PACE))
        mode, dynamics = rng.choice(list(SCALES)), rng.choice(DYNAMICS)
        name = "/".join((lead, beside, tempo, mode, dynamics))
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little") % 100
        if (place < HELD_OUT) == (split == "evaluation"):
            return Piece(lead, beside, tempo, mode, dynamics, rng.choice(TONICS), rng.getrandbits(62))


def play(piece: Piece) -> Signal:
    """(n,) float64, the piece without its room: a melody of notes of the scale, and what goes beside it."""
    rng, n = np.random.default_rng(piece.seed), synth.samples(SECONDS)
    beat = 60 / rng.uniform(*PACE[piece.tempo])
    out, scale = np.zeros(n), SCALES[piece.mode]
    degree, at, count = int(rng.choice([0, 2, 4])), 0.05, 0
    while at < SECONDS - 0.2:
        held = beat * (1 if count % 2 == 0 or rng.random() < 0.6 else 0.5)
        _note(out, LEADS[piece.lead], piece.tonic + 12 + _semitones(scale, degree), at, held, rng)
        at, count = at + held, count + 1
        # every second note is one of the triad's, which is what tells the mode
        degree = int(rng.choice([0, 2, 4, 7])) if count % 2 == 0 else degree + int(rng.choice([-2, -1, 1, 2]))
    for number, start in enumerate(np.arange(0.05, SECONDS - 0.2, beat)):
        if piece.beside == "drums":
            synth.place(out, drums(number, synth.samples(beat), rng), start, 0.9)
        elif piece.beside == "bass":
            _note(out, bass, piece.tonic + _semitones(scale, (0, 4)[number % 2]), start, beat, rng, 1.2)
        elif piece.beside == "strings" and number % 4 == 0:
            for step in (0, 2, 4):
                _note(out, strings, piece.tonic + _semitones(scale, step), start, min(4 * beat, SECONDS), rng, 0.4)
    return _dynamics(out * LOUD / max(synth.loudness(out), 1e-6), piece.dynamics)


def _note(
    out: Signal, instrument: Callable, pitch: int, at: float, held: float, rng: np.random.Generator, gain: float = 1.0
) -> None:
    f = 440 * 2 ** ((pitch - 69) / 12)
    synth.place(out, instrument(f, synth.samples(held), rng), at, gain * rng.uniform(0.85, 1.0))


def _semitones(scale: tuple[int, ...], degree: int) -> int:
    return 12 * (degree // len(scale)) + scale[degree % len(scale)]


def _vibrato(n: int, rate: float, depth: float) -> Signal:
    return 1 + depth * synth.sine(rate, n)


def _dynamics(x: Signal, how: str) -> Signal:
    """Loudness from first to last; what is soft is darker as well, as on real instruments."""
    first, last = LEVEL[how]
    share = np.linspace(first, last, len(x), dtype=np.float32)
    force = np.clip((share - LEVEL["rising"][0]) / (LEVEL["loud"][0] - LEVEL["rising"][0]), 0, 1)
    return (force * x + (1 - force) * synth.low(x, CALM)) * np.exp(share * np.float32(np.log(10) / 20))
