"""WavCaps' SoundBible part and FSD50K."""

import json

import numpy as np
import pytest
import soundfile
from rehearsal import publish_wavcaps, serving

from aaclib.config import Data
from aaclib.datasets import DatasetError, load


@pytest.fixture(scope="module")
def www(tmp_path_factory):
    root = tmp_path_factory.mktemp("www")
    publish_wavcaps(root / "wavcaps", 12, seconds=0.1)
    return root


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RAW", str(tmp_path / "raw"))
    return tmp_path / "raw"


def test_pairs_from_the_hub(www, raw):
    with serving(www) as server:
        data = Data(urls={"wavcaps": f"{server.url}/wavcaps"})
        assert len(load("wavcaps", data).split("train").clips) == 12
        assert not any(path.endswith(".zip") for path, _ in server.log)
        split = load("wavcaps", data).split("train", audio=True)
        assert len(split.clips) == 12 and all(c.audio.suffix == ".flac" for c in split.clips) and not split.missing
        asked = len(server.log)
        assert load("wavcaps", data).split("train", audio=True) == split and len(server.log) == asked
    assert not list(raw.rglob("*.zip")) and load("wavcaps", data).split("evaluation", audio=True).clips == ()


@pytest.mark.parametrize("bare", [True, False])
def test_own_folder_with_either_json(tmp_path, bare):
    items = [
        {"id": "1", "caption": "a", "duration": 3.5},
        {"id": "2", "caption": "b", "duration": 99.0},
        {"id": "3", "caption": "c", "duration": 1},
    ]
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "sb_final.json").write_text(json.dumps(items if bare else {"num": 3, "data": items}))
    for i in ("1", "2"):
        soundfile.write(tmp_path / f"{i}.flac", np.zeros(100, np.float32), 32000)
    split = load("wavcaps", Data(wavcaps=str(tmp_path), download=False)).split("train", audio=True)
    assert [c.id for c in split.clips] == ["1"] and split.missing == ("3",)
    assert "1 clips longer than 30 s" in split.notes[0]


def test_offline_and_wrong_json(tmp_path):
    with pytest.raises(DatasetError, match="downloads are switched off"):
        load("wavcaps", Data(download=False)).split("train")
    (tmp_path / "sb_final.json").write_text('{"clips": []}')
    with pytest.raises(DatasetError, match='whose "data" is one'):
        load("wavcaps", Data(wavcaps=str(tmp_path), download=False)).split("train")
    (tmp_path / "sb_final.json").write_text('[{"id": "1", "description": "x"}]')
    with pytest.raises(DatasetError, match="no column 'caption'"):
        load("wavcaps", Data(wavcaps=str(tmp_path), download=False)).split("train")


def test_fsd50k(tmp_path):
    truth = tmp_path / "FSD50K.ground_truth"
    truth.mkdir()
    (truth / "eval.csv").write_text('fname,labels,mids\n1,"Dog,Domestic_animals_and_pets",x\n2,Rain,y\n')
    (truth / "dev.csv").write_text("fname,labels,mids,split\n3,Rain,y,train\n4,Dog,z,val\n")
    (tmp_path / "FSD50K.eval_audio").mkdir()
    soundfile.write(tmp_path / "FSD50K.eval_audio" / "1.wav", np.zeros(100, np.float32), 44100)
    fsd = load("fsd50k", Data(fsd50k=str(tmp_path)))
    split = fsd.split("evaluation", audio=True)
    assert split.clips[0].labels == ("Dog", "Domestic animals and pets") and split.missing == ("2",)
    assert [c.id for c in fsd.split("train").clips] == ["3"] and [c.id for c in fsd.split("validation").clips] == ["4"]
    with pytest.raises(DatasetError, match="--set data.fsd50k=DIR"):
        load("fsd50k", Data())
