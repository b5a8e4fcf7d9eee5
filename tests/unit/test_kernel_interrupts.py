"""Kernel > Interrupt: ends within seconds with its children, says one line, and what is finished is kept."""

import json
import os
import sys
import time
from pathlib import Path

import made
import psutil
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from safetensors import safe_open

from aaclib import progress, train

HERE = Path(__file__).parent
SOON_S = 6.0  # on a busy machine; a second or two where it is not
RENDER = """
from aaclib import config
from aaclib.datasets import soundscapes
from aaclib.store import Store
data = config.Data(sizes={"soundscapes-dev.train": 2000})
split = soundscapes.load("soundscapes-dev", data, Store(FOLDER), 2).split("train", audio=True)
"""
TRAIN = """
import aaclib
from pathlib import Path
from aaclib import config, training
from aaclib.run import Run
from aaclib.store import Store
training.POLL_S = 0.1
few = {"train.epochs": 1500, "threads": 0, "data.targets": {"folder": ["baseline", "noise"]}}
run = Run(config.load("quick", {**made.settings_of(Path(WORLD)), **few}), Store(FOLDER))
histories = training.train_all(run)
"""


class Kernel:
    """A kernel as JupyterLab starts one; `run(code)` gives what a cell shows: its text, and its error's lines."""

    def __init__(self, folder: Path):
        home = {"PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE)))}
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.manager = KernelManager(connection_file=str(folder / "connection.json"))
        self.manager._kernel_spec = KernelSpec(argv=argv, display_name="", language="python")
        environment = {name: value for name, value in os.environ.items() if name != "AACLIB_HEADLESS"}
        self.manager.start_kernel(env={**environment, **home, "IPYTHONDIR": str(folder)}, cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(60)

    def start(self, code: str) -> None:
        self.asked, self.said = self.client.execute(code), []

    def finish(self, timeout: float = 60) -> tuple[str, str]:
        text, error = "", ""
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != self.asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                text += content["text"]
            elif kind == "error":
                error = "\n".join(content["traceback"])
            elif kind == "status" and content["execution_state"] == "idle":
                return text, error

    def run(self, code: str) -> tuple[str, str]:
        self.start(code)
        return self.finish()

    def interrupt(self) -> tuple[float, str, str]:
        """Seconds until the cell ended, and what it showed."""
        started = time.monotonic()
        self.manager.interrupt_kernel()
        text, error = self.finish()
        return time.monotonic() - started, text, error

    def children(self) -> list[str]:
        found = psutil.Process(self.manager.provisioner.process.pid).children(recursive=True)
        return [line for p in found if "resource_tracker" not in (line := " ".join(p.cmdline()))]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    kernel.run("import aaclib, made")
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def wait_for(ready, seconds=60):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.05)


def expect_a_short_end(kernel, seconds, text, error):
    assert seconds < SOON_S
    assert "Interrupted. What is finished is kept" in error and len(error.splitlines()) == 1
    assert "Traceback" not in text and progress.PASSED.sub("", text) == ""  # what a notebook keeps
    assert kernel.children() == []


def test_rendering(kernel, tmp_path):
    done = lambda: {p for p in (tmp_path / "scenes").glob("*") if not p.name.endswith((".part", ".lock"))}  # noqa: E731
    code = f"FOLDER = {str(tmp_path)!r}\n{RENDER}"
    kernel.start(code)
    wait_for(lambda: len(done()) >= 2)
    expect_a_short_end(kernel, *kernel.interrupt())
    kept = done()
    assert 2 <= len(kept) < 30
    text, error = kernel.run(code.replace("2000", str(50 * len(kept) + 50)))
    assert not error and kept < done() and progress.PASSED.sub("", text).count("\n") <= 1


def place(file: Path) -> dict:
    with safe_open(str(file), "pt") as state:
        return json.loads(state.metadata()["place"])


def test_training_goes_on_where_it_was(kernel, tmp_path):
    made.make(tmp_path / "world", n=40)
    code = f"FOLDER, WORLD = {str(tmp_path)!r}, {str(tmp_path / 'world')!r}\n{TRAIN}"
    kernel.start(code)

    def epochs() -> dict[str, int]:
        files = (tmp_path / "decoder").glob("*.part/history.json")
        return {file.parent.name: file.read_text().count('"epoch"') for file in files}

    def saved() -> dict[str, int]:
        files = (tmp_path / "decoder").glob(f"*.part/{train.STATE}")
        return {file.parent.name: len(place(file)["history"]) for file in files}

    wait_for(lambda: len(epochs()) == 2 and min(epochs().values()) > 5)
    expect_a_short_end(kernel, *kernel.interrupt())
    before = epochs()
    assert saved() == before
    kernel.start(code.replace('"threads": 0', '"threads": 1'))  # one after the other, in the kernel itself
    wait_for(lambda: epochs() != before)
    assert all(epochs()[name] >= n for name, n in before.items())
    expect_a_short_end(kernel, *kernel.interrupt())
    assert saved() == epochs()
