"""What notebooks 01 to 05 found, in sentences whose wording is chosen by the run's own numbers; nothing is hard-coded.

Each function takes an `aaclib.Run` and returns `Findings`, which a notebook shows as a list. The answers to the
paper's question are in aaclib.tables.conclusions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aaclib import gap as gaps
from aaclib import results, retrieval, training
from aaclib.escape import markdown
from aaclib.groups import WEAK
from aaclib.plots.results import METRIC_LABELS
from aaclib.tables import facts
from aaclib.tables.facts import has_references

if TYPE_CHECKING:
    from aaclib.run import Run


class Findings(list):
    """Sentences; shown as a Markdown list. **...** in a sentence is bold, every other sign is a sign."""

    @classmethod
    def of_first_seed(cls, run: Run) -> Findings:
        """An empty list where the run has one seed; else it says whose findings follow."""
        first, count = run.seeds[0], len(run.seeds)
        return cls([f"These are the findings of seed {first}, the first of {count}."] if count > 1 else [])

    def about(self, subject: str, sentence: str) -> None:
        self.append(f"**{subject}**: {sentence}")

    def _repr_markdown_(self) -> str:
        lines = [re.sub(r"(?:&#42;){2}(.+?)(?:&#42;){2}", r"**\1**", markdown(sentence)) for sentence in self]
        return "\n".join(f"- {line}" for line in lines) or "*Nothing could be computed here.*"

    def __str__(self) -> str:
        return self._repr_markdown_()


def data(run: Run) -> Findings:
    """Sizes, whether splits are disjoint, how much evaluation text was read in training."""
    found = Findings()
    for target in run.targets:
        train, evaluation = run.split(target, "train"), run.split(target, "evaluation", audio=True)
        clips, missing = len(evaluation.clips), len(evaluation.missing)
        read, per_clip = len(facts.training_captions(run, target)), len(evaluation.captions) / max(clips, 1)
        found.about(
            target,
            f"decoders learn from {read:,} captions and are judged on {clips:,} clips with "
            f"{per_clip:.1f} captions each.",
        )
        if shared := {c.id for c in train.clips} & {c.id for c in evaluation.clips}:
            many = len(shared) > 0.01 * clips
            found.about(
                target,
                f"training and evaluation SHARE {len(shared)} of {clips} clip names, for example "
                f"{min(shared)}"
                + (
                    ": its scores are worthless until they are parted."
                    if many
                    else "; listen whether it is the same recording."
                ),
            )
        else:
            found.about(target, "training and evaluation share no clip.")
        overlap = facts.caption_overlap(run, target)
        if not np.isnan(overlap):
            words = (
                "too few for recitation to carry the scores"
                if overlap < 0.05
                else "so recitation may carry a part of the scores"
            )
            found.about(
                target,
                f"{100 * overlap:.1f} % of the evaluation captions occur word for word in the training text, {words}.",
            )
        if missing:
            found.about(
                target,
                f"{missing} published clips ({100 * (missing / (missing + clips)):.1f} %) are missing "
                "here; compare with published numbers only with that in mind.",
            )
    if run.synthetic:
        found.append("All audio is rendered: what is learned here is about the method, not about real recordings.")
    return found


def embeddings(run: Run, target: str) -> Findings:
    """What this CLAP is, and whether the target's captions find their clips."""
    backend = run.clap(run.seeds[0])
    found = Findings(
        [
            f"The CLAP is **{backend.name}**: {backend.dim} dimensions, {backend.sample_rate / 1000:g} kHz, "
            f"windows of {backend.window_s:g} s."
        ]
    )
    n = len(run.clips(target, "evaluation", run.seeds[0]))
    if not (ks := retrieval.telling(n)):
        found.about(target, f"too few clips (n = {n}) for a retrieval check: chance would find them.")
        return found
    recall = [results.retrieval(run, target, seed)[f"text_to_audio_r@{ks[-1]}"] for seed in run.seeds]
    chance = retrieval.chance(n, 1, ks[-1])["text_to_audio"]
    ratio = np.mean(recall) / chance
    words = "far above chance" if ratio > 5 else "above chance" if ratio > 1.5 else "hardly better than chance"
    weak = "" if ratio > 1.5 else ", so nothing below can be expected to describe the audio"
    spread = f" (by seed: {', '.join(f'{100 * r:.0f}' for r in recall)})" if len(recall) > 1 else ""
    first = {1: "first", 5: "among the first five", 10: "among the first ten"}[ks[-1]]
    found.about(
        target,
        f"a caption finds its own clip {first} of {n} in {100 * np.mean(recall):.0f} % of "
        f"cases{spread}; chance would be {100 * chance:.0f} %. That is {words}{weak}.",
    )
    return found


def modality_gap(run: Run, target: str) -> Findings:
    """How wide the target's gap is, whether the external pairs measured it well, what sigma means here."""
    found, seed = Findings.of_first_seed(run), run.seeds[0]
    estimate = run.gap(seed)
    z_a, z_t = facts.paired(run, target, "evaluation", seed)
    s = gaps.statistics(z_a, z_t)
    apart = s["separable"]
    words = "linearly separable" if apart > 0.99 else "mostly told apart" if apart > 0.9 else "partly mixed"
    found.about(
        target,
        f"the centroids are {s['centroid_distance']:.2f} apart (embeddings have length 1); along "
        f"the gap's direction the modalities are {words} ({100 * apart:.1f} % on the right side of "
        "one threshold).",
    )
    farther = np.mean(np.einsum("ij,ij->i", z_a, z_t) < np.median(z_t @ z_t.T, axis=1))
    found.about(
        target,
        f"matched pairs have a mean cosine of {s['matched_cosine']:.2f}, mismatched ones "
        f"{s['mismatched_cosine']:.2f}. For {100 * farther:.0f} % of the captions, half of the "
        "other captions lie closer than the caption's own recording.",
    )
    if estimate.vector is not None:
        own = gaps.gap_vector(z_a, z_t)
        miss, length = (float(np.linalg.norm(v)) for v in (own - estimate.vector, own))
        found.about(
            target,
            f"its own gap vector differs from that of the {estimate.n} external pairs by "
            f"{miss:.2f}, {100 * (miss / max(length, 1e-9)):.0f} % of its length: this much "
            "the shift leaves unrepaired.",
        )
    how = f"estimator {estimate.chosen}" if estimate.chosen != "given" else "given by the profile"
    length = estimate.noise_length
    size = "longer than" if length > 1.05 else "shorter than" if length < 0.95 else "as long as"
    found.append(
        f"σ = {estimate.sigma_value:.3f} ({how}), so d σ² = {length:.2f}: the noise is {size} the embedding, "
        "whose squared length is 1."
    )
    squares = {name: s**2 for name, s in estimate.sigma.items() if s > 1e-6}
    if len(squares) > 1:
        listed = ", ".join(f"{name} {value:.4f}" for name, value in squares.items())
        fold = max(squares.values()) / min(squares.values())
        found.append(f"The estimators differ {fold:.0f}-fold in σ² ({listed}): σ² without its estimator says little.")
    return found


def trained(run: Run) -> Findings:
    """Where each decoder's loss ended, and whether it had done falling."""
    found, seed = Findings.of_first_seed(run), run.seeds[0]
    for target in run.targets:
        for name, row in training.trainings(run, target).items():
            history = run.decoder(target, row.name, seed).history
            last, curve = history.iloc[-1], history.get("validation_loss", pd.Series(dtype=float)).astype(float)
            if not curve.notna().any():
                found.about(
                    f"{target}, {name}",
                    f"training loss {last.train_loss:.2f} after {int(last.epoch)} epochs; "
                    "the last epoch is kept, without a validation set.",
                )
                continue
            best, low, end = history.loc[curve.idxmin()], curve.min(), curve.iloc[-1]
            if best.epoch < last.epoch:
                level = end / low - 1 < 0.01
                state = "and stayed level from there on" if level else f"and rose to {end:.2f} by the end"
            else:
                gain = 1 - end / curve.iloc[-2] if len(curve) > 1 else 1.0
                falls = f"and was still falling, by {100 * gain:.0f} % in the last one"
                if not row.weakly_supervised:
                    falls += ": this bound may be too low, and relative performance flatter"
                state = "and had levelled off" if gain < 0.01 else falls
            found.about(
                f"{target}, {name}",
                f"validation loss was lowest ({low:.2f}) after epoch {int(best.epoch)} of {int(last.epoch)} {state}.",
            )
    return found


def decoded(run: Run) -> Findings:
    """How varied the captions are, and whether the best row beats its controls."""
    found, seed, metric = Findings(), run.seeds[0], run.config.metrics.headline
    for target in run.targets:
        made = {r.name: run.captions(target, r.name, seed) for r in run.strategies(target) if r.group != "control"}
        share = {name: len(set(captions)) / max(len(captions), 1) for name, captions in made.items()}
        if share:
            most, least = max(share, key=share.get), min(share, key=share.get)
            found.about(
                target,
                f"the most varied row is {most} ({len(set(made[most]))} different captions for "
                f"{len(made[most])} clips), the least varied {least} ({len(set(made[least]))}).",
            )
        if not has_references(run, target):
            continue
        told, value = results.told(run, target, metric), _values(run, target, metric)
        controls = {"shuffled": "such captions on the wrong clips", "copy": "copying the nearest training caption"}
        for test in told[
            told.b.isin(controls) & told.a.isin([r.name for r in run.strategies(target) if r.group in WEAK])
        ].itertuples():
            found.about(
                target,
                f"{test.a} ({value[test.a]:.1f}) against {controls[test.b]} ({value[test.b]:.1f}), "
                f"{METRIC_LABELS[metric]}: {facts.verdict(told, test.a, test.b)}.",
            )
        if {"reconstruction", "baseline"} <= set(value.index):
            found.about(
                target,
                "given the text embedding itself the decoder reaches "
                f"{value['reconstruction']:.1f}, given the audio embedding {value['baseline']:.1f}; "
                "what lies between is the price of the swap, and the advantage of having been given "
                "one of the references.",
            )
    return found


def gate(run: Run) -> Findings:
    """Whether the decoders are good enough for strategies to be compared: given the embedding of a caption that it has
    not read, does a decoder write a better caption than the nearest training caption is?"""
    found = Findings()
    for target in [t for t in run.targets if has_references(run, t)]:
        if not {"reconstruction", "look-up"} <= {row.name for row in run.strategies(target)}:
            continue
        n, (written, looked_up), test = results.gate(run, target)
        if test is None:
            found.about(target, f"of {n} clips with a caption that is not in the training text nothing can be said.")
            continue
        size = (
            f"{METRIC_LABELS[run.config.metrics.headline]} {100 * written:.1f} against {100 * looked_up:.1f} on "
            f"the {n} clips with such a caption, difference {100 * test.difference:+.1f}, interval "
            f"{100 * test.low:+.1f} to {100 * test.high:+.1f}"
        )
        if test.difference > 0:
            found.about(
                target,
                "given the embedding of a caption that it has not read, the decoder writes one that "
                f"describes the clip better than the nearest training caption does ({size}).",
            )
        else:
            found.about(
                target,
                "the decoder is the bottleneck, not the gap: the training caption nearest to a text "
                f"embedding describes the clip better than what the decoder writes ({size}). The "
                "rows are compared under that ceiling: more epochs (train.epochs) or a higher "
                "learning rate (train.lr) would raise it.",
            )
    return found


def _values(run: Run, target: str, metric: str) -> pd.Series:
    frame = results.results(run, target)
    return 100 * frame[frame.metric == metric].set_index("strategy").value.dropna()
