"""Small tables that notebooks show: one function per table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from aaclib import results
from aaclib.datasets import leakage
from aaclib.datasets.files import data_folder
from aaclib.tables.facts import COMPARED

if TYPE_CHECKING:
    from aaclib.run import Run


def settings(run: Run) -> pd.DataFrame:
    """The settings that shape the science of a run."""
    c = run.config
    length = f"{c.train.steps} steps" if c.train.steps else f"{c.train.epochs} epochs"
    rows = {
        **{f"rows of {target}": ", ".join(names) for target, names in c.data.targets.items()},
        **({"more text": ", ".join(c.data.more_text)} if c.data.more_text else {}),
        "CLAP": c.clap.backend,
        "pairs for σ and the gap": c.data.pairs or "none",
        "σ": c.gap.sigma,
        "decoder": f"{c.decoder.layers} layers, {c.decoder.heads} heads, width {c.decoder.width}",
        "training": f"{length}, batch {c.train.batch_size}, learning rate {c.train.lr:g}",
        "seeds": ", ".join(map(str, run.seeds)),
    }
    return pd.DataFrame(rows.items(), columns=["setting", "value"])


def leaks(run: Run, target: str) -> pd.DataFrame:
    """What a target's evaluation shares with the training texts of all targets and with its own validation: clips,
    recordings and captions (`datasets.leakage`), share in %. And of evaluation recordings that are known by name, how
    many WavCaps has and how many its authors left out of it, where its JSON files are here."""
    read = dict.fromkeys((*run.targets, *run.config.data.more_text))
    places = [*((name, "train") for name in read), (target, "validation"), (target, "evaluation")]
    sources = {f"{t}.{part}": known for t, part in places if (known := leakage.recordings(run.dataset(t), part))}
    shared = leakage.report([run.split(*place) for place in places], sources, COMPARED)
    judged, wavcaps = f"{target}.evaluation", data_folder(run.config.data, "wavcaps", must_exist=False)
    shared = shared[shared.second == judged]
    if judged in sources:
        shared = pd.concat([shared, leakage.clap_training(sources[judged], judged, wavcaps)], ignore_index=True)
    shared = shared.astype({"n": "Int64", "share": float, "examples": str})
    return shared.assign(share=100 * shared.share).rename(columns={"share": "share (%)"})


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
