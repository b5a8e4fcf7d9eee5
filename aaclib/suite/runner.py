"""Runs the stages of a profile in order, and each only when something it depends on has changed.

A stage is a notebook, executed for one target or for the whole run (aaclib.suite.stages). Its executed copy, the
figures and tables that it wrote and the facts about how it ran lie under `data/runs/<run>/` (aaclib.suite.record);
`run.json` there is rewritten after each stage, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aaclib import bridge, cluster, lost, provenance, saving, told
from aaclib import config as configs
from aaclib.config import Config
from aaclib.datasets import absent
from aaclib.paths import project_root, runs_dir
from aaclib.progress import duration
from aaclib.records import gone
from aaclib.store import digest
from aaclib.suite import costs, depends, notebook, report
from aaclib.suite.record import Folder, RunError
from aaclib.suite.stages import NOTEBOOKS, Notebook, Stage, stages
from aaclib.sums import changed, sums

# modules that no notebook's result depends on, and settings that change how fast but not what
RUNS = (
    "cli",
    "caption_command",
    "export_command",
    "lab",
    "__main__",
    "runner",
    "stages",
    "record",
    "depends",
    "notebook",
    "outputs",
)
RUNS += ("notebook", "outputs", "figures", "report", "report_pages", "report_outputs")
BYSTANDERS = (*RUNS, "provenance", "errors")
CHANGED = {
    "notebook": "its notebook changed",
    "settings": "the settings changed",
    "code": "aaclib changed",
    "packages": "other package versions",
    "inputs": "input files changed",
    "upstream": "an earlier stage changed",
}


class Runner:
    """One profile's run. `source`: the folder of the notebooks; `notebooks`: all of them, in order."""

    def __init__(
        self,
        profile: str = "quick",
        overrides: Mapping[str, Any] | Iterable[str] = (),
        *,
        offline: bool = False,
        source: Path | None = None,
        notebooks: Sequence[Notebook] = NOTEBOOKS,
    ):
        self.profile = str(Path(profile).resolve()) if profile.endswith((".yaml", ".yml")) else profile
        self.offline = offline
        self.overrides = {key: depends.absolute(key, value) for key, value in configs.pairs_of(overrides)}
        if offline:
            self.overrides["data.download"] = False
        self.config: Config = configs.load(profile, self.overrides)
        for row in (*itertools.chain(*self.config.data.targets.values()), *self.config.generate.beam_rows):
            bridge.strategy(row)  # a misspelt row ends the run now, not in an hour
        self.stages = stages(self.config, notebooks)
        self.root = project_root()
        self.source = source or self.root / "notebooks"
        self.folder = Folder(runs_dir().absolute() / self.config.name)
        self.estimated: dict[str, dict[costs.Unit, float]] = {}  # stage -> unit -> seconds, once notebook 00 says so

    # -- what is there --------------------------------------------------------------------------------------------

    @functools.cached_property
    def _fixed(self) -> dict[str, str]:
        """Digests that are the same for all stages, taken once: a run is of the code that it began with."""
        return {
            "settings": digest(saving.deciding(self.config)),
            "code": provenance.package_digest(BYSTANDERS),
            "packages": digest(provenance.versions()),
        }

    def made_from(self, stage: Stage) -> dict[str, str]:
        """The digests that decide whether a stage has to run again, but for that of the input files."""
        upstream = [self.made_from(s) for s in self.stages if s.key in stage.needs]
        own = provenance.notebook_digest(self._notebook(stage))
        return {"notebook": own, **self._fixed, "upstream": digest(upstream)}

    def inputs(self) -> dict[str, str]:
        """The same for the files outside the store that a run reads."""
        return {"inputs": digest(depends.inputs(self.config, self.root))}

    def reason(self, stage: Stage, record: Mapping[str, Any]) -> str:
        """Why a stage has to run; "" when it does not."""
        done = record["stages"].get(stage.key)
        if not done:
            return "not finished yet"
        now = self.made_from(stage) | self.inputs()
        if why := [why for key, why in CHANGED.items() if now[key] != done["made_from"].get(key)]:
            return ", ".join(why)
        return (
            changed(self.folder.path, done["files"])
            or gone(done["artefacts"])
            or (f"{', '.join(done['lost'])} lost to a crash" if done["lost"] else "")
        )

    def lost(self, stages: Sequence[Stage]) -> list[str]:
        """What crashes took from these stages, and what to do, a line each; empty where nothing was lost."""
        record = self.folder.read()["stages"]
        lines = [
            f"{stage}: {names} lost to a crash: {why}"
            for stage in stages
            if stage.key in record
            for why, names in lost.by_reason(record[stage.key]["lost"]).items()
        ]
        return [*lines, lost.ADVICE] if lines else []

    def plan(self, stages: Sequence[Stage], force: bool = False) -> list[str]:
        """One line per stage: what a run would do now, and why; then the targets that are left out."""
        record, lines, width = self.folder.read(), [], max((len(stage.key) for stage in stages), default=0)
        for stage in stages:
            why = "forced" if force else self.reason(stage, record)
            lines.append(f"  {stage.key:<{width}} {'run: ' + why if why else 'up to date':<32} {stage.notebook.about}")
        return [*lines, *self.left_out()]

    def left_out(self) -> list[str]:
        """The targets of the profile that cannot be had here, a line each."""
        reasons = {name: absent(name, self.config.data) for name in self.config.data.targets}
        return [f"  {name}: left out. {why}" for name, why in reasons.items() if why]

    def _notebook(self, stage: Stage) -> Path:
        path = self.source / f"{stage.notebook.name}.ipynb"
        if not path.is_file():
            raise RunError(f"The notebook {path} is missing. Set AACLIB_HOME to the folder that holds notebooks/.")
        return path

    # -- running --------------------------------------------------------------------------------------------------

    def run(self, stages: Sequence[Stage] | None = None, force: bool = False) -> dict[str, Any]:
        """Runs what has to run and returns the record. Raises NotebookError when a cell fails, and RunError before
        anything runs where something that it needs is out of reach."""
        stages = self.stages if stages is None else stages
        for stage in stages:
            self._notebook(stage)
        with self.folder.alone():
            started, ran = time.time(), []
            record = self.folder.read()
            self.folder.sweep(record)
            self._look_for_what_is_missing(stages, record, force)
            for line in self.left_out():
                print(line.strip(), flush=True)
            environment = notebook.environment(self.root, self.offline, started if force else None)
            todo = any(force or self.reason(stage, record) for stage in stages)
            if todo and self.config.cluster:  # one for all stages, which would wait for its workers each
                environment |= {cluster.VARIABLE: cluster.address(self.config.cluster)}
            for stage in stages:
                why = "forced" if force else self.reason(stage, record)
                if not why:
                    print(f"{stage}: up to date", flush=True)
                    continue
                print(f"{stage}: {stage.notebook.about} ({why})", flush=True)
                _ = self._about  # asked before the stage, so that nothing stands between its end and the record
                record["stages"][stage.key] = self._execute(stage, environment)
                self._write(record, started)
                self.folder.settle(record)
                ran.append(stage)
                inputs = self.inputs()
                for done in ran:  # a later stage may have fetched files that an earlier one depends on
                    record["stages"][done.key]["made_from"] |= inputs
                self._write(record, started)
                took = record["stages"][stage.key]["seconds"]
                costs.learn(self.estimated.get(stage.key, {}), took)
                print(f"{stage}: done in {duration(took)}", flush=True)
        asked, spent = len(stages), duration(time.time() - started)
        print(f"\n{self.config.name}: {len(ran)} of {asked} stages run in {spent}, {asked - len(ran)} up to date.")
        if ran:
            print(*costs.table({stage.key: record["stages"][stage.key] for stage in ran}), sep="\n")
        print(*self.folder.listing(), sep="\n", flush=True)
        if record["stages"] and (ran or not (self.folder.path / "report").is_dir()):
            report.renew(self.folder.path)
        return record

    def _look_for_what_is_missing(self, stages: Sequence[Stage], record: Mapping[str, Any], force: bool) -> None:
        """Raises RunError that lists everything which these stages need and which can be neither found nor fetched. The
        preflight needs nothing, and what is up to date no more."""
        from aaclib.suite import doctor  # which takes a second to import

        due = {s.notebook.number for s in stages if force or self.reason(s, record)} - {"00"}
        if due and (missing := doctor.listing(replace(self.config, notebooks=tuple(sorted(due))))):
            raise RunError("\n".join(missing))

    def _execute(self, stage: Stage, environment: Mapping[str, str]) -> dict[str, Any]:
        made_from, before, started = self.made_from(stage) | self.inputs(), self.folder.files(), time.time()
        words = self.folder.log(stage.place, "told")
        words.unlink(missing_ok=True)
        target = {"target": stage.target} if stage.target else {}
        facts = notebook.execute(
            self._notebook(stage),
            self.folder.notebook(stage.place),
            {"profile": self.profile, **target, "overrides": self.overrides},
            cwd=self.root,
            environment={**environment, told.VARIABLE: str(words)},
            log=self.folder.log(stage.place),
            console=sys.stderr,
        )
        for said in told.told("estimated", words):
            self.estimated = costs.estimated(said)
        spent = self.estimated.get(stage.key)
        written = [name for name, time_ns in self.folder.files().items() if before.get(name) != time_ns]
        result = {
            "made_from": made_from,
            "files": {**self.folder.executed(stage.place), **sums(self.folder.path, written)},
            "artefacts": sorted(set(told.told("opened", words))),
            "lost": lost.noted(words),
            "started": _clock(started),
            "seconds": round(time.time() - started, 1),
            **({"estimated": round(sum(spent.values()), 1)} if spent else {}),
            **facts,
        }
        words.unlink(missing_ok=True)
        return result

    def _write(self, record: dict[str, Any], started: float) -> None:
        stages = record["stages"]
        config = json.loads(json.dumps(asdict(self.config)))
        record |= {
            "run": self.config.name,
            "profile": self.profile,
            "overrides": self.overrides,
            "seeds": list(self.config.seeds),
            "config": config,
            **self._about,
            "started": _clock(started),
            "written": _clock(time.time()),
            "seconds": round(sum(s["seconds"] for s in stages.values()), 1),
            "peak_memory_mib": max(s["peak_memory_mib"] for s in stages.values()),
        }
        self.folder.write(record)

    @functools.cached_property
    def _about(self) -> dict[str, Any]:
        """What the results were made with; seconds, because PyTorch is asked as well."""
        return {"versions": provenance.versions(), "git": provenance.git(self.root), "machine": provenance.machine()}


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))


__all__ = ["Runner", "RunError"]
