"""Names of recordings: what a folder holds, which file a name means, and names that only look equal."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib.audio import AudioError, check_readable
from aaclib.config import Data
from aaclib.datasets import DatasetError, load
from aaclib.datasets.files import AUDIO_SUFFIXES, FOREIGN_SUFFIXES, audio_files, by_stem, home_path
from aaclib.metrics.io import FormatError, match
from aaclib.names import match_names, name_key, told_apart
from aaclib.suite import caption_command

NFC, NFD = "caf\u00e9.wav", "cafe\u0301.wav"


def wav(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(160, np.float32), 16000, format="WAV")
    return path


def below(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in audio_files(folder)]


# ---- folders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", AUDIO_SUFFIXES)
def test_every_suffix_is_found_and_read(tmp_path, suffix):
    path = wav(tmp_path / f"a{suffix.upper()}")
    assert audio_files(tmp_path) == caption_command.recordings([tmp_path]) == [path]
    check_readable(path)


@pytest.mark.parametrize("suffix", FOREIGN_SUFFIXES)
def test_what_cannot_be_decoded_is_found_too_unless_it_stands_there_in_another_format(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(range(256)) * 8)
    assert audio_files(tmp_path) == [path]
    with pytest.raises(AudioError):
        check_readable(path)
    decoded = wav(tmp_path / "a.wav")
    assert audio_files(tmp_path) == [decoded]
    assert by_stem(tmp_path) == {"a": decoded}


def test_linked_folders_are_followed_once_and_loops_are_not(tmp_path):
    home = tmp_path / "home"
    wav(home / "a.wav"), wav(home / "real" / "b.wav"), wav(tmp_path / "disk" / "deep" / "c.wav")
    wav(tmp_path / "other.wav")
    (home / "another name").symlink_to(home / "real")  # the real name counts
    (home / "disk").symlink_to(tmp_path / "disk")
    (home / "disk again").symlink_to(tmp_path / "disk")
    (home / "real" / "up").symlink_to(home)
    (home / "out").symlink_to(tmp_path)
    (tmp_path / "disk" / "back").symlink_to(tmp_path / "disk")
    assert below(home) == ["a.wav", "disk/deep/c.wav", "real/b.wav"]
    (home / "linked.wav").symlink_to(tmp_path / "other.wav")
    (home / "gone.wav").symlink_to(tmp_path / "gone.wav")
    assert below(home) == ["a.wav", "disk/deep/c.wav", "linked.wav", "real/b.wav"]


def test_leftovers_are_no_recordings(tmp_path):
    wav(tmp_path / ".hidden" / "a.wav"), wav(tmp_path / "__MACOSX" / "b.wav"), wav(tmp_path / "._c.wav")
    (tmp_path / "folder.wav").mkdir()
    assert audio_files(tmp_path) == caption_command.recordings([tmp_path]) == []


# ---- names ----------------------------------------------------------------------------------------------------------


LETTERS = st.text(st.sampled_from("aA\u00e9 _\u00df-"), min_size=1, max_size=4)


@given(st.lists(LETTERS, min_size=1, max_size=6, unique=True))
@settings(max_examples=150, deadline=None)
def test_every_file_is_found_by_its_exact_name(names):
    files = [Path("/x", f"{name}.wav") for name in names]
    found, doubtful = match_names([file.name for file in files], files)
    assert found == {file.name: file for file in files} and not doubtful


@given(
    LETTERS,
    st.sampled_from(
        [
            str.upper,
            str.strip,
            lambda name: f" {name}",
            lambda name: f"{name} ",
            lambda name: unicodedata.normalize("NFD", name),
            lambda name: name.replace(" ", "_"),
        ]
    ),
)
@settings(max_examples=100, deadline=None)
def test_a_changed_name_means_the_only_file_like_it(name, change):
    name, file = f"{name}.wav", Path("/x", change(f"{name}.wav"))
    assert name_key(name) == name_key(file.name)
    assert match_names([name], [file, Path("/x/other.wav")]) == ({name: file}, {})
    twin = Path("/x", f"  {name.upper()} ")  # one more like it: now nobody knows
    assert match_names([name], [file, twin]) == (
        ({name: file}, {}) if file.name == name else ({}, {name: [file, twin]})
    )


def test_a_file_that_one_name_means_exactly_is_not_another_ones():
    assert match_names(["a.wav", "A.wav"], [Path("/x/a.wav")]) == ({"a.wav": Path("/x/a.wav")}, {})
    assert match_names(["A.wav"], [Path("/x/a.wav")], taken=[Path("/x/a.wav")]) == ({}, {})


def test_folders_in_a_name_decide():
    files = [Path("/x/one/a.wav"), Path("/x/two/a.wav")]
    assert match_names(["two/a.wav", "two/a"], files) == ({"two/a.wav": files[1], "two/a": files[1]}, {})
    assert match_names(["a.wav"], files) == ({}, {"a.wav": files})


def test_names_that_look_alike_are_told_apart():
    assert told_apart([NFC, NFD, "b.wav"]) == ["'caf\\xe9.wav'", "'cafe\\u0301.wav'", "'b.wav'"]
    assert told_apart([NFC]) == [f"'{NFC}'"] and told_apart([NFC], [NFD]) == ["'caf\\xe9.wav'"]
    with pytest.raises(FormatError, match=r"'caf\\xe9.wav'; .* such as 'cafe\\u0301.wav'"):
        match({NFD: "a dog", NFC.upper(): "a cat", "b.wav": "a cow"}, {NFC: ["a dog"], "b.wav": ["a cow"]})


# ---- a table and its folder -----------------------------------------------------------------------------------------


def split(folder: Path, *names: str):
    table = folder / "captions.csv"
    table.write_text("file_name,caption\n" + "".join(f'"{name}",sound {i}\n' for i, name in enumerate(names)))
    data = Data(captions=str(table), audio=str(folder / "audio"), splits={"evaluation": "100%"})
    return load("folder", data).split("evaluation", audio=True)


@pytest.mark.parametrize("pair", [(NFC, NFD), (" a.wav", "a.wav"), ("a.wav", "A.wav"), ("a .wav", "a_.wav")])
def test_two_files_that_look_alike_are_both_found(tmp_path, pair):
    files = [wav(tmp_path / "audio" / place / name) for place, name in zip(("", "deep"), pair, strict=True)]
    found = split(tmp_path, *pair)
    assert {clip.id: clip.audio for clip in found.clips} == dict(zip(pair, files, strict=True)) and not found.notes[1:]


@pytest.mark.parametrize(
    ("named", "there"),
    [
        (NFC, NFD),
        (NFD, NFC),
        ("a.wav", " a.wav"),
        ("A.WAV", "a.wav"),
        ("a b.wav", "a_b.wav"),
        (" a.wav ", "a.wav"),
        ("a", " a.flac"),
        ("caf\u00e9/x.wav", "cafe\u0301/x.wav"),
    ],
)
def test_a_file_whose_name_was_changed_is_found(tmp_path, named, there):
    file = wav(tmp_path / "audio" / there)
    assert [clip.audio for clip in split(tmp_path, named).clips] == [file]


def test_a_name_that_could_mean_several_files_is_named(tmp_path):
    for name in ("b.wav", NFD, f"deep/{NFD} ", "one/c.wav", "two/c.wav"):
        wav(tmp_path / "audio" / name)
    found = split(tmp_path, "b.wav", NFC, "c.wav")
    assert [clip.id for clip in found.clips] == ["b.wav"] and found.missing == (NFC, "c.wav")
    (note,) = [note for note in found.notes if "several" in note]
    assert "2 clips" in note and "'caf\\xe9.wav'" in note and "cafe\\u0301.wav'" in note
    assert "one/c.wav" in note and "two/c.wav" in note
    with pytest.raises(DatasetError, match="several files"):
        split(tmp_path, "c.wav")


def test_a_name_that_begins_with_a_tilde(tmp_path, monkeypatch):
    file = wav(tmp_path / "audio" / "~birds.wav")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    own = wav(tmp_path / "home" / "c.wav")
    found = split(tmp_path, "~birds.wav", "~/c.wav")
    assert [clip.audio for clip in found.clips] == [file, own]
    assert home_path("~nobody here") == Path("~nobody here")
