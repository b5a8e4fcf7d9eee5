"""One decoder of a run: what it learns from, what names it in the store, its training."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from aaclib import bridge, config, prompts, seeds, steps, store, text, train
from aaclib.decoder import CaptionDecoder, named
from aaclib.memo import remembered
from aaclib.reprs import brief

if TYPE_CHECKING:
    from aaclib.run import Run


class Trained:
    """A finished decoder; its weights are read when they are asked for."""

    def __init__(self, artefact: store.Artefact, device: torch.device):
        self.artefact, self.device = artefact, device

    @cached_property
    def model(self) -> CaptionDecoder:
        return CaptionDecoder.load(self.artefact.path, self.device)

    @property
    def target(self) -> str:
        return self.artefact.meta["facts"]["target"]

    @property
    def seed(self) -> int:
        return self.artefact.meta["facts"]["seed"]

    @property
    def history(self) -> pd.DataFrame:
        """epoch, step, train_loss, validation_loss, seconds; one row per epoch, losses in nats per token"""
        return pd.DataFrame(self.artefact.meta["facts"]["history"])

    def __repr__(self) -> str:
        facts = self.artefact.meta["facts"]
        about = {name: facts[name] for name in ("target", "training", "seed") if name in facts}
        return brief(self, **about, epochs=len(facts["history"]), folder=str(self.artefact.path))


def trained(run: Run, target: str, strategy: str, seed: int, callback: train.Callback | None = None) -> Trained:
    """The decoder of the strategy's training half, trained if it is not in the store; `Run.decoder` in full."""
    row = bridge.strategy(strategy)

    def build(folder: Path) -> dict[str, Any]:
        return make(run, folder, target, row, seed, callback)

    return _opened(run, run.store.get("decoder", key(run, target, row, seed), build))


@remembered
def _opened(run: Run, artefact: store.Artefact) -> Trained:
    return Trained(artefact, run.device)


def key(run: Run, target: str, row: bridge.Strategy, seed: int) -> dict[str, Any]:
    """What the decoder is made from, as `run.store` names it. Not kept: a training half may be changed in a notebook's
    next cell.

    >>> run.store.find("decoder", decoders.key(run, "clotho", bridge.strategy("noise"), 0))  # None: not trained yet
    """
    (how, decoder), seen = settings(run, target, row), seen_in_training(run, target, row, seed)
    read = ("train", "validation") if how.keep == "best" else ("train",)
    prompted = bridge.prompted(row)
    return {
        "training": row.training,
        "decoder": named(decoder),
        "seed": seed,
        "train": train.named(how),
        "examples": [_examples_digest(run, target, part, seed, row.training) for part in read],
        "context": {name: array_digest(value) for name, value in vars(seen).items()},
        "half": array_digest(bridge.behaviour(row, seen, run.clap(seed).dim)),
        "device": run.device.type,
        **_vocabulary(run, target, row, seed),
        **bridge.source_of(row),
        **({"prompts": [_prompts_digest(run, target, part, row, seed) for part in read]} if prompted else {}),
    }


def _vocabulary(run: Run, target: str, row: bridge.Strategy, seed: int) -> dict[str, str]:
    """The captions that the vocabulary is made of (`make`), where a training is not given them as its examples: a row
    that learns from audio sees only those of recordings that are here."""
    if bridge.TRAINING[row.training].hears != "audio":
        return {}
    corpus = run.texts(target, "train", seed).captions
    given = examples(run, target, "train", seed, row.training)[1]
    return {} if corpus == given else {"vocabulary": store.digest(corpus)}


def settings(run: Run, target: str, row: bridge.Strategy) -> tuple[config.Train, config.Decoder]:
    """The profile's settings of a training; of text without a validation part the last epoch is kept."""
    how, decoder = bridge.settings_of(run.config, row.training)
    validated = any(c.captions for c in run.training_clips(target, "validation"))
    return how if validated else replace(how, keep="last"), decoder


def epochs(run: Run, target: str, row: bridge.Strategy, seed: int) -> int:
    """How many epochs a training has."""
    return train.epochs(settings(run, target, row)[0], len(examples(run, target, "train", seed, row.training)[1]))


def seen_in_training(run: Run, target: str, row: bridge.Strategy, seed: int) -> bridge.Narrow:
    """What of the context a decoder's training may know."""
    return bridge.seen_in_training(row, run.context(target, seed))


def context_of(run: Run, target: str, row: bridge.Strategy, seed: int) -> bridge.Context:
    """What a row's inference half may know: `Run.context`, and for the bound alone the target's own audio."""
    context = run.context(target, seed)
    if row.training != bridge.BOUND:
        return context
    return replace(context, own_audio_mean=_own_audio_mean(run, target, seed))


@remembered
def _own_audio_mean(run: Run, target: str, seed: int) -> np.ndarray:
    return run.audio(target, "train", seed).z.mean(0)


def examples(run: Run, target: str, part: str, seed: int, training: str = "text") -> tuple[np.ndarray, list[str]]:
    """What a decoder learns from: embeddings (n, d) float32 and n captions. Text embeddings for every
    weakly-supervised row; the clip's audio embedding, once for each of its captions, for the supervised one; both for
    the bound, each centred on its own mean (it is validated on audio, which is what it will be given).

    >>> z, captions = decoders.examples(run, "clotho", "train", 0)
    """
    if not bridge.hears_target(training):
        texts = run.texts(target, part, seed)
        return texts.z, texts.captions
    audio = run.audio(target, part, seed)
    heard = run.texts_of(audio.clips, seed)
    if training != bridge.BOUND:
        return audio.z[heard.clip], heard.captions
    context = context_of(run, target, bridge.strategy(bridge.BOUND), seed)
    z = bridge.infer_half(bridge.BOUND)(audio.z, context)[heard.clip]
    if part != "train":
        return z, heard.captions
    texts = run.texts(target, part, seed)
    read = steps.chain([steps.centre_text])(texts.z, context)
    return np.concatenate([read, z]), [*texts.captions, *heard.captions]


@remembered
def _examples_digest(run: Run, target: str, part: str, seed: int, training: str) -> str:
    z, captions = examples(run, target, part, seed, training)
    return store.digest([array_digest(z), captions])


@remembered
def _prompts_digest(run: Run, target: str, part: str, row: bridge.Strategy, seed: int) -> str:
    return store.digest(prompts.while_training(run, target, part, row, seed))


def make(
    run: Run, folder: Path, target: str, row: bridge.Strategy, seed: int, callback: train.Callback | None = None
) -> dict[str, Any]:
    """Trains the decoder into `folder`, going on from what an earlier attempt left there; returns the facts of its
    artefact."""
    how, decoder = settings(run, target, row)
    # one vocabulary for all rows of a target, so that they differ in the bridge alone
    corpus = run.texts(target, "train", seed).captions
    tokenizer = text.make_tokenizer(decoder.tokenizer, corpus, decoder.vocabulary, decoder.tokens)

    def encoded(part: str) -> train.Examples:
        z, captions = examples(run, target, part, seed, row.training)
        z = np.asarray(z)  # the same array in every epoch, for what a half makes of it once
        tokens = tokenizer.encode(captions, decoder.max_tokens)
        if not bridge.prompted(row):
            return train.Examples(z, tokens)
        before = prompts.joined(prompts.while_training(run, target, part, row, seed), tokenizer, run.config)
        return train.Examples(z, tokens, tokenizer.encode(before))

    training, validation = encoded("train"), encoded("validation") if how.keep == "best" else None
    seeds.seed_all(seed, "decoder")
    model = CaptionDecoder(decoder, training.z.shape[1], tokenizer).to(run.device)
    history = train.train(
        model,
        bridge.train_half(row),
        seen_in_training(run, target, row, seed),
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


def array_digest(value: np.ndarray | float | None) -> str:
    """Sixteen hex digits of an array's dtype, shape and bytes."""
    array = np.ascontiguousarray(value)
    return store.digest(str((array.dtype, array.shape)).encode() + array.tobytes())
