"""Recordings without captions: whose decoder describes them, and how a judge who has read none is asked."""

import made
import numpy as np
import pytest

from aaclib import datasets, results
from aaclib.captioner import Captioner
from aaclib.config import ConfigError


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
