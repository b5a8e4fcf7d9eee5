"""What a run would fetch, keep and cost: the work that is left (aaclib.suite.doctor.work), each unit of it at what it
costs on this machine (aaclib.suite.costs)."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aaclib import bridge, roles
from aaclib.config import Clap, Config
from aaclib.datasets import absent
from aaclib.progress import duration
from aaclib.rows import no_pairs, planned
from aaclib.suite.costs import BUSY, MEASURED, SCALED, Cost, Unit, costs
from aaclib.suite.doctor.needs import needs
from aaclib.suite.doctor.sizes import count
from aaclib.suite.doctor.work import BERT_TOKENS, FAST_CLAP, Work, placed
from aaclib.told import tell

PAIRS = "--set data.pairs=wavcaps has them (580 MB)."
FEWEST_STEPS = 100  # of the tiny CLAP's training; smoke takes 147


@dataclass(frozen=True, repr=False)
class Plan:
    """`stages`: stage, target, what, seconds, basis; a line for each piece of work, that of a notebook itself included.
    `downloads`: what, where, state, GB. Prints itself line by line."""

    title: str
    device: str
    stages: pd.DataFrame
    downloads: pd.DataFrame
    gpu_gb: float  # memory, about
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return float(self.stages.seconds.sum())

    @property
    def to_fetch_gb(self) -> float:
        return float(self.downloads[self.downloads.state == "to fetch"].gb.sum())

    def of_stages(self) -> dict[str, tuple[float, str]]:
        """stage -> seconds, and what takes them."""
        groups = self.stages.groupby("stage", sort=False)
        return {
            str(stage): (float(part.seconds.sum()), ", ".join(dict.fromkeys(filter(None, part.what))))
            for stage, part in groups
        }

    def __iter__(self) -> Iterator[str]:
        yield f"{self.title}: on {self.device}, about {duration(self.seconds)}, downloads apart."
        found = self.of_stages()
        width = max(map(len, found), default=0)
        for stage, (seconds, what) in found.items():
            yield f"  {stage:<{width}} {duration(seconds):>12}   {what}"
        shares = self.stages.groupby("basis").seconds.sum().sort_values(ascending=False)
        if self.seconds:
            parts = [f"{basis} {duration(float(seconds))}" for basis, seconds in shares.items()]
            yield f"Of these: {', '.join(parts)}."
        if len(self.downloads):
            yield f"Needed from outside, {self.to_fetch_gb:.1f} GB to fetch:"
        row: Any
        for row in self.downloads.itertuples():
            size = f"{row.gb * 1000:.0f} MB" if row.state == "to fetch" and row.gb else ""
            yield f"  {row.state:<9} {size:>8}  {row.what} ({row.where})"
        yield f"Memory of the GPU: about {self.gpu_gb:.0f} GB." if self.device != "cpu" else "No GPU is used."
        yield from self.notes

    def __str__(self) -> str:
        return "\n".join(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def plan(
    config: Config,
    due: Sequence[str] | None = None,
    refresh: float = 0.0,
    known: Mapping[Unit, Cost] | None = None,
) -> Plan:
    """The plan of a profile on this machine. Fetches nothing; unit costs that this machine does not know yet are
    measured, which takes seconds, once.

    `due`: the stages that are executed, by their keys; None = all. `refresh`: what was made before this time is made
    again. `known`: unit costs to reckon with, instead of this machine's.

    >>> plan(config.load("quick")).seconds
    """
    from aaclib.device import pick_device  # which needs PyTorch

    pieces = placed(config, due, refresh)
    found = known if known is not None else costs(work.unit for _, work in pieces)
    device, frame = pick_device(config.device).type, _frame(pieces, found)
    units: dict[str, dict[Unit, float]] = {}
    for stage, work in pieces:
        spent = units.setdefault(stage, {})
        spent[work.unit] = spent.get(work.unit, 0.0) + work.count * found[work.unit].seconds
    tell("estimated", estimate(units))
    downloads = [
        (n.what, n.where, "here" if n.here else "to fetch" if n.url else "MISSING", n.size / 1e9) for n in needs(config)
    ]
    return Plan(
        config.title or config.name,
        device,
        frame,
        pd.DataFrame(downloads, columns=["what", "where", "state", "gb"]),
        _gpu_gb(config),
        tuple(_notes(config, found)),
    )


def _frame(pieces: Sequence[tuple[str, Work]], found: Mapping[Unit, Cost]) -> pd.DataFrame:
    """A line for each kind of work of a stage, in the order of the stages' own work."""
    lines: dict[tuple[str, str, str], dict[str, Any]] = {}
    for stage, work in pieces:
        cost = found[work.unit]
        line = lines.setdefault((stage, work.what, cost.basis), {"n": 0, "seconds": 0.0})
        line["n"] += work.n
        line["seconds"] += work.count * cost.seconds
    rows = [
        (stage, stage.partition("/")[2], f"{line['n']:,} {what}" if what and line["n"] > 1 else what)
        + (line["seconds"], basis)
        for (stage, what, basis), line in lines.items()
    ]
    return pd.DataFrame(rows, columns=["stage", "target", "what", "seconds", "basis"])


def _notes(config: Config, found: Mapping[Unit, Cost]) -> Iterator[str]:
    targets = config.data.targets
    left_out = {t: why for t in targets if (why := absent(t, config.data))}
    yield from (f"The table of {target} is left out: {why}" for target, why in left_out.items())
    here = [target for target in targets if target not in left_out]
    if needing := {name for target in here for name in targets[target] if name not in planned(config, target)}:
        yield f"Left out without pairs ({no_pairs(config)}): {', '.join(sorted(needing))}. {PAIRS}"
    for target in (t for t in targets if t not in left_out and roles.learned_from(config, t) == t):
        written = any(bridge.strategy(name).written for name in targets[target])
        if written and not count(config, target, "train")[1]:
            yield f"{target}: the captions are not here yet, so its times are missing."
    clap = config.clap.backend
    if clap.partition(":")[0] not in (*FAST_CLAP, "embeddings"):
        yield f"How long the CLAP {clap} takes is known once it has run: its times are missing."
    if any(one.basis == MEASURED and one.busy > BUSY for one in found.values()):
        yield "Measured while others took the processor: where they end, it takes less, and the next plan says so."
    if any(one.basis == SCALED for one in found.values()):
        yield "Notebooks' own cells and Java's metrics are not measured beforehand: the first run says what they take."
    if clap == "tiny" and config.data.pretrain:
        yield from _too_short(config.clap, count(config, config.data.pretrain, "train")[0])


def estimate(units: Mapping[str, Mapping[Unit, float]]) -> str:
    """The estimate as the runner reads it (`costs.estimated`)."""
    return json.dumps({stage: [[*one, seconds] for one, seconds in each.items()] for stage, each in units.items()})


def _too_short(clap: Clap, clips: int) -> list[str]:
    """What to set where the tiny CLAP would take so few steps that it hears nothing."""
    steps = clap.epochs * (clips // max(min(clap.train_batch, clips), 1))
    if not clips or steps >= FEWEST_STEPS:
        return []
    epochs = -(-3 * FEWEST_STEPS // max(clips // 32, 1))
    return [
        f"The tiny CLAP would train for {steps} steps on {clips} clips, too few to hear anything: "
        f"--set clap.train_batch=32 --set clap.epochs={epochs}"
    ]


def _gpu_gb(config: Config) -> float:
    """Weights and batches of CLAP (0.6 GB and some), or weights, Adam and logits of a decoder: the larger one."""
    how = config.decoder
    vocabulary = how.vocabulary if how.tokenizer == "words" else BERT_TOKENS
    parameters = 12 * how.layers * how.width**2 + vocabulary * how.width
    logits = 3 * 4 * config.train.batch_size * (how.max_tokens + 1) * vocabulary
    return 1 + max(2.5e9 if config.clap.backend != "tiny" else 0.5e9, 16 * parameters + logits) / 1e9
