"""Figures of the results: bars with intervals, relative performance, seeds, greedy against beam."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aaclib.metrics import registered
from aaclib.plots import looks
from aaclib.plots.style import CYCLE, DOUBLE, GREY, SINGLE, Drawing, figure, grid, named_rows, styled

METRIC_LABELS: Mapping[str, str] = ChainMap(
    registered.LABELS,
    {
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
    },
)
INTERVAL = {"ecolor": "black", "elinewidth": 0.8, "capsize": 1.5}


def bars(results: pd.DataFrame, metrics: tuple[str, ...] = ("cider_d",)) -> Figure:
    """Strategies as bars with 95 % intervals, x100, each row with its look (plots.looks); one panel per target and
    metric. A strategy has the same height in all panels, and no bar where a target lacks it.

    `results`: the tidy frame of `results.results` for one or more targets (value, low, high as fractions).
    """
    frame = results.loc[results.metric.isin(metrics) & results.value.notna()]
    panels = {
        (target, metric): part
        for metric in metrics
        for target in frame.target.unique()
        if len(part := frame.loc[(frame.target == target) & (frame.metric == metric)])
    }
    names = _in_one_order(part.strategy for part in panels.values())
    columns = min(2, max(len(panels), 1))
    lines = -(-max(len(panels), 1) // columns)
    handles, labels = looks.legend(dict(zip(frame.strategy, frame.group, strict=True)))
    width, across = (DOUBLE, 7) if columns == 2 else (SINGLE, 3)
    above = 0.35 + 0.14 * -(-len(labels) // across)
    with styled():
        fig, axes = figure(
            width, lines * (0.5 + 0.165 * max(len(names), 3)) + above, lines, columns, sharey=True, sharex=False
        )
        fig.numbers = frame.drop(columns="note", errors="ignore")
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        _share_rows(axes, names)
        if not panels:
            axes[0, 0].text(0.5, 0.5, "no score in this metric", ha="center")
        for ax, ((target, metric), part) in zip(axes.flat, panels.items(), strict=False):
            y, (value, ends) = [names.index(name) for name in part.strategy], _percent(part)
            for yi, length, name, group in zip(y, value, part.strategy, part.group, strict=True):
                ax.barh(yi, length, height=0.76, linewidth=0, **looks.look(name, group))
            ax.errorbar(value, y, xerr=ends, fmt="none", **INTERVAL)
            for yi, v, up in zip(y, value, ends[1], strict=True):
                ax.annotate(
                    f"{v:.1f}", (v + up, yi), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7
                )
            ax.margins(x=0.16)
            ax.set_xlim(left=0)
            n = f", n = {int(part.n.max())}" if part.n.notna().any() else ""
            ax.set(title=f"{target}{n}", xlabel=_x100(metric))
        fig.legend(
            handles, labels, loc="outside upper center", ncols=min(across, len(labels) or 1),
            columnspacing=1.0, handlelength=1.4, handletextpad=0.5,
        )  # fmt: skip
    return fig


def relative(frames: Mapping[str, pd.DataFrame], metrics: tuple[str, ...]) -> Figure:
    """Relative performance (strategy / bound, in %) with intervals: one panel per target, a colour per metric.

    `frames`: target -> the frame of `results.relative` (strategy, metric, value, low, high; fractions).
    """
    with styled():
        fig, axes, names = _target_panels(frames, 0.24)
        shown = [frame[frame.metric.isin(metrics)].assign(target=target) for target, frame in frames.items()]
        fig.numbers = pd.concat(shown, ignore_index=True) if shown else None
        for ax, (target, frame) in zip(axes, frames.items(), strict=False):
            for number, metric in enumerate(metrics):
                part = frame[frame.metric == metric].set_index("strategy").reindex(names)
                y = np.arange(len(names)) + (number - (len(metrics) - 1) / 2) * 0.7 / max(len(metrics), 1)
                value, ends = _percent(part)
                ax.errorbar(
                    value, y, xerr=ends, elinewidth=0.8, label=METRIC_LABELS.get(metric, metric), **_points(number)
                )
            ax.axvline(100, color="black", linewidth=0.8, linestyle="--")
            ax.set(title=target, xlabel="of the bound (%)")
        fig.legend(
            *axes[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=min(len(metrics), 7 if len(frames) > 1 else 3) or 1,
        )
    return fig


def seeds(frame: pd.DataFrame, metric: str) -> Figure:
    """Each seed a point, the mean a line: whether differences between strategies survive another seed.

    `frame`: columns target, strategy, group, seed, value (fractions), one metric.
    """
    parts = {str(target): part for target, part in frame.groupby("target", sort=False)}
    every = sorted(frame.seed.unique())
    with styled():
        fig, axes, names = _target_panels(parts, 0.2)
        fig.numbers = frame.assign(metric=metric)
        for ax, (target, part) in zip(axes, parts.items(), strict=False):
            for name, mean in (100 * part.groupby("strategy").value.mean()).items():
                y = names.index(name)
                ax.plot([mean] * 2, [y - 0.32, y + 0.32], color="black", linewidth=1.2)
            for number, seed in enumerate(every):
                one = part[part.seed == seed]
                ax.plot(100 * one.value, [names.index(s) for s in one.strategy], alpha=0.85, **_points(number))
            ax.set(title=target, xlabel=_x100(metric))
        handles = [*(Line2D([], [], **_points(i)) for i in range(len(every))), Line2D([], [], color="black")]
        fig.legend(
            handles,
            [*(f"seed {s}" for s in every), "mean"],
            loc="outside lower center",
            ncols=min(len(handles), 6 if len(parts) > 1 else 3),
        )
    return fig


def decoding(results: pd.DataFrame, metric: str) -> Figure:
    """Greedy against beam search for the rows that have both: `results` holds both decodings."""
    frame = results[(results.metric == metric) & results.value.notna()]
    both = frame.groupby(["target", "strategy"]).decoding.nunique()
    keys = [k for k in dict.fromkeys(zip(frame.target, frame.strategy, strict=True)) if both[k] > 1]
    several = len({target for target, _ in keys}) > 1
    with styled():
        fig, ((ax,),) = figure(SINGLE, 0.9 + 0.3 * max(len(keys), 1))
        fig.numbers = frame.loc[[(t, s) in keys for t, s in zip(frame.target, frame.strategy, strict=True)]]
        for number, (kind, color) in enumerate((("greedy", GREY), ("beam", CYCLE[0]))):
            part = frame.loc[frame.decoding == kind].set_index(["target", "strategy"]).reindex(keys)
            value, ends = _percent(part)
            ax.barh(
                np.arange(len(keys)) + (number - 0.5) * 0.36,
                value,
                0.34,
                color=color,
                label=kind,
                xerr=ends,
                error_kw=INTERVAL,
            )
        if not keys:
            ax.text(0.5, 0.5, "no row was decoded both ways", transform=ax.transAxes, ha="center")
        named_rows(ax, (f"{s}\n{t}" if several else s for t, s in keys))
        ax.set(xlabel=_x100(metric))
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def _percent(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Values x100 (n,), and how far their intervals reach below and above them (2, n), 0 where there is none."""
    value, low, high = (100 * part[column].to_numpy(float) for column in ("value", "low", "high"))
    return value, np.maximum(np.nan_to_num(np.stack([value - low, high - value])), 0)


def _x100(metric: str) -> str:
    return f"{METRIC_LABELS.get(metric, metric)} (x100)"


def _points(number: int) -> dict[str, Any]:
    """The look of the points of the number-th metric or seed."""
    return {"marker": "os^Dv<>"[number % 7], "color": CYCLE[number % len(CYCLE)], "markersize": 3.5, "linestyle": ""}


def _target_panels(frames: Mapping[str, pd.DataFrame], inches: float) -> tuple[Drawing, np.ndarray, list[str]]:
    """A figure, its axes (targets,) with room of so many inches per strategy, and the strategies down their sides."""
    names = _in_one_order(frame.strategy for frame in frames.values())
    width = DOUBLE if len(frames) > 1 else SINGLE
    fig, axes = figure(width, 0.9 + inches * len(names), 1, max(len(frames), 1), sharey=True)
    _share_rows(axes, names)
    return fig, axes[0], names


def _share_rows(axes: np.ndarray, names: Sequence[str]) -> None:
    """The same rows in all panels (lines, columns), named down the left side."""
    named_rows(axes[0, 0], names)
    for ax in axes.flat:
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        grid(ax, "x")


def _in_one_order(lists: Iterable[Iterable[str]]) -> list[str]:
    """All names of these lists, each once: those that the first does not have behind their neighbour in the other."""
    names: list[str] = []
    for names_here in lists:
        place = 0
        for name in dict.fromkeys(names_here):
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return names
