"""Clotho v2.1 (Drossos, Lipping, Virtanen, ICASSP 2020): five captions a clip, 15-30 s, from Zenodo record 4783391.

Only what is asked for is fetched: the captions of a split (CSV, under 2 MB), and the audio of a split only when it is
asked for with audio. On disk, as everybody has it: clotho_csv_files/*.csv, clotho_audio_files/<split>/*.wav. Clotho
calls the training split 'development'. Three file names begin with a space, which some unpackers drop: files are
matched by exact name first, then without such differences.
"""

from __future__ import annotations

from pathlib import Path

from aaclib.config import Data, raw_dir
from aaclib.datasets import SPLITS, Clip, DatasetError, Split
from aaclib.datasets.archives import extract
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import audio_files, match_names, read_table, require, some

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
# bytes, about: of the archive, and of the wav files in it (the plan's numbers; the server's own are asked for first)
ARCHIVE_BYTES = {"train": 4_600_000_000, "validation": 1_300_000_000, "evaluation": 1_300_000_000}
AUDIO_BYTES = {"train": 7_600_000_000, "validation": 2_100_000_000, "evaluation": 2_100_000_000}


class Clotho:
    name = "clotho"
    title = "Clotho"
    synthetic = False

    def __init__(self, data: Data):
        self.data = data
        self.root = Path(data.clotho).expanduser() if data.clotho else raw_dir() / "clotho"
        if data.clotho and not self.root.is_dir() and not data.download:
            raise DatasetError(f"There is no folder {self.root} (data.clotho).")

    def split(self, name: str, audio: bool = False) -> Split:
        """3,839 + 1,045 + 1,045 clips with five captions each. With `audio`, an archive of a few GB is fetched and
        unpacked if the split's folder has none of its files; clips without a file are then listed as missing."""
        if name not in SPLITS:
            raise DatasetError(f"There is no split '{name}'. Known: {', '.join(SPLITS)}.")
        captions = self.captions(name)
        notes = []
        if len(captions) != CLIPS[name]:
            notes.append(f"The captions file of Clotho's {OFFICIAL[name]} split has {len(captions)} clips; "
                         f"{CLIPS[name]} were published.")
        if not audio:
            return Split(self.name, name, tuple(Clip(n, c) for n, c in captions.items()), (), tuple(notes))
        files = self.audio(name, list(captions))
        missing = tuple(n for n in captions if n not in files)
        if missing:
            notes.append(f"{len(missing)} of Clotho's {len(captions)} {OFFICIAL[name]} clips have no audio file and "
                         f"are left out ({some(missing, 3)}).")
        clips = tuple(Clip(n, c, files[n]) for n, c in captions.items() if n in files)
        return Split(self.name, name, clips, missing, tuple(notes))

    def captions(self, name: str) -> dict[str, tuple[str, ...]]:
        """Official file name -> its five captions, in the file's order."""
        path = self._table("captions", name)
        rows = read_table(path)
        require(path, rows, ("file_name", *CAPTIONS))
        captions: dict[str, tuple[str, ...]] = {}
        for row in rows:
            found = tuple(text for text in (row.text(c) for c in CAPTIONS) if text)
            if not found:
                raise DatasetError(f"{row.where}: no caption. Delete {path} and run again.")
            file_name = row.cells["file_name"]               # not stripped: three official names begin with a space
            if file_name in captions:
                raise DatasetError(f"{row.where}: '{file_name}' is there twice. Delete {path} and run again.")
            captions[file_name] = found
        return captions

    def metadata(self, name: str) -> dict[str, dict[str, str]]:
        """Official file name -> keywords, sound_id (Freesound's), sound_link, manufacturer, license. ISO-8859-1."""
        path = self._table("metadata", name)
        rows = read_table(path, encoding="iso-8859-1")
        require(path, rows, ("file_name", "sound_id"))
        return {row.cells["file_name"]: {k: row.text(k) for k in row.cells if k != "file_name"} for row in rows}

    def audio(self, name: str, wanted: list[str]) -> dict[str, Path]:
        """Official file name -> file, for those that are there; fetched and unpacked first if none is."""
        folder = self.audio_folder(name)
        found = match_names(wanted, audio_files(folder)) if folder.is_dir() else {}
        if not found:
            file = self.remote(f"clotho_audio_{OFFICIAL[name]}.7z", ARCHIVE_BYTES[name])
            archive = self.root / "archives" / file.name
            own = archive.is_file()
            fetch(file, archive, self.data.download)
            found = match_names(wanted, extract(archive, folder, lambda n: n.lower().endswith(".wav")))
            if not found:
                raise DatasetError(f"{archive} holds none of the {len(wanted)} clips of its captions file.")
            if not own:
                archive.unlink()                             # unpacked whole: 1-5 GB less on the disk
        return found

    def audio_folder(self, name: str) -> Path:
        return self.root / "clotho_audio_files" / OFFICIAL[name]

    def remote(self, file: str, size: int = 0) -> Remote:
        return remote(self.data, "clotho", ZENODO, file, f"md5:{MD5[file]}", size)

    def table_path(self, kind: str, name: str) -> Path:
        return self.root / "clotho_csv_files" / f"clotho_{kind}_{OFFICIAL[name]}.csv"

    def _table(self, kind: str, name: str) -> Path:
        path = self.table_path(kind, name)
        beside = self.root / path.name                       # some keep the tables beside the audio folders
        return beside if beside.is_file() else fetch(self.remote(path.name), path, self.data.download)


def load(name: str, data: Data, store: object = None) -> Clotho:
    return Clotho(data)
