"""What a profile's decoders learn from and are given: data sets, CLAP embeddings, the gap, and the bridges' context.

audio, captions -> CLAP embeddings -> gap, memory -> bridge.Context. Each step is an artefact that is made once, and
only when somebody asks: captions alone never touch audio. The decoders and what they say are in aaclib.pipeline.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from inspect import signature
from pathlib import Path
from typing import Self

import numpy as np

from aaclib import bridge, clap, config, datasets, embeddings, gap, retrieval, seeds, store, text
from aaclib.clap.base import Backend, pick_device
from aaclib.datasets import leakage
from aaclib.memo import kept
from aaclib.paths import runs_dir


@dataclass(frozen=True)
class Texts:
    captions: list[str]  # normalised, clip after clip
    clip: np.ndarray  # (n,) index of the clip that a caption describes
    z: np.ndarray  # (n, d) float32 unit rows


@dataclass(frozen=True)
class Audio:
    clips: tuple[datasets.Clip, ...]
    z: np.ndarray  # (n, d) float32 unit rows, one a clip
    errors: dict[str, str]  # unreadable file -> reason, where the profile skips such files

    @property
    def ids(self) -> list[str]:
        return [clip.id for clip in self.clips]


@dataclass(frozen=True)
class Pairs:
    ids: list[str]
    captions: list[str]  # the first caption of each clip, normalised
    z_a: np.ndarray  # (n, d)
    z_t: np.ndarray  # (n, d)
    texts: Texts  # all captions of these clips


def of_source(method: Callable) -> Callable:
    """With the setting `captioner`, asked of the run that it names: CLAP, gap, training text and decoders are that
    run's (and that run's target's), and only the recordings are this one's."""
    takes_target = "target" in signature(method).parameters

    @wraps(method)
    def ask(self: Inputs, *args, **kwargs):
        if not self.source:
            return method(self, *args, **kwargs)
        run, target = self.source
        return getattr(run, method.__name__)(*((target, *args[1:]) if takes_target else args), **kwargs)

    return ask


class Inputs:
    """The data and embeddings of one profile. Methods that take a `seed` differ between the seeds of the profile."""

    def __init__(self, settings: config.Config, store_: store.Store | None = None):
        self.config, self.store = settings, store_ or store.Store()
        self.seeds = settings.seeds
        self.absent = {name: why for name in settings.data.targets if (why := datasets.absent(name, settings.data))}
        self.targets = tuple(name for name in settings.data.targets if name not in self.absent)
        self.device = pick_device(settings.device)

    @classmethod
    def load(cls, profile: str = "quick", overrides=()) -> Self:
        return cls(config.load(profile, overrides))

    @classmethod
    def of_run(cls, run: str | Path, device: str | None = None) -> Self:
        """Of a finished run: the name of a profile, or the run's folder. Raises ConfigError where there is none."""
        return cls(config.of_run(run, device))

    def at_once(self, most: int) -> int:
        """How many of `most` workers may run at once: the setting `threads`, which never decides what comes out."""
        return min(most, self.config.threads or most)

    # ---- where results go

    @cached_property
    def run_dir(self) -> Path:
        return runs_dir() / self.config.name

    @property
    def figures(self) -> Path:
        return self.run_dir / "figures"

    @property
    def tables(self) -> Path:
        return self.run_dir / "tables"

    # ---- data

    @kept
    def dataset(self, name: str) -> datasets.Dataset:
        return datasets.load(name, self.config.data, self.store, self.at_once(os.cpu_count() or 1))

    @property
    def synthetic(self) -> bool:
        """Whether anything here was learned from a synthetic world, or is judged on one: CLAP, decoder or target."""
        own_clap = self.config.clap.backend == "tiny" and not self.source and self.config.data.pretrain
        return any(self.dataset(name).synthetic for name in (*self.targets, *filter(None, [own_clap]))) or bool(
            self.source and self.source[0].synthetic
        )

    @kept
    def split(self, name: str, part: str, audio: bool = False) -> datasets.Split:
        """A split, cut to the size that the profile gives it (`data.sizes`)."""
        split = self.dataset(name).split(part, audio)
        size = self.config.data.sizes.get(f"{split.dataset}.{split.name}")
        if size is None or size >= len(split.clips):
            return split
        note = f"The first {size} of {len(split.clips)} clips ({split.name}), by the profile."
        return replace(split, clips=split.clips[:size], notes=(*split.notes, note), digest="")

    def strategies(self, target: str) -> list[bridge.Strategy]:
        """The rows of the target's table that this run can compute: the profile's, in its order, and after them
        each part that was registered from outside."""
        names = dict.fromkeys([*self.config.data.targets[target], *bridge.registered()])
        rows = [row for row in map(bridge.strategy, names) if not self.left_out(target, row.name)]
        return [replace(row, group="paired") if self.knows_target(target, row) else row for row in rows]

    @of_source
    def knows_target(self, target: str, row: bridge.Strategy) -> bool:
        """Whether a row that learned from text reads what was measured on pairs that are the target's own clips."""
        if self.config.data.pairs_split[0] != target or not row.weakly_supervised or row.group == "control":
            return False
        found, read = self.gap(self.seeds[0]), bridge.reads(row)
        measured = found.chosen not in ("given", "caption")
        return bool(found.n and (bridge.needs_pairs(row) or measured and {"sigma", "sigma_without_gap"} & read))

    def left_out(self, target: str, name: str) -> str:
        """Why a row of the profile cannot be computed here, or ''."""
        if bridge.needs_pairs(name) and self.gap(self.seeds[0]).vector is None:
            return f"no audio-caption pairs to measure the gap on ({self.gap(self.seeds[0]).note})"
        references = [len(c.captions) for c in self.split(target, "evaluation").clips]
        if name == "shuffled" and len(references) < 2:
            return "one clip: its caption cannot stand on another"
        if name == "supervised" and not self.source and not any(c.captions for c in self.split(target, "train").clips):
            return "the recordings have no captions to learn from"
        if name == "human" and max(references, default=0) < 2:
            return "one caption a clip: nothing to compare a human caption with"
        if name == "reconstruction" and not any(references):
            return "the recordings have no captions"
        return ""

    @cached_property
    def source(self) -> tuple[Self, str] | None:
        """The finished run (and its target) whose CLAP, text and decoders caption this run's recordings, where the
        setting `captioner` ("RUN" or "RUN:TARGET") names one."""
        if not self.config.captioner:
            return None
        name, target = self.config.source
        run = self.of_run(name, self.config.device)
        return run, target or run.targets[0]

    def training_clips(self, target: str, part: str) -> tuple[datasets.Clip, ...]:
        """The clips whose captions a target's decoders learn from: its own, or, for recordings without any text,
        those of Clotho and AudioCaps."""
        if any(clip.captions for clip in self.split(target, "train").clips):
            return self.split(target, part).clips
        return tuple(clip for name in datasets.TEXT_FOR_ALL for clip in self.split(name, part).clips)

    # ---- embeddings

    @of_source
    @kept
    def clap(self, seed: int) -> Backend:
        backend = self.config.clap.backend
        if backend != "tiny":
            return clap.load(backend, self.device, long_audio=self.config.clap.long_audio)
        from aaclib.clap import tiny

        pretrain = self.config.data.pretrain
        if not pretrain:
            raise config.ConfigError("clap.backend = tiny trains a CLAP, and data.pretrain names no data set for that.")
        trained = tiny.train(self.split(pretrain, "train", audio=True), self.config.clap, seed, self.store, self.device)
        return clap.load(f"tiny:{trained.path}", self.device, long_audio=self.config.clap.long_audio)

    @of_source
    @kept
    def texts(self, target: str, part: str, seed: int) -> Texts:
        """The captions of "train" or "validation" and their embeddings; no audio is touched."""
        return self.texts_of(self.training_clips(target, part), seed)

    def texts_of(self, clips: Sequence[datasets.Clip], seed: int) -> Texts:
        """The captions of these clips and their embeddings."""
        captions = text.normalise([c for clip in clips for c in clip.captions], self.config.data.normalise)
        clip = np.repeat(np.arange(len(clips)), [len(c.captions) for c in clips])
        return Texts(captions, clip, embeddings.embed_text(self.clap(seed), captions, self.store))

    @kept
    def audio(self, target: str, part: str, seed: int) -> Audio:
        """The embeddings of a split's recordings, in the order of `clips`."""
        return self._audio(self.split(target, part, True), seed)

    def _audio(self, split: datasets.Split, seed: int) -> Audio:
        settings = self.config.clap
        clips = [clip for clip in split.clips if clip.audio is not None]
        found = embeddings.extract_audio(
            self.clap(seed),
            [clip.audio for clip in clips],
            self.store,
            batch_size=settings.batch_size or None,
            workers=self.at_once(settings.workers),
            on_error=settings.on_error,
        )
        return Audio(tuple(clips[i] for i in found.index), found.rows, found.errors)

    def clips(self, target: str, part: str, seed: int) -> tuple[datasets.Clip, ...]:
        """The clips of a split that are captioned and scored: all whose recording is here and can be read."""
        return self.audio(target, part, seed).clips

    def retrieval(self, target: str, seed: int) -> dict[str, float]:
        """Recall at 1, 5, 10 and median rank, both ways, on the evaluation split."""
        audio = self.audio(target, "evaluation", seed)
        texts = self.texts_of(audio.clips, seed)
        return retrieval.recall_at_k(audio.z, texts.z, texts.clip)

    # ---- the gap, measured on pairs of another data set

    @kept
    def pairs(self, seed: int) -> Pairs:
        """`gap.n_pairs` clips of `data.pairs` ("<data set>.<split>"), drawn by the seed, with their first captions."""
        split = self.split(*self.config.data.pairs_split, audio=True)
        n = min(self.config.gap.n_pairs, len(split.clips))
        chosen = np.sort(seeds.rng(seed, "pairs").permutation(len(split.clips))[:n])
        some = replace(split, clips=tuple(split.clips[i] for i in chosen), digest="")
        for target in self.targets:
            leakage.refuse_shared(some, self.split(target, "evaluation"))
        audio = self._audio(some, seed)
        texts = self.texts_of(audio.clips, seed)
        first = np.unique(texts.clip, return_index=True)[1]
        return Pairs(audio.ids, [texts.captions[i] for i in first], audio.z, texts.z[first], texts)

    @of_source
    @kept
    def gap(self, seed: int) -> gap.Estimate:
        sigma = self.config.gap.sigma
        if not (self.config.data.pairs and self.config.gap.n_pairs):
            why = "gap.n_pairs is 0" if self.config.data.pairs else "the profile names none"
            return gap.given(sigma, self.clap(seed).dim, why)
        try:
            pairs = self.pairs(seed)
        except datasets.DatasetError as error:
            return gap.given(sigma, self.clap(seed).dim, str(error))
        several = len(pairs.texts.captions) > len(pairs.ids)
        return gap.estimate(pairs.z_a, pairs.z_t, sigma, (pairs.texts.z, pairs.texts.clip) if several else None)

    @of_source
    @kept
    def context(self, target: str, seed: int) -> bridge.Context:
        """What the halves of the strategies may know about this target: its training text, and the external pairs."""
        found, z, settings = self.gap(seed), self.texts(target, "train", seed).z, self.config.gap
        about_gap = (
            {}
            if found.vector is None
            else {
                "gap": found.vector,
                "audio_mean": z.mean(0) + found.vector,
                "sigma_without_gap": found.value(settings.sigma_without_gap or settings.sigma),
            }
        )
        return bridge.Context(
            **about_gap,
            sigma=found.sigma_value,
            text_mean=z.mean(0),
            memory=z[self.memory_rows(target, seed)],
            tau=settings.tau,
            renormalise=settings.renormalise,
        )

    @of_source
    def memory_rows(self, target: str, seed: int) -> np.ndarray:
        """Which training captions the memory holds: each different one once, or `gap.memory` of them by the seed."""
        _, first = np.unique(self.texts(target, "train", seed).captions, return_index=True)
        size = self.config.gap.memory
        return np.sort(seeds.rng(seed, "memory").permutation(first)[:size] if size else first)
