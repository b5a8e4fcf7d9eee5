"""The tiny CLAP's tokenizer: whole words, each of which also stands for its character n-grams.

A word's vector is its own row plus the mean of its n-grams' rows (Bojanowski et al., Enriching word vectors with
subword information, https://arxiv.org/abs/1607.04606). A word never seen in training has no row of its own, yet
`barks` still lies near `barking` and two unknown words do not collapse into one.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from aaclib.text import MARKS, NORMALISE

WORD = re.compile(rf"[\w{MARKS}]+(?:'[\w{MARKS}]+)?")
PAD = UNKNOWN = 0  # row 0 of the words' table is zero: padding, and the own row of an unknown word
BUCKETS = 4096  # rows of the n-grams' table; row 0 of it is padding
MAX_NGRAMS = 24  # of a word; a longer word keeps its first ones
MAX_WORDS = 64  # of a caption


def split(caption: str) -> list[str]:
    """The words of a caption in lower case, punctuation left out; a caption without any word is one odd word."""
    return WORD.findall(NORMALISE["lower"](caption))[:MAX_WORDS] or [caption.strip() or " "]


@functools.cache
def ngrams(word: str) -> list[int]:
    """The rows of a word's n-grams (3 to 5 characters of `<word>`), 1 to BUCKETS - 1: the same in every process."""
    text = f"<{word}>"
    pieces = [text[i : i + n] for n in (3, 4, 5) for i in range(len(text) - n + 1)]
    return [1 + zlib.crc32(piece.encode()) % (BUCKETS - 1) for piece in (pieces or [text])[:MAX_NGRAMS]]


@dataclass
class Words:
    """`vocabulary`: the known words in the order of their rows, from row 1."""

    vocabulary: list[str]
    rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = {word: i for i, word in enumerate(self.vocabulary, start=1)}

    @classmethod
    def built_from(cls, captions: Iterable[str], least: int = 2) -> Words:
        """All words that occur at least `least` times, the most frequent first, ties by the alphabet."""
        counts = Counter(word for caption in captions for word in split(caption))
        return cls(sorted((w for w, n in counts.items() if n >= least), key=lambda w: (-counts[w], w)))

    def __len__(self) -> int:
        return len(self.vocabulary) + 1

    def encode(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Three int64 tensors for a batch of captions padded to its longest.

        position (B, T): row of each word in the batch's own list of distinct words, from 1; 0 is padding.
        own (W,): that list as rows of the words' table; 0 for unknown words, and for entry 0, the padding.
        grams (W, G): the list's n-grams as rows of the n-grams' table, padded with 0.
        """
        split_up = [split(caption) for caption in captions]
        distinct = {word: i for i, word in enumerate(dict.fromkeys(w for words in split_up for w in words), start=1)}
        position = torch.zeros(len(captions), max(map(len, split_up)), dtype=torch.long)
        for row, words in enumerate(split_up):
            position[row, : len(words)] = torch.tensor([distinct[w] for w in words])
        own = torch.tensor([PAD, *(self.rows.get(word, UNKNOWN) for word in distinct)])
        entries = [[], *map(ngrams, distinct)]
        grams = torch.zeros(len(entries), max(map(len, entries)), dtype=torch.long)
        for row, pieces in enumerate(entries):
            grams[row, : len(pieces)] = torch.tensor(pieces, dtype=torch.long)
        return position, own, grams
