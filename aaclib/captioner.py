"""Captions for any recording, from a finished run, in three lines:

captioner = aaclib.Captioner.from_run("quick", strategy="projection")
captioner.caption(["dog.wav", "rain.ogg"])
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aaclib import bridge, config, decoders, generate
from aaclib.clap.base import Backend
from aaclib.decoder import CaptionDecoder
from aaclib.run import Run
from aaclib.store import VERSIONS, digest


class Captioner:
    """CLAP, the inference half of a strategy, and a decoder. `caption` gives one caption per recording."""

    def __init__(
        self,
        backend: Backend,
        model: CaptionDecoder,
        half: bridge.Step,
        context: bridge.Context,
        settings: config.Generate,
        key: str = "",
        synthetic: bool = False,
    ):
        self.clap, self.model, self.half, self.context, self.settings = backend, model, half, context, settings
        self.synthetic = synthetic  # whether CLAP or decoder learned from a synthetic world
        self.key = key  # names all that decides a caption, but for the recording and the beam

    def __repr__(self) -> str:
        return f"Captioner({self.clap!r})"

    @classmethod
    def from_run(
        cls,
        run: str | Path = "quick",
        strategy: str = "projection",
        target: str | None = None,
        seed: int | None = None,
        device: str | None = None,
    ) -> Captioner:
        """A captioner from a finished run: the name of a profile, or the folder that holds its `run.json`.

        `target`: the data set whose training text the decoder learned, the run's first one by default. Raises
        ConfigError where there is no such run, or the run trained no such strategy, and store.Damaged, which names the
        folder to delete, where its decoder was changed.
        """
        finished = Run.of_run(run, device)
        made_on = config.made_on(run)
        if made_on and made_on != finished.device.type:
            raise config.ConfigError(
                f"The run '{run}' was made on {made_on}, and its embeddings and decoders belong "
                f"to that kind of device; this is {finished.device.type}."
            )
        row = bridge.strategy(strategy)
        if row.group == "control":
            raise config.ConfigError(f"'{strategy}' is a control row, not a way to caption. Try projection.")
        target = target or finished.targets[0]
        if target not in finished.targets:
            raise config.ConfigError(
                f"The run '{run}' has no target '{target}'. It has: {', '.join(finished.targets)}."
            )
        seed = finished.seeds[0] if seed is None else seed
        if finished.store.open("decoder", decoders.key(finished, target, row, seed)) is None:
            trained = sorted({r.name for r in finished.strategies(target) if r.group != "control"})
            raise config.ConfigError(
                f"The run '{run}' has trained no decoder for '{strategy}' on {target} (seed {seed}). It has: "
                f"{', '.join(trained)}. Run ./run_all.sh --profile {finished.config.name} if it was stopped before."
            )
        trained, clap = finished.decoder(target, strategy, seed), finished.clap(seed)
        context = decoders.context_of(finished, target, row, seed)
        known = {name: decoders.array_digest(value) for name, value in vars(context).items() if value is not None}
        key = digest([VERSIONS, clap.settings(), trained.artefact, row.name, known, finished.config.generate])
        return cls(
            clap, trained.model, bridge.infer_half(row), context, finished.config.generate, key, finished.synthetic
        )

    @classmethod
    def of(cls, run: Run, strategy: str = "projection", seed: int | None = None) -> Captioner:
        """The captioner that a run's setting `captioner` names ("RUN" or "RUN:TARGET"): that run's CLAP, text and
        decoder, for this run's recordings. Raises ConfigError where the setting is empty, and as `from_run`.

        >>> run = aaclib.Run.load("folder", {"data.audio": "recordings", "captioner": "paper:audiocaps"})
        >>> clips = run.split("folder", "evaluation", audio=True).clips
        >>> aaclib.Captioner.of(run).caption([clip.audio for clip in clips])
        """
        name, target = run.config.source
        if not name:
            raise config.ConfigError("The setting 'captioner' names no finished run: --set captioner=RUN[:TARGET].")
        return cls.from_run(name, strategy, target or None, seed, run.config.device or None)

    def caption(
        self, recordings: Sequence[str | Path | np.ndarray], sample_rate: int | None = None, beam: int = 1
    ) -> list[str]:
        """One caption per recording, in order: files, or 1-D float arrays at `sample_rate` Hz. `beam` = 1 is greedy.
        Raises audio.AudioError for a file that cannot be read."""
        return self.from_embeddings(self.clap.embed_audio(recordings, sample_rate), beam)

    def from_embeddings(self, z_a: np.ndarray, beam: int = 1) -> list[str]:
        """Captions for CLAP audio embeddings (n, d) of the run's own CLAP."""
        return generate.generate(
            self.model, self.half(z_a, self.context), beam, self.settings.max_tokens, self.settings.batch_size
        )
