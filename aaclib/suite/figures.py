"""`aaclib figures RUN`: a paper's figures and tables from what a finished run left in the store.

Nothing is trained, written by a decoder or fetched: what that would need is left out, and said.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from aaclib.errors import for_the_user, message
from aaclib.store import StoreError, write_text

KINDS = (".pdf", ".png", ".csv", ".tex")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", default="quick", help="a finished run; default: quick")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to; default: data/runs/RUN/paper")
    parser.add_argument(
        "--metrics", default="", metavar="NAMES", help="of bars, e.g. cider_d,spider; default: the main"
    )
    parser.add_argument("--no-notes", action="store_true", help="tables without the notes below them")


def run(args: argparse.Namespace) -> int:
    started, run = time.time(), opened(args.run)
    folder = args.out or run.run_dir / "paper"
    names = tuple(filter(None, args.metrics.split(",")))
    written, lacking = write(run, folder, names, notes=not args.no_notes)
    for line in lacking:
        print(f"aaclib: {line}", file=sys.stderr)
    kinds = ", ".join(f"{sum(path.suffix == kind for path in written)} {kind[1:]}" for kind in KINDS)
    print(f"{folder}: {kinds}; pdflatex paper.tex shows them all ({time.time() - started:.0f} s)")
    return 1 if lacking else 0


def opened(name: str) -> Any:
    """A finished run that makes nothing: what is not in the store raises StoreError. Raises ConfigError where there is
    no such run."""
    from aaclib import records
    from aaclib.finished import Finished
    from aaclib.run import Run

    settings = records.settings(name)
    run = Run(replace(settings, data=replace(settings.data, download=False)), Finished(name))

    def refuse(kind: str) -> None:
        raise StoreError(
            f"what it needs is not in the store (of the kind '{kind}'). Fix: make it with ./run_all.sh --profile "
            f"{settings.name}, which computes only what is gone"
        )

    run.store.making = refuse
    return run


def write(run: Any, folder: Path, metrics: tuple[str, ...] = (), notes: bool = True) -> tuple[list[Path], list[str]]:
    """Writes figures/ (PDF, PNG and the numbers as CSV), tables/ (LaTeX) and paper.tex, and returns the files and, a
    line each, what is lacking and why."""
    from aaclib import plots
    from aaclib.tables import export, paper

    written: list[Path] = []
    lacking: list[str] = []

    def attempt(name: str, make: Callable[[], Iterator[Path]]) -> None:
        try:
            written.extend(make())
        except Exception as error:
            if not for_the_user(error):
                raise
            lacking.append(f"{name} is left out: {message(error)}")

    def picture(name: str, draw: Callable[[], Any]) -> Iterator[Path]:
        plots.save(draw(), folder / "figures" / name, synthetic=run.synthetic)
        yield from (file for kind in KINDS[:3] if (file := folder / "figures" / f"{name}{kind}").is_file())

    def text(name: str, content: str) -> Path:
        write_text(folder / name, content)
        return folder / name

    def table_files() -> Iterator[Path]:
        for table in paper.tables(run):
            name = f"tables/{table.label.removeprefix('tab:')}"
            yield text(f"{name}.tex", table.latex(notes=notes))
            yield text(f"{name}_intervals.tex", table.latex(intervals=True, notes=notes))
            yield text(f"{name}_column.tex", table.latex(notes=False, column=True))

    def numbers() -> Iterator[Path]:
        yield text("tables/numbers.tex", export.macros_of(export.whole(run)))

    def pictures() -> Iterator[Path]:
        for name, draw in paper.figures(run, metrics):
            attempt(f"figures/{name}", lambda name=name, draw=draw: picture(name, draw))
        yield from ()

    attempt("figures", pictures)
    attempt("tables", table_files)
    attempt("numbers.tex", numbers)
    shown = [path for path in written if path.suffix == ".pdf"]
    sources = [path for path in written if path.suffix == ".tex" and path.name != "numbers.tex"]
    title = f"Figures and tables of the run {run.config.name}"
    written.append(text("paper.tex", paper.document(title, shown, sources, (folder / "tables/numbers.tex").is_file())))
    return written, lacking
