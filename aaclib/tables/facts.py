"""Small facts about a run that tables, sentences and notebooks ask for."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aaclib import gap, results, text
from aaclib.results import ALPHA

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from aaclib.run import Run

SEEDS_FOR_A_CLAIM = 3  # from here on a sentence about a method needs the test over seeds as well
COMPARED = "lower-nopunct"  # captions are the same if they are so, whatever a decoder reads and writes


def training_captions(run: Run, target: str) -> list[str]:
    """The captions that the target's decoders learn from, as published: its own, or those of the data sets that stand
    in for recordings without text."""
    return [caption for clip in run.training_clips(target, "train") for caption in clip.captions]


def caption_overlap(run: Run, target: str) -> float:
    """Share (0-1) of the evaluation captions that stand word for word in the training text, case and punctuation
    aside; NaN without evaluation captions."""
    known = set(text.normalise(training_captions(run, target), COMPARED))
    evaluation = text.normalise(run.split(target, "evaluation").captions, COMPARED)
    return float(np.mean([caption in known for caption in evaluation])) if evaluation else float("nan")


def paired(run: Run, target: str, part: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(z_a, z_t), each (n, d): the readable clips of a split and the first caption of each; clips without a caption
    are left out."""
    audio = run.audio(target, part, seed)
    texts = run.texts_of(audio.clips, seed)
    clips, first = np.unique(texts.clip, return_index=True)
    return audio.z[clips], texts.z[first]


def gap_pairs(run: Run, target: str, seed: int) -> tuple[Any, Any]:
    """The pairs that a run measures the gap on and what they tell (`gap.Estimate`). A run without external pairs gets
    the target's own evaluation pairs: to be looked at, for no strategy may know them."""
    if run.gap(seed).n:
        return run.pairs(seed), run.gap(seed)
    clips = [clip for clip in run.clips(target, "evaluation", seed) if clip.captions]
    z_a, z_t = paired(run, target, "evaluation", seed)
    texts = run.texts_of(clips, seed)
    several = (texts.z, texts.clip) if len(texts.captions) > len(clips) else None
    return SimpleNamespace(z_a=z_a, z_t=z_t, texts=texts), gap.estimate(z_a, z_t, captions=several)


def all_pairs(run: Run, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(z_a, z_t) of every pair in the set that sigma is estimated on, not only the drawn ones; None without pairs."""
    if not run.gap(seed).n:
        return None
    return paired(run, *run.config.data.pairs_split, seed)


def pair(tests: pd.DataFrame | None, a: str, b: str) -> pd.Series | None:
    """The comparison a - b from `results.tested`, whichever way round it was made; None if it was not."""
    if missing_frame(tests):
        return None
    for _, r in tests.iterrows():
        if (r.a, r.b) == (a, b):
            return r
        if (r.a, r.b) == (b, a):
            turned = r.copy()
            turned[["a", "b", "difference", "low", "high"]] = a, b, -r.difference, -r.high, -r.low
            return turned
    return None


def over_clips(test: pd.Series) -> bool:
    """Whether these decoders differ on more than these clips."""
    return bool(test.p_holm < ALPHA)


def established(test: pd.Series) -> bool:
    """Whether the methods differ: over clips and, where there are enough seeds to ask, over seeds as well."""
    return over_clips(test) and (test.seeds < SEEDS_FOR_A_CLAIM or bool(test.p_seeds_holm < ALPHA))


def verdict(tests: pd.DataFrame | None, a: str, b: str) -> str:
    """'a is better (...)', 'a is better in these trainings alone' or 'the difference is not significant', x100."""
    p = pair(tests, a, b)
    if p is None or tests is None:
        return "the two were not tested against each other"
    seeds = f", over seeds {p.p_seeds_holm:.3f}" if not np.isnan(p.p_seeds_holm) else ""
    size = (
        f"{100 * p.difference:+.1f} points, interval {100 * p.low:+.1f} to {100 * p.high:+.1f}, p over clips "
        f"{p.p_holm:.3f}{seeds}; {len(tests)} tests together"
    )
    if not over_clips(p):
        return f"the difference is not significant ({size})"
    better = a if p.difference > 0 else b
    return (
        f"{better} is better ({size})"
        if established(p)
        else f"{better} is better in these trainings, which does not say that it is with other seeds ({size})"
    )


def shown(row: pd.Series) -> str:
    """A value with its interval, x100; without one where there is none (a single clip)."""
    interval = "" if np.isnan(row.low) else f" [{100 * row.low:.1f}, {100 * row.high:.1f}]"
    return f"{100 * row.value:.1f}{interval}"


def self_recall(metrics: Iterable[str]) -> str | None:
    """The self-R@k of the largest k among these metrics; None where the clips are too few for any."""
    return max((m for m in metrics if m.startswith("self_r@")), key=lambda m: int(m.partition("@")[2]), default=None)


def rows_of(frame: pd.DataFrame) -> Iterable[Any]:
    """The rows of a frame, each with its columns as attributes."""
    return frame.itertuples()


def missing_frame(frame: Any) -> TypeIs[None]:
    """Whether there is no frame, or nothing in it."""
    return not isinstance(frame, pd.DataFrame) or frame.empty


IN_DOMAIN = (
    "In-domain CLAP: it was trained on recordings and captions of this very data set, so no row here is "
    "weakly supervised, whatever its decoder learned from."
)


def in_domain(run: Run, target: str) -> bool:
    """Whether the run trained its CLAP on the target's own recordings."""
    return run.config.clap.backend == "tiny" and run.config.data.pretrain == target


def human(run: Run) -> str:
    """Whose captions the references are: in a synthetic world a grammar wrote them."""
    return "reference" if all(run.dataset(target).synthetic for target in run.targets) else "human"


def labels(run: Run) -> dict[str, str]:
    """Row -> what it is called where its name would mislead."""
    return {"human": human(run)}


def labelled(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, under the names that figures show."""
    return frame.replace({"strategy": labels(run)})


def judge(run: Run) -> str:
    """The CLAP that judges captions without references, in words."""
    if results.partial_judge(run):
        return "the CLAP that the captions were written from"
    name = results.judge(run, run.seeds[0]).name
    return name if run.config.metrics.judge else "another seed's CLAP, trained alike"


def own_pairs_note(run: Run, target: str) -> str:
    """What a reader must know where rows read what was measured on the target's own pairs, or ''."""
    if not (rows := [row.name for row in run.strategies(target) if row.group == "paired"]):
        return ""
    pairs = run.config.data.pairs
    return (
        f"NOT weakly supervised: {', '.join(rows)}. The audio-caption pairs are this target's own ({pairs}), "
        "so these rows know its recordings, and they do not compete with those that do not."
    )
