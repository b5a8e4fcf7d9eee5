"""Questions answered by a decoder of text: it reads an embedding and a question, and writes the answer.

The decoder is that of captions, the question is its prompt: prefix, question, answer, with the loss on the answer
alone. It learns from z_t, a caption's embedding, and is asked about z_a, which passes a strategy's inference half. So a
row of captions is a row of answers as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from aaclib import bridge, captions, cluster, config, decoders, generate, metrics, seeds, store, text, train, training
from aaclib.datasets import questions
from aaclib.datasets.questions import Question
from aaclib.decoder import CaptionDecoder, named
from aaclib.decoders import Trained, array_digest
from aaclib.memo import remembered
from aaclib.metrics import Scores
from aaclib.metrics.result import means
from aaclib.progress import Progress
from aaclib.run import Run

ALONE = "question alone"  # a row: the same decoder, to which nothing is told of the recording
LONGEST = 4  # tokens of an answer
BATCH = 2  # times that of captions: answers are short, so more of them make a step


class Asked(NamedTuple):
    """n questions, each with what is told of its recording."""

    z: np.ndarray  # (n, d) float32
    questions: list[str]
    answers: list[str]


@remembered
def asked(run: Run, target: str, part: str) -> list[Question]:
    """The questions about the clips of a split, clip after clip; to learn from, all that can be asked about each.
    Raises DatasetError for a target without any.

    >>> answering.asked(run, "soundscapes-long", "evaluation")[0].text
    """
    clips = run.split(target, part).clips
    return questions.of_scenes(run.dataset(target), part, len(clips), every=part == "train")


@remembered
def examples(run: Run, target: str, part: str, row: str, seed: int) -> Asked:
    """What a decoder learns from. Each question goes with the embedding of one of its clip's captions, one after the
    other; in the supervised row with that of the recording; in `question alone` with one and the same vector.

    >>> answering.examples(run, "soundscapes-long", "train", "noise", 0).z.shape
    """
    found = asked(run, target, part)
    clip = np.array([question.clip for question in found])
    about = [question.text for question in found], [question.answer for question in found]
    if row != ALONE and bridge.hears_target(_strategy(row).training):
        return Asked(run.audio(target, part, seed).z[clip], *about)
    if row == ALONE:
        return Asked(np.repeat(_nothing(run, target, seed), len(clip), axis=0), *about)
    texts = run.texts(target, part, seed)
    _, first, count = np.unique(texts.clip, return_index=True, return_counts=True)
    turn = np.arange(len(clip)) - np.searchsorted(clip, clip)  # 0, 1, ... of its clip's questions
    return Asked(texts.z[first[clip] + turn % count[clip]], *about)


def decoder(run: Run, target: str, row: str, seed: int) -> Trained:
    """The decoder of a row, trained if it is not in the store; rows of one training share it. Raises StrategyError.

    >>> answering.decoder(run, "soundscapes-long", "noise+projection", 0).history
    """
    made = run.store.get("decoder", key(run, target, row, seed), lambda folder: make(run, folder, target, row, seed))
    return _opened(run, made)


def train_all(run: Run, target: str, rows: Sequence[str], seed: int) -> dict[str, Trained]:
    """The decoders of these rows; those that are not in the store are trained side by side, as those of captions are.

    >>> answering.train_all(run, "soundscapes-long", ["baseline", "noise"], 0)["noise"].history
    """
    wanted = {run.store.id("decoder", made_from): row for row in rows for made_from in [key(run, target, row, seed)]}
    todo = [row for row in wanted.values() if run.store.find("decoder", key(run, target, row, seed)) is None]
    if count := training.side_by_side(run, len(todo)):
        report = Progress(f"training {len(todo)} decoders of answers", len(todo), "decoders")
        with cluster.pool(run.config.cluster, count, run.store.root, *training.known()) as submit:
            for job in as_completed([submit(_train, *training.elsewhere(run), target, row, seed) for row in todo]):
                job.result()
                report.step()
    return {row: decoder(run, target, row, seed) for row in rows}


def answers(run: Run, target: str, row: str, seed: int) -> list[str]:
    """What a row answers to the questions about the evaluation clips, kept in the store.

    >>> answering.answers(run, "soundscapes-long", "projection", 0)[:3]
    """
    found = asked(run, target, "evaluation")
    if row == ALONE:
        z = np.repeat(_nothing(run, target, seed), len(found), axis=0)
    else:
        given = captions.given(run, target, _strategy(row), seed)
        heard = bridge.infer_half(row)(given, decoders.context_of(run, target, _strategy(row), seed))
        z = heard[[question.clip for question in found]]
    return write(run, decoder(run, target, row, seed), z, [question.text for question in found])


def write(run: Run, trained: Trained, z: np.ndarray, asked: Sequence[str]) -> list[str]:
    """What a decoder answers to n questions about z (n, d), kept in the store.

    >>> answering.write(run, answering.decoder(run, target, "noise", 0), z, ["can you hear the dog"] * len(z))
    """
    read = captions.Read(z, before=[[question] for question in asked])
    made_from = captions.key(run, trained, read, "greedy") | {"max_tokens": LONGEST}

    def build(folder: Path) -> None:
        size = run.config.generate.batch_size
        made = generate.generate(trained.model, z, 1, LONGEST, size, prompts=asked)
        store.write_json(folder / "captions.json", made)

    return store.read_json(run.store.get("captions", made_from, build) / "captions.json")


def by_kind(found: Sequence[Question], said: Sequence[str]) -> dict[str, Scores]:
    """Kind of question, and "all" -> the share of right answers, "accuracy", of each clip that has such questions.

    >>> answering.by_kind(questions, answers)["yes or no"].corpus["accuracy"]
    """
    frame = pd.DataFrame({"clip": [q.clip for q in found], "kind": [q.kind for q in found]})
    frame["right"] = [question.answer == answer for question, answer in zip(found, said, strict=True)]
    parts = {"all": frame, **{str(kind): part for kind, part in frame.groupby("kind", sort=False)}}
    shares = {kind: part.groupby("clip").right.mean().to_numpy() for kind, part in parts.items()}
    return {kind: metrics.scores_of({"accuracy": means(share)}, len(share)) for kind, share in shares.items()}


# ---- one decoder


def key(run: Run, target: str, row: str, seed: int) -> dict[str, Any]:
    """What a decoder of answers is made from, as `run.store` names it."""
    how, decoder = _settings(run, target, row)
    strategy, seen = _strategy(row), decoders.seen_in_training(run, target, _strategy(row), seed)
    parts = ("train", "validation") if how.keep == "best" else ("train",)
    told = [examples(run, target, part, row, seed) for part in parts]
    return {
        "answers": _learned(row),
        "decoder": named(decoder),
        "seed": seed,
        "train": train.named(how),
        "examples": [store.digest([array_digest(one.z), one.questions, one.answers]) for one in told],
        "context": {name: array_digest(value) for name, value in vars(seen).items()},
        "half": array_digest(bridge.behaviour(strategy, seen, run.clap(seed).dim)),
        "device": run.device.type,
        **bridge.source_of(strategy),
    }


def make(run: Run, folder: Path, target: str, row: str, seed: int) -> dict[str, Any]:
    """Trains a decoder of answers into `folder`, going on from what an earlier attempt left there."""
    how, decoder = _settings(run, target, row)
    learned = examples(run, target, "train", row, seed)
    tokenizer = text.make_tokenizer(
        decoder.tokenizer, [*learned.questions, *learned.answers], decoder.vocabulary, decoder.tokens
    )

    def encoded(one: Asked) -> train.Examples:
        return train.Examples(one.z, tokenizer.encode(one.answers), tokenizer.encode(one.questions))

    validation = encoded(examples(run, target, "validation", row, seed)) if how.keep == "best" else None
    seeds.seed_all(seed, "decoder")
    model = CaptionDecoder(decoder, learned.z.shape[1], tokenizer).to(run.device)
    seen = decoders.seen_in_training(run, target, _strategy(row), seed)
    drawn = seeds.derive(seed, target, "answers", _learned(row))
    half, label = bridge.train_half(_strategy(row)), f"{target}, answers, {_learned(row)}, seed {seed}"
    history = train.train(model, half, seen, encoded(learned), validation, how, drawn, folder, label)
    model.save(folder)
    return {"history": history, "target": target, "training": _learned(row), "seed": seed}


def _settings(run: Run, target: str, row: str) -> tuple[config.Train, config.Decoder]:
    how, decoder = decoders.settings(run, target, _strategy(row))
    return replace(how, batch_size=BATCH * how.batch_size), decoder


def _strategy(row: str) -> bridge.Strategy:
    """`question alone` learns as the baseline does, from what tells it nothing."""
    return bridge.strategy("baseline" if row == ALONE else row)


def _learned(row: str) -> str:
    """What names a row's decoder: rows of one training share it."""
    return ALONE if row == ALONE else _strategy(row).training


def _nothing(run: Run, target: str, seed: int) -> np.ndarray:
    """(1, d) the direction of the mean of the training captions, which is the same for every question."""
    return bridge.unit(run.texts(target, "train", seed).z.mean(0, keepdims=True))


def _train(settings: config.Config, root: Path, refresh: float, target: str, row: str, seed: int) -> None:
    """What a worker does."""
    decoder(Run(settings, store.Store(root, refresh)), target, row, seed)


@remembered
def _opened(run: Run, artefact: store.Artefact) -> Trained:
    return Trained(artefact, run.device)
