"""What the documents tell to type can be typed: every command is known to its parser, every setting exists, every file
is there; every line of Python compiles and names what exists. The notebooks' tests run the Python on a finished run."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import snippets

import aaclib
from aaclib import config
from aaclib.suite import cli, requirements

ROOT = Path(__file__).parents[2]
# what a reader puts in place, and what stands there in the test
PLACES = {"MY_RECORDINGS": "recordings", "DIR": "recordings", "FOLDER": "recordings", "FILE": "captions.csv"}
PROGRAMS = (".venv/bin/python", "python", "python3.11", ".venv/bin/pip", "pip", "git", "conda", "pdflatex")


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """A folder with the files that the documents speak of."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "captions.csv").write_text("file_name,caption\na.wav,a dog barks\n")
    (tmp_path / "captions.txt").write_text("a dog barks\n")
    monkeypatch.chdir(tmp_path)


def words_of(command: str) -> list[str]:
    """Without variables in front, and with something real in place of what a reader has to fill in."""
    words = shlex.split(command)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return [re.sub(r"\b(MY_RECORDINGS|DIR|FOLDER|FILE)\b", lambda m: PLACES[m[1]], word) for word in words]


@pytest.mark.parametrize(("document", "command"), snippets.every(), ids=lambda text: text[:70])
def test_a_command_is_one_that_its_program_knows(document, command, somewhere):
    program, *rest = words_of(command)
    if program == "./run_all.sh" or Path(program).name == "aaclib":
        arguments = ["run", *rest] if program == "./run_all.sh" else rest
        try:
            args = cli.parser(arguments).parse_args(arguments)
        except SystemExit:
            pytest.fail(f"{document}: the parser does not know: {command}")
        if arguments[0] == "run":
            config.load(args.profile, dict(config.pairs_of(args.overrides)))
    elif program == "./run_tests.sh":
        assert os.access(ROOT / program, os.X_OK)
    else:
        assert program in PROGRAMS, f"{document}: say in this test how '{command}' is tried"
        for word in rest:
            if word.endswith((".py", ".sh")):
                assert (ROOT / word).is_file(), f"{document}: {word}"
            if extras := re.fullmatch(r"\.\[(.+)\]", word):
                assert requirements.wanted(extras=extras[1].split(","))


def test_the_scripts_options_are_those_of_their_help():
    told = subprocess.run([ROOT / "run_all.sh", "--help"], capture_output=True, text=True, check=True).stdout
    sub = cli.parser(["run"]).parse_args(["run"])
    assert {"report", "dry_run", "listing"} <= set(vars(sub)) and "--report" in told and "--dry-run" in told


@pytest.mark.parametrize(("place", "code"), snippets.python(), ids=lambda text: text[:30])
def test_python_compiles_and_names_what_there_is(place, code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aaclib"):
            found = __import__(node.module, fromlist=[alias.name for alias in node.names])
            assert all(hasattr(found, alias.name) for alias in node.names), place
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)).startswith("aaclib."):
            thing = aaclib
            for part in name.split(".")[1:]:
                assert hasattr(thing, part) or thing is None or not hasattr(thing, "__name__"), f"{place}: {name}"
                thing = getattr(thing, part, None)


def test_what_nobody_could_type_is_noticed(somewhere):
    assert list(snippets.commands("```bash\nrun --profile x  # why\n\n```")) == [["run", "--profile", "x"]]
    with pytest.raises(pytest.fail.Exception, match="does not know"):
        test_a_command_is_one_that_its_program_knows("d", "./run_all.sh --nonsense", None)
    with pytest.raises(config.ConfigError):
        test_a_command_is_one_that_its_program_knows("d", "./run_all.sh --set data.nonsense=1", None)
    with pytest.raises(AssertionError, match="say in this test"):
        test_a_command_is_one_that_its_program_knows("d", "rm -r x", None)
    with pytest.raises(AssertionError, match="aaclib.nonsense"):
        test_python_compiles_and_names_what_there_is("p", "import aaclib\naaclib.nonsense.x()")
