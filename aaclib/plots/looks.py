"""How a row of the tables looks in every figure: the colour is its training's, as of the training's own loss curve, and
the hatching what happens at inference. Rows that are no strategies are grey, or have the colour of their group."""

from __future__ import annotations

from typing import Any

from matplotlib.patches import Patch

from aaclib import bridge
from aaclib.groups import GROUPS
from aaclib.plots.style import GREY

HATCHES = ("/////", ".....", "xxxxx", "-----", "\\\\\\\\\\", "+++++", "|||||", "ooooo")
PLAIN = "text alone"  # the training without anything done to the text


def look(name: str, group: str) -> dict[str, Any]:
    """The keywords of a bar of this row.

    >>> look("noise+projection", "both")["color"] == bridge.TRAINING["noise"].colour
    True
    """
    if not _strategy(name, group):
        return {"color": GROUPS[group].colour if group in GROUPS else GREY}
    row = bridge.strategy(name)
    colour = {"color": bridge.TRAINING[row.training].colour}
    return colour if row.inference == "audio" else {**colour, **_hatched(row.inference)}


def legend(rows: dict[str, str]) -> tuple[list[Patch], list[str]]:
    """Patches and labels that explain these rows (name -> group): a colour a training, a hatching an inference half, a
    grey for the rows of each other group."""
    strategies = [bridge.strategy(name) for name, group in rows.items() if _strategy(name, group)]
    trainings = dict.fromkeys(row.training for row in strategies)
    halves = dict.fromkeys(row.inference for row in strategies if row.inference != "audio")
    others = dict.fromkeys(group for name, group in rows.items() if not _strategy(name, group) and group in GROUPS)
    entries = {(PLAIN if name == "text" else name): {"color": bridge.TRAINING[name].colour} for name in trainings}
    entries |= {f"+ {half}": {"color": "#B0B0B0", **_hatched(half)} for half in halves}
    entries |= {GROUPS[group].label: {"color": GROUPS[group].colour} for group in others}
    return [Patch(**_edged(how)) for how in entries.values()], list(entries)


def _hatched(half: str) -> dict[str, Any]:
    known = list(bridge.INFERENCE)
    first = half.partition("+")[0]
    order = ["projection", "nearest", *(name for name in known if name not in ("projection", "nearest"))]
    return {"hatch": HATCHES[order.index(first) % len(HATCHES)] if first in order else "", "edgecolor": "white"}


def _edged(how: dict[str, Any]) -> dict[str, Any]:
    """`color` would overrule the colour of the hatching."""
    return {"facecolor": how["color"], "linewidth": 0, **{k: v for k, v in how.items() if k != "color"}}


def _strategy(name: str, group: str) -> bool:
    """Whether the row has a training and an inference half of its own."""
    if group in ("control", "external", "published"):
        return False
    try:
        return bridge.strategy(name).group != "control"
    except bridge.StrategyError:
        return False
