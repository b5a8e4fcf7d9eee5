"""AudioCaps (Kim et al., NAACL 2019): captions of ten-second YouTube clips; one a clip for training, five otherwise.

The captions are published (CSV, a few MB) and fetched. The audio is not, and this suite never downloads from YouTube:
`data.audiocaps` names a folder of yours, searched below, whose files are named in any of the usual ways. Some clips are
always gone from the web, so evaluation runs on those that exist, and every table says how many these are.
Version 1 has 49,838 + 495 + 975 clips; version 2 (data.audiocaps_version = 2) more for training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aaclib.config import Data, raw_dir
from aaclib.datasets import SPLITS, Clip, DatasetError, Split
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import audio_files, read_table, require, some

GITHUB = "https://raw.githubusercontent.com/cdjkim/audiocaps/master"
OFFICIAL = {"train": "train", "validation": "val", "evaluation": "test"}
FOLDERS = {1: "dataset", 2: "dataset2.0"}
COLUMNS = ("audiocap_id", "youtube_id", "start_time", "caption")
CLIPS = {"train": 49838, "validation": 495, "evaluation": 975}      # of version 1
HOW = ("Give the folder that has it with --set data.audiocaps=DIR (names like {youtube_id}_{start_time}.flac, "
       "Y{youtube_id}.wav or {audiocap_id}.wav are found anywhere below it); data/README.md names public tools for it.")


@dataclass(frozen=True)
class Coverage:
    """Which clips of a split have audio here."""

    found: dict[str, Path]             # clip id -> file
    missing: tuple[str, ...]           # clip ids
    namings: dict[str, int]            # naming -> number of files found by it

    @property
    def share(self) -> float:
        return len(self.found) / max(len(self.found) + len(self.missing), 1)


class AudioCaps:
    name = "audiocaps"
    title = "AudioCaps"
    synthetic = False

    def __init__(self, data: Data):
        if data.audiocaps_version not in FOLDERS:
            raise DatasetError(f"data.audiocaps_version must be 1 or 2, found {data.audiocaps_version}.")
        self.data = data
        self.root = Path(data.audiocaps).expanduser() if data.audiocaps else raw_dir() / "audiocaps"
        if data.audiocaps and not self.root.is_dir():
            raise DatasetError(f"There is no folder {self.root} (data.audiocaps).")
        self._clips: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {}

    def split(self, name: str, audio: bool = False) -> Split:
        """Clip ids are {youtube_id}_{start_time}. With `audio`, clips without a file are listed as missing; a folder
        with none of them is an error."""
        clips = self._read(name)
        if not audio:
            return Split(self.name, name, tuple(Clip(i, captions) for i, (captions, _) in clips.items()))
        coverage = self.coverage(name)
        if not coverage.found:
            raise DatasetError(f"None of AudioCaps' {len(clips)} {OFFICIAL[name]} clips is below {self.root}. {HOW}")
        notes = []
        if coverage.missing:
            notes.append(f"{len(coverage.missing)} of AudioCaps' {len(clips)} {OFFICIAL[name]} clips have no audio "
                         f"file ({1 - coverage.share:.1%}) and are left out: n = {len(coverage.found)}.")
        found = tuple(Clip(i, captions, coverage.found[i]) for i, (captions, _) in clips.items() if i in coverage.found)
        return Split(self.name, name, found, coverage.missing, tuple(notes))

    def coverage(self, name: str) -> Coverage:
        """Looks for every clip of a split below the folder, under each usual naming in turn."""
        files: dict[str, Path] = {}
        for file in audio_files(self.root) if self.root.is_dir() else []:
            files.setdefault(file.stem, file)
        found, namings, missing = {}, {}, []
        for clip, (_, ids) in self._read(name).items():
            for naming, stem in _namings(clip, ids):
                if stem in files:
                    found[clip] = files[stem]
                    namings[naming] = namings.get(naming, 0) + 1
                    break
            else:
                missing.append(clip)
        return Coverage(found, tuple(missing), namings)

    def _read(self, name: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Clip id -> (captions, audiocap ids)."""
        if name not in SPLITS:
            raise DatasetError(f"There is no split '{name}'. Known: {', '.join(SPLITS)}.")
        if name not in self._clips:
            path = self._table(name)
            rows = read_table(path)
            require(path, rows, COLUMNS)
            clips: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
            for row in rows:
                if not row.text("caption") or not row.text("youtube_id"):
                    raise DatasetError(f"{row.where}: a clip without caption or YouTube id. Mend or delete {path}.")
                clip = f"{row.text('youtube_id')}_{row.text('start_time')}"
                captions, ids = clips.get(clip, ((), ()))
                clips[clip] = ((*captions, row.text("caption")), (*ids, row.text("audiocap_id")))
            self._clips[name] = clips
        return self._clips[name]

    def remote(self, name: str) -> Remote:
        version = self.data.audiocaps_version
        return remote(self.data, "audiocaps", f"{GITHUB}/{FOLDERS[version]}", f"{OFFICIAL[name]}.csv")

    def table_path(self, name: str) -> Path:
        """Where the captions are kept: in the user's folder if they are there, else in data/raw."""
        version = self.data.audiocaps_version
        own = [self.root / f"{OFFICIAL[name]}.csv", self.root / FOLDERS[version] / f"{OFFICIAL[name]}.csv"]
        kept = raw_dir() / "audiocaps" / FOLDERS[version] / f"{OFFICIAL[name]}.csv"
        return next((path for path in own if path.is_file()), kept)

    def _table(self, name: str) -> Path:
        return fetch(self.remote(name), self.table_path(name), self.data.download)


def _namings(clip: str, ids: tuple[str, ...]) -> list[tuple[str, str]]:
    """(naming, file name without suffix) of one clip, most telling first: one YouTube id has one clip in a split."""
    youtube, start = clip.rsplit("_", 1)
    names = [("{youtube_id}_{start_time}", clip), ("Y{youtube_id}", f"Y{youtube}"), ("{youtube_id}", youtube),
             ("Y{youtube_id}_{start_time}", f"Y{clip}")]
    if start.isdigit():
        seconds = int(start)
        names += [("{youtube_id}_{start}_{end}", f"{youtube}_{seconds}_{seconds + 10}"),
                  ("Y{youtube_id}_{start}.000_{end}.000", f"Y{youtube}_{seconds}.000_{seconds + 10}.000"),
                  ("{youtube_id}_{start ms}_{end ms}", f"{youtube}_{seconds * 1000}_{(seconds + 10) * 1000}")]
    return names + [("{audiocap_id}", i) for i in ids]


def report(coverage: Coverage, title: str = "AudioCaps") -> str:
    """Found, missing and which, in one line."""
    total = len(coverage.found) + len(coverage.missing)
    named = ", ".join(f"{n} as {naming}" for naming, n in coverage.namings.items())
    gone = f"; missing: {some(coverage.missing)}" if coverage.missing else ""
    return f"{title}: {len(coverage.found)} of {total} clips found ({coverage.share:.1%}; {named or 'none'}){gone}."


def absent(data: Data) -> str:
    """Why AudioCaps cannot be a target on this machine: nobody named a folder, and data/raw/audiocaps has no audio.
    "" where it can, and where a folder was named (then anything missing there is an error of its own)."""
    folder = raw_dir() / "audiocaps"
    if data.audiocaps or (folder.is_dir() and audio_files(folder)):
        return ""
    return f"No folder with AudioCaps' audio is named (data.audiocaps), and {folder} has none."


def load(name: str, data: Data, store: object = None) -> AudioCaps:
    return AudioCaps(data)
