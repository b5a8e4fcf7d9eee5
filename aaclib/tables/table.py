"""One table: grouped rows, columns of metrics, notes. Shown as HTML in a notebook and written as booktabs LaTeX."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field

from aaclib.plots.results import METRIC_LABELS

GROUP_TITLES = {
    "supervised": "Fully supervised (same decoder, paired audio)",
    "baseline": "Baseline (plain swap)",
    "training": "Training strategies",
    "inference": "Inference strategies",
    "both": "Training and inference strategies",
    "control": "Controls",
    "external": "Other systems, scored by us",
    "published": "Published by others",
}
WEAK = ("baseline", "training", "inference", "both")  # the groups in which best and second are sought
RELATIVE = "relative"


@dataclass(frozen=True)
class Cell:
    """A number as it is shown (x100) with its interval; `value` None where it is missing."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    rank: int = 0  # 1 best, 2 second among the weakly-supervised rows
    tied: bool = False  # its difference from the best is not significant

    @property
    def text(self) -> str:
        return "-" if self.value is None or math.isnan(self.value) else f"{self.value:.1f}"

    @property
    def interval(self) -> str:
        return (
            ""
            if self.low is None or self.high is None or math.isnan(self.low)
            else f"[{self.low:.1f}, {self.high:.1f}]"
        )


@dataclass(frozen=True)
class Row:
    name: str
    group: str
    cells: dict[str, Cell]
    n: int | None = None
    source: str = ""


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
    label: str = field(default="tab:results")

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def heading(self, column: str) -> str:
        return (
            f"rel. {METRIC_LABELS.get(self.headline, self.headline)}"
            if column == RELATIVE
            else METRIC_LABELS.get(column, column)
        )

    def grouped(self) -> list[tuple[str, list[Row]]]:
        return [(g, rows) for g in GROUP_TITLES if (rows := [r for r in self.rows if r.group == g])]

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:right">{html.escape(self.heading(c))}</th>' for c in self.columns)
        body = []
        for group, rows in self.grouped():
            body.append(
                f'<tr><td colspan="{len(self.columns) + 1}" style="text-align:left;font-style:italic;'
                f'border-top:1px solid #999">{html.escape(GROUP_TITLES[group])}</td></tr>'
            )
            body += [
                f'<tr><td style="text-align:left">{html.escape(row.name)}</td>'
                + "".join(_html(row.cells.get(c, Cell())) for c in self.columns)
                + "</tr>"
                for row in rows
            ]
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        mark = '<p style="color:#888"><em>synthetic world</em></p>' if self.synthetic else ""
        return (
            f"<p><strong>{html.escape(self.title)}</strong></p><table><thead><tr>"
            f'<th style="text-align:left">strategy</th>'
            f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table><ul style='font-size:smaller'>{notes}</ul>{mark}"
        )

    def _repr_markdown_(self) -> str:
        """For readers of the executed notebook outside Jupyter, and for Markdown files."""
        lines = [
            "| strategy | " + " | ".join(map(self.heading, self.columns)) + " |",
            "|---|" + "---:|" * len(self.columns),
        ]
        for group, rows in self.grouped():
            lines.append(f"| *{GROUP_TITLES[group]}* |" + " |" * len(self.columns))
            lines += [
                f"| {row.name} | " + " | ".join(_markdown(row.cells.get(c, Cell())) for c in self.columns) + " |"
                for row in rows
            ]
        mark = ["", "*synthetic world*"] if self.synthetic else []
        return "\n".join([f"**{self.title}**", "", *lines, "", *(f"- {note}" for note in self.notes), *mark, ""])

    def latex(self, intervals: bool = False) -> str:
        r"""A `table*` for a paper (\usepackage{booktabs}). Best in bold, second underlined, both among the
        weakly-supervised rows; a circle marks a difference from the best that is not significant. With `intervals`
        the interval stands under each number."""
        columns = "l" + "r" * len(self.columns)
        lines = [
            r"% needs \usepackage{booktabs}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape(self.caption())}}}",
            rf"\label{{{self.label}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(["Strategy", *(escape(self.heading(c)) for c in self.columns)]) + r" \\",
        ]
        for group, rows in self.grouped():
            lines += [
                r"\midrule",
                rf"\multicolumn{{{len(self.columns) + 1}}}{{l}}{{\emph{{{escape(GROUP_TITLES[group])}}}}} \\",
            ]
            for row in rows:
                cells = [row.cells.get(c, Cell()) for c in self.columns]
                lines.append(" & ".join([escape(row.name), *map(_latex, cells)]) + r" \\")
                if intervals and any(cell.interval for cell in cells):
                    lines.append(
                        " & ".join(
                            ["", *(rf"{{\scriptsize {cell.interval}}}" if cell.interval else "" for cell in cells)]
                        )
                        + r" \\"
                    )
        lines += [
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip\footnotesize",
            *(escape(note) + r"\\" for note in self.notes[:-1]),
            *(escape(note) for note in self.notes[-1:]),
            r"\end{table*}",
        ]
        return "\n".join(lines) + "\n"

    def caption(self) -> str:
        return self.title + (" Synthetic world: rendered sound scenes, no real recordings." if self.synthetic else "")


def escape(text: str) -> str:
    """Plain text for LaTeX."""
    special = {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "σ": r"$\sigma$",
        "²": "$^2$",
        "±": r"$\pm$",
        "°": r"$^\circ$",
        "×": r"$\times$",
        "τ": r"$\tau$",
        "<": r"$<$",
        ">": r"$>$",
    }
    return "".join(special.get(character, character) for character in text)


def _html(cell: Cell) -> str:
    text = {1: f"<strong>{cell.text}</strong>", 2: f"<u>{cell.text}</u>"}.get(cell.rank, cell.text) + (
        "°" if cell.tied else ""
    )
    interval = f'<br><span style="font-size:75%;color:#888">{cell.interval}</span>' if cell.interval else ""
    return f'<td style="text-align:right">{text}{interval}</td>'


def _markdown(cell: Cell) -> str:
    text = {1: f"**{cell.text}**", 2: f"_{cell.text}_"}.get(cell.rank, cell.text)
    return text + ("°" if cell.tied else "")


def _latex(cell: Cell) -> str:
    if cell.text == "-":
        return "--"
    text = {1: rf"\textbf{{{cell.text}}}", 2: rf"\underline{{{cell.text}}}"}.get(cell.rank, cell.text)
    return text + (r"$^{\circ}$" if cell.tied else "")
