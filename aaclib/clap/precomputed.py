"""Embeddings that you computed yourself, in place of a model: `embeddings:FOLDER`.

The folder holds
    audio.npy or audio.safetensors   (n, d) numbers, one row a recording (safetensors: one tensor of any name)
    audio_ids.txt or audio_ids.json  n file names or clip ids, one per line, or a JSON list
    text.npy or text.safetensors     (m, d), one row per caption
    captions.txt or captions.json    the m captions, exactly as the data set has them after normalisation
A file `about.json` may name the model and its training data: {"name": "...", "training_data": "..."}.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from aaclib.clap.base import Backend, BackendError, check_captions
from aaclib.paths import home_path
from aaclib.store import digest
from aaclib.sums import file_digest

NORM_TOLERANCE = 1e-3


class Precomputed(Backend):
    """A folder of embeddings as this module describes. Raises BackendError, naming the file, where it is not so."""

    precomputed = True
    training_data = "Computed elsewhere; nothing about the model's training is known here."

    def __init__(self, folder: str | Path, device: Any = None):
        super().__init__(device or "cpu")
        self.folder = home_path(folder)
        if not self.folder.is_dir():
            raise BackendError(f"There is no folder {self.folder} with embeddings. {__doc__}")
        self.audio, self.audio_rows = self._side("audio", ("audio_ids", "ids"))
        self.text, self.text_rows = self._side("text", ("captions", "text_ids"))
        if self.audio.shape[1] != self.text.shape[1]:
            raise BackendError(
                f"{self.folder}: audio has {self.audio.shape[1]} dimensions, text {self.text.shape[1]}. "
                "Both must come from one model."
            )
        self.dim = self.audio.shape[1]
        about = self.folder / "about.json"
        facts = json.loads(about.read_text()) if about.is_file() else {}
        self.name = facts.get("name", f"embeddings:{self.folder.name}")
        self.training_data = facts.get("training_data", self.training_data)
        self.digest = digest([file_digest(path) for path in sorted(self.folder.iterdir()) if path.is_file()])

    def embed_audio(
        self, recordings: Sequence[str | Path], sample_rate: int | None = None, batch_size: int | None = None
    ) -> np.ndarray:
        """The rows of these files, found by path as given, file name, or file name without its ending.
        BackendError lists those that have none."""
        return self._rows(self.audio, self.audio_rows, [_keys(item) for item in recordings], "recordings", "audio_ids")

    def embed_text(self, texts: Sequence[str], batch_size: int | None = None) -> np.ndarray:
        """The rows of these captions, (n, dim) unit rows. ValueError for an empty one; BackendError lists those that
        have none."""
        check_captions(texts)
        return self._rows(self.text, self.text_rows, [[text] for text in texts], "captions", "captions")

    def _side(self, side: str, id_names: tuple[str, ...]) -> tuple[np.ndarray, dict[str, int]]:
        rows, ids = _read_rows(self.folder, side), _read_ids(self.folder, id_names)
        if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating) or not rows.size:
            raise BackendError(
                f"{self.folder}/{side}: expected (n, d) floating-point numbers, found {rows.dtype} of "
                f"shape {rows.shape}."
            )
        if len(ids) != len(rows):
            raise BackendError(f"{self.folder}: {len(rows)} rows in {side}, but {len(ids)} ids in {id_names[0]}.")
        norms = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))  # a large file is never copied whole
        bad = np.flatnonzero(~(np.abs(norms - 1) <= NORM_TOLERANCE))  # NaN counts as bad
        if bad.size:
            raise BackendError(
                f"{self.folder}/{side}: {bad.size} of {len(rows)} rows are not of length 1, first "
                f"row {bad[0]} ({ids[bad[0]]!r}) with {norms[bad[0]]:.4g}. Normalise them: x / |x|."
            )
        place: dict[str, int] = {}
        for i, name in enumerate(ids):
            if name in place and not np.array_equal(rows[place[name]], rows[i]):
                raise BackendError(
                    f"{self.folder}: {name!r} stands twice in {id_names[0]}, with different embeddings "
                    f"(rows {place[name]} and {i})."
                )
            place.setdefault(name, i)
        return rows, place

    def _rows(
        self, rows: np.ndarray, place: dict[str, int], wanted: list[list[str]], what: str, file: str
    ) -> np.ndarray:
        indices = [next((place[key] for key in keys if key in place), None) for keys in wanted]
        lost = [keys[0] for keys, row in zip(wanted, indices, strict=True) if row is None]
        if lost:
            more = f", and {len(lost) - 5} more" if len(lost) > 5 else ""
            raise BackendError(
                f"{self.folder}: {len(lost)} of {len(wanted)} {what} have no embedding: "
                f"{'; '.join(map(repr, lost[:5]))}{more}. Compute them and add them to {file}."
            )
        picked = np.asarray(rows[np.array(indices, dtype=np.int64)], np.float64) if indices else np.empty((0, self.dim))
        return (picked / np.linalg.norm(picked, axis=1, keepdims=True)).astype(np.float32)


def _keys(item: Any) -> list[str]:
    if not isinstance(item, (str, Path)):
        raise BackendError("Embeddings that were computed elsewhere can be looked up for files only, not for samples.")
    path = Path(item)
    return [str(item), path.name, path.stem]


def _read_rows(folder: Path, side: str) -> np.ndarray:
    path = next((p for p in (folder / f"{side}.npy", folder / f"{side}.safetensors") if p.is_file()), None)
    if path is None:
        raise BackendError(f"{folder} holds neither {side}.npy nor {side}.safetensors.")
    try:
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        tensors = load_file(path)
    except (ValueError, SafetensorError) as error:
        raise BackendError(f"{path} cannot be read: {error}.") from error
    if len(tensors) != 1:
        raise BackendError(f"{path}: expected one tensor, found {', '.join(tensors) or 'none'}.")
    return next(iter(tensors.values()))


def _read_ids(folder: Path, names: tuple[str, ...]) -> list[str]:
    for path in (folder / f"{name}.{kind}" for name in names for kind in ("txt", "json")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            ids = text.removesuffix("\n").split("\n") if path.suffix == ".txt" else json.loads(text)
            if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
                raise BackendError(f"{path}: expected a list of strings.")
            return ids
    raise BackendError(f"{folder} holds neither {names[0]}.txt nor {names[0]}.json.")
