"""The small tables that notebooks 01-06 show: one function a table, so that a notebook shows and does not compute."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aaclib import datasets, results, text, training
from aaclib.datasets import leakage
from aaclib.datasets.files import data_folder
from aaclib.tables import facts
from aaclib.tables.facts import COMPARED, has_references, training_captions

if TYPE_CHECKING:
    from aaclib.run import Run

Pair = tuple[np.ndarray, np.ndarray]


def settings(run: Run) -> pd.DataFrame:
    """The settings that shape the science of a run."""
    c = run.config
    rows = {
        **{f"rows of {target}": ", ".join(names) for target, names in c.data.targets.items()},
        "CLAP": c.clap.backend,
        "pairs for σ and the gap": c.data.pairs or "none",
        "σ": c.gap.sigma,
        "decoder": f"{c.decoder.layers} layers, {c.decoder.heads} heads, width {c.decoder.width}",
        "training": f"{c.train.epochs} epochs, batch {c.train.batch_size}, learning rate {c.train.lr:g}",
        "seeds": ", ".join(map(str, run.seeds)),
    }
    return pd.DataFrame(rows.items(), columns=["setting", "value"])


def splits(run: Run) -> pd.DataFrame:
    """Clips and captions of every split of every target; only evaluation asks for audio, to count what is missing."""
    found = [
        (target, part, run.split(target, part, audio=part == "evaluation"))
        for target in run.targets
        for part in datasets.SPLITS
    ]
    return pd.DataFrame(
        [
            {
                "data set": target,
                "split": part,
                "clips": len(split.clips),
                "captions": len(split.captions),
                "missing clips": len(split.missing),
                "notes": " ".join(split.notes),
            }
            for target, part, split in found
        ]
    )


def vocabulary(run: Run) -> pd.DataFrame:
    """Words of each target's training text, case and punctuation aside."""
    rows = []
    for target in run.targets:
        texts = text.normalise(training_captions(run, target), COMPARED)
        words, whole = Counter(w for t in texts for w in t.split()), Counter(texts)
        rows.append(
            {
                "target": target,
                "captions": len(texts),
                "vocabulary": len(words),
                "words that occur once (%)": 100 * sum(n == 1 for n in words.values()) / max(len(words), 1),
                "captions that repeat (%)": 100 * sum(n for n in whole.values() if n > 1) / max(len(texts), 1),
            }
        )
    return pd.DataFrame(rows)


def leaks(run: Run) -> pd.DataFrame:
    """Shared clips, recordings and captions of every two splits of the targets (`datasets.leakage`), share in %; and of
    evaluation recordings that are known by name, how many WavCaps has and how many its authors left out of it, where
    its JSON files are here ('not checked' where not)."""
    places = [(target, part) for target in run.targets for part in ("train", "evaluation")]
    sources = {f"{t}.{part}": found for t, part in places if (found := leakage.recordings(run.dataset(t), part))}
    found = leakage.report([run.split(*place) for place in places], sources, COMPARED)
    wavcaps = data_folder(run.config.data, "wavcaps", must_exist=False)
    heard = [
        leakage.clap_training(recordings, place, wavcaps)
        for place, recordings in sources.items()
        if place.endswith(".evaluation")
    ]
    found = pd.concat([found, *heard], ignore_index=True).astype({"n": "Int64", "share": float, "examples": str})
    return found.assign(share=100 * found.share).rename(columns={"share": "share (%)"})


def content(run: Run) -> pd.DataFrame:
    """How many evaluation clips of each target sound of what no training clip sounds of, where the data set knows."""
    rows = []
    for target in [t for t in run.targets if results.new(run, t) is not None]:
        clips, new = run.clips(target, "evaluation", run.seeds[0]), results.new(run, target)
        several = np.array([len(clip.labels) > 1 for clip in clips])
        rows.append(
            {
                "target": target,
                "evaluation clips": len(clips),
                "new combination": int(new.sum()),
                "known combination": int((several & ~new).sum()),
                "one sound alone": int((~several & ~new).sum()),
            }
        )
    return pd.DataFrame(rows)


def decoders(run: Run) -> pd.DataFrame:
    """Each decoder that is trained, and the rows of the table that use it."""
    rows = []
    for target in run.targets:
        users = [row for row in run.strategies(target) if row.written]
        for name in training.trainings(run, target):
            using = [row.name for row in users if row.training == name]
            rows.append({"target": target, "decoder": name, "rows that use it": ", ".join(using)})
    return pd.DataFrame(rows)


def cost(histories: training.Histories) -> pd.DataFrame:
    """Epochs, lowest validation loss and seconds of every decoder."""
    rows = []
    for (target, seed), found in histories.items():
        for name, history in found.items():
            losses = [h["validation_loss"] for h in history if h["validation_loss"] is not None]
            rows.append(
                {
                    "target": target,
                    "seed": seed,
                    "decoder": name,
                    "epochs": len(history),
                    "lowest validation loss": min(losses, default=np.nan),
                    "seconds": sum(h["seconds"] for h in history),
                }
            )
    return pd.DataFrame(rows)


def variety(run: Run, target: str, seed: int) -> pd.DataFrame:
    """How varied each row's captions are, and how many stand word for word in the training text."""
    known = set(text.normalise(training_captions(run, target), COMPARED))
    made = {row.name: run.captions(target, row.name, seed) for row in run.strategies(target) if row.name != "human"}
    if has_references(run, target):
        made[facts.human(run)] = [c for clip in run.clips(target, "evaluation", seed) for c in clip.captions]
    rows = []
    for name, captions in made.items():
        # a decoder may end at once: an empty caption stays one, and is counted
        captions = [text.NORMALISE[COMPARED](caption) for caption in captions]
        rows.append(
            {
                "target": target,
                "row": name,
                "captions": len(captions),
                "different": len(set(captions)),
                "words": np.mean([len(c.split()) for c in captions]),
                "vocabulary": len({w for c in captions for w in c.split()}),
                "in training text (%)": 100 * np.mean([c in known for c in captions]),
            }
        )
    return pd.DataFrame(rows)


def by_seed(run: Run, target: str, metric: str, decoding: str = "greedy") -> pd.DataFrame:
    """Score of each row and seed (fractions): target, strategy, group, seed, value."""
    rows = [row for row in results.rows(run, target, decoding) if row.name != "human"]
    return pd.DataFrame(
        [
            {"target": target, "strategy": row.name, "group": row.group, "seed": seed, "value": corpus[metric]}
            for row in rows
            for seed in run.seeds
            if metric in (corpus := results.scores(run, target, row.name, seed, decoding).corpus)
        ],
        columns=["target", "strategy", "group", "seed", "value"],
    )


def usable_metrics(run: Run, frame: pd.DataFrame) -> tuple[str, ...]:
    """The profile's metrics that have values here, the headline first."""
    there = set(frame[frame.value.notna()].metric) if len(frame) else set()
    return tuple(m for m in dict.fromkeys((run.config.metrics.headline, *run.config.metrics.names)) if m in there)
