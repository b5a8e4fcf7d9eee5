"""A run as the runner leaves it, small and made by hand, with text from outside that would be HTML if it were let."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
from IPython.display import Audio
from PIL import Image

from aaclib import store
from aaclib.tables.findings import Findings
from aaclib.tables.table import Cell, Row, Table

HOSTILE = "<script>alert(1)</script> & $x$ \"quoted\" 'too'"
TARGET = "my sounds & more"


def picture(colour: str = "white") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (900, 300), colour).save(file, "png")
    return file.getvalue()


def player() -> dict:
    wave = np.sin(np.arange(8000) / 20).astype(np.float32)
    return {"text/html": Audio(wave, rate=8000, normalize=False)._repr_html_(), "text/plain": "<Audio>"}


def make(folder: Path) -> Path:
    """The folder of a finished run of two notebooks, with a table, findings, a figure with its numbers and a player."""
    output = nbformat.v4.new_output
    shown = [
        output("stream", text=f"a caption: {HOSTILE}\n" + "long " * 60),
        output("display_data", player()),
        output("display_data", player()),
        output(
            "display_data",
            {"image/png": base64.b64encode(picture()).decode()},
            metadata={"image/png": {"width": 900, "alt": f"bars {HOSTILE}"}},
        ),
    ]
    cells = [
        nbformat.v4.new_markdown_cell(
            "# 01 Data: what there is\n\n[06](06_tables.ipynb) or [solutions](solutions/01_data.ipynb), $\\sigma$."
        ),
        nbformat.v4.new_code_cell("print(caption)  # " + "wide " * 40, outputs=shown),
    ]
    books = {
        f"{TARGET}/01_data": nbformat.v4.new_notebook(cells=cells),
        "06_tables": nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 06 Tables")]),
    }
    for place, book in books.items():
        (folder / "notebooks" / place).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(book, folder / "notebooks" / f"{place}.ipynb")
    store.write_bytes(folder / "figures" / TARGET / "01_bars.png", picture())
    store.write_text(folder / "figures" / TARGET / "01_bars.csv", "strategy,value\nnoise,0.5\n")
    row = Row(HOSTILE, "external", {name: Cell(52.8, 48.1, 57.3) for name in ("bleu_1", "cider_d", "spice", "spider")})
    table = Table(f"{TARGET}, greedy", tuple(row.cells), (row,), notes=(HOSTILE,), synthetic=True)
    store.write_text(folder / "tables" / "my-sounds-greedy.md", table._repr_markdown_())
    store.write_text(folder / "tables" / "results.csv", "strategy,value\nnoise,0.5\n")
    store.write_text(folder / "tables" / "findings.md", f"{Findings([f'**{HOSTILE}** is the highest.'])}\n")
    files = {f"notebooks/{place}.ipynb": [1, "x"] for place in books}
    record = {"run": HOSTILE, "profile": "quick", "seeds": [0], "machine": {"cores": 2}, "seconds": 61.0}
    record["config"] = {"data": {"targets": {TARGET: []}, "pretrain": "soundscapes-pretrain"}}
    store.write_record(folder / "run.json", {**record, "versions": {}, "stages": {"all": {"files": files}}})
    return folder
