"""What a user registered in this process: CLAPs, data sets and metrics of one's own, by name.

One place below all that asks (settings, workers), filled by `clap.register`, `datasets.register` and
`metrics.register`. Strategies have theirs in `aaclib.bridge`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from joblib import wrap_non_picklable_objects


@dataclass(frozen=True)
class Own:
    """make: what makes or computes it. source: its code, which names what is made with it. options: the rest."""

    make: Callable[..., Any]
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


CLAPS: dict[str, Own] = {}
DATASETS: dict[str, Own] = {}
METRICS: dict[str, Own] = {}


def registered() -> dict[str, dict[str, Own]]:
    """All of it, to be told to another process."""
    return {"claps": dict(CLAPS), "datasets": dict(DATASETS), "metrics": dict(METRICS)}


def carried(things: Any) -> Any:
    """The same for another process: what is in it travels by value where it is of a notebook's cell."""
    return wrap_non_picklable_objects(things, keep_wrapper=False)


def know(given: Mapping[str, Mapping[str, Own]]) -> None:
    """Takes over what was `registered()` in another process."""
    CLAPS.update(given["claps"])
    DATASETS.update(given["datasets"])
    METRICS.update(given["metrics"])


def plain(name: str, taken: Mapping[str, Any] | tuple[str, ...]) -> str:
    """The name. Raises ValueError for one that is taken by this suite, or not letters, digits and _."""
    if name in taken or not name.isidentifier():
        raise ValueError(f"'{name}' is no name for one of your own: it is taken, or not of letters, digits and _.")
    return name


def source(thing: Any) -> str:
    """The source of a function or class; of a class that Python cannot look up whole (one of a notebook's cell),
    that of its methods; where there is none (a callable object, an interactive shell), its name."""
    with contextlib.suppress(OSError, TypeError):
        return inspect.getsource(thing)
    if isinstance(thing, type):
        methods = {name: source(value) for name, value in vars(thing).items() if inspect.isfunction(value)}
        return "\n".join([thing.__qualname__, *methods.values()])
    return getattr(thing, "__qualname__", type(thing).__qualname__)
