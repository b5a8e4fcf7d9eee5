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

from aaclib import bridge, config, generate, memory, seeds, steps, store, text, train
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
        return self._trained(
            self.store.get(
                "decoder",
                self.decoder_key(target, row, seed),
                lambda folder: self._train(folder, target, row, seed, callback),
            )
        )

    @kept
    def _trained(self, artefact: store.Artefact) -> Trained:
        return Trained(artefact, self.device)

    @of_source
    def decoder_key(self, target: str, row: bridge.Strategy, seed: int) -> dict:
        """What the decoder is made from. Not kept: a training half may be changed in a notebook's next cell."""
        (how, decoder), seen = self.settings_of(target, row), self.seen_in_training(target, row, seed)
        read = ("train", "validation") if how.keep == "best" else ("train",)
        return {
            "training": row.training,
            "decoder": decoder,
            "seed": seed,
            "train": how,
            "examples": [self._examples_digest(target, part, seed, row.training) for part in read],
            "context": {name: array_digest(value) for name, value in vars(seen).items()},
            "half": array_digest(bridge.behaviour(row, seen, self.clap(seed).dim)),
            "device": self.device.type,
        } | bridge.source_of(row)

    def seen_in_training(self, target: str, row: bridge.Strategy, seed: int) -> bridge.Narrow:
        """What of the context a decoder's training may know."""
        return bridge.seen_in_training(row, self.context(target, seed))

    def settings_of(self, target: str, row: bridge.Strategy) -> tuple[config.Train, config.Decoder]:
        """The profile's settings of a training; of text without a validation part the last epoch is kept."""
        how, decoder = bridge.settings_of(self.config, row.training)
        validated = any(c.captions for c in self.training_clips(target, "validation"))
        return how if validated else replace(how, keep="last"), decoder

    def examples(self, target: str, part: str, seed: int, training: str = "text") -> tuple[np.ndarray, list[str]]:
        """What a decoder learns from: embeddings (n, d) and captions. Text embeddings for every weakly-supervised
        row; the clip's audio embedding, once for each of its captions, for the supervised one; both for the bound,
        each centred on its own mean (it is validated on audio, which is what it will be given)."""
        if not bridge.hears_target(training):
            texts = self.texts(target, part, seed)
            return texts.z, texts.captions
        audio = self.audio(target, part, seed)
        heard = self.texts_of(audio.clips, seed)
        if training != bridge.BOUND:
            return audio.z[heard.clip], heard.captions
        context = self.context_of(target, bridge.strategy(bridge.BOUND), seed)
        z = bridge.infer_half(bridge.BOUND)(audio.z, context)[heard.clip]
        if part != "train":
            return z, heard.captions
        texts = self.texts(target, part, seed)
        read = bridge.chain([steps.centre_text])(texts.z, context)
        return np.concatenate([read, z]), [*texts.captions, *heard.captions]

    def context_of(self, target: str, row: bridge.Strategy, seed: int) -> bridge.Context:
        """What a row's inference half may know: that of the bound alone the target's own audio."""
        context = self.context(target, seed)
        if row.training != bridge.BOUND:
            return context
        return replace(context, own_audio_mean=self.own_audio_mean(target, seed))

    @of_source
    @kept
    def own_audio_mean(self, target: str, seed: int) -> np.ndarray:
        return self.audio(target, "train", seed).z.mean(0)

    @kept
    def _examples_digest(self, target: str, part: str, seed: int, training: str) -> str:
        z, captions = self.examples(target, part, seed, training)
        return store.digest([array_digest(z), captions])

    def _train(
        self, folder: Path, target: str, row: bridge.Strategy, seed: int, callback: train.Callback | None
    ) -> dict:
        how, settings = self.settings_of(target, row)
        # one vocabulary for all rows of a target, so that they differ in the bridge alone
        corpus = self.texts(target, "train", seed).captions
        tokenizer = text.make_tokenizer(settings.tokenizer, corpus, settings.vocabulary)

        def encoded(part: str) -> train.Examples:
            z, captions = self.examples(target, part, seed, row.training)
            return train.Examples(z, tokenizer.encode(captions, settings.max_tokens))

        training, validation = encoded("train"), encoded("validation") if how.keep == "best" else None
        seeds.seed_all(seed, "decoder")
        model = CaptionDecoder(settings, training.z.shape[1], tokenizer).to(self.device)
        history = train.train(
            model,
            bridge.train_half(row),
            self.seen_in_training(target, row, seed),
            training,
            validation,
            how,
            seeds.derive(seed, target, row.training),
            folder,
            f"{target}, {row.training}, seed {seed}",
            callback,
        )
        model.save(folder)
        return {"history": history, "target": target, "training": row.training, "seed": seed}

    # ---- captions

    @kept
    def captions(
        self, target: str, strategy: str, seed: int, decoding: str = "greedy", part: str = "evaluation"
    ) -> list[str]:
        """One caption a clip of `clips(target, part)`, in that order."""
        row = bridge.strategy(strategy)
        if row.name == "human":
            raise ValueError("human captions are not generated: Experiment.human scores them one against the others")
        if row.name == "shuffled":  # chance: fluent captions of the right data set on the wrong clips
            captions = self.captions(target, "projection", seed, decoding, part)
            return [captions[i] for i in derangement(len(captions), seeds.rng(seed, "shuffled"))]
        z, context = self.input(target, row, seed, part), self.context_of(target, row, seed)
        if row.name in bridge.NO_DECODER:
            rows, index = self.memory_rows(target, seed), memory.nearest_index(z, context.memory)
            return [self.texts(target, "train", seed).captions[rows[i]] for i in index]
        return self._decode(self.decoder(target, row.name, seed), bridge.infer_half(row)(z, context), decoding)

    def input(self, target: str, row: bridge.Strategy, seed: int, part: str = "evaluation") -> np.ndarray:
        """(n, d): the audio embeddings; for `reconstruction` and `look-up` the text embedding of a reference."""
        if row.name not in ("reconstruction", "look-up"):
            return self.audio(target, part, seed).z
        return self.texts_of(self.clips(target, part, seed), seed).z[self.unread(target, seed, part)[0]]

    @kept
    def unread(self, target: str, seed: int, part: str = "evaluation") -> tuple[np.ndarray, np.ndarray]:
        """Of each clip the first reference that no training caption repeats, (n,) row of its captions, and whether it
        has one, (n,) bool; where it has none its first reference stands in."""
        known = set(self.texts(target, "train", seed).captions)
        texts = self.texts_of(self.clips(target, part, seed), seed)
        new = np.array([caption not in known for caption in texts.captions])
        order = np.lexsort((np.arange(len(new)), ~new, texts.clip))  # by clip, the new ones first
        first = order[np.unique(texts.clip, return_index=True)[1]]
        return first, new[first]

    def _decode(self, trained: Trained, z: np.ndarray, decoding: str) -> list[str]:
        settings = self.config.generate
        beam = {"greedy": 1, "beam": settings.beam}[decoding]
        key = {
            "decoder": trained.artefact,
            "z": array_digest(z),
            "beam": beam,
            "max_tokens": settings.max_tokens,
            "batch_size": settings.batch_size,
            "device": self.device.type,
        }

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
