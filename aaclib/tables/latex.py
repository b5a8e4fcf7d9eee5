r"""A table as LaTeX that fits where it stands: one column of a page or both, in the largest type that has room.

Needed is \usepackage{booktabs} alone. Widths are those of Computer Modern at 10 pt, on a page of two columns of 3.3 in,
7 in wide together; where that is not enough for all columns of a table, `Layout.columns` says which ones stay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aaclib.escape import beyond_latex, latex
from aaclib.groups import GROUPS

if TYPE_CHECKING:
    from aaclib.tables.table import Cell, Table

POINTS = 72.27  # of TeX, an inch
COLUMN, TEXT = 3.3 * POINTS, 7.0 * POINTS
# type, its em, type of intervals and its em, space at each side of a column (points): the first that has room is taken.
# Small sizes of Computer Modern are cut wider, so that an em here is larger than the size: 7.7 for 7 pt, 6.6 for 5 pt.
TYPES = (
    (r"\small", 9.2, r"\scriptsize", 7.7, 5),
    (r"\footnotesize", 8.4, r"\scriptsize", 7.7, 4),
    (r"\footnotesize", 8.4, r"\scriptsize", 7.7, 2.5),
    (r"\scriptsize", 7.7, r"\tiny", 6.6, 2),
)
# columns in the order in which they leave a table that is too narrow; all that is not named here leaves before
KEPT = ("bleu_1", "bleu_4", "rouge_l", "meteor", "above chance", "spice", "relative", "spider")
EM = {
    **dict.fromkeys("ijl.,:;'|!()[]", 0.31),
    **dict.fromkeys("mwMW%+", 0.83),
    " ": 0.34,
    "-": 0.34,
    "°": 0.3,
    "†": 0.3,
}
SIGNS = str.maketrans({"°": r"$^{\circ}$", "†": r"$^{\dagger}$"})


@dataclass(frozen=True)
class Layout:
    """How a table is set: its columns, its type and that of its intervals, the space at each side of a column (pt)."""

    columns: tuple[str, ...]
    size: str
    small: str
    space: float


def render(table: Table, intervals: bool = False, notes: bool = True, column: bool = False) -> str:
    """The LaTeX of a table; `Table.latex` in full."""
    layout = fitting(table, COLUMN if column else TEXT, intervals)
    place = "table" if column else "table*"
    lines = [
        rf"\begin{{{place}}}",
        r"\centering",
        rf"\caption{{{latex(table.caption())}}}",
        rf"\label{{{table.label}{'-intervals' if intervals else ''}{'-column' if column else ''}}}",
        rf"{layout.size}\setlength{{\tabcolsep}}{{{layout.space}pt}}",
        rf"\begin{{tabular}}{{l{'r' * len(layout.columns)}}}",
        r"\toprule",
        _line("Strategy", *(_stacked(latex(table.heading(name))) for name in layout.columns)),
    ]
    for group, rows in table.grouped():
        title = rf"\emph{{{latex(GROUPS[group].title)}}}"
        lines += [r"\midrule", _line(rf"\multicolumn{{{len(layout.columns) + 1}}}{{l}}{{{title}}}")]
        for row in rows:
            cells = table.cells(row, layout.columns)
            lines.append(_line(latex(row.shown), *map(_number, cells)))
            if intervals and any(cell.interval for cell in cells):
                lines.append(_line("", *(rf"{{{layout.small} {c.interval}}}" if c.interval else "" for c in cells)))
    lines += [r"\bottomrule", r"\end{tabular}"]
    if notes and table.notes:
        told = "\\par\n".join(map(latex, table.notes))
        lines += [r"\par\smallskip", rf"\begin{{minipage}}{{\linewidth}}\scriptsize {told}", r"\end{minipage}"]
    body, needs = "\n".join([*lines, rf"\end{{{place}}}"]) + "\n", r"% needs \usepackage{booktabs}"
    if signs := beyond_latex(body):
        needs += f", and LuaLaTeX or XeLaTeX with a font that has {signs}"
    return f"{needs}\n{body}"


def fitting(table: Table, room: float, intervals: bool = False) -> Layout:
    """The layout of a table on `room` points: all columns in the largest type that has room for them; where none has,
    the smallest one, without the columns that tell least beside the headline (`KEPT`).

    >>> fitting(table, COLUMN).columns
    ('meteor', 'cider_d', 'spice', 'spider', 'relative')
    """
    columns = table.columns
    while True:
        for size, points, small, smaller, space in TYPES:
            if _width(table, columns, points, smaller if intervals else 0) + 2 * space * (len(columns) + 1) <= room:
                return Layout(columns, size, small, space)
        if len(columns) < 2:
            size, _, small, _, space = TYPES[-1]
            return Layout(columns, size, small, space)
        last = min((c for c in columns if c != table.headline), key=lambda c: KEPT.index(c) if c in KEPT else -1)
        columns = tuple(column for column in columns if column != last)


def _width(table: Table, columns: Sequence[str], points: float, of_intervals: float) -> float:
    """Of a table's text in points, without the space between columns."""
    first = max((_em(row.shown) for row in table.rows), default=0) * points
    total = max(first, _em("Strategy") * points)
    for column in columns:
        cells = [row.cells[column] for row in table.rows if column in row.cells]
        wide = [_em(word) * points for word in table.heading(column).split()]
        wide += [_em(cell.text + cell.mark) * points * (1.15 if cell.rank == 1 else 1) for cell in cells]  # bold
        total += max([*wide, *(_em(cell.interval) * of_intervals for cell in cells)])
    return total


def _em(text: str) -> float:
    return math.fsum(EM.get(sign, 0.72 if sign.isupper() else 0.52) for sign in text)


def _stacked(heading: str) -> str:
    words = heading.replace(" ", r"\\")
    return rf"\shortstack[r]{{{words}}}" if " " in heading else heading


def _line(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _number(cell: Cell) -> str:
    return "--" if cell.text == "-" else cell.marked(r"\textbf{%s}", r"\underline{%s}").translate(SIGNS)
