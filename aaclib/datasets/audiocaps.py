"""AudioCaps (Kim et al., NAACL 2019): captions of ten-second YouTube clips; one per clip for training, five otherwise.

The captions are published (CSV, a few MB) and fetched. The audio is not, and this suite never downloads from YouTube:
`data.audiocaps` names a folder of yours, searched below, whose files are named in any of the usual ways. Some clips are
always gone from the web, so evaluation runs on those that exist, and every table says how many these are.
Version 1 has 49,838 + 495 + 975 clips; version 2 (data.audiocaps_version = 2) more for training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError, Named, Need, Split, check_split, table
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import audio_files, by_stem, data_folder, listing, read_table, with_audio
from aaclib.paths import raw_dir
from aaclib.reading import Row

GITHUB = "https://raw.githubusercontent.com/cdjkim/audiocaps/master"
OFFICIAL = {"train": "train", "validation": "val", "evaluation": "test"}
FOLDERS = {1: "dataset", 2: "dataset2.0"}
COLUMNS = ("audiocap_id", "youtube_id", "start_time", "caption")
CLIPS = {"train": 49838, "validation": 495, "evaluation": 975}  # of version 1
HOW = (
    "Give the folder that has it with --set data.audiocaps=DIR (names like {youtube_id}_{start_time}.flac, "
    "Y{youtube_id}.wav or {audiocap_id}.wav are found anywhere below it); data/README.md names public tools for it."
)


@dataclass(frozen=True)
class Coverage:
    """Which clips of a split have audio here."""

    found: dict[str, Path]  # clip id -> file
    missing: tuple[str, ...]  # clip ids
    namings: dict[str, int]  # naming -> number of files found by it

    @property
    def share(self) -> float:
        return len(self.found) / max(len(self.found) + len(self.missing), 1)


class AudioCaps(Named):
    name = "audiocaps"
    title = "AudioCaps"
    synthetic = False

    def __init__(self, data: Data):
        if data.audiocaps_version not in FOLDERS:
            raise DatasetError(f"data.audiocaps_version must be 1 or 2, found {data.audiocaps_version}.")
        self.data, self.root = data, data_folder(data, "audiocaps")
        self.folder = FOLDERS[data.audiocaps_version]
        self._rows: dict[str, dict[str, list[Row]]] = {}

    def split(self, name: str, audio: bool = False) -> Split:
        """Clip ids are {youtube_id}_{start_time}. With `audio`, clips without a file are listed as missing; a folder
        with none of them is an error."""
        clips = [Clip(clip, tuple(row.text("caption") for row in rows)) for clip, rows in self._clips(name).items()]
        missing, notes = (), ()
        if audio:
            coverage, what = self.coverage(name), f"AudioCaps' {len(clips)} {OFFICIAL[name]} clips"
            if not coverage.found:
                raise DatasetError(f"None of {what} is below {self.root}. {HOW}")
            clips, missing = with_audio(clips, coverage.found)
            if missing:
                notes = (
                    f"{len(missing)} of {what} have no audio file ({1 - coverage.share:.1%}) and are left out: "
                    f"n = {len(clips)}.",
                )
        return Split(self.name, name, tuple(clips), missing, notes)

    def needs(self, texts: Iterable[str], audio: Iterable[str]) -> list[Need]:
        """The captions of these splits; the audio, which nobody can fetch, is the user's."""
        splits = dict.fromkeys([*texts, *audio])
        return [table(f"AudioCaps' {s} captions", self.table_path(s), self.remote(s).url) for s in splits]

    def coverage(self, name: str) -> Coverage:
        """Looks for every clip of a split below the folder, under each usual naming in turn."""
        files = by_stem(self.root)
        found, namings, missing = {}, Counter(), []
        for clip, rows in self._clips(name).items():
            hits = [(naming, files[stem]) for naming, stem in _namings(clip, rows) if stem in files]
            if hits:
                naming, found[clip] = hits[0]
                namings[naming] += 1
            else:
                missing.append(clip)
        return Coverage(found, tuple(missing), namings)

    def _clips(self, name: str) -> dict[str, list[Row]]:
        """Clip id -> its rows, one per caption."""
        check_split(name)
        if name not in self._rows:
            path = fetch(self.remote(name), self.table_path(name), self.data.download)
            clips: dict[str, list[Row]] = {}
            for row in read_table(path, COLUMNS):
                if not row.text("caption") or not row.text("youtube_id"):
                    raise DatasetError(f"{row.where}: a clip without caption or YouTube id. Fix or delete {path}.")
                clips.setdefault(f"{row.text('youtube_id')}_{row.text('start_time')}", []).append(row)
            self._rows[name] = clips
        return self._rows[name]

    def remote(self, name: str) -> Remote:
        return remote(self.data, "audiocaps", f"{GITHUB}/{self.folder}", f"{OFFICIAL[name]}.csv")

    def table_path(self, name: str) -> Path:
        """Where the captions are kept: in the user's folder if they are there, else in data/raw."""
        file = f"{OFFICIAL[name]}.csv"
        own = (self.root / file, self.root / self.folder / file)
        return next((path for path in own if path.is_file()), raw_dir() / "audiocaps" / self.folder / file)


def _namings(clip: str, rows: list[Row]) -> list[tuple[str, str]]:
    """(naming, file name without suffix) of one clip, most telling first: one YouTube id has one clip in a split."""
    youtube, start = clip.rsplit("_", 1)
    names = [
        ("{youtube_id}_{start_time}", clip),
        ("Y{youtube_id}", f"Y{youtube}"),
        ("{youtube_id}", youtube),
        ("Y{youtube_id}_{start_time}", f"Y{clip}"),
    ]
    if start.isdigit():
        seconds = int(start)
        names += [
            ("{youtube_id}_{start}_{end}", f"{youtube}_{seconds}_{seconds + 10}"),
            ("Y{youtube_id}_{start}.000_{end}.000", f"Y{youtube}_{seconds}.000_{seconds + 10}.000"),
            ("{youtube_id}_{start ms}_{end ms}", f"{youtube}_{seconds * 1000}_{(seconds + 10) * 1000}"),
        ]
    return names + [("{audiocap_id}", row.text("audiocap_id")) for row in rows]


def report(coverage: Coverage) -> str:
    """Found, missing and which, in one line."""
    total = len(coverage.found) + len(coverage.missing)
    named = ", ".join(f"{n} as {naming}" for naming, n in coverage.namings.items())
    gone = f"; missing: {listing(coverage.missing)}" if coverage.missing else ""
    return f"AudioCaps: {len(coverage.found)} of {total} clips found ({coverage.share:.1%}; {named or 'none'}){gone}."


def absent(data: Data) -> str:
    """Why AudioCaps cannot be a target on this machine: nobody named a folder, and data/raw/audiocaps has no audio.
    "" where it can, and where a folder was named (then anything missing there is an error of its own)."""
    folder = raw_dir() / "audiocaps"
    if data.audiocaps or (folder.is_dir() and audio_files(folder)):
        return ""
    return f"No folder with AudioCaps' audio is named (data.audiocaps), and {folder} has none."
