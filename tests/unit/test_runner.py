"""Stages run once, again only when something changed, and a failure or a kill leaves nothing half done."""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import damage
import nbformat
import pytest
import small_project
from small_project import NOTEBOOKS, STAGES, book, make, ran

from aaclib import config, interrupts, lost, paths, provenance, store
from aaclib.suite import cli, notebook, runner, stages

home = small_project.home  # the fixture


def test_a_run_leaves_notebooks_a_record_and_says_where(home, capsys):
    record = make(overrides=["train.epochs=2"]).run(STAGES[:2])
    said = capsys.readouterr().out
    folder = paths.runs_dir() / "smoke"
    for part in ("tables", "notebooks", "run.json"):
        assert str(folder / part) in said
    executed = nbformat.read(folder / "notebooks" / "01_second.ipynb", as_version=4)
    injected = next(cell for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", []))
    assert 'profile = "smoke"' in injected.source and '"train.epochs": 2' in injected.source
    assert store.read_record(folder / "run.json") == json.loads(json.dumps(record))
    assert list(record["stages"]["01_second"]["files"]) == ["notebooks/01_second.ipynb", "tables/01_second.csv"]
    assert record["stages"]["01_second"]["peak_memory_mib"] >= 0
    assert record["config"]["train"]["epochs"] == 2 and record["overrides"] == {"train.epochs": 2}
    assert record["versions"]["torch"] and record["seeds"] == list(config.load("smoke").seeds)


def test_a_run_shows_the_estimate_of_its_first_notebook_beside_what_it_took(home, capsys):
    units = {"00_first": [["notebook/00", "{}", 1, 2.0]], "01_second": [["notebook/01", "{}", 1, 3.0]]}
    says = f"from aaclib import told\ntold.tell('estimated', {json.dumps(json.dumps(units))})"
    book(home / "notebooks", "00_first", says)
    record = make().run()
    assert [found.get("estimated") for found in record["stages"].values()] == [2.0, 3.0, None]
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert lines[0] == ["stage", "estimated", "took"] and lines[2][:3] == ["01_second", "3", "s"]
    assert lines[3][:2] == ["02_aside", "-"]  # of which nothing was said


def test_a_second_run_does_nothing_and_changes_reach_what_depends_on_them(home, capsys):
    make().run()
    assert ran(capsys) == ["00_first", "01_second", "02_aside"]
    make().run()
    assert ran(capsys) == []
    book(home / "notebooks", "00_first", "1 + 1")
    plan = make().plan(STAGES)
    assert "its notebook changed" in plan[0] and "an earlier stage changed" in plan[1] and "up to date" in plan[2]
    make().run()
    assert ran(capsys) == ["00_first", "01_second"]
    (paths.runs_dir() / "smoke" / "tables" / "02_aside.csv").unlink()
    assert "tables/02_aside.csv is gone" in make().plan(STAGES)[2]
    assert all("the settings changed" in line for line in make(overrides=["seeds=[7]"]).plan(STAGES))
    assert "the settings" not in make(overrides=["threads=1"], offline=True).plan(STAGES)[0]


def test_files_and_artefacts_of_a_stage_that_were_damaged_make_it_due(home, capsys):
    book(
        home / "notebooks",
        "02_aside",
        "from aaclib import store",
        "store.Store().get('captions', {'a': 1}, lambda folder: store.write_text(folder / 'x', 'made'))",
    )
    record = make().run()
    folder, made = paths.runs_dir() / "smoke", paths.cache_dir() / record["stages"]["02_aside"]["artefacts"][0]
    assert record["stages"]["00_first"]["artefacts"] == [] and not list((folder / "logs").glob("*.told"))
    for path, says, times in (
        (folder / "tables" / "00_first.csv", "tables/00_first.csv", 4),
        (folder / "notebooks" / "01_second.ipynb", "notebooks/01_second.ipynb", 4),
        (made / "x", f"captions/{made.name}", 3),
        (made / "artefact.json", "captions/", 4),
    ):
        content = path.read_bytes()
        for how in damage.HOW[-times:]:  # of an artefact's files only the sizes are looked at before it is opened
            damage.damage(path, how)
            (due,) = [line for line in make().plan(STAGES) if "up to date" not in line]
            assert f"run: {says}" in due and re.search("is gone|was changed|is damaged", due)
            path.write_bytes(content)
            assert all("up to date" in line for line in make().plan(STAGES))
    shutil.rmtree(made)
    capsys.readouterr()
    make().run()
    assert ran(capsys) == ["02_aside"] and (made / "x").read_text() == "made"


def test_input_files_and_code_count_comments_do_not(home, tmp_path, monkeypatch):
    captions = tmp_path / "captions.csv"
    captions.write_text("file_name,caption\na.wav,a dog barks\n")
    overrides = {"data.captions": str(captions)}
    make(overrides=overrides).run(STAGES[:1])
    captions.write_text("file_name,caption\na.wav,a cat meows\n")
    assert "input files changed" in make(overrides=overrides).plan(STAGES)[0]
    monkeypatch.setattr(provenance, "package_digest", lambda leave_out=(): "another")
    assert "aaclib changed" in make(overrides=overrides).plan(STAGES)[0]


def test_digests_see_code_not_comments_nor_outputs(tmp_path):
    code = tmp_path / "a.py"
    code.write_text('"""Doc."""\nx = 1  # one\n')
    before = provenance.code_digest([code])
    code.write_text('"""Other."""\n\nx = 1\n')
    assert provenance.code_digest([code]) == before
    code.write_text("x = 2\n")
    assert provenance.code_digest([code]) != before
    table = tmp_path / "a.yaml"
    table.write_text("x: 1\n")
    before = provenance.code_digest([code, table])
    table.write_text("x: 2\n")
    assert provenance.code_digest([code, table]) != before
    book(tmp_path, "n", "x = 1")
    before = provenance.notebook_digest(tmp_path / "n.ipynb")
    node = nbformat.read(tmp_path / "n.ipynb", as_version=4)
    node.cells[2].outputs = [nbformat.v4.new_output("stream", text="seen")]
    nbformat.write(node, tmp_path / "n.ipynb")
    assert provenance.notebook_digest(tmp_path / "n.ipynb") == before
    assert provenance.files_digest(tmp_path / "nothing") == ""


def test_a_broken_cell_stops_the_run_in_three_lines(home, capsys):
    book(home / "notebooks", "01_second", "x = 1", "# a comment\nx / 0")
    with pytest.raises(notebook.NotebookError) as caught:
        make().run(STAGES[:2])
    first, second, third = caught.value.lines
    assert first == "01_second.ipynb, cell 4 of 4: x / 0" and second == "ZeroDivisionError: division by zero"
    failed = paths.runs_dir() / "smoke" / "notebooks" / "01_second.failed.ipynb"
    assert str(failed) in third and failed.is_file() and not failed.with_name("01_second.ipynb").exists()
    assert ran(capsys) == ["00_first"]
    book(home / "notebooks", "01_second", "x = 1")
    make().run(STAGES[:2])
    assert ran(capsys) == ["01_second"] and not failed.exists()


def test_a_stage_that_lost_a_metric_stays_due_and_ends_the_run_with_an_error(home, capsys, monkeypatch):
    """The next run is of that notebook alone; once nothing is lost it is up to date."""
    book(
        home / "notebooks",
        "00_first",
        "import pathlib\nfrom aaclib import lost\n"
        "if not pathlib.Path('healed').exists():\n    lost.note({'meteor': 'METEOR was killed'})\n"
        "    lost.note({'spice': 'no memory', 'spider': 'no memory'})",
    )
    monkeypatch.setitem(runner.Runner.__init__.__kwdefaults__, "notebooks", NOTEBOOKS[:2])
    monkeypatch.setattr(interrupts, "die_politely", lambda: None)
    assert cli.main(["run", "--profile", "smoke"]) == 1
    said = capsys.readouterr()
    assert "meteor lost to a crash: METEOR was killed" in said.err.splitlines()  # at once, from the kernel
    assert "00_first: meteor lost to a crash: METEOR was killed" in said.err.splitlines()  # and at the end
    assert "00_first: spice, spider lost to a crash: no memory" in said.err and lost.ADVICE in said.err
    plan = make().plan(STAGES[:2])
    assert "run: meteor, spice, spider lost to a crash" in plan[0] and "up to date" in plan[1]
    (home / "healed").touch()
    assert cli.main(["run", "--profile", "smoke"]) == 0
    assert ran(capsys) == ["00_first"] and "up to date" in make().plan(STAGES[:2])[0]


def test_a_dying_kernel_is_named(home):
    book(home / "notebooks", "00_first", "import os\nos._exit(9)")
    with pytest.raises(notebook.NotebookError, match="00_first.ipynb, cell 3 of 3: import os\n.*memory"):
        make().run(STAGES[:1])


def test_kernels_are_this_python_in_the_project_with_the_settings_asked_for(home):
    book(
        home / "notebooks",
        "00_first",
        "import os, sys\nprint(sys.executable, os.getcwd())",
        "print(*(os.environ.get(n) for n in ('OMP_NUM_THREADS', 'HF_HUB_OFFLINE', 'AACLIB_REFRESH')))",
    )
    make(overrides=["threads=1"], offline=True).run(STAGES[:1], force=True)
    log = (paths.runs_dir() / "smoke" / "logs" / "00_first.log").read_text().splitlines()
    assert log[0] == f"{sys.executable} {home}"
    threads, offline, refresh = log[1].split()
    assert threads == str(os.environ.get("OMP_NUM_THREADS"))  # `threads` never decides what comes out
    assert offline == "1" and abs(float(refresh) - time.time()) < 300


def test_stages_are_chosen_by_number_or_name(home):
    run = make()
    names = lambda *a, **k: [s.key for s in stages.select(run.stages, *a, **k)]  # noqa: E731
    assert names(["01"]) == ["01_second"] and names(["00,02"]) == ["00_first", "02_aside"]
    assert names(start="01") == ["01_second", "02_aside"] and names(end="01_second") == ["00_first", "01_second"]
    assert names(["aside"]) == ["02_aside"]
    for wrong in ("07", "0"):
        with pytest.raises(stages.UnknownStage, match="00_first, 01_second, 02_aside"):
            names([wrong])
    with pytest.raises(stages.UnknownStage, match="nothing to run"):
        names(start="02", end="01")


def test_paths_on_the_command_line_are_meant_from_where_the_user_stands(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    run = make(overrides=["data.audio=clips", "clap.backend=hf:clips", "data.text=missing.txt"])
    assert run.overrides["data.audio"] == str(tmp_path / "clips")
    assert run.overrides["clap.backend"] == f"hf:{tmp_path / 'clips'}"
    assert run.overrides["data.text"] == "missing.txt"


def test_what_metrics_lacked_makes_stages_due_when_it_comes(home, tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_FENSE", str(tmp_path / "fense"))
    lacking = [make().inputs()]
    for path in (tmp_path / "fense" / "sbert" / "config.json", paths.cache_dir() / "spice" / "corenlp-1" / "a.jar"):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        lacking.append(make().inputs())
    assert len({found["inputs"] for found in lacking}) == 3


def test_a_damaged_record_and_a_missing_notebook_are_named(home, capsys):
    (paths.runs_dir() / "smoke").mkdir(parents=True)
    (paths.runs_dir() / "smoke" / "run.json").write_text("{")
    assert "not finished yet" in make().plan(STAGES)[0]
    assert "run.json is damaged" in capsys.readouterr().err
    (home / "notebooks" / "00_first.ipynb").unlink()
    with pytest.raises(runner.RunError, match="00_first.ipynb is missing"):
        make().run()


@pytest.mark.parametrize("name", ["", "smoke", "smoke/.lock"])
def test_a_folder_that_cannot_be_written_is_named(home, name):
    wrong = paths.runs_dir() / name
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.mkdir() if name.endswith(".lock") else wrong.touch()
    with pytest.raises(runner.RunError, match="export AACLIB_RUNS=DIR"):
        make().run()


def test_a_name_that_begins_with_a_tilde_is_a_name(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for exists in (False, True):
        run = make(overrides={"data.captions": "~birds of nobody.csv"})
        assert Path(run.overrides["data.captions"]).is_absolute() == exists and run.inputs()
        (tmp_path / "~birds of nobody.csv").touch()


def test_two_runs_of_one_profile_do_not_mix(home):
    with make().folder.alone(), pytest.raises(runner.RunError, match="Another run of 'smoke'"):
        make().run()
