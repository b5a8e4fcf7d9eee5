"""The synthetic data set: worlds of everyday sounds, rendered from scenes, with captions that say what can be heard.

`soundscapes-pretrain` has the role of WavCaps, `-long` of Clotho, `-short` of AudioCaps; `-dev` is a third target for
choosing settings on. Every clip follows from (world, split, index) and the data seed alone, so a smaller split is the
beginning of a larger one, and captions need no rendering.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from aaclib.config import Data
from aaclib.datasets import SPLITS, Clip, DatasetError, Split
from aaclib.datasets.soundscapes.grammar import bare, captions
from aaclib.datasets.soundscapes.render import render, render_split
from aaclib.datasets.soundscapes.scenes import Event, Scene, scene
from aaclib.datasets.soundscapes.sounds import CLASSES, RATE, gallery, names
from aaclib.datasets.soundscapes.worlds import WORLDS, get
from aaclib.store import Store

__all__ = [
    "CLASSES", "RATE", "WORLDS", "Event", "Scene", "Soundscapes", "bare", "caption_overlap", "captions",
    "check_disjoint", "gallery", "load", "names", "render", "scene",
]


class Soundscapes:
    """One world as a data set. `sizes`: split -> number of clips, `data.sizes` or else the world's own."""

    synthetic = True

    def __init__(self, world: str, sizes: dict[str, int], store: Store):
        self.world, self.store = get(world), store
        self.name, self.title = f"soundscapes-{world}", self.world.title
        self.sizes = {part: sizes.get(f"{self.name}.{part}", self.world.sizes[part]) for part in SPLITS}

    def split(self, name: str, audio: bool = False) -> Split:
        """One split. Without `audio` nothing is rendered. Raises DatasetError for an unknown split or an empty one."""
        if name not in self.sizes:
            raise DatasetError(f"{self.name} has no split '{name}'. It has: {', '.join(self.sizes)}.")
        n = self.sizes[name]
        if n < 1:
            raise DatasetError(f"data.sizes: '{self.name}.{name}' must be at least 1, found {n}.")
        files: list[Path | None] = render_split(self.world.name, name, n, self.store) if audio else [None] * n
        written = _written(self.world.name, name, n)
        clips = (Clip(id, texts, file, kinds) for (id, texts, kinds), file in zip(written, files, strict=True))
        return Split(self.name, name, tuple(clips), notes=("Synthetic: rendered by this program, not recorded.",))

    def count(self, split: str) -> tuple[int, int]:
        """(clips, captions) of a split without writing any; where clips have one to three captions, their mean."""
        n = self.sizes[split]
        return n, n * (self.world.captions[split] or 2)

    def scene(self, split: str, index: int) -> Scene:
        return scene(self.world, split, index)


@lru_cache(maxsize=16)
def _written(world: str, split: str, n: int) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """Id, captions and classes of each clip."""
    drawn = (scene(world, split, i) for i in range(n))
    return tuple((one.id, captions(one), tuple(event.kind for event in one.events)) for one in drawn)


def load(name: str, data: Data | None = None, store: Store | None = None) -> Soundscapes:
    """`soundscapes-<world>`. Raises DatasetError naming the worlds."""
    world = name.partition("-")[2]
    if world not in WORLDS:
        known = ", ".join(f"soundscapes-{w}" for w in WORLDS)
        raise DatasetError(f"There is no synthetic data set '{name}'. Known: {known}.")
    return Soundscapes(world, (data or Data()).sizes, store or Store())


def check_disjoint(dataset: Soundscapes) -> dict[str, int]:
    """Number of scenes of each split. Raises DatasetError where two splits hold a scene of the same specification."""
    seen: dict[tuple, str] = {}
    for part, n in dataset.sizes.items():
        for i in range(n):
            other = seen.setdefault(dataset.scene(part, i).specification, part)
            if other != part:
                raise DatasetError(f"{dataset.name}: {part} clip {i} has the specification of one in {other}.")
    return dict(dataset.sizes)


def caption_overlap(dataset: Soundscapes, split: str = "evaluation") -> float:
    """Share of a split's captions that occur word for word (case and punctuation aside) in the training text."""
    train = {bare(caption) for caption in dataset.split("train").captions}
    held_out = dataset.split(split).captions
    return sum(bare(caption) in train for caption in held_out) / len(held_out)
