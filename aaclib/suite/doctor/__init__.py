"""Preflight: what would stop or spoil a run in its third hour, found in the first minute, each with its fix.

`check(config)` looks at this machine for one profile; `plan(config)` says what a run would fetch, keep and cost.
Nothing is downloaded, no model is loaded. `aaclib doctor --profile NAME` prints both.
"""

from __future__ import annotations

import argparse

from aaclib.paths import offline
from aaclib.suite.doctor.announce import announce
from aaclib.suite.doctor.checks import check
from aaclib.suite.doctor.missing import listing
from aaclib.suite.doctor.needs import needs
from aaclib.suite.doctor.plan import Plan, plan
from aaclib.suite.doctor.results import Check, Checks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="quick", help="a name (see aaclib list) or a YAML file; default: quick")
    many = {"action": "append", "default": [], "metavar": "KEY=VALUE"}
    parser.add_argument("--set", dest="overrides", help="change one setting, as for aaclib run; many times", **many)
    off = "as for aaclib run: nothing may be fetched"
    parser.add_argument("--offline", action="store_true", default=offline(), help=off)
    parser.add_argument("--plan", action="store_true", help="also say what a run would fetch and cost")


def run(args: argparse.Namespace) -> int:
    """Prints the checks; exit code 1 if one of them would stop the run."""
    from aaclib import config

    overrides = [*args.overrides, *(["data.download=false"] if args.offline else [])]
    settings = config.load(args.profile, overrides)
    checks = check(settings)
    print(checks)
    if args.plan:
        print(plan(settings))
    return 1 if checks.errors else 0


__all__ = ["Check", "Checks", "Plan", "add_arguments", "announce", "check", "listing", "needs", "plan", "run"]
