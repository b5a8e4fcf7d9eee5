"""Results that an object keeps for its own life, so that a notebook may ask for a thing as often as it likes.

Methods keep theirs in the object itself, functions in their first argument: what a function says of a run goes with it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

import pandas as pd

Function = TypeVar("Function", bound=Callable[..., Any])


def remembered(function: Function) -> Function:
    """A method, or a function of an object, that is computed once for each object and set of further arguments (which
    must be hashable).

    A table is handed out as a copy, which its reader may change; everything else is the kept object itself.
    functools.cache would keep the object alive with its results, and not know f(1) and f(x=1) for the same.
    """
    parameters = signature(function)

    @wraps(function)
    def ask(thing, *args, **kwargs):
        bound = parameters.bind(thing, *args, **kwargs)
        bound.apply_defaults()
        results = thing.__dict__.setdefault("_kept", {})
        key = (function, *bound.args[1:])  # the function itself: two of one name keep apart
        if key not in results:
            results[key] = function(*bound.args)
        value = results[key]
        return value.copy() if isinstance(value, pd.DataFrame) else value

    return cast(Function, ask)
