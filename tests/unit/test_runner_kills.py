"""A kill at any moment leaves nothing half done, and what it leaves goes at the next start."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
import small_project
from small_project import EACH, NOTEBOOKS, STAGES, book, executed, make, ran

from aaclib import paths, store
from aaclib.suite import record

home, quickly = small_project.home, small_project.quickly  # fixtures

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


def wait_for(condition, seconds: float) -> None:
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "waited too long"
        time.sleep(0.1)


def test_nothing_is_left_running():
    mine = psutil.Process(os.getpid()).children(recursive=True)
    assert not [child for child in mine if "ipykernel_launcher" in " ".join(child.cmdline())]
