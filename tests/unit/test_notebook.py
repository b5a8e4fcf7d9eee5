"""One notebook in a kernel: what keeps it from starting, from ending or from being written is told in three lines."""

import contextlib
import io
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest
import small_project
from small_project import STAGES, book, make

from aaclib import paths
from aaclib.suite import notebook, outputs

home = small_project.home  # the fixture


def test_a_kernel_needs_no_home_and_nobodys_settings(home, tmp_path, monkeypatch):
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text("raise SystemExit('broken settings')")
    (tmp_path / "no folder").touch()
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("HOME", str(tmp_path / "no folder"))
    book(
        home / "notebooks",
        "00_first",
        "import os, matplotlib\nprint(matplotlib.get_cachedir(), os.getcwd())",
        "print(os.environ['AACLIB_RUNS'], __import__('pathlib').Path('é').exists())",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AACLIB_RUNS", "runs {x} é")
    make().run(STAGES[:1])
    folder = tmp_path / "runs {x} é" / "smoke"
    first, second = (folder / "logs" / "00_first.log").read_text().splitlines()
    assert first == f"{folder / 'notebooks' / '.kernel'} {home}" and second == f"{tmp_path / 'runs {x} é'} False"
    assert [path.name for path in (folder / "notebooks").iterdir()] == ["00_first.ipynb"]


def test_a_kernel_that_does_not_start_is_three_lines_with_its_last_words(home, tmp_path, monkeypatch, capfd):
    (tmp_path / "ipykernel_launcher.py").write_text("raise OSError('it cannot be')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(notebook.NotebookError) as caught:
        make().run(STAGES[:1])
    first, second, third = caught.value.lines
    assert first == "00_first.ipynb, before its first cell" and "OSError: it cannot be" in second
    assert "00_first.log" in third and capfd.readouterr().err == ""


def test_a_file_size_limit_is_three_lines_and_leaves_no_cut_notebook(home):
    book(home / "notebooks", "00_first", "from IPython.display import HTML\nHTML('x' * 100_000)")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(notebook.NotebookError, match="File too large") as caught:
            make().run(STAGES[:1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "no file may be larger than 50,000 bytes" in caught.value.lines[2] and "kept" in caught.value.lines[2]
    assert not list((paths.runs_dir() / "smoke" / "notebooks").iterdir())


def test_an_interrupt_before_the_kernel_starts_ends_it_too(monkeypatch):
    monkeypatch.setattr(notebook, "GRACE_S", 0.2)
    ended = []

    def call():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.5)  # as long as papermill takes to start a kernel
        ended.append(subprocess.run([sys.executable, "-c", "import time; time.sleep(20)"], stderr=subprocess.DEVNULL))

    with pytest.raises(KeyboardInterrupt):
        notebook._interruptible(call)
    assert ended[0].returncode != 0


def test_a_console_that_goes_away_ends_no_notebook():
    log, (read, write) = io.StringIO(), os.pipe()
    console = open(write, "w")
    os.close(read)
    tee = outputs.Tee(log, console)
    for _ in range(2):
        tee.write("a line\n")
        tee.flush()
    assert log.getvalue() == "a line\n" * 2
    with contextlib.suppress(BrokenPipeError):
        console.close()
