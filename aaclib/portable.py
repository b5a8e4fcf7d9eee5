"""A captioner as one folder that needs neither its run nor the store: written whole or not at all, and checked by
sha256 when it is opened.

captioner.json        what it is: strategy, settings, which CLAP, what it learned from; size and sha256 of the others
decoder.*, tokenizer.json    the decoder, as the store keeps it
context.safetensors   the memory (m, d) and what else the strategy reads of the bridge's context
memory.json           the m captions of the memory
clap/                 the tiny CLAP, where the run trained one; any other CLAP is named, with the digest of its weights
README.md             the model card, which may be edited
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save_file

from aaclib import bridge, clap, config, model_card, store
from aaclib.clap import tiny_files
from aaclib.clap.base import Backend, BackendError
from aaclib.decoder import CaptionDecoder
from aaclib.device import pick_device
from aaclib.paths import home_path
from aaclib.sums import file_digest

if TYPE_CHECKING:
    from aaclib.captioner import Captioner

RECORD, CONTEXT, MEMORY, CLAP, CARD = "captioner.json", "context.safetensors", "memory.json", "clap", "README.md"
FORMAT = 1  # of the record; a reader that does not know it says so
AGAIN = "fix: copy the folder once more, or export it again: aaclib export RUN --out FOLDER"


class PortableError(RuntimeError):
    """A folder that cannot be written, or is no captioner that can be opened here; the message says how to mend it."""


def save(captioner: Captioner, folder: str | Path) -> Path:
    """Writes the captioner to `folder`, which must not be there or be empty; its path. Raises PortableError otherwise,
    and for a captioner of an earlier folder: copy that."""
    folder = home_path(folder)
    if captioner.run is None:
        raise PortableError("This captioner is of a folder already (fix: copy the folder), or of no run.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PortableError(f"{folder} is there already (fix: name another folder, or delete this one).")
    with store.room(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            _write(captioner, part)
            os.chmod(part, 0o755)
            os.replace(part, folder)  # over an empty folder as well
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _write(captioner: Captioner, folder: Path) -> None:
    row, about = captioner.row, captioner.about()
    known = {name: value for name, value in vars(captioner.context).items() if name in bridge.reads(row) | {"memory"}}
    arrays = {name: np.ascontiguousarray(value) for name, value in known.items() if isinstance(value, np.ndarray)}
    captioner.model.save(folder)
    save_file(arrays, folder / CONTEXT)
    store.write_json(folder / MEMORY, captioner.memory)
    named = {"recipe": captioner.clap.recipe, "digest": captioner.clap.digest, "source": captioner.clap.source}
    if captioner.clap.recipe["spec"].startswith("tiny:"):
        own = home_path(captioner.clap.recipe["spec"].removeprefix("tiny:"))
        (folder / CLAP).mkdir()
        for name in (tiny_files.WEIGHTS, tiny_files.CARD):
            shutil.copyfile(own / name, folder / CLAP / name)
        named["recipe"] = {**named["recipe"], "spec": ""}  # it lies in the folder, wherever that is
    value = {
        "format": FORMAT,
        "strategy": row.name,
        "context": {name: value for name, value in known.items() if name not in arrays and value is not None}
        | {"renormalise": captioner.context.renormalise},
        "clap": named,
        "generate": captioner.settings,
        "parts": _own_parts(row),
        "about": about,
        "versions": store.VERSIONS,
    }
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    store.write_record(folder / RECORD, value, files)
    store.write_text(folder / CARD, model_card.text(about))


def load(folder: str | Path, device: str | None = None, spec: str | None = None) -> dict[str, Any]:
    """The parts of the captioner that `save` wrote, as `Captioner` takes them. `spec`: where the CLAP is here, if not
    where the record says ("hf:FOLDER"). Raises PortableError, which names the file and what to do."""
    folder = home_path(folder)
    record = _record(folder)
    row = _strategy(folder, record)
    with _of(folder):
        arrays, captions = load_file(folder / CONTEXT), store.read_json(folder / MEMORY)
        model = CaptionDecoder.load(folder, pick_device(device))
        settings = config.Generate(**{**record["generate"], "beam_rows": tuple(record["generate"]["beam_rows"])})
        here = model.mapping.weight.device
        near = {"device": str(here) if here.type == "cuda" else None}
        context = bridge.Context(**{**record["context"], **arrays, **near})
    backend = _clap(folder, record["clap"], device, spec)
    if len(captions) != len(arrays["memory"]) or backend.dim != model.dim:
        raise PortableError(f"{folder / RECORD}: decoder, memory and CLAP do not belong together ({AGAIN}).")
    return {
        "clap": backend,
        "model": model,
        "half": bridge.infer_half(row),
        "context": context,
        "settings": settings,
        "key": store.digest([file_digest(folder / RECORD), backend.settings()]),
        "row": row,
        "captions": captions,
        "told": record["about"],
        "target": record["about"]["target"],
        "seed": record["about"]["seed"],
    }


def _record(folder: Path) -> dict[str, Any]:
    """What captioner.json says, whose files all fit it."""
    if not (folder / RECORD).is_file():
        there = "holds no captioner" if folder.is_dir() else "is not there"
        raise PortableError(f"{folder} {there}: {RECORD} is missing (fix: aaclib export RUN --out {folder}).")
    try:
        record = store.read_record(folder / RECORD)
    except store.Damaged as error:
        raise PortableError(f"{folder / RECORD} is damaged or does not fit: {error.args[1]} ({AGAIN}).") from error
    if record.get("format") != FORMAT:
        raise PortableError(
            f"{folder / RECORD}: expected format {FORMAT}, found {record.get('format')} (fix: open it with the version "
            "of aaclib that wrote it, or export it again with this one)."
        )
    return record


@contextlib.contextmanager
def _of(folder: Path):
    """Files that fit their sums, and yet cannot be used by this version."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise PortableError(f"{folder} is of another version of aaclib ({error}; {AGAIN}).") from error


def _own_parts(row: bridge.Strategy) -> dict[str, str]:
    """The parts of a strategy that were registered from outside -> digest of their source: a folder holds no code."""
    parts = {row.training, *row.inference.split("+")}
    return {name: store.digest(part.source) for name, part in bridge.registered().items() if name in parts}


def _strategy(folder: Path, record: dict[str, Any]) -> bridge.Strategy:
    own, fix = record["parts"], "fix: run the lines that registered it (aaclib.bridge.register) before loading"
    if lacking := [name for name, source in own.items() if name not in bridge.registered()]:
        raise PortableError(f"{folder} decodes by '{lacking[0]}', a part of its author's own ({fix}).")
    try:
        row = bridge.strategy(record["strategy"])
    except bridge.StrategyError as error:
        raise PortableError(f"{folder} is of another version of aaclib: {error} ({AGAIN}).") from error
    if _own_parts(row) != own:
        raise PortableError(f"{folder}: '{row.name}' is registered here with other steps ({fix}).")
    return row


def _clap(folder: Path, named: dict[str, Any], device: str | None, spec: str | None) -> Backend:
    recipe = dict(named["recipe"])
    known = recipe.pop("spec") or f"tiny:{folder / CLAP}"
    fix = "fix: say where these weights are here: Captioner.load(FOLDER, clap='hf:FOLDER'), or --clap hf:FOLDER"
    try:
        backend = clap.load(spec or known, device, **recipe)
    except (BackendError, ValueError, OSError) as error:
        raise PortableError(f"{folder / RECORD} names a CLAP that cannot be loaded here: {error} ({fix}).") from error
    if (backend.digest, backend.source) != (named["digest"], named["source"]):
        raise PortableError(
            f"{folder / RECORD} wants the CLAP with digest {named['digest']}; {spec or known} has {backend.digest} or "
            f"other code ({fix})."
        )
    return backend
