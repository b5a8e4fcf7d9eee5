"""What a page of a report looks like. Everything from outside (names, captions, reasons) is escaped on its way in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aaclib.escape import NO_MATH
from aaclib.progress import duration

STORY = """A frozen CLAP model puts sounds and sentences into one space. A small decoder learns, <em>from text
only</em>, to turn a sentence's embedding back into the sentence; given a sound's embedding instead, it captions the
sound. Between the two lies the modality gap, and the question is how best to cross it: by what the decoder is trained
on, by what it is given, or both. This is what one run of the suite found, after
<a href="https://arxiv.org/abs/2309.12242">Weakly-supervised Automated Audio Captioning via text only training</a>."""
SYNTHETIC = """<p class="mark"><strong>Synthetic world.</strong> The sounds were rendered by a program and described by
a grammar; no number here says how well real recordings are described.</p>"""
# formulas are set by MathJax where there is a network; without one they stay as they are written
MATH = """<script>MathJax = {tex: {inlineMath: [["$", "$"]]},
options: {ignoreHtmlClass: "mathjax_ignore|tex2jax_ignore|output_wrapper"}};</script>
<script defer src="https://cdnjs.cloudflare.com/ajax/libs/mathjax/3.2.2/es5/tex-chtml.min.js"></script>"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="{up}page.css">
{math}
</head>
<body>
<nav><a href="{up}index.html">Report</a></nav>
<main>
{body}
</main>
</body>
</html>
"""


def framed(title: str, body: str, up: str = "", math: bool = False) -> str:
    """A whole page. `up` leads from it to the report's folder."""
    return PAGE.format(title=escape(title), up=up, math=MATH if math else "", body=body)


def title(book: Any) -> str:
    """The first heading of a notebook."""
    texts = (cell.source for cell in book.cells if cell.cell_type == "markdown")
    return next((found[1].strip() for text in texts if (found := re.search(r"^# (.+)$", text, re.MULTILINE))), "")


def linked(body: str, place: str, places: Iterable[str]) -> str:
    """A page's links between notebooks as links between pages; one to a file that the report lacks is text."""
    here, there = place.rpartition("/")[0], set(places)

    def link(found: re.Match[str]) -> str:
        address, name = found[1], Path(found[1].partition("#")[0]).stem
        if "://" in address or address[:1] == "#":
            return found[0]
        if ".ipynb" in address and "solutions" not in address:
            for target in filter(there.__contains__, (f"{here}/{name}" if here else name, name)):
                up = "../" if here and "/" not in target else ""
                return f'href="{up}{quote(target.rpartition("/")[2])}.html"'
        return f'title="{address}, in the project"'

    return re.sub(r'href="([^"]*)"', link, body)


def index(
    run: Path,
    record: Mapping[str, Any],
    folder: Path,
    books: Mapping[str, str],
    pictures: Mapping[str, str],
    shown: Mapping[str, str],
    synthetic: bool,
) -> str:
    """The first page. `books`: place -> title; `pictures`: name of a figure -> its path; `shown`: path -> HTML
    attributes of the picture."""
    name = record["run"]
    machine = record["machine"]
    about = f"profile {record['profile']}; seeds {', '.join(map(str, record['seeds']))}; {machine['cores']} cores; "
    about += f"{duration(record['seconds'])} in all"
    tables = sorted((run / "tables").glob("*-*.md"))
    parts = [
        f"<h1>Captions from text alone: {escape(name)}</h1>",
        SYNTHETIC if synthetic else "",
        f"<p>{STORY}</p><p class='about'>{escape(about)}</p>",
        _section("What was found", _markdown(run / "tables" / "findings.md")),
        _section("Tables", "".join(f"<div class='table'>{_markdown(path)}</div>" for path in tables)),
        _section(
            "Figures", "".join(_figure(n, p, folder, shown.get(p, f'alt="{escape(n)}"')) for n, p in pictures.items())
        ),
        _section("Notebooks", _list((f"notebooks/{p}.html", f"{t} ({p})") for p, t in books.items())),
        _section("Numbers", _list((p, p.removeprefix("files/")) for p in _numbers(folder))),
    ]
    return framed(f"{name}: captions from text alone", "\n".join(filter(None, parts)))


def _section(heading: str, body: str) -> str:
    return f"<section><h2>{heading}</h2>{body}</section>" if body else ""


def _markdown(path: Path) -> str:
    """A Markdown file of a run, whose text from outside was escaped when it was written."""
    if not path.is_file():
        return ""
    from nbconvert.filters import markdown2html

    return f"<div {NO_MATH}>{markdown2html(path.read_text(encoding='utf-8'))}</div>"


def _figure(name: str, picture: str, folder: Path, shown: str) -> str:
    csv = f"files/figures/{name}.csv"
    numbers = f' · <a href="{quote(csv)}">numbers</a>' if (folder / csv).is_file() else ""
    image = f'<a href="{picture}"><img src="{picture}" {shown} loading="lazy"></a>'
    return f"<figure>{image}<figcaption>{escape(name)}{numbers}</figcaption></figure>"


def _list(links: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f'<li><a href="{quote(address)}">{escape(text)}</a></li>' for address, text in links)
    return f"<ul>{lines}</ul>" if lines else ""


def _numbers(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted((folder / "files").rglob("*.csv"))]
