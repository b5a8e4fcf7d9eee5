"""A profile's run as one object: data, embeddings, gap, decoders and captions; arrays and lists, by target and seed.

run = aaclib.Run.load("quick")
run.audio("soundscapes-long", "evaluation", seed=0).z          # (n, d) float32, unit rows
run.captions("soundscapes-long", "projection", seed=0)         # n captions

audio, captions -> CLAP embeddings -> gap, memory -> bridge.Context -> decoder -> captions. Each arrow's result is an
artefact that is made once, and only when somebody asks: captions alone never touch audio. aaclib.results has numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from aaclib import arrays, bridge, captions, clap, config, datasets, decoders, embeddings, gap, rows, seeds, store
from aaclib.arrays import Audio, Pairs, Texts
from aaclib.clap.base import Backend
from aaclib.datasets import leakage
from aaclib.device import pick_device
from aaclib.finished import Finished
from aaclib.gap import Estimate
from aaclib.memo import remembered
from aaclib.paths import runs_dir
from aaclib.records import settings as settings_of
from aaclib.roles import TEXT, read, recordings
from aaclib.text import normalise
from aaclib.train import Callback


class Run:
    """Everything that a profile computes, but its numbers. Methods that take a `seed` differ between the seeds.

    config: the settings; store: where artefacts lie; device: torch.device.
    targets: the data sets with captions that can be had here; recordings: those without; absent: the others, and why.
    seeds: one decoder of each training per seed; with the tiny CLAP, one CLAP per seed as well.
    """

    def __init__(self, settings: config.Config, store_: store.Store | None = None):
        self.config, self.store = settings, store_ or store.Store()
        self.seeds = settings.seeds
        self.absent = {name: why for name in settings.data.targets if (why := datasets.absent(name, settings.data))}
        here = [name for name in settings.data.targets if name not in self.absent]
        self.recordings = tuple(filter(recordings(settings).__contains__, here))
        self.targets = tuple(name for name in here if name not in self.recordings)
        self.device = pick_device(settings.device)

    @classmethod
    def load(cls, profile: str = "quick", overrides: Mapping[str, Any] | Iterable[str] = ()) -> Self:
        """The run of a profile (a name, or a YAML file) with these settings changed. Raises ConfigError.

        >>> Run.load("quick", {"gap.tau": 0.1})
        """
        found = config.load(profile, overrides)
        return cls(found, None if found.device else Finished(found.name))  # a device asked for makes its own

    @classmethod
    def of_run(cls, run: str | Path, device: str | None = None) -> Self:
        """A finished run, whatever device made it: the name of a profile, or the run's folder. Raises ConfigError where
        there is none, and store.Damaged where its record was changed.

        >>> Run.of_run("data/runs/quick")
        """
        return cls(settings_of(run, device), Finished(run))

    def __repr__(self) -> str:
        counts = (f"{name} ({len(self.config.data.targets[name])} rows)" for name in self.targets + self.recordings)
        about = [", ".join(counts) or "no target", f"seeds {', '.join(map(str, self.seeds))}"]
        about += [f"CLAP {self.config.clap.backend}", str(self.device)]
        there = ["run.json"] if (self.run_dir / "run.json").is_file() else ["no run.json yet"]
        there += [f"{len(list(folder.glob('*.*')))} files in {folder.name}" for folder in (self.figures, self.tables)]
        return f"Run {self.config.name!r}: {'; '.join(about)}\n{self.run_dir}: {', '.join(there)}"

    # ---- where results go

    @cached_property
    def run_dir(self) -> Path:
        """data/runs/<name>"""
        return runs_dir() / self.config.name

    @property
    def figures(self) -> Path:
        return self.run_dir / "figures"

    @property
    def tables(self) -> Path:
        return self.run_dir / "tables"

    # ---- data

    @remembered
    def dataset(self, name: str) -> datasets.Dataset:
        """A data set by its name, a target or not. Raises DatasetError for an unknown one.

        >>> run.dataset("clotho").title
        """
        return datasets.load(name, self.config.data, self.store, self.config.at_once(os.cpu_count() or 1))

    @cached_property
    def synthetic(self) -> bool:
        """Whether anything here was learned from a synthetic world, or is judged on one: CLAP, decoder or target."""
        if self.config.captioner and Run.of_run(self.config.source[0], self.config.device).synthetic:
            return True
        own_clap = "" if self.config.captioner or self.config.clap.backend != "tiny" else self.config.data.pretrain
        return any(self.dataset(n).synthetic for n in (*self.targets, *self.recordings, own_clap) if n)

    @remembered
    def split(self, name: str, part: str, audio: bool = False) -> datasets.Split:
        """The clips of a data set's "train", "validation" or "evaluation" part, cut to the size that the profile gives
        it (`data.sizes`). `audio`: with the files of the recordings, which are fetched or rendered where they are not
        here. Raises DatasetError where they cannot be had.

        >>> [clip.captions[0] for clip in run.split("clotho", "evaluation").clips[:3]]
        """
        split = self.dataset(name).split(part, audio)
        size = self.config.data.sizes.get(f"{split.dataset}.{split.name}")
        if size is None or size >= len(split.clips):
            return split
        note = f"The first {size} of {len(split.clips)} clips ({split.name}), by the profile."
        return replace(split, clips=split.clips[:size], notes=(*split.notes, note), digest="")

    def training_clips(self, target: str, part: str) -> tuple[datasets.Clip, ...]:
        """The clips whose captions a target's decoders learn from ("train", with those of `data.more_text`) or are
        validated on ("validation"). Raises ConfigError where it has none, or a finished run is `captioner`.

        >>> sum(len(clip.captions) for clip in run.training_clips("clotho", "train"))
        """
        self._learns()
        if not any(clip.captions for clip in self.split(target, "train").clips):
            raise config.ConfigError(f"{target} has no captions to learn from: ask aaclib.Captioner.of(run) for some.")
        return tuple(clip for name in read(self.config, target, part) for clip in self.split(name, part).clips)

    def _learns(self) -> None:
        if self.config.captioner:
            why = f"By the setting captioner={self.config.captioner} no decoder is trained here"
            raise config.ConfigError(f"{why}: those of that run write the captions. Ask aaclib.Captioner.of(run).")

    # ---- embeddings

    @remembered
    def clap(self, seed: int) -> Backend:
        """The CLAP that embeds audio and text, trained first where it is the tiny one. Raises ConfigError where it has
        no data set to be trained on, BackendError where its weights cannot be had.

        >>> run.clap(0).embed_text(["a dog barks"]).shape          # (1, d)
        """
        backend = self.config.clap.backend
        if backend != "tiny":
            return clap.load(backend, self.device, long_audio=self.config.clap.long_audio)
        from aaclib.clap import tiny

        pretrain = self.config.data.pretrain
        if not pretrain:
            raise config.ConfigError("clap.backend = tiny trains a CLAP, and data.pretrain names no data set for that.")
        trained = tiny.train(self.split(pretrain, "train", audio=True), self.config.clap, seed, self.store, self.device)
        return clap.load(f"tiny:{trained.path}", self.device, long_audio=self.config.clap.long_audio)

    @remembered
    def texts(self, target: str, part: str, seed: int) -> Texts:
        """The captions that decoders learn from ("train") or are validated on ("validation"), n of them, and their
        embeddings (n, d); no audio is touched. Raises as `training_clips`.

        >>> run.texts("clotho", "train", 0).captions[0]
        """
        return self.texts_of(self.training_clips(target, part), seed)

    def texts_of(self, clips: Sequence[datasets.Clip], seed: int) -> Texts:
        """All captions of these clips, n of them, normalised, and their embeddings (n, d).

        >>> run.texts_of(run.clips("clotho", "evaluation", 0), 0)
        """
        captions = normalise([c for clip in clips for c in clip.captions], self.config.data.normalise)
        clip = np.repeat(np.arange(len(clips)), [len(c.captions) for c in clips])
        return Texts(captions, clip, embeddings.embed_text(self.clap(seed), captions, self.store))

    @remembered
    def audio(self, target: str, part: str, seed: int) -> Audio:
        """The recordings of a split that can be read, n of them, and their embeddings (n, d), in the order of `clips`.
        Raises ExtractionError, which names the file, for one that cannot be read (with clap.on_error=skip it is
        listed in `errors` instead).

        >>> run.audio("clotho", "evaluation", 0).z @ run.texts("clotho", "train", 0).z.T       # cosines
        """
        return arrays.recordings(self.clap(seed), self.split(target, part, True), self.config, self.store)

    def clips(self, target: str, part: str, seed: int) -> tuple[datasets.Clip, ...]:
        """The clips of a split that are captioned and scored: all whose recording is here and can be read. Of the
        target `text`, to whose recordings nobody listens, all clips. Raises as `audio`.

        >>> run.clips("clotho", "evaluation", 0)[7].audio          # the path of a recording
        """
        return self.split(target, part).clips if target == TEXT else self.audio(target, part, seed).clips

    # ---- the gap, measured on pairs of another data set

    @remembered
    def pairs(self, seed: int) -> Pairs:
        """`gap.n_pairs` clips of `data.pairs` ("<data set>.<split>"), drawn by the seed, with their first captions:
        z_a and z_t, each (n, d). Raises LeakError where one of them is an evaluation clip of a target.

        >>> (run.pairs(0).z_a - run.pairs(0).z_t).mean(0)          # the gap vector, (d,)
        """
        split = self.split(*self.config.data.pairs_split, audio=True)
        n = min(self.config.gap.n_pairs, len(split.clips))
        chosen = np.sort(seeds.rng(seed, "pairs").permutation(len(split.clips))[:n])
        drawn = replace(split, clips=tuple(split.clips[i] for i in chosen), digest="")
        for target in self.targets:
            leakage.refuse_shared(drawn, self.split(target, "evaluation"))
        audio = arrays.recordings(self.clap(seed), drawn, self.config, self.store)
        texts = self.texts_of(audio.clips, seed)
        first = np.unique(texts.clip, return_index=True)[1]
        return Pairs(audio.ids, [texts.captions[i] for i in first], audio.z, texts.z[first], texts)

    @remembered
    def gap(self, seed: int) -> Estimate:
        """The gap vector (d,), sigma by every estimator and the one in use, from `pairs`. Where there are none, or no
        row reads what they tell, the sigma that the profile gives and the reason (`note`). Raises as `pairs` and
        `training_clips`, and ValueError where these pairs cannot tell the sigma that the profile asks for.

        >>> run.gap(0).vector, run.gap(0).sigma_value
        """
        self._learns()
        sigma = self.config.gap.sigma
        if why := rows.no_pairs(self.config):
            return gap.given(sigma, self.clap(seed).dim, why)
        try:
            pairs = self.pairs(seed)
        except datasets.DatasetError as error:
            return gap.given(sigma, self.clap(seed).dim, str(error))
        several = len(pairs.texts.captions) > len(pairs.ids)
        return gap.estimate(pairs.z_a, pairs.z_t, sigma, (pairs.texts.z, pairs.texts.clip) if several else None)

    @remembered
    def context(self, target: str, seed: int) -> bridge.Context:
        """What the halves of the strategies may know about this target: its training text, and the external pairs.

        >>> bridge.infer_half("projection")(run.audio("clotho", "evaluation", 0).z, run.context("clotho", 0))
        """
        estimate, z, settings = self.gap(seed), self.texts(target, "train", seed).z, self.config.gap
        known = {}
        if estimate.vector is not None:
            pairs, sigma = self.pairs(seed), estimate.value(settings.sigma_without_gap or settings.sigma)
            known = {"gap": estimate.vector, "audio_mean": z.mean(0) + estimate.vector, "sigma_without_gap": sigma}
            known |= {"pair_audio": pairs.z_a, "pair_text": pairs.z_t}
        return bridge.Context(
            **known,
            sigma=estimate.sigma_value,
            text_mean=z.mean(0),
            memory=z[self.memory_rows(target, seed)],
            tau=settings.tau,
            axes=settings.axes,
            renormalise=settings.renormalise,
            device=str(self.device) if self.device.type == "cuda" else None,
        )

    @remembered
    def memory_rows(self, target: str, seed: int) -> np.ndarray:
        """(m,) int64, which training captions the memory holds: each different one once, or `gap.memory` of them by
        the seed.

        >>> [run.texts("clotho", "train", 0).captions[row] for row in run.memory_rows("clotho", 0)]
        """
        _, first = np.unique(self.texts(target, "train", seed).captions, return_index=True)
        size = self.config.gap.memory
        return np.sort(seeds.rng(seed, "memory").permutation(first)[:size] if size else first)

    # ---- decoders and captions

    def strategies(self, target: str) -> list[bridge.Strategy]:
        """The rows of the target's table that this run can compute: the profile's and those registered in `bridge`;
        `rows.left_out` says why another one is not among them.

        >>> [row.name for row in run.strategies("clotho")]
        """
        return rows.computable(self, target)

    def decoder(self, target: str, strategy: str, seed: int, callback: Callback | None = None) -> decoders.Trained:
        """The decoder of the strategy's training half, trained if it is not in the store; strategies of one training
        share it. `callback` gets the history after each epoch. Raises StrategyError for an unknown name.

        >>> run.decoder("clotho", "noise", 0).history              # epoch, train_loss, ...
        """
        return decoders.trained(self, target, strategy, seed, callback)

    @remembered
    def captions(
        self, target: str, strategy: str, seed: int, decoding: str = "greedy", part: str = "evaluation"
    ) -> list[str]:
        """One caption per clip of `clips(target, part, seed)`, in that order, by `decoding` "greedy" or "beam". Raises
        ValueError for the row "human", which nothing generates, and StrategyError for an unknown name.

        >>> run.captions("clotho", "noise+projection", 0, "beam")[7]
        """
        return captions.of(self, target, strategy, seed, decoding, part)
