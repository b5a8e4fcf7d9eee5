"""Damages every file of a finished run and of its store, one after the other, and tells what came of it.

    python tests/damage.py FOLDER                a `smoke` run in FOLDER/cache and FOLDER/runs, made there if need be
    python tests/damage.py FOLDER --commands     one file of each kind only, by the real commands

Each file is changed by one byte, cut in half, emptied and deleted. Then, in this process, the run is asked what is due,
all results are asked for, one recording is captioned and the list is shown (of a kind's other files only: what is due,
and what whoever opens that artefact gets). Where the store makes something again, it is handed the untouched files, for
a training would take a minute each time. With --commands all of it is real: `run`
(the stage of the captions, which opens every kind, has lost its notebook and is due), `caption` and `list`.

Left out: logs and locks, which nobody reads, and SPICE's installation, which no run makes. Ends with exit code 1 where
anything was used silently or ended in an error that is not for users.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

HOW = ("one byte changed", "cut in half", "emptied", "deleted")
VERDICTS = ("made again", "refused by name", "named, due or without", "no part used", "USED SILENTLY", "RAW ERROR")
BAD = VERDICTS[-2:]


def damage(path: Path, how: str) -> bytes | None:
    """What is left of the file: None where it is deleted."""
    content = path.read_bytes()
    middle = len(content) // 2
    left = {
        "one byte changed": content[:middle]
        + bytes(b ^ 1 for b in content[middle : middle + 1])
        + content[middle + 1 :],
        "cut in half": content[:middle],
        "emptied": b"",
        "deleted": None,
    }[how]
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    return left


@dataclass
class Seen:
    """What the steps printed, what they gave, the refusals and the first error that is not for users."""

    said: str = ""
    gave: list = field(default_factory=list)
    refused: bool = False
    raw: str = ""


def watch(steps: Iterable[Callable[[], object]]) -> Seen:
    """The steps, one after the other, in this process."""
    from aaclib.suite import cli

    seen, screen = Seen(), io.StringIO()
    for step in steps:
        try:
            with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
                seen.gave.append(step())
        except Exception as error:
            if not cli.for_the_user(error):
                seen.raw = seen.raw or f"{type(error).__name__}: {error}"
            screen.write(cli.message(error))
            seen.refused = True
    seen.said = screen.getvalue()
    return seen


def verdict(path: Path, left: bytes | None, seen: Seen, expected: list) -> str:
    """One of VERDICTS. A file is named where a line of complaint has its name or that of its artefact."""
    found = path.read_bytes() if path.is_file() else None
    complaints = [line for line in seen.said.splitlines() if re.search("damaged|changed|gone|missing", line)]
    named = any(name in line for line in complaints for name in (path.name, path.parent.name))
    if seen.raw:
        return "RAW ERROR"
    if seen.refused:
        return "refused by name" if named else "RAW ERROR"
    if seen.gave != expected:
        return "USED SILENTLY"
    if found != left:
        return "made again"
    if named:
        return "named, due or without"
    # a database may lose what it does not need: of what is read, each entry is checked
    return "no part used" if path.suffix == ".sqlite" else "USED SILENTLY"


@contextlib.contextmanager
def handed(whole: Path) -> Iterator[None]:
    """A store whose builders copy what is in the untouched store `whole`, instead of working."""
    from aaclib import store

    get = store.Store.get

    def quick(self, kind, key, build):
        source = whole / kind / self.id(kind, key)

        def copy(folder: Path) -> dict:
            for file in source.rglob("*"):
                if file.is_file() and file.name != store.RECORD:
                    shutil.copy2(file, folder)
            return store.Artefact(kind, source.name, source).meta["facts"]

        return get(self, kind, key, copy if source.is_dir() else build)

    store.Store.get = quick
    try:
        yield
    finally:
        store.Store.get = get


def fresh(folder: Path | None = None) -> None:
    """Makes this process forget what it has looked at: this folder, or everything."""
    from aaclib import cache, store

    for known in [folder] if folder else list(store._opened):
        store._opened.pop(known, None)
    cache._said.clear()


# ---- the smoke run ---------------------------------------------------------------------------------------------------


class Smoke:
    """A finished `smoke` run in `folder`/cache and `folder`/runs, and untouched copies of both in `folder`/whole."""

    def __init__(self, folder: Path):
        self.folder, self.whole = folder.absolute(), folder.absolute() / "whole"
        self.expected: dict[tuple, list] = {}
        os.environ |= {"AACLIB_CACHE": str(self.folder / "cache"), "AACLIB_RUNS": str(self.folder / "runs")}
        if not self.whole.is_dir():
            if self.command("run", "--profile", "smoke").returncode:
                sys.exit("the smoke run failed")
            for part in ("cache", "runs"):
                shutil.copytree(self.folder / part, self.whole / part)
        self.restore(self.folder)
        self.recording = next(iter(sorted((self.whole / "cache" / "scenes").rglob("*.flac"))))

    def command(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-m", "aaclib", *words], capture_output=True, text=True)

    def files(self) -> list[Path]:
        """All files of run and store, as they lie, but logs, locks and SPICE's installation."""
        found = [p.relative_to(self.whole) for p in sorted(self.whole.rglob("*")) if p.is_file()]
        left_out = lambda p: p.suffix in (".lock", ".log") or p.name == ".lock" or "spice/" in p.as_posix()  # noqa: E731
        return [self.folder / path for path in found if not left_out(path) or path.suffix == ".sqlite"]

    def restore(self, below: Path) -> None:
        """Files that differ in size or time from the untouched ones become copies of them."""
        for file in (self.whole / below.relative_to(self.folder)).rglob("*"):
            here = self.folder / file.relative_to(self.whole)
            if file.is_file() and (not here.is_file() or stamp(here) != stamp(file)):
                here.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, here)

    def kind(self, path: Path) -> str:
        parts = path.relative_to(self.folder).parts
        if parts[0] == "runs":
            return f"run: {parts[2] if len(parts) > 3 else parts[-1]}"
        return f"{parts[1]}: {path.name if parts[1] != 'scenes' or path.suffix != '.flac' else '*.flac'}"

    def steps(self, path: Path) -> list[Callable[[], object]]:
        """What is done after a damage: everything for the first file of a kind. The others are opened by the
        same code, so that alone is asked of them."""
        from aaclib import config
        from aaclib.run import Run

        due = [lambda: print(*self.run.plan(self.run.stages), sep="\n")] if self._in_run(path) else []
        open_ = [] if due or path.suffix == ".sqlite" else [lambda: self._open(*path.parts[-3:-1])]
        use = [lambda: command(["caption", str(self.recording), "--run", "smoke"]), lambda: command(["list"])]
        if path not in self.first:
            return [*due, *open_]
        if path.parent.name in ("tokens", "meteor", "spice"):  # nobody asks for parts of scores that are known
            for file in (self.folder / "cache" / "scores").glob("*"):
                file.unlink()
        run = Run(config.load("smoke"))
        return [*due, lambda: everything(run), *use, *open_]

    @cached_property
    def first(self) -> set[Path]:
        return set({self.kind(path): path for path in reversed(self.files())}.values())

    @cached_property
    def run(self):
        from aaclib.suite import runner

        return runner.Runner("smoke")

    def _open(self, kind: str, name: str) -> None:
        """What whoever needs this artefact asks of the store."""
        from aaclib import store

        key = store.Artefact(kind, name, self.whole / "cache" / kind / name).meta["key"]
        store.Store().get(kind, key, lambda folder: None)

    def _in_run(self, path: Path) -> bool:
        return path.is_relative_to(self.folder / "runs")

    def one(self, path: Path, how: str) -> str:
        """Damages one file, looks, and puts it back."""
        everything = path in self.first
        sort = (everything, self._in_run(path), path.parent.name if everything and path.suffix == ".sqlite" else "")
        if sort not in self.expected:
            self.expected[sort] = watch(self.steps(path)).gave
            self.restore(self.folder)
        fresh(path.parent)
        left = damage(path, how)
        with handed(self.whole / "cache"):
            found = verdict(path, left, watch(self.steps(path)), self.expected[sort])
        self.restore(self.folder if everything else path.parent)
        return found

    def really(self, path: Path, how: str) -> str:
        """The same by the real commands."""
        (self.folder / "runs" / "smoke" / "notebooks" / "soundscapes-long" / "05_decoding.ipynb").unlink()
        left, seen = damage(path, how), Seen()
        for words in (["run", "--profile", "smoke"], ["caption", str(self.recording), "--run", "smoke"], ["list"]):
            done = self.command(*words)
            seen.said += done.stdout + done.stderr
            seen.refused |= done.returncode == 2
            if done.returncode not in (0, 2) or "Traceback" in done.stderr:
                seen.raw = f"{words[0]}: exit code {done.returncode}: {done.stderr[-300:]}"
        found = verdict(path, left, seen, [])
        self.restore(self.folder)
        return found


def command(words: list[str]) -> str:
    """What `aaclib` prints, called in this process."""
    from aaclib import store
    from aaclib.suite import cli

    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        code = cli.main(words)
    if code not in (0, 2):
        raise RuntimeError(f"exit code {code}")
    if code:
        raise store.StoreError(f"{words[0]}: refused")
    print(screen.getvalue())
    return screen.getvalue() if words[0] == "caption" else ""


def stamp(path: Path) -> tuple:
    return path.stat().st_size, path.stat().st_mtime_ns


def everything(run) -> list:
    """Retrieval, weights, captions and scores of all rows of all targets."""
    from aaclib import results

    seed, gave = run.seeds[0], []
    for target in run.targets:
        gave.append(results.retrieval(run, target, seed))
        for row in results.rows(run, target):
            if row.name in ("copy", "human"):
                continue
            decoder = run.decoder(target, row.name, seed) if row.name != "shuffled" else None
            gave.append(decoder and float(next(decoder.model.parameters()).detach().sum()))
            gave.append(run.captions(target, row.name, seed))
            gave.append(results.scores(run, target, row.name, seed).corpus)
        for row in results.rows(run, target, "beam"):
            gave.append(run.captions(target, row.name, seed, "beam"))
    return gave


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commands", action="store_true")
    parser.add_argument("--only", default="", help="files whose path holds this text")
    args = parser.parse_args()
    smoke = Smoke(args.folder)
    files = [path for path in smoke.files() if args.only in str(path)]
    if args.commands:
        files = list({smoke.kind(path): path for path in files}.values())
    table: dict[str, Counter] = {smoke.kind(path): Counter() for path in files}
    for path in files:
        for how in HOW[:1] if args.commands else HOW:
            found = (smoke.really if args.commands else smoke.one)(path, how)
            table[smoke.kind(path)][found] += 1
            if found in BAD:
                print(f"{found}: {path}, {how}", flush=True)
    print(f"{'':<40}", *(f"{name:>23}" for name in VERDICTS))
    for kind, found in [*table.items(), ("all", sum(table.values(), Counter()))]:
        print(f"{kind:<40}", *(f"{found[name]:>23}" for name in VERDICTS))
    return int(any(found[name] for found in table.values() for name in BAD))


if __name__ == "__main__":
    sys.exit(main())
