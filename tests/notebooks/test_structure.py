"""What every notebook has to be: readable, one question for one target, nothing left from a run."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
NAMES = ["00_preflight", "01_data", "02_embeddings", "03_modality_gap", "04_training", "05_decoding", "06_tables"]
BEYOND = [
    "07_sensitivity",
    "08_cross_domain",
    "09_text_scaling",
    "10_bridges",
    "11_other_tasks",
    "12_errors",
    "13_metrics_and_people",
]
ONE_TARGET = [
    *NAMES[1:6],
    "07_sensitivity",
    "09_text_scaling",
    "10_bridges",
    "11_other_tasks",
    "12_errors",
]  # a run executes them once for each target
NAMES += BEYOND
NAMES += ["14_your_recordings"]
PROFILES = {"14_your_recordings": "folder"}  # whose notebook it is; the others open with quick
LONGEST_LINE = 120  # lengths of cells and functions: tests/unit/test_house.py

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_the_notebooks_are_there():
    assert [path.stem for path in NOTEBOOKS] == NAMES


@each
def test_valid_and_without_anything_left_from_a_run(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in code(path):
        assert cell.outputs == [] and cell.execution_count is None
    assert "papermill" not in notebook.metadata


@each
def test_one_parameters_cell_with_the_default_profile_before_all_other_code(path):
    cells = code(path)
    assert [i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])] == [0]
    values: dict = {}
    exec(cells[0].source, values)
    assert values["profile"] == PROFILES.get(path.stem, "quick") and values["overrides"] == {}
    assert values.get("target") == ("" if path.stem in (*ONE_TARGET, *PROFILES) else None)


@each
def test_the_first_code_cell_loads_the_run_and_prints_versions(path):
    first = code(path)[1].source
    assert "run = aaclib.Run.load(profile, overrides)" in first and "provenance.versions()" in first
    if path.stem in ONE_TARGET:
        assert "target = target or run.targets[0]" in first and "seed = run.seeds[0]" in first


@each
def test_it_begins_with_its_number_and_its_question(path):
    notebook = read(path)
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith(f"# {path.stem[:2]} ")


@each
def test_lines_fit_a_screen(path):
    for cell in code(path):
        longest = max(cell.source.splitlines(), key=len)
        assert len(longest) <= LONGEST_LINE, f"{cell.id}: {longest}"


@each
def test_the_closing_cell_is_computed(path):
    last = read(path).cells[-1]
    assert last.cell_type == "code" and any(word in last.source for word in ("findings.", "answers.", "checks"))


@each
def test_no_result_is_written_into_the_prose(path):
    """Numbers of a run belong to its outputs. Named exceptions: published facts, with the data set or paper beside."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for sentence in cell.source.replace("\n", " ").split(". "):
                if "CIDEr-D of" in sentence or "scored" in sentence:
                    assert not any(character.isdigit() for character in sentence), f"{cell.id}: {sentence}"


@each
def test_paths_and_devices_are_not_in_the_code(path):
    for cell in code(path):
        assert not any(word in cell.source for word in ("/home/", "/work", "cuda", "C:\\", "!pip", "%pip"))
