"""Data sets that this program makes: their captions are written and their recordings rendered, each when asked for.

Recordings are kept as FLAC files in shards of `SHARD`, each an artefact of its own: a killed rendering goes on with the
next shard, and a split with more clips shares the shards of one with fewer.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from aaclib import workers
from aaclib.datasets import SPLITS, Clip, DatasetError, Named, Split
from aaclib.progress import Progress
from aaclib.store import Artefact, Store, read_json, write_bytes, write_json

DATA_SEED = 0
RATE = 16_000
SHARD = 50  # clips


@dataclass(frozen=True)
class Rendering:
    """The recordings of one split, which other processes may render."""

    title: str  # on the progress line
    key: Mapping[str, Any]  # all that decides how its clips sound
    play: Callable[[int], np.ndarray]  # the number of a clip -> float32 mono at RATE, between -1 and 1

    def files(self, n: int, store: Store, most: int = 0) -> list[Path]:
        """The files of the first `n` clips, rendered by at most so many processes (0 = one per core) where they are not
        there yet."""
        shards, todo = range(-(-n // SHARD)), self.unrendered(n, store)
        count = min(most or os.cpu_count() or 1, len(todo))
        progress = Progress(f"rendering {self.title}", len(todo) * SHARD, "clips")
        if count > 1:
            store.making("scenes")
            with workers.pool(count) as submit:  # which never import PyTorch
                jobs = [submit(self.shard, i, store.root, store.refresh) for i in todo]
                for job in as_completed(jobs):
                    job.result()
                    progress.step(SHARD)
        made = [self.shard(i, store.root, store.refresh) for i in shards]
        return [made[i // SHARD] / f"{i:05d}.flac" for i in range(n)]

    def unrendered(self, n: int, store: Store) -> list[int]:
        """The shards of the first `n` clips that are not in the store."""
        return [i for i in range(-(-n // SHARD)) if store.find("scenes", self._key(i)) is None]

    def shard(self, number: int, root: Path, refresh: float) -> Artefact:
        def build(folder: Path) -> dict:
            for index in range(number * SHARD, (number + 1) * SHARD):
                flac = io.BytesIO()  # libsndfile calls a full disk a 'System error'
                soundfile.write(flac, self.play(index), RATE, "PCM_16", format="FLAC", compression_level=0.2)
                write_bytes(folder / f"{index:05d}.flac", flac.getvalue())
            return {"clips": SHARD}

        return Store(root, refresh).get("scenes", self._key(number), build)

    def _key(self, number: int) -> dict[str, Any]:
        return {**self.key, "shard": number, "size": SHARD, "seed": DATA_SEED}


class Made(Named):
    """A synthetic data set. Who makes one says how a clip is written about, and how a split is rendered.

    sizes: split -> number of clips; each: split -> captions per clip, 0 = one to three; workers: processes that render,
    0 = one per core.
    """

    synthetic = True

    def __init__(
        self, name: str, title: str, sizes: dict[str, int], each: dict[str, int], store: Store, workers: int = 0
    ):
        self.name, self.title, self.sizes, self.each = name, title, sizes, each
        self.store, self.workers = store, workers

    def about(self, split: str, index: int) -> dict[str, Any]:
        """id, captions, labels (of what sounds) of a clip."""
        raise NotImplementedError

    def key(self, split: str) -> dict[str, Any]:
        """All that decides what is written about its clips."""
        raise NotImplementedError

    def rendering(self, split: str) -> Rendering:
        raise NotImplementedError

    def split(self, name: str, audio: bool = False) -> Split:
        """One split. Without `audio` nothing is rendered. Raises DatasetError for an unknown split or an empty one."""
        if name not in self.sizes:
            raise DatasetError(f"{self.name} has no split '{name}'. It has: {', '.join(self.sizes)}.")
        n = self.sizes[name]
        if n < 1:
            raise DatasetError(f"data.sizes: '{self.name}.{name}' must be at least 1, found {n}.")
        files: Sequence[Path | None] = self.rendering(name).files(n, self.store, self.workers) if audio else [None] * n
        clips = (
            Clip(one["id"], tuple(one["captions"]), file, tuple(one["labels"]), " + ".join(sorted(one["labels"])))
            for one, file in zip(self._written(name, n), files, strict=True)
        )
        return Split(self.name, name, tuple(clips), notes=("Synthetic: rendered by this program, not recorded.",))

    def count(self, split: str) -> tuple[int, int]:
        """(clips, captions) of a split without writing any; where clips have one to three captions, their mean."""
        n = self.sizes[split]
        return n, n * (self.each[split] or 2)

    def unrendered(self, split: str) -> int:
        """How many clips of a split are still to be rendered."""
        return SHARD * len(self.rendering(split).unrendered(self.sizes[split], self.store))

    def _written(self, split: str, n: int) -> list[dict]:
        """What `about` says of each clip; kept, because every notebook asks for it and a grammar takes a millisecond a
        clip."""

        def build(folder: Path) -> None:
            write_json(folder / "clips.json", [self.about(split, i) for i in range(n)])

        key = {**self.key(split), "split": split, "clips": n, "seed": DATA_SEED}
        return read_json(self.store.get("scene-captions", key, build) / "clips.json")


def sizes(name: str, own: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    """Split -> number of clips: `given` ("<data set>.<split>", as `data.sizes`), or else the world's own."""
    return {part: given.get(f"{name}.{part}", own[part]) for part in SPLITS}
