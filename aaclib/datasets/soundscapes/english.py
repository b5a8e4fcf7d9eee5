"""The little English grammar that the captions need: inflection, articles, number."""

from __future__ import annotations

import re
from collections.abc import Callable

DOUBLED = set(
    "chug clap drum hum run snap strum tap rap yap shut trot clop chop drip rev cut drop slam pop step whir".split()
)  # verbs that double their last consonant before -ing


def third(verb: str) -> str:
    """Third person of a verb with what follows it: 'bang shut' -> 'bangs shut', 'pop and snap' -> 'pops and snaps'."""
    return _inflect(verb, _third)


def gerund(verb: str) -> str:
    """'bang shut' -> 'banging shut'."""
    return _inflect(verb, _gerund)


def _inflect(verb: str, how: Callable[[str], str]) -> str:
    words = verb.split()
    words[0] = how(words[0])
    if words[1:2] == ["and"]:  # two verbs, not a verb and its object
        words[2] = how(words[2])
    return " ".join(words)


def _third(word: str) -> str:
    if word.endswith(("s", "sh", "ch", "x", "z", "go")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"


def _gerund(word: str) -> str:
    if word in DOUBLED:
        return word + word[-1] + "ing"
    return word[:-1] + "ing" if word.endswith("e") and not word.endswith("ee") else word + "ing"


def plural(word: str) -> str:
    """Of a noun."""
    return word if word.endswith("by") else _third(word)  # several drive by


def is_plural(name: str) -> bool:
    """Whether a noun phrase takes 'are': its last word before any 'of', 'on' or 'with' ends in a plural s."""
    head = re.split(r" (?:of|on|with|in) ", name)[0].split()
    many = head[-1].endswith("s") and head[-1] != "glass" or head[-1] == "people"
    return head[0] not in ("a", "an") and many


def with_adjective(phrase: str, adjective: str) -> str:
    """The adjective behind the article: 'a dog bark' -> 'a distant dog bark', 'an old gate' -> 'a quiet old gate'."""
    first, _, rest = phrase.partition(" ")
    if first in ("a", "an"):
        return f"{'an' if adjective[0] in 'aeiou' else 'a'} {adjective} {rest}"
    if first in ("the", "many", "several", "some"):
        return f"{first} {adjective} {rest}"
    return f"{adjective} {phrase}"


def join(*parts: str) -> str:
    """The parts that are not empty, a space between them."""
    return " ".join(part for part in parts if part)


def finish(text: str, capital: bool, ending: str) -> str:
    """As a sentence."""
    text = " ".join(text.split())
    return (text[0].upper() + text[1:] if capital else text) + ending
