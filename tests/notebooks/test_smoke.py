"""The whole suite on the smoke profile, through the runner, in folders of its own: minutes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
# fewer decoders and scenes than the profile's own: every notebook runs, no number means anything
SMALL = {
    "data.sizes.soundscapes-pretrain.train": 300,
    "data.sizes.soundscapes-long.train": 80,
    "data.sizes.soundscapes-short.train": 80,
    "train.epochs": 2,
    "clap.epochs": 1,
    "metrics.names": "[bleu_1, rouge_l, cider_d]",
    "metrics.bootstrap": 50,
}

pytestmark = pytest.mark.slow


def suite(folder, *options):
    environment = {**os.environ, "AACLIB_CACHE": str(folder / "cache"), "AACLIB_RUNS": str(folder / "runs")}
    settings = [text for key, value in SMALL.items() for text in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "aaclib", "run", "--profile", "smoke", *settings, *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=850)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    done = suite(folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder, next((folder / "runs").iterdir())


def test_every_notebook_ran_to_its_end_without_an_error(run):
    executed = sorted(run[1].rglob("0*.ipynb"))
    assert [path.stem for path in executed] == [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    for path in executed:
        for cell in nbformat.read(path, as_version=4).cells:
            outputs = cell.get("outputs", [])
            assert not [o for o in outputs if o.output_type == "error"], path.stem
            streams = "".join(o.text for o in outputs if o.output_type == "stream")
            assert "Warning:" not in streams, f"{path.stem}, {cell.id}: {streams[:500]}"


def test_figures_are_pdf_and_png_and_tables_latex_and_csv(run):
    figures, tables = run[1] / "figures", run[1] / "tables"
    names = {path.stem for path in figures.rglob("*.png")}  # those of one target are in a folder of its name
    assert names == {path.stem for path in figures.rglob("*.pdf")}
    assert {"01_spectrograms", "02_retrieval", "03_tsne", "03_gap_direction", "05_strategies", "06_bars"} <= names
    assert not list(figures.rglob(".*")), "temporary files were left"
    for target in ("soundscapes-long", "soundscapes-short"):
        assert (tables / f"{target}-greedy.tex").read_text().count(r"\midrule") > 2
        assert (figures / target / "04_loss.png").is_file() and (figures / target / "05_strategies.pdf").is_file()
    results = pd.read_csv(tables / "results.csv")
    assert {"n", "seeds", "low", "high"} <= set(results.columns)
    assert results[results.value.notna()][["low", "high", "n"]].notna().all().all()


def test_the_conclusions_are_those_of_this_runs_numbers(run):
    results = pd.read_csv(run[1] / "tables" / "results.csv")
    text = (run[1] / "tables" / "findings.md").read_text()
    weak = results[results.group.isin(["baseline", "training", "inference", "both"]) & (results.metric == "cider_d")]
    weak = weak[weak.decoding == "greedy"]
    for target, part in weak.groupby("target"):
        best = part.loc[part.value.idxmax()]
        said = f"**{best.strategy}** has the highest CIDEr-D, {100 * best.value:.1f} ["
        assert said in text and f"**{target}**" in text
    assert "synthetic world" in text


def test_per_clip_files_give_the_corpus_value(run):
    tables = run[1] / "tables"
    results = pd.read_csv(tables / "results.csv").set_index(["target", "strategy", "decoding", "metric"])
    files = list((tables / "per_clip").glob("*_greedy_seed0.csv"))
    assert files
    for path in files:
        target, strategy = path.name.removesuffix("_greedy_seed0.csv").split("_", 1)
        frame = pd.read_csv(path)
        expected = results.loc[(target, strategy, "greedy", "cider_d"), "value"]
        assert frame.cider_d.mean() == pytest.approx(expected, abs=1e-7)
        assert frame.references.map(json.loads).map(len).min() >= 1


def test_macros_and_tables_say_the_same(run):
    tables = run[1] / "tables"
    macros = dict(re.findall(r"\\newcommand\{\\(\w+)\}\{([^}]*)\}", (tables / "numbers.tex").read_text()))
    latex = (tables / "soundscapes-long-greedy.tex").read_text()
    line = next(line for line in latex.splitlines() if line.startswith("baseline &"))
    assert macros["aacSoundscapesLongBaselineCiderD"] in line


def test_a_second_run_has_nothing_to_do(run):
    done = suite(run[0])
    assert done.returncode == 0
    assert not re.search(r"done in", done.stdout + done.stderr), done.stdout[-1500:]
