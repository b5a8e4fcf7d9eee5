"""The command line: `aaclib run|caption|metrics|list|doctor|convert` (and `python -m aaclib`).

Every error class of aaclib is a message for the user: it is printed without a traceback and the exit code is 2. A
failing notebook ends with exit code 1. AACLIB_TRACEBACK=1 shows where an error came from.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aaclib

PLUGINS = {        # subcommand -> (module with add_arguments(parser) and run(args) -> int, what it does)
    "metrics": ("aaclib.metrics.command", "score captions against references; set SPICE up"),
    "doctor": ("aaclib.doctor", "say what this machine can do, and what would be missing for a profile"),
    "convert": ("aaclib.clap.convert", "turn a CLAP checkpoint into a safe, small file"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        args = parser(arguments).parse_args(arguments)
        return args.call(args)
    except KeyboardInterrupt:
        print("\nStopped. What is finished is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:                       # `aaclib list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("AACLIB_TRACEBACK") or not for_the_user(error):
            raise
        print(f"aaclib: {message(error)}", file=sys.stderr)
        return 2


def for_the_user(error: Exception) -> bool:
    """Our own error classes, and files that are not there or may not be touched."""
    return type(error).__module__.split(".")[0] == "aaclib" or (isinstance(error, OSError) and bool(error.filename))


def message(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)


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


# -- run --------------------------------------------------------------------------------------------------------------


def _add_run(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--profile", default="quick", help="a name (see aaclib list) or a YAML file; default: quick")
    sub.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
                     help="change one setting, e.g. train.epochs=3; may be given many times")
    sub.add_argument("--only", action="append", default=[], metavar="STAGE", help="these stages alone: 03 or 03,05")
    sub.add_argument("--from", dest="start", default="", metavar="STAGE", help="begin with this stage")
    sub.add_argument("--to", dest="end", default="", metavar="STAGE", help="end with this stage")
    sub.add_argument("--force", action="store_true", help="run the stages again, and make their artefacts again")
    sub.add_argument("--list", dest="listing", action="store_true", help="show profiles, stages and their state")
    sub.add_argument("--dry-run", action="store_true", help="say what would be run, fetched and spent, and do nothing")
    sub.add_argument("--offline", action="store_true", help="fetch nothing from the network")
    sub.add_argument("--no-spice", action="store_true", help="leave SPICE and SPIDEr out of the tables")
    sub.set_defaults(call=_run)


def _run(args: argparse.Namespace) -> int:
    from aaclib import config, notebook, runner

    overrides = dict(config.pairs_of(args.overrides))
    if args.no_spice:
        names = config.load(args.profile, overrides).metrics.names
        overrides["metrics.names"] = [name for name in names if name not in ("spice", "spider", "spider_fl")]
    run = runner.Run(args.profile, overrides, offline=args.offline)
    stages = run.select(args.only, args.start, args.end)
    if args.listing:
        print("Profiles:", *(f"  {name:<16} {title}" for name, title in config.profiles().items()), sep="\n")
    if args.listing or args.dry_run:
        print(f"Stages of '{run.config.name}' (in {run.folder}):", *runner.plan(run, stages, args.force), sep="\n")
        if args.dry_run:
            _plan(run.config)
        return 0
    _die_politely()
    try:
        run.run(stages, force=args.force)
    except notebook.NotebookError as error:
        print(*error.lines, sep="\n", file=sys.stderr)
        return 1
    return 0


def _plan(config: Any) -> None:
    """What the doctor says that a run would fetch and cost."""
    from aaclib import doctor

    print(doctor.plan(config))


def _die_politely() -> None:
    """SIGTERM and a closed terminal end kernels as Ctrl-C does."""
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


# -- caption ----------------------------------------------------------------------------------------------------------


def _add_caption(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("audio", nargs="+", type=Path, metavar="FILE|FOLDER", help="recordings, or folders of recordings")
    sub.add_argument("--run", default="quick", help="the finished run whose decoder and CLAP are used; default: quick")
    sub.add_argument("--strategy", default="projection", help="a row of the run's table; default: projection")
    sub.add_argument("--target", help="the data set whose training text the decoder learned; default: the run's first")
    sub.add_argument("--seed", type=int, help="which of the run's seeds; default: its first")
    sub.add_argument("--beam", type=int, default=1, metavar="N", help="beam search with N beams; default: greedy")
    sub.add_argument("--device", help="cpu, cuda:1, ...: of the kind that the run was made on; default: as in the run")
    sub.add_argument("--out", type=Path, metavar="FILE.csv", help="write file_name,caption there instead of the screen")
    sub.add_argument("--batch", type=int, default=32, help="files captioned at once; default: 32")
    sub.set_defaults(call=_caption)


def _caption(args: argparse.Namespace) -> int:
    files = recordings(args.audio)
    if not files:
        print(f"aaclib: no recordings in {', '.join(map(str, args.audio))}", file=sys.stderr)
        return 2
    captioner = aaclib.Captioner.from_run(
        args.run, strategy=args.strategy, target=args.target, seed=args.seed, device=args.device)
    rows, bad = [], []
    for i in range(0, len(files), args.batch):
        good, unreadable = _caption_each(captioner, files[i:i + args.batch], args.beam)
        rows, bad = rows + good, bad + unreadable
        if not args.out:
            for path, caption in good:
                print(f"{path}\t{caption}", flush=True)
    if args.out:
        from aaclib.store import write_text

        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([("file_name", "caption"), *rows])
        write_text(args.out, table.getvalue())
        print(f"{len(rows)} captions written to {args.out}")
    for path, why in bad:
        print(f"aaclib: {path}: {why}", file=sys.stderr)
    if bad:
        print(f"aaclib: {len(bad)} of {len(files)} recordings could not be captioned", file=sys.stderr)
    return 1 if bad else 0


def recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders as the recordings below them. A path that is not there raises FileNotFoundError."""
    from aaclib.datasets.files import audio_files

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += audio_files(path)
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(2, "no such file or folder", str(path))
    return found


def _caption_each(
    captioner: Any, files: Sequence[Path], beam: int,
) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
    """Captions, and the files that gave an error with what it said. One bad file must not cost the others theirs."""
    try:
        return list(zip(files, captioner.caption(list(files), beam=beam), strict=True)), []
    except Exception as error:
        if not for_the_user(error):
            raise
        if len(files) == 1:
            return [], [(files[0], message(error))]
    parts = [_caption_each(captioner, [path], beam) for path in files]
    return [row for good, _ in parts for row in good], [row for _, bad in parts for row in bad]


# -- list -------------------------------------------------------------------------------------------------------------


def _list(_: argparse.Namespace) -> int:
    import json

    from aaclib import config

    print("Profiles:", *(f"  {name:<16} {title}" for name, title in config.profiles().items()), sep="\n")
    print(f"Runs (in {config.runs_dir()}):")
    records = sorted(config.runs_dir().glob("*/run.json"))
    for path in records:
        record = json.loads(path.read_text())
        written = record["written"][:16].replace("T", " ")
        print(f"  {path.parent.name:<16} {len(record['stages'])} stages, written {written}")
    if not records:
        print("  none yet: aaclib run --profile quick")
    print(f"Artefacts (in {config.cache_dir()}):")
    for kind in sorted(path for path in config.cache_dir().glob("*") if path.is_dir()):
        items = [path for path in kind.iterdir() if path.is_dir() and not path.name.endswith(".part")]
        size = sum(file.stat().st_size for file in kind.rglob("*") if file.is_file())
        print(f"  {kind.name:<18} {len(items):>5}   {size / 2**20:>9.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
