"""Unit costs of this machine: measured when a plan first asks for them, corrected by each run, kept with the machine.

A unit is a kind of work and what decides its cost: a training step of a decoder of these sizes, a window through a
CLAP. What would take too long to measure (Java's metrics, a notebook's own cells) has the time of the machine that it
was measured on, scaled by how much faster or slower this one calculates, until a run has said what it takes here.
"""

from __future__ import annotations

import functools
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from aaclib import workers
from aaclib.cache import Cache, key
from aaclib.paths import cache_dir
from aaclib.progress import duration
from aaclib.suite import measure

MEASURED, LEARNED, SCALED = "measured here", "from the last run here", "scaled from another machine"
SCALED_S = {  # seconds on two cores of a server of 2025, where `measure.calculation` took measure.REFERENCE_S
    "spice": 0.021,  # a caption parsed
    "meteor": 0.003,  # a caption scored
    "java": 12.0,  # METEOR's start, once a notebook
    "written": 0.001,  # the captions of a synthetic scene
    "notebook/00": 12.0,  # what a notebook takes where the store has all that it asks for: imports, figures
    "notebook/01": 12.0,
    "notebook/02": 14.0,
    "notebook/03": 18.0,
    "notebook/04": 20.0,
    "notebook/05": 20.0,
    "notebook/06": 30.0,
    "notebook/14": 14.0,
}
BUSY = 0.35  # share of the processor that others take, from which on a measurement is not for ever
TRUSTED = 4.0  # a run that took so many times its estimate, or so little of it, was disturbed or resumed: not believed
SHARE = 0.7  # of a stage's estimate: what makes up so much of it is what its time says something about


class Unit(NamedTuple):
    """`kind`: a function of aaclib.suite.measure, or a name in SCALED_S. `settings`: its arguments, as JSON."""

    kind: str
    settings: str = "{}"
    at_once: int = 1  # so many side by side: the cost is that of one of them then

    @property
    def measurable(self) -> bool:
        return self.kind not in SCALED_S


class Cost(NamedTuple):
    seconds: float
    basis: str  # MEASURED, LEARNED or SCALED
    busy: float = 0.0  # the share of the processor that others took meanwhile


def unit(kind: str, at_once: int = 1, **settings: Any) -> Unit:
    """
    >>> unit("window", clap="tiny", device="cpu")
    Unit(kind='window', settings='{"clap": "tiny", "device": "cpu"}', at_once=1)
    """
    return Unit(kind, json.dumps(settings, sort_keys=True), at_once)


@functools.cache
def machine() -> dict[str, Any]:
    """What a cost holds for: processor, cores, GPU and PyTorch."""
    names = [line.partition(":")[2].strip() for line in _read("/proc/cpuinfo") if line.startswith("model name")]
    gpu = sorted(path.name for path in Path("/proc/driver/nvidia/gpus").glob("*"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": next(iter(names), platform.processor()), "cores": cores, "gpu": gpu} | {
        "torch": metadata.version("torch")
    }


def _read(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:  # not on this system
        return []


def costs(units: Iterable[Unit]) -> dict[Unit, Cost]:
    """The costs of these units: known ones from the cache, the others measured now or scaled. What was measured while
    others took the processor is measured again once they do not."""
    units, now = list(dict.fromkeys(units)), None
    known = _kept(units)
    if any(cost.busy > BUSY for cost in known.values()) and (now := busy()) < BUSY:
        known = {one: cost for one, cost in known.items() if cost.busy <= BUSY}
    if fresh := [one for one in units if one not in known and one.measurable]:
        now = busy() if now is None else now
        made = {one: Cost(seconds, MEASURED, now) for one, seconds in _measured(fresh).items()}
        _keep(made)
        known |= made
    if scaled := [one for one in units if one not in known]:
        factor = speed()
        known |= {one: Cost(_seconds(one) * factor, SCALED) for one in scaled}
    return known


def _seconds(one: Unit) -> float:
    return SCALED_S[one.kind]


def speed() -> float:
    """How many times as long as the machine of SCALED_S this one takes for the same calculation."""
    one = Unit("calculation")
    if not (found := _kept([one])):
        found = {one: Cost(measure.calculation(), MEASURED)}
        _keep(found)
    return found[one].seconds / measure.REFERENCE_S


def busy() -> float:
    """The share of the processor, 0 to 1, that is in use while this process waits."""
    import psutil

    return psutil.cpu_percent(0.3) / 100


def _measured(units: Sequence[Unit]) -> dict[Unit, float]:
    """Each in processes of their own, which a plan in a notebook leaves as they were: its random streams, threads and
    memory. Those that run side by side later are measured side by side."""
    found = {}
    with workers.pool(max(one.at_once for one in units)) as submit:
        for job in [submit(measure.ready) for _ in range(max(one.at_once for one in units))]:
            job.result()
        for one in sorted(units, key=lambda one: one.at_once):
            jobs = [submit(measure.run, one.kind, json.loads(one.settings)) for _ in range(one.at_once)]
            found[one] = max(job.result() for job in jobs)
    return found


# ---- what runs say


def estimated(said: str) -> dict[str, dict[Unit, float]]:
    """stage -> unit -> seconds of the plan that a stage has told of (aaclib.suite.doctor.plan)."""
    return {stage: {Unit(*one): seconds for *one, seconds in each} for stage, each in json.loads(said).items()}


def table(stages: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The lines of a small table, `stage  estimated  took`; "-" where a stage was not estimated."""
    width = max(map(len, (*stages, "stage")))
    lines = [f"  {'stage':<{width}} {'estimated':>12} {'took':>12}"]
    for stage, found in stages.items():
        guess = duration(found["estimated"]) if "estimated" in found else "-"
        lines.append(f"  {stage:<{width}} {guess:>12} {duration(found['seconds']):>12}")
    return lines


def learn(stage: Mapping[Unit, float], took: float) -> dict[Unit, Cost]:
    """Corrects the unit that most of a stage's estimate came from, by what the stage took; returns what was learned.

    `stage`: unit -> estimated seconds. Nothing is learned where no unit stands out, and where the two differ so much
    that something else must have happened: a training that was resumed, a machine that slept.
    """
    total = sum(stage.values())
    if not total:
        return {}
    one, most = max(stage.items(), key=lambda item: item[1])
    if most < SHARE * total or not 1 / TRUSTED < took / total < TRUSTED:
        return {}
    before = costs([one])[one].seconds
    learned = {one: Cost(before * max(took - (total - most), 0.1 * took) / most, LEARNED)}
    _keep(learned)
    return learned


# ---- the cache


def _cache() -> Cache:
    return Cache.at(cache_dir() / "unit-costs.sqlite")


def _key(one: Unit) -> bytes:
    return key(machine(), *one)


def _kept(units: Sequence[Unit]) -> dict[Unit, Cost]:
    found = _cache().get(map(_key, units))
    return {one: Cost(**json.loads(found[_key(one)])) for one in units if _key(one) in found}


def _keep(costs: Mapping[Unit, Cost]) -> None:
    _cache().put({_key(one): json.dumps(cost._asdict()).encode() for one, cost in costs.items()})
