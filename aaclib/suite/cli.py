"""The command line: `aaclib run|caption|export|metrics|list|doctor|figures|lab|convert` (and `python -m aaclib`).

Every error class of aaclib is a message for the user: it is printed without a traceback and the exit code is 2. A
failing notebook, or a metric lost to a crash, ends with exit code 1. AACLIB_TRACEBACK=1 shows where an error came from.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aaclib
from aaclib import interrupts
from aaclib.errors import for_the_user, message, no_room
from aaclib.paths import offline

WORKERS = ("run", "caption")  # subcommands whose work is cut short where nobody reads what they print
PLUGINS = {  # subcommand -> (module with add_arguments(parser) and run(args) -> int, what it does)
    "caption": ("aaclib.suite.caption_command", "caption recordings with a finished run, or a captioner's folder"),
    "export": ("aaclib.suite.export_command", "write a run's captioner into one folder that works anywhere"),
    "metrics": ("aaclib.metrics.command", "score captions against references; set SPICE up"),
    "doctor": ("aaclib.suite.doctor", "say what this machine can do, and what would be missing for a profile"),
    "figures": ("aaclib.suite.figures", "make a paper's figures and tables from a finished run, in seconds"),
    "lab": ("aaclib.suite.lab", "open the notebooks in JupyterLab, as working copies"),
    "convert": ("aaclib.clap.convert", "turn a CLAP checkpoint into a safe, small file"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # not where there is none, or that of a notebook
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: no name and no caption is a reason to stop
    try:
        args = parser(arguments).parse_args(arguments)
        code = args.call(args)
        if sys.stdout:
            sys.stdout.flush()  # here, where its reader may have gone, and not at the exit
        return code
    except KeyboardInterrupt:
        print("\nStopped. What is finished is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `aaclib list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141 if arguments[0] in WORKERS else 0  # what a shell says of who wrote to a closed pipe
    except Exception as error:
        if os.environ.get("AACLIB_TRACEBACK"):
            raise
        if hint := no_room(error):
            print(f"aaclib: {message(error)}. {hint}", file=sys.stderr)
            return 1
        if not for_the_user(error):
            raise
        print(f"aaclib: {message(error)}", file=sys.stderr)
        return 2


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The whole command line. Only the module of the subcommand that `arguments` begin with is imported."""
    top = argparse.ArgumentParser(prog="aaclib", description="Weakly-supervised audio captioning from text alone.")
    top.add_argument("--version", action="version", version=f"aaclib {aaclib.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="run the notebooks of a profile, each only when something changed"))
    listing = commands.add_parser("list", help="profiles, finished runs and what the caches hold")
    listing.set_defaults(call=_list)
    chosen = next((word for word in arguments if not word.startswith("-")), "")
    for name, (module, about) in PLUGINS.items():
        sub = commands.add_parser(name, help=about)
        if name == chosen:
            plugin = importlib.import_module(module)
            plugin.add_arguments(sub)
            sub.set_defaults(call=plugin.run)
    return top


def _add_run(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--profile", default="quick", help="a name (see aaclib list) or a YAML file; default: quick")
    sub.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one setting, e.g. train.epochs=3; may be given many times",
    )
    sub.add_argument(
        "--only", action="append", default=[], metavar="STAGE", help="these alone: 03 or 03,05 or 03/TARGET"
    )
    sub.add_argument("--from", dest="start", default="", metavar="STAGE", help="begin with this stage")
    sub.add_argument("--to", dest="end", default="", metavar="STAGE", help="end with this stage")
    sub.add_argument("--force", action="store_true", help="run the stages again, and make their artefacts again")
    sub.add_argument("--list", dest="listing", action="store_true", help="show profiles, stages and their state")
    sub.add_argument("--dry-run", action="store_true", help="say what would be run, fetched and spent, and do nothing")
    sub.add_argument("--report", action="store_true", help="make the run's web pages alone, from what is there")
    off = "fetch nothing from the network; AACLIB_OFFLINE=1 says the same"
    sub.add_argument("--offline", action="store_true", default=offline(), help=off)
    sub.add_argument("--no-spice", action="store_true", help="leave SPICE and SPIDEr out of the tables")
    sub.set_defaults(call=_run)


def _run(args: argparse.Namespace) -> int:
    from aaclib import config
    from aaclib.suite import notebook, report, runner, stages

    overrides = dict(config.pairs_of(args.overrides))
    if args.no_spice:
        names = config.load(args.profile, overrides).metrics.names
        overrides["metrics.names"] = [name for name in names if name not in ("spice", "spider", "spider_fl")]
    run = runner.Runner(args.profile, overrides, offline=args.offline)
    if args.report:
        print(f"Report: {report.build(run.folder.path)}")
        return 0
    chosen = stages.select(run.stages, args.only, args.start, args.end)
    if args.listing:
        print("Profiles:", *(f"  {name:<16} {title}" for name, title in config.profiles().items()), sep="\n")
    if args.listing or args.dry_run:
        print(f"Stages of '{run.config.name}' (in {run.folder.path}):", *run.plan(chosen, args.force), sep="\n")
        if args.dry_run:
            record = run.folder.read()
            due = [stage.key for stage in chosen if args.force or run.reason(stage, record)]
            _plan(run.config, due, time.time() if args.force else 0.0)
        return 0
    interrupts.die_politely()
    try:
        run.run(chosen, force=args.force)
        wrong = run.lost(chosen)
    except notebook.NotebookError as error:
        if os.environ.get("AACLIB_TRACEBACK"):
            raise
        wrong = error.lines
    print("".join(f"{line}\n" for line in wrong), end="", file=sys.stderr)
    return 1 if wrong else 0


def _plan(config: Any, due: Sequence[str], refresh: float) -> None:
    """What the doctor says that a run of the stages that are due would fetch and cost."""
    from aaclib.suite import doctor

    print(doctor.plan(config, due, refresh))


# -- list -------------------------------------------------------------------------------------------------------------


def _list(_: argparse.Namespace) -> int:
    from aaclib import config
    from aaclib.paths import cache_dir, runs_dir

    print("Profiles:", *(f"  {name:<16} {title}" for name, title in config.profiles().items()), sep="\n")
    print(f"Runs (in {runs_dir()}):")
    records = sorted(runs_dir().glob("*/run.json"))
    print(*(map(_of_run, records) if records else ["  none yet: aaclib run --profile quick"]), sep="\n")
    print(f"Artefacts (in {cache_dir()}):")
    for kind in sorted(path for path in cache_dir().glob("*") if path.is_dir()):
        items = [path for path in kind.iterdir() if path.is_dir() and not path.name.endswith(".part")]
        print(f"  {kind.name:<18} {len(items):>5}   {_size(kind) / 2**20:>9.1f} MiB")
    return 0


def _of_run(record: Path) -> str:
    """A line about a run, also about one whose record is damaged."""
    from aaclib.store import Damaged, read_record

    try:
        run = read_record(record)
        about = f"{len(run['stages'])} stages, written {run['written'][:16].replace('T', ' ')}"
    except (OSError, Damaged) as error:
        about = message(error)
    return f"  {record.parent.name:<16} {about}"


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, in which a run may be at work."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


if __name__ == "__main__":
    sys.exit(main())
