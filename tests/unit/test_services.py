"""Files for Binder and Colab: in the form that the services ask for. They themselves cannot be reached from a test."""

import ast
import json
import os
import subprocess
from pathlib import Path

import nbformat
import yaml

from aaclib.suite import cli, requirements

ROOT = Path(__file__).parents[2]


def test_binders_environment_has_our_python_java_and_a_torch_that_fits():
    tree = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())
    pins = {line.partition("=")[0]: line.partition("=")[2] for line in tree["dependencies"]}
    assert pins["python"] == "3.11" and int(pins["openjdk"]) >= 17 and tree["channels"] == ["conda-forge"]
    (torch,) = [r for r in map(requirements.Requirement, requirements.wanted()) if r.name == "torch"]
    assert {spec.version[0] for spec in torch.specifier if spec.operator == ">="} == {pins["pytorch-cpu"]}


def test_binders_script_installs_the_tested_versions_but_for_torch():
    script = ROOT / "binder" / "postBuild"
    assert os.access(script, os.X_OK) and script.read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", script], check=True)
    kept = subprocess.run(
        ["grep", "-vE", "^torch(vision)?==", ROOT / "constraints.txt"], capture_output=True, text=True, check=True
    ).stdout
    assert "-vE '^torch(vision)?==' constraints.txt" in script.read_text()
    lost = set(requirements.pins(ROOT / "constraints.txt")) - {line.partition("==")[0] for line in kept.splitlines()}
    assert {"torch", "torchvision"} <= lost and not {"transformers", "numpy"} & lost


def test_colabs_notebook_is_whole_and_its_commands_are_ours():
    book = nbformat.read(ROOT / "docs" / "colab.ipynb", as_version=4)
    nbformat.validate(book)
    shell = []
    for cell in book.cells:
        assert not cell.get("outputs")
        lines = cell.source.splitlines() if cell.cell_type == "code" else []
        shell += [line[1:] for line in lines if line.startswith("!")]
        ast.parse("\n".join(line for line in lines if not line.startswith("!")))
    (run,) = [line.partition("run_all.sh ")[2].split() for line in shell if "run_all.sh" in line]
    assert cli.parser(["run"]).parse_args(["run", *run]).profile == "smoke"
    assert json.loads((ROOT / "docs" / "colab.ipynb").read_text())["nbformat"] == 4
