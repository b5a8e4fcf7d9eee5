"""Clotho v2.1 (Drossos, Lipping, Virtanen, ICASSP 2020): five captions per clip, 15-30 s, from Zenodo record 4783391.

Only what is asked for is fetched: the captions of a split (CSV, under 2 MB), and the audio of a split only when it is
asked for with audio. On disk, as everybody has it: clotho_csv_files/*.csv, clotho_audio_files/<split>/*.wav. Clotho
calls the training split 'development'. Three file names begin with a space, which some unpackers drop: files are
matched by exact name first, then without such differences.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError, Named, Need, Split, check_split, table
from aaclib.datasets.archives import extract, fetched
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import audio_files, data_folder, doubts, gone, read_table, with_audio
from aaclib.names import match_names

ZENODO = "https://zenodo.org/records/4783391/files"
OFFICIAL = {"train": "development", "validation": "validation", "evaluation": "evaluation"}
CLIPS = {"train": 3839, "validation": 1045, "evaluation": 1045}
CAPTIONS = tuple(f"caption_{i}" for i in range(1, 6))
MD5 = {
    "clotho_audio_development.7z": "c8b05bc7acdb13895bb3c6a29608667e",
    "clotho_captions_development.csv": "d4090b39ce9f2491908eebf4d5b09bae",
    "clotho_metadata_development.csv": "170d20935ecfdf161ce1bb154118cda5",
    "clotho_audio_validation.7z": "7dba730be08bada48bd15dc4e668df59",
    "clotho_captions_validation.csv": "5879e023032b22a2c930aaa0528bead4",
    "clotho_metadata_validation.csv": "2e010427c56b1ce6008b0f03f41048ce",
    "clotho_audio_evaluation.7z": "4569624ccadf96223f19cb59fe4f849f",
    "clotho_captions_evaluation.csv": "1b16b9e57cf7bdb7f13a13802aeb57e2",
    "clotho_metadata_evaluation.csv": "13946f054d4e1bf48079813aac61bf77",
}
# bytes, about: of the archive, and of the wav files in it (the doctor's plan)
ARCHIVE_BYTES = {"train": 4_600_000_000, "validation": 1_300_000_000, "evaluation": 1_300_000_000}
AUDIO_BYTES = {"train": 7_600_000_000, "validation": 2_100_000_000, "evaluation": 2_100_000_000}


class Clotho(Named):
    name = "clotho"
    title = "Clotho"
    synthetic = False

    def __init__(self, data: Data):
        self.data, self.root = data, data_folder(data, "clotho", must_exist=not data.download)

    def split(self, name: str, audio: bool = False) -> Split:
        """3,839 + 1,045 + 1,045 clips with five captions each. With `audio`, an archive of a few GB is fetched and
        unpacked if the split's folder has none of its files; clips without a file are then listed as missing."""
        check_split(name)
        clips, missing, notes = [Clip(file, texts) for file, texts in self.captions(name).items()], (), []
        total = len(clips)
        if total != CLIPS[name]:
            notes.append(
                f"The captions file of Clotho's {OFFICIAL[name]} split has {total} clips; {CLIPS[name]} were published."
            )
        if audio:
            files, doubtful = self.audio(name, [clip.id for clip in clips])
            clips, missing = with_audio(clips, files)
            notes += doubts(doubtful)
        notes += gone(missing, f"Clotho's {total} {OFFICIAL[name]} clips")
        return Split(self.name, name, tuple(clips), missing, tuple(notes))

    def needs(self, texts: Iterable[str], audio: Iterable[str]) -> list[Need]:
        """The captions of these splits and the audio of those."""
        splits = dict.fromkeys((*texts, *audio))
        # which recordings a clip was cut from is asked where clips are listened to (aaclib.datasets.leakage)
        tables = [(kind, split) for split in splits for kind in (("captions", "metadata") if audio else ("captions",))]
        return [*(self._table_need(kind, split) for kind, split in tables), *map(self._audio_need, audio)]

    def _table_need(self, kind: str, name: str) -> Need:
        path = self.table_path(kind, name)
        path = beside if (beside := self.root / path.name).is_file() else path
        return table(f"Clotho's {OFFICIAL[name]} {kind}", path, self.remote(path.name).url)

    def _audio_need(self, name: str) -> Need:
        what, folder = f"Clotho's {OFFICIAL[name]} audio", self.audio_folder(name)
        place = self.archive_path(name)
        there = place if place.is_file() else folder  # an archive that was brought is unpacked by the run
        here = place.is_file() or (folder.is_dir() and any(folder.iterdir()))
        url, fix = self.remote(place.name).url, f"a network; or put the archive at {place}"
        return Need(what, str(there), here, ARCHIVE_BYTES[name], AUDIO_BYTES[name], url, fix, str(place))

    def captions(self, name: str) -> dict[str, tuple[str, ...]]:
        """Official file name -> its five captions, in the file's order."""
        path = self._table("captions", name)
        captions: dict[str, tuple[str, ...]] = {}
        for row in read_table(path, ("file_name", *CAPTIONS)):
            texts = tuple(filter(None, map(row.text, CAPTIONS)))
            if not texts:
                raise DatasetError(f"{row.where}: no caption. Delete {path} and run again.")
            file_name = row.name("file_name")  # not stripped: three official names begin with a space
            if file_name in captions:
                raise DatasetError(f"{row.where}: '{file_name}' is there twice. Delete {path} and run again.")
            captions[file_name] = texts
        return captions

    def metadata(self, name: str) -> dict[str, dict[str, str]]:
        """Official file name -> keywords, sound_id (Freesound's), sound_link, manufacturer, license. ISO-8859-1."""
        rows = read_table(self._table("metadata", name), ("file_name", "sound_id"), encodings=("iso-8859-1",))
        return {row.name("file_name"): {k: row.text(k) for k in row.cells if k != "file_name"} for row in rows}

    def audio(self, name: str, wanted: list[str]) -> tuple[dict[str, Path], dict[str, list[Path]]]:
        """Official file name -> file, for those that are there, and those that could be several; fetched and unpacked
        first if none is."""
        folder = self.audio_folder(name)
        files = {file.name: file for file in audio_files(folder)} if folder.is_dir() else {}
        hits, doubtful = match_names(wanted, files.values())
        if not hits:
            path = self.archive_path(name)
            with fetched(self.remote(path.name, ARCHIVE_BYTES[name]), path, self.data.download) as archive:
                hits, doubtful = match_names(wanted, extract(archive, folder, lambda n: n.lower().endswith(".wav")))
                if not hits:
                    raise DatasetError(f"{archive} holds none of the {len(wanted)} clips of its captions file.")
        return hits, doubtful

    def audio_folder(self, name: str) -> Path:
        return self.root / "clotho_audio_files" / OFFICIAL[name]

    def archive_path(self, name: str) -> Path:
        return self.root / "archives" / f"clotho_audio_{OFFICIAL[name]}.7z"

    def remote(self, file: str, size: int = 0) -> Remote:
        return remote(self.data, "clotho", ZENODO, file, f"md5:{MD5[file]}", size)

    def table_path(self, kind: str, name: str) -> Path:
        return self.root / "clotho_csv_files" / f"clotho_{kind}_{OFFICIAL[name]}.csv"

    def _table(self, kind: str, name: str) -> Path:
        path = self.table_path(kind, name)
        beside = self.root / path.name  # some keep the tables beside the audio folders
        return beside if beside.is_file() else fetch(self.remote(path.name), path, self.data.download)
