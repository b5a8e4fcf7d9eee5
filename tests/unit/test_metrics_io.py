"""Files of captions, and `aaclib metrics` on them."""

import argparse
import csv
import json

import pandas as pd
import pytest

from aaclib.metrics import command, io
from aaclib.metrics.io import FormatError

CLIPS = ["a.wav", "b, c.wav", "d.wav"]
CAPTIONS = ['a dog "barks", twice', "rain\nfalls", "ein Vögel \U0001f600"]
REFERENCES = [["a dog barks", "dogs"], ["rain falls", "it rains"], ["a bird", "birds sing"]]


def dcase(path, captions):
    """The CSV that a system hands in to DCASE's Task 6."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("file_name", "caption_predicted"), *zip(CLIPS, captions, strict=True)])


def coco(path):
    """The references as COCO's annotations."""
    pairs = [(clip, caption) for clip, refs in zip(CLIPS, REFERENCES, strict=True) for caption in refs]
    notes = [{"id": i, "image_id": clip, "caption": caption} for i, (clip, caption) in enumerate(pairs)]
    path.write_text(json.dumps({"info": {}, "images": [{"id": clip} for clip in CLIPS], "annotations": notes}))


def test_captions_with_quotes_commas_line_breaks_and_other_letters(tmp_path):
    dcase(tmp_path / "p.csv", CAPTIONS)
    results = [{"image_id": clip, "caption": text} for clip, text in zip(CLIPS, CAPTIONS, strict=True)]
    (tmp_path / "p.json").write_text(json.dumps(results))
    for name in ("p.csv", "p.json"):
        assert io.read_predictions(tmp_path / name) == dict(zip(CLIPS, CAPTIONS, strict=True))


def test_references_of_coco(tmp_path):
    coco(tmp_path / "r.json")
    assert io.read_references(tmp_path / "r.json") == dict(zip(CLIPS, REFERENCES, strict=True))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clotho.csv", "file_name,caption_1,caption_2\nx.wav,one,two\n"),
        ("ac.csv", "audiocap_id,youtube_id,start_time,caption\n1,x,30,one\n2,x,30,two\n"),
        ("l.jsonl", '{"file_name": "x.wav", "references": ["one", "two"]}\n'),
        ("d.json", '{"x.wav": ["one", "two"]}'),
        ("cell.csv", 'fname,captions\nx.wav,"[""one"", ""two""]"\n'),
        ("tabs.tsv", "file_name\tcaption_1\tcaption_2\nx.wav\tone\ttwo\n"),
    ],
)
def test_the_usual_files_of_references(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert io.read_references(tmp_path / name) == {"x_30" if name == "ac.csv" else "x.wav": ["one", "two"]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "file_name,caption_predicted\nx.wav,one\n"),
        ("p.json", '[{"image_id": "x.wav", "caption": "one"}]'),
        ("q.json", '{"x.wav": "one"}'),
        ("o.jsonl", '{"file_name": "x.wav", "candidate": "one", "references": ["two"]}\n'),
        ("r.csv", "\ufefffname,Prediction\nx.wav,one\n"),
    ],
)
def test_the_usual_files_of_predictions(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert io.read_predictions(tmp_path / name) == {"x.wav": "one"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.csv", "file_name,words\nx,y\n", "no column of predicted caption.*it has file_name, words"),
        ("p.csv", "sound,caption\nx,y\n", "no column of clip names"),
        ("p.csv", "file_name,caption\nx,y\nx,z\n", "'x' occurs twice"),
        ("p.csv", "file_name,caption\nx,y,z\n", "p.csv, line 2: more cells than columns"),
        ("p.csv", 'file_name,caption\nx,"y\n', "p.csv, line 2: a quote here is not closed"),
        ("p.csv", "", "has no rows"),
        ("p.json", "{", "no valid JSON"),
        ("p.json", "[1]", "expected a list of objects"),
        ("p.json", '[{"image_id": 1, "caption": 2}]', "the caption of '1' is 2"),
    ],
)
def test_files_that_are_not_captions_are_refused(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=says):
        io.read_predictions(tmp_path / name)


def test_clips_meet_by_name_and_then_without_extension():
    references = dict(zip(CLIPS, REFERENCES, strict=True))
    clips, captions, refs, notes = io.match({"d": "3", "a": "1", "b, c": "2"}, references)
    assert (clips, captions, refs, notes) == (CLIPS, ["1", "2", "3"], REFERENCES, [])
    assert io.for_clips({"a.wav": "1", "d.wav": "2"}, ["d.wav", "a.wav"]) == ["2", "1"]


def test_clips_that_do_not_meet_are_named():
    references = dict(zip(CLIPS, REFERENCES, strict=True))
    with pytest.raises(FormatError, match="2 clips have no predicted caption, such as 'b, c.wav'.*1 clips have pred"):
        io.match({"a.wav": "1", "z.wav": "2"}, references)
    clips, captions, _, notes = io.match({"a.wav": "1", "z.wav": "2"}, references, partial=True)
    assert (clips, captions, len(notes)) == (["a.wav"], ["1"], 2)
    with pytest.raises(FormatError):
        io.match({"z.wav": "2"}, references, partial=True)
    with pytest.raises(FormatError, match="equal names"):
        io.match({"p/a.wav": "1"}, {"q/a.wav": ["x"], "r/a.wav": ["y"]})


def run(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(list(map(str, arguments))))


def test_the_command(tmp_path, capsys):
    dcase(tmp_path / "p.csv", ["a dog barks", "rain falls", "birds"])
    coco(tmp_path / "r.json")
    assert (
        run(
            tmp_path / "p.csv",
            tmp_path / "r.json",
            "--metrics",
            "rouge_l,cider_d",
            "--tokenized",
            "--no-cache",
            "--per-clip",
            tmp_path / "clips.csv",
            "--out",
            tmp_path / "out.json",
            "--bootstrap",
            50,
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert "rouge_l" in shown and "3 clips." in shown
    table = pd.read_csv(tmp_path / "clips.csv")
    assert table["clip"].tolist() == CLIPS and json.loads(table["references"][1]) == REFERENCES[1]
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["corpus"]["rouge_l"]["value"] == pytest.approx(table["rouge_l"].mean())
    assert out["corpus"]["rouge_l"]["low"] <= out["corpus"]["rouge_l"]["value"] <= out["corpus"]["rouge_l"]["high"]


def test_the_command_needs_references(tmp_path):
    with pytest.raises(io.MetricError, match="references"):
        run(tmp_path / "p.csv")
