"""The steps that bridges are built of: what they may know, and what each does to embeddings.

A step is a function f(z, context, rng=None) -> z from rows (n, d) to rows (n, d). What a strategy makes of them stands
in aaclib.bridge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from aaclib import memory as memories
from aaclib.reprs import brief

PUBLISHED_VARIANCE = 0.001  # of the noise that the published code's shift always carries


@dataclass(frozen=True)
class Context:
    """What the halves may know: nothing here was measured on the target's audio, but for what the bound knows."""

    sigma: float = 0.0  # of the noise, per coordinate
    sigma_without_gap: float = 0.0  # of the noise in rows that take the gap away as well
    gap: np.ndarray | None = None  # (d,) mean(z_a) - mean(z_t) of the external pairs
    audio_mean: np.ndarray | None = None  # (d,) of the target's recordings, as text and pairs tell: mean_t + gap
    text_mean: np.ndarray | None = None  # (d,) of the target's training text
    memory: np.ndarray | None = None  # (m, d) of the target's training text
    tau: float = 0.01
    renormalise: bool = True
    own_audio_mean: np.ndarray | None = None  # (d,) of the target's training audio, for the bound alone
    pair_audio: np.ndarray | None = None  # (p, d) the external pairs themselves, for what is fitted on them
    pair_text: np.ndarray | None = None  # (p, d)
    axes: int = 100  # how many shared directions a head keeps
    device: str | None = None  # a GPU that keeps the memory; None: numpy multiplies by it, here

    def near(self) -> Any:
        """The memory where it is multiplied, for aaclib.memory."""
        return memories.resident(self.need("memory"), self.device)

    def __repr__(self) -> str:
        return brief(self, **{name: value for name, value in vars(self).items() if value is not None})

    def need(self, name: str) -> np.ndarray:
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"this strategy needs '{name}', which this run has no pairs or text to measure on")
        return value


class Narrow:
    """A context as a training half may know it: only the fields that `reads` names. Reading another one raises."""

    def __init__(self, context: Context, reads: set[str]):
        vars(self).update({name: getattr(context, name) for name in sorted({*reads, "renormalise"})})

    need = Context.need

    def __getattr__(self, name: str):
        raise AttributeError(
            f"a training half reads '{name}' of the context, which its entry in aaclib.bridge does "
            f"not name: it belongs into `reads`, so that another {name} asks for another decoder"
        )


class Step(Protocol):
    """z (n, d), what is known (a `Context`, or a `Narrow` one while training), a generator for noise -> (n, d)."""

    def __call__(self, z: np.ndarray, context: Any, rng: np.random.Generator | None = None, /) -> np.ndarray: ...


def plain(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return z


def add_noise(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return _noisy(z, context.sigma, rng)


def add_residual_noise(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return _noisy(z, context.sigma_without_gap, rng)


def add_published_noise(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return _noisy(z, PUBLISHED_VARIANCE**0.5, rng)


def _noisy(z: np.ndarray, sigma: float, rng: np.random.Generator | None) -> np.ndarray:
    if rng is None:
        raise ValueError("noise needs a seeded generator: pass rng")
    return z + sigma * rng.standard_normal(z.shape, dtype=np.float32)


def add_gap(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return z + context.need("gap")


def centre_text(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return z - context.need("text_mean")


def centre_audio(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return z - context.need("audio_mean")


def centre_on_own_audio(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return z - context.need("own_audio_mean")


def to_nearest(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return memories.nearest(z, context.near())


def to_projection(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return memories.project(z, context.near(), context.tau)


def chain(steps: Sequence[Step]) -> Step:
    """The half that takes these steps, one after the other, and ends at unit length where the context says so."""

    def half(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
        z = np.asarray(z, dtype=np.float32)
        for step in steps:
            z = step(z, context, rng)
        return unit(z) if steps and context.renormalise else z

    return half


def unit(z: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32; a zero row stays zero."""
    return (z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-12)).astype(np.float32)
