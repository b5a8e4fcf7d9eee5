"""Which rows of a profile's table a run can compute, and why not the others; and whether any needs external pairs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from aaclib import bridge, prompts
from aaclib.config import Config
from aaclib.contradictions import SIGMAS

if TYPE_CHECKING:
    from aaclib.run import Run


def no_pairs(config: Config) -> str:
    """Why a run of these settings measures nothing on external pairs, or '' where it does: sigma, if that is estimated,
    or the gap for a row of any target. Pairs that nobody reads are neither fetched nor embedded.

    >>> no_pairs(config.load("paper")), no_pairs(config.load("paper", {"data.targets": {"clotho": ["copy"]}}))
    ('', 'no row reads them')
    """
    if not config.data.pairs or config.captioner:  # a finished run has measured what its decoders needed
        return "the profile names none"
    names = {*itertools.chain(*config.data.targets.values()), *bridge.registered()}
    read = config.gap.sigma in SIGMAS or any(map(bridge.needs_pairs, names))
    return ("" if read else "no row reads them") if config.gap.n_pairs else "gap.n_pairs is 0"


def planned(config: Config, target: str) -> tuple[str, ...]:
    """The rows of a target that a run of these settings will have, as far as can be known before it looks at data: all
    of the profile's, or without external pairs those that need none."""
    names = config.data.targets[target]
    return tuple(n for n in names if not bridge.needs_pairs(n)) if no_pairs(config) else names


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
    if bridge.prompted(name) == "labels" and not prompts.labels(run):
        return f"the pairs ({run.config.data.pairs or 'none'}) have no labels to choose from"
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
