"""WavCaps' SoundBible part (Mei et al. 2023): the audio-caption pairs that give sigma and the gap vector.

The smallest part of WavCaps: 1,232 clips, one archive of 580 MB on the hub (data set cvssp/WavCaps). Nothing is trained
on it here. Clips longer than `LONGEST_S` are left out: their windows would be averaged over many sounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError, Named, Need, Split, check_split, table
from aaclib.datasets.archives import extract, fetched
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import audio_files, by_stem, data_folder, gone, read_table, with_audio

HUB = "https://huggingface.co/datasets/cvssp/WavCaps/resolve/main"
JSON = "json_files/SoundBible/sb_final.json"
ZIP = "Zip_files/SoundBible/SoundBible.zip"
ZIP_BYTES = 580_000_000
CLIPS = 1232
LONGEST_S = 30.0


class WavCaps(Named):
    name = "wavcaps"
    title = "WavCaps (SoundBible)"
    synthetic = False

    def __init__(self, data: Data):
        self.data, self.root = data, data_folder(data, "wavcaps")

    def split(self, name: str, audio: bool = False) -> Split:
        """All clips are in `train`; the other splits are empty."""
        check_split(name)
        if name != "train":
            return Split(self.name, name, ())
        (clips, long), missing, notes = self._clips(), (), []
        total = len(clips)
        if long:
            notes.append(f"{long} clips longer than {LONGEST_S:.0f} s are left out.")
        if audio:
            clips, missing = with_audio(clips, self._audio([clip.id for clip in clips]))
        return Split(self.name, name, tuple(clips), missing, (*notes, *gone(missing, f"{total} clips")))

    def needs(self, texts: Iterable[str], audio: Iterable[str]) -> list[Need]:
        """The one table and the one archive, whatever is asked for."""
        place = self.root / "SoundBible.zip"  # one that was brought is unpacked by the run
        files = audio_files(self.root) if self.root.is_dir() else []
        here = place.is_file() or any(file.suffix.lower() == ".flac" for file in files)
        captions = table("WavCaps' SoundBible captions", self.json_path(), self.remote(JSON).url)
        fix = "a network; or --set data.wavcaps=DIR with {id}.flac files and sb_final.json"
        what, url = "WavCaps' SoundBible audio", self.remote(ZIP).url
        return [captions, Need(what, str(self.root), here, ZIP_BYTES, ZIP_BYTES, url, fix, str(place))]

    def _clips(self) -> tuple[list[Clip], int]:
        """The clips, and the number of those left out for their length."""
        path = fetch(self.remote(JSON), self.json_path(), self.data.download)
        captions, long = {}, 0
        for row in read_table(path, ("id", "caption")):
            if not row.text("id") or not row.text("caption"):
                raise DatasetError(f"{row.where}: a clip without id or caption. Fix or delete {path}.")
            if float(row.cells.get("duration") or 0) > LONGEST_S:
                long += 1
            else:
                captions[row.text("id")] = row.text("caption")
        return [Clip(i, (caption,)) for i, caption in captions.items()], long

    def _audio(self, wanted: list[str]) -> dict[str, Path]:
        """Clip id -> file, for those that are there; fetched and unpacked first if none is."""
        files = self._here(wanted)
        if not files:
            with fetched(self.remote(ZIP), self.root / "SoundBible.zip", self.data.download) as archive:
                extract(archive, self.root / "SoundBible_flac", lambda n: n.lower().endswith(".flac"))
                files = self._here(wanted)
                if not files:
                    raise DatasetError(f"{archive} holds none of the clips that {self.json_path()} names.")
        return files

    def _here(self, wanted: list[str]) -> dict[str, Path]:
        files = by_stem(self.root)
        return {i: files[i] for i in wanted if i in files}

    def remote(self, path: str) -> Remote:
        return remote(self.data, "wavcaps", HUB, path, size=ZIP_BYTES if path == ZIP else 0)

    def json_path(self) -> Path:
        """The user's own copy anywhere below the folder, else where it is downloaded to."""
        name = JSON.rsplit("/", 1)[-1]
        own = sorted(self.root.rglob(name)) if self.root.is_dir() else []
        return own[0] if own else self.root / name
