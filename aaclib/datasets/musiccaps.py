"""MusicCaps (Agostinelli et al. 2023, CC BY-SA 4.0): 5,521 ten-second pieces of music, captioned by musicians.

One table, fetched (3 MB): ytid, start_s, end_s, audioset_positive_labels, aspect_list, caption, author_id,
is_balanced_subset, is_audioset_eval. The audio is not published: clips are looked for below `data.musiccaps`. The 2,858
clips of AudioSet's evaluation part are `evaluation`; of the other 2,663 one in ten, by a hash, is `validation`, because
the authors name none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError, Named, Need, Split, check_split, table
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import audio_files, by_stem, data_folder, gone, read_table, with_audio
from aaclib.paths import raw_dir
from aaclib.reading import Row

HUB = "https://huggingface.co/datasets/google/MusicCaps/resolve/main"
TABLE = "musiccaps-public.csv"
COLUMNS = ("ytid", "start_s", "end_s", "aspect_list", "caption", "is_audioset_eval")
TRUE = ("true", "1")
TENTH = 10  # one in so many is for validation


class MusicCaps(Named):
    name = "musiccaps"
    title = "MusicCaps"
    synthetic = False

    def __init__(self, data: Data):
        self.data, self.root = data, data_folder(data, "musiccaps")

    def split(self, name: str, audio: bool = False) -> Split:
        """Clip ids are {ytid}_{start_s}, labels the musicians' aspects ("mellow piano melody"). With `audio`, clips
        without a file are listed as missing; a folder with none of them is an error."""
        check_split(name)
        rows = [row for row in self._rows() if _part(row) == name]
        clips, missing = [_clip(row) for row in rows], ()
        total = len(clips)
        if audio:
            files = by_stem(self.root)
            found = {_id(row): files[stem] for row in rows for stem in reversed(_stems(row)) if stem in files}
            clips, missing = with_audio(clips, found)
            if not clips:
                raise DatasetError(
                    f"None of MusicCaps' {total} {name} clips is below {self.root}. fix: --set data.musiccaps=DIR with "
                    "files such as {ytid}_{start_s}.wav, {ytid}.wav or [{ytid}]-[{start_s}-{end_s}].wav"
                )
        return Split(self.name, name, tuple(clips), missing, tuple(gone(missing, f"MusicCaps' {total} {name} clips")))

    def needs(self, texts: Iterable[str], audio: Iterable[str]) -> list[Need]:
        """The one table; the audio, which nobody can fetch, is the user's."""
        return [table("MusicCaps' captions", self.table_path(), self.remote().url)]

    def _rows(self) -> list[Row]:
        path = fetch(self.remote(), self.table_path(), self.data.download)
        rows = read_table(path, COLUMNS)
        for row in rows:
            if not row.text("caption") or not row.text("ytid"):
                raise DatasetError(f"{row.where}: a clip without caption or YouTube id. Fix or delete {path}.")
        return rows

    def remote(self) -> Remote:
        return remote(self.data, "musiccaps", HUB, TABLE)

    def table_path(self) -> Path:
        """The user's own copy, else where it is downloaded to."""
        own = self.root / TABLE
        return own if own.is_file() else raw_dir() / "musiccaps" / TABLE


def _clip(row: Row) -> Clip:
    return Clip(_id(row), (row.text("caption"),), labels=tuple(row.texts("aspect_list")))


def _id(row: Row) -> str:
    return f"{row.text('ytid')}_{row.text('start_s')}"


def _part(row: Row) -> str:
    if row.text("is_audioset_eval").lower() in TRUE:
        return "evaluation"
    place = int.from_bytes(hashlib.sha256(row.text("ytid").encode()).digest()[:4], "little")
    return "train" if place % TENTH else "validation"


def _stems(row: Row) -> list[str]:
    """File names without suffix, most telling first."""
    youtube, start, end = (row.text(name) for name in ("ytid", "start_s", "end_s"))
    return [f"{youtube}_{start}", f"{youtube}_{start}_{end}", f"[{youtube}]-[{start}-{end}]", youtube, f"Y{youtube}"]


def absent(data: Data) -> str:
    """Why MusicCaps cannot be a target on this machine, or "": nobody named a folder, and data/raw/musiccaps has no
    audio."""
    folder = raw_dir() / "musiccaps"
    if data.musiccaps or (folder.is_dir() and audio_files(folder)):
        return ""
    return f"No folder with MusicCaps' audio is named (data.musiccaps), and {folder} has none."
