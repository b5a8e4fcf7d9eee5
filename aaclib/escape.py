"""Text from outside (captions, names of files, reasons) on its way into another language, where it stays text.

One function a language. Whatever a table, a sentence or a file of a run holds went through them; figures draw no
mathematics instead (`plots.style`). HTML has `html.escape`, and NO_MATH on the element around it.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

NO_MATH = 'class="tex2jax_ignore mathjax_ignore"'  # in this element MathJax, old and new, leaves $...$ alone
MARKDOWN = re.compile(r"[&<>`*|~]|\](?=[(\[:])|:(?=//)|(?<![^\W_])_|_(?![^\W_])|^\d*[-+=#.)\[]")
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
LATEX = {
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
    "τ": r"$\tau$",
    "²": "$^2$",
    "±": r"$\pm$",
    "°": r"$^\circ$",
    "×": r"$\times$",
    "†": r"$\dagger$",
    "<": r"$<$",
    ">": r"$>$",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "`": "{}`{}",  # at the begin of a line, [ and * belong to the \\ before it
}


def markdown(text: str) -> str:
    """One line of Markdown that shows `text`: signs that mean something become numbers (&#42;), which mean nothing
    anywhere; those that begin mathematics stand in an element of their own, where MathJax finds no pair."""
    text = " ".join(text.split())
    text = re.sub(MARKDOWN, lambda sign: _numbers(sign[0]), text)
    return re.sub(r"[$\\]", lambda sign: f"<span>{_numbers(sign[0])}</span>", text)


def _numbers(signs: str) -> str:
    return "".join(sign if sign.isdigit() else f"&#{ord(sign)};" for sign in signs)


def latex(text: str) -> str:
    """One line of LaTeX that prints `text`; no two signs become one (--set stays two hyphens)."""
    text = "".join(LATEX.get(character, character) for character in " ".join(text.split()))
    return re.sub(r"([-',])(?=\1)", r"\1{}", text)


def beyond_latex(text: str) -> str:
    """The characters of a LaTeX source that pdfLaTeX does not know, as U+65E5; '' for none."""
    known = "–—‘’“”„…•€™"
    unknown = sorted({c for c in text if ord(c) > 0x17F and c not in known})
    return ", ".join(f"U+{ord(c):04X}" for c in unknown)


def cell(value: Any) -> Any:
    """What a CSV holds for `value`. Spreadsheets run a text that begins with = + - or @ (or with a tab or line break
    before it) as a formula; a quote in front makes it text. `uncell` takes it away again, so such texts get one even
    where they begin with quotes. Numbers stay numbers."""
    return f"'{value}" if isinstance(value, (str, os.PathLike)) and FORMULA.match(str(value)) else value


def uncell(value: Any) -> Any:
    """What stood in the cell before `cell` put a quote in front; the one reader of tables asks it for every cell."""
    return value[1:] if isinstance(value, str) and value[:1] == "'" and FORMULA.match(value) else value


def csv_text(rows: Iterable[Sequence[Any]], floats: str = "%r") -> str:
    """The CSV of these rows, the header among them; floats by this format, NaN and None empty."""

    def shown(value: Any) -> Any:
        if isinstance(value, float):
            return "" if math.isnan(value) else floats % value
        return cell(value)

    lines: list[str] = []
    # a lone carriage return is put into quotes only where it is a part of the end of a line
    sink: Any = SimpleNamespace(write=lines.append)
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerows([*map(shown, row)] for row in rows)
    return "".join(f"{line[:-2]}\n" for line in lines)


def csv_frame(frame: Any, floats: str = "%r") -> str:
    """The CSV of a pandas DataFrame, without its index."""
    return csv_text([frame.columns, *frame.itertuples(index=False, name=None)], floats)
