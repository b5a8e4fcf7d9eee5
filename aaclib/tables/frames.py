"""The small tables that notebooks 01-06 show: one function a table, so that a notebook shows and does not compute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from aaclib import bridge, datasets, gap, retrieval, seeds, text
from aaclib.datasets import leakage
from aaclib.datasets.files import data_folder
from aaclib.tables import facts
from aaclib.tables.facts import COMPARED, has_references, paired, training_captions

Pair = tuple[np.ndarray, np.ndarray]


def settings(exp: Any) -> pd.DataFrame:
    """The settings that shape the science of a run."""
    c = exp.config
    rows = {
        **{f"rows of {target}": ", ".join(names) for target, names in c.data.targets.items()},
        "CLAP": c.clap.backend,
        "pairs for σ and the gap": c.data.pairs or "none",
        "σ": c.gap.sigma,
        "decoder": f"{c.decoder.layers} layers, {c.decoder.heads} heads, width {c.decoder.width}",
        "training": f"{c.train.epochs} epochs, batch {c.train.batch_size}, learning rate {c.train.lr:g}",
        "seeds": ", ".join(map(str, exp.seeds)),
    }
    return pd.DataFrame(rows.items(), columns=["setting", "value"])


def splits(exp: Any) -> pd.DataFrame:
    """Clips and captions of every split of every target; only evaluation asks for audio, to count what is missing."""
    found = [
        (target, part, exp.split(target, part, audio=part == "evaluation"))
        for target in exp.targets
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


def vocabulary(exp: Any) -> pd.DataFrame:
    """Words of each target's training text, case and punctuation aside."""
    rows = []
    for target in exp.targets:
        texts = text.normalise(training_captions(exp, target), COMPARED)
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


def leaks(exp: Any) -> pd.DataFrame:
    """Shared clips, recordings and captions of every two splits of the targets (`datasets.leakage`), share in %; and of
    evaluation recordings that are known by name, how many WavCaps has and how many its authors left out of it, where
    its JSON files are here ('not checked' where not)."""
    places = [(target, part) for target in exp.targets for part in ("train", "evaluation")]
    sources = {f"{t}.{part}": found for t, part in places if (found := leakage.recordings(exp.dataset(t), part))}
    found = leakage.report([exp.split(*place) for place in places], sources, COMPARED)
    wavcaps = data_folder(exp.config.data, "wavcaps", must_exist=False)
    heard = [
        leakage.clap_training(recordings, place, wavcaps)
        for place, recordings in sources.items()
        if place.endswith(".evaluation")
    ]
    found = pd.concat([found, *heard], ignore_index=True).astype({"n": "Int64", "share": float, "examples": str})
    return found.assign(share=100 * found.share).rename(columns={"share": "share (%)"})


def content(exp: Any) -> pd.DataFrame:
    """How many evaluation clips of each target sound of what no training clip sounds of, where the data set knows."""
    rows = []
    for target in [t for t in exp.targets if exp.new(t) is not None]:
        clips, new = exp.clips(target, "evaluation", exp.seeds[0]), exp.new(target)
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


def extraction(exp: Any, seed: int) -> pd.DataFrame:
    """Embeddings of each target: how many, whether of unit length, what could not be read."""
    rows = []
    for target in exp.targets:
        audio, texts = exp.audio(target, "evaluation", seed), exp.texts(target, "train", seed)
        error = max(float(np.abs(np.linalg.norm(z, axis=1) - 1).max()) for z in (audio.z, texts.z))
        rows.append(
            {
                "target": target,
                "recordings": len(audio.z),
                "training captions": len(texts.z),
                "largest deviation from length 1": f"{error:.0e}",
                "unreadable": len(audio.errors),
                "reasons": "; ".join(f"{name}: {reason}" for name, reason in audio.errors.items()),
            }
        )
    return pd.DataFrame(rows)


def recalls(exp: Any, seed: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Recalls of each target that has captions, and those of chance for as many clips and captions."""
    found, chance = {}, {}
    for target in [t for t in exp.targets if has_references(exp, t)]:
        found[target] = exp.retrieval(target, seed)
        clips = exp.clips(target, "evaluation", seed)
        captions = max(1, round(np.mean([len(clip.captions) for clip in clips])))
        ways = {k: retrieval.chance(len(clips), captions, k) for k in retrieval.telling(len(clips))}
        chance[target] = {f"{way}_r@{k}": value for k, both in ways.items() for way, value in both.items()}
    return found, chance


def recall_table(found: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """One row a target and way; recalls in %, those that say nothing among so few clips left out."""
    rows = []
    for target, values in found.items():
        for way in ("text_to_audio", "audio_to_text"):
            rows.append(
                {"target": target, "way": way.replace("_", " ")}
                | {
                    key.removeprefix(f"{way}_").replace("_", " "): 100 * value if "@" in key else value
                    for key, value in values.items()
                    if key.startswith(way)
                }
            )
    recalls = [f"r@{k}" for k in retrieval.KS if any(f"r@{k}" in row for row in rows)]
    return pd.DataFrame(rows, columns=["target", "way", *recalls, "median rank"])


def neighbours(exp: Any, target: str, seed: int, clips: int = 3, count: int = 3) -> pd.DataFrame:
    """The training captions nearest to the first recordings, each different one once."""
    texts, audio, rows = exp.texts(target, "train", seed), exp.audio(target, "evaluation", seed), []
    for clip, cosine in zip(audio.clips[:clips], audio.z[:clips] @ texts.z.T, strict=True):
        near: dict[str, float] = {}
        for i in np.argsort(-cosine):
            near.setdefault(texts.captions[i], float(cosine[i]))
            if len(near) == count:
                break
        written = clip.captions[0] if clip.captions else "-"
        rows += [{"clip": clip.id, facts.human(exp): written, "near it lies": c, "cosine": v} for c, v in near.items()]
    return pd.DataFrame(rows)


def sigmas(estimate: gap.Estimate) -> pd.DataFrame:
    """Every estimate of sigma with its square and d * sigma^2; the one in use is marked."""
    found, used = dict(estimate.sigma), estimate.chosen
    if used not in found:
        used = "given by the profile"
        found[used] = estimate.sigma_value
    return pd.DataFrame(
        [
            {
                "estimator": name,
                "σ": value,
                "σ²": value**2,
                "d σ²": estimate.dim * value**2,
                "used": "yes" if name == used else "",
            }
            for name, value in found.items()
        ]
    )


def bridged(exp: Any, target: str, seed: int, most: int = 9) -> tuple[dict[str, Pair], pd.DataFrame]:
    """Evaluation pairs under each weakly-supervised strategy: name -> (what the decoder is given, from audio; what it
    learned to read, from text), both (n, d); and their mean matched and mismatched cosines."""
    z_a, z_t = paired(exp, target, "evaluation", seed)
    context, panels, rows = exp.context(target, seed), {}, []
    for row in [r for r in exp.strategies(target) if r.weakly_supervised and r.group != "control"][:most]:
        rng = seeds.rng(seed, "picture", row.name)
        panels[row.name] = bridge.infer_half(row)(z_a, context), bridge.train_half(row)(z_t, context, rng)
        given, learned = map(bridge.unit, panels[row.name])
        found = gap.statistics(given, learned)
        rows.append(
            {"strategy": row.name, "matched": found["matched_cosine"], "mismatched": found["mismatched_cosine"]}
        )
    return panels, pd.DataFrame(rows)


def by_seed(exp: Any, target: str, metric: str, decoding: str = "greedy") -> pd.DataFrame:
    """Score of each row and seed (fractions): target, strategy, group, seed, value."""
    rows = [row for row in exp.rows(target, decoding) if row.name != "human"]
    return pd.DataFrame(
        [
            {"target": target, "strategy": row.name, "group": row.group, "seed": seed, "value": corpus[metric]}
            for row in rows
            for seed in exp.seeds
            if metric in (corpus := exp.scores(target, row.name, seed, decoding).corpus)
        ],
        columns=["target", "strategy", "group", "seed", "value"],
    )


def usable_metrics(exp: Any, results: pd.DataFrame) -> tuple[str, ...]:
    """The profile's metrics that have values here, the headline first."""
    there = set(results[results.value.notna()].metric) if len(results) else set()
    return tuple(m for m in dict.fromkeys((exp.config.metrics.headline, *exp.config.metrics.names)) if m in there)
