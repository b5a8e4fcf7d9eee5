"""`aaclib export RUN --out FOLDER`: a run's captioner as one folder that needs neither the run nor the store."""

from __future__ import annotations

import argparse
from pathlib import Path

import aaclib


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a finished run: its name, or its folder")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="a new folder for the captioner")
    parser.add_argument("--strategy", default="projection", help="a row of the run's table; default: projection")
    parser.add_argument(
        "--target", help="the data set whose training text the decoder learned; default: the run's first"
    )
    parser.add_argument("--seed", type=int, help="which of the run's seeds; default: its first")


def run(args: argparse.Namespace) -> int:
    captioner = aaclib.Captioner.from_run(args.run, args.strategy, args.target, args.seed)
    folder = captioner.export(args.out)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    print(f"{folder}: {size:.1f} MiB, the captioner {args.strategy} of {args.run}, seed {captioner.seed}.")
    if not captioner.about()["clap_inside"]:
        print(f"Its CLAP is named, not included: {captioner.clap.name}, digest {captioner.clap.digest}.")
    print(f"Whoever gets the folder: aaclib caption --captioner {folder} RECORDINGS; {folder / 'README.md'} says more.")
    return 0
