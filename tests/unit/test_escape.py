"""Text from outside stays text: in HTML, Markdown, LaTeX, CSV and figures."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import escape, play, plots, tables
from aaclib.datasets.files import read_table
from aaclib.metrics import command
from aaclib.metrics.io import read_predictions
from aaclib.plots import hands
from aaclib.suite import cli
from aaclib.suite.doctor.plan import Plan
from aaclib.suite.doctor.results import Check, Checks
from aaclib.tables.findings import Findings
from aaclib.tables.table import Cell, Row, Table

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = [
    "<script>alert(1)</script>",
    "a < b",
    "</td><td>",
    "&lt;",
    "$x$ and \\(y\\)",
    "**a** *b* `c` | d",
    "_a_ a_b",
    "[x](javascript:y)",
    "# x",
    "1. x",
    "- x",
    "=1+1",
    "@x",
    "'-x",
    '"',
    "a\nb",
    "日本 🐕",
    "\\[x\\]",
    "{}%~^",
]
PIECES = [*HOSTILE, *"*_`|$\\<>&[]()#-+=~!:{}%^ \n\t", "**", "__", "$$", "a", "1.", "http://x.y", "é"]
hostile = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
quick = settings(max_examples=40, deadline=None)


class Page(HTMLParser):
    """The tags of an HTML text, the text of each cell, and whether MathJax may look at any of it."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.cells, self.all, self.classes = set(), [], "", set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.classes |= set((dict(attributes).get("class") or "").split())
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        self.all += data
        if self.cells:
            self.cells[-1] += data


def spaced(text: str) -> str:
    return " ".join(text.split())


# ---- HTML ------------------------------------------------------------------------------------------------------------


@quick
@given(st.lists(hostile, min_size=1, max_size=3), hostile)
def test_a_frame_in_a_notebook_shows_every_text_as_it_is(texts, name):
    page = Page(tables.text_table(pd.DataFrame({"score": 0.25, name + "?": texts}), decimals=2).to_html())
    assert page.tags <= {"style", "table", "thead", "tbody", "tr", "th", "td"}
    found = [cell.strip() for cell in page.cells]
    assert found == [c.strip() for c in ("score", name + "?", *(c for text in texts for c in ("0.25", text)))]
    assert {"tex2jax_ignore", "mathjax_ignore"} <= page.classes


def test_a_frame_shows_objects_as_text_and_gaps_as_a_line():
    frame = pd.DataFrame({"a": [["<b>"], Path("<i>"), None], "n": [1, 2, 3], "x": [np.float32(0.5), np.nan, 2.0]})
    page = Page(tables.text_table(frame).to_html())
    assert [c.strip() for c in page.cells[3:]] == ["['<b>']", "1", "0.5", "<i>", "2", "-", "-", "3", "2.0"]


@pytest.mark.parametrize("text", HOSTILE)
def test_all_that_shows_itself_as_html_shows_text(text):
    row = Row(text, "external", {"cider_d": Cell(1.0)})
    stages = pd.DataFrame([(text, "", text, 1.0, text)], columns=["stage", "target", "what", "seconds", "basis"])
    downloads = pd.DataFrame([(text, text, "here", 0.0)], columns=["what", "where", "state", "gb"])
    shown = [
        Table(text, ("cider_d",), (row,), notes=(text,)),
        Checks([Check("ok", text, text, text)]),
        Plan(text, "cpu", stages, downloads, 0.0, (text,)),
    ]
    for thing in shown:
        page = Page(thing._repr_html_())
        assert page.tags <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "em", "pre"}
        assert spaced(page.all).count(spaced(text)) >= 3
        assert "mathjax_ignore" in page.classes or page.tags == {"pre"}, "MathJax looks into no <pre>"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_knobs_say_is_text(text):
    near = pd.DataFrame({"caption": [text], "cosine": [0.5], "weight": [1.0]})
    said = play.Said(text, text, np.zeros(2), near, 1.0)
    page = Page(hands._html(SimpleNamespace(clips=[SimpleNamespace(captions=(text,))]), 0, said))
    assert page.tags <= {"div", "p", "b", "i", "br", "table", "thead", "tbody", "tr", "th", "td"}
    assert spaced(page.all).count(spaced(text)) >= 3 and "mathjax_ignore" in page.classes


def test_nothing_else_makes_html_or_markdown():
    """Whoever adds a way from data to a notebook takes `tables.text_table` or escapes, tests it above, and names it."""
    makers = {
        "tables/listing.py",
        "tables/table.py",
        "tables/findings.py",
        "suite/doctor/results.py",
        "suite/doctor/plan.py",
        "plots/hands.py",
    }
    words = {
        "style",
        "to_html",
        "to_markdown",
        "_repr_html_",
        "_repr_markdown_",
        "_repr_latex_",
        "HTML",
        "Markdown",
        "Latex",
        "Javascript",
        "SVG",
        "IFrame",
    }
    for path in sorted((ROOT / "aaclib").rglob("*.py")):
        found = used(path.read_text()) & words
        name = path.relative_to(ROOT / "aaclib").as_posix()
        allowed = {"tables/export.py": {"_repr_markdown_"}, "plots/training.py": {"Markdown", "style"}}.get(name, set())
        if not name.startswith("datasets/soundscapes/"):  # whose worlds have a style of writing
            assert found <= allowed or name in makers, f"{name}: {found}"
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                assert not used("".join(cell["source"])) & words, f"{path.name}: {cell['id']}"


def used(code: str) -> set[str]:
    """The names and attributes in code, those that it defines included."""
    nodes = list(ast.walk(ast.parse(code)))
    return (
        {n.attr for n in nodes if isinstance(n, ast.Attribute)}
        | {n.id for n in nodes if isinstance(n, ast.Name)}
        | {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.alias))}
    )


# ---- Markdown --------------------------------------------------------------------------------------------------------


def published(text: str) -> Page:
    """Markdown as an executed notebook is published."""
    from nbconvert.filters import markdown2html

    return Page(markdown2html(text))


@quick
@given(hostile, st.sampled_from(["", "- "]))
def test_markdown_shows_the_text(text, before):
    page = published(before + escape.markdown(text))
    assert spaced(page.all) == spaced(text) and page.tags <= {"p", "ul", "li", "span"}
    assert not set("$\\") & set(escape.markdown(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_findings_and_tables_in_markdown(text):
    found = Findings([f"The CLAP is **{text}**: 1.", text, f"**{text}**: for example {text}."])
    page = published(found._repr_markdown_())
    assert page.tags <= {"ul", "li", "strong", "span", "p"}
    if "**" not in text:
        wanted = [f"The CLAP is {text}: 1.", text, f"{text}: for example {text}."]
        assert spaced(page.all) == spaced(" ".join(wanted))
    table = Table(text, ("cider_d",), (Row(text, "external", {"cider_d": Cell(1.0)}),), notes=(text,))
    page = published(table._repr_markdown_())
    assert page.tags <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "em", "ul", "li", "span"}
    assert [spaced(cell) for cell in page.cells[4:5]] == [spaced(text)] and len(page.cells) == 6
    assert "strong" in published(str(Findings(["**a b** wins"]))).tags


# ---- LaTeX -----------------------------------------------------------------------------------------------------------


@quick
@given(hostile)
def test_latex_holds_no_sign_that_means_something(text):
    found = escape.latex(text)
    plain = re.sub(r"\\(text\w+\{\}|[&%$#_{}])|\$(\\\w+|\^2|\^\\circ|<|>)\$|\{[\[\]*]\}|\{\}`?", "", found)
    assert not set("\\&%$#_{}~^[]*`\n") & set(plain) and not re.search("--|''|,,", found)


def test_a_latex_row_cannot_be_the_argument_of_the_line_before_and_says_which_engine_it_needs():
    rows = tuple(Row(name, "external", {"cider_d": Cell(1.0)}) for name in ("[1cm] a", "*", "日"))
    text = Table("a\n\nb", ("cider_d",), rows, notes=("x", "[y]")).latex()
    assert not re.search(r"\\\\\s*[\[*]", text) and r"\caption{a b}" in text
    assert text.startswith("% needs \\usepackage{booktabs}, and LuaLaTeX or XeLaTeX with a font that has U+65E5\n")
    assert Table("é – σ²", ("cider_d",), ()).latex().startswith("% needs \\usepackage{booktabs}\n")


# ---- CSV -------------------------------------------------------------------------------------------------------------

FORMULAS = st.tuples(st.sampled_from(["", "'", "''"]), st.sampled_from("=+-@\t\r\n＝＋－＠a"), hostile).map("".join)


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@quick
@given(st.lists(st.tuples(FORMULAS, FORMULAS), min_size=1, max_size=4))
def test_no_text_in_a_csv_is_a_formula_and_the_readers_get_it_back(rows):
    for text in (escape.csv_text([("=a", "b"), *rows]), escape.csv_frame(pd.DataFrame(rows, columns=["=a", "b"]))):
        assert not any(cell.startswith(tuple("=+-@\t\r\n＝＋－＠")) for row in cells(text) for cell in row)
        assert [tuple(map(escape.uncell, row)) for row in cells(text)] == [("=a", "b"), *rows]


def test_numbers_stay_numbers_and_paths_are_text():
    assert cells(escape.csv_frame(pd.DataFrame({"x": [-0.5, 2.0], "n": [-1, 1]}))) == [
        ["x", "n"],
        ["-0.5", "-1"],
        ["2.0", "1"],
    ]
    assert escape.csv_text([(Path("=a.wav"), -1.5, "-1.5")]) == "'=a.wav,-1.5,'-1.5\n"


def test_what_the_commands_write_is_safe_and_scored_again_with_its_own_names(tmp_path, monkeypatch, capsys):
    names, said = ["=1+1.wav", "-a.wav", "@b.wav", "'=c.wav"], ["-a dog barks", "+rain", "=birds", "a bell"]
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    captioner = SimpleNamespace(
        key="", synthetic=False, caption=lambda files, beam: [said[names.index(str(file))] for file in files]
    )
    monkeypatch.setattr(cli.aaclib, "Captioner", SimpleNamespace(from_run=lambda *a, **k: captioner))
    assert cli.main(["caption", "--out", "out.csv", "--", *names]) == 0
    assert read_predictions("out.csv") == dict(zip(names, said, strict=True))
    assert [row.text("file_name") for row in read_table(Path("out.csv"))] == names
    Path("refs.json").write_text(json.dumps({name: ["a dog", "=birds"] for name in names}))
    parser = command.argparse.ArgumentParser()
    command.add_arguments(parser)
    assert (
        command.run(
            parser.parse_args(
                [
                    "out.csv",
                    "refs.json",
                    "--metrics",
                    "rouge_l",
                    "--tokenized",
                    "--no-cache",
                    "--bootstrap",
                    "0",
                    "--per-clip",
                    "scores.csv",
                ]
            )
        )
        == 0
    )
    for path in ("out.csv", "scores.csv"):
        for row in cells(Path(path).read_text()):
            assert not any(re.match(r"[+@=]|-\D", cell) for cell in row), row
    assert list(read_predictions("scores.csv").items()) == list(zip(names, said, strict=True))


# ---- figures ---------------------------------------------------------------------------------------------------------

DRAWN = [
    "$\\frac$",
    "$x$",
    "\udcff.wav",
    "a\ufeffb",
    "x" * 3000,
    "word " * 500,
    "$",
    "\\",
    "_^{",
    "$$",
    "\\$",
    "שלום",
    "\u202eabc",
    "🐕",
    "a\nb",
    "",
    " ",
    "\x00",
    "हिन्दी",
    "e\u0301" * 20,
    "%d",
    "\u2028",
    "-5",
]


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently does not support")
def test_every_text_can_be_drawn_and_is_drawn_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setitem(plots.style.STYLE, "savefig.dpi", 20)
    wave = np.random.default_rng(0).standard_normal(600)
    rows = pd.DataFrame({"strategy": DRAWN[:4], "metric": "cider_d", "value": 0.2, "low": 0.1, "high": 0.3})
    figures = {
        "titles": plots.spectrograms([(text, wave, 8000) for text in DRAWN[:6]]),
        "rows": plots.relative({"clotho": rows}, ("cider_d",)),
    }
    for name, fig in figures.items():
        plots.save(fig, tmp_path / name)
    assert figures["titles"].axes[0].get_title(loc="left") == "$\\frac$"
    written = {f"{name}{kind}" for name in figures for kind in (".pdf", ".png")} | {"rows.csv"}
    assert {path.name for path in tmp_path.iterdir()} == written
