"""The pipeline: a profile's decoders and what they say, each an artefact that is made once.

embeddings -> bridge -> decoder -> captions. Notebooks, the runner and the captioner ask an `Experiment`
(aaclib.experiment, which scores the captions) for what they show; it makes what is not there yet.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aaclib import bridge, config, generate, seeds, store, text, train
from aaclib.decoder import CaptionDecoder
from aaclib.inputs import Inputs, of_source
from aaclib.memo import kept


class Trained:
    """A finished decoder; its weights are read when they are asked for."""

    def __init__(self, artefact: store.Artefact, device: torch.device):
        self.artefact, self.device = artefact, device

    @cached_property
    def model(self) -> CaptionDecoder:
        return CaptionDecoder.load(self.artefact.path, self.device)

    @property
    def history(self) -> pd.DataFrame:
        """epoch, step, train_loss, validation_loss, seconds"""
        return pd.DataFrame(self.artefact.meta["facts"]["history"])


class Pipeline(Inputs):
    """Decoders and captions of one profile. Methods that take a `seed` differ between the seeds of the profile."""

    # ---- decoders

    @of_source
    def decoder(self, target: str, strategy: str, seed: int, callback: train.Callback | None = None) -> Trained:
        """The decoder of the strategy's training half; strategies of one training share it."""
        row = bridge.strategy(strategy)
        return self._trained(self.store.get("decoder", self.decoder_key(target, row, seed),
                                            lambda folder: self._train(folder, target, row, seed, callback)))

    @kept
    def _trained(self, artefact: store.Artefact) -> Trained:
        return Trained(artefact, self.device)

    @of_source
    def decoder_key(self, target: str, row: bridge.Strategy, seed: int) -> dict:
        """What the decoder is made from. Not kept: a training half may be changed in a notebook's next cell."""
        how, seen = self.train_settings(target, row), self.seen_in_training(target, row, seed)
        read = ("train", "validation") if how.keep == "best" else ("train",)
        return {
            "training": row.training, "decoder": self.config.decoder, "seed": seed, "train": how,
            "examples": [self._examples_digest(target, part, seed, not row.weakly_supervised) for part in read],
            "context": {name: array_digest(value) for name, value in vars(seen).items()},
            "half": array_digest(bridge.behaviour(row, seen, self.clap(seed).dim)), "device": self.device.type,
        }

    def seen_in_training(self, target: str, row: bridge.Strategy, seed: int) -> bridge.Narrow:
        """What of the context a decoder's training may know."""
        return bridge.seen_in_training(row, self.context(target, seed))

    def train_settings(self, target: str, row: bridge.Strategy) -> config.Train:
        """The profile's settings of a training; of text without a validation part the last epoch is kept."""
        how, validated = self.config.train, any(c.captions for c in self.training_clips(target, "validation"))
        return replace(how, epochs=how.epochs_of(not row.weakly_supervised), supervised_factor=1,
                       keep=how.keep if validated else "last")

    def examples(self, target: str, part: str, seed: int, supervised: bool = False) -> tuple[np.ndarray, list[str]]:
        """What a decoder learns from: embeddings (n, d) and captions. Text embeddings for every weakly-supervised
        row; the clip's audio embedding, once for each of its captions, for the supervised one alone."""
        if not supervised:
            texts = self.texts(target, part, seed)
            return texts.z, texts.captions
        audio = self.audio(target, part, seed)
        texts = self.texts_of(audio.clips, seed)
        return audio.z[texts.clip], texts.captions

    @kept
    def _examples_digest(self, target: str, part: str, seed: int, supervised: bool) -> str:
        z, captions = self.examples(target, part, seed, supervised)
        return store.digest([array_digest(z), captions])

    def _train(self, folder: Path, target: str, row: bridge.Strategy, seed: int,
               callback: train.Callback | None) -> dict:
        settings, how = self.config.decoder, self.train_settings(target, row)
        # one vocabulary for all rows of a target, so that they differ in the bridge alone
        corpus = self.texts(target, "train", seed).captions
        tokenizer = text.make_tokenizer(settings.tokenizer, corpus, settings.vocabulary)

        def encoded(part: str) -> train.Examples:
            z, captions = self.examples(target, part, seed, not row.weakly_supervised)
            return train.Examples(z, tokenizer.encode(captions, settings.max_tokens))

        training, validation = encoded("train"), encoded("validation") if how.keep == "best" else None
        seeds.seed_all(seed, "decoder")
        model = CaptionDecoder(settings, training.z.shape[1], tokenizer).to(self.device)
        history = train.train(
            model, bridge.train_half(row), self.seen_in_training(target, row, seed), training, validation, how,
            seeds.derive(seed, target, row.training), folder, f"{target}, {row.training}, seed {seed}", callback,
        )
        model.save(folder)
        return {"history": history, "target": target, "training": row.training, "seed": seed}

    # ---- captions

    @kept
    def captions(self, target: str, strategy: str, seed: int, decoding: str = "greedy") -> list[str]:
        """One caption a clip of `clips(target, "evaluation")`, in that order."""
        row = bridge.strategy(strategy)
        if row.name == "human":
            raise ValueError("human captions are not generated: Experiment.human scores them one against the others")
        if row.name == "shuffled":          # chance: fluent captions of the right data set on the wrong clips
            captions = self.captions(target, "projection", seed, decoding)
            return [captions[i] for i in derangement(len(captions), seeds.rng(seed, "shuffled"))]
        z, context = self.evaluation_input(target, row, seed), self.context(target, seed)
        if row.name == "copy":
            rows, index = self.memory_rows(target, seed), bridge.memories.nearest_index(z, context.memory)
            return [self.texts(target, "train", seed).captions[rows[i]] for i in index]
        return self._decode(self.decoder(target, row.name, seed), bridge.infer_half(row)(z, context), decoding)

    def evaluation_input(self, target: str, row: bridge.Strategy, seed: int) -> np.ndarray:
        """(n, d): the audio embeddings; for `reconstruction` the text embedding of each clip's first caption."""
        if row.name != "reconstruction":
            return self.audio(target, "evaluation", seed).z
        texts = self.texts_of(self.clips(target, "evaluation", seed), seed)
        return texts.z[np.unique(texts.clip, return_index=True)[1]]

    def _decode(self, trained: Trained, z: np.ndarray, decoding: str) -> list[str]:
        settings = self.config.generate
        beam = {"greedy": 1, "beam": settings.beam}[decoding]
        key = {"decoder": trained.artefact, "z": array_digest(z), "beam": beam, "max_tokens": settings.max_tokens,
               "batch_size": settings.batch_size, "device": self.device.type}

        def build(folder: Path) -> None:
            made = generate.generate(trained.model, z, beam, settings.max_tokens, settings.batch_size)
            store.write_json(folder / "captions.json", made)

        return store.read_json(self.store.get("captions", key, build) / "captions.json")


def array_digest(value: np.ndarray | float | None) -> str:
    array = np.ascontiguousarray(value)
    return store.digest(str((array.dtype, array.shape)).encode() + array.tobytes())


def derangement(n: int, rng: np.random.Generator) -> np.ndarray:
    """A random order in which nobody keeps the own place. Raises ValueError for a single one."""
    if n == 1:
        raise ValueError("one clip alone has no other whose caption it could have")
    order = rng.permutation(n)
    shifted = np.empty(n, dtype=np.int64)
    shifted[order] = np.roll(order, 1)
    return shifted
