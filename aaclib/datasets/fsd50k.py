"""FSD50K (Fonseca et al. 2022): labelled Freesound clips without captions, a domain outside both targets.

It has no text to learn from: notebook 14 describes it by the decoders of the run's first target with captions, and
judges what they say by label recall and by CLAP (`aaclib.metrics.label_recall`, `clap_score`). Nothing is downloaded
here (24 GB, Zenodo record 4060432, split archives): `data.fsd50k` names the unpacked folder, with
FSD50K.ground_truth/{dev,eval}.csv and FSD50K.{dev,eval}_audio/<fname>.wav.
"""

from __future__ import annotations

from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError, Named, Split, check_split
from aaclib.datasets.files import data_folder, gone, read_table, with_audio
from aaclib.paths import raw_dir

OFFICIAL = {"train": ("dev", "train"), "validation": ("dev", "val"), "evaluation": ("eval", "")}


class FSD50K(Named):
    name = "fsd50k"
    title = "FSD50K"
    synthetic = False

    def __init__(self, data: Data):
        self.root = data_folder(data, "fsd50k", must_exist=False)
        if not self.root.is_dir():
            raise DatasetError(
                f"There is no folder {self.root}. Download and unpack FSD50K (https://zenodo.org/records/"
                f"4060432; its archives are split, so 7z or 'zip -s 0' joins them) and give its folder "
                f"with --set data.fsd50k=DIR."
            )

    def split(self, name: str, audio: bool = False) -> Split:
        """Clips with labels (underscores as spaces) and without captions."""
        check_split(name)
        part, wanted = OFFICIAL[name]
        needs = ("fname", "labels", "split") if wanted else ("fname", "labels")
        clips = []
        for row in read_table(self.root / "FSD50K.ground_truth" / f"{part}.csv", needs):
            if not wanted or row.text("split") == wanted:
                labels = (label.replace("_", " ") for label in row.text("labels").split(",") if label)
                clips.append(Clip(row.name("fname"), (), labels=tuple(labels)))
        missing, folder, total = (), self.root / f"FSD50K.{part}_audio", len(clips)
        if audio:
            paths = {clip.id: folder / f"{clip.id}.wav" for clip in clips}
            clips, missing = with_audio(clips, {i: path for i, path in paths.items() if path.is_file()})
            if not clips:
                raise DatasetError(f"None of the {len(missing)} clips is in {folder}.")
        return Split(self.name, name, tuple(clips), missing, tuple(gone(missing, f"{total} clips")))


def absent(data: Data) -> str:
    """Why FSD50K cannot be a target on this machine, or "": nobody named a folder, and data/raw/fsd50k is not there."""
    if data.fsd50k or (raw_dir() / "fsd50k").is_dir():
        return ""
    return f"No folder with FSD50K is named (data.fsd50k), nor is there {raw_dir() / 'fsd50k'}."
