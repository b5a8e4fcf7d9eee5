"""The rehearsal: the profiles `paper`, `paper-wavcaps` and `laptop` from nothing to the tables, against stand-ins.

Official trees over HTTP, models of the true class and form with small random weights. Overridden are addresses, sizes
(of data, decoder and training) and where weights, tokenizers and AudioCaps' clips lie; scores mean nothing here.
AACLIB_REHEARSAL=full leaves the decoder and its training as the profile has them: an hour on two cores instead of
minutes.
"""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest
from rehearsal import audiocaps_audio, audiocaps_rows, clotho_rows, fsd50k, published, serving, settings

from aaclib import config

ROOT = Path(__file__).parents[2]
PAPER = config.Config().notebooks  # those that a profile runs where it names none
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem[:2] in PAPER)
CLIPS = {"development": 12, "validation": 4, "evaluation": 8}
AUDIOCAPS = {"train": 60, "val": 4, "test": 10}
SMALL = {} if os.environ.get("AACLIB_REHEARSAL") == "full" else {"decoder.width": 64, "train.epochs": 2}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Servers' files, models, and a user's folder of AudioCaps with a tenth missing."""
    import rehearsal_models

    root = tmp_path_factory.mktemp("rehearsal")
    published(root / "www", CLIPS, AUDIOCAPS, wavcaps=60)
    captions = [row[f"caption_{k}"] for row in clotho_rows("development", 60) for k in range(1, 6)]
    captions += [row["caption"] for row in audiocaps_rows("train", 300)]
    rehearsal_models.hf_clap(root / "clap", captions)
    rehearsal_models.bert(root / "bert", captions)
    gone = audiocaps_audio(root / "mine", audiocaps_rows("test", AUDIOCAPS["test"]), leave_out=0.1)
    return root, gone


def wavcaps_checkpoint(root: Path) -> Path:
    import rehearsal_models
    import torch
    from transformers import AutoTokenizer

    vocabulary = len(AutoTokenizer.from_pretrained(str(root / "bert")))
    path = root / "cnn14-bert.pt"
    torch.save({"model": rehearsal_models.clap_fixtures.wavcaps_state("Cnn14", vocabulary), "epoch": 15}, path)
    return path


def run(root: Path, profile: str, overrides: dict[str, object]) -> tuple[Path, str]:
    """One command, as a user types it. Returns the run's folder and what was said."""
    folders = {f"AACLIB_{name}": str(root / profile / name.lower()) for name in ("RAW", "CACHE", "RUNS")}
    environment = {**os.environ, **folders, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": ""}
    options = [part for key, value in overrides.items() for part in ("--set", f"{key}={value}")]
    command = ["./run_all.sh", "--profile", profile, "--no-spice", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=7000)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root / profile / "runs" / profile, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_laptop_profile_without_pairs_from_nothing_to_the_tables(world):
    """Clotho alone, no pairs asked for: none are fetched, and the rows that need them are left out with a line."""
    root, _ = world
    with serving(root / "www") as server:
        places = {"clap.backend": f"hf:{root / 'clap'}", "decoder.width": 64, "train.epochs": 2}
        folder, said = run(root, "laptop", settings(server) | places)
        fetched = {path.rsplit("/", 1)[-1] for path, _ in server.log}
    assert "clotho_audio_evaluation.7z" in fetched and not {"SoundBible.zip", "sb_final.json", "train.csv"} & fetched
    record = json.loads((folder / "run.json").read_text())
    assert len(record["stages"]) == 7 and "audiocaps: left out" in said
    table = (folder / "tables" / "results.csv").read_text()
    assert "noise+projection" in table and "shift" not in table
    seen = shown(folder, NOTEBOOKS[:-1])
    assert "No GPU is needed" in seen["00_preflight"]
    assert "c3 is left out: no audio-caption pairs to measure the gap on (the profile names none)" in seen["06_tables"]


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("profile", ["paper", "paper-wavcaps"])
def test_paper_profile_from_nothing_to_the_tables(world, profile):
    root, gone = world
    backend = (
        f"hf:{root / 'clap'}" if profile == "paper" else f"wavcaps:{wavcaps_checkpoint(root)}?tokenizer={root / 'bert'}"
    )
    with serving(root / "www") as server:
        places = {"clap.backend": backend, "decoder.tokenizer": root / "bert"}
        if profile == "paper":  # the other one shows that they are left out
            places |= {"data.audiocaps": root / "mine", "data.fsd50k": fsd50k(root / "fsd50k")}
        folder, said = run(root, profile, settings(server) | places | SMALL)
        fetched = {path.rsplit("/", 1)[-1] for path, _ in server.log}
    record = json.loads((folder / "run.json").read_text())
    last = ["06", "14/fsd50k"] if profile == "paper" else ["06"]
    targets = ("clotho", "audiocaps") if profile == "paper" else ("clotho",)
    each = [f"{n:02d}/{target}" for target in targets for n in range(1, 6)]
    assert {re.sub(r"(?<=^\d\d)_\w+", "", key) for key in record["stages"]} == {"00", *each, *last}
    assert fetched >= {"clotho_captions_development.csv", "clotho_audio_evaluation.7z", "SoundBible.zip"}
    assert ({"train.csv", "test.csv"} <= fetched) == (profile == "paper")
    assert not {"clotho_audio_development.7z", "clotho_audio_validation.7z"} & fetched  # training needs text only
    tables = {path.name: path.read_text() for path in folder.rglob("*") if path.suffix in (".csv", ".tex")}
    assert any("clotho" in name for name in tables)
    assert any("audiocaps" in name for name in tables) == (profile == "paper")
    assert "fsd50k" not in tables["judged.csv"]
    assert ("captions_fsd50k.csv" in tables) == ("judged_fsd50k.csv" in tables) == (profile == "paper")
    assert profile != "paper" or "label recall" in tables["judged_fsd50k.csv"]
    size = f"n = {AUDIOCAPS['test'] - len(gone)}"
    seen = shown(folder, NOTEBOOKS if profile == "paper" else NOTEBOOKS[:-1])
    assert profile != "paper" or size in seen["06_tables"]
    assert profile != "paper" or any(size in text for name, text in tables.items() if "audiocaps" in name)


def shown(folder: Path, of: Sequence[str]) -> dict[str, str]:
    """Notebook -> what its executed copies show, of all targets together. Fails where one `of` the notebooks has no
    copy, or a copy an error."""
    found: dict[str, str] = {}
    for path in sorted((folder / "notebooks").rglob("*.ipynb")):
        outputs = [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", [])]
        assert not [o for o in outputs if o.output_type == "error"], path
        texts = [o.get("text", "") + "".join(map(str, o.get("data", {}).values())) for o in outputs]
        found[path.stem] = found.get(path.stem, "") + "\n".join(texts)
    assert set(found) == set(of)
    return found


def test_executed_copies_are_looked_for_where_they_lie(tmp_path):
    with pytest.raises(AssertionError):
        shown(tmp_path, NOTEBOOKS)
    (tmp_path / "notebooks" / "clotho").mkdir(parents=True)
    for number, path in enumerate(map(Path, NOTEBOOKS)):
        output = nbformat.v4.new_output("stream", text=f"n = {number}")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
        nbformat.write(notebook, tmp_path / "notebooks" / "clotho" / f"{path.name}.ipynb")
    assert "n = 0" in shown(tmp_path, NOTEBOOKS)["00_preflight"]
    output = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    nbformat.write(notebook, tmp_path / "notebooks" / "clotho" / "00_preflight.ipynb")
    with pytest.raises(AssertionError, match="00_preflight"):
        shown(tmp_path, NOTEBOOKS)
