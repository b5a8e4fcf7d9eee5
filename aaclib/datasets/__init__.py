"""Data sets: clips with captions, split into train, validation and evaluation; one module a data set.

`load(name, data)` gives a `Dataset`. `dataset.split("train")` gives captions alone and touches no audio: nothing is
rendered, downloaded or looked for, which is what training from text only means. `dataset.split("evaluation",
audio=True)` makes the audio be there first.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from aaclib import own
from aaclib.config import Data
from aaclib.roles import TEXT
from aaclib.store import Store, digest

PUBLISHED = ("clotho", "audiocaps", "wavcaps", "musiccaps")  # those of which something is fetched
SPLITS = ("train", "validation", "evaluation")
MADE = ("soundscapes", "music")  # the families of synthetic worlds, `<family>-<world>`
SMALL = 2_000_000  # bytes of a captions table, about

# data set, and its module's name -> its class; of a synthetic one `<name>-<world>` are the worlds
CLASSES = {
    "soundscapes": "Soundscapes",
    "music": "Music",
    "clotho": "Clotho",
    "audiocaps": "AudioCaps",
    "wavcaps": "WavCaps",
    "fsd50k": "FSD50K",
    "musiccaps": "MusicCaps",
    "folder": "Folder",
    "text": "Text",
}


class DatasetError(RuntimeError):
    """A data set that is not there or not as it should be; the message names the file and what to do."""


@dataclass(frozen=True)
class Clip:
    id: str  # unique in its data set; the official file name where there is one
    captions: tuple[str, ...]  # as published, not normalised; may be empty for recordings without captions
    audio: Path | None = None  # None where the split was asked for without audio, or where the file is missing
    labels: tuple[str, ...] = ()  # of what sounds in it
    content: str = ""  # all of that in one name, where the data set knows that nothing else sounds


@dataclass(frozen=True)
class Split:
    dataset: str
    name: str  # train | validation | evaluation
    clips: tuple[Clip, ...]
    missing: tuple[str, ...] = ()  # ids of published clips left out because their audio is not here
    notes: tuple[str, ...] = ()  # what a reader of the table should know, one sentence each
    digest: str = ""  # of ids and captions; filled in when left empty

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", digest([[c.id, *c.captions] for c in self.clips]))

    def __repr__(self) -> str:
        clips, captions = len(self.clips), sum(len(clip.captions) for clip in self.clips)
        return f"Split({self.dataset}.{self.name}: {clips} clips, {captions} captions, {len(self.paths)} with audio)"

    @property
    def captions(self) -> list[str]:
        """All captions, clip after clip."""
        return [caption for clip in self.clips for caption in clip.captions]

    @property
    def references(self) -> list[list[str]]:
        return [list(clip.captions) for clip in self.clips]

    @property
    def paths(self) -> list[Path]:
        return [clip.audio for clip in self.clips if clip.audio is not None]


@dataclass(frozen=True)
class Need:
    """One thing that a run reads from outside the store and that has to be there. `url` "": nothing can fetch it."""

    what: str
    where: str  # file, folder or hub name
    here: bool
    size: int = 0  # bytes to fetch, about
    unpacked: int = 0  # bytes on the disk afterwards, about; 0 = as fetched
    url: str = ""
    fix: str = ""  # the command that gets it
    place: str = ""  # where what `url` gives is put by hand; "" = at `where`
    command: str = ""  # what fetches it by hand; "" = curl does
    then: str = ""  # the setting that names it afterwards; "" = it is found

    @property
    def by_hand(self) -> str:
        """The command that fetches it where there is a network, for a shell."""
        return self.command or shlex.join(["curl", "--create-dirs", "-fLo", self.place or self.where, self.url])


def table(what: str, path: Path, url: str) -> Need:
    """A table of captions, which is small."""
    return Need(what, str(path), path.is_file(), SMALL, SMALL, url, f"a network; or put it at {path}")


class Named:
    """What every data set prints as."""

    name: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Dataset(Protocol):
    name: str  # soundscapes-long, clotho, ...
    title: str  # as it is called in tables
    synthetic: bool  # figures and tables then say so

    def split(self, name: str, audio: bool = False) -> Split:
        """One split; with `audio`, every clip's file is there and clips without one are listed as missing."""
        ...


def load(name: str, data: Data, store: Store | None = None, workers: int = 0) -> Dataset:
    """The data set of this name; `workers`: processes that render a synthetic one, 0 = one per core. Raises
    DatasetError for an unknown name or unusable files."""
    if name in own.DATASETS:
        return own.DATASETS[name].make(data)
    module, family = _module(name)
    if family in MADE:
        return module.load(name, data, store, workers)
    if family == TEXT:
        return module.Text(data, lambda part: load(part, data, store, workers))
    return getattr(module, CLASSES[family])(data)


def needs(name: str, data: Data, texts: Iterable[str], audio: Iterable[str]) -> list[Need]:
    """What the captions of these splits and the audio of those come from. [] for a data set that nobody fetches: what
    it lacks is an error of its own."""
    dataset: Any = load(name, data) if name in PUBLISHED else None
    return dataset.needs(texts, audio) if dataset else []


def register(name: str, make: Callable[[Data], Dataset]) -> str:
    """Adds a data set of your own to what `load`, `data.targets` and `data.pairs` know, in this process and its
    workers. `make`: a class with what `Dataset` asks for, or a function that returns one; called with the settings
    `data`. Registering a name again replaces it; ValueError for a name of this suite's own.

        datasets.register("mine", Mine)
        run = aaclib.Run.load("quick", {"data.targets": {"mine": ["baseline", "noise", "projection"]}})
    """
    own.DATASETS[own.plain(name, CLASSES)] = own.Own(make)
    return name


def absent(name: str, data: Data) -> str:
    """Why a target that a profile names has to be left out on this machine, or ''. Only a data set whose audio nobody
    can fetch has such a reason; anything else that is missing is an error of its own."""
    if name in own.DATASETS:
        return ""
    return getattr(_module(name)[0], "absent", lambda data: "")(data)


def _module(name: str) -> tuple[ModuleType, str]:
    family = name.split("-")[0]
    if family not in CLASSES or (name != family and family not in MADE):
        known = ", ".join([*CLASSES, *own.DATASETS])
        raise DatasetError(f"There is no data set '{name}'. Known: {known} (soundscapes-<world>, music-<world>).")
    return importlib.import_module(f"aaclib.datasets.{family}"), family


def check_split(name: str) -> None:
    if name not in SPLITS:
        raise DatasetError(f"There is no split '{name}'. Known: {', '.join(SPLITS)}.")
