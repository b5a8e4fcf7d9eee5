"""Clotho: the official tree, fetched from a stand-in for Zenodo, and the real captions where they are present."""

import shutil

import numpy as np
import pytest
import soundfile
from rehearsal import CAPTIONS, publish_clotho, serving, settings

from aaclib import paths
from aaclib.config import Data
from aaclib.datasets import DatasetError, download, load
from aaclib.text import NORMALISE, WordTokenizer, normalise

SIZES = {"development": 30, "validation": 6, "evaluation": 8}


@pytest.fixture(scope="module")
def www(tmp_path_factory):
    root = tmp_path_factory.mktemp("www")
    publish_clotho(root / "zenodo", SIZES, seconds=0.1)
    return root


@pytest.fixture
def server(www, monkeypatch):
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    with serving(www) as server:
        yield server


def data(server, root, **more) -> Data:
    urls = {key.removeprefix("data.urls."): url for key, url in settings(server).items()}
    return Data(clotho=str(root), urls=urls, **more)


def test_captions_touch_no_audio(server, tmp_path):
    clotho = load("clotho", data(server, tmp_path))
    train = clotho.split("train")
    assert len(train.clips) == 30 and len(train.captions) == 150 and train.clips[0].audio is None
    assert [path for path, _ in server.log] == ["/zenodo/clotho_captions_development.csv"]
    assert "3839 were published" in train.notes[0]


def test_evaluation_audio_is_fetched_once(server, tmp_path):
    split = load("clotho", data(server, tmp_path)).split("evaluation", audio=True)
    assert len(split.clips) == 8 and not split.missing and all(clip.audio.is_file() for clip in split.clips)
    assert split.clips[0].audio.parent == tmp_path / "clotho_audio_files" / "evaluation"
    assert not list(tmp_path.rglob("*.7z")) and not list(tmp_path.rglob("*.part*"))
    asked = len(server.log)
    again = load("clotho", data(server, tmp_path)).split("evaluation", audio=True)
    assert again == split and len(server.log) == asked
    offline = load("clotho", data(server, tmp_path, download=False)).split("evaluation", audio=True)
    assert offline == split


def test_cut_archive_goes_on(server, tmp_path):
    server.cut["/zenodo/clotho_audio_evaluation.7z"] = 20_000
    assert len(load("clotho", data(server, tmp_path)).split("evaluation", audio=True).clips) == 8


def test_official_checksum_holds_for_a_mirror(server, tmp_path):
    mirror = Data(clotho=str(tmp_path), urls={"clotho": f"{server.url}/zenodo"})
    with pytest.raises(DatasetError, match="checksum is not the published one"):
        load("clotho", mirror).split("evaluation", audio=True)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not p.name.startswith(".")]


def test_metadata_is_latin_1(server, tmp_path):
    rows = load("clotho", data(server, tmp_path)).metadata("evaluation")
    assert next(iter(rows.values()))["manufacturer"] == "José" and len(rows) == 8


def test_incomplete_tree_is_reported_not_refetched(server, tmp_path):
    clotho = load("clotho", data(server, tmp_path))
    split = clotho.split("evaluation", audio=True)
    split.clips[3].audio.unlink()
    asked = len(server.log)
    later = load("clotho", data(server, tmp_path)).split("evaluation", audio=True)
    assert later.missing == (split.clips[3].id,) and len(later.clips) == 7 and len(server.log) == asked
    assert "1 of Clotho's 8 evaluation clips have no audio file" in later.notes[-1]


def test_names_that_an_unpacker_changed(server, tmp_path):
    clotho = load("clotho", data(server, tmp_path))
    captions = list(clotho.captions("train"))
    folder = clotho.audio_folder("train")
    for i, name in enumerate(captions):
        path = folder / (name.strip() if i % 2 else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(80, np.float32), 44100)
    assert len(clotho.split("train", audio=True).clips) == 30


@pytest.mark.parametrize(
    "change,message",
    [
        (lambda text: text.replace("caption_4", "caption_four"), "no column 'caption_4'; it has 'file_name'"),
        (lambda text: text + text.splitlines()[0] + "\n", "is the header once more"),
        (lambda text: text + text.splitlines()[1] + "\n", "is there twice"),
        (lambda text: text.splitlines()[0] + "\nlonely.wav,,,,,\n", "line 2: no caption"),
    ],
)
def test_wrong_captions_file(www, tmp_path, change, message):
    (tmp_path / "clotho_csv_files").mkdir()
    text = (www / "zenodo" / "clotho_captions_evaluation.csv").read_text()
    (tmp_path / "clotho_csv_files" / "clotho_captions_evaluation.csv").write_text(change(text))
    with pytest.raises(DatasetError, match=message):
        load("clotho", Data(clotho=str(tmp_path), download=False)).split("evaluation")


def test_tables_beside_the_audio_folders(www, tmp_path):
    shutil.copy(www / "zenodo" / "clotho_captions_evaluation.csv", tmp_path)
    assert len(load("clotho", Data(clotho=str(tmp_path), download=False)).split("evaluation").clips) == 8


def test_offline_says_what_to_do(tmp_path):
    with pytest.raises(DatasetError, match="downloads are switched off.*clotho_captions_development.csv"):
        load("clotho", Data(clotho=str(tmp_path), download=False)).split("train")
    with pytest.raises(DatasetError, match="no folder /nowhere"):
        load("clotho", Data(clotho="/nowhere", download=False))


def test_default_folder_is_in_raw(tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RAW", str(tmp_path))
    assert load("clotho", Data()).root == paths.raw_dir() / "clotho" == tmp_path / "clotho"


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="the real captions (../shared/data/captions) are not here")
def test_real_captions(tmp_path):
    (tmp_path / "clotho_csv_files").mkdir()
    for path in CAPTIONS.glob("clotho_captions_*.csv"):
        shutil.copy(path, tmp_path / "clotho_csv_files")
    clotho = load("clotho", Data(clotho=str(tmp_path), download=False))
    train, evaluation = clotho.split("train"), clotho.split("evaluation")
    assert len(train.clips) == 3839 and len(train.captions) == 19195 and not train.notes
    assert len(clotho.split("validation").clips) == len(evaluation.clips) == 1045
    assert not [c for c in train.captions if "caption_" in c or ".wav" in c or c == "file_name"]
    words = normalise(train.captions, "lower-nopunct")
    lengths = sorted(len(caption.split()) for caption in words)
    assert (lengths[0], lengths[-1]) == (8, 20)  # as published
    assert len(set(words)) > 19000
    tokenizer = WordTokenizer.train(words, 5000)
    assert 4300 < tokenizer.vocabulary_size < 4500
    assert tokenizer.decode_batch(tokenizer.encode(words)) == words
    assert all(normalise(train.captions[:500], policy) for policy in NORMALISE)
