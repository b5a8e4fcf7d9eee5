"""What things print as in a notebook: a line, with shapes and counts, never a wall of numbers or an address."""

import numpy as np
import pandas as pd
import pytest
from made import MadeClap

from aaclib.captioner import Captioner
from aaclib.datasets import Clip, Split, soundscapes
from aaclib.metrics.result import Scores, means
from aaclib.store import Artefact, Store

SCORES = Scores(
    {"cider_d": 0.123456}, pd.DataFrame({"cider_d": np.zeros(40)}), statistics={"cider_d": np.zeros((40, 9))}
)
CLIPS = tuple(Clip(str(i), ("a dog barks", "a bark")) for i in range(500))


@pytest.mark.parametrize(
    ("thing", "printed"),
    [
        (SCORES, "Scores(n=40, corpus={'cider_d': 0.1235}, missing={}, notes=())"),
        (means(np.zeros(40)), "Result(per_clip=(40,) float64, statistics=(40, 1) float64, failures={})"),
        (Split("clotho", "train", CLIPS), "Split(clotho.train: 500 clips, 1000 captions, 0 with audio)"),
        (soundscapes.load("soundscapes-dev"), "Soundscapes('soundscapes-dev')"),
        (Store("/a"), "Store('/a')"),
        (Artefact("decoder", "0123", None), "Artefact(decoder/0123)"),
        (MadeClap(), "MadeClap('made', dim=24, 8000 Hz, windows of 0.5 s, cpu)"),
        (Captioner(MadeClap(), *[None] * 4), "Captioner(MadeClap('made', dim=24, 8000 Hz, windows of 0.5 s, cpu))"),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) else "",
)
def test_a_line(thing, printed):
    assert repr(thing) == printed
