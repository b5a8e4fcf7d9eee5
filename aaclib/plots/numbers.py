"""The numbers that a figure draws, as a table: what goes into the CSV beside it.

A figure that was made from a tidy frame carries that frame (`style.Drawing.numbers`); of any other the numbers are read
off its lines, bars, points and small images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

COLUMNS = ("panel", "title", "kind", "series", "x", "y", "value")
CELLS = 5_000  # of an image that is listed; a spectrogram has a hundred times more, and the recording itself


def drawn(fig: Figure) -> pd.DataFrame:
    """The frame of `COLUMNS`, a row for each point, end of an interval, bar (its middle along the axis of names, and
    its length) or cell of a small image. `panel` counts from 1; `series` is the name in the legend.

    >>> drawn(plots.figure()[0]).empty
    True
    """
    lines: list[tuple[Any, ...]] = []
    for panel, ax in enumerate([ax for ax in fig.axes if ax.axison or ax.lines or ax.collections], 1):
        if ax.get_label() != "<colorbar>":
            about = panel, ax.get_title(loc="left") or ax.get_title()
            lines += [(*about, *row) for row in _of_panel(ax)]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _of_panel(ax: Axes) -> Iterator[tuple[Any, ...]]:
    """kind, series, x, y, value"""
    of = {id(bar): bars for bars in ax.containers if isinstance(bars, BarContainer) for bar in bars.patches}
    for line in ax.lines:
        x, y = (np.asarray(part) for part in line.get_data(orig=True))
        if line.get_transform().contains_branch(ax.transData) and x.shape == y.shape:  # else across the whole panel
            yield from (("point", _named(line), a, b, np.nan) for a, b in zip(x.flat, y.flat, strict=True))
    for patch in ax.patches:
        if isinstance(patch, Rectangle):
            bars, (wide, high) = of.get(id(patch)), (patch.get_width(), patch.get_height())
            long = wide if bars is not None and bars.orientation == "horizontal" else high
            series = _shown(bars.get_label()) if bars is not None else ""
            yield "bar", series, patch.get_x() + wide / 2, patch.get_y() + high / 2, float(long)
        elif isinstance(patch, Polygon):
            yield from (("outline", _named(patch), *map(float, xy), np.nan) for xy in np.asarray(patch.get_xy()))
    for some in ax.collections:
        if isinstance(some, PathCollection):
            offsets = np.ma.getdata(some.get_offsets())
            yield from (("point", _named(some), float(x), float(y), np.nan) for x, y in offsets)
        elif isinstance(some, (LineCollection, PolyCollection)):
            kind = "interval" if isinstance(some, LineCollection) else "band"
            for path in some.get_paths():
                yield from ((kind, _named(some), float(x), float(y), np.nan) for x, y in np.asarray(path.vertices))
    for image in ax.images:
        cells = np.ma.getdata(image.get_array())
        if cells.ndim == 2 and cells.size <= CELLS:
            yield from (("cell", "", c, r, float(cells[r, c])) for r, c in np.ndindex(*cells.shape))


def _named(artist: Any) -> str:
    return _shown(artist.get_label())


def _shown(label: Any) -> str:
    return "" if str(label).startswith("_") else str(label)
