"""The synthetic data set: worlds of everyday sounds, rendered from scenes, with captions that say what can be heard.

`soundscapes-pretrain` has the role of WavCaps, `-long` of Clotho, `-short` of AudioCaps; `-dev` is a third target for
choosing settings on. Every clip follows from (world, split, index) and the data seed alone, so a smaller split is the
beginning of a larger one, and captions need no rendering.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from aaclib.config import Data
from aaclib.datasets import DatasetError
from aaclib.datasets.made import Made, Rendering, sizes
from aaclib.datasets.soundscapes.grammar import captions
from aaclib.datasets.soundscapes.render import rendering
from aaclib.datasets.soundscapes.scenes import Scene, scene
from aaclib.datasets.soundscapes.worlds import WORLDS, get
from aaclib.store import Store


class Soundscapes(Made):
    """One world as a data set, described by its own people or, as `writers` says, by those of another. `sizes`: split
    -> number of clips, `data.sizes` or else the world's own; `workers`: processes that render, 0 = one per core."""

    def __init__(self, world: str, given: dict[str, int], store: Store, workers: int = 0, writers: str = ""):
        self.world, self.writers = get(world), get(writers or world)
        own, by = f"soundscapes-{world}", f"-by-{writers}" if writers else ""
        title = f"{self.world.title} as of {self.writers.title}" if writers else self.world.title
        known = sizes(own + by, sizes(own, self.world.sizes, given), given)
        super().__init__(own + by, title, known, self.world.captions, store, workers)

    def scene(self, split: str, index: int) -> Scene:
        return scene(self.world, split, index)

    def about(self, split: str, index: int) -> dict[str, Any]:
        """The labels are the classes heard."""
        drawn = self.scene(split, index)
        written = captions(replace(drawn, world=self.writers.name), self.world.captions[split])
        return {"id": drawn.id, "captions": written, "labels": [event.kind for event in drawn.events]}

    def key(self, split: str) -> dict[str, Any]:
        own = {"world": asdict(self.world) | {"sizes": None}}
        return own | ({"writers": asdict(self.writers) | {"sizes": None}} if self.writers is not self.world else {})

    def rendering(self, split: str) -> Rendering:
        return rendering(self.world.name, split)


def load(name: str, data: Data | None = None, store: Store | None = None, workers: int = 0) -> Soundscapes:
    """`soundscapes-<world>`, or `soundscapes-<world>-by-<world>`. Raises DatasetError naming the worlds."""
    world, by, writers = name.partition("-")[2].partition("-by-")
    if world not in WORLDS or (by and writers not in WORLDS):
        known = ", ".join(f"soundscapes-{w}" for w in WORLDS)
        raise DatasetError(f"There is no synthetic data set '{name}'. Known: {known}, and those with -by-<world>.")
    return Soundscapes(world, (data or Data()).sizes, store or Store(), workers, writers)
