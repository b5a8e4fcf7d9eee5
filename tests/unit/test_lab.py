"""`aaclib lab`: working copies that follow the project's notebooks, unless somebody edited them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import book

from aaclib.provenance import notebook_digest
from aaclib.suite import cli, lab

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "solutions").mkdir(parents=True)
    for name in ("00_first", "solutions/00_first"):
        book(tmp_path / "notebooks", name, "1 + 1")
    monkeypatch.setenv("AACLIB_HOME", str(tmp_path))
    monkeypatch.delenv("AACLIB_WORK", raising=False)
    return tmp_path


def cells(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def execute(path: Path) -> None:
    """What Run All and Save do to a file, and what an edit does beside that."""
    tree = json.loads(path.read_text())
    tree["cells"][-1] |= {"execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": "2"}]}
    path.write_text(json.dumps(tree))


def test_a_copy_follows_its_original_with_its_outputs_and_an_edited_one_stays(home):
    source, folder = home / "notebooks", home / "work"
    assert list(lab.refresh(source, folder)) == []
    before = {path: path.read_bytes() for path in source.rglob("*.ipynb")}
    played, edited = folder / "00_first.ipynb", folder / "solutions" / "00_first.ipynb"
    execute(played)
    edited.write_text(edited.read_text().replace("1 + 1", "1 + 3"))
    assert list(lab.refresh(source, folder)) == []
    assert 'execution_count": 3' in played.read_text() and "1 + 3" in cells(edited)  # nothing changed, all stays
    assert {path: path.read_bytes() for path in source.rglob("*.ipynb")} == before
    for name in ("00_first", "solutions/00_first"):
        book(source, name, "1 + 2")
    (line,) = lab.refresh(source, folder)
    assert line.startswith("solutions/00_first.ipynb has changed") and str(edited) in line
    assert "1 + 2" in cells(played) and "1 + 3" in cells(edited)
    edited.unlink()
    assert list(lab.refresh(source, folder)) == [] and "1 + 2" in cells(edited)


def test_copies_whose_list_is_lost_are_kept(home):
    source, folder = home / "notebooks", home / "work"
    list(lab.refresh(source, folder))
    (folder / lab.COPIED).write_text("{")
    (folder / "00_first.ipynb").write_text("no notebook")
    (line,) = lab.refresh(source, folder)
    assert line.startswith("00_first.ipynb") and (folder / "00_first.ipynb").read_text() == "no notebook"


def test_a_dry_run_makes_the_copies_and_starts_nothing(home, monkeypatch, capsys):
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("a server was started"))
    assert cli.main(["lab", "--dry-run", "--", "--no-browser"]) == 0
    told = capsys.readouterr().out
    assert "-m jupyterlab" in told and told.rstrip().endswith("--no-browser")
    assert (home / "data" / "work" / "notebooks" / "00_first.ipynb").is_file()


def test_a_kernel_of_it_finds_aaclib_and_the_projects_folders_and_is_not_headless(home, monkeypatch, tmp_path):
    monkeypatch.setenv("AACLIB_HEADLESS", "1")
    monkeypatch.delenv("AACLIB_RUNS", raising=False)
    code = (
        "import aaclib; from aaclib import paths, screen as s; print(aaclib.__file__, paths.runs_dir(), s.headless())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=lab.environment(home), cwd=tmp_path, capture_output=True)
    assert done.stdout.decode().split() == [str(ROOT / "aaclib" / "__init__.py"), str(home / "data" / "runs"), "False"]


def test_reading_leaves_the_project_clean():
    """The copies, and what Run All writes, lie in folders that git ignores."""
    done = subprocess.run(["git", "check-ignore", "data/work/notebooks/x.ipynb", "data/runs/x"], cwd=ROOT)
    assert done.returncode == 0
    assert notebook_digest(ROOT / "notebooks" / "00_preflight.ipynb")
