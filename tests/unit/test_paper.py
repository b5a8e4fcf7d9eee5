"""Figures and tables for a paper: at the widths of columns, with their numbers, in a document that compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
from types import SimpleNamespace

import pages
import pandas as pd
import pytest
from made_results import VALUES, Made, made, made_numbers  # noqa: F401

from aaclib import bridge, plots
from aaclib.errors import for_the_user
from aaclib.plots import looks
from aaclib.store import StoreError
from aaclib.suite import figures
from aaclib.tables import build, latex, paper
from aaclib.tables.table import Cell, Row, Table

LATEX = shutil.which("pdflatex")
METRICS = ("bleu_1", "bleu_4", "meteor", "rouge_l", "cider_d", "spice", "spider", "relative", "above chance")
MANY = ("supervised", "supervised+text", "baseline", "noise", "shift", "noise+shift", "c3", "nearest", "projection")
MANY += ("noise+nearest", "noise+projection", "shift+projection", "noise+shift+projection", "copy", "reconstruction")
MANY += ("look-up", "shuffled", "human")


def table(columns=METRICS, rows=MANY, notes=12) -> Table:
    """As large as a run's: eighteen rows, nine columns, a dozen notes."""
    cell = Cell(52.8, 48.1, 57.3, rank=1, mark="†")
    found = tuple(Row(name, bridge.strategy(name).group, dict.fromkeys(columns, cell)) for name in rows)
    return Table(
        "Soundscapes-long, greedy decoding: scores x100.",
        columns,
        found,
        ("†: the difference from the best is significant over clips in these trainings, 5 % & more, not over seeds.",)
        * notes,
        synthetic=True,
        label="tab:soundscapes-long-greedy",
    )


def run(folder):
    """A run of made numbers with two targets, which can be asked for its figures."""
    it = Made(folder, ("soundscapes-long", "soundscapes-short"), {**VALUES, "supervised": 0.6})
    it.run_dir, it.store = folder, SimpleNamespace(making=None)
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [3.0, 2.0], "validation_loss": [3.1, 2.4]})
    it.decoder = lambda target, row, seed: SimpleNamespace(history=history)
    return it


@pytest.fixture(autouse=True)
def seeds(monkeypatch):
    def by_seed(run, target, metric):
        frame = made(target)
        return frame[frame.metric == metric].assign(seed=0)[["target", "strategy", "group", "seed", "value"]]

    monkeypatch.setattr(paper.frames, "by_seed", by_seed)
    monkeypatch.setattr(paper.export, "other_systems", lambda run, target: [])
    monkeypatch.setattr(paper.export.results, "rows", lambda run, *about: run.rows(*about))


def test_every_figure_of_a_run_fits_a_page_and_each_target_has_its_own_at_column_width(tmp_path):
    drawn = {name: draw() for name, draw in paper.figures(run(tmp_path))}
    for name, fig in drawn.items():
        pages.check(fig, name)
    assert {"06_bars_cider_d", "06_bars_meteor", "06_relative", "06_seeds"} <= set(drawn)
    for target in ("soundscapes-long", "soundscapes-short"):
        for name in ("04_loss_column", "06_bars_cider_d", "06_bars_meteor", "06_relative", "06_seeds"):
            assert drawn[f"{target}/{name}"].get_figwidth() == plots.SINGLE, name


def test_a_figure_of_many_rows_is_no_higher_than_a_page():
    frame = pd.concat([made(f"target-{i}", values=dict.fromkeys(MANY, 0.3)) for i in range(6)])
    fig = plots.bars(frame, ("cider_d",))
    assert fig.get_figheight() <= plots.style.PAGE
    pages.check(fig, "bars of six targets")


def test_a_row_has_the_colour_of_its_training_in_every_figure():
    for name in ("noise", "noise+projection", "noise+nearest"):
        assert looks.look(name, "both")["color"] == bridge.TRAINING["noise"].colour
    assert looks.look("projection", "inference")["color"] == bridge.TRAINING["text"].colour
    hatched = [looks.look(name, "inference").get("hatch", "") for name in ("baseline", "nearest", "projection")]
    assert len(set(hatched)) == 3 and hatched[0] == ""
    assert looks.look("somebody's system", "external") == {"color": looks.GROUPS["external"].colour}
    bars = plots.bars(made(values={"noise": 0.4, "noise+projection": 0.5}), ("cider_d",)).axes[0].patches
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [3.0, 2.0]})
    (line, *_) = plots.losses({"noise": history}).axes[0].lines
    assert {bar.get_facecolor() for bar in bars} == {looks.Patch(color=line.get_color()).get_facecolor()}


def test_what_is_drawn_lies_beside_it_as_numbers(tmp_path):
    plots.save(plots.bars(made(), ("cider_d",)), tmp_path / "bars", synthetic=True)
    numbers = pd.read_csv(tmp_path / "bars.csv")
    assert numbers.set_index("strategy").value.to_dict() == pytest.approx(VALUES)
    assert set(numbers.world) == {"synthetic"} and {"low", "high", "n"} <= set(numbers)
    with plots.styled():
        fig, ((left, right),) = plots.figure(plots.DOUBLE, 2, 1, 2)
        left.plot([1, 2], [0.5, 0.25], label="=1+1")
        left.axhline(0.3)
        left.set_title("Loss")
        right.barh([0, 1], [7, 3])
        right.bar(["one"], [0.5])
        right.imshow([[1.0, 2.0]])
        right.scatter([5], [6])
    plots.save(fig, tmp_path / "by hand")
    read = pd.read_csv(tmp_path / "by hand.csv").fillna("")
    points = read[(read.panel == 1) & (read.kind == "point")]
    assert list(zip(points.x, points.y, strict=True)) == [(1, 0.5), (2, 0.25)] and set(points.series) == {"'=1+1"}
    assert read[read.kind == "bar"].value.tolist() == [7, 3, 0.5] and read[read.kind == "cell"].value.tolist() == [1, 2]
    assert read[(read.panel == 2) & (read.kind == "point")][["x", "y"]].to_numpy().tolist() == [[5, 6]]


def test_a_wide_table_keeps_all_columns_and_a_narrow_one_the_headline():
    assert latex.fitting(table(), latex.TEXT).columns == METRICS
    assert latex.fitting(table(), latex.TEXT, intervals=True).columns == METRICS
    kept = latex.fitting(table(), latex.COLUMN).columns
    assert "cider_d" in kept and "relative" in kept and "bleu_1" not in kept and 4 <= len(kept) < len(METRICS)
    assert list(kept) == [name for name in METRICS if name in kept]
    assert latex.fitting(table(("cider_d",)), 10).columns == ("cider_d",)


def test_notes_can_be_left_out_and_a_column_is_no_two():
    text = table().latex(notes=False, column=True)
    assert r"\begin{table}" in text and "table*" not in text and "significant over clips" not in text
    assert "significant over clips" in table().latex() and r"\begin{table*}" in table().latex()


def test_what_is_lacking_is_left_out_by_name_and_the_rest_is_written(tmp_path):
    it = run(tmp_path)

    def gone(target, row, seed):
        raise StoreError("what it needs is not in the store")

    it.decoder = gone
    written, lacking = figures.write(it, tmp_path / "paper")
    assert len(lacking) == 4 and all(
        re.match(r"figures/.*04_loss.* is left out: .*not in the store", x) for x in lacking
    )
    names = {path.relative_to(tmp_path / "paper").as_posix() for path in written}
    assert {"paper.tex", "tables/numbers.tex", "tables/soundscapes-long-greedy_column.tex"} <= names
    assert {f"figures/06_bars_cider_d.{kind}" for kind in ("pdf", "png", "csv")} <= names
    assert all(path.is_file() for path in written) and not [name for name in names if "04_loss" in name]


def test_a_run_that_is_opened_for_figures_makes_nothing(monkeypatch, tmp_path):
    from aaclib import config, records

    monkeypatch.setattr(records, "settings", lambda name: config.load("smoke"))
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "cache"))
    it = figures.opened("smoke")
    with pytest.raises(StoreError, match="kind 'decoder'.*Fix: make it with ./run_all.sh --profile smoke") as refused:
        it.store.get("decoder", {"a": 1}, lambda folder: None)
    assert for_the_user(refused.value) and not it.config.data.download


@pytest.mark.skipif(not LATEX, reason="no pdflatex here: nothing was compiled (apt install texlive-latex-recommended)")
def test_the_document_compiles_and_nothing_runs_over_its_margins(tmp_path):
    written, lacking = figures.write(run(tmp_path), tmp_path)
    assert not lacking
    large = [("wide", {}), ("intervals", {"intervals": True}), ("column", {"column": True, "notes": False})]
    for name, options in large:
        (tmp_path / "tables" / f"{name}.tex").write_text(table().latex(**options))
    document = (tmp_path / "paper.tex").read_text()
    more = "".join(rf"\input{{tables/{name}.tex}}\clearpage" for name, _ in large)
    more += "\n" + build.main_table(run(tmp_path), "soundscapes-long").latex(column=True)
    (tmp_path / "paper.tex").write_text(document.replace(r"\maketitle", r"\maketitle" + more, 1))
    command = [LATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert done.returncode == 0 and (tmp_path / "paper.pdf").stat().st_size > 10_000, log[-2000:]
    assert not re.findall(r"Overfull \\hbox.*|.*Float too large.*|LaTeX Warning: .*multiply.*", log)
    assert set(re.findall(r"pdf with|Undefined control sequence", log)) == set()
