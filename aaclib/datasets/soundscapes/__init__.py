"""The synthetic data set: worlds of everyday sounds, rendered from scenes, with captions that say what can be heard.

`soundscapes-pretrain` has the role of WavCaps, `-long` of Clotho, `-short` of AudioCaps; `-dev` is a third target for
choosing settings on. `soundscapes-long-by-short` has the scenes of -long, described as the people of -short write.
Every clip follows from (world, split, index) and the data seed alone, so a smaller split is the beginning of a larger
one, and captions need no rendering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from aaclib.config import Data
from aaclib.datasets import SPLITS, Clip, DatasetError, Named, Split
from aaclib.datasets.soundscapes.grammar import captions
from aaclib.datasets.soundscapes.render import render_split
from aaclib.datasets.soundscapes.scenes import DATA_SEED, Scene, scene
from aaclib.datasets.soundscapes.worlds import WORLDS, get
from aaclib.store import Store, read_json, write_json


class Soundscapes(Named):
    """One world as a data set, described by its own people or, as `writers` says, by those of another. `sizes`: split
    -> number of clips, `data.sizes` or else the world's own; `workers`: processes that render, 0 = one per core."""

    synthetic = True

    def __init__(self, world: str, sizes: dict[str, int], store: Store, workers: int = 0, writers: str = ""):
        self.world, self.writers, self.store, self.workers = get(world), get(writers or world), store, workers
        own = f"soundscapes-{world}"
        self.name = f"{own}-by-{writers}" if writers else own
        self.title = f"{self.world.title} as of {self.writers.title}" if writers else self.world.title
        known = {part: sizes.get(f"{own}.{part}", self.world.sizes[part]) for part in SPLITS}
        self.sizes = {part: sizes.get(f"{self.name}.{part}", known[part]) for part in SPLITS}

    def split(self, name: str, audio: bool = False) -> Split:
        """One split. Without `audio` nothing is rendered. Raises DatasetError for an unknown split or an empty one."""
        if name not in self.sizes:
            raise DatasetError(f"{self.name} has no split '{name}'. It has: {', '.join(self.sizes)}.")
        n = self.sizes[name]
        if n < 1:
            raise DatasetError(f"data.sizes: '{self.name}.{name}' must be at least 1, found {n}.")
        files: Sequence[Path | None] = [None] * n
        if audio:
            files = render_split(self.world.name, name, n, self.store, self.workers)
        clips = (
            Clip(one["id"], tuple(one["captions"]), file, tuple(one["labels"]), " + ".join(sorted(one["labels"])))
            for one, file in zip(self._written(name, n), files, strict=True)
        )
        return Split(self.name, name, tuple(clips), notes=("Synthetic: rendered by this program, not recorded.",))

    def count(self, split: str) -> tuple[int, int]:
        """(clips, captions) of a split without writing any; where clips have one to three captions, their mean."""
        n = self.sizes[split]
        return n, n * (self.world.captions[split] or 2)

    def scene(self, split: str, index: int) -> Scene:
        return scene(self.world, split, index)

    def _written(self, split: str, n: int) -> list[dict]:
        """Id, captions and labels (the classes heard) of each clip; kept, because every notebook asks for them and
        the grammar takes a millisecond a clip."""

        def build(folder: Path) -> None:
            clips = []
            for drawn in (self.scene(split, i) for i in range(n)):
                labels = [event.kind for event in drawn.events]
                written = captions(replace(drawn, world=self.writers.name), self.world.captions[split])
                clips.append({"id": drawn.id, "captions": written, "labels": labels})
            write_json(folder / "clips.json", clips)

        key = {"world": asdict(self.world) | {"sizes": None}, "split": split, "clips": n, "seed": DATA_SEED}
        if self.writers is not self.world:
            key["writers"] = asdict(self.writers) | {"sizes": None}
        return read_json(self.store.get("scene-captions", key, build) / "clips.json")


def load(name: str, data: Data | None = None, store: Store | None = None, workers: int = 0) -> Soundscapes:
    """`soundscapes-<world>`, or `soundscapes-<world>-by-<world>`. Raises DatasetError naming the worlds."""
    world, by, writers = name.partition("-")[2].partition("-by-")
    if world not in WORLDS or (by and writers not in WORLDS):
        known = ", ".join(f"soundscapes-{w}" for w in WORLDS)
        raise DatasetError(f"There is no synthetic data set '{name}'. Known: {known}, and those with -by-<world>.")
    return Soundscapes(world, (data or Data()).sizes, store or Store(), workers, writers)
