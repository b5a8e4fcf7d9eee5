"""What fits a setting, declared beside it as a field of a dataclass, and how what a user gives is made to fit.

The setting's type decides, before any YAML is read: for a text setting `no`, `001`, `12:30` and `rec #2` are the text
that they are, and only `` or nothing is no text. Numbers, lists and mappings are read from the same text; values that
come from Python are taken as they are.
"""

from __future__ import annotations

import difflib
import functools
import math
import numbers
import operator
import os
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

BOUNDS = {"least": ("at least", operator.ge), "above": ("above", operator.gt), "below": ("below", operator.lt)}
SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class ConfigError(ValueError):
    """A setting that does not exist or does not fit; the message names the key and what would fit."""


# ---- declared beside a setting ---------------------------------------------------------------------------------------


def checked(default: Any, fits: Callable[[Any], Any], wanted: str, known: Iterable[Any] = ()) -> Any:
    """A field whose value, or each of whose values, `fits`. `wanted` and the nearest of `known` are for the message."""
    kept: dict[str, Any] = {"default_factory": default.copy} if isinstance(default, dict) else {"default": default}
    return field(**kept, metadata={"fits": fits, "wanted": wanted, "known": tuple(known)})


def one_of(*known: Any) -> Any:
    """One of these, the first by default."""
    return checked(known[0], known.__contains__, f"one of {', '.join(map(str, known))}", known)


def some_of(default: Any, known: Iterable[Any]) -> Any:
    """One of these, or a list of them."""
    return checked(default, tuple(known).__contains__, f"one of {', '.join(map(str, known))}", known)


def number(default: Any, **bounds: float) -> Any:
    """A number within `least` or `above`, and `below`; or a list or mapping of such numbers."""
    wanted = " and ".join(f"{BOUNDS[name][0]} {bound}" for name, bound in bounds.items())
    return checked(default, lambda value: all(BOUNDS[name][1](value, bound) for name, bound in bounds.items()), wanted)


# ---- made to fit -----------------------------------------------------------------------------------------------------


def pairs(kind: type, given: Iterable[tuple[Any, Any]], where: str = "") -> Iterator[tuple[str, Any]]:
    """(setting, fitting value) of what is given for the dataclass `kind`, of a whole group each of its settings. The
    third level belongs to a free dictionary, whose keys may hold dots: data.sizes.clotho.train. Raises ConfigError."""
    there = settings(kind)
    for key, value in given:
        name = f"{where}{key}"
        if any(one.startswith(f"{name}.") for one in there):
            yield from pairs(kind, mapping(value, name).items(), f"{name}.")
            continue
        owner = name if name in there else ".".join(name.split(".", 2)[:2])
        if owner not in there or name.endswith("."):
            raise ConfigError(f"Unknown setting '{name}'.{nearest(name, there)}")
        hint, declared = there[owner]
        if owner != name and typing.get_origin(hint) is not dict:
            raise ConfigError(f"'{name}': '{owner}' is a single setting, not a group.")
        yield name, fit(value, hint if owner == name else typing.get_args(hint)[1], name, declared)


def put(values: Mapping[str, Any], changes: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """`values` with these on top. A free dictionary is replaced whole, and keeps its other entries where only one of
    them is named."""
    values = dict(values)
    for name, value in changes:
        group, _, entry = name.partition(".")
        owner, _, entry = entry.partition(".")
        if entry:
            name, value = f"{group}.{owner}", {**values.get(f"{group}.{owner}", {}), entry: value}
        values[name] = value
    return values


def build(kind: type, values: Mapping[str, Any]) -> Any:
    """The dataclass `kind` with these settings."""
    groups = {
        name: build(hint, {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")})
        for name, hint in typing.get_type_hints(kind).items()
        if isinstance(hint, type) and is_dataclass(hint)
    }
    return kind(**groups, **{key: value for key, value in values.items() if "." not in key})


@functools.cache
def settings(kind: type, where: str = "") -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """ "group.name" -> (type, what was declared), of a dataclass and of the dataclasses in it."""
    hints, there = typing.get_type_hints(kind), {}
    for one in fields(kind):
        name, hint = f"{where}{one.name}", hints[one.name]
        there |= settings(hint, f"{name}.") if is_dataclass(hint) else {name: (hint, one.metadata)}
    return there


def fit(value: Any, hint: Any, name: str, declared: Mapping[str, Any] | None = None) -> Any:
    """`value` as a setting of the type `hint`. Raises ConfigError that says what would fit `name`."""
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind is dict:
        return {str(k): fit(v, inner[1], f"{name}.{k}", declared) for k, v in mapping(value, name).items()}
    if kind is tuple:
        return tuple(fit(item, inner[0], name, declared) for item in _items(value, name))
    fitting = FIT[kind](value)
    if fitting is None:
        raise ConfigError(f"'{name}' must be {NAMES[kind]}, found {value!r:.80}.")
    if declared and not declared["fits"](fitting):
        close = difflib.get_close_matches(str(fitting), map(str, declared["known"]), n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"'{name}' must be {declared['wanted']}, found {fitting!r:.80}.{hint}")
    return fitting


def mapping(value: Any, name: str) -> Mapping[Any, Any]:
    """A mapping, or the text of one such as {a: 1}. Raises ConfigError."""
    tree = (read_yaml(value, f"'{name}'") if value.strip() else {}) if isinstance(value, str) else value
    if not isinstance(tree, Mapping):
        raise ConfigError(f"'{name}' must be a mapping, found {value!r:.80}.")
    return tree


def _items(value: Any, name: str) -> Iterable[Any]:
    """Of a list, of the text of one such as [a, b], or the one value that stands for a list of one."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = read_yaml(value, f"'{name}'")
    none = value is None or isinstance(value, str) and not value
    return value if isinstance(value, (list, tuple)) else [] if none else [value]


def _text(value: Any) -> str | None:
    """What a text setting becomes; nothing is the empty text."""
    if isinstance(value, (str, os.PathLike, numbers.Number)):
        return str(value)
    return "" if value is None else None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Integral)):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
        return None
    try:
        real = float(value)
    except (ValueError, OverflowError):
        return None
    return real if math.isfinite(real) else None


def _switch(value: Any) -> bool | None:
    return SWITCH.get(value.strip().lower()) if isinstance(value, str) else value if isinstance(value, bool) else None


FIT = {str: _text, int: _integer, float: _real, bool: _switch}  # each gives None for what is no such value
NAMES = {
    str: "text (in quotes, if it has the form of a list or mapping)",
    int: "int",
    float: "float (and finite)",
    bool: "bool (true or false)",
}


# ---- YAML ------------------------------------------------------------------------------------------------------------


class _Text(yaml.SafeLoader):
    """Every plain value is the text that stands there; a key that is there twice is a mistake."""

    yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}  # <<: *anchor still merges

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node, seen = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value != "<<" and key.value in seen:
                raise ComposerError(None, None, f"'{key.value}' is there twice", key.start_mark)
            seen.add(str(key.value))
        return node


def read_yaml(text: str, where: str) -> Any:
    """YAML as mappings, lists and text. Raises ConfigError that names `where` and the line."""
    try:
        return yaml.load(text, _Text)  # a SafeLoader: builds no objects
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise ConfigError(
            f"{where}{line}: {problem}. This is no YAML that can be read; text with special characters "
            f"stands in quotes."
        ) from error


def read_yaml_file(path: Path) -> Any:
    """The same of a file."""
    try:
        return read_yaml(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not in UTF-8 (byte {error.start}). Save it as UTF-8.") from error


# ---- names -----------------------------------------------------------------------------------------------------------


def nearest(name: str, there: Iterable[str]) -> str:
    """ " Did you mean '...'?" for a name that is not there, or else what is there."""
    there = sorted(there)
    close = difflib.get_close_matches(name, there, n=1, cutoff=0.4)
    close = close or [k for k in there if k.split(".")[-1] == name.split(".")[-1]][:1]
    return f" Did you mean '{close[0]}'?" if close else f" Known: {', '.join(there)}."
