"""Without network and without files: everything that has to be brought, all at once, before anything is run."""

import shlex
import shutil

import pytest
import test_doctor
from rehearsal import SPLITS, published, sound

from aaclib import config
from aaclib.datasets import load
from aaclib.suite import cli, doctor, notebook

machine = test_doctor.machine  # the fixture: empty folders, an empty model cache, a hub that does not answer
TABLES = {f"Clotho's {split} {kind}" for split in SPLITS for kind in ("captions", "metadata")}
OWN = {"Clotho's evaluation audio", "CLAP weights and tokenizer"}
AUDIOCAPS = {"AudioCaps' train captions", "AudioCaps' validation captions"}


@pytest.fixture
def nothing_runs(monkeypatch):
    def execute(*args, **options):
        raise AssertionError("a notebook was run")

    monkeypatch.setattr(notebook, "execute", execute)


def listed(text):
    """What -> its lines by their first word, of a listing."""
    blocks = [block.splitlines() for block in text.split("\n\n")[1:-1]]
    return {lines[0].split(" (")[0]: dict(line.split(maxsplit=1) for line in lines[1:]) for lines in blocks}


@pytest.mark.parametrize("how", ["--offline", "AACLIB_OFFLINE", "HF_HUB_OFFLINE"])
def test_laptop_and_folder_list_everything_at_once_and_run_nothing(how, machine, monkeypatch, nothing_runs, capsys):
    sound(machine / "mine" / "a.wav", 0, 0.1, 16000)
    dead = [f"--set={name}={url}" for name, url in test_doctor.DEAD.items()]
    if how != "--offline":  # with HF_HUB_OFFLINE alone the other hosts are asked, and do not answer
        monkeypatch.setenv(how, "1")
    options = ["--offline"] if how == "--offline" else []
    expected = {
        "laptop": (TABLES | OWN, []),
        "folder": ({t for t in TABLES if "captions" in t} | AUDIOCAPS | {"CLAP weights and tokenizer"}, ["mine"]),
    }
    for profile, (wanted, audio) in expected.items():
        audio = [f"--set=data.audio={machine / folder}" for folder in audio]
        assert cli.main(["run", "--profile", profile, *options, *dead, *audio]) == 2
        said = capsys.readouterr().err
        found = listed(said)
        assert set(found) == wanted and "WavCaps" not in said  # the pairs are not asked for, so they are not missed
        assert f"aaclib: Nothing was run: {len(wanted)} things (" in said
        for what, lines in found.items():
            command = shlex.split(lines["command"])
            assert lines["to"] in command and lines["from"].startswith("http"), what
        clap = found["CLAP weights and tokenizer"]
        assert clap["from"].endswith("/laion/clap-htsat-unfused") and clap["command"].startswith("hf download laion/")
        assert clap["then"] == f"--set clap.backend=hf:{clap['to']}" and "615 MB" in said
    assert not (machine / "raw").exists()


def test_what_was_brought_to_its_place_is_found_there(machine):
    """The tables and the archive as the listing says, the CLAP in the folder that the setting names."""
    offline = {"data.download": False}
    clap = machine / "hub-folder"
    clap.mkdir()
    for file in ("config.json", "preprocessor_config.json", "model.safetensors", "tokenizer.json"):
        (clap / file).write_text("{}")
    offline["clap.backend"] = f"hf:{clap}"
    settings = config.load("laptop", offline)
    www = published(machine / "www", {"development": 6, "validation": 2, "evaluation": 3})
    for need in doctor.needs(settings):
        if not need.here:
            name = need.url.rpartition("/")[2]
            target = machine / (need.place or need.where)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(www / "zenodo" / name, target)
    assert doctor.listing(settings) == [] and not doctor.check(settings).errors
    split = load("clotho", settings.data).split("evaluation", audio=True)  # unpacked without a word of downloads
    assert len(split.paths) == 3
    assert doctor.listing(settings) == []


def test_the_preflight_alone_may_run_where_everything_is_missing(machine, monkeypatch):
    ran = []

    def execute(source, *args, **options):
        ran.append(source.stem)
        raise notebook.NotebookError("", "", "")

    monkeypatch.setattr(notebook, "execute", execute)
    assert cli.main(["run", "--profile", "laptop", "--offline", "--only", "00"]) == 1
    assert ran == ["00_preflight"]


@pytest.mark.parametrize(("only", "runs"), [("07", True), ("13", False), ("07,13", False)])
def test_what_is_missing_concerns_the_stages_asked_for(only, runs, machine, monkeypatch, capsys):
    """Of `beyond` notebook 13 alone reads files from outside: BRACE's judgements."""
    ran = []

    def execute(source, *args, **options):
        ran.append(source.stem)
        raise notebook.NotebookError("", "", "")

    monkeypatch.setattr(notebook, "execute", execute)
    assert cli.main(["run", "--profile", "beyond", "--offline", "--only", only]) == (1 if runs else 2)
    assert ran == (["07_sensitivity"] if runs else [])
    assert runs or all(what.startswith("BRACE's judgements") for what in listed(capsys.readouterr().err))
    of_13 = config.load("laptop", {"notebooks": ["00", "13"], "data.download": False})
    assert {need.what.split(" (")[0] for need in doctor.needs(of_13)} == {"BRACE's judgements"}


def test_doctor_says_that_a_laptop_needs_no_gpu(machine):
    def device(profile):
        return next(c for c in doctor.check(config.load(profile, {"device": "cpu"})) if c.what == "device")

    for profile in ("laptop", "folder"):
        found = device(profile)
        assert found.level == "ok" and "No GPU is needed" in found.detail and "width 256" in found.detail
    assert device("paper").level == "warning" and "--profile laptop" in device("paper").fix


def test_pairs_that_no_row_reads_are_neither_planned_nor_needed(machine):
    def needed(profile, **overrides):
        return {need.what for need in doctor.needs(config.load(profile, overrides | {"data.audio": str(machine)}))}

    pairs = {"data.pairs": "wavcaps"}
    assert not any("WavCaps" in what for what in needed("folder") | needed("laptop"))
    assert any("WavCaps" in what for what in needed("laptop", **pairs))
    assert any("WavCaps" in what for what in needed("paper"))
    for row in ("copy", "noise+projection"):  # the noise has the given sigma
        assert not any("WavCaps" in what for what in needed("paper", **pairs, **{"data.targets": {"clotho": [row]}}))
    estimated = {"data.targets": {"clotho": ["noise"]}, "gap.sigma": "rms"}
    assert any("WavCaps" in what for what in needed("paper", **pairs, **estimated))
    plan, full = (doctor.plan(config.load("laptop", {"device": "cpu", **more})) for more in ({}, pairs))
    assert "2 decoders" in str(plan) and "Left out without pairs (the profile names none): c3, " in str(plan)
    assert "6 decoders" in str(full) and "Left out without" not in str(full) and full.to_fetch_gb > plan.to_fetch_gb
