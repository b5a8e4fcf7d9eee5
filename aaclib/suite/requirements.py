"""Does a Python environment have what pyproject.toml asks for? Says what is missing, one line each.

Also run as a file, by a Python that has nothing installed yet (exit code 1 if something is missing):
`python -P aaclib/suite/requirements.py [--extras test,cluster] [--constraints constraints.txt]`
"""

from __future__ import annotations

import argparse
import platform
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

try:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name
except ImportError:  # a bare environment has it inside pip
    from pip._vendor.packaging.requirements import Requirement
    from pip._vendor.packaging.specifiers import SpecifierSet
    from pip._vendor.packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def wanted(pyproject: Path = PYPROJECT, extras: Iterable[str] = ()) -> list[str]:
    """The requirements as pyproject.toml has them."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]


def pins(constraints: Path) -> dict[str, str]:
    """name -> version of a constraints file (`name==version` lines)."""
    lines = [line.split("#")[0].strip() for line in constraints.read_text(encoding="utf-8").splitlines()]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def missing(
    pyproject: Path = PYPROJECT,
    extras: Iterable[str] = (),
    constraints: Path | None = None,
) -> list[str]:
    """What this interpreter's environment lacks, one sentence each; with `constraints`, other versions of what
    pyproject.toml names count as lacking too (2.15.0+cpu is 2.15.0)."""
    problems = []
    python = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["requires-python"]
    if platform.python_version() not in SpecifierSet(python):
        problems.append(f"Python {python} (found {platform.python_version()})")
    exact = pins(constraints) if constraints else {}
    for requirement in map(Requirement, wanted(pyproject, extras)):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        pin = exact.get(canonicalize_name(requirement.name))
        versions = SpecifierSet(f"=={pin}") if pin else requirement.specifier
        try:
            installed = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            problems.append(f"{requirement.name}{versions} (not installed)")
            continue
        if not versions.contains(installed, prereleases=True):
            problems.append(f"{requirement.name}{versions} (found {installed})")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="", help="comma-separated")
    parser.add_argument("--constraints", type=Path)
    args = parser.parse_args()
    problems = missing(extras=[name for name in args.extras.split(",") if name], constraints=args.constraints)
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
