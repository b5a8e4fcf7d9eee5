"""Stages run once, again only when something changed, and a failure or a kill leaves nothing half done."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import damage
import nbformat
import psutil
import pytest

from aaclib import config, lost, paths, provenance, store
from aaclib.suite import cli, notebook, record, runner, stages

PARAMETERS = 'profile = "quick"\noverrides = {}'
NOTEBOOKS = (
    stages.Notebook("00_first", (), "first", stages.RUN),
    stages.Notebook("01_second", ("00_first",), "second", stages.RUN),
    stages.Notebook("02_aside", (), "aside", stages.RUN),
)
EACH = (  # the same with two for each target, and one that brings the targets together
    *NOTEBOOKS[:1],
    stages.Notebook("01_second", (), "second"),
    stages.Notebook("02_aside", ("01_second",), "aside"),
    stages.Notebook("06_last", ("02_aside",), "last", stages.RUN),
)
STAGES = stages.stages(config.load("smoke"), NOTEBOOKS)


def book(folder: Path, name: str, *cells: str) -> None:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title")])
    made.cells += [nbformat.v4.new_code_cell(source) for source in (PARAMETERS, *cells)]
    made.cells[1].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {"name": "no-such-kernel", "display_name": "another", "language": "python"}
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, folder / f"{name}.ipynb")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project of three tiny notebooks that count how often they ran."""
    for name in ("HOME", "RUNS", "RAW", "CACHE"):
        monkeypatch.setenv(f"AACLIB_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr(provenance, "machine", lambda: {"device": "cpu"})
    monkeypatch.setattr(provenance, "package_digest", lambda leave_out=(): "code")
    write = (
        "import os, pathlib\nout = pathlib.Path(os.environ['AACLIB_RUNS'], profile, '{}')\n"
        "out.mkdir(parents=True, exist_ok=True)\n(out / '{}').write_text('made')"
    )
    for stage in (*STAGES, stages.Stage(EACH[-1])):
        book(tmp_path / "home" / "notebooks", stage.notebook.name, write.format("tables", f"{stage.key}.csv"))
    return tmp_path / "home"


def make(**options) -> runner.Runner:
    return runner.Runner(
        "smoke", options.pop("overrides", ()), notebooks=options.pop("notebooks", NOTEBOOKS), **options
    )


def ran(capsys) -> list[str]:
    return [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if ": done in" in line]


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
    monkeypatch.setattr(cli, "_die_politely", lambda: None)
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


RUN = """
import sys
from pathlib import Path
from aaclib import provenance
from aaclib.suite import cli, runner, stages
provenance.package_digest = lambda leave_out=(): "code"
runner.Runner.__init__.__kwdefaults__["notebooks"] = (
    stages.Notebook("00_first", (), "first", "run"), stages.Notebook("01_second", ("00_first",), "second", "run"),
)
sys.exit(cli.main(["run", "--profile", "smoke"]))
"""


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        *(pytest.param(s, marks=pytest.mark.slow) for s in (signal.SIGINT, signal.SIGKILL)),
    ],
)
def test_a_kill_in_the_middle_leaves_no_half_notebook_and_no_kernel(home, number, capsys):
    started = home / "started"
    book(
        home / "notebooks",
        "01_second",
        f"import os, pathlib, time\npathlib.Path({str(started)!r}).write_text(str(os.getpid()))\ntime.sleep(60)",
    )
    process = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: started.exists() and started.read_text(), 60)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), said
    kernel = int(started.read_text())
    wait_for(lambda: not psutil.pid_exists(kernel) or psutil.Process(kernel).status() == psutil.STATUS_ZOMBIE, 20)
    notebooks = paths.runs_dir() / "smoke" / "notebooks"
    assert (notebooks / "00_first.ipynb").exists() and not (notebooks / "01_second.ipynb").exists()
    book(home / "notebooks", "01_second", "2")
    make().run(STAGES[:2])
    assert ran(capsys) == ["01_second"]
    assert not list(notebooks.glob("*.part.ipynb"))


class Kill(BaseException):
    """What a test does to the runner at a moment of its choice."""


@pytest.fixture
def quickly(monkeypatch):
    """Notebooks that are executed at once: each writes a figure and its own name. The list of what was done."""
    did = []

    def execute(source, target, parameters, **_):
        of = parameters.get("target", "")
        did.append(f"{source.stem}/{of}" if of else source.stem)
        figure = paths.runs_dir() / "smoke" / "figures" / of / f"{source.stem}.pdf"
        for folder in (figure.parent, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        figure.write_text("a figure")
        target.with_suffix(notebook.PART).write_text(f"{source.stem}, time {len(did)}")
        return {"peak_memory_mib": 1.0}

    monkeypatch.setattr(notebook, "execute", execute)
    monkeypatch.setattr(provenance, "machine", lambda: did.append("machine") or {})
    return did


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("notebooks", [NOTEBOOKS, EACH], ids=["run", "targets"])
def test_a_kill_at_any_moment_leaves_a_stage_finished_or_not_begun(home, quickly, monkeypatch, after, notebooks):
    folder, replace = paths.runs_dir() / "smoke", os.replace
    places = {stage.place: stage.key for stage in make(notebooks=notebooks).stages}
    for moment in range(1, 99):
        shutil.rmtree(folder, ignore_errors=True)
        moments = iter(range(1, 99))

        def killed(*names, moments=moments, moment=moment):
            now = next(moments) == moment
            if not now or after:
                replace(*names)
            if now:
                raise Kill

        monkeypatch.setattr(os, "replace", killed)
        try:
            make(notebooks=notebooks).run()
        except Kill:
            pass
        else:
            break
        finally:
            monkeypatch.setattr(os, "replace", replace)
        path = folder / "run.json"
        recorded = set(json.loads(path.read_text())["stages"]) if path.exists() else set()
        assert {places[place] for place in executed(folder) if not place.endswith(".part")} <= recorded
        quickly.clear()
        make(notebooks=notebooks).run()
        assert set(quickly) - {"machine"} == {*places.values()} - recorded
        assert executed(folder) == {*places}
    assert moment > len(places)


def executed(folder: Path) -> set[str]:
    """ "soundscapes-long/01_second" and its kind."""
    files = (folder / "notebooks").rglob("*.ipynb")
    return {path.relative_to(folder / "notebooks").as_posix().removesuffix(".ipynb") for path in files}


def test_nothing_slow_stands_between_a_finished_stage_and_its_record(home, quickly, monkeypatch):
    write = record.write_record
    monkeypatch.setattr(record, "write_record", lambda *args: quickly.append("record") or write(*args))
    make().run(STAGES[:1])
    assert quickly[:3] == ["machine", "00_first", "record"]
    quickly.clear()
    make().run(STAGES[:1])
    assert not quickly  # and nothing is asked where nothing runs


def test_left_overs_of_a_kill_are_not_counted_and_go_at_the_next_start(home, quickly, capsys):
    make().run(STAGES[:1])
    folder = paths.runs_dir() / "smoke"
    left = [
        folder / name
        for name in (
            "figures/.a.pdf.abcd_123.pdf",
            "tables/per_clip/.b+c.csv.zzzzzzz0.csv",
            ".run.json.01234567.json",
            "notebooks/01_second.part.ipynb",
            "notebooks/.kernel/connection.json",
        )
    ]
    own = [
        folder / name
        for name in (
            "figures/.mine.pdf",
            "figures/.a.settings.pdf",
            "notebooks/00_first.failed.ipynb",
            "notebooks/.ipynb_checkpoints/00_first-checkpoint.ipynb",
        )
    ]
    for path in (*left, *own):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    capsys.readouterr()
    run = make()
    assert list(run.folder.files()) == ["figures/00_first.pdf"]
    print(*run.folder.listing(), sep="\n")
    said = capsys.readouterr().out
    assert "(1 *.pdf)" in said and "(1 *.ipynb)" in said and "(none yet)" in said
    run.run(STAGES[:1])
    assert not any(path.exists() for path in left) and all(path.exists() for path in own)


def test_names_of_temporary_files_are_known_by_what_gives_them(tmp_path):
    for name in ("a.png", "a b.c.csv", "run.json", ".hidden.tex"):
        with store.replacing(tmp_path / name) as temporary:
            assert store.temporary(temporary) and not store.temporary(tmp_path / name)


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


def wait_for(condition, seconds: float) -> None:
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "waited too long"
        time.sleep(0.1)


def test_nothing_is_left_running():
    mine = psutil.Process(os.getpid()).children(recursive=True)
    assert not [child for child in mine if "ipykernel_launcher" in " ".join(child.cmdline())]
