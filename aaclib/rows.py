"""Which rows of a profile's table a run can compute, and why not the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aaclib import bridge

if TYPE_CHECKING:
    from aaclib.run import Run


def computable(run: Run, target: str) -> list[bridge.Strategy]:
    """The rows of the target's table that this run can compute: the profile's, in its order, and after them each part
    that was registered from outside; `Run.strategies` in full."""
    names = dict.fromkeys([*run.config.data.targets[target], *bridge.registered()])
    rows = [row for row in map(bridge.strategy, names) if not left_out(run, target, row.name)]
    return [replace(row, group="paired") if _knows_target(run, target, row) else row for row in rows]


def left_out(run: Run, target: str, name: str) -> str:
    """Why a row of the profile cannot be computed here, or ''."""
    if bridge.needs_pairs(name) and run.gap(run.seeds[0]).vector is None:
        return f"no audio-caption pairs to measure the gap on ({run.gap(run.seeds[0]).note})"
    references = [len(c.captions) for c in run.split(target, "evaluation").clips]
    if name == "shuffled" and len(references) < 2:
        return "one clip: its caption cannot stand on another"
    if name == "supervised" and not any(c.captions for c in run.split(target, "train").clips):
        return "the recordings have no captions to learn from"
    if name == "human" and max(references, default=0) < 2:
        return "one caption a clip: nothing to compare a human caption with"
    if name == "reconstruction" and not any(references):
        return "the recordings have no captions"
    return ""


def _knows_target(run: Run, target: str, row: bridge.Strategy) -> bool:
    """Whether a row that learned from text reads what was measured on pairs that are the target's own clips."""
    if run.config.data.pairs_split[0] != target or not row.weakly_supervised or row.group == "control":
        return False
    estimate, read = run.gap(run.seeds[0]), bridge.reads(row)
    measured = estimate.chosen not in ("given", "caption")
    return bool(estimate.n and (bridge.needs_pairs(row) or measured and {"sigma", "sigma_without_gap"} & read))
