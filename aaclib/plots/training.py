"""Loss curves, and their live form in a notebook."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from aaclib.plots.style import (
    BLACK,
    BLUE,
    DOUBLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    figure,
    grid,
    letter,
    styled,
)

# one colour a training, whichever others stand beside it
TRAININGS = {"text": BLUE, "noise": VERMILLION, "shift": GREEN, "noise+shift": PURPLE, "c3": ORANGE,
             "supervised": BLACK}


def losses(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """(a) training and (b) validation loss against epochs, one line a decoder; a dot marks the lowest validation loss.

    `histories`: name of the training -> history with columns epoch, train_loss and, where there was a validation set,
    validation_loss (nats a token).
    """
    names = sorted(histories, key=lambda name: list(TRAININGS).index(name) if name in TRAININGS else len(TRAININGS))
    with styled():
        fig, axes = figure(DOUBLE, 2.4, 1, 2, sharey=True)
        columns = (("train_loss", "Training"), ("validation_loss", "Validation"))
        for ax, (column, title) in zip(axes[0], columns, strict=True):
            for name in names:
                history, color = histories[name], TRAININGS.get(name, SKY)
                if column not in history or history[column].isna().all():
                    continue
                epoch, loss = history["epoch"], history[column].astype(float)
                ax.plot(epoch, loss, color=color, label=name, marker="o" if len(history) < 3 else None)
                if column == "validation_loss":
                    ax.plot(epoch[loss.idxmin()], loss.min(), "o", color=color, markersize=4)
            ax.set(xlabel="epoch", title=title)
            ax.xaxis.get_major_locator().set_params(integer=True)
            if not ax.lines:
                ax.text(0.5, 0.5, "no validation set", transform=ax.transAxes, ha="center", color=GREY)
            grid(ax)
        axes[0, 0].set_ylabel("cross-entropy (nats a token)")
        fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=min(len(names), 6))
        letter(axes)
    return fig


class LiveLoss:
    """A loss figure that grows while decoders train: it redraws one display of the notebook.

    Give it to `aaclib.training.train_all(exp, target, seed, watch=LiveLoss())`, which calls it with the histories so
    far: training -> list of one mapping an epoch. A redraw happens at most every `every` seconds. Outside a notebook
    it does nothing; the trainer's own line every ten seconds is the log.
    """

    def __init__(self, every: float = 2.0):
        self.every, self._last = every, 0.0
        self.rows: dict[str, list[Mapping[str, Any]]] = {}
        self._handle: Any = None

    def __call__(self, histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        new = {name: list(history) for name, history in histories.items() if history}
        if {**self.rows, **new} != self.rows and time.monotonic() - self._last >= self.every:
            self.rows.update(new)
            self.draw()
        self.rows.update(new)

    def draw(self) -> None:
        self._last = time.monotonic()
        if not self.rows or not in_notebook():
            return
        from io import BytesIO

        from IPython.display import Image, display

        buffer = BytesIO()
        fig = losses({name: pd.DataFrame(rows) for name, rows in self.rows.items()})
        with styled():
            fig.savefig(buffer, format="png", dpi=140)
        picture = Image(data=buffer.getvalue(), width=int(fig.get_figwidth() * 135))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def close(self) -> None:
        """Empties the display; the finished figure of the next cell takes its place."""
        if self._handle is not None:
            from IPython.display import Markdown

            self._handle.update(Markdown("*Training is done; the curves follow.*"))


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and shell.has_trait("kernel")
