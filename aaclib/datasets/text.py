"""The captions of several data sets as one (`data.text_of`): what a decoder learns from where recordings come without.

Only text is learned and read, so no recording of any of them is looked for. The evaluation part is that of the first
data set alone: it shows how well the decoder reads. `data.text_size` draws some of the clips, whose captions a machine
without a GPU embeds and learns in minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from aaclib import seeds
from aaclib.config import Data
from aaclib.datasets import Dataset, DatasetError, Split, check_split
from aaclib.roles import TEXT

TENTH = 0.1  # of `data.text_size`, for the two parts that decoders are looked at with


class Text:
    """`load`: gives a data set by its name. Raises DatasetError where `data.text_of` names none."""

    name = TEXT

    def __init__(self, data: Data, load: Callable[[str], Dataset]):
        if not data.text_of:
            raise DatasetError("data.text_of names no data set to learn from: --set data.text_of=[clotho]")
        self.parts, self.size = [load(name) for name in data.text_of], data.text_size
        self.title = f"Captions of {' and '.join(part.title for part in self.parts)}"
        self.synthetic = any(part.synthetic for part in self.parts)

    def split(self, name: str, audio: bool = False) -> Split:
        """The captions of all, one data set after the other; of "evaluation" those of the first alone. With
        `data.text_size`: of clips drawn by a fixed seed, until about so many captions are there, or a tenth of that."""
        check_split(name)
        if name == "evaluation":
            return self._drawn(self.parts[0].split(name, audio), TENTH)
        found = [part.split(name, audio) for part in self.parts]
        clips = tuple(clip for split in found for clip in split.clips)
        missing = tuple(clip for split in found for clip in split.missing)
        notes = tuple(note for split in found for note in split.notes)
        return self._drawn(Split(self.name, name, clips, missing, notes), 1.0 if name == "train" else TENTH)

    def _drawn(self, split: Split, share: float) -> Split:
        wanted, total = round(self.size * share), len(split.captions)
        if not wanted or wanted >= total:
            return split
        order = seeds.rng(0, "text", split.name).permutation(len(split.clips))
        captions = np.cumsum([len(split.clips[i].captions) for i in order])
        chosen = sorted(order[: np.searchsorted(captions, wanted) + 1])
        note = f"{len(chosen)} of {len(split.clips)} clips ({split.name}), drawn by data.text_size = {self.size}."
        return replace(split, clips=tuple(split.clips[i] for i in chosen), notes=(*split.notes, note), digest="")
