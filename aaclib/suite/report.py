"""The report of a run: its executed notebooks, tables and figures as web pages that need no server and no network.

report/index.html          the story, what was found, tables, figures, links to everything
report/notebooks/...       a page a notebook, code and all
report/pictures, sounds    each picture and recording once, by the digest of its content; players load them when asked
report/files               the numbers of tables and figures, as CSV

What a page looks like is in report_pages and report.css; report_outputs takes pictures and sounds out of notebooks.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aaclib.errors import message
from aaclib.store import read_record, write_text
from aaclib.suite import report_pages as pages
from aaclib.suite.record import RunError
from aaclib.suite.report_outputs import Files, html_of


def build(run: Path, out: Path | None = None, without: Sequence[str] = ()) -> Path:
    """Writes the report of the run in the folder `run` to `out` (its own report/), whole or not at all, and returns the
    path of its index. `without`: notebooks that are left out, as "00_preflight" or "clotho/01_data". Raises RunError
    where there is no run, and store.Damaged where its record was changed.

    >>> build(Path("data/runs/quick"))
    """
    if not (run / "run.json").is_file():
        raise RunError(f"There is no run in {run}. Fix: make one first, without --report.")
    record, out = read_record(run / "run.json"), out or run / "report"
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".report.") as scratch:
        folder = Path(scratch) / "report"
        _write(run, record, folder, without)
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    return out / "index.html"


def renew(run: Path) -> None:
    """The same at the end of a run, which it never makes fail: a line says where it is, or why there is none."""
    started = time.time()
    try:
        print(f"  {'report':<10} {build(run)}   ({time.time() - started:.0f} s)", flush=True)
    except Exception as error:  # whatever it is, the results are there and right
        again = f"aaclib run --report --profile {run.name}"
        print(f"The report was not made: {message(error)}. All else is done. Try again: {again}", file=sys.stderr)


def _write(run: Path, record: dict, folder: Path, without: Sequence[str]) -> None:
    import nbformat

    from aaclib.run import Run  # which takes seconds to import

    files = Files(folder)
    books = {}  # place -> title, in the order of the stages
    made = [Path(name) for stage in record["stages"].values() for name in stage["files"]]
    places = [p.relative_to("notebooks").with_suffix("").as_posix() for p in made if p.suffix == ".ipynb"]
    places = [place for place in places if place not in without]
    for place in places:
        path = run / "notebooks" / f"{place}.ipynb"
        if path.is_file():
            book = nbformat.read(path, as_version=4)
            up = "../" * (1 + place.count("/"))
            body = pages.linked(html_of(book, files, up), place, places)
            books[place] = pages.title(book) or place
            frame = pages.framed(f"{books[place]}, {record['run']}", body, up, math=True)
            write_text(folder / "notebooks" / f"{place}.html", frame)
    for csv in [*sorted((run / "tables").glob("*.csv")), *sorted((run / "figures").rglob("*.csv"))]:
        target = folder / "files" / csv.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(csv, target)
    pictures = {path.relative_to(run / "figures").with_suffix("").as_posix(): path for path in _figures(run)}
    shown = {name: files.add(path.read_bytes(), "pictures", ".png") for name, path in pictures.items()}
    write_text(
        folder / "index.html", pages.index(run, record, folder, books, shown, files.shown, Run.of_run(run).synthetic)
    )
    write_text(folder / "page.css", Path(__file__).with_suffix(".css").read_text(encoding="utf-8"))


def _figures(run: Path) -> list[Path]:
    """Those of the whole run first; without what a target has in another width alone."""
    every = sorted((run / "figures").rglob("*.png"), key=lambda path: (len(path.relative_to(run).parts), path))
    whole = {path.name for path in every if path.parent == run / "figures"}
    return [p for p in every if p.parent == run / "figures" or p.name not in whole and "_column" not in p.stem]
