"""The command line: `aaclib run|caption|metrics|list|doctor|figures|lab|convert` (and `python -m aaclib`).

Every error class of aaclib is a message for the user: it is printed without a traceback and the exit code is 2. A
failing notebook, or a metric lost to a crash, ends with exit code 1. AACLIB_TRACEBACK=1 shows where an error came from.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import itertools
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aaclib
from aaclib.errors import for_the_user, message, no_room
from aaclib.names import printable
from aaclib.paths import offline

if TYPE_CHECKING:
    from aaclib.captioner import Captioner
    from aaclib.captioning import Kept

WORKERS = ("run", "caption")  # subcommands whose work is cut short where nobody reads what they print
SYNTHETIC = (
    "this run learned from rendered sound scenes, not from real recordings: of these it may say anything. "
    "A run of the profile `paper` has a real CLAP."
)
PLUGINS = {  # subcommand -> (module with add_arguments(parser) and run(args) -> int, what it does)
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
    _add_caption(commands.add_parser("caption", help="caption recordings with a finished run"))
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
    _die_politely()
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


def _die_politely() -> None:
    """SIGTERM and a closed terminal end kernels as Ctrl-C does, but for what nohup said is to be ignored."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)


# -- caption ----------------------------------------------------------------------------------------------------------


def _add_caption(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("audio", nargs="+", type=Path, metavar="FILE|FOLDER", help="recordings, or folders of recordings")
    sub.add_argument("--run", default="quick", help="the finished run whose decoder and CLAP are used; default: quick")
    sub.add_argument("--strategy", default="projection", help="a row of the run's table; default: projection")
    sub.add_argument("--target", help="the data set whose training text the decoder learned; default: the run's first")
    sub.add_argument("--seed", type=int, help="which of the run's seeds; default: its first")
    sub.add_argument("--beam", type=_positive, default=1, metavar="N", help="beam search with N beams; default: greedy")
    sub.add_argument("--device", help="cpu, cuda:1, ...; default: as in the run")
    sub.add_argument("--out", type=Path, metavar="FILE.csv", help="write file_name,caption there instead of the screen")
    sub.add_argument("--batch", type=_positive, default=32, help="files captioned at once; default: 32")
    sub.set_defaults(call=_caption)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is wanted, not {text}")
    return int(text)


def _caption(args: argparse.Namespace) -> int:
    files = recordings(args.audio)
    if not files:
        print(f"aaclib: no recordings in {', '.join(map(str, args.audio))}", file=sys.stderr)
        return 2
    from aaclib.captioning import Kept

    _die_politely()
    with Kept(args.out) if args.out else contextlib.nullcontext() as kept:
        try:
            captioner = aaclib.Captioner.from_run(
                args.run, strategy=args.strategy, target=args.target, seed=args.seed, device=args.device
            )
            if captioner.synthetic:
                print(f"aaclib: {SYNTHETIC}", file=sys.stderr)
            return _caption_all(args, captioner, files, kept)
        except KeyboardInterrupt:
            if not kept:  # no table, or nothing in it yet
                raise
            print(
                f"\nStopped. {len(kept)} captions are kept in {kept.path}; the same command goes on from there.",
                file=sys.stderr,
            )
            return 130


def _caption_all(args: argparse.Namespace, captioner: Captioner, files: Sequence[Path], kept: Kept | None) -> int:
    from aaclib.captioning import caption_files
    from aaclib.escape import csv_text

    rows, bad = [], []
    for one in itertools.chain.from_iterable(caption_files(captioner, files, args.beam, args.batch, kept)):
        if one.error:
            bad.append(one)
        elif args.out:
            rows.append((printable(one.path), one.caption))
        else:
            print(f"{one.path}\t{one.caption}", flush=True)
    if kept:
        table = [("file_name", "caption"), *rows]
        if captioner.synthetic:
            table = [(*row, "world" if i == 0 else "synthetic") for i, row in enumerate(table)]
        kept.finish(csv_text(table))
        before = f", {kept.reused} of them made before" if kept.reused else ""
        print(f"{len(rows)} captions written to {args.out}{before}")
    for one in bad:
        print(f"aaclib: {one.path}: {one.error}", file=sys.stderr)
    if bad:
        print(f"aaclib: {len(bad)} of {len(rows) + len(bad)} recordings could not be captioned", file=sys.stderr)
    return 1 if bad else 0


def recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders as the recordings below them, each once. A path that is not there raises
    FileNotFoundError."""
    from aaclib.datasets.files import audio_files

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += audio_files(path)
        elif path.exists():
            files.append(path)
        else:
            lost = path.is_symlink() and f"a link to {os.readlink(path)}, which is not there"
            raise FileNotFoundError(2, lost or "no such file or folder", str(path))
    return list(dict.fromkeys(files))


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
