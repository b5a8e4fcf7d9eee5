"""Reading captions: the DCASE CSV, COCO JSON, and the files that other systems leave behind.

Predictions are `{clip: caption}`, references `{clip: [captions]}`. A clip's name is the file's own (file_name,
image_id, youtube_id with start_time, ...), as it stands there. Two files meet by equal names, then by the only names
that are equal but for outer spaces, case and Unicode form, else by names without their audio extension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from aaclib.columns import CAPTION_COLUMNS, FILE_COLUMNS, namesakes, numbered, usual
from aaclib.metrics.result import MetricError
from aaclib.names import name_key, told_apart
from aaclib.reading import AUDIO, UTF8, Row, raising, read_table

ID_COLUMNS = (
    *("file_name", "filename", "fname", "audio_file", "clip", "clip_id", "audio_id", "image_id", "id"),
    *FILE_COLUMNS,
    *("youtube_id", "ytid", "audiocap_id"),
)
PREDICTION_COLUMNS = tuple(
    """
    caption_predicted predicted_caption prediction predicted candidate candidates hypothesis generated_caption
    generated output caption
    """.split()
)
REFERENCE_COLUMNS = ("references", "captions", "mult_references", "reference", "raw_caption", *CAPTION_COLUMNS)
NUMBERED = "(?:raw_)?(?:caption|reference|caption_reference)"
ENCODINGS = (*UTF8, "latin-1")  # other systems' files are taken as they are


class FormatError(MetricError, ValueError):
    """A file of captions that cannot be read as such; the message names the file and what was expected."""


@raising(FormatError)
def read_predictions(path: str | Path, ids: str = "", caption: str = "") -> dict[str, str]:
    """One caption per clip from CSV (DCASE: file_name, caption_predicted), JSON (COCO results, {clip: caption}), JSONL.
    ids, caption: the columns to take, where they are not among the usual names. Raises FormatError for a file without
    such columns, a clip that occurs twice or a caption that is not text.

        read_predictions("predictions.csv")      # {'rain.wav': 'rain falls on a roof', ...}
    """
    path = Path(path)
    captions: dict[str, str] = {}
    for row in read_table(path, encodings=ENCODINGS):
        name, column = _clip(row, path, ids), _column(row, path, PREDICTION_COLUMNS, caption, "predicted caption")
        values = row.values(column)
        if len(values) != 1 or not isinstance(values[0], str):
            raise FormatError(f"{path}: the caption of '{name}' is {row.cells[column]!r:.80}, not one text.")
        if name in captions:
            raise FormatError(f"{path}: '{name}' occurs twice; one predicted caption per clip is expected.")
        captions[name] = values[0]
    return _not_empty(captions, path)


@raising(FormatError)
def read_references(path: str | Path, ids: str = "", caption: str = "") -> dict[str, list[str]]:
    """All captions of each clip from CSV (Clotho: caption_1..5; AudioCaps: a row per caption), COCO annotations (JSON),
    {clip: [captions]} (JSON) or JSONL. Empty captions are left out. Raises FormatError.

        read_references("clotho_captions_evaluation.csv")      # {'rain.wav': ['rain falls', 'it rains'], ...}
    """
    path = Path(path)
    captions: dict[str, list[str]] = {}
    for row in read_table(path, encodings=ENCODINGS):
        columns = [] if caption else numbered(NUMBERED, row.cells)
        if not columns:
            columns = namesakes(_column(row, path, REFERENCE_COLUMNS, caption, "reference captions"), row.cells)
        name = _clip(row, path, ids)
        for value in (value for column in columns for value in row.values(column)):
            if value is not None and not isinstance(value, str):
                raise FormatError(f"{path}: a reference of '{name}' is {value!r}, not text.")
            if value and value.strip():
                captions.setdefault(name, []).append(value)
    return _not_empty(captions, path)


def match(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]], partial: bool = False
) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    """(clips, candidates, references, notes) in the order of the references.
    Raises FormatError naming clips that have no prediction, or predictions for clips without references; with
    `partial`, both are left out and noted.

        match({"a": "a dog"}, {"a.wav": ["a dog barks"]})      # (['a.wav'], ['a dog'], [['a dog barks']], [])
    """
    met = {name: name for name in references if name in predictions}
    met |= _only([name for name in references if name not in met], [p for p in predictions if p not in met], name_key)
    if not met:
        met = _only(references, predictions, _stem)
        if len({*map(_stem, references)}) < len(references) or len({*map(_stem, predictions)}) < len(predictions):
            raise FormatError("Some clips differ in nothing but folder or extension; give both files equal names.")
    missing, used = [name for name in references if name not in met], set(met.values())
    extra = [name for name in predictions if name not in used]
    notes = []
    for clips, what in ((missing, "have no predicted caption"), (extra, "have predictions but no references")):
        if clips:
            notes.append(f"{len(clips)} clips {what}, such as {', '.join(told_apart(clips[:3], [*missing, *extra]))}")
    if notes and (not partial or not met):
        raise FormatError(f"{'; '.join(notes)}. References: {len(references)} clips; predictions: {len(predictions)}.")
    clips = [name for name in references if name in met]
    return (
        clips,
        [predictions[met[name]] for name in clips],
        [list(references[name]) for name in clips],
        [f"{note}; left out." for note in notes],
    )


def for_clips(predictions: Mapping[str, str], clips: Iterable[str]) -> list[str]:
    """Another system's captions in the order of our clips. Raises FormatError naming clips that it has none for."""
    _, captions, _, _ = match({**predictions}, {clip: [""] for clip in clips})
    return captions


# ---- inside


def _column(row: Row, path: Path, names: Sequence[str], chosen: str, what: str) -> str:
    there = f"it has {', '.join(row.cells)}"
    if chosen and chosen not in row.cells:
        raise FormatError(f"{path} has no column '{chosen}'; {there}.")
    columns = [chosen] if chosen else usual(names, row.cells)
    if not columns:
        raise FormatError(f"{path}: no column of {what} ({', '.join(names[:4])}, ...); {there}.")
    return columns[0]


def _clip(row: Row, path: Path, chosen: str) -> str:
    column = _column(row, path, ID_COLUMNS, chosen, "clip names")
    name = row.name(column)
    if column.lower() in ("youtube_id", "ytid") and "start_time" in row.cells:
        name = f"{name}_{row.text('start_time')}"
    return name


def _only(names: Iterable[str], others: Iterable[str], key: Callable[[str], str]) -> dict[str, str]:
    """name -> the other name with the same key, where each is the only one that has it."""
    ours, theirs = {}, {}
    for those, by_key in ((names, ours), (others, theirs)):
        for name in those:
            by_key.setdefault(key(name), []).append(name)
    return {ours[k][0]: theirs[k][0] for k in ours if len(ours[k]) == len(theirs.get(k, ())) == 1}


def _stem(name: str) -> str:
    return AUDIO.sub("", name_key(Path(name).name))


def _not_empty(captions: dict, path: Path) -> dict:
    if not captions:
        raise FormatError(f"{path} holds no captions.")
    return captions
