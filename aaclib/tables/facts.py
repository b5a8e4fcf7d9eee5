"""Small facts about a run that tables, sentences and notebooks ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from aaclib import bridge, text
from aaclib.tables.table import PAIRED, WEAK

ALPHA = 0.05                           # level of the tests that choose words and marks
COMPARED = "lower-nopunct"             # captions are the same if they are so, whatever a decoder reads and writes


def has_references(exp: Any, target: str) -> bool:
    """Whether every evaluation clip of the target has a caption, so that captions can be scored."""
    clips = exp.split(target, "evaluation").clips
    return bool(clips) and all(clip.captions for clip in clips)


def training_captions(exp: Any, target: str) -> list[str]:
    """The captions that the target's decoders learn from, as published: its own, or those of the run or the data sets
    that stand in for recordings without text."""
    pipeline, name = exp.source or (exp, target)
    return [caption for clip in pipeline.training_clips(name, "train") for caption in clip.captions]


def caption_overlap(exp: Any, target: str) -> float:
    """Share (0-1) of the evaluation captions that stand word for word in the training text, case and punctuation
    aside; NaN without evaluation captions."""
    known = set(text.normalise(training_captions(exp, target), COMPARED))
    evaluation = text.normalise(exp.split(target, "evaluation").captions, COMPARED)
    return float(np.mean([caption in known for caption in evaluation])) if evaluation else float("nan")


def paired(exp: Any, target: str, part: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(z_a, z_t), each (n, d): the readable clips of a split and the first caption of each; clips without a caption
    are left out."""
    audio = exp.audio(target, part, seed)
    texts = exp.texts_of(audio.clips, seed)
    clips, first = np.unique(texts.clip, return_index=True)
    return audio.z[clips], texts.z[first]


def all_pairs(exp: Any, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(z_a, z_t) of every pair in the set that sigma is estimated on, not only the drawn ones; None without pairs."""
    if not exp.gap(seed).n:
        return None
    pipeline = exp.source[0] if exp.source else exp
    return paired(pipeline, *pipeline.config.data.pairs_split, seed)


def pair(tests: pd.DataFrame | None, a: str, b: str) -> dict[str, float] | None:
    """The comparison a - b from `Experiment.comparisons`, whichever way round it was made; None if it was not."""
    if missing_frame(tests):
        return None
    for r in tests.itertuples():
        if (r.a, r.b) == (a, b):
            return {"difference": r.difference, "low": r.low, "high": r.high, "p": r.p, "p_holm": r.p_holm}
        if (r.a, r.b) == (b, a):
            return {"difference": -r.difference, "low": -r.high, "high": -r.low, "p": r.p, "p_holm": r.p_holm}
    return None


def verdict(tests: pd.DataFrame | None, a: str, b: str) -> str:
    """'a is better (5.2 points, ...)' or 'the difference is not significant (...)', x100."""
    p = pair(tests, a, b)
    if p is None:
        return "the two were not tested against each other"
    size = (f"{100 * p['difference']:+.1f} points, interval {100 * p['low']:+.1f} to {100 * p['high']:+.1f}, "
            f"p = {p['p_holm']:.3f} after Holm")
    if not p["p_holm"] < ALPHA:
        return f"the difference is not significant ({size})"
    return f"{a if p['difference'] > 0 else b} is better ({size})"


def shown(row: pd.Series) -> str:
    """A value with its interval, x100; without one where there is none (a single clip)."""
    interval = "" if np.isnan(row.low) else f" [{100 * row.low:.1f}, {100 * row.high:.1f}]"
    return f"{100 * row.value:.1f}{interval}"


def self_recall(metrics: Iterable[str]) -> str | None:
    """The self-R@k of the largest k among these metrics; None where the clips are too few for any."""
    return max((m for m in metrics if m.startswith("self_r@")), key=lambda m: int(m.partition("@")[2]), default=None)


def missing_frame(frame: Any) -> bool:
    return not isinstance(frame, pd.DataFrame) or frame.empty


IN_DOMAIN = ("In-domain CLAP: it was trained on recordings and captions of this very data set, so no row here is "
             "weakly supervised, whatever its decoder learned from.")


def in_domain(exp: Any, target: str) -> bool:
    """Whether the run trained its CLAP on the target's own recordings."""
    return exp.config.clap.backend == "tiny" and exp.config.data.pretrain == target


def own_pairs(exp: Any, target: str) -> tuple[str, ...]:
    """The rows that are not weakly supervised, because the pairs (`data.pairs`) are the target's own clips: those that
    read what is measured on them (gap vector, audio mean, a sigma estimated from audio). () for external pairs."""
    if exp.source:
        return own_pairs(*exp.source)
    seed, data = exp.seeds[0], exp.config.data
    if data.pairs_split[0] != target or not exp.gap(seed).n:
        return ()
    measured = exp.gap(seed).chosen not in ("given", "caption")
    rows = [row for row in exp.strategies(target) if row.weakly_supervised and row.group != "control"]
    return tuple(row.name for row in rows if bridge.needs_pairs(row) or measured and _reads_sigma(row))


def _reads_sigma(row: bridge.Strategy) -> bool:
    return "sigma" in vars(bridge.seen_in_training(row, bridge.Context()))


def own_pairs_note(exp: Any, target: str) -> str:
    """What a reader must know where there are such rows, or ''."""
    if not (rows := own_pairs(exp, target)):
        return ""
    data = (exp.source[0] if exp.source else exp).config.data
    return (f"NOT weakly supervised: {', '.join(rows)}. The audio-caption pairs are this target's own ({data.pairs}), "
            "so these rows know its recordings, and they do not compete with those that do not.")


def results(exp: Any, target: str, decoding: str = "greedy") -> pd.DataFrame:
    """`Experiment.results`, regrouped."""
    return regrouped(exp, target, exp.results(target, decoding))


def regrouped(exp: Any, target: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `own_pairs` in a group of their own, in which best and second are not sought."""
    own = frame.strategy.isin(own_pairs(exp, target)) & frame.group.isin(WEAK)
    return frame.assign(group=frame.group.mask(own, PAIRED))
