"""How an object of arrays and lists prints: names, shapes and the first of its values, on one line."""

from __future__ import annotations

from typing import Any

import numpy as np


def brief(thing: object, **fields: Any) -> str:
    """The `repr` of a thing: its class and these fields, arrays by shape and dtype, lists by length and first value.

    >>> brief(Texts(...), captions=["a dog barks", "rain"], z=np.zeros((2, 8)))
    "Texts(captions=2 ['a dog barks', ...], z=(2, 8) float64)"
    """
    return f"{type(thing).__name__}({', '.join(f'{name}={_short(value)}' for name, value in fields.items())})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)) and value:
        more = ", ..." if len(value) > 1 else ""
        return f"{len(value)} [{next(iter(value))!r}{more}]"
    return repr(value)
