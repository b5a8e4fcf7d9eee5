"""What a run has to do, as units of work for its stages: what is in the store already is no work.

Each piece of work is wanted first by one notebook of one target; where that one is not executed, the next one that
needs it makes it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aaclib import bridge, roles
from aaclib.config import Config
from aaclib.memo import remembered
from aaclib.rows import no_pairs, planned
from aaclib.suite.costs import Unit, unit
from aaclib.suite.doctor.needs import NEED_SPICE, supervised
from aaclib.suite.doctor.sizes import count, dim, learned, spice_runs
from aaclib.suite.doctor.there import Looking
from aaclib.suite.stages import Stage, stages
from aaclib.text import normalise

TOKENS, BERT_TOKENS, WORDS = 14, 30522, 5000  # where no caption is here: of a caption; of BERT's and of a words' list
WORLD_WORDS = 700  # of a synthetic world whose captions are not written yet
WINDOWS = {"clotho": 2.7, "audiocaps": 1.0, "wavcaps": 2.0, "fsd50k": 1.6}  # of ten seconds, a clip, on average
VALIDATION = 1 / 3  # a caption that is read alone costs so much of one that is learned
SPOKEN = 0.6  # of a row's captions no other row has, about
FAST_CLAP = ("tiny", "hf", "laion", "wavcaps")  # those whose towers are measured


@dataclass(frozen=True)
class Work:
    """`count` units, for `n` things of the name `what`."""

    notebook: str  # its number: the first that wants it
    target: str
    what: str
    n: int
    unit: Unit
    count: float


def placed(config: Config, due: Sequence[str] | None = None, refresh: float = 0.0) -> list[tuple[str, Work]]:
    """(stage, work) of all that is not in the store. `due`: the stages that are executed, by their keys; None = all."""
    run = Looking(config, refresh)
    executed = [stage for stage in stages(config) if due is None or stage.key in due]
    found = [(stage.key, _own(stage)) for stage in executed]
    for piece in Counting(run).work():
        if stage := _place(piece, executed, config):
            found.append((stage.key, piece))
    return found


def _own(stage: Stage) -> Work:
    return Work(stage.notebook.number, stage.target, "", 0, unit(f"notebook/{stage.notebook.number}"), 1)


def _place(piece: Work, executed: Sequence[Stage], config: Config) -> Stage | None:
    """The first of these stages that wants this."""

    def wants(stage: Stage) -> bool:
        read = (stage.target, roles.learned_from(config, stage.target)) if stage.target else (piece.target,)
        return stage.notebook.number >= piece.notebook and (not piece.target or piece.target in read)

    return next((stage for stage in executed if wants(stage)), None)


class Counting:
    """Counts the work of a run."""

    def __init__(self, run: Looking):
        self.run, self.config, self.device = run, run.config, run.device.type
        self.cores = os.cpu_count() or 1

    def work(self) -> Iterator[Work]:
        if self.config.captioner:
            for target in self.run.recordings:
                yield from self.described(target)
            return
        yield from self.clap()
        for target in (*self.run.targets, *self.run.recordings):
            own = roles.learned_from(self.config, target) == target
            if target != roles.TEXT:  # which is read alone
                yield from self.audio(target, "evaluation", "01" if target in self.run.targets else "14")
            if own:
                yield from self.texts(target)
                yield from self.decoders(target)
            if target in self.run.recordings:
                yield from self.described(target)
            elif target != roles.TEXT:
                yield from self.captions(target)
                yield from self.metrics(target)

    # ---- audio and embeddings

    def clap(self) -> Iterator[Work]:
        """The tiny CLAP's own training; the pairs, whose gap is measured."""
        clap, data = self.config.clap, self.config.data
        if clap.backend == "tiny" and data.pretrain:
            missing = [seed for seed in self.run.seeds if not self.run.has(lambda seed=seed: self.run.clap(seed))]
            yield from self.scenes(data.pretrain, "train", "02")
            clips = count(self.config, data.pretrain, "train")[0]
            about = {"width": clap.width, "threads": clap.train_threads, "device": self.device}
            for seed in missing:
                where = self.where(seed, "02"), "", "training of the tiny CLAP"
                yield Work(*where, 1, unit("tiny_clap", batch=clap.train_batch, **about), clap.epochs * clips)
                yield Work(*where, 0, unit("log_mel", **about), clips)
        pairs, part = data.pairs_split
        if not no_pairs(self.config):
            yield from self.scenes(pairs, part, "03")
            for seed in self.run.seeds:
                if not self.run.has(lambda seed=seed: self.run.pairs(seed)):
                    yield from self.embedded(self.where(seed, "03"), "", pairs, self.config.gap.n_pairs, 0)

    def where(self, seed: int, notebook: str) -> str:
        """Notebooks 02 and 03 look at the first seed; the others follow in 04."""
        return notebook if seed == self.run.seeds[0] else "04"

    def audio(self, target: str, part: str, notebook: str) -> Iterator[Work]:
        yield from self.scenes(target, part, notebook, target)
        for seed in self.seeds():
            if not self.run.has(lambda seed=seed: self.run.audio(target, part, seed)):
                clips, captions = count(self.config, target, part)
                first = "02" if part == "evaluation" and notebook != "14" else notebook
                captions *= part == "evaluation"  # those of other parts are counted as texts
                yield from self.embedded(self.where(seed, first), target, target, clips, captions)

    def seeds(self) -> Sequence[int]:
        """One CLAP a seed, or one for all."""
        return self.run.seeds if self.config.clap.backend == "tiny" else self.run.seeds[:1]

    def scenes(self, dataset: str, part: str, notebook: str, target: str = "") -> Iterator[Work]:
        if n := self.run.unrendered(dataset, part):
            world = dataset.partition("-")[2]
            most = self.config.at_once(self.cores)
            yield Work(notebook, target, "scenes", n, unit("scene", at_once=most, world=world), n / most)
            yield Work(notebook, target, "", 0, unit("written"), n)

    def embedded(self, notebook: str, target: str, dataset: str, clips: int, captions: int) -> Iterator[Work]:
        """Recordings and captions through the CLAP."""
        spec = self.config.clap.backend
        if spec.partition(":")[0] not in FAST_CLAP:
            return
        about: dict[str, Any] = {"clap": spec, "device": self.device}
        if clips:
            windows = clips * WINDOWS.get(dataset, 1.0)
            yield Work(notebook, target, "recordings embedded", clips, unit("window", **about), windows)
        if captions:
            each = unit("caption", tokens=TOKENS, **about)
            yield Work(notebook, target, "captions embedded", captions, each, captions)

    def texts(self, target: str) -> Iterator[Work]:
        for part, notebook in (("train", "02"), ("validation", "04")):
            if part == "validation" and self.config.train.keep != "best":
                continue
            captions = count(self.config, target, part)[1]
            for seed in self.seeds():
                if captions and not self.run.has(lambda part=part, seed=seed: self.run.texts(target, part, seed)):
                    yield from self.embedded(self.where(seed, notebook), target, target, 0, captions)
        if supervised(self.config, target) and target in self.run.targets:
            for part in ("train", "validation"):
                yield from self.audio(target, part, "04")

    # ---- decoders and captions

    def rows(self, target: str) -> list[bridge.Strategy]:
        """The rows of a target, but those whose gap nobody can measure."""
        return list(map(bridge.strategy, planned(self.config, target)))

    def decoders(self, target: str) -> Iterator[Work]:
        """Those that the target's rows share, several side by side on a CPU."""
        rows = {row.training: row for row in reversed(self.rows(target)) if row.written}
        todo = [row for seed in self.run.seeds for row in rows.values() if not self.run.has_decoder(target, row, seed)]
        if not todo:
            return
        threads = self.config.train.threads
        at_once = self.config.at_once(min(len(todo), max(self.cores // threads, 1))) if self.device == "cpu" else 1
        each = self.step(target, max(at_once, 1))
        steps = [self.steps(target, row.training) for row in todo]
        count = max(sum(steps) / max(at_once, 1), max(steps))
        yield Work("04", target, "decoders", len(todo), each, count)

    def step(self, target: str, at_once: int) -> Unit:
        how = self.config.train
        return unit(
            "step",
            at_once,
            **self.form(target),
            tokens=min(self.tokens(target), self.config.decoder.max_tokens),
            batch=how.batch_size,
            threads=how.threads,
        )

    def steps(self, target: str, training: str) -> float:
        """Steps of one training; those that its validation takes as well, by what a caption costs there."""
        how = bridge.settings_of(self.config, training)[0]
        captions = learned(self.config, target, bridge.TRAINING[training].hears)
        steps = math.ceil(captions / how.batch_size)
        if how.keep == "best":
            steps += VALIDATION * count(self.config, target, "validation")[1] / how.batch_size
        return steps * (how.steps / math.ceil(captions / how.batch_size) if how.steps else how.epochs)

    def form(self, target: str) -> dict[str, Any]:
        """The decoder's sizes."""
        sizes = {**asdict(self.config.decoder), "tokenizer": "words", "vocabulary": self._vocabulary(target)}
        return {"decoder": sizes, "dim": dim(self.config), "device": self.device}

    def _vocabulary(self, target: str) -> int:
        """How many tokens the decoder's output layer has."""
        settings = self.config.decoder
        most = settings.vocabulary if settings.tokenizer == "words" else BERT_TOKENS
        return BERT_TOKENS if settings.tokens == "all" and most == BERT_TOKENS else min(most, self.words(target) + 4)

    def words(self, target: str) -> int:
        """How many different words the training captions have, in hundreds: a unit cost serves them all."""
        found = self._captions(target)
        known = len({word for caption in found for word in caption.split()}) if found else 0
        return 100 * math.ceil((known or (WORLD_WORDS if target.startswith("soundscapes") else WORDS)) / 100)

    def tokens(self, target: str) -> int:
        """Tokens of a training caption, on average, its end included."""
        found = self._captions(target)
        pieces = 1.0 if self.config.decoder.tokenizer == "words" else 1.15  # of a word
        return round(pieces * sum(len(c.split()) for c in found) / len(found) + 1) if found else TOKENS

    @remembered
    def _captions(self, target: str) -> list[str]:
        """The training captions, where they are here."""
        found: list[str] = []

        def ask() -> None:
            captions = [c for clip in self.run.training_clips(target, "train") for c in clip.captions]
            found.extend(normalise(captions, self.config.data.normalise))

        return found if self.run.has(ask) else []

    def batch(self, target: str, clips: int, beam: int) -> Unit:
        settings = self.config.generate
        longest = min(settings.max_tokens, 2 * self.tokens(roles.learned_from(self.config, target) or target))
        form = self.form(roles.learned_from(self.config, target) or target)
        return unit("generation", **form, rows=max(min(settings.batch_size, clips), 1), beam=beam, tokens=longest)

    def captions(self, target: str) -> Iterator[Work]:
        clips, settings = count(self.config, target, "evaluation")[0], self.config.generate
        rows = [row for row in self.rows(target) if row.written]
        for beam, decoding in ((1, "greedy"), (settings.beam, "beam")):
            chosen = [row for row in rows if decoding == "greedy" or row.name in settings.beam_rows]
            asked = [(row.name, seed, decoding) for row in chosen for seed in self.run.seeds]
            todo = sum(not self.run.has(lambda one=one: self.run.captions(target, *one)) for one in asked)
            if todo:
                batches = todo * clips / max(min(settings.batch_size, clips), 1)
                what = "rows captioned" if beam == 1 else "by beam search"
                yield Work("05", target, what, todo, self.batch(target, clips, beam), batches)

    def described(self, target: str) -> Iterator[Work]:
        """Recordings without captions, by each row of notebook 14."""
        clips = count(self.config, target, "evaluation")[0]
        if self.config.captioner:
            yield from self.embedded("14", target, target, clips, 0)
        rows = sum(row.written and row.group != "control" for row in self.rows(target))
        if self.config.captioner or not clips:
            return  # its decoder is that run's; captions take seconds
        batches = rows * clips / max(min(self.config.generate.batch_size, clips), 1)
        yield Work("14", target, "rows captioned", rows, self.batch(target, clips, 1), batches)

    # ---- metrics

    def metrics(self, target: str) -> Iterator[Work]:
        clips, captions = count(self.config, target, "evaluation")
        references, names = max(round(captions / max(clips, 1)), 1), self.config.metrics.names
        chosen, beams, spice = self.rows(target), set(self.config.generate.beam_rows), spice_runs(self.config)
        cheap = [name for name in names if name not in NEED_SPICE]
        all_ = [("greedy", row) for row in chosen] + [("beam", row) for row in chosen if row.name in beams]
        asked = [
            (decoding, row, seed)
            for decoding, row in all_
            for seed in (self.run.seeds[:1] if row.name == "human" else self.run.seeds)
        ]
        has = {
            one: self.run.has_scores(target, one[1].name, one[2], one[0], names if one[0] == "greedy" else cheap)
            for one in asked
        }
        todo = [one for one in asked if not has[one]]
        if not todo:
            return
        scored = sum(references if row.name == "human" else 1 for _, row, _ in todo)
        yield Work("05", target, "rows scored", len(todo), unit("metric", references=references), scored * clips)
        if "meteor" in names:
            yield Work("05", target, "", 0, unit("meteor"), scored * clips)
            yield Work("05", target, "", 0, unit("java"), 1)
        if spice:
            greedy = [
                row for decoding, row, _ in todo if decoding == "greedy" and row.name not in ("human", "shuffled")
            ]
            parsed = len(greedy) * clips * SPOKEN + (captions if len(todo) == len(all_) * len(self.run.seeds) else 0)
            yield Work("05", target, "captions parsed for SPICE", round(parsed), unit("spice"), parsed)
