"""The captions of several data sets as one (`data.text_of`): what a decoder learns from where recordings come without.

Only text is learned, so for training no recording of any of them is looked for. The evaluation part is that of the
first data set alone, with its recordings: it shows what CLAP hears and how well the decoder reads.
"""

from __future__ import annotations

from collections.abc import Callable

from aaclib.config import Data
from aaclib.datasets import Dataset, DatasetError, Split, check_split
from aaclib.roles import TEXT


class Text:
    """`load`: gives a data set by its name. Raises DatasetError where `data.text_of` names none."""

    name = TEXT

    def __init__(self, data: Data, load: Callable[[str], Dataset]):
        if not data.text_of:
            raise DatasetError("data.text_of names no data set to learn from: --set data.text_of=[clotho]")
        self.parts = [load(name) for name in data.text_of]
        self.title = f"Captions of {' and '.join(part.title for part in self.parts)}"
        self.synthetic = any(part.synthetic for part in self.parts)

    def split(self, name: str, audio: bool = False) -> Split:
        """The captions of all, one data set after the other; of "evaluation" those of the first alone."""
        check_split(name)
        if name == "evaluation":
            return self.parts[0].split(name, audio)
        splits = [part.split(name, audio) for part in self.parts]
        clips = tuple(clip for split in splits for clip in split.clips)
        missing = tuple(clip for split in splits for clip in split.missing)
        return Split(self.name, name, clips, missing, tuple(note for split in splits for note in split.notes))
