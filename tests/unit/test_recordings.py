"""Recordings without captions: whose decoder describes them, and how a judge who has read none is asked."""

import made
import numpy as np
import pytest

from aaclib import datasets, results
from aaclib.captioner import Captioner
from aaclib.config import ConfigError, Data
from aaclib.datasets.text import Text


def library(n, each):
    """A published set of `n` clips with `each` captions, whose recordings nobody may ask for."""

    class Library:
        name, title, synthetic = "library", "Library", False

        def split(self, name, audio=False):
            assert not audio
            captions = [[f"a {made.THINGS[i % 4]} sings {i} {k}" for k in range(each)] for i in range(n)]
            clips = tuple(datasets.Clip(f"{i}", tuple(captions[i])) for i in range(n))
            return datasets.Split(self.name, name, clips)

    return Library()


def test_a_drawn_part_of_the_text_is_the_same_each_time_and_about_as_large_as_asked_for():
    def split(size, name="train"):
        return Text(Data(text_of=("a",), text_size=size), lambda name: library(200, 5)).split(name)

    assert len(split(0).clips) == len(split(1000).clips) == len(split(5000).clips) == 200 and split(0).notes == ()
    drawn = split(300)
    assert drawn.clips == split(300).clips and 300 <= len(drawn.captions) < 306
    ids = [int(clip.id) for clip in drawn.clips]
    assert ids == sorted(ids) and ids != list(range(60)) and "60 of 200 clips (train)" in drawn.notes[0]
    assert [len(split(300, part).captions) for part in ("validation", "evaluation")] == [30, 30]
    assert drawn.digest != split(0).digest and split(300, "validation").clips != split(300, "evaluation").clips


def test_the_text_is_read_and_nobody_asks_for_its_recordings(world, tmp_path, monkeypatch):
    load = datasets.load
    monkeypatch.setattr(datasets, "load", lambda n, *rest: library(12, 2) if n == "library" else load(n, *rest))
    settings = {"data.captions": "", "data.pairs": "", "gap.sigma": "0.1", "train.epochs": 1}
    run = made.run_of(world, tmp_path, **settings, **{"data.text_of": ["library"]})
    assert len(run.clips("text", "evaluation", 0)) == 12 == len(run.captions("text", "reconstruction", 0))


def test_recordings_are_described_from_a_text_of_their_own_or_from_that_of_another_target(world, tmp_path, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text("a dog sings in the park\na cat runs in the house\na bell sleeps in the street\n" * 4)
    settings = {"data.captions": "", "data.pairs": "", "gap.sigma": "0.1", "train.epochs": 2}
    own = made.run_of(world, tmp_path / "store", **settings, **{"data.text": str(text)})
    assert (own.targets, own.recordings) == ((), ("folder",))
    captioner = Captioner.of(own, "projection")
    assert (captioner.run, captioner.target) == (own, "folder") and len(captioner.memory) == 3
    clips = own.clips("folder", "evaluation", 0)[:3]
    assert captioner.caption([clip.audio for clip in clips]) == own.captions("folder", "projection", 0)[:3]

    class Library:  # a published set of captions
        name, title, synthetic = "library", "Library", False

        def split(self, name, audio=False):
            captions = [f"a {thing} sings in the {place}" for thing in made.THINGS for place in made.PLACES]
            return datasets.Split(self.name, name, tuple(datasets.Clip(c, (c,)) for c in captions))

    load = datasets.load
    monkeypatch.setattr(datasets, "load", lambda name, *rest: Library() if name == "library" else load(name, *rest))
    lent = made.run_of(world, tmp_path / "store", **settings, **{"data.text_of": ["library"]})
    assert (lent.targets, lent.recordings) == (("text",), ("folder",))
    captioner = Captioner.of(lent, "baseline")
    assert captioner.target == "text" and len(captioner.memory) == 12 == len(lent.texts("text", "train", 0).captions)
    assert lent.dataset("text").title == "Captions of Library" and len(captioner.caption([clips[0].audio])) == 1
    with pytest.raises(ConfigError, match=r"folder has no captions to learn from: ask aaclib\.Captioner\.of"):
        lent.captions("folder", "baseline", 0)
    said, heard = results.by_judge(lent, captioner, clips, ["a dog sings", "", "a cat runs"])
    assert np.isnan(said[1]).all() and said.shape == heard.shape == (3, made.DIM)
    np.testing.assert_allclose(said[0], captioner.clap.embed_text(["a dog sings"])[0], atol=1e-6)
    np.testing.assert_allclose(heard, lent.audio("folder", "evaluation", 0).z[:3], atol=1e-6)
