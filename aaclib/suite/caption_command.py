"""`aaclib caption FILE|FOLDER ...`: captions by a finished run or an exported captioner, printed or in a table."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aaclib
from aaclib import interrupts
from aaclib.names import printable

if TYPE_CHECKING:
    from aaclib.captioner import Captioner
    from aaclib.captioning import Kept

SYNTHETIC = (
    "this run learned from rendered sound scenes, not from real recordings: of these it may say anything. "
    "A run of the profile `paper` has a real CLAP."
)


def add_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("audio", nargs="+", type=Path, metavar="FILE|FOLDER", help="recordings, or folders of recordings")
    whose = sub.add_mutually_exclusive_group()
    whose.add_argument(
        "--run", default="quick", help="the finished run whose decoder and CLAP are used; default: quick"
    )
    whose.add_argument(
        "--captioner", type=Path, metavar="FOLDER", help="a captioner that `aaclib export` wrote, instead"
    )
    sub.add_argument("--clap", metavar="SPEC", help="of a captioner: where its CLAP is here, e.g. hf:FOLDER")
    sub.add_argument("--strategy", help="a row of the run's table; default: projection")
    sub.add_argument("--target", help="the data set whose training text the decoder learned; default: the run's first")
    sub.add_argument("--seed", type=int, help="which of the run's seeds; default: its first")
    sub.add_argument("--beam", type=_positive, default=1, metavar="N", help="beam search with N beams; default: greedy")
    sub.add_argument("--device", help="cpu, cuda:1, ...; default: as in the run")
    sub.add_argument("--out", type=Path, metavar="FILE.csv", help="write file_name,caption there instead of the screen")
    sub.add_argument("--batch", type=_positive, default=32, help="files captioned at once; default: 32")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is wanted, not {text}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    files = recordings(args.audio)
    if not files:
        print(f"aaclib: no recordings in {', '.join(map(str, args.audio))}", file=sys.stderr)
        return 2
    if args.captioner and (
        fixed := [name for name in ("strategy", "target", "seed") if getattr(args, name) is not None]
    ):
        print(f"aaclib: --{fixed[0]} goes with --run: a captioner's folder has one already", file=sys.stderr)
        return 2
    if args.clap and not args.captioner:
        print("aaclib: --clap goes with --captioner: a run has its CLAP", file=sys.stderr)
        return 2
    from aaclib.captioning import Kept

    interrupts.die_politely()
    with Kept(args.out) if args.out else contextlib.nullcontext() as kept:
        try:
            captioner = _captioner(args)
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


def _captioner(args: argparse.Namespace) -> Captioner:
    if args.captioner:
        return aaclib.Captioner.load(args.captioner, args.device, args.clap)
    of = {"strategy": args.strategy or "projection", "target": args.target, "seed": args.seed, "device": args.device}
    return aaclib.Captioner.from_run(args.run, **of)


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
