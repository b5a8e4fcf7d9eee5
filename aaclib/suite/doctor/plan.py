"""What a run would fetch, keep and cost: an estimate by counting operations, not a measurement.

Rates were measured on two cores of a current server CPU; the GPU's are a round number for a card of 2020 or later and
were not measured. Read the times as 'minutes or hours', not as a promise.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from aaclib import bridge, roles
from aaclib.config import Clap, Config
from aaclib.datasets import SPLITS, DatasetError, absent, load
from aaclib.datasets.audiocaps import CLIPS as AUDIOCAPS
from aaclib.datasets.clotho import CLIPS as CLOTHO
from aaclib.datasets.text import TENTH
from aaclib.datasets.wavcaps import CLIPS as WAVCAPS
from aaclib.progress import duration
from aaclib.rows import no_pairs, planned
from aaclib.suite.doctor.needs import NEED_SPICE, needs, supervised

FLOPS = {"cpu": 7.0e10, "cuda": 1.0e13, "mps": 1.0e12}  # sustained, in small models
STEP_S = {"cpu": 0.0, "cuda": 0.012, "mps": 0.03}  # a training step at least
WINDOW_S = {"cpu": 0.36, "cuda": 0.02, "mps": 0.05}  # one ten-second window through HTSAT or Cnn14, decoded
TOKENS, BERT_TOKENS = 15, 30522  # of a caption, about; of BERT's vocabulary
TINY_CLAP_S = 0.0046  # an epoch of the tiny CLAP, a clip, two threads
FEWEST_STEPS = 100  # of the tiny CLAP's training; smoke takes 147
SCENE_S = 0.015  # to render a synthetic scene, two processes
METRICS_S, SPICE_REFERENCES_S, SPICE_ROW_S = 6.0, 0.035, 0.02  # a row; a reference caption; a clip of a row
PAIRS = "--set data.pairs=wavcaps has them (580 MB)."
MEASURED_ON = "estimated by counting operations; GPU rates are round numbers, not measured"


@dataclass(frozen=True)
class Plan:
    """`stages`: stage, what, seconds. `downloads`: what, where, state, GB. Prints itself line by line."""

    title: str
    device: str
    stages: pd.DataFrame
    downloads: pd.DataFrame
    gpu_gb: float  # memory, about
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return float(self.stages.seconds.sum())

    @property
    def to_fetch_gb(self) -> float:
        return float(self.downloads[self.downloads.state == "to fetch"].gb.sum())

    def __iter__(self) -> Iterator[str]:
        yield f"{self.title}: on {self.device}, about {duration(self.seconds)} ({MEASURED_ON})."
        row: Any
        for row in self.stages.itertuples():
            yield f"  {row.stage:<18} {duration(row.seconds):>12}   {row.what}"
        if len(self.downloads):
            yield f"Needed from outside, {self.to_fetch_gb:.1f} GB to fetch:"
        for row in self.downloads.itertuples():
            size = f"{row.gb * 1000:.0f} MB" if row.state == "to fetch" and row.gb else ""
            yield f"  {row.state:<9} {size:>8}  {row.what} ({row.where})"
        yield f"Memory of the GPU: about {self.gpu_gb:.0f} GB." if self.device != "cpu" else "No GPU is used."
        yield from self.notes

    def __str__(self) -> str:
        return "\n".join(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def plan(config: Config) -> Plan:
    """The plan of a profile on this machine. Fetches nothing and loads no model."""
    from aaclib.clap.base import pick_device  # which needs PyTorch

    device = pick_device(config.device).type
    left_out = {t: why for t in config.data.targets if (why := absent(t, config.data))}
    targets = {t: planned(config, t) for t in config.data.targets if t not in left_out}
    notes = [f"The table of {target} is left out: {why}" for target, why in left_out.items()]
    needing = {n for t, names in targets.items() for n in config.data.targets[t] if n not in names}
    if needing:
        notes.append(f"Left out without pairs ({no_pairs(config)}): {', '.join(sorted(needing))}. {PAIRS}")
    counts = {t: {s: _count(config, t, s) for s in SPLITS} for t in targets}
    # rows of one training share a decoder; recordings without captions are described by another target's
    decoders = {
        t: {row.training for row in map(bridge.strategy, names) if row.written}
        for t, names in targets.items()
        if roles.learned_from(config, t) == t
    }
    described = roles.recordings(config)
    notes += [
        f"{target}: the captions are not here yet, so its times are missing."
        for target, trainings in decoders.items()
        if trainings and not counts[target]["train"][1]
    ]
    seeds = len(config.seeds)
    rows = [
        ("01_data", _data(config, counts), "data sets, audio of the synthetic world"),
        ("02_embeddings", seeds * _embeddings(config, counts, device), "CLAP embeddings"),
        (
            "04_training",
            seeds * sum(_training(config, found, counts[t], device) for t, found in decoders.items()),
            f"{seeds * sum(map(len, decoders.values()))} decoders",
        ),
    ]
    costs = {t: seeds * _decoding(config, names, counts[t], device) for t, names in targets.items()}
    if scored := [t for t in targets if t not in (*described, roles.TEXT)]:
        rows.append(("05_decoding", sum(costs[t] for t in scored), "captions"))
        rows.append(("06_tables", sum(_tables(config, targets[t], counts[t]) for t in scored), "metrics"))
    rows += [("14_your_recordings", costs[t], f"captions of {t}") for t in targets if t in described]
    if config.clap.backend == "tiny":
        clips = _count(config, config.data.pretrain, "train")[0]
        seen, notes = config.clap.epochs * clips, [*notes, *_too_short(config.clap, clips)]
        rows.insert(1, ("02_embeddings", seeds * seen * TINY_CLAP_S, "training of the tiny CLAP"))
    downloads = [
        (n.what, n.where, "here" if n.here else "to fetch" if n.url else "MISSING", n.size / 1e9) for n in needs(config)
    ]
    return Plan(
        config.title or config.name,
        device,
        pd.DataFrame(rows, columns=["stage", "seconds", "what"]),
        pd.DataFrame(downloads, columns=["what", "where", "state", "gb"]),
        _gpu_gb(config),
        tuple(notes),
    )


def _too_short(clap: Clap, clips: int) -> list[str]:
    """What to set where the tiny CLAP would take so few steps that it hears nothing."""
    steps = clap.epochs * (clips // max(min(clap.train_batch, clips), 1))
    if not clips or steps >= FEWEST_STEPS:
        return []
    epochs = -(-3 * FEWEST_STEPS // max(clips // 32, 1))
    return [
        f"The tiny CLAP would train for {steps} steps on {clips} clips, too few to hear anything: "
        f"--set clap.train_batch=32 --set clap.epochs={epochs}"
    ]


def _count(config: Config, dataset: str, split: str) -> tuple[int, int]:
    """(clips, captions) of a split, without fetching anything; (0, 0) where that cannot be known."""
    published = {
        "clotho": (CLOTHO, 5),
        "audiocaps": (AUDIOCAPS, 1 if split == "train" else 5),
        "wavcaps": ({"train": WAVCAPS, "validation": 0, "evaluation": 0}, 1),
    }
    if dataset == roles.TEXT:
        parts = config.data.text_of[:1] if split == "evaluation" else config.data.text_of
        counts = [_count(config, part, split) for part in parts]
        clips, captions = sum(clips for clips, _ in counts), sum(captions for _, captions in counts)
        wanted = round(config.data.text_size * (1.0 if split == "train" else TENTH)) or captions
        kept = min(1.0, wanted / max(captions, 1))
        return round(clips * kept), round(captions * kept)
    size = config.data.sizes.get(f"{dataset}.{split}")
    if dataset in published:
        clips, each = published[dataset]
        n = min(clips[split], size or clips[split])
        return n, n * each
    if dataset.startswith("soundscapes"):  # known without writing a caption, which takes seconds
        world: Any = load(dataset, config.data)
        return world.count(split)
    try:
        clips = load(dataset, replace(config.data, download=False)).split(split).clips[:size]
    except DatasetError:
        return 0, 0
    captions = sum(len(clip.captions) for clip in clips)
    return len(clips), captions


def _data(config: Config, counts: dict) -> float:
    scenes = sum(clips for t in counts if t.startswith("soundscapes") for clips, _ in counts[t].values())
    if config.data.pretrain.startswith("soundscapes"):
        scenes += _count(config, config.data.pretrain, "train")[0]
    return 10 + scenes * SCENE_S


def _embeddings(config: Config, counts: dict, device: str) -> float:
    if config.clap.backend == "tiny":
        return 0.003 * sum(sum(sum(pair) for pair in c.values()) for c in counts.values())
    windows = {"clotho": 3, "audiocaps": 1}  # of ten seconds, a clip
    clips = sum(
        windows.get(t, 1) * (c["evaluation"][0] + (c["train"][0] if supervised(config, t) else 0))
        for t, c in counts.items()
        if t != roles.TEXT  # which is read alone
    ) + (0 if no_pairs(config) else config.gap.n_pairs)
    captions = sum(sum(pair[1] for pair in c.values()) for c in counts.values())
    text_flop = 2 * 86e6 * TOKENS * captions  # a twelve-layer text tower
    return 10 + clips * WINDOW_S[device] + text_flop / (3 * FLOPS[device])


def _parameters(config: Config) -> float:
    return 12 * config.decoder.layers * config.decoder.width**2 + _vocabulary(config) * config.decoder.width


def _vocabulary(config: Config) -> int:
    return config.decoder.vocabulary if config.decoder.tokenizer == "words" else BERT_TOKENS


def _training(config: Config, trainings: set[str], count: dict, device: str) -> float:
    passes = sum((1 + (name == bridge.BOUND)) * bridge.settings_of(config, name)[0].epochs for name in trainings)
    captions = count["train"][1] * passes
    flop = 6 * _parameters(config) * TOKENS * captions
    steps = captions / config.train.batch_size
    return max(flop / FLOPS[device], steps * STEP_S[device])


def _decoding(config: Config, names: tuple[str, ...], count: dict, device: str) -> float:
    rows = {row.name for row in map(bridge.strategy, names) if row.written}
    beams = config.generate.beam * len(rows & set(config.generate.beam_rows))
    flop = 2 * _parameters(config) * config.generate.max_tokens * count["evaluation"][0]
    return (len(rows) + beams) * (1 + flop / FLOPS[device])


def _tables(config: Config, names: tuple[str, ...], count: dict) -> float:
    rows = len(names) * len(config.seeds)
    size = count["evaluation"][0] / 1000
    spice = count["evaluation"][1] * SPICE_REFERENCES_S + 1000 * size * SPICE_ROW_S * rows
    return 15 + METRICS_S * rows * size + (spice if NEED_SPICE & set(config.metrics.names) else 0)


def _gpu_gb(config: Config) -> float:
    """Weights and batches of CLAP (0.6 GB and some), or weights, Adam and logits of a decoder: the larger one."""
    logits = 3 * 4 * config.train.batch_size * (config.decoder.max_tokens + 1) * _vocabulary(config)
    return 1 + max(2.5e9 if config.clap.backend != "tiny" else 0.5e9, 16 * _parameters(config) + logits) / 1e9
