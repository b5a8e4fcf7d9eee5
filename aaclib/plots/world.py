"""Figures of the data: spectrograms with players."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aaclib.plots.style import DOUBLE, drawable, figure, styled


def spectrogram(ax: Axes, wave: np.ndarray, rate: int, floor_db: float = 70.0) -> None:
    """Draws the log spectrogram of a wave (samples,) at `rate` Hz: time in s, frequency on a log axis from 60 Hz,
    level in dB below the loudest point."""
    from scipy.signal import spectrogram as power

    size = min(int(2 ** np.round(np.log2(rate * 0.046))), max(16, len(wave)))  # windows of about 46 ms
    f, t, p = power(np.asarray(wave, float), fs=rate, nperseg=size, noverlap=size // 2)
    level = 10 * np.log10(p + 1e-12)
    step = max(1, len(t) // 600)  # no more columns than the paper can print
    ax.pcolormesh(
        t[::step],
        f,
        level[:, ::step],
        vmin=level.max() - floor_db,
        vmax=level.max(),
        shading="nearest",
        rasterized=True,
    )
    ax.set_yscale("log")
    ax.set_ylim(60, rate / 2)
    ticks = [k for k in (100, 300, 1000, 3000, 10000) if k < rate / 2]
    ax.set_yticks(ticks, [f"{k / 1000:g}" for k in ticks])
    ax.minorticks_off()


def spectrograms(clips: Sequence[tuple[str, np.ndarray, int]], columns: int = 3) -> Figure:
    """One small spectrogram per clip. `clips`: (title, wave (samples,), rate in Hz); a title may take two lines."""
    columns = min(columns, len(clips))
    rows = -(-len(clips) // columns)
    titles = ["\n".join(wrap(drawable(title), 117 // columns, max_lines=2, placeholder=" …")) for title, _, _ in clips]
    lines = 1 + max(title.count("\n") for title in titles)
    with styled():
        fig, axes = figure(DOUBLE, (1.33 + 0.12 * lines) * rows + 0.25, rows, columns)
        for ax in axes.flat[len(clips) :]:
            ax.set_axis_off()
        for number, (ax, title, (_, wave, rate)) in enumerate(zip(axes.flat, titles, clips, strict=False)):
            spectrogram(ax, wave, rate)
            ax.set_title(title, fontsize=7)
            if number >= len(clips) - columns:
                ax.set_xlabel("time (s)")
            if number % columns == 0:
                ax.set_ylabel("frequency (kHz)")
    return fig


def player(wave: np.ndarray, rate: int) -> Any:
    """An audio player for a notebook; the wave keeps its own level, so that 'faint' stays faint."""
    from IPython.display import Audio

    return Audio(np.clip(wave, -1, 1), rate=rate, normalize=False)
