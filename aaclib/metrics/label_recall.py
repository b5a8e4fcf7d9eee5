"""Whether captions name what is heard, for clips that have labels and no captions (FSD50K, AudioSet's ontology).

A label counts as said when the stems (Porter 1980) of all words of one of its alternatives occur in the caption:
'Male speech and man speaking' is said by 'a man speaks'. Synonyms outside the label do not count, and
nobody says every general label above the one that fits ('Domestic animals and pets' of a dog), so the recall has no
meaning by itself: compare rows with each other, and with chance (`shuffled`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import snowballstemmer

from aaclib.metrics.result import Result, means
from aaclib.text import letters

SILENT = frozenset("a an and of in on or the with other others sound sounds noise noises".split())


def label_recall(captions: Sequence[str], labels: Sequence[Sequence[str]]) -> dict[str, Result]:
    """label_recall: share of a clip's different labels that its caption says; label_hit: 1 where it says any of them.
    captions: one per clip; labels: as text ('Acoustic guitar'), for each clip. A clip without labels has no value: NaN.
    Raises ValueError for unequal lengths.

        label_recall(["a dog barks"], [["Dog", "Rain"]])["label_recall"].per_clip      # array([0.5])
    """
    if len(captions) != len(labels):
        raise ValueError(f"{len(captions)} captions but labels of {len(labels)} clips; as many are needed.")
    recall = np.full(len(captions), np.nan)
    for i, (caption, names) in enumerate(zip(captions, labels, strict=True)):
        heard = set(stems(caption))
        if names:
            recall[i] = np.mean([any(part <= heard for part in alternatives(name)) for name in dict.fromkeys(names)])
    without = {int(i): "no labels" for i in np.flatnonzero(np.isnan(recall))}
    hit = np.where(np.isnan(recall), np.nan, recall > 0)
    return {"label_recall": means(recall, without), "label_hit": means(hit, without)}


@cache
def alternatives(label: str) -> tuple[frozenset[str], ...]:
    """The ways to say a label, each a set of stems: 'Vehicle horn and car horn' -> {vehicl, horn}, {car, horn}. What
    stands in brackets only explains, and words such as 'sound' need not be said."""
    bare = re.sub(r"\([^)]{0,200}\)|_", " ", label.lower())
    parts = [frozenset(stems(part)) for part in re.split(r"\band\b|\bor\b|,|/", bare)]
    telling = tuple(part - SILENT for part in parts if part - SILENT)
    return telling or tuple(part for part in parts if part)


def stems(text: str) -> list[str]:
    """The stem of each word: 'Two dogs, barking' -> ['two', 'dog', 'bark']."""
    return [_stem(word) for word in letters(text)]


@cache
def _stem(word: str) -> str:
    return snowballstemmer.stemmer("porter").stemWord(word)
