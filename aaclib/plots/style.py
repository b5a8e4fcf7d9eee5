"""The look that all figures share, and the one way in which a figure reaches a file or a notebook.

Figures are plain `matplotlib.figure.Figure` objects: no pyplot, no global state, nothing to close. Sizes are a
publication's: 3.3 in for one column, 6.9 in for two, at most 8.8 in high, text of 8 pt (7 at ticks and legends) at that
size. Colours are Okabe and Ito's, which people with the common forms of colour blindness can tell apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from aaclib import escape, saving
from aaclib.plots.numbers import drawn
from aaclib.store import replacing, write_text

if TYPE_CHECKING:
    from aaclib.run import Run

SINGLE, DOUBLE, PAGE = 3.3, 6.9, 8.8  # widths of one and of two columns, and the height of a page, inches
BLACK, ORANGE, SKY, GREEN, YELLOW = "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
AUDIO, TEXT = BLUE, VERMILLION  # one colour a modality, in every figure
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=list(CYCLE)),
    "image.cmap": "magma",
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "text.parse_math": False,  # a $ in a caption is a $; a label that is mathematics says parse_math=True
}
MARK_INCHES = 0.12  # room kept free for the mark of a synthetic world
SHOWN = 135  # screen pixels an inch of a figure in a notebook


class Drawing(Figure):
    """A Figure that may carry the tidy frame which it shows; without one its numbers are read off what it draws."""

    numbers: pd.DataFrame | None = None


def figure(
    width: float = SINGLE, height: float = 2.2, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Drawing, np.ndarray]:
    """A figure (inches) and its axes as an array of shape (rows, columns); the layout engine keeps labels inside. None
    is higher than a page.

    Call it, and draw, inside `with styled():` - the functions of this package do.
    """
    fig = Drawing(figsize=(width, min(height, PAGE)), layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def styled() -> Any:
    """The context in which our rcParams hold; nothing leaks into a user's own figures."""
    return matplotlib.rc_context(STYLE)


def save(fig: Figure, path: str | Path, synthetic: bool = False) -> Path:
    """Writes `path`.pdf (fonts embedded as TrueType), `path`.png (300 dpi) and, where it draws numbers, `path`.csv with
    these, each whole or not at all.

    `synthetic`: put the small 'synthetic world' mark into the lower right corner, so that nobody mistakes the figure
    for one of real recordings. Returns the PNG's path.
    """
    path, numbers = Path(path), getattr(fig, "numbers", None)
    if synthetic:
        mark(fig)
    with styled():
        fig.draw_without_rendering()  # the layout settles: ticks may change when labels get their room
        for suffix in (".pdf", ".png"):
            with replacing(path.with_name(path.name + suffix)) as temporary:
                # no date inside: the same figure is the same file
                fig.savefig(temporary, format=suffix[1:], metadata={"CreationDate": None} if suffix == ".pdf" else None)
    if len(numbers := drawn(fig) if numbers is None else numbers):
        frame = numbers.assign(world="synthetic") if synthetic else numbers
        write_text(path.with_name(path.name + ".csv"), drawable(escape.csv_frame(frame, "%.9g")))
    return path.with_name(path.name + ".png")


def mark(fig: Figure) -> None:
    """Adds the mark once, in a strip of its own below everything else."""
    if any(text.get_gid() == "synthetic" for text in fig.texts):
        return
    strip = MARK_INCHES / fig.get_figheight()
    engine: Any = fig.get_layout_engine()  # the constrained one, of `figure`
    if engine:
        engine.set(rect=(0, strip, 1, 1 - strip))
    fig.text(
        0.995,
        0.15 * strip,
        "synthetic world",
        ha="right",
        va="bottom",
        fontsize=6,
        style="italic",
        color=GREY,
        gid="synthetic",
    )


def show(fig: Figure, run: Run, name: str, alt: str = "", real: bool = False) -> Any:
    """Saves the figure as `run.figures/name`, unless the finished run has it (aaclib.saving), and returns the picture
    for display in a notebook, so that what a reader sees there is what the paper gets. `alt`: what it shows, in words;
    by default the words that stand in it. `real`: what is drawn has nothing to do with the run's synthetic world."""
    with tempfile.TemporaryDirectory() as elsewhere:
        folder = run.figures if saving.may_save(run, "figures", name) else elsewhere
        return picture(fig, save(fig, Path(folder) / name, synthetic=run.synthetic and not real).read_bytes(), alt)


def picture(fig: Figure, png: bytes, alt: str = "") -> Any:
    """The figure as a notebook displays it."""
    from IPython.display import Image

    return Image(png, width=int(fig.get_figwidth() * SHOWN), alt=alt or described(fig))


def described(fig: Figure) -> str:
    """The words of a figure, for those who cannot see it: of each panel the title, what is drawn against what, and the
    names of its lines."""
    panels = []
    for ax in [ax for ax in fig.axes if ax.axison]:
        title, x, y = ax.get_title(loc="left") or ax.get_title(), ax.get_xlabel(), ax.get_ylabel()
        across = " against ".join(filter(None, (y, x)))
        panels.append(": ".join(filter(None, (title.replace("\n", " "), across))))
    legends = [*fig.legends, *filter(None, (ax.get_legend() for ax in fig.axes))]
    names = dict.fromkeys(text.get_text() for legend in legends for text in legend.get_texts())
    return ". ".join(filter(None, [*dict.fromkeys(panels), ", ".join(names)])) or "A figure"


def letter(axes: np.ndarray) -> None:
    """(a), (b), ... in front of the panels' titles."""
    for number, ax in enumerate(np.ravel(axes)):
        ax.set_title(f"({chr(97 + number)}) {ax.get_title(loc='left')}", loc="left")


def grid(ax: Axes, axis: Literal["both", "x", "y"] = "y") -> None:
    ax.grid(axis=axis, linewidth=0.4, color="#DDDDDD")


def drawable(text: str) -> str:
    """Text from outside as a figure can hold it: without halves of characters and byte order marks."""
    return text.encode(errors="replace").decode().replace("\ufeff", "")


def named_rows(ax: Axes, names: Iterable[str]) -> None:
    """Names down the left side, the first on top, one at each of 0, 1, 2, ...; values run along x."""
    names = [drawable(name) for name in names]
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    grid(ax, "x")
