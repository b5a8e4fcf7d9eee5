"""Captions for other recordings, from a finished run."""

import json

import made
import numpy as np
import pytest

from aaclib import arrays, config
from aaclib.captioner import Captioner
from aaclib.config import ConfigError
from aaclib.run import Run
from aaclib.store import Store, write_record


def test_captioner_from_a_run(world, done, tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))
    monkeypatch.setenv("AACLIB_CACHE", str(done.store.root))
    write_record(tmp_path / "mine" / "run.json", {"profile": "quick", "overrides": made.settings_of(world)})
    captioner = Captioner.from_run("mine", strategy="projection")
    clips = done.clips("folder", "evaluation", 0)
    assert captioner.caption([clip.audio for clip in clips]) == done.captions("folder", "projection", 0)
    assert len(captioner.caption([np.random.default_rng(0).standard_normal(4000)], sample_rate=8000, beam=2)) == 1
    for wrong, message in (
        ({"run": "other"}, "Finished: mine"),
        ({"strategy": "copy"}, "control row"),
        ({"target": "clotho"}, "It has: folder"),
        ({"strategy": "noise+shift"}, "trained no decoder"),
    ):
        with pytest.raises(ConfigError, match=message):
            Captioner.from_run(**{"run": "mine", **wrong})
    assert json.loads((tmp_path / "mine" / "run.json").read_text())["profile"] == "quick"


def test_a_finished_run_captions_other_recordings(world, done, tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AACLIB_CACHE", str(done.store.root))
    write_record(tmp_path / "runs" / "mine" / "run.json", {"profile": "quick", "overrides": made.settings_of(world)})
    settings = {**made.settings_of(world), "data.captions": "", "data.pairs": "", "captioner": "mine"}
    bare = Run(config.load("quick", settings), Store(tmp_path / "store"))
    clips = bare.clips("folder", "evaluation", 0)
    assert len(clips) == 150  # without a table every recording is there to be captioned
    made_here = Captioner.of(bare).caption([clip.audio for clip in clips])
    made_here = dict(zip([c.id for c in clips], made_here, strict=True))
    judged = [c.id for c in done.clips("folder", "evaluation", 0)]
    there = dict(zip(judged, done.captions("folder", "projection", 0), strict=True))
    assert {name: made_here[name] for name in there} == there
    z = arrays.recordings(Captioner.of(bare).clap, bare.split("folder", "evaluation", True), bare.config, bare.store).z
    np.testing.assert_array_equal(z, bare.audio("folder", "evaluation", 0).z)
    for ask in (bare.captions, bare.decoder):
        with pytest.raises(ConfigError, match=r"captioner=mine .*aaclib\.Captioner\.of\(run\)"):
            ask("folder", "projection", 0)  # and no decoder is trained on some other text in silence
    assert not (tmp_path / "store" / "decoder").exists() and not bare.synthetic


def test_the_setting_captioner_names_a_run_and_perhaps_its_target(world, done, tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AACLIB_CACHE", str(done.store.root))
    write_record(tmp_path / "runs" / "mine" / "run.json", {"profile": "quick", "overrides": made.settings_of(world)})

    def of(captioner):
        return Captioner.of(made.run_of(world, tmp_path / "store", captioner=captioner))

    clips = done.clips("folder", "evaluation", 0)[:3]
    assert of("mine:folder").caption([c.audio for c in clips]) == done.captions("folder", "projection", 0)[:3]
    for captioner, message in (
        ("mine:clotho", "no target 'clotho'. It has: folder"),
        ("gone", "no finished run 'gone' .*Finished: mine"),
        ("", "no finished run is named for them: --set captioner=RUN"),
    ):
        with pytest.raises(ConfigError, match=message):
            of(captioner)
    asked = []
    monkeypatch.setattr(Captioner, "from_run", lambda *arguments: asked.append(arguments))
    of("mine"), of("mine:folder")
    assert asked == [("mine", "projection", None, None, "cpu"), ("mine", "projection", "folder", None, "cpu")]
