"""AudioCaps: captions from the published tables, audio from a user's folder under any usual naming."""

import shutil

import pytest
from rehearsal import CAPTIONS, audiocaps_audio, audiocaps_rows, publish_audiocaps, serving

from aaclib.config import Data
from aaclib.datasets import DatasetError, load
from aaclib.datasets.audiocaps import report
from aaclib.text import WordTokenizer, normalise

NAMINGS = [
    "{youtube_id}_{start_time}.flac",
    "{youtube_id}_{start_time}.mp3",
    "Y{youtube_id}.wav",
    "{youtube_id}.wav",
    "{audiocap_id}.wav",
    "Y{youtube_id}_{start_time}.wav",
]


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_RAW", str(tmp_path / "raw"))


@pytest.fixture(scope="module")
def www(tmp_path_factory):
    root = tmp_path_factory.mktemp("www")
    publish_audiocaps(root / "audiocaps", {"train": 60, "val": 5, "test": 20})
    return root


def test_captions_are_fetched_and_audio_never(www, tmp_path):
    with serving(www) as server:
        audiocaps = load("audiocaps", Data(urls={"audiocaps": f"{server.url}/audiocaps"}))
        train, test = audiocaps.split("train"), audiocaps.split("evaluation")
        assert len(train.clips) == 60 and {len(c.captions) for c in train.clips} == {1}
        assert len(test.clips) == 20 and {len(c.captions) for c in test.clips} == {5}
        with pytest.raises(DatasetError, match="None of AudioCaps'.*--set data.audiocaps=DIR"):
            audiocaps.split("evaluation", audio=True)
        assert [path for path, _ in server.log] == ["/audiocaps/train.csv", "/audiocaps/test.csv"]


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_usual_naming(www, tmp_path, naming):
    folder = tmp_path / "mine"
    rows = audiocaps_rows("test", 20)
    audiocaps_audio(folder / "deep", rows, naming, seconds=0.05)
    shutil.copy(www / "audiocaps" / "test.csv", folder)
    split = load("audiocaps", Data(audiocaps=str(folder), download=False)).split("evaluation", audio=True)
    assert not split.missing and sum(len(c.captions) for c in split.clips) == 100
    wanted = {naming.format(**row) for row in rows}
    assert all(clip.audio.name in wanted for clip in split.clips)


def test_missing_tenth_is_reported(tmp_path):
    folder = tmp_path / "mine"
    publish_audiocaps(folder, {"train": 10, "val": 5, "test": 100})
    gone = audiocaps_audio(folder / "test", audiocaps_rows("test", 100), leave_out=0.1, seconds=0.05)
    audiocaps = load("audiocaps", Data(audiocaps=str(folder), download=False))
    coverage = audiocaps.coverage("evaluation")
    total = len(audiocaps.split("evaluation").clips)
    assert set(coverage.missing) == set(gone) and coverage.share == pytest.approx(1 - len(gone) / total)
    assert abs(len(gone) / total - 0.1) < 0.02
    split = audiocaps.split("evaluation", audio=True)
    assert split.missing == coverage.missing and len(split.clips) == total - len(gone)
    assert f"n = {total - len(gone)}" in split.notes[0] and f"{len(gone)} of AudioCaps' {total}" in split.notes[0]
    assert gone[0] in report(coverage) and f"{total - len(gone)} of {total} clips found" in report(coverage)
    assert len(audiocaps.split("evaluation").clips) == total  # the text alone is still whole


def test_versions(www, tmp_path):
    with pytest.raises(DatasetError, match="must be 1 or 2, found 3"):
        load("audiocaps", Data(audiocaps_version=3))
    second = load("audiocaps", Data(audiocaps_version=2))
    assert second.remote("train").url.endswith("/dataset2.0/train.csv")


@pytest.mark.parametrize(
    "content,message",
    [
        ("audiocap_id,youtube_id,caption\n1,abc,x\n", "no column 'start_time'"),
        ("audiocap_id,youtube_id,start_time,caption\n1,abc,3,\n", "line 2: a clip without caption"),
        ("", "has no rows"),
    ],
)
def test_wrong_table(tmp_path, content, message):
    (tmp_path / "test.csv").write_text(content)
    with pytest.raises(DatasetError, match=message):
        load("audiocaps", Data(audiocaps=str(tmp_path), download=False)).split("evaluation")


def test_missing_folder():
    with pytest.raises(DatasetError, match="no folder /nowhere"):
        load("audiocaps", Data(audiocaps="/nowhere"))


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="the real captions (../shared/data/captions) are not here")
def test_real_captions(tmp_path):
    for split in ("train", "val", "test"):
        shutil.copy(CAPTIONS / f"audiocaps_{split}.csv", tmp_path / f"{split}.csv")
    audiocaps = load("audiocaps", Data(audiocaps=str(tmp_path), download=False))
    train = audiocaps.split("train")
    assert [len(audiocaps.split(s).clips) for s in ("train", "validation", "evaluation")] == [49838, 495, 975]
    assert len(train.captions) == 49838 and {len(c.captions) for c in audiocaps.split("evaluation").clips} == {5}
    ids = {clip.id.rsplit("_", 1)[0] for clip in train.clips}
    assert not ids & set(train.captions) and not [c for c in train.captions if "youtube" in c.lower() or c == "caption"]
    words = normalise(train.captions, "lower-nopunct")
    tokenizer = WordTokenizer.train(words, 6000)
    assert 4500 < tokenizer.vocabulary_size < 5200
    assert tokenizer.decode_batch(tokenizer.encode(words[:2000])) == words[:2000]
