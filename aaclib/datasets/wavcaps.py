"""WavCaps' SoundBible part (Mei et al. 2023): the audio-caption pairs that give sigma and the gap vector.

The smallest part of WavCaps: 1,232 clips, one archive of 580 MB on the hub (data set cvssp/WavCaps). Nothing is trained
on it here. Clips longer than `LONGEST_S` are left out: their windows would be averaged over many sounds.
"""

from __future__ import annotations

from pathlib import Path

from aaclib.config import Data, raw_dir
from aaclib.datasets import SPLITS, Clip, DatasetError, Split
from aaclib.datasets.archives import extract
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import audio_files, read_table, require

HUB = "https://huggingface.co/datasets/cvssp/WavCaps/resolve/main"
JSON = "json_files/SoundBible/sb_final.json"
ZIP = "Zip_files/SoundBible/SoundBible.zip"
ZIP_BYTES = 580_000_000
CLIPS = 1232
LONGEST_S = 30.0


class WavCaps:
    name = "wavcaps"
    title = "WavCaps (SoundBible)"
    synthetic = False

    def __init__(self, data: Data):
        self.data = data
        self.root = Path(data.wavcaps).expanduser() if data.wavcaps else raw_dir() / "wavcaps"
        if data.wavcaps and not self.root.is_dir():
            raise DatasetError(f"There is no folder {self.root} (data.wavcaps).")

    def split(self, name: str, audio: bool = False) -> Split:
        """All clips are in `train`; the other splits are empty."""
        if name not in SPLITS:
            raise DatasetError(f"There is no split '{name}'. Known: {', '.join(SPLITS)}.")
        if name != "train":
            return Split(self.name, name, ())
        captions, long = self._captions()
        notes = [f"{long} clips longer than {LONGEST_S:.0f} s are left out."] if long else []
        if not audio:
            return Split(self.name, name, tuple(Clip(i, (c,)) for i, c in captions.items()), (), tuple(notes))
        files = self._audio(captions)
        missing = tuple(i for i in captions if i not in files)
        if missing:
            notes.append(f"{len(missing)} of {len(captions)} clips have no audio file and are left out.")
        clips = tuple(Clip(i, (c,), files[i]) for i, c in captions.items() if i in files)
        return Split(self.name, name, clips, missing, tuple(notes))

    def _captions(self) -> tuple[dict[str, str], int]:
        """id -> caption, and the number of clips left out for their length."""
        path = fetch(self.remote(JSON), self.json_path(), self.data.download)
        rows = read_table(path)
        require(path, rows, ("id", "caption"))
        captions, long = {}, 0
        for row in rows:
            if not row.text("id") or not row.text("caption"):
                raise DatasetError(f"{row.where}: a clip without id or caption. Mend or delete {path}.")
            if float(row.cells.get("duration") or 0) > LONGEST_S:
                long += 1
            else:
                captions[row.text("id")] = row.text("caption")
        return captions, long

    def _audio(self, captions: dict[str, str]) -> dict[str, Path]:
        def here() -> dict[str, Path]:
            if not self.root.is_dir():
                return {}
            files = {file.stem: file for file in audio_files(self.root)}
            return {i: files[i] for i in captions if i in files}

        found = here()
        if not found:
            archive = self.root / "SoundBible.zip"
            own = archive.is_file()
            fetch(self.remote(ZIP), archive, self.data.download)
            extract(archive, self.root / "SoundBible_flac", lambda n: n.lower().endswith(".flac"))
            found = here()
            if not found:
                raise DatasetError(f"{archive} holds none of the clips that {self.json_path()} names.")
            if not own:
                archive.unlink()
        return found

    def remote(self, path: str) -> Remote:
        return remote(self.data, "wavcaps", HUB, path, size=ZIP_BYTES if path == ZIP else 0)

    def json_path(self) -> Path:
        """The user's own copy anywhere below the folder, else where it is downloaded to."""
        name = JSON.rsplit("/", 1)[-1]
        own = sorted(self.root.rglob(name)) if self.root.is_dir() else []
        return own[0] if own else self.root / name

    def audio_is_here(self) -> bool:
        return self.root.is_dir() and any(file.suffix.lower() == ".flac" for file in audio_files(self.root))


def load(name: str, data: Data, store: object = None) -> WavCaps:
    return WavCaps(data)
