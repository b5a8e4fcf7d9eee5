"""The folder data set: every usual form of a table, splits, text-only corpora, and what goes wrong."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from aaclib.config import Data
from aaclib.datasets import DatasetError, load

ESC10 = Path(__file__).parents[3] / "shared" / "data" / "esc10"


def wav(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(160, np.float32), 16000)
    return path


def table(path: Path, rows: list[dict]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def names(data: Data, split: str, audio: bool = False) -> list[str]:
    return [clip.id for clip in load("folder", data).split(split, audio).clips]


@pytest.fixture
def rows():
    return [
        {"file_name": f"{i}.wav", "caption_1": f"sound {i}", "caption_2": "", "split": s}
        for i, s in enumerate(["train", "train", "dev", "test", "test"])
    ]


def test_numbered_captions_and_split_column(tmp_path, rows):
    data = Data(captions=str(table(tmp_path / "c.csv", rows)))
    split = load("folder", data).split("train")
    assert [c.id for c in split.clips] == ["0.wav", "1.wav"]
    assert split.clips[0].captions == ("sound 0",)  # the empty second cell is no caption
    assert names(data, "validation") == ["2.wav"] and names(data, "evaluation") == ["3.wav", "4.wav"]


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "json-data", "jsonl"])
def test_every_form_gives_the_same(tmp_path, form):
    items = [
        {"file": "a.wav", "caption": "rain, and wind", "split": "train"},
        {"file": "b.wav", "caption": "a “dog” barks — twice", "split": "evaluation"},
    ]
    path = tmp_path / f"c.{form.split('-')[0]}"
    if form == "csv":
        table(path, items)
    elif form == "tsv":
        path.write_text("\ufefffile\tcaption\tsplit\r\n" + "".join("\t".join(i.values()) + "\r\n" for i in items))
    elif form == "jsonl":
        path.write_text("\n".join(map(json.dumps, items)) + "\n\n")
    else:
        path.write_text(json.dumps(items if form == "json" else {"num": 2, "data": items}))
    data = Data(captions=str(path))
    assert load("folder", data).split("train").captions == ["rain, and wind"]
    assert load("folder", data).split("evaluation").captions == ["a “dog” barks — twice"]


def test_one_row_a_caption_and_lists(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text('{"path": "a.wav", "captions": ["one", "two"]}\n{"path": "a.wav", "captions": ["three"]}\n')
    data = Data(captions=str(path), splits={"train": "100%"})
    assert load("folder", data).split("train").references == [["one", "two", "three"]]


def test_labels_as_a_list_and_as_text(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(
        json.dumps(
            [
                {"file_name": "a.wav", "caption": "a dog and rain", "labels": ["dog", "rain"]},
                {"file_name": "b.wav", "caption": "a cat and wind", "labels": "cat; wind"},
            ]
        )
    )
    split = load("folder", Data(captions=str(path), splits={"train": "100%", "validation": "0%", "evaluation": "0%"}))
    assert {clip.id: clip.labels for clip in split.split("train").clips} == {
        "a.wav": ("dog", "rain"),
        "b.wav": ("cat", "wind"),
    }


def test_column_mapping_and_audio(tmp_path):
    wav(tmp_path / "audio" / "deep" / "x 1.wav"), wav(tmp_path / "beside.wav"), wav(tmp_path / "audio" / "y.flac")
    wav(tmp_path / "audio" / "._y.wav")
    path = table(
        tmp_path / "c.csv",
        [
            {"Datei": "x 1.wav", "Satz": "eins"},
            {"Datei": "beside.wav", "Satz": "zwei"},
            {"Datei": "y", "Satz": "drei"},
            {"Datei": "gone.wav", "Satz": "vier"},
        ],
    )
    data = Data(
        captions=str(path),
        audio=str(tmp_path / "audio"),
        splits={"evaluation": "100%"},
        columns={"file_name": "Datei", "caption": "Satz"},
    )
    split = load("folder", data).split("evaluation", audio=True)
    assert {clip.id: clip.audio.name for clip in split.clips} == {
        "x 1.wav": "x 1.wav",
        "beside.wav": "beside.wav",
        "y": "y.flac",
    }
    assert split.missing == ("gone.wav",) and any("1 of 4" in note for note in split.notes)
    assert len(load("folder", data).split("evaluation").clips) == 4  # text alone looks for no file


def test_hash_splits_are_stable_disjoint_and_near_their_shares(tmp_path):
    rows = [{"file_name": f"{i}.wav", "caption": f"c {i}", "place": str(i // 10)} for i in range(2000)]
    small = Data(captions=str(table(tmp_path / "small.csv", rows[:1000])))
    large = Data(captions=str(table(tmp_path / "large.csv", rows[::-1])))
    parts = {s: set(names(large, s)) for s in ("train", "validation", "evaluation")}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == 2000
    assert abs(len(parts["evaluation"]) / 2000 - 0.2) < 0.04 and abs(len(parts["validation"]) / 2000 - 0.1) < 0.03
    assert all(set(names(small, s)) <= parts[s] for s in parts)  # a clip never moves when the table grows
    grouped = Data(captions=small.captions, columns={"group": "place"})
    places = [{name.removesuffix(".wav")[:-1] for name in names(grouped, s)} for s in parts]
    assert not (places[0] & places[2]) and not (places[0] & places[1]) and len(places[2]) > 5


def test_recordings_alone(tmp_path):
    wav(tmp_path / "b.wav"), wav(tmp_path / "sub" / "a.flac"), (tmp_path / "notes.txt").write_text("no audio")
    split = load("folder", Data(audio=str(tmp_path))).split("evaluation", audio=True)
    assert [c.id for c in split.clips] == ["b.wav", "sub/a.flac"] and split.captions == []
    assert load("folder", Data(audio=str(tmp_path))).split("train").clips == ()


def test_text_alone_and_beside_a_table(tmp_path, rows):
    text = tmp_path / "corpus.txt"
    text.write_text("\n".join(f"caption number {i}" for i in range(400)) + "\n\n")
    alone = load("folder", Data(text=str(text)))
    train, validation = alone.split("train").captions, alone.split("validation").captions
    assert len(train) + len(validation) == 400 and 5 <= len(validation) <= 40 and not set(train) & set(validation)
    assert alone.split("evaluation").clips == ()
    both = load("folder", Data(text=str(text), captions=str(table(tmp_path / "c.csv", rows))))
    assert len(both.split("train").captions) == 402 and both.split("validation").captions == ["sound 2"]


def test_mapped_splits_and_the_rest_is_train(tmp_path):
    rows = [{"file_name": f"{i}.wav", "caption": "c", "fold": str(i % 5 + 1)} for i in range(20)]
    path = str(table(tmp_path / "c.csv", rows))
    columns = {"split": "fold"}
    data = Data(captions=path, columns=columns, splits={"evaluation": "5", "validation": "4"})
    assert [len(names(data, s)) for s in ("train", "validation", "evaluation")] == [12, 4, 4]
    strict = Data(captions=path, columns=columns, splits={"evaluation": "5", "train": "1,2"})
    assert [len(names(strict, s)) for s in ("train", "validation", "evaluation")] == [8, 0, 4]
    assert "8 clips are in no split" in load("folder", strict).split("train").notes[0]
    with pytest.raises(DatasetError, match="values 1, 2, 3, 4, 5"):
        load("folder", Data(captions=path, columns=columns))


WRONG = {
    "no column": ("name;caption\na.wav;x\n", "no column with file names"),
    "no caption column": ("file_name,sentence\na.wav,x\n", "data.columns.caption=COLUMN"),
    "empty caption": ("file_name,caption\na.wav,ok\nb.wav,\n", "c.csv, line 3: no caption for 'b.wav'"),
    "no name": ("file_name,caption\n,ok\n", "line 2: no file name"),
    "unquoted comma": ("file_name,caption\na.wav,rain, and wind\n", "line 2: more cells than columns"),
    "header twice": ("file_name,caption\na.wav,x\nfile_name,caption\n", "line 3 is the header once more"),
    "two splits": ("file_name,caption,split\na.wav,x,train\na.wav,y,test\n", "is in split 'test' here"),
    "empty": ("", "has no rows"),
    "only a header": ("file_name,caption\n", "has no rows"),
}


@pytest.mark.parametrize("content,message", WRONG.values(), ids=WRONG)
def test_wrong_tables(tmp_path, content, message):
    (tmp_path / "c.csv").write_text(content)
    with pytest.raises(DatasetError, match=message):
        load("folder", Data(captions=str(tmp_path / "c.csv")))


def test_wrong_encoding_and_json(tmp_path):
    (tmp_path / "c.csv").write_bytes("file_name,caption\na.wav,café\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="not in utf-8"):
        load("folder", Data(captions=str(tmp_path / "c.csv")))
    (tmp_path / "c.jsonl").write_text('{"file_name": "a.wav"}\n{oops\n')
    with pytest.raises(DatasetError, match="c.jsonl, line 2"):
        load("folder", Data(captions=str(tmp_path / "c.jsonl")))


@pytest.mark.parametrize(
    "data,message",
    [
        (Data(), "data.audio=DIR"),
        (Data(audio="/nowhere"), "no folder /nowhere"),
        (Data(captions="/nowhere.csv"), "no file /nowhere.csv"),
        (Data(captions="x.csv", columns={"capion": "x"}), "unknown name 'capion'"),
        (Data(captions="x.csv", splits={"test": "5"}), "unknown split 'test'"),
    ],
    ids=str,
)
def test_wrong_settings(data, message):
    with pytest.raises(DatasetError, match=message):
        load("folder", data)


def test_wrong_audio_folder_names_it(tmp_path, rows):
    wav(tmp_path / "audio" / "other.wav")
    data = Data(captions=str(table(tmp_path / "c.csv", rows)), audio=str(tmp_path / "audio"))
    with pytest.raises(DatasetError, match="None of the 2 clips"):
        load("folder", data).split("evaluation", audio=True)


@pytest.mark.parametrize("share", ["120%", "much%"])
def test_wrong_shares(tmp_path, share):
    path = table(tmp_path / "c.csv", [{"file_name": "a.wav", "caption": "x"}])
    with pytest.raises(DatasetError, match="data.splits.evaluation"):
        load("folder", Data(captions=str(path), splits={"evaluation": share}))


@pytest.mark.skipif(not ESC10.is_dir(), reason="the real recordings (../shared/data/esc10) are not here")
def test_real_recordings():
    data = Data(
        audio=str(ESC10 / "audio"),
        captions=str(ESC10 / "captions.csv"),
        columns={"split": "fold"},
        splits={"validation": "4", "evaluation": "5"},
    )
    folder = load("folder", data)
    assert len(folder.split("train").captions) == 1200
    split = folder.split("evaluation", audio=True)
    assert len(split.clips) == 80 and not split.missing and split.clips[0].labels == ("dog_bark",)
