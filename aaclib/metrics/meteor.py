"""METEOR 1.5 (Denkowski & Lavie, 2014): pycocoevalcap's jar, one process for the whole session, fed in a pipeline.

The jar answers `SCORE ||| reference ||| ... ||| candidate` with 23 counts of the alignment with the best reference.
The score is a formula of these (`aaclib.aggregates.meteor`), and corpus METEOR the same formula of their sums, so the
jar's second step is not needed and a resample of clips has its true corpus value. Loading its paraphrase table takes
10 s: `warm_up()` starts that while something else is going on.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from aaclib import aggregates
from aaclib.cache import Cache
from aaclib.metrics.child import Child, say_again
from aaclib.metrics.java import java
from aaclib.metrics.ptb import BREAKS, package, pycocoevalcap
from aaclib.metrics.result import Lost, Result
from aaclib.store import VERSIONS, Store

TIMEOUT_S = 180.0  # without any answer: start-up is 10 s, a minute on a busy machine
SEPARATOR = "|||"


def identity() -> dict[str, Any]:
    """What decides the counts per clip."""
    return {"meteor": VERSIONS["meteor"], **package()}


def compute(candidates: list[str], references: list[list[str]], store: Store | None = None) -> dict[str, Result]:
    """Tokenised captions in. Statistics: the 23 counts. A clip that is known to the cache costs nothing.
    Raises Unavailable without Java, Lost naming the clip where the jar fails twice on it."""
    lines = [_line(c, refs) for c, refs in zip(candidates, references, strict=True)]
    counts = Cache("meteor", store).complete(
        lines,
        lambda fresh: worker().score(fresh),
        lambda row: row.astype("<f8").tobytes(),
        lambda b: np.frombuffer(b, "<f8"),
        identity(),
    )
    table = np.array([counts[line] for line in lines]).reshape(len(lines), aggregates.METEOR_COLUMNS)
    return {"meteor": Result(aggregates.meteor(table, 1), aggregates.meteor_summable(table))}


def warm_up() -> None:
    """Starts the jar in the background, if it is not running. Raises Unavailable without Java; a start that fails is
    tried again, and reported, by `compute`."""
    with contextlib.suppress(Lost):
        worker().start()


def _line(candidate: str, references: list[str]) -> str:
    """The jar's own separator is taken out of captions (pycocoevalcap does so for the candidate alone)."""
    clean = [BREAKS.sub(" ", text).replace(SEPARATOR, "").replace("  ", " ") for text in (*references, candidate)]
    return " ||| ".join(["SCORE", *clean]) + " "  # the last blank keeps an empty candidate a field of its own


class Meteor(Child):
    """One running jar. A crash or a time-out starts a fresh one and goes on with the clips not yet answered."""

    name = "METEOR"

    def start(self) -> None:
        if not self.alive:
            self.spawn(self.command(), pycocoevalcap() / "meteor")

    def command(self) -> list[str]:
        """pycocoevalcap's own, and where the paraphrases are: the jar cannot find them under a path with spaces."""
        options = "-Xmx2G -XX:+UseSerialGC -Dfile.encoding=UTF-8 -jar meteor-1.5.jar - - -stdio -l en -norm"
        return [str(java().executable), *options.split(), "-a", "data/paraphrase-en.gz"]

    def score(self, lines: list[str]) -> list[np.ndarray]:
        """The 23 counts of each SCORE line, in order. Raises Lost."""
        with self.exchange():
            counts: list[np.ndarray] = []
            failed_at = -1
            while todo := lines[len(counts) :]:
                try:
                    self.start()
                    self.send("".join(f"{line}\n" for line in todo))
                    for _ in todo:
                        counts.append(self._counts())
                except Lost as lost:
                    if failed_at == len(counts):
                        raise Lost(f"METEOR failed twice on '{lines[failed_at][:200]}': {lost}") from lost
                    failed_at = len(counts)
                    say_again(lost)
            return counts

    def _counts(self) -> np.ndarray:
        answer = self.answer(TIMEOUT_S)
        try:
            row = np.array(answer.split(), dtype=np.float64)
        except ValueError:
            row = np.empty(0)
        if len(row) != aggregates.METEOR_COLUMNS:
            raise self.lost(f"answered {answer[:200].decode(errors='replace').strip()!r}")
        return row


worker = Meteor.of_session
