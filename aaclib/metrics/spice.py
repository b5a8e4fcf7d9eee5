"""SPICE (Anderson et al., ECCV 2016): the real one, in a worker process, its tuples kept by caption.

Parsing costs 20 ms a caption and is all the cost there is, so the references of a data set are parsed once ever.
A caption that cannot be parsed is NaN for its clip, and named: the parser finds nothing, or the worker twice dies of it
or stalls over it, and goes on with others. Where it does not, or is killed, no caption is to blame: SPICE is lost.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aaclib import cluster as clusters
from aaclib.cache import Cache, key
from aaclib.metrics.child import Child, twice
from aaclib.metrics.install_spice import VERSION, installed
from aaclib.metrics.java import java
from aaclib.metrics.ptb import BREAKS, package, pycocoevalcap
from aaclib.metrics.result import Lost, Result, Unavailable, means
from aaclib.progress import Progress
from aaclib.store import VERSIONS, Store

HEAP = "1400m"  # with the JVM's own needs below 2 GB resident
CHUNK = 64  # captions per request
LONG = 60  # words; longer captions travel alone, since they are the ones that fail
START_S = 180.0
CAPTION_S = 60.0  # a caption's own time limit; 17-24 ms is usual
PLAIN = "a dog barks"  # which a worker parses that is sound
IGNORED_JARS = ("junit", "hamcrest", "lmdbjni")  # its tests and its cache, which is not used


def identity() -> dict[str, Any]:
    """What decides the tuples of a caption and their scores."""
    return {"spice": VERSIONS["spice"], "corenlp": VERSION, **package()}


def compute(
    candidates: list[str], references: list[list[str]], store: Store | None = None, cluster: str = ""
) -> dict[str, Result]:
    """Tokenised captions in; per-clip F-scores, NaN for a clip with a caption that has no parse. `cluster`: as the
    setting, whose workers parse what the store does not know. Raises Unavailable where SPICE, JPype or Java is missing,
    naming the command that installs it; Lost."""
    rows, failures = _scores(candidates, references, store, cluster)
    return {"spice": means([row["All"]["f"] if row else math.nan for row in rows], failures)}


def _scores(
    candidates: list[str], references: list[list[str]], store: Store | None, cluster: str = ""
) -> tuple[list, dict]:
    """SPICE's own scores of each clip, None for one with a caption that has no parse; and why, by clip."""
    tuples, problems = parse([c for refs in (candidates, *references) for c in refs], store, cluster)
    failures, clips = {}, {}
    for i, (candidate, refs) in enumerate(zip(candidates, references, strict=True)):
        captions = [_plain(caption) for caption in (candidate, *refs)]
        if broken := [caption for caption in captions if caption in problems]:
            failures[i] = f"'{_short(broken[0])}': {problems[broken[0]]}"
        else:
            clips[i] = tuples[captions[0]], [tuples[caption] for caption in captions[1:]]
    rows: list = [None] * len(candidates)
    for part in _chunks(list(clips), 250):
        answer = worker().ask(START_S, do="score", clips=[clips[i] for i in part])
        for i, scored in zip(part, answer["scores"], strict=True):
            rows[i] = scored["scores"]
    return rows, failures


def parse(captions: list[str], store: Store | None = None, cluster: str = "") -> tuple[dict[str, list], dict[str, str]]:
    """Distinct captions -> their tuples ([word], [object, attribute] or [subject, object, relation]), and the reasons
    of those that have none. What the store knows is not parsed again; each chunk is kept as soon as it is done."""
    cache, made_by = Cache("spice", store), identity()
    keys = {caption: key(made_by, caption) for caption in dict.fromkeys(map(_plain, captions))}
    blobs = cache.get(keys.values())
    tuples = {c: json.loads(blobs[k]) for c, k in keys.items() if k in blobs}
    problems: dict[str, str] = {}
    fresh = sorted((c for c in keys if c not in tuples), key=lambda c: len(c.split()))
    progress = Progress("SPICE: captions parsed", len(fresh))
    short = [c for c in fresh if len(c.split()) <= LONG]
    chunks = [*_chunks(short, CHUNK), *_chunks(fresh[len(short) :], 1)]
    for chunk, (made, failed) in zip(chunks, _parsed(chunks, store, cluster), strict=True):
        cache.put({keys[c]: json.dumps(t).encode() for c, t in made.items()})
        tuples |= made
        problems |= failed
        progress.step(len(chunk))
    return tuples, problems


def _parsed(chunks: list[list[str]], store: Store | None, cluster: str) -> Iterator[tuple[dict, dict]]:
    """What `_parse_chunk` says of each chunk, in order."""
    if not (chunks and store and cluster):
        yield from map(_parse_chunk, chunks)
        return
    with clusters.pool(cluster, 0, store.root) as submit:
        for future in [submit(_parse_chunk, chunk) for chunk in chunks]:
            worker().go_on()
            yield future.result()


def _parse_chunk(chunk: list[str]) -> tuple[dict[str, list], dict[str, str]]:
    """Where the worker dies or stalls over them, in halves until the caption is found. Raises Lost where it is none."""
    try:
        answer = worker().ask(CAPTION_S * (1 + len(chunk) / 16), do="parse", captions=chunk)
    except Lost as lost:
        if lost.outside:
            raise
        worker().ask(CAPTION_S, do="parse", captions=[PLAIN])
        if len(chunk) == 1:
            return {}, {chunk[0]: str(lost)}
        middle = len(chunk) // 2
        (made, failed), (more, wrong) = (_parse_chunk(half) for half in (chunk[:middle], chunk[middle:]))
        return made | more, failed | wrong
    failed = {chunk[int(i)]: reason for i, reason in answer["errors"].items()}
    return {c: t for c, t in zip(chunk, answer["tuples"], strict=True) if t is not None}, failed


def _chunks(items: list, size: int) -> list[list]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def _plain(caption: str) -> str:
    return BREAKS.sub(" ", caption).encode("utf-8", errors="replace").decode()


def _short(caption: str) -> str:
    return caption if len(caption) <= 80 else f"{caption[:77]}... ({len(caption.split())} words)"


class Worker(Child):
    """The running worker process, started when first asked and again after it died."""

    name = "SPICE's worker"

    def ask(self, timeout: float, **request) -> dict:
        """One request, one answer. A worker that dies or stalls is replaced once; then it raises Lost."""
        with self.exchange():
            return twice(lambda: self._ask(timeout, request))

    def _ask(self, timeout: float, request: dict) -> dict:
        if not self.alive:
            self.spawn(self.command())
            try:
                self._exchange(START_S, {"do": "hello"})
            except Lost as lost:
                raise Lost(f"SPICE does not start: {lost}", outside=True) from lost
        return self._exchange(timeout, request)

    def _exchange(self, timeout: float, request: dict) -> dict:
        self.send(json.dumps(request) + "\n")
        return json.loads(self.answer(timeout))

    def command(self) -> list[str]:
        settings = {"libjvm": str(java().libjvm), "jars": _jars(), "heap": HEAP, "threads": min(os.cpu_count() or 1, 4)}
        script = Path(__file__).with_name("spice_worker.py")
        return [sys.executable, "-P", str(script), json.dumps(settings)]


def _jars() -> list[str]:
    """The class path: SPICE and its libraries from pycocoevalcap, CoreNLP from the cache. Raises Unavailable."""
    if find_spec("jpype") is None:
        raise Unavailable("SPICE needs JPype: pip install JPype1")
    corenlp = installed()
    folder = pycocoevalcap() / "spice"
    libraries = [jar for jar in sorted((folder / "lib").glob("*.jar")) if not jar.name.startswith(IGNORED_JARS)]
    return [str(jar) for jar in (folder / "spice-1.0.jar", *corenlp, *libraries)]


worker = Worker.of_session
