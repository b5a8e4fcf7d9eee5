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

What came after the paper (ReAlign, maps learned from pairs, shared axes, blends) has entries of its own in
aaclib.parts; a map to text may stand before nearest or projection ("ridge+projection").

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aaclib.own import source
from aaclib.parts import BOUND, CONTROLS, INFERENCE, TRAINING, Part
from aaclib.steps import Context, Narrow, Step, chain, unit

if TYPE_CHECKING:
    from aaclib.config import Config, Decoder, Train


# fields of Context that are None where there are no external pairs
MEASURED_ON_PAIRS = {"gap", "audio_mean", "pair_audio", "pair_text"}


def register(
    name: str,
    *,
    training: Sequence[Step] = (),
    noise: Sequence[Step] = (),
    inference: Sequence[Step] = (),
    reads: Sequence[str] = (),
    reads_at_inference: Sequence[str] = (),
    lands: str = "audio",
    colour: str = "#56B4E9",
    about: str = "",
) -> str:
    """Adds a part of one's own under a name that every run then knows, as a row by itself and joined with others.

    A part with steps at training (or noise) is a training, with a decoder of its own; one with steps at inference
    alone goes with every training. `lands` says where such a part ends: among "text" (it is then given the noiseless
    training steps, as the memory's text is), or still among "audio" (it is then given the training's own steps for
    audio). `reads`, `reads_at_inference`: the fields of `Context` that the steps read. Decoders and captions are named
    by what the steps do and by their source, so a changed step never gets an old decoder. Registering a name again
    replaces it; a name of this suite's own parts is refused with ValueError, and so is a part without steps.

        def to_top_ten(z, context, rng=None):
            ...
        bridge.register("top-10", inference=[to_top_ten], reads_at_inference=["memory"], lands="text")
        run.captions(target, "noise+top-10", seed)
    """
    taken = [known for known in (TRAINING, INFERENCE, CONTROLS) if name in known and not known[name].source]
    if taken or name in ("", "baseline", "text", "audio") or "+" in name:
        raise ValueError(f"'{name}' is no name for a part of your own: it is taken, or empty, or joins two with '+'.")
    if not (training or noise or inference) or lands not in ("text", "audio"):
        raise ValueError(f"'{name}' needs a step at training or at inference, and lands among 'text' or 'audio'.")
    every = [*training, *noise, *inference]
    halves, read = (tuple(training), tuple(noise), tuple(inference)), (tuple(reads), tuple(reads_at_inference))
    part = Part(
        *halves,
        *read,
        lands=lands,
        colour=colour,
        about=about,
        source="\n".join(map(source, every)),
    )
    know({name: part})
    return name


def know(parts: Mapping[str, Part]) -> None:
    """Takes over parts that were registered, here or in another process."""
    for name, part in parts.items():
        forget(name)
        (TRAINING if part.training or part.noise else INFERENCE)[name] = part


def forget(name: str) -> None:
    """Removes a registered part; one that is not there is no error, and a part of this suite's own stays."""
    if name in registered():
        (TRAINING if name in TRAINING else INFERENCE).pop(name)


def registered() -> dict[str, Part]:
    """The parts from outside, trainings first."""
    return {name: part for known in (TRAINING, INFERENCE) for name, part in known.items() if part.source}


@dataclass(frozen=True)
class Strategy:
    """A row of the tables. `training` names the decoder that it needs: rows of one training share one."""

    name: str
    training: str  # a key of TRAINING
    inference: str  # "audio", keys of INFERENCE joined by "+" in their order, or the control's own name
    group: str  # one of aaclib.groups.GROUPS

    @property
    def written(self) -> bool:
        """Whether a decoder writes its captions."""
        return CONTROLS.get(self.name, Part()).decoder

    @property
    def given(self) -> str:
        """What its inference half is given of a clip: the "audio", or, for some controls, a "reference"."""
        return CONTROLS.get(self.name, Part()).given

    @property
    def weakly_supervised(self) -> bool:
        return not hears_target(self.training)


def hears_target(training: str) -> bool:
    """Whether a training, a key of TRAINING, is given the target's own recordings: hears_target("supervised")."""
    return TRAINING[training].hears != "text"


class StrategyError(ValueError):
    """A name that means no strategy; the message says how one is written."""


def strategy(name: str) -> Strategy:
    """The strategy of this name. Raises StrategyError with the known parts for a name that means nothing.

    >>> strategy("noise+projection")
    Strategy(name='noise+projection', training='noise', inference='projection', group='both')
    """
    if name in CONTROLS:
        return Strategy(name, "text", name, "control")
    parts = [] if name == "baseline" else name.split("+")
    training = "+".join(sorted(part for part in parts if part not in INFERENCE)) or "text"
    inference = [part for part in parts if part in INFERENCE]
    if training not in TRAINING or name in ("", "text") or not _joins(inference) or len(set(parts)) < len(parts):
        raise StrategyError(
            f"There is no strategy '{name}'. Write baseline, or parts joined by '+': one training "
            f"({', '.join(list(TRAINING)[1:])}) and one inference part ({', '.join(INFERENCE)}), or two, of which the "
            f"first maps audio to text and the second reads the memory; or a control row: {', '.join(CONTROLS)}."
        )
    group = {(False, False): "baseline", (True, False): "training", (False, True): "inference", (True, True): "both"}[
        training != "text", bool(inference)
    ]
    row = Strategy(name, training, "+".join(inference) or "audio", group)
    return row if row.weakly_supervised else replace(row, group="supervised")


def _joins(inference: Sequence[str]) -> bool:
    """Whether inference parts can follow one another: one alone, or a map to text and then what reads the memory."""
    maps = [bool(MEASURED_ON_PAIRS & set(INFERENCE[name].reads_at_inference)) for name in inference]
    return len(inference) < 2 or (maps == [True, False] and all(INFERENCE[n].lands == "text" for n in inference))


def settings_of(config: Config, training: str) -> tuple[Train, Decoder]:
    """What one training has: the profile's settings, the supervised ones with what they have otherwise."""
    how = config.train
    own = {"supervised": {"epochs": how.epochs * how.supervised_factor}, BOUND: dict(how.bound)}.get(training, {})
    dropout = own.pop("dropout", config.decoder.dropout)
    own["epochs"] = round(own.get("epochs", how.epochs))
    return replace(how, **own, supervised_factor=1, bound={}), replace(config.decoder, dropout=dropout)


def train_half(row: Strategy | str) -> Step:
    """What the decoder sees while training: (n, d) text embeddings -> (n, d) float32, of unit length where the context
    says `renormalise`. The supervised row is given audio embeddings, which pass unchanged. Raises StrategyError for a
    name that means nothing, ValueError for a row whose training has no entry.

    >>> train_half("noise")(run.texts("clotho", "train", 0).z, run.context("clotho", 0), np.random.default_rng(0))
    """
    # as the published code: noise first, then the shift, then unit length
    part = _part(row)
    return chain([*part.noise, *part.training])


def seen_in_training(row: Strategy | str, context: Context) -> Narrow:
    """What of the context the training half is given: the fields that its entry `reads`. Raises as `train_half`."""
    return Narrow(context, set(_part(row).reads))


def behaviour(row: Strategy | str, context: Context | Narrow, dim: int) -> np.ndarray:
    """What the training half makes of 64 unit rows that are always the same, (64, dim) float32: halves that do
    otherwise have another one, whatever it is in their code that differs. Raises as `train_half`."""
    z = unit(np.random.default_rng(0).standard_normal((64, dim), dtype=np.float32))
    return train_half(row)(z, context, np.random.default_rng(1))


def source_of(row: Strategy) -> dict[str, str]:
    """The source of a registered training, by the name "source"; nothing for this suite's own, which has versions."""
    return {"source": own} if (own := _part(row).source) else {}


def prompted(row: Strategy | str) -> str:
    """What a row's decoder reads before it writes: "captions", "labels", or "" for nothing. Raises as `train_half`."""
    return _part(row).prompt


def reads(row: Strategy | str) -> set[str]:
    """The fields of Context that either half reads. Raises as `train_half`.

    >>> reads("shift+projection")
    {'gap', 'memory', 'tau'}
    """
    row = strategy(row) if isinstance(row, str) else row
    parts = [_part(row), *_at_inference(row)]
    return {name for part in parts for name in (*part.reads, *part.reads_at_inference)}


def needs_pairs(row: Strategy | str) -> bool:
    """Whether a half reads what is measured on external audio-caption pairs, as that of "shift" does."""
    return bool(MEASURED_ON_PAIRS & reads(row))


def infer_half(row: Strategy | str) -> Step:
    """What the decoder sees at inference: (n, d) audio embeddings -> (n, d) float32. Raises as `train_half`.

    >>> infer_half("projection")(run.audio("clotho", "evaluation", 0).z, run.context("clotho", 0))
    """
    row = strategy(row) if isinstance(row, str) else row
    training, own = _part(row), _at_inference(row)
    # a memory is text: what the decoder learned to read is text that passed the noiseless training half
    last = training.training if own and own[-1].lands == "text" else training.inference
    return chain([*(step for part in own for step in part.inference), *last])


def _at_inference(row: Strategy) -> list[Part]:
    return [INFERENCE[name] for name in row.inference.split("+") if name in INFERENCE]


def _part(row: Strategy | str) -> Part:
    """The entry of a training. Raises ValueError for one that has none."""
    row = strategy(row) if isinstance(row, str) else row
    if row.training not in TRAINING:
        raise ValueError(f"There is no training '{row.training}'. Known: {', '.join(TRAINING)}.")
    return TRAINING[row.training]
