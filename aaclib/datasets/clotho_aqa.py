"""Clotho-AQA (Lipping et al. 2022): questions that people asked about recordings of Clotho, with three answers each.

Zenodo record 6473207: clotho_aqa_{train,val,test}.csv, a row an answer (file_name, QuestionText, answer, confidence),
and audio_files.zip. Nothing is fetched here: `data.clotho_aqa` names the folder, with the recordings anywhere below it.
Of six questions about a recording two have the answer yes, two no, and two a single word.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from aaclib.config import Data
from aaclib.datasets import DatasetError, check_split
from aaclib.datasets.files import audio_files, data_folder, read_table
from aaclib.names import match_names

OFFICIAL = {"train": "train", "validation": "val", "evaluation": "test"}
COLUMNS = ("file_name", "QuestionText", "answer", "confidence")
YES_NO = ("yes", "no")


@dataclass(frozen=True)
class Asked:
    """One question about one recording."""

    clip: str  # the recording's file name
    text: str
    answers: tuple[str, ...]  # of each person, in lower case
    sure: tuple[bool, ...]  # who said that they were
    audio: Path | None = None

    @property
    def kind(self) -> str:
        """ "yes or no" where most people answer so, else "single word"."""
        return "yes or no" if 2 * sum(a in YES_NO for a in self.answers) > len(self.answers) else "single word"

    @property
    def answer(self) -> str:
        """What most people say; of equally many the first."""
        return Counter(self.answers).most_common(1)[0][0]

    @property
    def agreed(self) -> bool:
        """Whether all say the same."""
        return len(set(self.answers)) == 1


def questions(data: Data, split: str, audio: bool = False) -> list[Asked]:
    """The questions of a split ("train", "validation", "evaluation") in the file's order, their answers together. With
    `audio` those alone whose recording is here. Raises DatasetError for a file that is not there or cannot be read.

    >>> [question.answer for question in clotho_aqa.questions(run.config.data, "evaluation")[:6]]
    """
    check_split(split)
    folder = data_folder(data, "clotho_aqa")
    path = folder / f"clotho_aqa_{OFFICIAL[split]}.csv"
    if not path.is_file():
        raise DatasetError(
            f"{path} is missing. fix: download Clotho-AQA (https://zenodo.org/records/6473207) and give its folder by "
            "--set data.clotho_aqa=DIR"
        )
    answers: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for row in read_table(path, COLUMNS, encodings=("utf-8-sig", "iso-8859-1")):
        said = row.text("answer").lower()
        if not said or not row.text("QuestionText"):
            raise DatasetError(f"{row.where}: a question or an answer is empty. Fix or delete {path}.")
        asked = answers.setdefault((row.name("file_name"), row.text("QuestionText")), [])
        asked.append((said, row.text("confidence").lower() == "yes"))
    files = match_names({clip for clip, _ in answers}, audio_files(folder))[0] if audio else {}
    if audio and not files:
        raise DatasetError(
            f"None of the recordings that {path} names is below {folder}. fix: unpack audio_files.zip there"
        )
    return [
        Asked(clip, text, tuple(said for said, _ in given), tuple(sure for _, sure in given), files.get(clip))
        for (clip, text), given in answers.items()
        if clip in files or not audio
    ]
