"""Building blocks of sounds: numpy and scipy on whole arrays, never a Python loop over samples.

Every signal is a 1-D float array at `RATE`; lengths in seconds unless called n (samples), frequencies in Hz.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.signal import lfilter

from aaclib.datasets.made import RATE

Signal = np.ndarray
TABLE = 4096


def samples(seconds: float) -> int:
    return max(int(round(seconds * RATE)), 1)


def white(rng: np.random.Generator, n: int) -> Signal:
    """n normal values, float32."""
    return rng.standard_normal(n, dtype=np.float32)


def wander(rng: np.random.Generator, n: int, rate: float, low: float, high: float) -> Signal:
    """A curve through random points, `rate` a second, between `low` and `high`."""
    points = max(int(np.ceil(n / RATE * rate)) + 2, 3)
    return np.interp(np.linspace(0, points - 1.001, n), np.arange(points), rng.uniform(low, high, points))


def curve(n: int, points: Sequence[tuple[float, float]]) -> Signal:
    """Straight lines through (share of the length, value)."""
    x, y = zip(*points, strict=True)
    return np.interp(np.linspace(0, 1, n), x, y)


def decay(n: int, seconds: float, attack: float = 0.002) -> Signal:
    """Up in `attack`, then down by 60 dB in `seconds`."""
    t = np.arange(n, dtype=np.float32) / RATE
    return np.minimum(t / max(attack, 1e-4), 1) * np.exp(-6.9 * t / seconds)


def hump(n: int, attack: float = 0.1, release: float = 0.2) -> Signal:
    """Up over the share `attack` of the length, level, down over the share `release`."""
    return curve(n, [(0, 0), (max(attack, 1e-3), 1), (min(1 - release, 0.999), 1), (1, 0)])


# ---- oscillators ---------------------------------------------------------------------------------------------------


def phase(frequency: Signal | float, n: int) -> Signal:
    """Cycles so far."""
    if np.ndim(frequency) == 0:
        return np.arange(n) * (float(frequency) / RATE)
    return np.cumsum(frequency) / RATE


def sine(frequency: Signal | float, n: int) -> Signal:
    return np.sin((phase(frequency, n) % 1 * (2 * np.pi)).astype(np.float32))  # float32 sines are much faster


@lru_cache(maxsize=64)
def table(partials: tuple[float, ...]) -> Signal:
    """One period of a sum of harmonics with these amplitudes."""
    x = 2 * np.pi * np.arange(TABLE) / TABLE
    period = sum(a * np.sin((k + 1) * x) for k, a in enumerate(partials))
    return (period / np.abs(period).max()).astype(np.float32)


def tone(frequency: Signal | float, n: int, partials: tuple[float, ...]) -> Signal:
    """A harmonic tone read from a table; `partials` are the amplitudes of its harmonics."""
    return table(partials)[(phase(frequency, n) * TABLE).astype(np.int32) & (TABLE - 1)]


def rolloff(number: int, slope: float = 1.0) -> tuple[float, ...]:
    """Amplitudes 1 / k ** slope of `number` harmonics."""
    return tuple(round(1 / k**slope, 4) for k in range(1, number + 1))


# ---- filters (biquads of R. Bristow-Johnson's Audio EQ Cookbook) ---------------------------------------------------


@lru_cache(maxsize=4096)
def _biquad(kind: str, frequency: int, q: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    w = 2 * np.pi * min(max(frequency, 10), 0.48 * RATE) / RATE
    c, a = np.cos(w), np.sin(w) / (2 * q)
    tops = {"low": ((1 - c) / 2, 1 - c, (1 - c) / 2), "high": ((1 + c) / 2, -1 - c, (1 + c) / 2), "band": (a, 0.0, -a)}
    return tuple(b / (1 + a) for b in tops[kind]), (1.0, -2 * c / (1 + a), (1 - a) / (1 + a))


def low(x: Signal, frequency: float, q: float = 0.71) -> Signal:
    return np.asarray(lfilter(*_biquad("low", int(frequency), q), x))


def high(x: Signal, frequency: float, q: float = 0.71) -> Signal:
    return np.asarray(lfilter(*_biquad("high", int(frequency), q), x))


def band(x: Signal, frequency: float, q: float = 1.0) -> Signal:
    """Gain 1 at `frequency`, falling on both sides; the greater q, the narrower."""
    return np.asarray(lfilter(*_biquad("band", int(frequency), round(float(q), 2)), x))


def bandlimit(x: Signal, bottom: float, top: float) -> Signal:
    """`high` and `low` in one pass."""
    (b1, a1), (b2, a2) = _biquad("high", int(bottom), 0.71), _biquad("low", int(top), 0.71)
    return np.asarray(lfilter(np.convolve(b1, b2), np.convolve(a1, a2), x))


def formants(x: Signal, peaks: Sequence[tuple[float, float, float]]) -> Signal:
    """Parallel resonances (frequency, q, gain)."""
    return np.asarray(sum(gain * band(x, frequency, q) for frequency, q, gain in peaks))


# ---- putting together ----------------------------------------------------------------------------------------------


def place(out: Signal, x: Signal, at: float, gain: float = 1.0) -> None:
    """Adds `x` to `out` from `at` seconds on; what hangs over is cut."""
    start = int(at * RATE)
    if 0 <= start < len(out):
        part = x[: len(out) - start]
        out[start : start + len(part)] += gain * part


def grains(rng: np.random.Generator, n: int, rate: float, spread: float = 1.0) -> Signal:
    """Impulses at random times, `rate` a second, log-normal heights of random sign: excite a filter with them."""
    out = np.zeros(n, dtype=np.float32)
    number = max(rng.poisson(rate * n / RATE), 1)
    heights = np.exp(spread * rng.standard_normal(number)) * rng.choice([-1.0, 1.0], number)
    np.add.at(out, rng.integers(0, n, number), heights)
    return out


def pulses(rng: np.random.Generator, n: int, rate: float, jitter: float = 0.05, height: float = 0.15) -> Signal:
    """Impulses at a steady `rate`, each a little off in time (share of the period) and height."""
    out = np.zeros(n, dtype=np.float32)
    steps = np.arange(0, n / RATE, 1 / rate)
    at = (steps + rng.normal(0, jitter / rate, len(steps))) * RATE
    inside = at[(at >= 0) & (at < n)].astype(int)
    np.add.at(out, inside, 1 + height * rng.standard_normal(len(inside)))
    return out


def convolve(x: Signal, kernel: Signal) -> Signal:
    """Linear convolution by FFT in float32, cut to the length of `x`."""
    size = fft.next_fast_len(len(x) + len(kernel) - 1, real=True)
    one, other = (np.asarray(fft.rfft(signal.astype(np.float32, copy=False), size)) for signal in (x, kernel))
    return np.asarray(fft.irfft(one * other, size))[: len(x)]


def room(rng: np.random.Generator, seconds: float, brightness: float = 4000) -> Signal:
    """The tail of a room's impulse response: noise that falls by 60 dB in `seconds`, energy 1, no direct sound."""
    n = samples(seconds)
    tail = low(white(rng, n), brightness) * decay(n, seconds, 0.008)
    return (tail / np.sqrt(np.sum(tail**2) + 1e-12)).astype(np.float32)


def loudness(x: Signal) -> float:
    """Root mean square of the louder part: the 90th percentile of 50 ms frames that hold sound."""
    size = samples(0.05)
    frames = np.sqrt(np.mean(np.square(x[: max(len(x) // size, 1) * size].reshape(-1, min(size, len(x)))), axis=1))
    heard = frames[frames > 0.03 * frames.max(initial=0)]
    return float(np.quantile(heard, 0.9)) if len(heard) else 0.0
