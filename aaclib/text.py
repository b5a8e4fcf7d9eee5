"""Text: normalisation policies by name, and the two kinds of tokenizer a decoder can have.

A profile names one policy, and training captions, the memory and the vocabulary all go through it; metrics apply the
PTB tokenizer of the field on top, as every published number does.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from aaclib import pretrained as others
from aaclib.store import digest, write_text

PAD, UNK, BOS, EOS = "[PAD]", "[UNK]", "[BOS]", "[EOS]"


class TextError(ValueError):
    """Text or a tokenizer that cannot be used; the message says what and what to do."""


# ---- normalisation ---------------------------------------------------------------------------------------------------

# typographic quotes to plain ones; an underscore parts words
_PLAIN = str.maketrans("\u2019\u2018`\u00b4\u201c\u201d_", "''''\"\" ")


def _marks() -> str:
    """Accents, vowel signs and the like (Unicode's category M), which are part of the letter before them and of its
    word. As ranges of a pattern, which are five times faster than single characters."""
    characters = map(chr, (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)))
    runs = itertools.groupby(characters, lambda c: unicodedata.category(c)[0] == "M")
    marks = [list(run) for are_marks, run in runs if are_marks]
    return "".join(f"{run[0]}-{run[-1]}" for run in marks)


MARKS = _marks()
_IN_WORD = rf"[\w{MARKS}]"
# letters and digits; inside a word or at its end apostrophes (don't, dogs'), and inside what joins letters unseen
_WORD = re.compile(rf"{_IN_WORD}+(?:(?:'|[\u200c\u200d]+){_IN_WORD}+)*'?")
_LETTERS = re.compile(rf"(?:(?![\d_]){_IN_WORD})+")
_SYMBOL = re.compile(rf"[^\w\s{MARKS}'][\ufe00-\ufe0f]+")  # with the sign that says which form of it is meant


def _spaces(text: str) -> str:
    return " ".join(text.split())


def _lower(text: str) -> str:
    """Lower case; an accent is the same whether it was written with its letter or after it (Unicode's form NFC)."""
    return _spaces(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower()))


def _lower_nopunct(text: str) -> str:
    return " ".join(_WORD.findall(_SYMBOL.sub(" ", _lower(text).translate(_PLAIN))))


def _wavcaps(text: str) -> str:
    """`text_preprocess` of the WavCaps code (XinhaoMei/WavCaps), with which the published CLAP was trained."""
    text = re.sub(r'\s([,.!?;:"](?:\s|$))', r"\1", text.lower())
    return _spaces(re.sub(r'[(,.!?;:|*")]', " ", text))


NORMALISE: dict[str, Callable[[str], str]] = {
    "none": _spaces,  # white space tidied, nothing else
    "lower": _lower,  # lower case, punctuation kept
    "lower-nopunct": _lower_nopunct,  # lower case, words alone; hyphens part words, apostrophes stay
    "wavcaps": _wavcaps,  # the paper's CLAP: lower case, without ( , . ! ? ; : | * " )
}


def letters(text: str) -> list[str]:
    """The words of a text in lower case as runs of letters with their marks: without digits and apostrophes."""
    return _LETTERS.findall(_lower(text))


def normalise(captions: Iterable[str], policy: str) -> list[str]:
    """The captions under a policy of `NORMALISE`. Raises TextError for an unknown policy, and for a caption of which
    nothing is left, naming it: dropping one silently would shift every caption behind it."""
    if policy not in NORMALISE:
        raise TextError(f"There is no text policy '{policy}'. Known: {', '.join(NORMALISE)}.")
    before = list(captions)
    after = [NORMALISE[policy](caption) for caption in before]
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if not new:
            raise TextError(f"Caption {i} ({old!r}) is empty after '{policy}'. Remove it, or fix it in its file.")
    return after


# ---- tokenizers ------------------------------------------------------------------------------------------------------


class Tokenizer:
    """Captions to lists of ids and back, around a `tokenizers.Tokenizer`; padding is the caller's.

    `pad`, `unk`, `bos`, `eos`: ids. `bos` begins no encoded caption: the decoder's prefix stands there. `seen`: the ids
    of `core` that this tokenizer has (`narrowed`), id i for seen[i]; None = the ids are those of `core`.
    """

    def __init__(
        self, core: tokenizers.Tokenizer, pad: int, unk: int, bos: int, eos: int, seen: Sequence[int] | None = None
    ):
        core.no_padding()
        core.no_truncation()
        self.core, self.pad, self.unk, self.bos, self.eos = core, pad, unk, bos, eos
        self.seen = None if seen is None else list(seen)
        about = [core.to_str(), pad, unk, bos, eos]
        self.digest = digest(about if seen is None else [*about, self.seen])  # 16 hex digits: same digest, same ids
        self._silent = {pad, unk, bos, eos}
        self._own = {old: new for new, old in enumerate(self.seen or ())}

    @property
    def vocabulary_size(self) -> int:
        """One more than the greatest id: the width of the decoder's output."""
        if self.seen is not None:
            return max(len(self.seen), self.unk + 1)
        return max(self.core.get_vocab(with_added_tokens=True).values()) + 1

    def narrowed(self, captions: Iterable[str]) -> Tokenizer:
        """The same tokenizer with the tokens of these captions and the four special ones alone, numbered anew in their
        old order. Text is cut into tokens as before, and a token that no caption has becomes `unk`. Where `unk` was the
        end, as in tokenizers that can write any text, it gets an id of its own.

        >>> text.pretrained("bert-base-uncased").narrowed(captions).vocabulary_size       # of 30,522
        """
        codes = self.core.encode_batch(list(captions), add_special_tokens=False)
        seen = sorted({self.pad, self.unk, self.bos, self.eos}.union(*(code.ids for code in codes)))
        pad, unk, bos, eos = map(seen.index, (self.pad, self.unk, self.bos, self.eos))
        return Tokenizer(self.core, pad, len(seen) if unk == eos else unk, bos, eos, seen)

    def encode(self, captions: Sequence[str], max_tokens: int | None = None) -> list[list[int]]:
        """One list of ids per caption, ending in `eos`; of a caption that is longer than `max_tokens` with it, the
        first `max_tokens` ids and no end, as in the published code: a cut teaches nobody where sentences stop. Raises
        TextError for a caption without a token."""
        if max_tokens is not None and max_tokens < 1:
            raise TextError(f"max_tokens must be at least 1, found {max_tokens}.")
        rows, captions = [], list(captions)
        codes = self.core.encode_batch(captions, add_special_tokens=False)
        for caption, code in zip(captions, codes, strict=True):
            if not code.ids:
                raise TextError(f"The caption {caption!r} has no tokens.")
            ids = code.ids if self.seen is None else [self._own.get(i, self.unk) for i in code.ids]
            rows.append([*ids, self.eos][:max_tokens])
        return rows

    def decode(self, ids: Sequence[int]) -> str:
        """The text up to the first `eos`; special tokens leave no trace. "" for no words."""
        words = [i for i in itertools.takewhile(lambda i: i != self.eos, map(int, ids)) if i not in self._silent]
        return _spaces(self.core.decode([self._old(i) for i in words], skip_special_tokens=True))

    def decode_batch(self, rows: Iterable[Sequence[int]]) -> list[str]:
        return [self.decode(row) for row in rows]

    def token(self, i: int) -> str:
        """How one id is written, special ones included.

        >>> [tokenizer.token(i) for i in tokenizer.encode(["a dog barks"])[0]]
        """
        known = self.seen is None or i < len(self.seen)
        return (self.core.id_to_token(self._old(i)) if known else None) or UNK

    def _old(self, i: int) -> int:
        return i if self.seen is None else self.seen[i]

    def save(self, path: str | Path) -> None:
        """One JSON file that `Tokenizer.load` reads without any hub or cache."""
        ids: dict[str, Any] = {"pad": self.pad, "unk": self.unk, "bos": self.bos, "eos": self.eos}
        ids |= {} if self.seen is None else {"seen": self.seen}
        write_text(path, json.dumps({"ids": ids, "tokenizer": json.loads(self.core.to_str())}, ensure_ascii=False))

    @staticmethod
    def load(path: str | Path) -> Tokenizer:
        try:
            tree = json.loads(Path(path).read_text())
            return Tokenizer(tokenizers.Tokenizer.from_str(json.dumps(tree["tokenizer"])), **tree["ids"])
        except FileNotFoundError as error:
            raise TextError(f"There is no tokenizer at {path}.") from error
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise TextError(f"{path} is no tokenizer of this suite ({error}). Delete it and run again.") from error


class WordTokenizer(Tokenizer):
    """Whole words (and single punctuation marks) of the training captions."""

    @staticmethod
    def train(captions: Iterable[str], vocabulary: int = 5000) -> Tokenizer:
        """The `vocabulary` most frequent words, four special ids (pad 0, unk 1, bos 2, eos 3) included; equal counts in
        alphabetical order, so that the same captions in any order give the same ids. Captions are used as they come:
        normalise them first."""
        core = tokenizers.Tokenizer(models.WordLevel(unk_token=UNK))
        inside = r"\p{L}\p{M}\p{N}"
        words = tokenizers.Regex(rf"[{inside}](?:['\u2019\u200c\u200d\-]?[{inside}])*'?|[^\s{inside}]")
        core.pre_tokenizer = pre_tokenizers.Split(words, "removed", invert=True)
        trainer = trainers.WordLevelTrainer(
            vocab_size=vocabulary, min_frequency=1, show_progress=False, special_tokens=[PAD, UNK, BOS, EOS]
        )
        core.train_from_iterator(captions, trainer)
        if core.get_vocab_size() <= 4:
            raise TextError("There are no words in the training captions: no tokenizer can be trained.")
        return WordTokenizer(core, pad=0, unk=1, bos=2, eos=3)


def pretrained(name: str | Path) -> Tokenizer:
    """The tokenizer of a model, by hub name (`bert-base-uncased`, the paper's) or folder.

    bos and eos are the model's own, else BERT's [CLS] and [SEP]; pad is the model's own, else eos. Raises TextError
    where its files are neither on this machine nor to be had, and for the five-token stand-in that some versions of
    transformers hand out in that case.
    """
    model = others.tokenizer(name, TextError)
    core = getattr(model, "backend_tokenizer", None)
    if core is None:
        raise TextError(f"The tokenizer '{name}' has no fast form (tokenizer.json), which is needed here.")
    eos = _first(model.eos_token_id, model.sep_token_id)
    if eos is None:
        raise TextError(f"The tokenizer '{name}' has no token for the end of a text (eos or sep).")
    bos = _first(model.bos_token_id, model.cls_token_id)
    return Tokenizer(
        tokenizers.Tokenizer.from_str(core.to_str()),
        eos if model.pad_token_id is None else model.pad_token_id,
        eos if model.unk_token_id is None else model.unk_token_id,
        eos if bos is None else bos,
        eos,
    )


def _first(*ids: int | None) -> int | None:
    return next((i for i in ids if i is not None), None)


def make_tokenizer(spec: str, captions: Iterable[str], vocabulary: int = 5000, tokens: str = "all") -> Tokenizer:
    """The tokenizer that `decoder.tokenizer` names: 'words' is trained on `captions` (normalised), anything else is
    the name or folder of a model's, with all of its tokens or, for `tokens` = 'seen', those of `captions`."""
    if spec == "words":
        return WordTokenizer.train(captions, vocabulary)
    return pretrained(spec).narrowed(captions) if tokens == "seen" else pretrained(spec)
