"""What a run hands out: embeddings as arrays, with the captions and clips that their rows stand for.

texts = run.texts("clotho", "train", seed=0)
texts.captions[3], texts.z[3]                     # a caption and its embedding
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aaclib import embeddings
from aaclib.clap.base import Backend
from aaclib.config import Config
from aaclib.datasets import Clip, Split
from aaclib.reprs import brief
from aaclib.store import Store


@dataclass(frozen=True)
class Texts:
    """Captions and their embeddings, one row per caption."""

    captions: list[str]  # n, normalised, clip after clip
    clip: np.ndarray  # (n,) int64, index of the clip that a caption describes
    z: np.ndarray  # (n, d) float32, unit rows

    def __repr__(self) -> str:
        return brief(self, captions=self.captions, clip=self.clip, z=self.z)

    @property
    def by_clip(self) -> list[list[str]]:
        """The captions of each clip, clip after clip."""
        found: list[list[str]] = [[] for _ in range(int(self.clip.max()) + 1)]
        for clip, caption in zip(self.clip, self.captions, strict=True):
            found[clip].append(caption)
        return found


@dataclass(frozen=True)
class Audio:
    """Recordings and their embeddings, one row per clip."""

    clips: tuple[Clip, ...]  # n
    z: np.ndarray  # (n, d) float32, unit rows
    errors: dict[str, str]  # unreadable file -> reason, where the profile skips such files

    @property
    def ids(self) -> list[str]:
        return [clip.id for clip in self.clips]

    def __repr__(self) -> str:
        return brief(self, ids=self.ids, z=self.z, errors=len(self.errors))


@dataclass(frozen=True)
class Pairs:
    """Audio-caption pairs of a data set that is no target: row i of `z_a` and of `z_t` belong together."""

    ids: list[str]  # n
    captions: list[str]  # n, the first caption of each clip, normalised
    z_a: np.ndarray  # (n, d) float32, unit rows
    z_t: np.ndarray  # (n, d) float32, unit rows
    texts: Texts  # all captions of these clips

    def __repr__(self) -> str:
        return brief(self, ids=self.ids, captions=self.captions, z_a=self.z_a, z_t=self.z_t)


def recordings(clap: Backend, split: Split, config: Config, store: Store) -> Audio:
    """The recordings of a split by any CLAP, as `Run.audio` has them by the run's own: those that are here and can be
    read. Raises ExtractionError, which names the file, for one that cannot (with clap.on_error=skip it is listed in
    `errors` instead).

    >>> arrays.recordings(captioner.clap, run.split("folder", "evaluation", audio=True), run.config, run.store).z
    """
    clips = [clip for clip in split.clips if clip.audio is not None]
    found = embeddings.extract_audio(
        clap,
        [clip.audio for clip in clips if clip.audio],
        store,
        batch_size=config.clap.batch_size or None,
        workers=config.at_once(config.clap.workers),
        on_error=config.clap.on_error,
        cluster=config.cluster,
    )
    return Audio(tuple(clips[i] for i in found.index), found.rows, found.errors)
