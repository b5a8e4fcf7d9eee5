"""Figures for the notebooks and for a paper. Each function returns a matplotlib Figure; `show` saves and displays it.

style    sizes, colours, saving, the 'synthetic world' mark
world    spectrograms, players, caption lengths, labels, caption overlap
space    retrieval, cosines, the gap's direction, sigma by number of pairs, t-SNE before and after each bridge
training loss curves, live too
results  bars with intervals, relative performance, seeds, greedy against beam
"""

from aaclib.plots.results import GROUP_LABELS, METRIC_LABELS, bars, decoding, relative, seeds
from aaclib.plots.space import (
    bridged_cosines,
    cosines,
    gap_direction,
    retrieval,
    sigma_by_pairs,
    sigma_curve,
    tsne,
    tsne_points,
)
from aaclib.plots.style import DOUBLE, SINGLE, figure, mark, save, show, styled
from aaclib.plots.training import LiveLoss, losses
from aaclib.plots.world import caption_lengths, overlap, player, spectrogram, spectrograms

__all__ = [
    "DOUBLE",
    "GROUP_LABELS",
    "METRIC_LABELS",
    "SINGLE",
    "LiveLoss",
    "bars",
    "bridged_cosines",
    "caption_lengths",
    "cosines",
    "decoding",
    "figure",
    "gap_direction",
    "losses",
    "mark",
    "overlap",
    "player",
    "relative",
    "retrieval",
    "save",
    "seeds",
    "show",
    "sigma_by_pairs",
    "sigma_curve",
    "spectrogram",
    "spectrograms",
    "styled",
    "tsne",
    "tsne_points",
]
