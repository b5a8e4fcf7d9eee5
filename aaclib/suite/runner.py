"""Runs the notebooks of a profile in order, and each only when something it depends on has changed.

A stage is a notebook. Its executed copy, the figures and tables that it wrote and the facts about how it ran lie under
`data/runs/<run>/`; `run.json` there is rewritten after each stage, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aaclib import bridge, lost, provenance, saving, told
from aaclib import config as configs
from aaclib.config import Config, ConfigError
from aaclib.paths import project_root, runs_dir
from aaclib.progress import duration
from aaclib.store import Damaged, digest, gone, read_record, temporary, write_record
from aaclib.suite import depends, notebook
from aaclib.sums import changed, sums


class RunError(RuntimeError):
    """A run that cannot begin; the message says what to do."""


@dataclass(frozen=True)
class Stage:
    name: str  # the notebook's file name without .ipynb
    needs: tuple[str, ...]  # stages whose change makes this one run again
    about: str


STAGES = (
    Stage("00_preflight", (), "what this machine can do, and what the run will cost"),
    Stage("01_data", (), "the data sets, listened to and counted"),
    Stage("02_embeddings", ("01_data",), "CLAP embeddings, with a retrieval check"),
    Stage("03_modality_gap", ("02_embeddings",), "the modality gap and sigma"),
    Stage("04_training", ("02_embeddings",), "decoders trained on text only"),
    Stage("05_decoding", ("03_modality_gap", "04_training"), "captions by every strategy"),
    Stage("06_tables", ("05_decoding",), "the paper's tables"),
)

# modules that no notebook's result depends on, and settings that change how fast but not what
BYSTANDERS = ("cli", "lab", "__main__", "runner", "depends", "notebook", "outputs", "provenance", "errors")
CHANGED = {
    "notebook": "its notebook changed",
    "settings": "the settings changed",
    "code": "aaclib changed",
    "packages": "other package versions",
    "inputs": "input files changed",
    "upstream": "an earlier stage changed",
}


class Runner:
    """One profile's run. `notebooks`: the folder of the source notebooks; `stages`: all of them, in order."""

    def __init__(
        self,
        profile: str = "quick",
        overrides: Mapping[str, Any] | Iterable[str] = (),
        *,
        offline: bool = False,
        notebooks: Path | None = None,
        stages: Sequence[Stage] = STAGES,
    ):
        self.profile = str(Path(profile).resolve()) if profile.endswith((".yaml", ".yml")) else profile
        self.offline, self.stages = offline, tuple(stages)
        self.overrides = {key: depends.absolute(key, value) for key, value in configs.pairs_of(overrides)}
        if offline:
            self.overrides["data.download"] = False
        self.config: Config = configs.load(profile, self.overrides)
        for row in (*itertools.chain(*self.config.data.targets.values()), *self.config.generate.beam_rows):
            bridge.strategy(row)  # a misspelt row ends the run now, not in an hour
        self.root = project_root()
        self.notebooks = notebooks or self.root / "notebooks"
        self.folder = runs_dir().absolute() / self.config.name
        self.record_path = self.folder / "run.json"

    # -- what is there --------------------------------------------------------------------------------------------

    def record(self) -> dict[str, Any]:
        """What `run.json` says; an empty record where there is none, and where it was changed, which is said."""
        try:
            return read_record(self.record_path)
        except FileNotFoundError:
            return {"stages": {}}
        except Damaged as error:
            error.made_again()
            return {"stages": {}}

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
        upstream = [self.made_from(s) for s in self.stages if s.name in stage.needs]
        own = provenance.notebook_digest(self._source(stage))
        return {"notebook": own, **self._fixed, "upstream": digest(upstream)}

    def inputs(self) -> dict[str, str]:
        """The same for the files outside the store that a run reads."""
        return {"inputs": digest(depends.inputs(self.config, self.root))}

    def reason(self, stage: Stage, record: Mapping[str, Any]) -> str:
        """Why a stage has to run; "" when it does not."""
        done = record["stages"].get(stage.name)
        if not done:
            return "not finished yet"
        now = self.made_from(stage) | self.inputs()
        if why := [why for key, why in CHANGED.items() if now[key] != done["made_from"].get(key)]:
            return ", ".join(why)
        return (
            changed(self.folder, done["files"])
            or gone(done["artefacts"])
            or (f"{', '.join(done['lost'])} lost to a crash" if done["lost"] else "")
        )

    def lost(self, stages: Sequence[Stage]) -> list[str]:
        """What crashes took from these stages, and what to do, a line each; empty where nothing was lost."""
        record = self.record()["stages"]
        lines = [
            f"{stage.name}: {names} lost to a crash: {why}"
            for stage in stages
            if stage.name in record
            for why, names in lost.by_reason(record[stage.name]["lost"]).items()
        ]
        return [*lines, lost.ADVICE] if lines else []

    def select(self, only: Iterable[str] = (), start: str = "", end: str = "") -> tuple[Stage, ...]:
        """The stages asked for, by number ("03"), name or part of a name. Raises RunError for an unknown one."""
        wanted = {self._find(name).name for text in only for name in text.split(",") if name}
        first = self.stages.index(self._find(start)) if start else 0
        last = self.stages.index(self._find(end)) if end else len(self.stages) - 1
        if first > last:
            raise RunError(f"--from {start} comes after --to {end}: nothing to run.")
        return tuple(s for s in self.stages[first : last + 1] if not wanted or s.name in wanted)

    def _find(self, text: str) -> Stage:
        text = text.removesuffix(".ipynb")
        found = [s for s in self.stages if s.name.startswith(text)] or [s for s in self.stages if text in s.name]
        if len(found) != 1:
            raise RunError(f"There is no one stage '{text}'. Stages: {', '.join(s.name for s in self.stages)}.")
        return found[0]

    def _source(self, stage: Stage) -> Path:
        path = self.notebooks / f"{stage.name}.ipynb"
        if not path.is_file():
            raise RunError(f"The notebook {path} is missing. Set AACLIB_HOME to the folder that holds notebooks/.")
        return path

    # -- running --------------------------------------------------------------------------------------------------

    def run(self, stages: Sequence[Stage] | None = None, force: bool = False) -> dict[str, Any]:
        """Runs what has to run and returns the record. Raises NotebookError when a cell fails."""
        stages = self.stages if stages is None else stages
        for stage in stages:
            self._source(stage)
        with self._alone():
            started, ran = time.time(), []
            record = self.record()
            self._sweep(record)
            environment = notebook.environment(self.root, self.offline, started if force else None)
            for stage in stages:
                why = "forced" if force else self.reason(stage, record)
                if not why:
                    print(f"{stage.name}: up to date", flush=True)
                    continue
                print(f"{stage.name}: {stage.about} ({why})", flush=True)
                _ = self._about  # asked before the stage, so that nothing stands between its end and the record
                record["stages"][stage.name] = self._execute(stage, environment)
                self._write(record, started)
                self._settle(record)
                ran.append(stage)
                inputs = self.inputs()
                for done in ran:  # a later stage may have fetched files that an earlier one depends on
                    record["stages"][done.name]["made_from"] |= inputs
                self._write(record, started)
                print(f"{stage.name}: done in {duration(record['stages'][stage.name]['seconds'])}", flush=True)
        self._say_where(len(ran), len(stages), time.time() - started)
        return record

    def _execute(self, stage: Stage, environment: Mapping[str, str]) -> dict[str, Any]:
        made_from, before, started = self.made_from(stage) | self.inputs(), self._files(), time.time()
        words = self.folder / "logs" / f"{stage.name}.told"
        words.unlink(missing_ok=True)
        facts = notebook.execute(
            self._source(stage),
            self.folder / "notebooks" / f"{stage.name}.ipynb",
            {"profile": self.profile, "overrides": self.overrides},
            cwd=self.root,
            environment={**environment, told.VARIABLE: str(words)},
            log=self.folder / "logs" / f"{stage.name}.log",
            console=sys.stderr,
        )
        written = [name for name, time_ns in self._files().items() if before.get(name) != time_ns]
        result = {
            "made_from": made_from,
            "files": {**self._executed(stage.name), **sums(self.folder, written)},
            "artefacts": sorted(set(told.told("opened", words))),
            "lost": lost.noted(words),
            "started": _clock(started),
            "seconds": round(time.time() - started, 1),
            **facts,
        }
        words.unlink(missing_ok=True)
        return result

    def _executed(self, stage: str) -> dict[str, list]:
        """The `sums` of a stage's executed notebook, under the name that it will have."""
        [found] = sums(self.folder, [f"notebooks/{stage}{notebook.PART}"]).values()
        return {f"notebooks/{stage}.ipynb": found}

    def _files(self) -> dict[str, int]:
        """Figures and tables of the run with their times."""
        paths = [path for part in ("figures", "tables") for path in self._visible(part)]
        return {p.relative_to(self.folder).as_posix(): p.stat().st_mtime_ns for p in paths}

    def _visible(self, part: str, pattern: str = "*") -> list[Path]:
        """The files of one part of the run, but for hidden ones: what is being written, and Jupyter's checkpoints."""
        paths = sorted((self.folder / part).rglob(pattern))
        return [p for p in paths if p.is_file() and "/." not in f"/{p.relative_to(self.folder).as_posix()}"]

    def _settle(self, record: Mapping[str, Any]) -> None:
        """Gives executed notebooks their names once the record tells of them, so that at any moment a stage is either
        finished or not begun, and removes those of which it does not tell."""
        for part in (self.folder / "notebooks").glob(f"*{notebook.PART}"):
            name = part.name.removesuffix(notebook.PART)
            if self._executed(name).items() <= record["stages"].get(name, {}).get("files", {}).items():
                os.replace(part, part.with_name(f"{name}.ipynb"))
            else:
                part.unlink()

    def _sweep(self, record: Mapping[str, Any]) -> None:
        """Removes what a kill left of an earlier start."""
        self._settle(record)
        shutil.rmtree(self.folder / "notebooks" / notebook.OWN, ignore_errors=True)
        for path in self.folder.rglob(".*"):
            if temporary(path):
                path.unlink(missing_ok=True)

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
        write_record(self.record_path, record)

    @functools.cached_property
    def _about(self) -> dict[str, Any]:
        """What the results were made with; seconds, because PyTorch is asked as well."""
        return {"versions": provenance.versions(), "git": provenance.git(self.root), "machine": provenance.machine()}

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two runs of one profile would write over each other's notebooks."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = open(self.folder / ".lock", "w")
        except OSError as error:
            raise RunError(
                f"Results cannot be written to {self.folder} ({error.filename}: {error.strerror}). Mend "
                f"that, or choose another folder: export AACLIB_RUNS=DIR"
            ) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(
                    f"Another run of '{self.config.name}' is at work in {self.folder}. Wait for it, or give "
                    f"this one a name of its own with --set name=NAME."
                ) from error
            yield

    def _say_where(self, ran: int, asked: int, seconds: float) -> None:
        print(f"\n{self.config.name}: {ran} of {asked} stages run in {duration(seconds)}, {asked - ran} up to date.")
        for part, pattern in (("tables", "*.csv"), ("figures", "*.pdf"), ("notebooks", "*.ipynb")):
            files = [p for p in self._visible(part, pattern) if not p.stem.endswith((".part", ".failed"))]
            count = len(files)
            print(f"  {part:<10} {self.folder / part}" + (f"   ({count} {pattern})" if count else "   (none yet)"))
        print(f"  {'record':<10} {self.record_path}", flush=True)


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))


def plan(run: Runner, stages: Sequence[Stage], force: bool = False) -> list[str]:
    """One line a stage: what a run would do now, and why."""
    record, lines = run.record(), []
    for stage in stages:
        why = "forced" if force else run.reason(stage, record)
        lines.append(f"  {stage.name:<18} {'run: ' + why if why else 'up to date':<32} {stage.about}")
    return lines


__all__ = ["STAGES", "ConfigError", "Runner", "RunError", "Stage", "plan"]
