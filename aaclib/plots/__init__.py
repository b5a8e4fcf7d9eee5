"""Figures for the notebooks and for a paper. Each function returns a matplotlib Figure; `show` saves and displays it.

style    sizes, colours, saving, the 'synthetic world' mark
world    spectrograms and players
training loss curves, live too
hands    knobs, dropped recordings and dots that tell their captions, for JupyterLab
results  bars with intervals, relative performance, seeds, greedy against beam
"""

from aaclib.plots.hands import bench, drop, hover
from aaclib.plots.results import METRIC_LABELS, bars, decoding, relative, seeds
from aaclib.plots.style import AUDIO, DOUBLE, GREY, SINGLE, TEXT, drawable, figure, save, show, styled
from aaclib.plots.training import LiveLoss, losses
from aaclib.plots.world import player, spectrograms

__all__ = [
    "AUDIO",
    "DOUBLE",
    "GREY",
    "METRIC_LABELS",
    "SINGLE",
    "TEXT",
    "LiveLoss",
    "bars",
    "bench",
    "decoding",
    "drawable",
    "drop",
    "figure",
    "hover",
    "losses",
    "player",
    "relative",
    "save",
    "seeds",
    "show",
    "spectrograms",
    "styled",
]
