"""The whole suite on the smoke profile, through the runner, in folders of its own: minutes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))
import snippets  # noqa: E402

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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


# recordings without captions, by the tiny CLAP and from the captions of a small world
OWN = {
    "name": "own",
    "clap.backend": "tiny",
    "data.pretrain": "soundscapes-pretrain",
    "data.pairs": "soundscapes-pretrain.validation",
    "data.text_of": "[soundscapes-short]",
    "data.sizes.soundscapes-pretrain.validation": 60,
    "data.sizes.soundscapes-pretrain.evaluation": 60,
    "data.sizes.soundscapes-short.validation": 30,
    "data.sizes.soundscapes-short.evaluation": 40,
    "clap.train_batch": 32,
    "clap.lr": 1e-3,
    "train.lr": 3e-3,
    "data.targets.folder": "[baseline, projection, copy, shuffled]",
    "decoder.width": 32,
}
TARGETS = ("soundscapes-long", "soundscapes-short")
BOOKS, KINDS = ROOT / "notebooks", ["evaluation", "row", "metric"]


def suite(folder, *options, profile="smoke", **overrides):
    environment = {**os.environ, "AACLIB_CACHE": str(folder / "cache"), "AACLIB_RUNS": str(folder / "runs")}
    settings = [text for key, value in {**SMALL, **overrides}.items() for text in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "aaclib", "run", "--profile", profile, *settings, *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=2400)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    done = suite(folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder, folder / "runs" / "smoke"


def check(path):
    """Every cell of an executed notebook ran, without an error and without a warning."""
    for cell in nbformat.read(path, as_version=4).cells:
        outputs = cell.get("outputs", [])
        assert not [o for o in outputs if o.output_type == "error"], path.stem
        streams = "".join(o.text for o in outputs if o.output_type == "stream")
        assert "Warning:" not in streams, f"{path.stem}, {cell.id}: {streams[:500]}"


def test_every_notebook_ran_to_its_end_without_an_error(run):
    there = {path.relative_to(run[1] / "notebooks").as_posix() for path in run[1].rglob("*.ipynb")}
    own = [path.stem for path in (ROOT / "notebooks").glob("0[1-5]*.ipynb")]
    each = [f"{target}/{name}.ipynb" for target in TARGETS for name in own]
    assert there == {"00_preflight.ipynb", "06_tables.ipynb", *each} and len(own) == 5
    for name in there:
        check(run[1] / "notebooks" / name)


def test_figures_are_pdf_and_png_and_tables_latex_and_csv(run):
    figures, tables = run[1] / "figures", run[1] / "tables"
    names = {path.relative_to(figures).with_suffix("").as_posix() for path in figures.rglob("*.png")}
    assert names == {path.relative_to(figures).with_suffix("").as_posix() for path in figures.rglob("*.pdf")}
    assert "06_bars_cider_d" in names and not [path for path in figures.glob("*.png") if path.name[:2] != "06"]
    assert not list(figures.rglob(".*")), "temporary files were left"
    for target in TARGETS:
        assert (tables / f"{target}-greedy.tex").read_text().count(r"\midrule") > 2
        of = {name.removeprefix(f"{target}/") for name in names if name.startswith(f"{target}/")}
        assert {"01_spectrograms", "03_tsne", "05_strategies"} <= of
        assert {name[:2] for name in of} >= {"01", "02", "03", "04", "05"}
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


def test_the_run_has_a_report_of_all_its_notebooks(run):
    report = run[1] / "report"
    pages = {page.relative_to(report / "notebooks").as_posix() for page in (report / "notebooks").rglob("*.html")}
    assert len(pages) == 12 and "soundscapes-long/05_decoding.html" in pages
    text = (report / "index.html").read_text()
    assert "Synthetic world" in text and "highest CIDEr-D" in text and "06_bars_cider_d" in text
    assert not [page for page in report.rglob("*.html") if "base64" in page.read_text()]
    assert list((report / "sounds").glob("*.flac")) and (report / "files" / "tables" / "results.csv").is_file()


def test_figures_and_tables_are_made_again_from_the_store_alone(run):
    environment = {**os.environ, "AACLIB_CACHE": str(run[0] / "cache"), "AACLIB_RUNS": str(run[0] / "runs")}
    command = [sys.executable, "-m", "aaclib", "figures", "smoke"]
    before = {path for kind in ("decoder", "captions") for path in (run[0] / "cache" / kind).iterdir()}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert before == {path for kind in ("decoder", "captions") for path in (run[0] / "cache" / kind).iterdir()}
    folder = run[1] / "paper"
    for name in ("06_bars_cider_d", "06_seeds", "soundscapes-long/06_bars_cider_d"):
        for kind in (".pdf", ".png", ".csv"):  # the same ones, byte for byte
            file = f"figures/{name}{kind}"
            assert (folder / file).read_bytes() == (run[1] / file).read_bytes(), file
    assert (folder / "tables/numbers.tex").read_bytes() == (run[1] / "tables/numbers.tex").read_bytes()


@pytest.mark.parametrize(("place", "code"), snippets.python(), ids=lambda text: text[:30])
def test_the_python_of_the_documents_runs_on_a_finished_run(run, place, code, tmp_path):
    if any(word in code for word in ("hf:", "slurm:", '"paper"')):
        pytest.skip("it wants a network, a cluster or a GPU: its names are checked in tests/unit/test_snippets.py")
    scene = next((run[0] / "cache" / "scenes").rglob("*.flac"))
    for name in ("dog.wav", "rain.ogg"):
        soundfile.write(tmp_path / name, *soundfile.read(scene))
    settings = {**SMALL, "name": "smoke"}
    start = f"import aaclib\n\ndef load(profile, more=()):\n    settings = {settings}\n"
    start += "    return aaclib.Run.load('smoke', {**settings, **dict(more)})\n"
    code = code.replace("aaclib.Run.load(", "load(").replace('from_run("quick"', 'from_run("smoke"')
    environment = {**os.environ, "AACLIB_CACHE": str(run[0] / "cache"), "AACLIB_RUNS": str(run[0] / "runs")}
    command = [sys.executable, "-c", f"{start}\n{code}"]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{place}: {done.stderr[-1500:]}"


@pytest.fixture(scope="module")
def recordings(run, tmp_path_factory):
    """Some recordings that nobody has described."""
    folder = tmp_path_factory.mktemp("recordings")
    for i, path in enumerate(sorted((run[0] / "cache" / "scenes").rglob("*.flac"))[:40:10]):
        shutil.copy(path, folder / f"{i}.flac")
    return folder


def test_recordings_are_described_by_a_finished_run(run, recordings):
    options = {"data.audio": recordings, "captioner": "smoke:soundscapes-short", "name": "mine"}
    done = suite(run[0], "--only", "14", profile="folder", **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    folder = run[0] / "runs" / "mine"
    check(folder / "notebooks" / "folder" / "14_your_recordings.ipynb")
    assert (folder / "figures" / "folder" / "14_spectrograms.pdf").is_file()
    said = pd.read_csv(folder / "tables" / "captions_folder.csv", keep_default_na=False)
    assert said["clip"].tolist() == [f"{i}.flac" for i in range(4)] and set(said.world) == {"synthetic"}
    judged = pd.read_csv(folder / "tables" / "judged_folder.csv").set_index("row")
    assert list(judged.index) == ["projection", "baseline", "copy", "shuffled"]  # the rows that both profiles have
    assert (judged.n <= 4).all() and (judged.low <= judged["own less others"]).all()


def test_recordings_are_described_from_a_text_where_no_run_is_named(run, recordings):
    done = suite(run[0], "--from", "04", profile="folder", **OWN, **{"data.audio": recordings})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    folder = run[0] / "runs" / "own"
    there = {path.relative_to(folder / "notebooks").as_posix() for path in folder.rglob("*.ipynb")}
    assert there == {"text/04_training.ipynb", "folder/14_your_recordings.ipynb"}
    for name in there:
        check(folder / "notebooks" / name)
    said = pd.read_csv(folder / "tables" / "captions_folder.csv")
    assert list(said.columns) == [
        "clip",
        "projection",
        "baseline",
        "copy",
        "shuffled",
        "fits",
        "others",
        "beats",
        "z",
        "near_1",
        "near_2",
        "near_3",
        "world",
    ]
    assert said["copy"].notna().all() and set(said.world) == {"synthetic"}


def test_the_notebooks_beyond_the_paper_run_from_the_same_store(run, tmp_path):
    profile = tmp_path / "further.yaml"
    profile.write_text('base: smoke\nnotebooks: ["07", "08", "09", "10", "11", "12", "13"]\n')
    for name in ("Clotho", "AudioCaps"):
        (tmp_path / f"BRACE_{name}_Main.json").write_text(json.dumps(judgements(6)))
        (tmp_path / f"BRACE_{name}_Hallu.json").write_text(json.dumps(made_up(6)))
    one = ",".join(f"{n}/soundscapes-short" for n in ("07", "09", "10", "11", "12"))
    options = {"name": "further", "data.brace": tmp_path, "threads": 1}  # so small trainings lose by company
    done = suite(run[0], "--only", f"{one},08,13", profile=profile, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    folder = run[0] / "runs" / "further"
    there = {path.stem for path in folder.rglob("*.ipynb")}
    assert there == {
        path.stem for n in ("07", "08", "09", "10", "11", "12", "13") for path in BOOKS.glob(f"{n}_*.ipynb")
    }
    for path in folder.rglob("*.ipynb"):
        check(path)
    crossed = pd.read_csv(folder / "tables" / "cross_domain.csv")
    assert set(crossed.text) == set(crossed.evaluation) == set(TARGETS) and crossed.cider_d.notna().all()
    causes = pd.read_csv(folder / "tables" / "style_and_content.csv").pivot_table("value", KINDS, "cause")
    assert np.allclose(causes.loss, causes["style"] + causes.content)
    unheard = pd.read_csv(folder / "tables" / "unheard_sounds.csv")
    assert len(unheard) == 8 and np.allclose(unheard.difference, unheard.unheard - unheard.heard, atol=1e-6)
    curves = pd.read_csv(folder / "tables" / "text_scaling_soundscapes-short.csv")
    grown = curves[(curves.row == "noise") & (curves.metric == "cider_d")].captions
    assert list(grown) == sorted(grown) and grown.max() == 3 * 80 and "supervised" in set(curves.row)
    rows = pd.read_csv(folder / "tables" / "bridges_soundscapes-short.csv")
    assert {"plshead", "ridge+projection", "santa"} <= set(rows.row) and rows.p.notna().sum() == len(rows) - 1
    asked = pd.read_csv(folder / "tables" / "questions_soundscapes-short.csv")
    assert {"question alone", "majority", "supervised", "noise+projection"} <= set(asked.row)
    assert asked.accuracy.between(0, 100).all() and set(asked.kind) >= {"all", "yes or no", "which first"}
    music = pd.read_csv(folder / "tables" / "music.csv")
    assert {"supervised", "projection", "human"} <= set(music.row) and music["CIDEr-D"].notna().all()
    people = pd.read_csv(folder / "tables" / "people.csv")
    assert "world" not in people and "world" in crossed  # judgements of real recordings, scores of synthetic ones
    assert people.agreement.between(0, 1).all() and (people.low <= people.high).all()


def judgements(n):
    pairs = {"Human-Machine_1": ["a dog barks", "a cat", 0], "Machine-Machine_1": ["rain", "rain falls on a roof", 1]}
    pairs["Human-Human"] = ["a dog barks", "a dog is barking", 1]
    references = ["a dog barks", "a dog is barking", "barking of a dog and rain on a roof"]
    return [{"file_name": f"{i}.wav", "references": references, **pairs} for i in range(n)]


def made_up(n):
    pairs = [["a dog barks", "a piano barks", 1], ["a shoe is barking", "a dog is barking", 0]]
    return [{"file_name": f"{i}.wav", "caption_1": pairs[0], "caption_2": pairs[1]} for i in range(n)]
