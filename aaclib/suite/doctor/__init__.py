"""Preflight: what would stop or spoil a run in its third hour, found in the first minute, each with what mends it.

`findings(config)` looks at this machine for one profile; `plan(config)` says what a run would fetch, keep and cost.
Nothing is downloaded, no model is loaded. `aaclib doctor --profile NAME` prints both.
"""

from __future__ import annotations

import argparse

from aaclib.suite.doctor.announce import announce
from aaclib.suite.doctor.checks import Finding, Findings, findings
from aaclib.suite.doctor.needs import Need, needs
from aaclib.suite.doctor.plan import Plan, plan

check = findings  # as notebook 00 calls it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="quick", help="a name (see aaclib list) or a YAML file; default: quick")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one setting, as for aaclib run; may be given many times",
    )
    parser.add_argument("--offline", action="store_true", help="as for aaclib run: nothing may be fetched")
    parser.add_argument("--plan", action="store_true", help="also say what a run would fetch and cost")


def run(args: argparse.Namespace) -> int:
    """Prints the findings; exit code 1 if one of them would stop the run."""
    from aaclib import config

    overrides = [*args.overrides, *(["data.download=false"] if args.offline else [])]
    settings = config.load(args.profile, overrides)
    found = findings(settings)
    print(found)
    if args.plan:
        print(plan(settings))
    return 1 if found.errors else 0


__all__ = [
    "Finding",
    "Findings",
    "Need",
    "Plan",
    "add_arguments",
    "announce",
    "check",
    "findings",
    "needs",
    "plan",
    "run",
]
