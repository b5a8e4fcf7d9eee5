"""A project of three tiny notebooks, for tests of what executes them."""

from pathlib import Path

import nbformat
import pytest

from aaclib import config, paths, provenance
from aaclib.suite import notebook, report, runner, stages

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
    monkeypatch.setattr(report, "renew", lambda run: None)
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


def executed(folder: Path) -> set[str]:
    """ "soundscapes-long/01_second" and its kind."""
    files = (folder / "notebooks").rglob("*.ipynb")
    return {path.relative_to(folder / "notebooks").as_posix().removesuffix(".ipynb") for path in files}
