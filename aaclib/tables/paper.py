r"""What a paper wants of a run: its figures at both widths, its tables, and a document that shows them all.

`aaclib figures` writes them from what is in the store; notebook 06 shows and saves the same ones.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from aaclib import bridge, plots, results
from aaclib.escape import latex
from aaclib.groups import WEAK
from aaclib.tables import build, export, facts, frames
from aaclib.tables.table import Table

if TYPE_CHECKING:
    from aaclib.run import Run

Named = Iterator[tuple[str, Callable[[], Figure]]]  # the names of figures, as files, and what draws each
PREAMBLE = r"""% compile with pdflatex; needs booktabs, graphicx and geometry
\documentclass[10pt,twocolumn]{article}
\usepackage[letterpaper,textwidth=7in,textheight=9in,columnsep=0.4in]{geometry}
\usepackage{booktabs,graphicx}
\setcounter{topnumber}{9}\setcounter{dbltopnumber}{9}\setcounter{totalnumber}{9}
\renewcommand{\topfraction}{1}\renewcommand{\dbltopfraction}{1}\renewcommand{\textfraction}{0}
"""


def metrics(run: Run) -> tuple[str, ...]:
    """The metrics that figures show where none are named: the headline, SPIDEr and METEOR, where they have values."""
    usable = frames.usable_metrics(run, _tidy(run))
    return tuple(dict.fromkeys((*usable[:1], *(name for name in ("spider", "meteor") if name in usable))))


def figures(run: Run, names: Sequence[str] = ()) -> Named:
    """All of them, drawn only when asked for. `names`: the metrics of bars and relative performance.

    >>> {name: draw() for name, draw in paper.figures(run)}
    """
    yield from losses(run)
    names = tuple(names) or metrics(run)
    yield from bars(run, names)
    yield from relative(run, names)
    yield from seeds(run, names[:1])


def bars(run: Run, names: Sequence[str]) -> Named:
    """One figure a metric: all targets across both columns, and each alone at the width of one."""
    for name in names:
        for place, targets in _places(run):
            yield f"{place}06_bars_{name}", functools.partial(_bars, run, targets, name)


def _bars(run: Run, targets: Sequence[str], name: str) -> Figure:
    tidy = facts.labelled(run, _tidy(run))
    return plots.bars(tidy.loc[tidy.target.isin(targets)], (name,))


def relative(run: Run, names: Sequence[str]) -> Named:
    """Relative performance of the rows that learned from text alone, of the targets that have a bound."""
    bound = [target for target in run.targets if not results.why_no_relative(run, target)]
    for place, targets in _places(run, bound):
        yield f"{place}06_relative", functools.partial(_relative, run, targets, tuple(names))


def _relative(run: Run, targets: Sequence[str], names: tuple[str, ...]) -> Figure:
    shares = {target: results.relative(run, target) for target in targets}
    weak = {target: [row.name for row in run.strategies(target) if row.group in WEAK] for target in targets}
    return plots.relative({t: f.loc[f.strategy.isin(weak[t])] for t, f in shares.items() if f is not None}, names)


def seeds(run: Run, names: Sequence[str]) -> Named:
    """The scores of every seed."""
    for name in names:
        for place, targets in _places(run):
            yield f"{place}06_seeds", functools.partial(_seeds, run, targets, name)


def _seeds(run: Run, targets: Sequence[str], name: str) -> Figure:
    return plots.seeds(pd.concat([frames.by_seed(run, target, name) for target in targets]), name)


def losses(run: Run) -> Named:
    """The curves of every training of the first seed."""
    for target in run.targets:
        for width, ending in ((plots.DOUBLE, ""), (plots.SINGLE, "_column")):
            yield f"{target}/04_loss{ending}", functools.partial(_losses, run, target, width)


def _losses(run: Run, target: str, width: float) -> Figure:
    written = {row.training for row in run.strategies(target) if row.written and row.group != "control"}
    of = {name: "baseline" if name == "text" else name for name in bridge.TRAINING if name in written}
    histories = {name: run.decoder(target, row, run.seeds[0]).history for name, row in of.items()}
    return plots.losses(histories, width=width)


def tables(run: Run) -> list[Table]:
    """Every table of the run, those without references last."""
    others = {(target, "greedy"): export.other_systems(run, target) for target in run.targets}
    built = [build.main_table(run, *place, others.get(place, ())) for place in export.decodings(run)]
    return [*built, *filter(None, (build.judged_table(run, target) for target in run.targets))]


def document(title: str, pictures: Sequence[Path], sources: Sequence[Path], numbers: bool) -> str:
    """A LaTeX document of two columns that shows figures (PDF) and tables as a paper would: each at its own size."""
    lines = [PREAMBLE, *(["\\input{tables/numbers.tex}"] if numbers else [])]
    lines += [r"\begin{document}", rf"\title{{{latex(title)}}}\author{{made by aaclib}}\date{{}}\maketitle"]
    for path in sources:
        lines += [rf"\input{{tables/{path.name}}}", r"\clearpage"]
    for path in pictures:
        name = path.parent.name + "/" + path.stem if path.parent.name != "figures" else path.stem
        place = "figure" if _width(path) < plots.DOUBLE - 1 else "figure*"
        shown = rf"\includegraphics{{\detokenize{{figures/{name}.pdf}}}}"
        lines += [rf"\begin{{{place}}}\centering", shown, rf"\caption{{{latex(name)}}}", rf"\end{{{place}}}"]
    return "\n".join([*lines, r"\clearpage\end{document}", ""])


def _width(pdf: Path) -> float:
    """Of a page of ours, in inches."""
    box = re.search(rb"/MediaBox \[ ?[\d.]+ [\d.]+ ([\d.]+)", pdf.read_bytes())
    return float(box[1]) / 72 if box else plots.DOUBLE


def _tidy(run: Run) -> pd.DataFrame:
    return pd.concat([results.results(run, target) for target in run.targets])


def _places(run: Run, targets: Sequence[str] | None = None) -> list[tuple[str, list[str]]]:
    """Where the figures of which targets lie: "" for all together, and "<target>/" for each of several."""
    here = list(run.targets if targets is None else targets)
    alone = [(f"{target}/", [target]) for target in here] if len(here) > 1 else []
    return [("", here), *alone] if here else []
