"""Figures of the embedding space: retrieval, cosines and lengths, the gap, sigma, and t-SNE before and after bridges.

All embeddings are (n, d) float32 with unit rows unless a function says otherwise; row i of `z_a` and `z_t` belong
together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aaclib import gap
from aaclib.plots.style import AUDIO, BLUE, CYCLE, DOUBLE, GREY, SINGLE, TEXT, figure, grid, letter, named_rows, styled


def retrieval(
    recalls: Mapping[str, Mapping[str, float]], chance: Mapping[str, Mapping[str, float]] | None = None
) -> Figure:
    """Recall at 1, 5 and 10 (those that are there), both ways. `recalls`: target -> {"text_to_audio_r@1": fraction,
    ...}; `chance`: the same keys for random embeddings, drawn as short black lines."""
    ways = {"text_to_audio": "Caption finds its clip", "audio_to_text": "Clip finds one of its captions"}
    with styled():
        fig, axes = figure(DOUBLE, 2.2, 1, 2, sharey=True)
        for ax, (way, title) in zip(axes[0], ways.items(), strict=True):
            ks = sorted({int(key.split("@")[1]) for r in recalls.values() for key in r if key.startswith(f"{way}_r@")})
            width = 0.8 / max(len(recalls), 1)
            for number, (target, values) in enumerate(recalls.items()):
                x = np.arange(len(ks)) + (number - (len(recalls) - 1) / 2) * width
                heights = [100 * values.get(f"{way}_r@{k}", np.nan) for k in ks]
                bars = ax.bar(x, heights, width * 0.92, color=CYCLE[number], label=target)
                ax.bar_label(bars, fmt=lambda v: "" if np.isnan(v) else f"{v:.0f}", fontsize=7, padding=1)
                by_chance = (chance or {}).get(target, {})
                for xi, k in zip(x, ks, strict=True):
                    if (recall := by_chance.get(f"{way}_r@{k}")) is not None:
                        ax.hlines(100 * recall, xi - width / 2, xi + width / 2, color="black", linewidth=1)
            ax.set_xticks(range(len(ks)), [f"R@{k}" for k in ks])
            if not ks:
                ax.text(0.5, 0.5, "too few clips", transform=ax.transAxes, ha="center", va="center")
            ax.set(title=title, ylim=(0, 108))
            grid(ax)
        axes[0, 0].set_ylabel("recall (%)")
        handles, names = axes[0, 0].get_legend_handles_labels()
        if chance:
            handles, names = [*handles, Line2D([], [], color="black", linewidth=1)], [*names, "chance"]
        fig.legend(handles, names, loc="outside upper center", ncols=len(names))
        letter(axes)
    return fig


def cosines(z_a: np.ndarray, z_t: np.ndarray, limit: int = 1000) -> Figure:
    """(a) cosines of matched and mismatched audio-caption pairs and within each modality; (b) lengths: how far pairs,
    and the two modalities' members from their own mean, lie apart. At most `limit` pairs enter."""
    z_a, z_t = z_a[:limit], z_t[:limit]
    across, off = z_a @ z_t.T, ~np.eye(len(z_a), dtype=bool)
    with styled():
        fig, axes = figure(DOUBLE, 2.6, 1, 2)
        left, right = axes[0]
        _outlines(
            left,
            [
                ("matched pairs", np.diag(across), "black", "-"),
                ("mismatched pairs", across[off], GREY, "-"),
                ("audio with audio", (z_a @ z_a.T)[off], AUDIO, "--"),
                ("text with text", (z_t @ z_t.T)[off], TEXT, "--"),
            ],
        )
        left.set(xlabel="cosine", ylabel="density", title="Cosines")
        _outlines(
            right,
            [
                ("audio to its own caption", np.linalg.norm(z_a - z_t, axis=1), "black", "-"),
                ("audio to the audio mean", np.linalg.norm(z_a - z_a.mean(0), axis=1), AUDIO, "--"),
                ("text to the text mean", np.linalg.norm(z_t - z_t.mean(0), axis=1), TEXT, "--"),
            ],
        )
        distance = float(np.linalg.norm(z_a.mean(0) - z_t.mean(0)))
        right.axvline(distance, color=GREY, linewidth=1)
        right.set(xlabel="distance (embeddings have length 1)", title="Distances")
        right.annotate(
            f"gap vector {distance:.2f}",
            (distance, 0.98),
            xycoords=("data", "axes fraction"),
            rotation=90,
            ha="right",
            va="top",
            fontsize=7,
            color="#555555",
        )
        for ax in axes[0]:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2, columnspacing=1.0, handlelength=1.6)
        letter(axes)
    return fig


def gap_direction(z_a: np.ndarray, z_t: np.ndarray) -> Figure:
    """Both modalities projected onto the direction of the gap vector: if one threshold parts them, the two cones are
    linearly separable."""
    along = gap.gap_vector(z_a, z_t)
    along = along / max(float(np.linalg.norm(along)), 1e-12)
    with styled():
        fig, ((ax,),) = figure(SINGLE, 2.1)
        _outlines(ax, [("audio", z_a @ along, AUDIO, "-"), ("text", z_t @ along, TEXT, "-")], fill=True)
        ax.set(xlabel="coordinate along the gap vector", ylabel="density")
        ax.margins(y=0.25)
        ax.legend(loc="upper center", ncols=2)
    return fig


def sigma_by_pairs(
    z_a: np.ndarray,
    z_t: np.ndarray,
    sizes: Sequence[int] = (10, 20, 50, 100, 200, 500, 1000),
    repeats: int = 30,
    seed: int = 0,
) -> pd.DataFrame:
    """How the estimates move with the number of pairs: columns n, quantity, mean, low, high (5 % and 95 % of `repeats`
    draws without replacement). Quantities: rms, linf (both sigma) and angle, between the drawn gap vector and that of
    all pairs, in degrees. Sizes beyond half of the pairs are left out: their draws are all but the same."""
    rng, rows = np.random.default_rng(seed), []
    whole = gap.gap_vector(z_a, z_t)
    for n in [s for s in sizes if s <= max(len(z_a) // 2, 2)]:
        draws: dict[str, list[float]] = {"rms": [], "linf": [], "angle": []}
        for _ in range(repeats):
            pick = rng.choice(len(z_a), n, replace=False)
            for method in ("rms", "linf"):
                draws[method].append(gap.estimate_sigma(z_a[pick], z_t[pick], method))
            vector = gap.gap_vector(z_a[pick], z_t[pick])
            cosine = float(vector @ whole / (np.linalg.norm(vector) * np.linalg.norm(whole) + 1e-12))
            draws["angle"].append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
        rows += [(n, name, np.mean(v), *np.quantile(v, (0.05, 0.95))) for name, v in draws.items()]
    return pd.DataFrame(rows, columns=["n", "quantity", "mean", "low", "high"])


def sigma_curve(frame: pd.DataFrame, dim: int, used: float | None = None) -> Figure:
    """The table of `sigma_by_pairs`: (a) sigma by estimator, (b) angle between the gap vector and that of all pairs.
    `used`: the sigma of this run, a dotted line. The right axis of (a) is d * sigma^2 at the same heights."""
    with styled():
        fig, axes = figure(DOUBLE, 2.3, 1, 2)
        left, right = axes[0]
        for number, (name, label) in enumerate((("rms", "rms"), ("linf", "infinity norm"))):
            _band(left, frame[frame.quantity == name], CYCLE[number], label)
        if used is not None:
            left.axhline(used, color="black", linestyle=":", linewidth=1, label="used in this run")
        left.set(xlabel="pairs", ylabel="σ", title="Estimate of σ", ylim=(0, None))
        top = left.get_ylim()[1] * 1.35
        left.set_ylim(0, top)
        there_and_back = (lambda s: dim * np.square(s), lambda v: np.sqrt(np.maximum(v, 0) / dim))
        squared = left.secondary_yaxis("right", functions=there_and_back)
        squared.set_ylabel("d σ²")
        values = [float(f"{dim * top**2 * share:.2g}") for share in (0.06, 0.25, 0.55, 0.9)]
        squared.set_yticks(values, [f"{v:g}" for v in values])
        left.legend(loc="upper right", ncols=2, columnspacing=1.0)
        _band(right, frame[frame.quantity == "angle"], BLUE, None)
        right.set(xlabel="pairs", ylabel="angle (degrees)", ylim=(0, None), title="Gap vector against all pairs'")
        for ax in axes[0]:
            ax.set_xscale("log")
            ns = sorted(frame.n.unique())
            ax.set_xticks(ns, [str(n) for n in ns])
            ax.minorticks_off()
            grid(ax)
        letter(axes)
    return fig


def tsne(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]], columns: int = 3, seed: int = 0, pairs: int = 150
) -> Figure:
    """t-SNE of both modalities, matched pairs joined by a line: one panel a bridge.

    `panels`: title -> (what the decoder reads at inference, from audio; what it learned to read, from text), each
    (n, d). The first `pairs` pairs are drawn. Each panel is a map of its own: positions and distances of different
    panels cannot be compared, only how the two colours mix and how long the lines are.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with styled():
        fig, axes = figure(DOUBLE if columns > 1 else SINGLE, 2.15 * rows + 0.3 if columns > 1 else 3.0, rows, columns)
        for ax in axes.flat:
            ax.set_axis_off()
        for ax, (title, (from_audio, from_text)) in zip(axes.flat, panels.items(), strict=False):
            a, t = from_audio[:pairs], from_text[:pairs]
            xa, xt = np.split(tsne_points(np.concatenate([a, t]), seed), [len(a)])
            ax.plot(*np.stack([xa, xt]).transpose(2, 0, 1), color="#BBBBBB", linewidth=0.4, zorder=1)
            ax.scatter(*xa.T, s=6, color=AUDIO, linewidths=0, zorder=2)
            ax.scatter(*xt.T, s=7, color=TEXT, marker="^", linewidths=0, zorder=2)
            ax.set_title(title, fontsize=8)
        handles = [
            Line2D([], [], marker="o", color=AUDIO, linestyle=""),
            Line2D([], [], marker="^", color=TEXT, linestyle=""),
            Line2D([], [], color="#BBBBBB"),
        ]
        fig.legend(handles, ["from audio", "from text", "matched pair"], loc="outside lower center", ncols=3)
    return fig


def tsne_points(z: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n, 2) t-SNE coordinates (scikit-learn, cosine distances, PCA start; perplexity 30, less where points are few).
    Rows that are equal but for rounding are moved apart by noise of 1e-4, as t-SNE needs distances."""
    from sklearn.manifold import TSNE

    rng = np.random.default_rng(seed)
    z = np.asarray(z, np.float64) + 1e-4 * rng.standard_normal(z.shape)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)  # squared distance = 2 - 2 cosine
    perplexity = min(30.0, max(2.0, (len(z) - 1) / 4), len(z) - 1.0)
    return TSNE(2, perplexity=perplexity, init="pca", max_iter=750, random_state=seed).fit_transform(z)


def bridged_cosines(frame: pd.DataFrame) -> Figure:
    """Matched and mismatched mean cosine before and after each bridge: columns strategy, matched, mismatched."""
    with styled():
        fig, ((ax,),) = figure(SINGLE, 0.7 + 0.24 * len(frame))
        y = np.arange(len(frame))
        ax.hlines(y, frame.mismatched, frame.matched, color="#BBBBBB", linewidth=1.5)
        ax.plot(frame.mismatched, y, "o", color=GREY, markersize=4, label="mismatched")
        ax.plot(frame.matched, y, "o", color="black", markersize=4, label="matched")
        named_rows(ax, frame.strategy)
        ax.set(xlabel="mean cosine")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def _outlines(ax: Axes, groups: Sequence[tuple[str, np.ndarray, str, str]], fill: bool = False) -> None:
    """Histograms over the same bins: (label, values, colour, style of the line) each."""
    values = np.concatenate([v.ravel() for _, v, _, _ in groups])
    edges = np.linspace(values.min(), values.max() + 1e-6, 50)
    look = {"histtype": "stepfilled", "alpha": 0.6} if fill else {"histtype": "step", "alpha": 1.0}
    for label, v, color, line in [group for group in groups if group[1].size]:  # one clip has no mismatched pair
        ax.hist(v.ravel(), edges, density=True, color=color, linestyle=line, linewidth=1.2, label=label, **look)
    grid(ax)


def _band(ax: Axes, frame: pd.DataFrame, color: str, label: str | None) -> None:
    ax.fill_between(frame.n, frame.low, frame.high, color=color, alpha=0.2, linewidth=0)
    ax.plot(frame.n, frame["mean"], "o-", color=color, label=label)
