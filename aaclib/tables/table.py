"""One table: grouped rows, columns of metrics, notes. Shown as HTML in a notebook and written as booktabs LaTeX."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from aaclib.escape import NO_MATH, markdown
from aaclib.groups import GROUPS
from aaclib.plots.results import METRIC_LABELS
from aaclib.tables.latex import render

RELATIVE, ABOVE = "relative", "above chance"  # columns that are shares of the bound's headline score
# what a sign behind a number says of its difference from the best
MARKS = {
    "°": "not significant in these trainings (paired permutation test over clips, Holm, level 0.05)",
    "†": "significant over clips in these trainings, not over seeds (paired t-test, Holm): not established of the "
    "methods",
}


@dataclass(frozen=True)
class Cell:
    """A number as it is shown (x100) with its interval; `value` None where it is missing."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    rank: int = 0  # 1 best, 2 second among the weakly-supervised rows
    mark: str = ""  # what its difference from the best is not: one of MARKS

    @property
    def text(self) -> str:
        return "-" if self.value is None or math.isnan(self.value) else f"{self.value:.1f}"

    @property
    def interval(self) -> str:
        missing = self.low is None or self.high is None or math.isnan(self.low)
        return "" if missing else f"[{self.low:.1f}, {self.high:.1f}]"

    def marked(self, best: str, second: str) -> str:
        """The text inside `best` or `second`, templates with one %s, by rank; its mark behind it."""
        return {1: best, 2: second}.get(self.rank, "%s") % self.text + self.mark


@dataclass(frozen=True)
class Row:
    name: str
    group: str
    cells: dict[str, Cell]
    n: int | None = None
    source: str = ""
    label: str = ""  # what it is called where the name would mislead

    @property
    def shown(self) -> str:
        return self.label or self.name


@dataclass(frozen=True)
class Table:
    """`columns`: keys of the cells, metric names or 'relative'. `notes`: footnotes, whole sentences. `synthetic` puts
    the mark of a synthetic world under the table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    headline: str = "cider_d"
    synthetic: bool = False
    label: str = "tab:results"

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def cells(self, row: Row, columns: Sequence[str] = ()) -> list[Cell]:
        """One per column, of all or of these."""
        return [row.cells.get(column, Cell()) for column in columns or self.columns]

    def heading(self, column: str) -> str:
        if column == ABOVE:
            return ABOVE
        metric = self.headline if column == RELATIVE else column
        return ("rel. " if column == RELATIVE else "") + METRIC_LABELS.get(metric, metric)

    def grouped(self) -> list[tuple[str, list[Row]]]:
        return [(g, rows) for g in GROUPS if (rows := [r for r in self.rows if r.group == g])]

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:right">{html.escape(self.heading(c))}</th>' for c in self.columns)
        body = []
        for group, rows in self.grouped():
            body.append(
                f'<tr><td colspan="{len(self.columns) + 1}" style="text-align:left;font-style:italic;'
                f'border-top:1px solid #999">{html.escape(GROUPS[group].title)}</td></tr>'
            )
            for row in rows:
                cells = "".join(map(_html, self.cells(row)))
                body.append(f'<tr><td style="text-align:left">{html.escape(row.shown)}</td>{cells}</tr>')
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        mark = '<p style="color:#888"><em>synthetic world</em></p>' if self.synthetic else ""
        return (
            f"<div {NO_MATH}><p><strong>{html.escape(self.title)}</strong></p>"
            f'<table><thead><tr><th style="text-align:left">strategy</th>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table><ul style='font-size:smaller'>{notes}</ul>{mark}</div>"
        )

    def _repr_markdown_(self) -> str:
        """For readers of the executed notebook outside Jupyter, and for Markdown files."""
        lines = [
            f"**{markdown(self.title)}**",
            "",
            f"| strategy | {' | '.join(markdown(self.heading(column)) for column in self.columns)} |",
            "|---|" + "---:|" * len(self.columns),
        ]
        for group, rows in self.grouped():
            lines.append(f"| *{GROUPS[group].title}* |" + " |" * len(self.columns))
            for row in rows:
                cells = " | ".join(cell.marked("**%s**", "<u>%s</u>") for cell in self.cells(row))
                lines.append(f"| {markdown(row.shown)} | {cells} |")
        lines += [
            "",
            *(f"- {markdown(note)}" for note in self.notes),
            *(["", "*synthetic world*"] if self.synthetic else []),
            "",
        ]
        return "\n".join(lines)

    def latex(self, intervals: bool = False, notes: bool = True, column: bool = False) -> str:
        r"""A `table*` for a paper of two columns, or with `column` a `table` as wide as one of them, which has room for
        fewer columns (\usepackage{booktabs}; aaclib.tables.latex). Best in bold, second underlined, both among the
        weakly-supervised rows; MARKS say what a difference from the best is not. With `intervals` the interval stands
        under each number; without `notes` the table ends at its last row."""
        return render(self, intervals, notes, column)

    def caption(self) -> str:
        mark = " Synthetic world: learned from rendered sound scenes, not from real recordings."
        return self.title + (mark if self.synthetic else "")


def _html(cell: Cell) -> str:
    interval = f'<br><span style="font-size:75%;color:#888">{cell.interval}</span>' if cell.interval else ""
    return f'<td style="text-align:right">{cell.marked("<strong>%s</strong>", "<u>%s</u>")}{interval}</td>'
