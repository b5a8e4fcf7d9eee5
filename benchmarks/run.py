"""Measures everything that this suite says of its speed, in one run, and writes one table.

    python benchmarks/run.py [--only NAME ...] [--tiny] [--save FILE | --no-save]

A benchmark is a module beside this one with `measure(tiny) -> list[Row]` (benchmarks/table.py), or with `rows()`, the
same as mappings: name, ours_s, published_s and, for the limit, bare_s. `--tiny`: sizes at which each is tried and
nothing is learned, written nowhere. The table goes to docs/benchmarks.md; with `--only`, rows of other benchmarks stay
as they are there.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks")]

from table import Row  # noqa: E402  # a script's own folder

NO_TABLE = ("run", "table", "choices", "formats", "temperature")  # judged by scores or equality, not by time
PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = ("benchmark", "what", "ours", "published way", "limit", "times faster", "times the limit", "note")


def names() -> list[str]:
    """All benchmarks, by their modules."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NO_TABLE)


def measured(name: str, tiny: bool) -> list[Row]:
    """The rows of a benchmark."""
    module = importlib.import_module(name)
    if hasattr(module, "measure"):
        return module.measure(tiny=tiny)
    return [
        Row(one["name"], one["ours_s"], one.get("published_s"), one.get("bare_s"), one.get("note", ""))
        for one in module.rows()
    ]


def markdown(rows: Sequence[tuple[str, Row]]) -> list[str]:
    """The lines of the table: (benchmark, row)."""
    lines = [HEAD, ("---",) * len(HEAD)]
    for name, row in rows:
        times = [f"{value:.3g}" if value else "-" for value in (row.ratio, row.above_limit)]
        all_three = (row.ours, row.published, row.limit)
        sizes = [f"{value:.3g} {row.unit}" if value is not None else "-" for value in all_three]
        lines.append((name, row.name, *sizes, *times, row.note))
    return [f"| {' | '.join(line)} |" for line in lines]


def about() -> str:
    """The machine, for the page's head."""
    load = f", load {os.getloadavg()[0]:.1f} at its end" if hasattr(os, "getloadavg") else ""
    return (
        f"Made by `python benchmarks/run.py` on {time.strftime('%Y-%m-%d')}: {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores{load}, Python {platform.python_version()}, torch {metadata.version('torch')}. Both "
        "ways of a row were measured in the same run, alternately where that is possible; the least time counts."
    )


def kept(page: Path, renewed: Sequence[str]) -> list[str]:
    """The lines of the page's table of benchmarks that were not measured now."""
    lines = page.read_text().splitlines() if page.is_file() else []
    left_out = (*renewed, HEAD[0], "---")
    return [line for line in lines if line.startswith("| ") and line.split(" | ")[0][2:] not in left_out]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("--tiny", action="store_true", help="try each once at sizes that say nothing")
    parser.add_argument("--save", type=Path, default=PAGE, help="the page; default: docs/benchmarks.md")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    args = parser.parse_args(arguments)
    rows: list[tuple[str, Row]] = []
    for name in args.only or names():
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += [(name, row) for row in measured(name, args.tiny)]
    table = markdown(rows)
    print(*table, sep="\n")
    if args.tiny or args.no_save:
        return
    from aaclib import store

    body = sorted([*table[2:], *kept(args.save, args.only or names())], key=lambda line: line.split(" | ")[0])
    store.write_text(args.save, "\n".join(["# Benchmarks", "", about(), "", *table[:2], *body, ""]))


if __name__ == "__main__":
    main()
