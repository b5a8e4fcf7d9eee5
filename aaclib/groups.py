"""The groups in which the rows of a table stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Rows that stand together: the table's heading, the figures' label and colour."""

    title: str
    label: str
    colour: str
    competes: bool = False  # whether best and second are sought in it


GROUPS: dict[str, Group] = {
    "supervised": Group("With paired audio (same decoder)", "with paired audio", "#5A5A5A"),  # intervals are black
    "baseline": Group("Baseline (plain swap)", "baseline", "#A8A8A8", True),
    "training": Group("Training strategies", "training strategy", "#0072B2", True),
    "inference": Group("Inference strategies", "inference strategy", "#009E73", True),
    "both": Group("Training and inference strategies", "both", "#CC79A7", True),
    # rows that would be weakly supervised, were the pairs that they read not the target's own
    "paired": Group("With the target's own pairs (not weakly supervised)", "target's own pairs", "#56B4E9"),
    "control": Group("Controls", "control", "#C9C9C9"),
    "external": Group("Other systems, scored by us", "other system", "#E69F00"),
    "published": Group("Published by others", "published", "#F0E442"),
}
WEAK = tuple(name for name, group in GROUPS.items() if group.competes)
