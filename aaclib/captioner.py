"""Captions for any recording, from a finished run, in three lines:

captioner = aaclib.Captioner.from_run("quick", strategy="projection")
captioner.caption(["dog.wav", "rain.ogg"])
captioner.export("my-captioner")              # a folder that aaclib.Captioner.load opens anywhere, without the run
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aaclib import bridge, config, decoders, generate, model_card, portable, roles
from aaclib.clap.base import Backend
from aaclib.decoder import CaptionDecoder
from aaclib.progress import Progress
from aaclib.run import Run
from aaclib.store import VERSIONS, digest


@dataclass(eq=False)
class Captioner:
    """CLAP, the inference half of a strategy, and a decoder. `caption` gives one caption per recording."""

    clap: Backend
    model: CaptionDecoder
    half: bridge.Step
    context: bridge.Context
    settings: config.Generate
    key: str = ""  # names all that decides a caption, but for the recording and the beam
    row: bridge.Strategy = bridge.strategy("baseline")
    run: Run | None = None  # where it learned, and from whose text:
    target: str = ""
    seed: int = 0
    captions: Sequence[str] = ()  # of a folder: those of its memory,
    told: Mapping[str, Any] | None = None  # and what its card knows

    def __repr__(self) -> str:
        return f"Captioner({self.clap!r})"

    @property
    def synthetic(self) -> bool:
        """Whether CLAP or decoder learned from a synthetic world."""
        return bool(self.run.synthetic if self.run else (self.told or {}).get("synthetic"))

    @classmethod
    def from_run(
        cls,
        run: str | Path = "quick",
        strategy: str = "projection",
        target: str | None = None,
        seed: int | None = None,
        device: str | None = None,
    ) -> Captioner:
        """A captioner from a finished run: the name of a profile, or the folder that holds its `run.json`. The run may
        have been made on another kind of device: its decoders and embeddings are opened as they are.

        `target`: the data set whose training text the decoder learned, the run's first one by default. Raises
        ConfigError where there is no such run, or the run trained no such strategy, and store.Damaged, which names the
        folder to delete, where its decoder was changed.
        """
        finished = Run.of_run(run, device)
        row = _to_caption(strategy)
        own_text = [name for name in finished.recordings if roles.learned_from(finished.config, name) == name]
        targets = (*finished.targets, *own_text)
        target = target or next(iter(targets), "")
        if target not in targets:
            raise config.ConfigError(f"The run '{run}' has no target '{target}'. It has: {', '.join(targets)}.")
        seed = finished.seeds[0] if seed is None else seed
        if finished.store.open("decoder", decoders.key(finished, target, row, seed)) is None:
            trained = sorted({r.name for r in finished.strategies(target) if r.group != "control"})
            raise config.ConfigError(
                f"The run '{run}' has trained no decoder for '{strategy}' on {target} (seed {seed}). It has: "
                f"{', '.join(trained)}. Run ./run_all.sh --profile {finished.config.name} if it was stopped before."
            )
        return cls._made(finished, target, row, seed)

    @classmethod
    def of(cls, run: Run, strategy: str = "projection", target: str = "") -> Captioner:
        """The captioner for a run's own recordings without captions (`run.recordings`; the first, unless `target` names
        another): of the finished run that the setting `captioner` names ("RUN" or "RUN:TARGET"), else of this run's
        decoder that describes that target (`roles.learned_from`), trained if it is not in the store. Raises ConfigError
        where this run has no recordings without captions, and as `from_run`.

        >>> run = aaclib.Run.load("folder", {"data.audio": "recordings", "captioner": "paper:audiocaps"})
        >>> clips = run.split("folder", "evaluation", audio=True).clips
        >>> aaclib.Captioner.of(run).caption([clip.audio for clip in clips])
        """
        if not (target := target or next(iter(run.recordings), "")):
            raise config.ConfigError(
                "All targets of this run have captions, and no finished run is named for them: --set "
                "captioner=RUN[:TARGET], or aaclib.Captioner.from_run."
            )
        name, learned = run.config.source
        if name:
            return cls.from_run(name, strategy, learned or None, None, run.config.device or None)
        return cls._made(run, roles.learned_from(run.config, target), _to_caption(strategy), run.seeds[0])

    @classmethod
    def _made(cls, run: Run, target: str, row: bridge.Strategy, seed: int) -> Captioner:
        trained, clap = run.decoder(target, row.name, seed), run.clap(seed)
        context = decoders.context_of(run, target, row, seed)
        known = {name: decoders.array_digest(value) for name, value in vars(context).items() if value is not None}
        key = digest([VERSIONS, clap.settings(), trained.artefact, row.name, known, run.config.generate])
        half, settings = bridge.infer_half(row), run.config.generate
        return cls(clap, trained.model, half, context, settings, key, row, run, target, seed)

    @classmethod
    def load(cls, folder: str | Path, device: str | None = None, clap: str | None = None) -> Captioner:
        """The captioner in a folder that `export` wrote, on this machine or another one. `clap`: where its CLAP is
        here ("hf:FOLDER"), if not where the folder says; the weights have to be the same. Raises
        portable.PortableError, which names the file and the remedy.

        >>> aaclib.Captioner.load("my-captioner").caption(["dog.wav"])
        """
        return cls(**portable.load(folder, device, clap))

    def export(self, folder: str | Path) -> Path:
        """Writes all that captions need into `folder`, which must not be there yet, or be empty: decoder, tokenizer,
        memory with its captions, what the strategy knows, and the tiny CLAP where a run trained one; another CLAP is
        named with the digest of its weights. README.md says what it learned from. Raises portable.PortableError.

        >>> aaclib.Captioner.from_run("quick").export("my-captioner")
        """
        return portable.save(self, folder)

    def about(self) -> dict[str, Any]:
        """What it learned from, as its model card says it.

        >>> captioner.about()["captions"]                       # of how many captions the decoder learned
        """
        if self.run is None and self.told is None:
            raise ValueError("This captioner is neither of a run nor of a folder: nobody knows what it learned from.")
        return model_card.about(self) if self.run else dict(self.told or {})

    @cached_property
    def memory(self) -> list[str]:
        """The captions whose embeddings are the rows of `context.memory`, (m, d).

        >>> captioner.memory[(captioner.context.memory @ z_a[0]).argmax()]
        """
        if self.run is None:
            if not self.captions:
                raise ValueError("This captioner is neither of a run nor of a folder, so it has no memory to show.")
            return list(self.captions)
        captions = self.run.texts(self.target, "train", self.seed).captions
        return [captions[row] for row in self.run.memory_rows(self.target, self.seed)]

    def caption(
        self, recordings: Sequence[str | Path | np.ndarray], sample_rate: int | None = None, beam: int = 1
    ) -> list[str]:
        """One caption per recording, in order: files, or 1-D float arrays at `sample_rate` Hz. `beam` = 1 is greedy.
        Raises audio.AudioError for a file that cannot be read."""
        return self.from_embeddings(self.clap.embed_audio(recordings, sample_rate), beam)

    def from_embeddings(self, z_a: np.ndarray, beam: int = 1) -> list[str]:
        """Captions for CLAP audio embeddings (n, d) of the run's own CLAP."""
        most, longest = self.settings.batch_size, self.settings.max_tokens
        size = generate.fitting(self.model, most, beam, longest)
        z, made, report = self.half(z_a, self.context), [], Progress("captioning", len(z_a), "recordings")
        for start in range(0, len(z), size):
            made += generate.generate(self.model, z[start : start + size], beam, longest, size)
            report.step(len(made) - report.done)
        return made


def _to_caption(strategy: str) -> bridge.Strategy:
    """The row of this name. Raises ConfigError for a control row, and for one that reads a prompt."""
    row = bridge.strategy(strategy)
    if row.group == "control":
        raise config.ConfigError(f"'{strategy}' is a control row, not a way to caption. Try projection.")
    if bridge.prompted(row):
        raise config.ConfigError(f"'{strategy}' reads texts that only a run chooses (run.captions). Try projection.")
    return row
