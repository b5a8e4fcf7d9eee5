"""What notebooks 01 to 05 found, in sentences whose wording is chosen by the run's own numbers; nothing is hard-coded.

Each function takes an `aaclib.Run`, yields its sentences and thus returns `Findings`, which a notebook shows as a list.
The answers to the paper's question are in aaclib.tables.conclusions.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ParamSpec

import numpy as np
import pandas as pd

from aaclib import gap as gaps
from aaclib import results, retrieval, training
from aaclib.escape import markdown
from aaclib.groups import WEAK
from aaclib.plots.results import METRIC_LABELS
from aaclib.tables import facts

if TYPE_CHECKING:
    from aaclib.run import Run

LEVEL = 0.01  # a loss that moves by less is level


Asked = ParamSpec("Asked")


class Findings(list):
    """Sentences; shown as a Markdown list. **...** in a sentence is bold, every other sign is a sign."""

    def _repr_markdown_(self) -> str:
        lines = [re.sub(r"(?:&#42;){2}(.+?)(?:&#42;){2}", r"**\1**", markdown(sentence)) for sentence in self]
        return "\n".join(f"- {line}" for line in lines) or "*Nothing could be computed here.*"

    def __str__(self) -> str:
        return self._repr_markdown_()


def listed(sentences: Callable[Asked, Iterator[str]]) -> Callable[Asked, Findings]:
    """The function whose `Findings` are what this one yields."""

    @functools.wraps(sentences)
    def findings(*asked: Asked.args, **named: Asked.kwargs) -> Findings:
        return Findings(sentences(*asked, **named))

    return findings


def of_first_seed(run: Run) -> Iterator[str]:
    """Whose findings follow, where the run has several seeds."""
    if len(run.seeds) > 1:
        yield f"These are the findings of seed {run.seeds[0]}, the first of {len(run.seeds)}."


@listed
def data(run: Run, target: str) -> Iterator[str]:
    """How much there is, whether the splits are disjoint, how much evaluation text was read in training."""
    train, evaluation = run.split(target, "train"), run.split(target, "evaluation", audio=True)
    clips, missing = len(evaluation.clips), len(evaluation.missing)
    read, per_clip = len(facts.training_captions(run, target)), len(evaluation.captions) / max(clips, 1)
    yield (
        f"**{target}**: decoders learn from {read:,} captions and are judged on {clips:,} clips with {per_clip:.1f} "
        "captions each."
    )
    if shared := {c.id for c in train.clips} & {c.id for c in evaluation.clips}:
        advice = "; listen whether it is the same recording."
        if len(shared) > 0.01 * clips:
            advice = ": its scores are worthless until they are parted."
        yield (
            f"**{target}**: training and evaluation SHARE {len(shared)} of {clips} clip names, for example "
            f"{min(shared)}{advice}"
        )
    else:
        yield f"**{target}**: training and evaluation share no clip."
    overlap = facts.caption_overlap(run, target)
    much = "so recitation may carry a part of the scores"
    words = "too few for recitation to carry the scores" if overlap < 0.05 else much
    yield (
        f"**{target}**: {100 * overlap:.1f} % of the evaluation captions occur word for word in the training text, "
        f"{words}."
    )
    if missing:
        yield (
            f"**{target}**: {missing} published clips ({100 * (missing / (missing + clips)):.1f} %) are missing here; "
            "compare with published numbers only with that in mind."
        )
    if run.synthetic:
        yield "All audio is rendered: what is learned here is about the method, not about real recordings."


@listed
def embeddings(run: Run, target: str) -> Iterator[str]:
    """What this CLAP is, and whether the target's captions find their clips."""
    clap = run.clap(run.seeds[0])
    yield (
        f"The CLAP is **{clap.name}**: {clap.dim} dimensions, {clap.sample_rate / 1000:g} kHz, windows of "
        f"{clap.window_s:g} s."
    )
    n = len(run.clips(target, "evaluation", run.seeds[0]))
    if not (ks := retrieval.telling(n)):
        yield f"**{target}**: too few clips (n = {n}) for a retrieval check: chance would find them."
        return
    recall = [results.retrieval(run, target, seed)[f"text_to_audio_r@{ks[-1]}"] for seed in run.seeds]
    chance = retrieval.chance(n, 1, ks[-1])["text_to_audio"]
    ratio = np.mean(recall) / chance
    words = "far above chance" if ratio > 5 else "above chance" if ratio > 1.5 else "hardly better than chance"
    weak = "" if ratio > 1.5 else ", so nothing below can be expected to describe the audio"
    spread = f" (by seed: {', '.join(f'{100 * r:.0f}' for r in recall)})" if len(recall) > 1 else ""
    first = {1: "first", 5: "among the first five", 10: "among the first ten"}[ks[-1]]
    yield (
        f"**{target}**: a caption finds its own clip {first} of {n} in {100 * np.mean(recall):.0f} % of cases{spread}; "
        f"chance would be {100 * chance:.0f} %. That is {words}{weak}."
    )


@listed
def modality_gap(run: Run, target: str) -> Iterator[str]:
    """How wide the target's gap is, whether the external pairs measured it well, what sigma means here."""
    yield from of_first_seed(run)
    seed = run.seeds[0]
    estimate = run.gap(seed)
    z_a, z_t = facts.paired(run, target, "evaluation", seed)
    s = gaps.statistics(z_a, z_t)
    apart = s["separable"]
    words = "linearly separable" if apart > 0.99 else "mostly told apart" if apart > 0.9 else "partly mixed"
    yield (
        f"**{target}**: the centroids are {s['centroid_distance']:.2f} apart (embeddings have length 1); along the "
        f"gap's direction the modalities are {words} ({100 * apart:.1f} % on the right side of one threshold)."
    )
    farther = np.mean(np.einsum("ij,ij->i", z_a, z_t) < np.median(z_t @ z_t.T, axis=1))
    yield (
        f"**{target}**: matched pairs have a mean cosine of {s['matched_cosine']:.2f}, mismatched ones "
        f"{s['mismatched_cosine']:.2f}. For {100 * farther:.0f} % of the captions, half of the other captions lie "
        "closer than the caption's own recording."
    )
    if estimate.vector is not None:
        own = gaps.gap_vector(z_a, z_t)
        miss, length = (float(np.linalg.norm(v)) for v in (own - estimate.vector, own))
        yield (
            f"**{target}**: its own gap vector differs from that of the {estimate.n} external pairs by {miss:.2f}, "
            f"{100 * (miss / max(length, 1e-9)):.0f} % of its length: this much the shift leaves unrepaired."
        )
    how = f"estimator {estimate.chosen}" if estimate.chosen != "given" else "given by the profile"
    length = estimate.noise_length
    size = "longer than" if length > 1.05 else "shorter than" if length < 0.95 else "as long as"
    yield (
        f"σ = {estimate.sigma_value:.3f} ({how}), so d σ² = {length:.2f}: the noise is {size} the embedding, "
        "whose squared length is 1."
    )
    squares = {name: s**2 for name, s in estimate.sigma.items() if s > 1e-6}
    if len(squares) > 1:
        each = ", ".join(f"{name} {value:.4f}" for name, value in squares.items())
        fold = max(squares.values()) / min(squares.values())
        yield f"The estimators differ {fold:.0f}-fold in σ² ({each}): σ² without its estimator says little."


@listed
def trained(run: Run, target: str) -> Iterator[str]:
    """How far reading text brought the decoder, whether any training ended too early, whether the bound did."""
    yield from of_first_seed(run)
    seed, rows = run.seeds[0], training.trainings(run, target)
    ends = {name: _end(run.decoder(target, row.name, seed).history) for name, row in rows.items()}
    if "text" in rows and not np.isnan(low := ends["text"][0]):
        size = run.decoder(target, rows["text"].name, seed).model.tokenizer.vocabulary_size
        yield (
            f"Untrained, a decoder pays log V = {np.log(size):.2f} nats per token; having read plain text, {low:.2f} "
            f"on captions that it has not read: as if it chose among {np.exp(low):.1f} tokens and not among {size:,}."
        )
    falling = [f"{name} ({100 * gain:.0f} %)" for name, (_, gain) in ends.items() if gain > LEVEL]
    rose = [f"{name} ({-100 * gain:.0f} %)" for name, (_, gain) in ends.items() if gain < -LEVEL]
    level = [name for name, (_, gain) in ends.items() if abs(gain) <= LEVEL]
    said = {
        "still falling in their last epoch": falling,
        "higher at the end than at their lowest": rose,
        "level at the end": level,
    }
    yield from (f"Validation losses {words}: {', '.join(names)}." for words, names in said.items() if names)
    if unknown := [name for name, (low, _) in ends.items() if np.isnan(low)]:
        yield f"Without a validation set, so that the last epoch is kept: {', '.join(unknown)}."
    bounds = [name for name, row in rows.items() if not row.weakly_supervised and not np.isnan(ends[name][0])]
    if short := [name for name in bounds if ends[name][1] > LEVEL]:
        yield f"The bound may be too low, and relative performance flatter: train {', '.join(short)} longer."
    elif bounds:
        yield f"The bound is not one that was stopped too early: {', '.join(bounds)} had done falling."


def _end(history: pd.DataFrame) -> tuple[float, float]:
    """The lowest validation loss of a training, and the share by which its last epoch lowered it; negative: the share
    by which the loss has risen since. NaN without a validation set."""
    curve = np.array(history["validation_loss"] if "validation_loss" in history else [np.nan], dtype=float)
    if np.isnan(curve).all():
        return np.nan, np.nan
    low, last = float(np.nanmin(curve)), float(curve[-1])
    if last > low:
        return low, 1 - last / low
    return low, 1 - last / float(curve[-2]) if len(curve) > 1 else 1.0


@listed
def decoded(run: Run, target: str) -> Iterator[str]:
    """How varied the captions are, whether the best row beats its controls, and what the swap costs."""
    seed, metric = run.seeds[0], run.config.metrics.headline
    made = {r.name: run.captions(target, r.name, seed) for r in run.strategies(target) if r.group != "control"}
    share = {name: len(set(captions)) / max(len(captions), 1) for name, captions in made.items()}
    if share:
        most, least = max(share, key=share.__getitem__), min(share, key=share.__getitem__)
        yield (
            f"The most varied row is **{most}** ({len(set(made[most]))} different captions for {len(made[most])} "
            f"clips), the least varied **{least}** ({len(set(made[least]))})."
        )
    told, frame = results.told(run, target, metric), results.results(run, target)
    value = 100 * frame[frame.metric == metric].set_index("strategy").value.dropna()
    controls = {"shuffled": "such captions on the wrong clips", "copy": "copying the nearest training caption"}
    weak = [row.name for row in run.strategies(target) if row.group in WEAK]
    for test in facts.rows_of(told.loc[told.b.isin(controls) & told.a.isin(weak)]):
        yield (
            f"**{test.a}** ({value[test.a]:.1f}) against {controls[test.b]} ({value[test.b]:.1f}), "
            f"{METRIC_LABELS[metric]}: {facts.verdict(told, test.a, test.b)}."
        )
    if {"reconstruction", "baseline"} <= set(value.index):
        yield (
            f"Given the text embedding itself the decoder reaches {value['reconstruction']:.1f}, given the audio "
            f"embedding {value['baseline']:.1f}; what lies between is the price of the swap, and the advantage of "
            "having been given one of the references."
        )


@listed
def gate(run: Run, *targets: str) -> Iterator[str]:
    """Whether the decoders of these targets, of all by default, are good enough for strategies to be compared: given
    the embedding of a caption that it has not read, does a decoder write a better caption than the nearest training
    caption is? Nothing where the profile leaves out the two rows that tell."""
    for target in targets or run.targets:
        if not {"reconstruction", "look-up"} <= {row.name for row in run.strategies(target)}:
            continue
        n, (written, looked_up), test = results.gate(run, target)
        if test is None:
            yield f"**{target}**: of {n} clips with a caption that is not in the training text nothing can be said."
            continue
        size = (
            f"{METRIC_LABELS[run.config.metrics.headline]} {100 * written:.1f} against {100 * looked_up:.1f} on "
            f"the {n} clips with such a caption, difference {100 * test.difference:+.1f}, interval "
            f"{100 * test.low:+.1f} to {100 * test.high:+.1f}"
        )
        if test.difference > 0:
            yield (
                f"**{target}**: given the embedding of a caption that it has not read, the decoder writes one that "
                f"describes the clip better than the nearest training caption does ({size})."
            )
        else:
            yield (
                f"**{target}**: the decoder is the bottleneck, not the gap: the training caption nearest to a text "
                f"embedding describes the clip better than what the decoder writes ({size}). The rows are compared "
                "under that ceiling: more epochs (train.epochs) or a higher learning rate (train.lr) would raise it."
            )
