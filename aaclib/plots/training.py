"""Loss curves, and their live form in a notebook."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from aaclib import screen
from aaclib.bridge import TRAINING
from aaclib.plots import style
from aaclib.plots.style import DOUBLE, GREY, figure, grid, letter, styled

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
MARKERS = "o^sDvPX"


def losses(histories: Mapping[str, pd.DataFrame], of: str = "", width: float = DOUBLE) -> Figure:
    """(a) training and (b) validation loss against epochs, one line per decoder, told apart by dashes and marks as well
    as by colour; a hollow mark stands at the lowest validation loss.

    `histories`: name of the training -> history with columns epoch, train_loss and, where there was a validation set,
    validation_loss (nats per token). `of`: what was trained, for the titles. `width`: DOUBLE puts the two side by side,
    SINGLE one below the other.
    """
    names = [name for name in TRAINING if name in histories]
    with styled():
        beside = width == DOUBLE
        fig, axes = figure(width, 2.4 if beside else 4.0, *((1, 2) if beside else (2, 1)), sharey=True)
        columns = {"train_loss": "Training", "validation_loss": "Validation"}
        for ax, (column, title) in zip(axes.flat, columns.items(), strict=True):
            for number, name in enumerate(names):
                history, look = histories[name], _look(number, TRAINING[name].colour)
                if column not in history or history[column].dropna().empty:
                    continue
                epoch, loss = history["epoch"], history[column].astype(float)
                # equal curves lie on each other: their marks alternate, and the later line leaves gaps for the earlier
                every = max(1, len(history) // 4)
                ax.plot(epoch, loss, label=name, markevery=(number % every, every), **look)
                if column == "validation_loss":
                    ax.plot(epoch[loss.idxmin()], loss.min(), **look | {"markersize": 7, "fillstyle": "none"})
            ax.set(xlabel="epoch", title=f"{title}, {of}" if of else title)
            ax.xaxis.get_major_locator().set_params(integer=True)
            if not ax.lines:
                ax.text(0.5, 0.5, "no validation set", transform=ax.transAxes, ha="center", color=GREY)
            grid(ax)
        for ax in axes[:, 0]:
            ax.set_ylabel("cross-entropy (nats per token)")
        fig.legend(
            *axes[0, 0].get_legend_handles_labels(),
            loc="outside upper center",
            ncols=min(len(names), 7 if beside else 3) or 1,
            handlelength=3,
            columnspacing=1.2,
        )
        letter(axes)
    return fig


def _look(number: int, color: str) -> dict[str, Any]:
    """Of the number-th line."""
    return {
        "color": color,
        "linestyle": DASHES[number % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 3,
        "linewidth": 2.0 if number == 0 else 1.1,
    }


class LiveLoss:
    """A loss figure that grows while decoders train: it redraws one display of the notebook.

    Give it to `aaclib.training.train_all(run, watch=LiveLoss())`, which calls it with the histories so far. The
    picture shows the target and seed whose decoders train now, at most every `every` seconds. Where nobody looks,
    outside a notebook or in a run without a screen, it draws nothing; the line every ten seconds is the log.
    """

    def __init__(self, every: float = 2.0):
        self.every, self._last = every, 0.0
        self.histories: dict[tuple[str, int], dict[str, list[Mapping[str, Any]]]] = {}
        self._handle: Any = None

    def __call__(self, histories: Mapping[tuple[str, int], Mapping[str, Sequence[Mapping[str, Any]]]]) -> None:
        changed = None
        for group, so_far in histories.items():
            known = self.histories.setdefault(group, {})
            for name, history in so_far.items():
                if len(history) > len(known.get(name, ())):
                    known[name], changed = list(history), group
        if changed and time.monotonic() - self._last >= self.every and screen.looked_at():
            self._last = time.monotonic()
            self._draw(*changed)

    def _draw(self, target: str, seed: int) -> None:
        from io import BytesIO

        from IPython.display import display

        buffer = BytesIO()
        frames = {name: pd.DataFrame(rows) for name, rows in self.histories[target, seed].items()}
        fig = losses(frames, f"{target}, seed {seed}")
        with styled():
            fig.savefig(buffer, format="png", dpi=140)
        picture = style.picture(fig, buffer.getvalue())
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def close(self) -> None:
        """Empties the display; the finished figure of the next cell takes its place."""
        if self._handle is not None:
            from IPython.display import Markdown

            self._handle.update(Markdown("*Training is done; the curves follow.*"))
