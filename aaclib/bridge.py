r"""The strategies that bridge the modality gap. This is the paper.

A decoder learns to write a caption from its text embedding z_t, and is then given an audio embedding z_a. Every
strategy is a pair: what happens to z_t while training, and what happens to z_a at inference. A name joins the parts
with '+': any training part goes with any inference part.

    strategy             training: decoder sees            inference: decoder sees
    baseline             z_t                               z_a                       (the plain swap, audio decoding)
    noise                z_t + n,  n ~ N(0, sigma^2 I)     z_a
    shift                z_t + gap vector                  z_a
    noise+shift          z_t + n + gap vector              z_a
    c3                   z_t - mean_t + n                  z_a - mean_a              (C3, Zhang et al. 2024)
    nearest              z_t                               argmax_m <z_a, m>
    projection           z_t                               softmax(<z_a, m> / tau)-weighted mean of the memory
    supervised           z_a                               z_a                       (the same recipe on paired audio)
    supervised+text      z_t - mean_t and z_a - own_a      z_a - own_a               (paired audio: the upper bound)

Noise stands for the distance between a caption and its recording. Where the gap is taken away besides (noise+shift,
c3), less is left to stand for: such rows draw it with a sigma of their own, `sigma_without_gap`.

After nearest and projection the memory's text passes the noiseless training half (shift: + gap vector, c3: - mean_t),
because that is what the decoder learned to read; the published code leaves this out.

The gap vector comes from pairs of another data set, never from the target's audio, and so does sigma unless the profile
gives it; mean_t and the memory come from the target's training text, and mean_a = mean_t + gap vector from both. Only
the bound knows own_a, the mean of the target's own training audio. With `renormalise` (the default) every half ends at
unit length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aaclib import memory as memories
from aaclib.reprs import brief

if TYPE_CHECKING:
    from aaclib.config import Config, Decoder, Train


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
            f"a training half reads '{name}' of the context, which its entry in bridge.TRAINING does "
            f"not name: it belongs into `reads`, so that another {name} asks for another decoder"
        )


Half = Callable[[np.ndarray, Context | Narrow, np.random.Generator | None], np.ndarray]


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
    return memories.nearest(z, context.need("memory"))


def to_projection(z: np.ndarray, context: Context, rng: np.random.Generator | None = None) -> np.ndarray:
    return memories.project(z, context.need("memory"), context.tau)


class Part(NamedTuple):
    """A part of a strategy's name: the steps that it adds to the two halves, in this order, and the fields of Context
    that these read."""

    training: tuple[Half, ...] = ()
    noise: tuple[Half, ...] = ()  # at training, before those: what text never passes at inference
    inference: tuple[Half, ...] = ()
    reads: tuple[str, ...] = ()  # at training: they and what the steps do name the decoder
    reads_at_inference: tuple[str, ...] = ()


BOUND = "supervised+text"  # the training with paired audio that is given its best
PUBLISHED_VARIANCE = 0.001  # of the noise that the published code's shift always carries
TRAINING = {
    "supervised": Part(),
    # its examples are text and audio, each centred on its own mean already (aaclib.decoders)
    BOUND: Part(inference=(centre_on_own_audio,), reads_at_inference=("own_audio_mean",)),
    "shift": Part((add_gap,), reads=("gap",)),
    "shift (published)": Part((add_gap,), (add_published_noise,), reads=("gap",)),
    "noise": Part((), (add_noise,), reads=("sigma",)),
    "noise+shift": Part((add_gap,), (add_residual_noise,), reads=("gap", "sigma_without_gap")),
    "c3": Part(
        (centre_text,), (add_residual_noise,), (centre_audio,), ("text_mean", "sigma_without_gap"), ("audio_mean",)
    ),
}
INFERENCE = {
    "nearest": Part(inference=(to_nearest,), reads_at_inference=("memory",)),
    "projection": Part(inference=(to_projection,), reads_at_inference=("memory", "tau")),
}
MEASURED_ON_PAIRS = {"gap", "audio_mean"}  # fields of Context that are None where there are no external pairs
# rows that are no strategy but tell how to read the others
NO_DECODER = ("copy", "look-up", "shuffled", "human")
CONTROLS = {
    "copy": "the nearest memory caption itself, no decoder",
    "reconstruction": "the decoder on the embedding of a reference, one that no training caption repeats",
    "look-up": "the memory caption nearest to that embedding, no decoder: what reconstruction has to pass",
    "shuffled": "the projection row's captions, each on another clip: chance",
    "human": "each reference against the others of its clip: one reference fewer than the systems have",
}
# `paired`: rows that would be weakly supervised, were the pairs that they read not the target's own
GROUPS = ("supervised", "baseline", "training", "inference", "both", "paired", "control")


@dataclass(frozen=True)
class Strategy:
    """A row of the tables. `training` names the decoder that it needs: rows of one training share one."""

    name: str
    training: str  # "text", or a key of TRAINING
    inference: str  # "audio", "nearest", "projection", or the control's own name
    group: str  # one of GROUPS

    @property
    def weakly_supervised(self) -> bool:
        return not hears_target(self.training)


def hears_target(training: str) -> bool:
    """Whether a training is given the target's own recordings."""
    return "supervised" in training.split("+")


class StrategyError(ValueError):
    """A name that means no strategy; the message says how one is written."""


def strategy(name: str) -> Strategy:
    """The strategy of this name. Raises StrategyError with the known parts for a name that means nothing."""
    if name in CONTROLS:
        return Strategy(name, "text", name, "control")
    parts = [] if name == "baseline" else name.split("+")
    training = "+".join(sorted(part for part in parts if part not in INFERENCE)) or "text"
    inference = [part for part in parts if part in INFERENCE]
    unknown = training != "text" and training not in TRAINING
    if unknown or name in ("", "text") or len(inference) > 1 or len(set(parts)) < len(parts):
        raise StrategyError(
            f"There is no strategy '{name}'. Write baseline, or parts joined by '+': one training "
            f"({', '.join(TRAINING)}) and one inference part ({', '.join(INFERENCE)}); "
            f"or a control row: {', '.join(CONTROLS)}."
        )
    group = {(False, False): "baseline", (True, False): "training", (False, True): "inference", (True, True): "both"}[
        training != "text", bool(inference)
    ]
    row = Strategy(name, training, inference[0] if inference else "audio", group)
    return row if row.weakly_supervised else replace(row, group="supervised")


def settings_of(config: Config, training: str) -> tuple[Train, Decoder]:
    """What one training has: the profile's settings, the supervised ones with what they have otherwise."""
    how = config.train
    own = {"supervised": {"epochs": how.epochs * how.supervised_factor}, BOUND: how.bound}.get(training, {})
    return (
        replace(
            how,
            epochs=round(own.get("epochs", how.epochs)),
            lr=own.get("lr", how.lr),
            weight_decay=own.get("weight_decay", how.weight_decay),
            supervised_factor=1,
            bound={},
        ),
        replace(config.decoder, dropout=own.get("dropout", config.decoder.dropout)),
    )


def train_half(row: Strategy | str) -> Half:
    """What the decoder sees while training: (n, d) text embeddings -> (n, d). The supervised row is given audio
    embeddings, which pass unchanged."""
    # as the published code: noise first, then the shift, then unit length
    part = _part(row)
    return chain([*part.noise, *part.training])


def seen_in_training(row: Strategy | str, context: Context) -> Narrow:
    """What of the context the training half is given."""
    return Narrow(context, set(_part(row).reads))


def behaviour(row: Strategy | str, context: Context | Narrow, dim: int) -> np.ndarray:
    """What the training half makes of 64 unit rows that are always the same, (64, dim) float32: halves that do
    otherwise have another one, whatever it is in their code that differs."""
    z = unit(np.random.default_rng(0).standard_normal((64, dim), dtype=np.float32))
    return train_half(row)(z, context, np.random.default_rng(1))


def reads(row: Strategy | str) -> set[str]:
    """The fields of Context that either half reads."""
    row = strategy(row) if isinstance(row, str) else row
    parts = [_part(row), *filter(None, [INFERENCE.get(row.inference)])]
    return {name for part in parts for name in (*part.reads, *part.reads_at_inference)}


def needs_pairs(row: Strategy | str) -> bool:
    """Whether a half reads what is measured on external audio-caption pairs."""
    return bool(MEASURED_ON_PAIRS & reads(row))


def infer_half(row: Strategy | str) -> Half:
    """What the decoder sees at inference: (n, d) audio embeddings -> (n, d)."""
    row = strategy(row) if isinstance(row, str) else row
    if row.inference in INFERENCE:
        # the memory is text: what the decoder learned to read is text that passed the noiseless training half
        return chain([*INFERENCE[row.inference].inference, *_part(row).training])
    return chain(list(_part(row).inference))


def _part(row: Strategy | str) -> Part:
    """The entry of a training. Raises ValueError for one that has none."""
    row = strategy(row) if isinstance(row, str) else row
    if row.training != "text" and row.training not in TRAINING:
        raise ValueError(f"There is no training '{row.training}'. Known: {', '.join(TRAINING)}.")
    return TRAINING.get(row.training, Part())


def chain(steps: list[Half]) -> Half:
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
