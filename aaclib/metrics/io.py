"""Captions in and out: the DCASE CSV, COCO JSON, and the files that other systems leave behind.

Predictions are `{clip: caption}`, references `{clip: [captions]}`. A clip's name is the file's own (file_name,
image_id, youtube_id with start_time, ...); two files meet by equal names, else by names without their audio extension.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aaclib.metrics.result import MetricError
from aaclib.names import told_apart
from aaclib.store import replacing, write_json

ID_COLUMNS = ("file_name", "filename", "fname", "audio_file", "clip", "clip_id", "audio_id", "image_id", "id", "wav",
              "audio", "file", "youtube_id", "ytid", "audiocap_id")
PREDICTION_COLUMNS = ("caption_predicted", "predicted_caption", "prediction", "predicted", "candidate", "candidates",
                      "hypothesis", "generated_caption", "generated", "output", "caption")
REFERENCE_COLUMNS = ("references", "captions", "mult_references", "reference", "raw_caption", "caption")
NUMBERED = re.compile(r"(?:raw_)?(?:caption|reference|caption_reference)_?\d+$")
AUDIO = re.compile(r"\.(wav|flac|mp3|ogg|m4a|aac|opus|mp4|webm)$", re.IGNORECASE)


class FormatError(MetricError, ValueError):
    """A file of captions that cannot be read as such; the message names the file and what was expected."""


# ---- in


def read_predictions(path: str | Path, ids: str = "", caption: str = "") -> dict[str, str]:
    """One caption a clip from CSV (DCASE: file_name, caption_predicted), JSON (COCO results, {clip: caption}) or JSONL.
    ids, caption: the columns to take, where they are not among the usual names. Raises FormatError for a file without
    such columns, a clip that occurs twice or a caption that is not text."""
    path = Path(path)
    found: dict[str, str] = {}
    for row in _rows(path):
        name, value = _clip(row, path, ids), row[_column(row, path, PREDICTION_COLUMNS, caption, "predicted caption")]
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(value, str):
            raise FormatError(f"{path}: the caption of '{name}' is {value!r}, not text.")
        if name in found:
            raise FormatError(f"{path}: '{name}' occurs twice; one predicted caption a clip is expected.")
        found[name] = value
    return _some(found, path)


def read_references(path: str | Path, ids: str = "", caption: str = "") -> dict[str, list[str]]:
    """All captions of each clip from CSV (Clotho: caption_1..5; AudioCaps: a row a caption), COCO annotations (JSON),
    {clip: [captions]} (JSON) or JSONL. Empty captions are left out. Raises FormatError."""
    path = Path(path)
    found: dict[str, list[str]] = {}
    for row in _rows(path):
        numbered = [] if caption else [column for column in row if NUMBERED.match(str(column).lower())]
        if numbered:
            values = [row[c] for c in sorted(numbered, key=lambda column: int(re.search(r"\d+$", column)[0]))]
        else:
            values = _listed(row[_column(row, path, REFERENCE_COLUMNS, caption, "reference captions")])
        name = _clip(row, path, ids)
        for value in values:
            if value is not None and not isinstance(value, str):
                raise FormatError(f"{path}: a reference of '{name}' is {value!r}, not text.")
            if value and value.strip():
                found.setdefault(name, []).append(value)
    return _some(found, path)


def match(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]],
          partial: bool = False) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    """(clips, candidates, references, notes) in the order of the references.
    Raises FormatError naming clips that have no prediction, or predictions for clips without references; with
    `partial`, both are left out and noted."""
    names = {name: name for name in references}
    if not names.keys() & predictions.keys():
        names = {_stem(name): name for name in references}
        shortened = {_stem(name): caption for name, caption in predictions.items()}
        if len(names) < len(references) or len(shortened) < len(predictions):
            raise FormatError("Some clips differ in nothing but folder or extension; give both files equal names.")
        predictions = shortened
    missing = [name for short, name in names.items() if short not in predictions]
    extra = [name for name in predictions if name not in names]
    notes = []
    for clips, what in ((missing, "have no predicted caption"), (extra, "have predictions but no references")):
        if clips:
            notes.append(f"{len(clips)} clips {what}, such as {', '.join(told_apart(clips[:3], [*missing, *extra]))}")
    if notes and (not partial or len(missing) == len(names)):
        raise FormatError(f"{'; '.join(notes)}. References: {len(names)} clips; predictions: {len(predictions)}.")
    kept = [(short, name) for short, name in names.items() if short in predictions]
    return ([name for _, name in kept], [predictions[short] for short, _ in kept],
            [list(references[name]) for _, name in kept], [f"{note}; left out." for note in notes])


def for_clips(predictions: Mapping[str, str], clips: Iterable[str]) -> list[str]:
    """Another system's captions in the order of our clips. Raises FormatError naming clips that it has none for."""
    _, captions, _, _ = match({**predictions}, {clip: [""] for clip in clips})
    return captions


# ---- out


def write_dcase(path: str | Path, clips: Sequence[str], captions: Sequence[str]) -> None:
    """DCASE Task 6: a CSV with file_name and caption_predicted."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file_name", "caption_predicted"])
        writer.writerows(zip(clips, captions, strict=True))


def write_coco_results(path: str | Path, clips: Sequence[str], captions: Sequence[str]) -> None:
    """COCO results: [{"image_id": ..., "caption": ...}]."""
    write_json(path, [{"image_id": clip, "caption": text} for clip, text in zip(clips, captions, strict=True)])


def write_coco_annotations(path: str | Path, clips: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """COCO annotations of the references, as pycocotools and pycocoevalcap read them."""
    pairs = [(clip, caption) for clip, refs in zip(clips, references, strict=True) for caption in refs]
    write_json(path, {
        "info": {}, "licenses": [], "type": "captions", "images": [{"id": clip} for clip in clips],
        "annotations": [{"id": i, "image_id": clip, "caption": caption} for i, (clip, caption) in enumerate(pairs)]})


# ---- inside


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    try:
        if path.suffix in (".jsonl", ".ndjson"):
            return _dicts([json.loads(line) for line in text.split("\n") if line.strip()], path)
        if path.suffix == ".json":
            return _dicts(json.loads(text), path)
    except json.JSONDecodeError as error:
        raise FormatError(f"{path} is not {path.suffix[1:].upper()}: {error}.") from error
    header = text.split("\n", 1)[0]
    delimiter = "\t" if "\t" in header and "," not in header else ","
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise FormatError(f"{path} is not CSV: {error}.") from error
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise FormatError(f"{path}, row {number}: not as many fields as in the header.")
    return rows


def _dicts(value: Any, path: Path) -> list[dict[str, Any]]:
    """Rows out of COCO annotations, a list of rows, or {clip: caption or captions}."""
    if isinstance(value, dict) and isinstance(value.get("annotations"), list):
        value = value["annotations"]
    if isinstance(value, dict):
        value = [{"clip": name, **(v if isinstance(v, dict) else {"caption": v})} for name, v in value.items()]
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise FormatError(f"{path}: expected a list of objects, COCO annotations, or one object of clips and captions.")
    return value


def _column(row: Mapping, path: Path, usual: Sequence[str], chosen: str, what: str) -> str:
    lower, there = {str(name).strip().lower(): name for name in row}, f"it has {', '.join(map(str, row))}"
    if chosen and chosen not in row:
        raise FormatError(f"{path} has no column '{chosen}'; {there}.")
    found = [chosen] if chosen else [lower[name] for name in usual if name in lower]
    if not found:
        raise FormatError(f"{path}: no column of {what} ({', '.join(usual[:4])}, ...); {there}.")
    return found[0]


def _clip(row: Mapping, path: Path, chosen: str) -> str:
    column = _column(row, path, ID_COLUMNS, chosen, "clip names")
    name = str(row[column]).strip()
    if str(column).lower() in ("youtube_id", "ytid") and "start_time" in row:
        name = f"{name}_{row['start_time']}"
    return name


def _listed(value: Any) -> list:
    """A list, or a cell that holds a JSON list, is that list; any other value is one caption."""
    if isinstance(value, str) and value.startswith("["):
        with contextlib.suppress(json.JSONDecodeError):
            value = json.loads(value)
    return value if isinstance(value, list) else [value]


def _stem(name: str) -> str:
    return AUDIO.sub("", Path(name).name)


def _some(found: dict, path: Path) -> dict:
    if not found:
        raise FormatError(f"{path} holds no captions.")
    return found
