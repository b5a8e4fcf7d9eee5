"""Leakage between splits and into the CLAP, on planted cases and on the real captions."""

import json
import shutil

import pytest
from rehearsal import CAPTIONS, metadata_rows, write_csv

from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError, Split, leakage, load
from aaclib.text import NORMALISE


def pick(table, what, first, second):
    rows = table[(table.what == what) & (table["first"] == first) & (table.second == second)]
    return rows.iloc[0] if len(rows) else None


def test_planted_leaks_are_found():
    train = Split("d", "train", (Clip("a", ("A dog barks.", "Rain")), Clip("b", ("Wind",))))
    test = Split("d", "evaluation", (Clip("b", ("a dog  barks",)), Clip("c", ("A cat",)), Clip("e", ("rain!", "Snow"))))
    sources = {"d.train": {"a": "youtube:1", "b": "youtube:2"}, "d.evaluation": {"c": "youtube:1", "e": "youtube:3"}}
    table = leakage.report([train, test], sources)
    clip, same = (pick(table, what, "d.train", "d.evaluation") for what in ("same clip", "same recording"))
    caption = pick(table, "same caption", "d.train", "d.evaluation")
    assert (clip.n, clip.of, clip.examples) == (1, 3, "b") and (same.n, same.of, same.examples) == (1, 2, "c")
    assert (caption.n, caption.of, caption.share) == (2, 4, 0.5)


def test_clean_splits_and_unknown_recordings():
    one, two = Split("d", "train", (Clip("a", ("x",)),)), Split("e", "train", (Clip("a", ("y",)),))
    table = leakage.report([one, two])
    assert list(table.what) == ["same caption"] and table.n.iloc[0] == 0  # ids of two data sets mean nothing


def test_pairs_that_are_evaluation_clips_under_another_name_are_refused():
    judged = Split("clotho", "evaluation", (Clip("a.wav", ("A dog barks", "Dogs")), Clip("b.wav", ("Rain",))))
    leakage.refuse_shared(Split("folder", "train", (Clip("a.wav", ("A cat",)), Clip("c.wav", ("Rain",)))), judged)
    with pytest.raises(leakage.LeakError, match=r"1 of the 2 pairs of folder.train are clips of clotho.evaluation"):
        leakage.refuse_shared(Split("folder", "train", (Clip("a.wav", ("Dogs",)), Clip("c.wav", ("Rain",)))), judged)


def test_a_data_set_has_one_name():
    for name in ("clotho-2", "folder-own", "audiocaps-v1", "nothing"):
        with pytest.raises(DatasetError, match="There is no data set"):
            load(name, Data())


def test_clotho_recordings_and_wavcaps(tmp_path):
    rows = [{"file_name": f"{i}.wav", **{f"caption_{k}": f"sound {i}" for k in range(1, 6)}} for i in range(4)]
    folder = tmp_path / "clotho" / "clotho_csv_files"
    for split in ("development", "evaluation"):
        write_csv(folder / f"clotho_captions_{split}.csv", rows)
        write_csv(
            folder / f"clotho_metadata_{split}.csv",
            metadata_rows(rows, 10 if split == "evaluation" else 12),
            "iso-8859-1",
        )
    clotho = load("clotho", Data(clotho=str(tmp_path / "clotho"), download=False))
    found = leakage.recordings(clotho, "evaluation")
    assert found["0.wav"] == "freesound:10"
    (tmp_path / "wc" / "FreeSound").mkdir(parents=True)
    (tmp_path / "wc" / "FreeSound" / "fsd_final.json").write_text(json.dumps({"data": [{"id": "11"}, {"id": "99"}]}))
    table = leakage.clap_training(found, "clotho.evaluation", tmp_path / "wc")
    assert (table.n.iloc[0], table.of.iloc[0], table.examples.iloc[0]) == (1, 4, "1.wav")
    nothing = leakage.clap_training(found, "clotho.evaluation", tmp_path / "nowhere")
    assert nothing.n.isna().all() and "no fsd_final.json" in nothing.examples.iloc[0]


def test_audiocaps_and_the_blacklist(tmp_path):
    write_csv(
        tmp_path / "test.csv",
        [
            {"audiocap_id": str(i), "youtube_id": f"-vid{i}_x", "start_time": "30", "caption": f"c {i}"}
            for i in range(4)
        ],
    )
    audiocaps = load("audiocaps", Data(audiocaps=str(tmp_path), download=False))
    found = leakage.recordings(audiocaps, "evaluation")
    assert found["-vid0_x_30"] == "youtube:-vid0_x"
    path = tmp_path / "wc" / leakage.BLACKLIST
    path.parent.mkdir()
    path.write_text(json.dumps({"AudioSet": ["Y-vid1_x.wav", "Y-vid3_x.wav"], "FreeSound": [17, "18"]}))
    table = leakage.clap_training(found, "audiocaps.evaluation", tmp_path / "wc")
    assert pick(table, "left out of WavCaps", "blacklist, AudioSet", "audiocaps.evaluation").n == 2
    freesound = {name: f"freesound:{i}" for i, name in enumerate("abc", 16)}  # Freesound's part of the same list
    table = leakage.clap_training(freesound, "clotho.evaluation", tmp_path / "wc")
    assert pick(table, "left out of WavCaps", "blacklist, FreeSound", "clotho.evaluation").examples == "b, c"
    table = leakage.clap_training(found, "audiocaps.evaluation", tmp_path / "wc")
    assert pick(table, "in WavCaps", "AudioSet_SL", "audiocaps.evaluation").examples.startswith("not checked")
    path.write_text("[]")
    with pytest.raises(DatasetError, match='a list "AudioSet"'):
        leakage.clap_training(found, "x", tmp_path / "wc")


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="the real captions (../shared/data/captions) are not here")
def test_real_captions_known_shares(tmp_path):
    for split in ("train", "val", "test"):
        shutil.copy(CAPTIONS / f"audiocaps_{split}.csv", tmp_path / f"{split}.csv")
    for path in CAPTIONS.glob("clotho_captions_*.csv"):
        shutil.copy(path, tmp_path)
    audiocaps = load("audiocaps", Data(audiocaps=str(tmp_path), download=False))
    clotho = load("clotho", Data(clotho=str(tmp_path), download=False))
    shares = {}
    for dataset in (audiocaps, clotho):
        parts = [dataset.split(s) for s in ("train", "evaluation")]
        sources = {}
        if dataset is audiocaps:
            sources = {f"audiocaps.{s}": leakage.recordings(dataset, s) for s in ("train", "evaluation")}
        table = leakage.report(parts, sources)
        clips = table[table.what == "same clip"].iloc[0]
        # a real one: this name stands in Clotho's development and evaluation splits
        known = {"audiocaps": (0, ""), "clotho": (1, "FREEZER_DOOR_OPEN_CLOSE.wav")}
        assert (clips.n, clips.examples) == known[dataset.name]
        assert table[table.what == "same recording"].n.sum() == 0
        shares[dataset.name] = table[table.what == "same caption"].share.iloc[0]
    assert shares == {"audiocaps": pytest.approx(0.084, abs=0.005), "clotho": pytest.approx(0.0025, abs=0.0005)}
    lengths = [len(caption.split()) for caption in map(NORMALISE["lower-nopunct"], clotho.split("train").captions)]
    assert (len(lengths), min(lengths), max(lengths)) == (19195, 8, 20)
