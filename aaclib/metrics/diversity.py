"""How varied captions are, and how many were copied: what no reference-based metric sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aaclib.metrics.ptb import tokenise
from aaclib.store import Store


def diversity(
    captions: Sequence[str], training: Iterable[str] | None = None, tokenize: bool = True, store: Store | None = None
) -> dict[str, float]:
    """Of one caption a clip:

    vocabulary: distinct words; distinct_1, distinct_2: distinct n-grams / all n-grams (Li et al., NAACL 2016);
    mean_length: words a caption; unique: distinct captions / captions; with `training`, copied: share of captions that
    stand word for word among the training captions. All on PTB tokens (`tokenize=False`: captions are tokens already).
    Raises ValueError for no captions; Unavailable without Java."""
    captions, known = list(captions), list(training or [])
    if not captions:
        raise ValueError("There are no captions to describe.")
    if tokenize:
        tokens = tokenise(captions + known, store)
        captions, known = tokens[: len(captions)], tokens[len(captions) :]
    words = [caption.split() for caption in captions]
    singles = [word for caption in words for word in caption]
    pairs = [pair for caption in words for pair in zip(caption, caption[1:], strict=False)]
    found = {
        "vocabulary": float(len(set(singles))),
        "distinct_1": len(set(singles)) / max(len(singles), 1),
        "distinct_2": len(set(pairs)) / max(len(pairs), 1),
        "mean_length": len(singles) / len(captions),
        "unique": len(set(captions)) / len(captions),
    }
    if training is not None:
        seen = set(known)
        found["copied"] = sum(caption in seen for caption in captions) / len(captions)
    return found
