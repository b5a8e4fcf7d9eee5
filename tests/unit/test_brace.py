"""BRACE's judgements: who is left out of the references, what is refused, and the real files where they are here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aaclib import config
from aaclib.config import Data
from aaclib.datasets import DatasetError, brace
from aaclib.suite.doctor.needs import needs

REAL = Path(__file__).parents[3] / "shared" / "data" / "brace"
MAIN = [
    {
        "file_name": "glass.wav",
        "references": ["Glass breaks.", "a bottle falls", "Someone drops a glass"],
        "Human-Human": ["A bottle falls.", "glass breaks", 1],
        "Human-Machine_2": ["glass and a dog", "Someone drops a glass", 1],
        "Machine-Machine_1": ["a dog", "a cat\n", 0],
    },
    {"file_name": "one.wav", "references": ["rain falls"], "Human-Machine_1": ["rain falls", "wind", 0]},
]
HALLU = [
    {
        "file_name": "woman.wav",
        "caption_1": ["A woman speaks", "A dragon speaks.", 1],
        "caption_2": ["A piano talks", "a woman talks", 0],
        "caption_3": ["a woman speaks.", "a shoe speaks", 1],
    }
]


@pytest.fixture
def data(tmp_path):
    for part, clips in (("Main", MAIN), ("Hallu", HALLU)):
        (tmp_path / f"BRACE_Clotho_{part}.json").write_text(json.dumps(clips))
    return Data(brace=str(tmp_path), download=False)


def test_a_human_caption_of_a_pair_is_no_reference_of_either(data):
    found = brace.preferences(data, "clotho")
    assert [pair.kind for pair in found] == ["human-human", "human-machine", "machine-machine"]  # one has none left
    assert found[0].references == ("Someone drops a glass",)
    assert found[1].references == ("Glass breaks.", "a bottle falls")
    assert found[2].references == tuple(MAIN[0]["references"]) and found[2].captions == ("a dog", "a cat")
    assert [pair.captions[pair.better] for pair in found] == ["glass breaks", "Someone drops a glass", "a dog"]


def test_of_a_hallucination_the_other_true_captions_are_the_references(data):
    found = brace.preferences(data, "clotho", "hallu")
    assert [pair.captions[pair.better] for pair in found] == ["A woman speaks", "a woman talks", "a woman speaks."]
    assert found[0].references == ("a woman talks",)  # the third says the same as the first
    assert found[1].references == ("A woman speaks", "a woman speaks.")


def test_what_is_missing_broken_or_unknown_is_named(data, tmp_path):
    with pytest.raises(DatasetError, match=r"BRACE_AudioCaps_Main\.json is missing"):
        brace.preferences(data, "audiocaps")
    with pytest.raises(DatasetError, match="clotho, audiocaps"):
        brace.preferences(data, "wavcaps")
    for broken in (
        "{",
        "[1]",
        '[{"file_name": "a.wav"}]',
        '[{"file_name": "a", "references": ["x"], "H-H_1": [1, 2]}]',
    ):
        (tmp_path / "BRACE_Clotho_Main.json").write_text(broken)
        with pytest.raises(DatasetError, match="is not BRACE's file"):
            brace.preferences(data, "clotho") or pytest.fail("nothing was refused")


def test_a_profile_with_notebook_13_lists_what_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RAW", str(tmp_path))
    wanted = [need for need in needs(config.load("beyond")) if "BRACE" in need.what]
    assert len(wanted) == 4 and not any(need.here for need in wanted)
    assert all(need.url.startswith(brace.BASE) for need in wanted)
    assert not [need for need in needs(config.load("quick")) if "BRACE" in need.what]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real judgements (../shared/data/brace) are not here")
def test_the_real_files_have_the_published_numbers_of_pairs():
    data = Data(brace=str(REAL), download=False)
    kinds = {}
    for name in brace.SETS:
        for pair in brace.preferences(data, name):
            kinds[name, pair.kind] = kinds.get((name, pair.kind), 0) + 1
    assert kinds == {
        ("clotho", "human-human"): 167,
        ("clotho", "human-machine"): 509,
        ("clotho", "machine-machine"): 675,
        ("audiocaps", "human-human"): 138,  # 139, of which one is left without a reference
        ("audiocaps", "human-machine"): 445,
        ("audiocaps", "machine-machine"): 561,
    }
    made_up = {name: brace.preferences(data, name, "hallu") for name in brace.SETS}
    assert {name: len(pairs) for name, pairs in made_up.items()} == {"clotho": 6310, "audiocaps": 3825}
    first, second = (pair.captions[pair.better] for pair in made_up["clotho"][:2])
    assert first.startswith("Glass bottles being hit") and second.startswith("Glass bottles come into contact")
