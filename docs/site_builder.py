"""Builds the documentation as a site: `python docs/site_builder.py` writes docs/_site/index.html.

A page is a Markdown file of this repository: the README and all that it leads to, link by link. Other files that a page
links to come along, and notebooks as pages without outputs. `reference/` holds every public function, made by pdoc from
the docstrings (left out, with a line that says so, where pdoc is not installed). The exit code is 1 where a link leads
nowhere.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote

from nbconvert.filters import markdown2html

from aaclib.store import write_text
from aaclib.suite import report_pages

ROOT = Path(__file__).resolve().parents[1]
HOME = "README.md"
REFERENCE = "reference"
PAGES = {".md": ".html", ".ipynb": ".html"}  # what becomes a page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "_site", help="where to; default: docs/_site")
    parser.add_argument("--no-reference", action="store_true", help="leave the reference of functions out")
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    lost = build(ROOT, args.out)
    if args.no_reference or importlib.util.find_spec("pdoc") is None:
        print("no reference: pdoc is not installed (fix: pip install -c constraints.txt -e '.[docs]')")
    else:
        reference(args.out / REFERENCE)
    for line in [*lost, *broken(args.out)]:
        print(line, file=sys.stderr)
    print(f"{len(list(args.out.rglob('*.html')))} pages: {args.out / 'index.html'}")
    return 1 if lost or broken(args.out) else 0


def build(root: Path, out: Path, home: str = HOME) -> list[str]:
    """Writes the pages from `home` on, and returns the links that lead to nothing in the repository, a line each."""
    todo, done, lost = [root / home], set(), []
    while todo:
        path = todo.pop()
        if path in done:
            continue
        done.add(path)
        here = out / _place(path.relative_to(root))
        here.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            listed = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            body = f"# {path.name}\n\n" + "\n".join(f"- [{p.name}]({quote(p.name)})" for p in listed)
        elif path.suffix == ".md":
            body = path.read_text(encoding="utf-8")
        elif path.suffix == ".ipynb":
            body = _cells(path)
        else:
            shutil.copyfile(path, here)
            continue
        for link in links(markdown2html(body)):
            target = (path if path.is_dir() else path.parent) / unquote(link.partition("#")[0])
            if not target.exists():
                lost.append(f"{path.relative_to(root)}: {link} leads to nothing")
            elif root in target.resolve().parents:
                todo.append(target.resolve())
        page = _page(path, body, root)
        write_text(here, page)
    if (gallery := root / "docs" / "gallery").is_dir():  # a run to look at, whose pages are pages already
        shutil.copytree(gallery, out / "docs" / "gallery", dirs_exist_ok=True)
    write_text(out / "page.css", Path(report_pages.__file__).with_name("report.css").read_text(encoding="utf-8"))
    return lost


def _place(path: Path) -> Path:
    """Where a file of the repository lies in the site."""
    if path.as_posix() == HOME:
        return Path("index.html")
    if path.suffix in PAGES:
        return path.with_suffix(PAGES[path.suffix])
    return path if path.suffix else path / "index.html"


def _page(path: Path, body: str, root: Path) -> str:
    """A page with its links as they are in the site."""
    found = re.search(r"^# (.+)$", body, re.MULTILINE)
    title = re.sub(r"[`*]", "", found[1]) if found else path.name

    def moved(link: re.Match[str]) -> str:
        name, mark, place = link[2].partition("#")
        if "://" in name or not name or name.startswith("mailto:"):
            return link[0]
        target = ((path if path.is_dir() else path.parent) / unquote(name)).resolve()
        if not target.is_relative_to(root) or not target.exists():
            return link[0]
        start = path if path.is_dir() else path.parent
        return f'{link[1]}="{quote(_relative(root / _place(target.relative_to(root)), start))}{mark}{place}"'

    html = re.sub(r'(href|src)="([^"]*)"', moved, markdown2html(body))
    html = re.sub(r'(?<=<h)(\d) id="([^"]*)"', lambda heading: f'{heading[1]} id="{heading[2].lower()}"', html)
    start = path if path.is_dir() else path.parent
    up = "../" * len(start.relative_to(root).parts)
    places = {"Documentation": "docs/index.html", "Reference": f"{REFERENCE}/aaclib.html"}
    bar = " · ".join(f'<a href="{up}{address}">{name}</a>' for name, address in places.items())
    return report_pages.framed(title, f"<p>{bar}</p>\n{html}", up, math=path.suffix == ".ipynb")


def _relative(target: Path, start: Path) -> str:
    common = next(p for p in (start, *start.parents) if target.is_relative_to(p))
    return "../" * len(start.relative_to(common).parts) + target.relative_to(common).as_posix()


def _cells(path: Path) -> str:
    """A notebook without outputs as Markdown."""
    import nbformat

    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(c.source if c.cell_type == "markdown" else f"```python\n{c.source}\n```" for c in cells)


def reference(out: Path) -> None:
    """Every module of aaclib, by pdoc."""
    import pdoc
    import pdoc.render

    import aaclib

    for name in aaclib._CLASSES:  # which are there once they are asked for; pdoc only looks
        setattr(aaclib, name, getattr(aaclib, name))
    pdoc.render.configure(docformat="markdown", show_source=False)
    pdoc.pdoc("aaclib", output_directory=out)


class _Links(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self.marks: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and not re.match("#|mailto:|data:|[a-z]+://", value):
                self.found.append(value)
            if name == "id" and value:
                self.marks.add(value)


def links(html: str) -> list[str]:
    """The links of a page to other files."""
    return _Links(html).found


def broken(site: Path) -> list[str]:
    """The links of a site that lead to no file of it, or to no place in one, a line each; pdoc's own pages aside."""

    def look() -> Iterator[str]:
        pages = [page for page in sorted(site.rglob("*.html")) if REFERENCE not in page.relative_to(site).parts]
        marks = {page: _Links(page.read_text(encoding="utf-8")).marks for page in pages}
        for page in pages:
            for link in links(page.read_text(encoding="utf-8")):
                name, _, place = link.partition("#")
                target = (page.parent / unquote(name)).resolve()
                if REFERENCE in Path(name).parts and not (site / REFERENCE).is_dir():
                    continue  # left out
                if not target.is_file() or place and target in marks and unquote(place) not in marks[target]:
                    yield f"{page.relative_to(site)}: {link}"

    return list(look())


if __name__ == "__main__":
    sys.exit(main())
