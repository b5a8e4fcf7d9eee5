"""What of a run is in the store already, asked of the run itself: a run that makes nothing.

`Looking` has the keys of all artefacts, as every run, and a store that raises `Missing` where it would have to make
one. Nothing is fetched or rendered, and no CLAP but the tiny one is loaded: the embeddings in the store say which CLAP
made them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aaclib import bridge, decoders, metrics
from aaclib.audio import AudioError
from aaclib.clap.base import Backend, BackendError
from aaclib.config import Config, ConfigError
from aaclib.datasets import MADE, DatasetError, Split
from aaclib.datasets.made import Made
from aaclib.embeddings import ExtractionError
from aaclib.memo import remembered
from aaclib.results import scoring
from aaclib.run import Run
from aaclib.store import RECORD, Artefact, Damaged, Store, read_record


class Missing(RuntimeError):
    """An artefact that is not in the store."""


NOT_HERE = (Missing, DatasetError, ConfigError, BackendError, AudioError, ExtractionError, OSError, ValueError)


class Closed(Store):
    """The store, for reading alone. Of what is found only sizes are compared: who uses it reads the rest."""

    def get(self, kind: str, key: dict[str, Any], build: Callable) -> Artefact:
        if found := self.find(kind, key):
            return found
        raise Missing(kind)

    def open(self, kind: str, key: dict[str, Any]) -> Artefact | None:
        path = self.root / kind / self.id(kind, key)
        try:
            made = read_record(path / RECORD, content=False)["made"]
        except (FileNotFoundError, Damaged):
            return None
        return Artefact(kind, path.name, path) if made >= self.refresh else None


class Remembered(Backend):
    """The CLAP that embeddings in the store were made by: its settings, without its weights."""

    def __init__(self, name: str, settings: dict[str, Any], dim: int, device: Any):
        super().__init__(device)
        self.name, self.dim, self._settings, self.digest = name, dim, settings, settings["digest"]
        self.sample_rate = settings["sample_rate"]

    def settings(self) -> dict[str, object]:
        return self._settings

    def embed_text(self, texts: Any, batch_size: int | None = None) -> Any:
        raise Missing("text-embeddings")


class Looking(Run):
    """A run that finds and never makes. `refresh`: what was made before this time counts as missing (`--force`)."""

    def __init__(self, config: Config, refresh: float = 0.0):
        super().__init__(replace(config, data=replace(config.data, download=False)), Closed(None, refresh or None))

    @remembered
    def clap(self, seed: int) -> Backend:
        spec = self.config.clap.backend
        if spec == "tiny" or spec.startswith("embeddings:"):
            return super().clap(seed)
        kind, _, name = spec.partition("?")[0].partition(":")
        for record in self._made("text-embeddings"):
            settings, said = record["key"]["backend"], record["facts"]["backend"].partition(":")
            fits = said[0] == kind and Path(said[2].partition(" ")[0]).name == Path(name).name
            if fits and settings["device"] == self.device.type:
                if settings["long_audio"] != self.config.clap.long_audio:
                    settings = settings | {"long_audio": self.config.clap.long_audio}
                import numpy as np

                rows = np.load(self.store.root / "text-embeddings" / record["id"] / "rows.npy", mmap_mode="r")
                return Remembered(spec, settings, rows.shape[1], self.device)
        raise Missing("clap")

    def _made(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind, the newest first."""
        found = []
        for path in (self.store.root / kind).glob(f"*/{RECORD}"):
            with contextlib.suppress(Damaged, FileNotFoundError):
                found.append(read_record(path, content=False))
        return sorted(found, key=lambda record: -record["made"])

    @remembered
    def split(self, name: str, part: str, audio: bool = False) -> Split:
        if audio and self.unrendered(name, part):
            raise Missing("scenes")
        return super().split(name, part, audio)

    @remembered
    def unrendered(self, name: str, part: str) -> int:
        """How many clips of a split of a synthetic world are still to be rendered; 0 for all others."""
        dataset = self.dataset(name) if name.partition("-")[0] in MADE else None
        return dataset.unrendered(part) if isinstance(dataset, Made) else 0

    # ---- what is there

    def has(self, ask: Callable[[], Any]) -> bool:
        """Whether this can be had without making anything."""
        try:
            ask()
        except NOT_HERE:
            return False
        return True

    def has_decoder(self, target: str, row: bridge.Strategy, seed: int) -> bool:
        def ask() -> None:
            if self.store.find("decoder", decoders.key(self, target, row, seed)) is None:
                raise Missing("decoder")

        return self.has(ask)

    def has_scores(self, target: str, name: str, seed: int, decoding: str, names: Iterable[str]) -> bool:
        """Whether the scores of a row of a table are known; of `human`, too, whose captions nobody makes."""

        def written() -> list[tuple[list[str], list[list[str]]]]:
            clips = self.clips(target, "evaluation", seed)
            return [(self.captions(target, name, seed, decoding), [list(clip.captions) for clip in clips])]

        def ask() -> None:
            sets = scoring.human_sets(self, target) if name == "human" else written()
            if not all(metrics.kept(said, references, names, self.store) for said, references in sets):
                raise Missing("scores")

        return self.has(ask)
