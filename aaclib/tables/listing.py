"""Captions side by side, as a reader wants to compare them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aaclib import results
from aaclib.escape import NO_MATH
from aaclib.plots.results import METRIC_LABELS
from aaclib.tables import facts

if TYPE_CHECKING:
    from aaclib.run import Run


def side_by_side(
    run: Run, target: str, index: int, seed: int, strategies: Sequence[str] | None = None, decoding: str = "greedy"
) -> pd.DataFrame:
    """What each row of the table says about one evaluation clip: columns row, caption and the clip's own score in the
    headline metric (x100; NaN where that is missing). The references come first."""
    clip = run.clips(target, "evaluation", seed)[index]
    rows: list[dict[str, Any]] = [{"row": facts.human(run), "caption": caption} for caption in clip.captions]
    metric = run.config.metrics.headline
    for row in run.strategies(target):
        if row.name == "human" or (strategies is not None and row.name not in strategies):
            continue
        frame = results.per_clip(run, target, row.name, seed, decoding)
        score = 100 * float(frame[metric].iloc[index]) if metric in frame else np.nan
        rows.append({"row": row.name, "caption": frame.candidate.iloc[index], METRIC_LABELS[metric]: score})
    return pd.DataFrame(rows)


def examples(run: Run, target: str, seed: int, count: int = 3) -> list[int]:
    """Evaluation clips to look at, chosen by a rule and not by eye: evenly spaced over the clips in order of the
    baseline's own score (three: a quarter, half and three quarters of the way down), or in their own order where that
    is missing."""
    n, metric = len(run.clips(target, "evaluation", seed)), run.config.metrics.headline
    order, names = np.arange(n), [row.name for row in run.strategies(target)]
    if names:
        frame = results.per_clip(run, target, "baseline" if "baseline" in names else names[0], seed, "greedy")
        if metric in frame:
            order = np.argsort(-frame[metric].to_numpy(), kind="stable")
    if n > count + 1:
        order = order[np.linspace(0, n - 1, count + 2).round().astype(int)[1:-1]]  # without both ends
    return order[:count].tolist()


def text_table(frame: pd.DataFrame, decimals: int = 1) -> Any:
    """A frame for a notebook, its text whole and on the left, numbers with `decimals` places and gaps as '-'. This is
    the one way of a frame to a notebook: captions and names are shown as they are, never as HTML or mathematics."""

    def shown(value: Any) -> str:
        return html.escape(f"{value:.{decimals}f}" if pd.api.types.is_float(value) else str(value))

    styled: Any = frame.reset_index(drop=True).style.format(shown, na_rep="-").format_index(shown, axis="columns")
    styled = styled.hide(axis="index").set_table_attributes(NO_MATH)
    styled = styled.set_properties(**{"text-align": "left", "white-space": "normal"})
    return styled.set_table_styles([{"selector": "th", "props": [("text-align", "left")]}])
