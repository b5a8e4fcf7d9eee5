"""Figures of the results: bars with intervals, relative performance, seeds, greedy against beam."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from aaclib.plots.style import CYCLE, DOUBLE, GREY, GROUPS, SINGLE, figure, grid, styled

METRIC_LABELS = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider_d": "CIDEr-D",
    "spice": "SPICE",
    "spider": "SPIDEr",
    "sbert_sim": "SBERT-sim",
    "fer": "FER",
    "fense": "FENSE",
    "spider_fl": "SPIDEr-FL",
    "clap_score": "CLAP score",
    "self_r@1": "self-R@1",
    "self_r@5": "self-R@5",
    "self_r@10": "self-R@10",
    "label_recall": "label recall",
    "label_hit": "label hit",
}
GROUP_LABELS = {
    "supervised": "fully supervised",
    "baseline": "baseline",
    "training": "training strategy",
    "inference": "inference strategy",
    "both": "both",
    "control": "control",
    "external": "other system",
    "published": "published",
}


def bars(results: pd.DataFrame, metrics: tuple[str, ...] = ("cider_d",), order: list[str] | None = None) -> Figure:
    """Strategies as bars with 95 % intervals, x100, coloured by group; one panel a target and metric.

    `results`: the tidy frame of `Experiment.results` for one or more targets (value, low, high as fractions).
    """
    frame = results[results.metric.isin(metrics) & results.value.notna()]
    panels = [
        (target, metric)
        for metric in metrics
        for target in frame.target.unique()
        if len(frame[(frame.target == target) & (frame.metric == metric)])
    ]
    columns = min(2, max(len(panels), 1))
    lines = -(-len(panels) // columns)
    tallest = max((frame[(frame.target == t) & (frame.metric == m)].shape[0] for t, m in panels), default=3)
    with styled():
        fig, axes = figure(DOUBLE if columns == 2 else SINGLE, lines * (0.55 + 0.165 * tallest) + 0.35, lines, columns)
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        for ax, (target, metric) in zip(axes.flat, panels, strict=False):
            part = frame[(frame.target == target) & (frame.metric == metric)]
            if order:
                part = part.set_index("strategy").loc[[s for s in order if s in set(part.strategy)]].reset_index()
            y, value = np.arange(len(part)), 100 * part.value.to_numpy()
            ax.barh(y, value, height=0.72, color=[GROUPS.get(g, GREY) for g in part.group])
            ends = np.stack([value - 100 * part.low.fillna(part.value), 100 * part.high.fillna(part.value) - value])
            ax.errorbar(value, y, xerr=np.maximum(ends, 0), fmt="none", ecolor="black", elinewidth=0.8, capsize=1.5)
            for yi, v, up in zip(y, value, ends[1], strict=True):
                ax.annotate(
                    f"{v:.1f}",
                    (v + max(up, 0), yi),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=6.5,
                )
            ax.set_yticks(y, list(part.strategy))
            ax.invert_yaxis()
            ax.margins(x=0.16)
            ax.set_xlim(left=0)
            ax.tick_params(axis="y", length=0)
            n = f", n = {int(part.n.max())}" if part.n.notna().any() else ""
            ax.set(title=f"{target}{n}", xlabel=f"{METRIC_LABELS.get(metric, metric)} (x100)")
            grid(ax, "x")
        groups = [g for g in GROUPS if g in set(frame.group)]
        fig.legend(
            [Patch(color=GROUPS[g]) for g in groups],
            [GROUP_LABELS[g] for g in groups],
            loc="outside lower center",
            ncols=min(len(groups), 6 if columns == 2 else 3),
            columnspacing=1.0,
            handlelength=1.0,
        )
    return fig


def relative(frames: Mapping[str, pd.DataFrame], metrics: tuple[str, ...]) -> Figure:
    """Relative performance (strategy / fully supervised, in %) with intervals: one panel a target, a colour a metric.

    `frames`: target -> the frame of `Experiment.relative` (strategy, metric, value, low, high; fractions).
    """
    with styled():
        rows = max(len(f.strategy.unique()) for f in frames.values())
        fig, axes = figure(DOUBLE if len(frames) > 1 else SINGLE, 0.9 + 0.24 * rows, 1, len(frames))
        for ax, (target, frame) in zip(axes[0], frames.items(), strict=True):
            names = list(dict.fromkeys(frame.strategy))
            for number, metric in enumerate(metrics):
                part = frame[frame.metric == metric].set_index("strategy").reindex(names)
                y = np.arange(len(names)) + (number - (len(metrics) - 1) / 2) * 0.7 / max(len(metrics), 1)
                value = 100 * part.value.to_numpy(float)
                ends = np.stack([value - 100 * part.low.to_numpy(float), 100 * part.high.to_numpy(float) - value])
                ax.errorbar(
                    value,
                    y,
                    xerr=np.maximum(np.nan_to_num(ends), 0),
                    fmt="os^Dv<>"[number % 7],
                    color=CYCLE[number % len(CYCLE)],
                    elinewidth=0.8,
                    markersize=3.5,
                    label=METRIC_LABELS.get(metric, metric),
                )
            ax.axvline(100, color="black", linewidth=0.8, linestyle="--")
            ax.set_yticks(range(len(names)), names)
            ax.invert_yaxis()
            ax.tick_params(axis="y", length=0)
            ax.set(title=target, xlabel="of fully supervised (%)")
            grid(ax, "x")
        fig.legend(
            *axes[0, 0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=min(len(metrics), 7 if len(frames) > 1 else 3),
        )
    return fig


def seeds(frame: pd.DataFrame, metric: str) -> Figure:
    """Each seed a point, the mean a line: whether differences between strategies survive another seed.

    `frame`: columns target, strategy, group, seed, value (fractions), one metric.
    """
    targets = list(dict.fromkeys(frame.target))
    with styled():
        rows = max(frame[frame.target == t].strategy.nunique() for t in targets)
        fig, axes = figure(DOUBLE if len(targets) > 1 else SINGLE, 0.9 + 0.2 * rows, 1, len(targets))
        marks = sorted(frame.seed.unique())
        for ax, target in zip(axes[0], targets, strict=True):
            part = frame[frame.target == target]
            names = list(dict.fromkeys(part.strategy))
            for y, name in enumerate(names):
                values = 100 * part[part.strategy == name].value
                ax.plot([values.mean()] * 2, [y - 0.32, y + 0.32], color="black", linewidth=1.2)
            for number, seed in enumerate(marks):
                one = part[part.seed == seed]
                ax.plot(
                    100 * one.value,
                    [names.index(s) for s in one.strategy],
                    "os^Dv<>"[number % 7],
                    color=CYCLE[number % len(CYCLE)],
                    alpha=0.85,
                    markersize=3.5,
                    linestyle="",
                )
            ax.set_yticks(range(len(names)), names)
            ax.invert_yaxis()
            ax.tick_params(axis="y", length=0)
            ax.set(title=target, xlabel=f"{METRIC_LABELS.get(metric, metric)} (x100)")
            grid(ax, "x")
        handles = [
            Line2D([], [], marker="os^Dv<>"[i % 7], color=CYCLE[i % len(CYCLE)], linestyle="")
            for i in range(len(marks))
        ]
        fig.legend(
            [*handles, Line2D([], [], color="black")],
            [*(f"seed {s}" for s in marks), "mean"],
            loc="outside lower center",
            ncols=min(len(marks) + 1, 6),
        )
    return fig


def decoding(results: pd.DataFrame, metric: str) -> Figure:
    """Greedy against beam search for the rows that have both: `results` holds both decodings."""
    frame = results[(results.metric == metric) & results.value.notna()]
    both = frame.groupby(["target", "strategy"]).decoding.nunique()
    keys = [k for k in dict.fromkeys(zip(frame.target, frame.strategy, strict=True)) if both[k] > 1]
    with styled():
        fig, axes = figure(SINGLE, 0.9 + 0.3 * max(len(keys), 1))
        ax = axes[0, 0]
        for number, (kind, color) in enumerate((("greedy", GREY), ("beam", CYCLE[0]))):
            part = frame[frame.decoding == kind].set_index(["target", "strategy"]).reindex(keys)
            y, value = np.arange(len(keys)) + (number - 0.5) * 0.36, 100 * part.value.to_numpy(float)
            ends = np.stack([value - 100 * part.low.to_numpy(float), 100 * part.high.to_numpy(float) - value])
            ax.barh(
                y,
                value,
                0.34,
                color=color,
                label=kind,
                xerr=np.maximum(np.nan_to_num(ends), 0),
                error_kw={"elinewidth": 0.8, "ecolor": "black", "capsize": 1.5},
            )
        several = len({t for t, _ in keys}) > 1
        ax.set_yticks(range(len(keys)), [f"{s}\n{t}" if several else s for t, s in keys])
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        ax.set(xlabel=f"{METRIC_LABELS.get(metric, metric)} (x100)")
        grid(ax, "x")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig
