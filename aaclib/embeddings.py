"""Extraction: files or captions in, memory-mapped unit rows out, in order; killed at any moment, it goes on.

An extraction is an artefact. While it is made, its folder holds `plan.json` (shard and batch size, kept by whoever
resumes, because another partition into batches changes the last bits) and two hidden files a finished shard: its rows,
and a record that names the bad files and shows that the rows are whole. Memory does not grow with the number of files.
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aaclib.audio import AudioError, check_readable
from aaclib.clap import files
from aaclib.clap.base import Backend, distinct
from aaclib.names import printable
from aaclib.progress import Progress
from aaclib.store import (
    Artefact,
    Damaged,
    Store,
    digest,
    read_json,
    read_record,
    replacing,
    write_bytes,
    write_json,
    write_record,
)


class ExtractionError(RuntimeError):
    """Files that could not be used. `.errors` maps each file to its reason."""

    def __init__(self, errors: dict[str, str], total: int):
        self.errors = errors
        shown = [f"  {name}: {reason}" for name, reason in list(errors.items())[:30]]
        more = [f"  ... and {len(errors) - 30} more"] if len(errors) > 30 else []
        super().__init__(
            "\n".join(
                [
                    f"{len(errors)} of {total} recordings cannot be used:",
                    *shown,
                    *more,
                    "Repair or remove them, or leave them out with clap.on_error=skip.",
                ]
            )
        )


@dataclass(frozen=True)
class Extraction:
    rows: np.ndarray  # (n good, d) float32, unit rows, memory-mapped
    index: np.ndarray  # (n good,) int64: rows[i] belongs to the recording index[i] of the input
    errors: dict[str, str]  # file -> reason, for those left out
    artefact: Artefact | None  # None for embeddings that were brought along


def embed_audio(
    backend: Backend, paths: Sequence[str | Path], store: Store, key: str | None = None, **options: Any
) -> np.ndarray:
    """`extract_audio` for callers that need every file: float32 (n, d) memmap, row i for paths[i]. Bad files raise."""
    return extract_audio(backend, paths, store, key, **{**options, "on_error": "raise"}).rows


def extract_audio(
    backend: Backend,
    paths: Sequence[str | Path],
    store: Store,
    key: str | None = None,
    *,
    batch_size: int | None = None,
    workers: int = 0,
    on_error: str = "raise",
    shard: int | None = None,
    cluster: Any = None,
) -> Extraction:
    """Embeds recordings with `backend`.

    `key`: the digest of these files' content if the caller knows it, else each file is hashed in full (once).
    `workers`: decoding threads (decoder and resampler run outside Python's lock); 0 = none. `batch_size`: windows a
    batch, None = from the free memory. `shard`: files between two saves. `cluster`: a `dask.distributed.Client` (of a
    LocalCluster, or of dask-jobqueue's SLURMCluster) whose workers see the same files and cache; each takes whole
    shards. `on_error`: 'raise' = ExtractionError naming every bad file (headers are looked at before the first batch,
    the rest is known at the end, and nothing that was embedded is lost), 'skip' = they are left out and listed.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is 'raise' or 'skip', found '{on_error}'.")
    paths = [Path(path) for path in paths]
    if backend.precomputed:
        return Extraction(backend.embed_audio(paths), np.arange(len(paths)), {}, None)
    content = (
        {"given": key, "names": digest([path.name for path in paths])}
        if key
        else {"files": digest(files.digests(paths))}
    )
    spec = {
        "backend": backend.settings(),
        "audio": content,
        "n": len(paths),
        "batch_size": batch_size or "auto",
        "shard": shard or "auto",
    }

    def build(part: Path) -> dict[str, Any]:
        if on_error == "raise" and not (part / "plan.json").exists():
            _raise(_bad_headers(paths), len(paths))
        plan = _plan(part, batch_size or backend.audio_batch_size(), shard)
        _audio_shards(backend, paths, part, plan, workers, cluster)
        _gather(part, paths, plan["shard"], backend.dim, on_error)
        return {"backend": backend.name, "n": len(paths), "left out": len(read_json(part / "errors.json"))}

    artefact = store.get("audio-embeddings", spec, build)
    errors = read_json(artefact / "errors.json")
    if on_error == "raise":
        _raise(errors, len(paths))
    return Extraction(np.load(artefact / "rows.npy", mmap_mode="r"), np.load(artefact / "index.npy"), errors, artefact)


def embed_text(
    backend: Backend, texts: Sequence[str], store: Store, *, batch_size: int | None = None, shard: int | None = None
) -> np.ndarray:
    """Captions -> float32 (n, d) memmap, unit rows, row i for texts[i].

    Equal captions are embedded once; shards and batches hold captions of similar length. An empty one is a ValueError.
    """
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"Caption {i} of {len(texts)} is empty ({text!r}): it has no embedding.")
    if backend.precomputed:
        return backend.embed_text(texts)
    spec = {
        "backend": backend.settings(),
        "texts": digest(texts),
        "n": len(texts),
        "batch_size": batch_size or "auto",
        "shard": shard or "auto",
    }

    def build(part: Path) -> dict[str, Any]:
        unique, order = distinct(texts)
        plan = _plan(part, batch_size or backend.text_batch_size(), shard, least=1024)
        progress = Progress(f"Embedding captions with {backend.name}", len(unique), "captions")
        for start, stop, file in _shards(part, len(unique), plan["shard"]):
            if _errors(file) is None:
                _save_shard(file, backend.embed_text(unique[start:stop], plan["batch_size"]), {})
            progress.step(stop - start)
        _write_rows(part, order, len(unique), plan["shard"], backend.dim)
        return {"backend": backend.name, "n": len(texts), "distinct": len(unique)}

    return np.load(store.get("text-embeddings", spec, build) / "rows.npy", mmap_mode="r")


# --- shards ----------------------------------------------------------------------------------------------------


def _plan(part: Path, batch_size: int, shard: int | None, least: int = 64) -> dict[str, int]:
    """The partition: the one that this extraction began with, else a new one that is written down. The shards of one
    that is lost are, too."""
    try:
        return read_record(part / "plan.json")
    except FileNotFoundError:
        pass
    except Damaged as error:
        error.made_again()
    for file in part.glob(".shard-*"):
        file.unlink()
    write_record(part / "plan.json", {"batch_size": batch_size, "shard": shard or max(least, 4 * batch_size)})
    return read_record(part / "plan.json")


def _shards(part: Path, n: int, size: int) -> Iterator[tuple[int, int, Path]]:
    for start in range(0, n, size):
        yield start, min(start + size, n), part / f".shard-{start // size:06d}.npy"


def _save(file: Path, rows: np.ndarray) -> None:
    content = io.BytesIO()  # numpy does not say why it could not write a file
    np.save(content, rows)
    write_bytes(file, content.getvalue())


def _save_shard(file: Path, rows: np.ndarray, errors: dict[str, str]) -> None:
    """Rows of the good items of a shard, then the record (places and reasons of the bad ones) that makes it count."""
    _save(file, rows)
    write_record(file.with_suffix(".json"), {"errors": errors}, files=[file.name])


def _errors(file: Path) -> dict[str, str] | None:
    """The bad items of a finished shard; None for one that has to be made, or made again because it is damaged."""
    try:
        return read_record(file.with_suffix(".json"))["errors"]
    except FileNotFoundError:
        return None
    except Damaged as error:
        error.made_again()
        return None


def _audio_shards(
    backend: Backend, paths: list[Path], part: Path, plan: dict[str, int], workers: int, cluster: Any
) -> None:
    todo = [
        (start, stop, file)
        for start, stop, file in _shards(part, len(paths), plan["shard"])
        if _mended(backend, paths, start, _errors(file))
    ]
    progress = Progress(f"Embedding audio with {backend.name}", sum(stop - start for start, stop, _ in todo), "files")
    if cluster is None:
        for start, stop, file in todo:
            _audio_shard(backend, paths[start:stop], file, plan["batch_size"], workers, progress.step)
        return
    from dask.distributed import as_completed  # pyright: ignore[reportMissingImports]  # of the extra `cluster`

    futures = [
        cluster.submit(
            remote_shard,
            backend.recipe,
            backend.settings(),
            [os.path.abspath(path) for path in paths[start:stop]],
            os.path.abspath(file),
            plan["batch_size"],
            workers,
            pure=False,
            retries=2,
        )
        for start, stop, file in todo
    ]
    for future in as_completed(futures):
        progress.step(future.result())


def remote_shard(
    recipe: dict[str, Any], settings: dict[str, Any], paths: list[str], file: str, batch_size: int, workers: int
) -> int:
    """What a worker of a cluster does with one shard; it loads the CLAP at its first one."""
    from aaclib import clap

    backend = clap.from_recipe(tuple(sorted(recipe.items())))
    if backend.settings() != settings:
        raise RuntimeError(
            f"This worker's CLAP differs from the one that asked: {backend.settings()}, not {settings}. "
            "All workers must use the same kind of device and the same weights."
        )
    _audio_shard(backend, [Path(path) for path in paths], Path(file), batch_size, workers)
    return len(paths)


def _audio_shard(
    backend: Backend,
    paths: list[Path],
    file: Path,
    batch_size: int,
    workers: int,
    step: Callable[[int], None] = lambda n: None,
) -> None:
    errors: dict[str, str] = {}

    def waves() -> Iterator[np.ndarray]:
        for i, wave in enumerate(_decoded(backend, paths, workers)):
            if isinstance(wave, AudioError):
                errors[str(i)] = wave.reason
            else:
                yield wave
            step(1)

    _save_shard(file, backend.embed_waves(waves(), batch_size), errors)


def _decoded(backend: Backend, paths: list[Path], workers: int) -> Iterator[np.ndarray | AudioError]:
    def decode(path: Path) -> np.ndarray | AudioError:
        try:
            return backend.wave(path)
        except AudioError as error:
            return error

    if workers < 1:
        yield from map(decode, paths)
        return
    pool, ahead = ThreadPoolExecutor(workers), deque()
    try:
        for path in paths:
            ahead.append(pool.submit(decode, path))
            if len(ahead) > 3 * workers:  # a bounded look-ahead: memory stays flat
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interrupt waits for no file that is hours long


def _mended(backend: Backend, paths: list[Path], start: int, errors: dict[str, str] | None) -> bool:
    """Whether a shard has to be made: it is not there, or a file that failed in it can be read by now."""
    for i in errors or ():
        try:
            backend.wave(paths[start + int(i)])
            return True
        except AudioError:
            pass
    return errors is None


def _gather(part: Path, paths: list[Path], size: int, dim: int, on_error: str) -> None:
    errors = {
        start + int(i): reason
        for start, _, file in _shards(part, len(paths), size)
        for i, reason in read_record(file.with_suffix(".json"))["errors"].items()
    }
    named = {printable(paths[i]): reason for i, reason in sorted(errors.items())}
    if on_error == "raise":
        _raise(named, len(paths))
    write_json(part / "errors.json", named)
    good = np.array([i for i in range(len(paths)) if i not in errors], np.int64)
    _save(part / "index.npy", good)
    _write_rows(part, np.arange(len(good)), len(paths), size, dim)


def _write_rows(part: Path, order: np.ndarray, n: int, size: int, dim: int) -> None:
    """rows.npy from the shards of `n` items, one shard in memory at a time; row i is the shards' row order[i]."""
    with replacing(part / "rows.npy") as temporary:
        if len(order) == 0:
            np.save(temporary, np.empty((0, dim), np.float32))
            return
        rows, done = np.lib.format.open_memmap(temporary, "w+", np.float32, (len(order), dim)), 0
        if hasattr(os, "posix_fallocate"):  # else a full disk ends the process when a page is written
            with open(temporary, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        for _, _, file in _shards(part, n, size):
            block = np.load(file, mmap_mode="r")
            here = np.flatnonzero((order >= done) & (order < done + len(block)))
            rows[here] = block[order[here] - done]
            done += len(block)
        rows.flush()


# --- bad files -------------------------------------------------------------------------------------------------


def _bad_headers(paths: list[Path]) -> dict[str, str]:
    errors = {}
    for path in paths:
        try:
            check_readable(path)
        except AudioError as error:
            errors[error.name] = error.reason
    return errors


def _raise(errors: dict[str, str], total: int) -> None:
    if errors:
        raise ExtractionError(errors, total)
