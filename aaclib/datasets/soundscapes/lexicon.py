"""The words and phrases that captions are made of, from words.yaml (of each sound) and phrases.yaml (of all)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Wording:
    """How one sound class is spoken of; words.yaml says what each field holds."""

    who: tuple[str, ...]
    does: tuple[str, ...]
    name: tuple[str, ...]
    once: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    done: tuple[tuple[str, ...], ...] = ()


def read(name: str) -> dict[str, Any]:
    """A table of this folder, by LibYAML where there is one: ten times faster."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(Path(__file__).with_name(name).read_text(encoding="utf-8"), loader)


def _parts(texts: dict) -> dict[Any, tuple[str, ...]]:
    """The same keys with each text's parts between commas."""
    return {key: tuple(part.strip() for part in text.split(",")) for key, text in texts.items()}


def _wording(texts: dict[str, str]) -> Wording:
    fields = _parts(texts)
    return Wording(**{**fields, "done": tuple(tuple(part.split(" / ")) for part in fields.get("done", ()))})


WORDS = {kind: _wording(texts) for kind, texts in read("words.yaml").items()}
_PHRASES = read("phrases.yaml")
ONLY, PAUSES, TIMES, NUMBER = (_parts(_PHRASES[name]) for name in ("only", "pauses", "times", "number"))
SEVERAL, MANY = _parts(_PHRASES["vague"]).values()
# (attribute, value) -> the adverbials and the adjectives that say it
SAID = {
    (attribute, value): _parts(texts)
    for attribute, values in _PHRASES["said"].items()
    for value, texts in values.items()
}
JOINTS: dict[str, tuple[str, ...]] = {name: tuple(text.splitlines()) for name, text in _PHRASES["joints"].items()}
PLURAL: dict[str, str] = _PHRASES["plural"]  # of the verbs in joints
