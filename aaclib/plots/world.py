"""Figures of the data: spectrograms with players, lengths of captions, words and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aaclib.plots.style import BLUE, CYCLE, DOUBLE, SINGLE, drawable, figure, grid, letter, styled
from aaclib.text import letters


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
    """One small spectrogram a clip. `clips`: (title, wave (samples,), rate in Hz); a title may take two lines."""
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


def caption_lengths(
    captions: Mapping[str, Sequence[str]], labels: Mapping[str, int] | None = None, top: int = 18
) -> Figure:
    """(a) words a caption, one line a set; (b) the most frequent labels, or content words where there are no labels.

    `captions`: name of the set -> its captions. `labels`: label -> number of clips.
    """
    with styled():
        fig, axes = figure(DOUBLE, 3.1, 1, 2)
        left, right = axes[0]
        for number, (name, texts) in enumerate(captions.items()):
            lengths = np.array([len(text.split()) for text in texts])
            if not len(lengths):
                continue
            edges = np.arange(0.5, max(lengths.max(), 2) + 1.5)
            left.hist(
                lengths,
                edges,
                histtype="step",
                density=True,
                color=CYCLE[number % len(CYCLE)],
                linewidth=1.2,
                linestyle=("-", "--", "-.", ":")[number % 4],
                label=f"{name} ({lengths.mean():.1f})",
            )
        left.set(xlabel="words in a caption (mean in brackets)", ylabel="share of captions", title="Caption length")
        fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        grid(left)
        counted = (
            Counter(labels)
            if labels
            else Counter(w for texts in captions.values() for t in texts for w in _content_words(t))
        )
        common = counted.most_common(top)[::-1]
        right.barh(range(len(common)), [v for _, v in common], color=BLUE, height=0.7)
        right.set_yticks(range(len(common)), [_short(drawable(k), 24) for k, _ in common])
        right.tick_params(axis="y", labelsize=7, length=0)
        right.set(
            xlabel="clips" if labels else "occurrences",
            title=f"Most frequent {'labels' if labels else 'content words'}",
        )
        grid(right, "x")
        letter(axes)
    return fig


def overlap(shares: Mapping[str, float]) -> Figure:
    """Bars: share (0-1) of evaluation captions that stand word for word in the training text, one bar a target."""
    with styled():
        fig, ((ax,),) = figure(SINGLE, 0.6 + 0.35 * len(shares))
        bars = ax.barh(list(map(drawable, shares)), [100 * v for v in shares.values()], color=BLUE, height=0.6)
        ax.bar_label(bars, fmt="%.1f", padding=2, fontsize=7)
        ax.axvline(5, color="#999999", linestyle="--", linewidth=0.8)
        ax.invert_yaxis()
        ax.set(xlabel="captions also in training text (%)", xlim=(0, max(6, *(115 * v for v in shares.values()))))
    return fig


def _content_words(text: str) -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return [w for w in letters(text) if w not in ENGLISH_STOP_WORDS]


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
