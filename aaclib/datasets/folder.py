"""A user's own recordings and captions: a folder of audio and a table that names the files, or either of them alone.

`data.audio`     folder of recordings (wav, flac, ogg, mp3, ...; any rate), searched below as well, links followed
`data.captions`  CSV, TSV, JSON or JSONL: file_name and caption (one column or several of that name, or a list in its
                 cell), or caption_1..n, or one row per caption. Names are taken as they stand, outer spaces included,
                 where a file has such a name
`data.text`      a plain file of captions, one per line: added to the training text (and so to the memory)
`data.columns`   our name -> the file's column: file_name, caption, split, group, labels
`data.splits`    with a split column: our split -> its value(s) there, comma-separated; all other values are train
                 unless train is named as well. Without a split column: our split -> a share such as '20%', drawn by
                 a hash of the file name, so that a clip stays in its split when the table grows. `columns.group`
                 keeps all clips of one group (a recording, a place) together.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aaclib.columns import CAPTION_COLUMNS, FILE_COLUMNS, namesakes, numbered, usual
from aaclib.config import Data
from aaclib.datasets import SPLITS, Clip, DatasetError, Named, Split, check_split
from aaclib.datasets.files import AUDIO_SUFFIXES, audio_files, doubts, gone, listing, read_lines, read_table, with_audio
from aaclib.names import match_names
from aaclib.paths import home_path
from aaclib.reading import Row, columns, raising

GUESSES = {
    "file_name": FILE_COLUMNS,
    "caption": CAPTION_COLUMNS,
    "split": ("split", "subset", "partition"),
    "group": (),
    "labels": ("labels", "label", "tags", "category"),
}
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "development"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "eval", "evaluation"), "evaluation"),
}
SHARES = {"evaluation": "20%", "validation": "10%"}
TEXT_VALIDATION = 0.05  # of a text-only corpus, where the table has no validation clips


@dataclass
class Entry:
    name: str
    split: str
    group: str = ""
    labels: tuple[str, ...] = ()
    captions: list[str] = field(default_factory=list)
    where: str = ""  # the row that named it first, for messages


class Folder(Named):
    name = "folder"
    title = "Own recordings"
    synthetic = False

    def __init__(self, data: Data):
        if not (data.audio or data.captions or data.text):
            raise DatasetError(
                "The folder profile needs --set data.audio=DIR (recordings), --set data.captions=FILE "
                "(a table of file names and captions) or --set data.text=FILE (captions, one per line)."
            )
        if unknown := set(data.columns) - set(GUESSES):
            raise DatasetError(f"data.columns: unknown name '{min(unknown)}'. Known: {', '.join(GUESSES)}.")
        if unknown := set(data.splits) - set(SPLITS):
            raise DatasetError(f"data.splits: unknown split '{min(unknown)}'. Known: {', '.join(SPLITS)}.")
        self.data = data
        self.audio, self.table, self.text = (
            home_path(path) if path else None for path in (data.audio, data.captions, data.text)
        )
        if self.audio and not self.audio.is_dir():
            raise DatasetError(f"There is no folder {self.audio} (data.audio).")
        self.notes: list[str] = []
        self.entries = self._entries()

    def split(self, name: str, audio: bool = False) -> Split:
        """Clips of one split. Without `audio` no file is looked for (recordings without a table excepted: there the
        files are the list). With it, clips whose file is not there are listed as missing."""
        check_split(name)
        clips = [Clip(e.name, tuple(e.captions), None, e.labels) for e in self.entries if e.split == name]
        notes, missing, total = list(self.notes), (), len(clips)
        if audio:
            clips, missing, doubtful = self._with_audio(clips)
            notes += doubts(doubtful)
        else:
            clips += self._text_clips(name, any(e.split == "validation" for e in self.entries))
        return Split(self.name, name, tuple(clips), missing, (*notes, *gone(missing, f"{total} clips")))

    # ---- the table ---------------------------------------------------------------------------------------------------

    @raising(DatasetError)
    def _entries(self) -> list[Entry]:
        if self.table is None:
            if self.audio is None:
                return []
            if not self.files:
                raise DatasetError(f"{self.audio} has no audio file ({', '.join(AUDIO_SUFFIXES)}).")
            return [Entry(str(file.relative_to(self.audio)), split="evaluation") for file in self.files]
        rows = read_table(self.table)
        column = self._columns(self.table, rows)
        captions = self._caption_columns(self.table, rows, column)
        entries: dict[str, Entry] = {}
        for row in rows:
            name = self._name(row.name(column["file_name"]))
            split, group = (row.text(column[c]) if c in column else "" for c in ("split", "group"))
            texts = [text.strip() for c in captions for text in row.texts(c)]
            if not texts:
                raise DatasetError(
                    f"{row.where}: no caption for '{name}'. Fill it in, or remove the row; recordings "
                    f"without captions are captioned with data.audio alone."
                )
            entry = entries.setdefault(name, Entry(name, split, where=row.where))
            if entry.split != split:
                raise DatasetError(
                    f"{row.where}: '{name}' is in split '{split}' here and in '{entry.split}' in {entry.where}."
                )
            entry.captions += texts
            labels = [part for text in row.texts(column.get("labels", "")) for part in re.split(r"[,;]", text)]
            entry.labels = tuple(label.strip() for label in labels if label.strip())
            entry.group = group if "group" in column else name
        return self._assign(list(entries.values()), "split" in column)

    def _columns(self, table: Path, rows: list[Row]) -> dict[str, str]:
        """Our name -> the table's column: as set, else guessed by the usual names, whatever their case."""
        names = columns(table, rows, [c for ours, c in self.data.columns.items() if ours != "caption"])
        guessed = {ours: hits[0] for ours, guesses in GUESSES.items() if (hits := usual(guesses, names))}
        column = guessed | self.data.columns
        if "file_name" not in column:
            raise DatasetError(
                f"{table} has no column with file names; it has {', '.join(names)}. Name it: "
                f"--set data.columns.file_name=COLUMN"
            )
        return column

    def _caption_columns(self, table: Path, rows: list[Row], column: dict[str, str]) -> list[str]:
        if "caption" in self.data.columns:
            wanted = [c.strip() for c in self.data.columns["caption"].split(",")]
            columns(table, rows, wanted)
            return wanted
        have = columns(table, rows)
        if several := numbered("captions?", have):
            return several
        if "caption" in column:
            return namesakes(column["caption"], have)
        raise DatasetError(
            f"{self.table} has no caption column (caption, or caption_1..n); it has {', '.join(have)}. "
            f"Name it: --set data.columns.caption=COLUMN (or COLUMN,COLUMN)"
        )

    def _assign(self, entries: list[Entry], by_column: bool) -> list[Entry]:
        shares = {split: text for split, text in self.data.splits.items() if str(text).strip().endswith("%")}
        if by_column and not shares:
            return self._by_column(entries)
        if self.data.splits and not shares:
            raise DatasetError(
                f"{self.table} has no split column, so data.splits must give shares such as "
                f"'evaluation: 20%', or data.columns.split must name the column."
            )
        bounds, upper = [], 0.0
        for split in ("evaluation", "validation", "train"):
            if split in (shares or SHARES):
                upper += _share(split, (shares or SHARES)[split])
                bounds.append((upper, split))
        if upper > 1 + 1e-9:
            raise DatasetError(f"data.splits: the shares sum to {upper:.0%}.")
        for entry in entries:
            place = _place(entry.group)
            entry.split = next((split for bound, split in bounds if place < bound), "train")
        by = "group" if "group" in self.data.columns else "file name"
        self.notes.append(f"Splits were drawn by a hash of the {by}.")
        return entries

    def _by_column(self, entries: list[Entry]) -> list[Entry]:
        ours, mapping = self.data.splits, SPLIT_WORDS
        if ours:
            mapping = {value.strip().lower(): split for split, text in ours.items() for value in str(text).split(",")}
        rest = "train" if ours and "train" not in ours else ""
        unknown: Counter[str] = Counter()
        for entry in entries:
            value = entry.split.lower()
            entry.split = mapping.get(value, rest)
            if not entry.split:
                unknown[value] += 1
        if unknown and not ours:
            raise DatasetError(
                f"{self.table}: the split column has the values {listing(sorted(unknown))}. Say what they "
                f"are: --set data.splits.evaluation=VALUE,VALUE (and train, validation)."
            )
        if unknown:
            self.notes.append(f"{unknown.total()} clips are in no split (values {listing(sorted(unknown))}).")
        return entries

    # ---- audio and text ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def files(self) -> list[Path]:
        """All recordings below data.audio."""
        return audio_files(self.audio) if self.audio else []

    @property
    def roots(self) -> list[Path]:
        return [root for root in (self.audio, self.table and self.table.parent) if root]

    def _name(self, exact: str) -> str:
        """A file name without outer spaces, unless there is a file whose name really has them."""
        name = exact.strip()
        real = exact != name and (_as_given(exact, self.roots) or any(file.name == exact for file in self.files))
        return exact if real else name

    def _with_audio(self, clips: list[Clip]) -> tuple[list[Clip], tuple[str, ...], dict[str, list[Path]]]:
        given = {clip.id: file for clip in clips if (file := _as_given(clip.id, self.roots))}
        others = [clip.id for clip in clips if clip.id not in given]
        matches, doubtful = match_names(others, self.files, set(given.values()))
        here, missing = with_audio(clips, given | matches)
        if clips and not here:
            raise DatasetError(
                f"None of the {len(clips)} clips is in {listing(self.roots)} (looked for "
                f"{listing(missing, 3)}). Is data.audio the right folder? {''.join(doubts(doubtful))}"
            )
        return here, missing, doubtful

    def _text_clips(self, split: str, table_has_validation: bool) -> list[Clip]:
        if self.text is None or split == "evaluation" or (split == "validation" and table_has_validation):
            return []
        lines = read_lines(self.text, " (data.text)")
        if not lines:
            raise DatasetError(f"{self.text} has no captions.")
        held = set() if table_has_validation else _held_out(lines)
        wanted = [i for i in range(len(lines)) if (i in held) == (split == "validation")]
        return [Clip(f"{self.text.name}:{i + 1}", (lines[i],)) for i in wanted]


def _held_out(lines: list[str]) -> set[int]:
    """About `TEXT_VALIDATION` of the lines, by their text: equal captions never stand on both sides."""
    held = {i for i, line in enumerate(lines) if _place(line.lower()) < TEXT_VALIDATION}
    return held if len(held) < len(lines) else set()


def _place(text: str) -> float:
    """From 0 to 1, by a hash."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) / 16**12


def _share(split: str, text: str) -> float:
    try:
        share = float(str(text).strip().rstrip("%")) / 100
    except ValueError as error:
        raise DatasetError(f"data.splits.{split}: '{text}' is no share; write 20% for example.") from error
    if not 0 <= share <= 1:
        raise DatasetError(f"data.splits.{split}: '{text}' is not between 0% and 100%.")
    return share


def _as_given(name: str, roots: list[Path]) -> Path | None:
    """The file of this name, absolute, below the audio folder or beside the table, with or without its suffix."""
    suffixes = ("",) if name.lower().endswith(AUDIO_SUFFIXES) else ("", *AUDIO_SUFFIXES)
    files = (
        Path(f"{root / given}{suffix}")
        for root in roots
        for given in dict.fromkeys((Path(name), home_path(name)))
        for suffix in suffixes
    )
    return next((file for file in files if file.is_file()), None)
