"""The one reader of tables: every usual form, and never fewer rows than the file has."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aaclib import reading
from aaclib.config import Data
from aaclib.datasets import DatasetError, load
from aaclib.metrics.io import FormatError, match, read_predictions, read_references
from aaclib.reading import TableError, listed, read_table

COLUMNS = ["file_name", "caption"]
ROWS = [
    ["a.wav", "rain, and wind"],
    [" b.wav", "ein Vögel; \u2028 zwei"],
    ["c.wav", 'a "dog"\nbarks'],
    ["d.wav", 'a 5" pipe'],
]


def written(rows, header=COLUMNS, **form) -> str:
    handle = io.StringIO()
    csv.writer(handle, **{"lineterminator": "\n", **form}).writerows([header, *rows])
    return handle.getvalue()


def rows_of(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [list(row.cells.values()) for row in read_table(path, **options)]


def test_every_form_of_a_table_gives_the_same_rows(tmp_path):
    objects = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    tabs, semicolons = written(ROWS, delimiter="\t"), written(ROWS, delimiter=";")
    forms = {
        "plain.csv": written(ROWS),
        "semicolon.csv": semicolons,
        "tab.csv": tabs,
        "tab.tsv": tabs,
        "comma.tsv": written(ROWS),
        "crlf.csv": written(ROWS, lineterminator="\r\n"),
        "cr.csv": written(ROWS, lineterminator="\r"),
        "quoted.csv": written(ROWS, quoting=csv.QUOTE_ALL),
        "blank.csv": "\n\n" + written(ROWS) + "\n\n",
        "bom.csv": b"\xef\xbb\xbf" + written(ROWS).encode(),
        "utf16.csv": tabs.encode("utf-16"),
        "utf16be.csv": f"\ufeff{semicolons}".encode("utf-16-be"),
        "utf32.csv": written(ROWS).encode("utf-32"),
        "r.json": json.dumps(objects),
        "r.jsonl": "\r\n".join(json.dumps(one, ensure_ascii=False) for one in objects),
    }
    for name, content in forms.items():
        assert rows_of(tmp_path / name, content) == ROWS, name


CELLS = st.lists(st.lists(st.text('a,"\n .;', max_size=6), min_size=2, max_size=2), min_size=1, max_size=4)


@given(CELLS, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.data())
def test_a_table_comes_back_whole_and_one_quote_more_loses_no_row(tmp_path_factory, cells, quoting, data):
    rows = [[f"{i}.wav", *row] for i, row in enumerate(cells)]
    path, text = tmp_path_factory.getbasetemp() / "t.csv", written(rows, [*COLUMNS, "other"], quoting=quoting)
    assert rows_of(path, text) == rows
    at = data.draw(st.integers(0, len(text)))
    try:
        found = rows_of(path, text[:at] + '"' + text[at:])
    except TableError:
        return
    assert [[c.replace('"', "") for c in row] for row in found] == [[c.replace('"', "") for c in row] for row in rows]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('file_name,caption\na.wav,"rain\nb.wav,x\nc.wav,y\n', "line 2: a quote here is not closed"),
        ('file_name,caption\na.wav,"one\ntwo"\nb.wav,"x\nc.wav,y\n', "line 4: a quote here is not closed"),
        ('file_name,caption\na.wav,rain\n"b.wav,x\nc.wav,"y, z"\n', "line 3: a quote here is not closed"),
        ('file_name,caption\na.wav,"rain\nb.wav,x\nc.wav,wind"\n', "line 2.*holds 'b.wav,x', which looks like a row"),
        ('caption,file_name\n"rain,a.wav\na pipe of 5",b.wav\n', "line 2.*holds 'rain,a.wav'"),
        ('file_name,caption\na.wav,"rain"\nb.wav,falls, x"\n', "line 3"),
        ('file_name,caption\na.wav,"rain" falls\n', "line 2"),
        ("file_name,caption\na.wav,x\nb.wav\n", r"line 3: fewer cells than columns \(1, not 2\)"),
        ("file_name,caption\na.wav,x,y\n", r"line 2: more cells than columns \(3, not 2\).*comma"),
        ("file_name;caption\na.wav;x;y\n", "line 2: more cells.*semicolon"),
        ("file_name,caption\na.wav,x\nfile_name,caption\nb.wav,y\n", "line 3 is the header once more"),
        ("file_name,caption\na.wav,x\0\n", "line 2: a NUL byte"),
        ("f\0i\0l\0e\0,\0c\0\n\0", "UTF-16"),
        ('file_name,caption\na.wav,"' + "x" * 200_000 + "\n", "line 2: a quote here is not closed"),
        ("", "no rows"),
    ],
)
def test_what_is_doubtful_is_an_error_with_its_line(tmp_path, text, says):
    with pytest.raises(TableError, match=says):
        rows_of(tmp_path / "t.csv", text)


def test_a_file_without_cells_in_quotes_may_hold_quotes_as_text(tmp_path):
    rows = [["a.wav", 'a 5" pipe'], ["b.wav", 'he says "hi"'], ["c.wav", 'a pipe of 5"']]
    assert rows_of(tmp_path / "t.csv", "\n".join(map(",".join, [["file_name", "caption"], *rows]))) == rows


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.xlsx", b"PK\x03\x04\x14\0", "Excel or OpenDocument sheet.*save it as CSV"),
        ("t.csv", b"PK\x03\x04", "xlsx.*as CSV"),
        ("t.ods", b"PK\x03\x04", "ods.*as CSV"),
        ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1", r"old Excel sheet \(.xls\).*as CSV"),
        ("t.parquet", b"PAR1\x15", "Parquet file.*as CSV"),
        ("t.csv.gz", b"\x1f\x8b\x08", "gzip"),
        ("t.csv", "a\n\u00e9".encode("latin-1"), r"not in utf-8 \(byte 2\). Save it as UTF-8"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, name, content, says):
    with pytest.raises(TableError, match=says):
        rows_of(tmp_path / name, content)
    with pytest.raises(DatasetError, match=says):
        load("folder", Data(captions=str(tmp_path / name)))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("['a', 'b']", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("""["it's", 'a "b"']""", ["it's", 'a "b"']),
        ("['a' 'b'\n 'c']", ["a", "b", "c"]),
        ("[ 'a' , ]", ["a"]),
        ("[]", []),
        ("['a', None]", ["a"]),
        ('["a", null]', ["a"]),
        (r"['\u00e9\n']", ["\u00e9\n"]),
        (r'["\ud83d\ude00 \/"]', ["\U0001f600 /"]),
        ("['[x]', ', ']", ["[x]", ", "]),
    ],
)
def test_a_list_in_a_cell_is_a_list(value, found):
    assert listed(value) == found


@pytest.mark.parametrize(
    "value",
    [
        "[music] plays",
        "[music]",
        "[1]",
        "[",
        "[]x",
        "['a'",
        "['a', x]",
        "[['a']]",
        "('a', 'b')",
        "",
        "['a''b']",
        3,
        None,
        "[__import__('os')]",
        "['a'" + " " * 5000 + "x",
        "[" * 5000,
        "{'a': 1}",
    ],
)
def test_other_text_and_values_stay_as_they_are(value):
    assert listed(value) == [value]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("caption,caption,caption", "one,two,three"),
        ("caption,Caption,caption.1", "one,two,three"),
        ("caption_1,caption_2", "one,\"['two', 'three']\""),
        ("captions", "\"['one', 'two', 'three']\""),
        ("captions", '"[""one"", ""two"", ""three""]"'),
        ("caption,caption", "one,\"['two', 'three']\""),
    ],
)
def test_captions_in_several_columns_of_one_name_and_in_lists_all_count(tmp_path, header, cells):
    path = tmp_path / "t.csv"
    path.write_text(f"file_name,{header}\nx.wav,{cells}\n")
    assert read_references(path) == {"x.wav": ["one", "two", "three"]}
    for name in NAMES:  # of a name that no file has, the outer spaces are a slip
        (tmp_path / name).touch()
    folder = load("folder", Data(captions=str(path), splits={"train": "100%"}))
    assert folder.split("train").references == [["one", "two", "three"]]


def test_several_values_where_one_is_expected_are_an_error(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("file_name,file_name,caption,caption\nx.wav,x.wav,one,two\n")
    for read, error in (
        (read_references, FormatError),
        (read_predictions, FormatError),
        (lambda path: load("folder", Data(captions=str(path))), DatasetError),
    ):
        with pytest.raises(error, match="line 2: column 'file_name' holds 2 values"):
            read(path)
    path.write_text("file_name,caption,caption\nx.wav,one,two\n")
    with pytest.raises(FormatError, match="the caption of 'x.wav' is"):
        read_predictions(path)
    path.write_text("file_name,caption_predicted,notes,notes,,\nx.wav,\"['one']\",,,,\n")
    assert read_predictions(path) == {"x.wav": "one"}  # columns that nobody reads may be there twice


def test_labels_in_a_list_in_a_cell(tmp_path):
    (tmp_path / "t.csv").write_text("file_name,caption,labels\nx.wav,one,\"['Dog', 'Rain']\"\ny.wav,two,cat; wind\n")
    folder = load("folder", Data(captions=str(tmp_path / "t.csv"), splits={"train": "100%"}))
    assert [clip.labels for clip in folder.split("train").clips] == [("Dog", "Rain"), ("cat", "wind")]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.json", '[{"a": 1, "a": 2}]', "key 'a' twice"),
        ("t.json", '{"a.wav": "x", "a.wav": "y"}', "'a.wav' twice"),
        ("t.jsonl", '{"a": 1}\n{"b": 1, "b": 1}\n', "line 2: no valid JSON.*'b'"),
        ("t.jsonl", '"x"', "line 1: expected"),
        ("t.json", "[\n{,}]", "t.json, line 2: no valid JSON"),
        ("t.json", "[" * 100_000, "no valid JSON"),
        ("t.json", '[{"a": ' + "9" * 5000 + "}]", "no valid JSON"),
        ("t.json", '"x"', "expected a list of objects"),
        ("t.json", "[[1]]", "item 0: expected"),
        ("t.json", '{"clips": []}', "expected"),
    ],
)
def test_wrong_json_is_an_error_with_its_place(tmp_path, name, text, says):
    with pytest.raises(TableError, match=says):
        rows_of(tmp_path / name, text)


def test_nan_is_no_caption_and_lines_end_at_line_feeds_alone(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"file_name": "a.wav", "caption": "x\u2028y\x85z", "n": NaN}\r\n\n{"file_name": "b.wav", "caption": NaN}\n',
        newline="",
    )
    assert [row.cells for row in read_table(path)] == [
        {"file_name": "a.wav", "caption": "x\u2028y\x85z", "n": None},
        {"file_name": "b.wav", "caption": None},
    ]
    with pytest.raises(DatasetError, match="line 3: no caption for 'b.wav'"):
        load("folder", Data(captions=str(path)))
    (tmp_path / "t.txt").write_text("one\u2028still one\n\ntwo\x0b\x1c\x85\r\nthree", newline="")
    assert reading.read_lines(tmp_path / "t.txt") == ["one\u2028still one", "two", "three"]


def test_coco_and_one_object_of_clips_are_tables(tmp_path):
    coco = {"images": [{"id": "a"}], "annotations": [{"image_id": "a", "caption": "x"}]}
    assert rows_of(tmp_path / "t.json", json.dumps(coco)) == [["a", "x"]]
    clips = '{"a.wav": ["x", "y"], "b.wav": {"caption": "z"}}'
    assert rows_of(tmp_path / "t.json", clips) == [["a.wav", ["x", "y"]], ["b.wav", "z"]]


NAMES = [" a.wav", "a.wav", "A.wav", "e\u0301.wav", "\u00e9.wav", "a.wav "]


def test_names_are_taken_as_they_stand(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(written([[name, f"number {i}"] for i, name in enumerate(NAMES)]))
    assert list(read_predictions(path)) == list(read_references(path)) == NAMES
    for name in NAMES:  # of a name that no file has, the outer spaces are a slip
        (tmp_path / name).touch()
    folder = load("folder", Data(captions=str(path), splits={"train": "100%"}))
    assert [clip.id for clip in folder.split("train").clips] == NAMES


def test_predictions_meet_references_by_the_only_name_that_looks_like_it():
    references = {name: ["x"] for name in ("c.wav", " a.wav", "\u00e9.wav")}
    assert match({"a.wav": "1", "e\u0301.wav": "2", "c.wav": "3"}, references)[1] == ["3", "1", "2"]
    assert match({"A": "1", "e\u0301": "2", "c": "3"}, references)[1] == ["3", "1", "2"]
    with pytest.raises(FormatError, match="1 clips have no predicted caption, such as ' a.wav'.*2 clips"):
        match({"a.wav": "1", "A.wav": "0", "\u00e9.wav": "2", "c.wav": "3"}, references)
    same = {name: name for name in NAMES}
    assert match(same, {name: ["x"] for name in NAMES})[1] == NAMES
