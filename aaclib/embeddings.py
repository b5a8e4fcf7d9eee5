"""Extraction: files or captions in, memory-mapped unit rows out, in order; killed at any moment, it goes on.

An extraction is an artefact that is made in shards (`aaclib.shards`). Memory does not grow with the number of files.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aaclib import cluster as clusters
from aaclib import own, shards
from aaclib.audio import AudioError, check_readable
from aaclib.clap import files
from aaclib.clap.base import Backend, check_captions, distinct
from aaclib.names import printable
from aaclib.progress import Progress
from aaclib.store import Artefact, Store, digest, read_json, read_record, write_json


class ExtractionError(RuntimeError):
    """Files that could not be used. `.errors` maps each file to its reason."""

    def __init__(self, errors: dict[str, str], total: int):
        self.errors = errors
        shown = [f"  {name}: {reason}" for name, reason in list(errors.items())[:30]]
        more = [f"  ... and {len(errors) - 30} more"] if len(errors) > 30 else []
        end = "Repair or remove them, or leave them out with clap.on_error=skip."
        super().__init__("\n".join([f"{len(errors)} of {total} recordings cannot be used:", *shown, *more, end]))


@dataclass(frozen=True)
class Extraction:
    rows: np.ndarray  # (n good, d) float32, unit rows, memory-mapped
    index: np.ndarray  # (n good,) int64: rows[i] belongs to the recording index[i] of the input
    errors: dict[str, str]  # file -> reason, for those left out
    artefact: Artefact | None  # None for embeddings that were brought along


def embed_audio(backend: Backend, paths: Sequence[str | Path], store: Store, **options: Any) -> np.ndarray:
    """`extract_audio` for callers that need every file: float32 (n, d) memmap, row i for paths[i]. Bad files raise."""
    return extract_audio(backend, paths, store, **options, on_error="raise").rows


def extract_audio(
    backend: Backend,
    paths: Sequence[str | Path],
    store: Store,
    *,
    batch_size: int | None = None,
    workers: int = 0,
    on_error: str = "raise",
    shard: int | None = None,
    cluster: str = "",
) -> Extraction:
    """Embeds recordings with `backend`.

    `workers`: decoding threads (decoder and resampler run outside Python's lock); 0 = none. `batch_size`: windows a
    batch, None = from the free memory. `shard`: files between two saves. `cluster`: as the setting (`aaclib.cluster`),
    whose workers see the same recordings and take whole shards; "" = this process. `on_error`: 'raise' =
    ExtractionError naming every bad file (headers are looked at before the first batch, the rest is known at the end,
    and nothing that was embedded is lost), 'skip' = they are left out and listed.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is 'raise' or 'skip', found '{on_error}'.")
    paths = [Path(path) for path in paths]
    if backend.precomputed:
        return Extraction(backend.embed_audio(paths), np.arange(len(paths)), {}, None)
    spec = _spec(backend, batch_size, shard, audio={"files": digest(files.digests(paths))}, n=len(paths))

    def build(part: Path) -> dict[str, Any]:
        if on_error == "raise" and not (part / "plan.json").exists():
            _raise(_bad_headers(paths), len(paths))
        plan = shards.partition(part, batch_size or backend.audio_batch_size(), shard)
        _audio_shards(backend, paths, part, plan, workers, cluster, store.root)
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
    check_captions(texts)
    if backend.precomputed:
        return backend.embed_text(texts)
    spec = _spec(backend, batch_size, shard, texts=digest(texts), n=len(texts))

    def build(part: Path) -> dict[str, Any]:
        unique, order = distinct(texts)
        plan = shards.partition(part, batch_size or backend.text_batch_size(), shard, least=1024)
        progress = Progress(f"Embedding captions with {backend.name}", len(unique), "captions")
        for start, stop, file in shards.each(part, len(unique), plan["shard"]):
            if shards.bad_items(file) is None:
                shards.save_shard(file, backend.embed_text(unique[start:stop], plan["batch_size"]), {})
            progress.step(stop - start)
        shards.gather(part, order, len(unique), plan["shard"], backend.dim)
        return {"backend": backend.name, "n": len(texts), "distinct": len(unique)}

    return np.load(store.get("text-embeddings", spec, build) / "rows.npy", mmap_mode="r")


def _spec(backend: Backend, batch_size: int | None, shard: int | None, **content: Any) -> dict[str, Any]:
    """The key of an extraction. What is chosen from the free memory is no part of it."""
    chosen = {"batch_size": batch_size or "auto", "shard": shard or "auto"}
    return {"backend": backend.settings(), **content, **chosen}


# --- shards ----------------------------------------------------------------------------------------------------


def _audio_shards(
    backend: Backend, paths: list[Path], part: Path, plan: dict[str, int], workers: int, cluster: str, root: Path
) -> None:
    todo = [
        (start, stop, file)
        for start, stop, file in shards.each(part, len(paths), plan["shard"])
        if _due(backend, paths, start, shards.bad_items(file))
    ]
    progress = Progress(f"Embedding audio with {backend.name}", sum(stop - start for start, stop, _ in todo), "files")
    if not cluster:
        for start, stop, file in todo:
            _audio_shard(backend, paths[start:stop], file, plan["batch_size"], workers, progress.step)
        return
    about = backend.recipe, backend.settings()
    with clusters.pool(cluster, 0, root, own.know, own.carried(own.registered())) as submit:
        futures = []
        for start, stop, file in todo:
            names = [os.path.abspath(path) for path in paths[start:stop]]
            futures.append(submit(remote_shard, *about, names, os.path.abspath(file), plan["batch_size"], workers))
        for future in as_completed(futures):
            progress.step(future.result())


def remote_shard(
    recipe: dict[str, Any], settings: dict[str, Any], paths: list[str], file: str, batch_size: int, workers: int
) -> int:
    """What a worker of a cluster does with one shard; it loads the CLAP at its first one."""
    from aaclib import clap

    backend = clap.from_recipe(tuple(sorted({**recipe, "device": settings["device"]}.items())))
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

    shards.save_shard(file, backend.embed_waves(waves(), batch_size), errors)


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


def _due(backend: Backend, paths: list[Path], start: int, errors: dict[str, str] | None) -> bool:
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
        for start, _, file in shards.each(part, len(paths), size)
        for i, reason in read_record(file.with_suffix(".json"))["errors"].items()
    }
    named = {printable(paths[i]): reason for i, reason in sorted(errors.items())}
    if on_error == "raise":
        _raise(named, len(paths))
    write_json(part / "errors.json", named)
    good = np.array([i for i in range(len(paths)) if i not in errors], np.int64)
    shards.save(part / "index.npy", good)
    shards.gather(part, np.arange(len(good)), len(paths), size, dim)


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
