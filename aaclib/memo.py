"""Results that an object keeps for its own life, so that a notebook may ask for a thing as often as it likes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

import pandas as pd

Method = TypeVar("Method", bound=Callable[..., Any])


def kept(method: Method) -> Method:
    """A method that is computed once for each set of arguments (which must be hashable) of each object.

    A table is handed out as a copy, which its reader may change; everything else is the kept object itself.
    functools.cache would keep the object alive with its results, and not know f(1) and f(x=1) for the same.
    """
    parameters = signature(method)

    @wraps(method)
    def ask(self, *args, **kwargs):
        bound = parameters.bind(self, *args, **kwargs)
        bound.apply_defaults()
        results = self.__dict__.setdefault("_kept", {})
        key = (method.__qualname__, *bound.args[1:])
        if key not in results:
            results[key] = method(*bound.args)
        value = results[key]
        return value.copy() if isinstance(value, pd.DataFrame) else value

    return cast(Method, ask)
