"""Progress: a line that changes in place where somebody looks on, a line now and then in a log."""

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest

from aaclib import progress, screen
from aaclib.progress import Progress
from aaclib.suite import outputs


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(time=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.time)
    return now


def work(clock, bar, steps=10, each=3.0):
    for _ in range(steps):
        clock.time += each
        bar.step()


def test_a_log_has_a_line_every_ten_seconds_and_one_at_the_end(clock, capsys):
    work(clock, Progress("making", 10, "things"))
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.splitlines() == [
        "making: 4/10 things, 3.0 s each, 18 s left",
        "making: 8/10 things, 3.0 s each, 6 s left",
        "making: 10/10 things, 3.0 s each, took 30 s",
    ]


def test_what_ends_sooner_says_nothing(clock, capsys):
    work(clock, Progress("making", 10), each=0.9)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_line(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    work(clock, Progress("making", 3), steps=3, each=60)
    states = sys.stderr.getvalue().split("\r")
    assert [state.rstrip(" ") for state in states] == [
        "making: 1/3, 60.0 s each, 2 min 00 s left",
        "making: 2/3, 60.0 s each, 1 min 00 s left",
        "making: 3/3, 60.0 s each, took 3 min 00 s",
        "\n",
    ]
    assert len(set(map(len, states[:-1]))) == 1  # the shorter one hides the longer one


def test_a_notebook_has_it_in_its_output_not_in_red_and_keeps_the_last_state(clock, monkeypatch, capsys):
    monkeypatch.setattr(screen, "kernel", lambda: object())
    work(clock, Progress("making", 3), steps=3)
    shown = capsys.readouterr()
    assert shown.err == "" and shown.out.count("\r") == 3
    assert progress.PASSED.sub("", shown.out) == "making: 3/3, 3.0 s each, took 9 s\r\n"


def test_what_an_earlier_process_did_counts_as_done_but_not_for_the_rate(clock):
    bar = Progress("training", 100, done=90)
    clock.time += 10
    assert bar.line() == "training: 90/100, 10 s so far"
    bar.step(5)
    assert bar.line() == "training: 95/100, 2.0 s each, 10 s left"


def test_workers_are_silent(clock, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_silent", False)
    progress.silence()
    work(clock, Progress("making", 10))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("console", "told"), [(Terminal(), "a 1\ra 2\r\n"), (io.StringIO(), "a 1\na 2\n")])
def test_of_what_a_notebook_prints_the_console_gets_the_progress_and_the_log_all(console, told):
    log = io.StringIO()
    tee = outputs.Tee(log, console, progress_alone=True)
    for text in ("a table\n", "a 1\r", "a 2\r\n", "done\n"):
        tee.write(text)
    assert log.getvalue() == "a table\na 1\na 2\ndone\n" and console.getvalue() == told


def test_an_executed_notebook_keeps_the_last_state_and_its_order_and_has_one_cell_called_parameters(tmp_path):
    stream = nbformat.v4.new_output
    texts = ("before\n", "a 1\ra 2\r", "a 3\r\nafter\n", "b 1\r")
    printed = [stream("stream", name="stdout", text=text) for text in texts]
    shown = stream("display_data", data={"text/plain": "a player"})
    cells = [
        nbformat.v4.new_code_cell("# Parameters: change them here", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("# Parameters\nprofile = 1", metadata={"tags": [outputs.INJECTED]}),
        nbformat.v4.new_code_cell("work()", outputs=[printed[0], shown, *printed[1:]]),
    ]
    path = tmp_path / "x.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    outputs.tidy(path)
    first, second, third = nbformat.read(path, as_version=4).cells
    assert first.source.startswith("# Parameters") and second.source.startswith("# Set by the runner")
    assert [out.get("text", "shown") for out in third.outputs] == ["before\n", "shown", "a 3\nafter\n"]


BARS = """
import ipykernel.zmqshell  # as tqdm knows a kernel
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
from aaclib import screen
screen.kernel = lambda: shell
screen.settle_in()
import tqdm.auto, tqdm.notebook
print(issubclass(tqdm.auto.tqdm, tqdm.notebook.tqdm_notebook))
"""


@pytest.mark.parametrize("headless", [True, False])
def test_bars_of_libraries_are_widgets_only_where_somebody_looks_on(headless):
    environment = {**os.environ, **({screen.HEADLESS: "1"} if headless else {})}
    done = subprocess.run([sys.executable, "-c", BARS], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [str(not headless)], done.stderr
