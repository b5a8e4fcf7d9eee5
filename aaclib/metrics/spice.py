"""SPICE (Anderson et al., ECCV 2016): the real one, in a worker process, its tuples kept by caption.

Parsing costs 20 ms a caption and is all the cost there is, so the references of a data set are parsed once ever.
A caption that cannot be parsed (no parse, a crash, a time-out, out of memory) is NaN for its clip, and named.
"""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from aaclib.metrics.cache import Cache, key
from aaclib.metrics.child import Child
from aaclib.metrics.install_spice import installed
from aaclib.metrics.java import java
from aaclib.metrics.ptb import BREAKS, pycocoevalcap
from aaclib.metrics.result import MetricError, Result, Unavailable, means
from aaclib.progress import Progress
from aaclib.store import Store

NAMES = ("spice",)
HEAP = "1400m"             # with the JVM's own needs below 2 GB resident
CHUNK = 64                 # captions a request
LONG = 60                  # words; longer captions travel alone, since they are the ones that fail
START_S = 180.0
CAPTION_S = 60.0           # a caption's own time limit; 17-24 ms is usual
IGNORED_JARS = ("junit", "hamcrest", "lmdbjni")      # its tests and its cache, which is not used


def compute(candidates: list[str], references: list[list[str]], store: Store | None = None) -> dict[str, Result]:
    """Tokenised captions in; per-clip F-scores, NaN for a clip with a caption that has no parse.

    Raises Unavailable where SPICE, JPype or Java is missing, naming the command that installs it.
    """
    rows, failures = _scores(candidates, references, store, detail=False)
    return {"spice": means([row["All"]["f"] if row else math.nan for row in rows], failures)}


def details(candidates: list[str], references: list[list[str]], store: Store | None = None) -> pd.DataFrame:
    """F-score, precision and recall of all tuples and of objects, attributes, relations, numbers, colours and sizes.

    Tokenised captions in; one row a clip; columns `all_f`, `all_pr`, `all_re`, `object_f`, ...; NaN where neither side
    has tuples of that kind, as SPICE defines it.
    """
    rows, _ = _scores(candidates, references, store, detail=True)
    return pd.DataFrame([
        {f"{kind.lower()}_{part}": math.nan if score[part] is None else float(score[part])
         for kind, score in sorted(row.items()) for part in ("f", "pr", "re")} if row else {}
        for row in rows])


def _scores(candidates: list[str], references: list[list[str]], store: Store | None, detail: bool) -> tuple[list, dict]:
    tuples, problems = parse([c for refs in (candidates, *references) for c in refs], store)
    failures, clips = {}, []
    for i, (candidate, refs) in enumerate(zip(candidates, references, strict=True)):
        broken = [c for c in (candidate, *refs) if _plain(c) in problems]
        if broken:
            failures[i] = f"'{_short(broken[0])}': {problems[_plain(broken[0])]}"
        else:
            clips.append((i, [tuples[_plain(candidate)], [tuples[_plain(r)] for r in refs]]))
    rows: list = [None] * len(candidates)
    for start in range(0, len(clips), 250):
        part = clips[start:start + 250]
        answer = worker().ask(START_S, do="score", clips=[clip for _, clip in part], detail=detail)
        for (i, _), scored in zip(part, answer["scores"], strict=True):
            rows[i] = scored["scores"]
    return rows, failures


def parse(captions: list[str], store: Store | None = None) -> tuple[dict[str, list], dict[str, str]]:
    """Distinct captions -> their tuples ([word], [object, attribute] or [subject, object, relation]), and the reasons
    of those that have none. What the store knows is not parsed again; each chunk is kept as soon as it is done."""
    distinct = list(dict.fromkeys(map(_plain, captions)))
    cache = Cache("spice", store)
    keys = {caption: key(caption) for caption in distinct}
    found = cache.get(keys.values())
    tuples = {c: json.loads(found[k]) for c, k in keys.items() if k in found}
    problems: dict[str, str] = {}
    fresh = sorted((c for c in distinct if c not in tuples), key=lambda c: len(c.split()))
    progress = Progress("SPICE: captions parsed", len(fresh))
    short = [c for c in fresh if len(c.split()) <= LONG]
    chunks = [short[i:i + CHUNK] for i in range(0, len(short), CHUNK)] + [[c] for c in fresh[len(short):]]
    for chunk in chunks:
        made, failed = _parse_chunk(chunk)
        cache.put({keys[c]: json.dumps(t).encode() for c, t in made.items()})
        tuples |= made
        problems |= failed
        progress.step(len(chunk))
    return tuples, problems


def _parse_chunk(chunk: list[str], attempt: int = 1) -> tuple[dict[str, list], dict[str, str]]:
    """Where the worker dies or stalls, once more with a fresh one, then in halves until the caption is found."""
    try:
        answer = worker().ask(CAPTION_S * (1 + len(chunk) / 16), do="parse", captions=chunk)
    except WorkerDied as error:
        if attempt == 1:
            return _parse_chunk(chunk, 2)
        if len(chunk) == 1:
            return {}, {chunk[0]: str(error)}
        made, failed = {}, {}
        for half in (chunk[:len(chunk) // 2], chunk[len(chunk) // 2:]):
            some, wrong = _parse_chunk(half, 2)
            made |= some
            failed |= wrong
        return made, failed
    failed = {chunk[int(i)]: reason for i, reason in answer["errors"].items()}
    return {c: t for c, t in zip(chunk, answer["tuples"], strict=True) if t is not None}, failed


def _plain(caption: str) -> str:
    return BREAKS.sub(" ", caption).encode("utf-8", errors="replace").decode()


def _short(caption: str) -> str:
    return caption if len(caption) <= 80 else f"{caption[:77]}... ({len(caption.split())} words)"


class WorkerDied(MetricError):
    """The worker ended or did not answer in time."""


class Worker(Child):
    """The running worker process, started when first asked and again after it died."""

    def ask(self, timeout: float, **request) -> dict:
        """One request, one answer. Raises WorkerDied, saying how, after which the next request starts a fresh one."""
        with self.lock:
            self._start()
            return self._ask(timeout, request)

    def _ask(self, timeout: float, request: dict) -> dict:
        try:
            self.process.stdin.write((json.dumps(request) + "\n").encode())
            self.process.stdin.flush()
            line = self.answers.get(timeout=timeout)
        except queue.Empty:
            self.stop()
            raise WorkerDied(f"SPICE's worker did not answer in {timeout:.0f} s") from None
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise WorkerDied(self._epitaph())
        return json.loads(line)

    def _start(self) -> None:
        if self.alive:
            return
        self.spawn(self.command())
        self.answers: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=_listen, args=(self.process, self.answers), daemon=True).start()
        try:
            self._ask(START_S, {"do": "hello"})
        except WorkerDied as error:
            raise MetricError(f"SPICE's worker does not start: {error}") from error

    def command(self) -> list[str]:
        settings = {"libjvm": str(java().libjvm), "jars": _jars(), "heap": HEAP, "threads": min(os.cpu_count() or 1, 4)}
        script = Path(__file__).with_name("spice_worker.py")
        return [sys.executable, "-P", str(script), json.dumps(settings)]

    def _epitaph(self) -> str:
        code = self.process.wait()
        said = self.said()
        self.stop()
        if "OutOfMemoryError" in said:
            return f"SPICE's worker ran out of memory ({HEAP})"
        return f"SPICE's worker ended (exit {code}): {said[-300:]}"


def _listen(process: subprocess.Popen, answers: queue.Queue) -> None:
    """Reads answers in a thread, so that waiting for one can time out; an empty line means the end."""
    try:
        for line in process.stdout:
            answers.put(line)
    except ValueError:                  # closed by stop()
        pass
    answers.put(b"")


def _jars() -> list[str]:
    """The class path: SPICE and its libraries from pycocoevalcap, CoreNLP from the cache. Raises Unavailable."""
    if find_spec("jpype") is None:
        raise Unavailable("SPICE needs JPype: pip install JPype1")
    corenlp = installed()
    folder = pycocoevalcap() / "spice"
    libraries = [jar for jar in sorted((folder / "lib").glob("*.jar")) if not jar.name.startswith(IGNORED_JARS)]
    return [str(jar) for jar in (folder / "spice-1.0.jar", *corenlp, *libraries)]


worker = Worker.of_session
