"""A captioner as one folder: the same captions without the run, elsewhere; what is damaged or lacking is named."""

import csv
import json
import shutil

import made
import numpy as np
import pytest
import soundfile
from test_keys import SMALLEST

import aaclib
from aaclib import bridge, model_card, paths, portable, store
from aaclib.captioner import Captioner
from aaclib.portable import PortableError
from aaclib.suite import cli

TARGET = "soundscapes-long"
FORMATS = [  # ending, subtype, rate, channels
    *[("wav", "PCM_16", rate, 1 + i % 2) for i, rate in enumerate((8000, 16000, 22050, 44100, 48000))],
    *[("wav", subtype, 16000, 2) for subtype in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "ULAW")],
    *[("flac", subtype, rate, 1) for subtype, rate in (("PCM_16", 16000), ("PCM_24", 44100), ("PCM_16", 96000))],
    *[("ogg", "VORBIS", rate, channels) for rate, channels in ((16000, 1), (44100, 2))],
    ("ogg", "OPUS", 48000, 1),
    *[("mp3", "MPEG_LAYER_III", rate, channels) for rate, channels in ((16000, 1), (44100, 2))],
    ("aiff", "PCM_16", 32000, 2),
    ("au", "PCM_16", 11025, 1),
]


def recordings(folder):
    """Twenty recordings, no two of one form, from 0.5 to 5 s: three tones each, which `made`'s CLAP hears as words."""
    folder.mkdir()
    groups = (made.THINGS, made.DOES, made.PLACES)
    for i, (ending, subtype, rate, channels) in enumerate(FORMATS):
        t = np.arange(int((0.5 + 0.25 * i) * rate)) / rate
        said = [4 * (k > 0) + 3 * (k > 1) + i % len(group) for k, group in enumerate(groups)]
        wave = sum(0.2 * np.sin(2 * np.pi * made.tone(word) * t) for word in said)
        stereo = np.stack([wave, 0.5 * np.roll(wave, 7)][:channels], axis=1)
        soundfile.write(folder / f"{i:02d}.{ending}", stereo.clip(-1, 1), rate, subtype)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny run, its decoders and its CLAP, and where it lies."""
    root = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as places:
        for name in ("CACHE", "RUNS"):
            places.setenv(f"AACLIB_{name}", str(root / name.lower()))
        settings = SMALLEST | {"name": "small"}
        store.write_record(paths.runs_dir() / "small" / "run.json", {"profile": "quick", "overrides": settings})
        aaclib.Run.load("quick", settings).decoder(TARGET, "c3", 0)
        yield root


@pytest.fixture
def places(run, monkeypatch):
    for name in ("CACHE", "RUNS"):
        monkeypatch.setenv(f"AACLIB_{name}", str(run / name.lower()))
    return run


def by_command(out, *options):
    assert cli.main(["caption", *map(str, options), "--out", str(out)]) == 0
    return [row["caption"] for row in csv.DictReader(out.open())]


def test_the_folder_is_plain_files_and_its_card_says_what_it_learned_from(places, tmp_path, monkeypatch):
    captioner = Captioner.from_run("small", "c3")
    folder = captioner.export(tmp_path / "c3")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        *("README.md", "captioner.json", "context.safetensors", "memory.json", "tokenizer.json"),
        *("decoder.json", "decoder.safetensors", "clap/model.json", "clap/model.safetensors"),
    }
    card = (folder / "README.md").read_text()
    for said in ("no recording of them", "Synthetic: it learned from rendered", "grammar of this suite", "MIT", "c3"):
        assert said in card
    assert f"{len(captioner.memory):,} of these captions" in card and str(tmp_path) not in card
    arrays = portable.load_file(folder / portable.CONTEXT)
    assert set(arrays) == {"memory", "text_mean", "audio_mean"}  # what c3 reads, and no more
    (folder / "README.md").write_text("my own words")
    wave = [np.random.default_rng(0).standard_normal(9000)]
    said = captioner.caption(wave, 16000)
    for name in ("CACHE", "RUNS"):
        monkeypatch.setenv(f"AACLIB_{name}", str(tmp_path / "nothing"))
    loaded = Captioner.load(folder, "cpu")
    assert loaded.caption(wave, 16000) == said and loaded.synthetic and loaded.about() == captioner.about()
    np.testing.assert_array_equal(loaded.clap.embed_audio(wave, 16000), captioner.clap.embed_audio(wave, 16000))
    with pytest.raises(PortableError, match="c3 is there already .fix: name another folder"):
        captioner.export(folder)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "name", ["captioner.json", "decoder.safetensors", "context.safetensors", "memory.json", "clap/model.safetensors"]
)
def test_what_was_changed_or_lost_is_named_with_the_remedy(places, tmp_path, name):
    folder = Captioner.from_run("small", "c3").export(tmp_path / "c3")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(PortableError, match=r"captioner\.json is damaged or does not fit: .*fix: copy the folder"):
        Captioner.load(folder)
    (folder / name).unlink()
    with pytest.raises(PortableError, match=f"{name.rpartition('/')[2]} is (gone|missing).*fix: "):
        Captioner.load(folder)


def test_a_folder_that_is_none_and_options_that_do_not_go_together_are_refused(tmp_path, capsys):
    for folder, says in ((tmp_path, "holds no captioner"), (tmp_path / "no", "is not there")):
        assert cli.main(["caption", __file__, "--captioner", str(folder)]) == 2
        said = capsys.readouterr().err
        assert says in said and "fix: aaclib export RUN --out" in said and said.count("\n") == 1
    for options, says in (
        (["--captioner", "a", "--strategy", "c3"], "--strategy goes with --run"),
        (["--clap", "hf:a"], "--clap goes with --captioner"),
    ):
        assert cli.main(["caption", __file__, *options]) == 2 and says in capsys.readouterr().err


@pytest.fixture
def own(world, done, tmp_path, monkeypatch):
    """A captioner of a run whose CLAP is a class of its user's own."""
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AACLIB_CACHE", str(done.store.root))
    store.write_record(
        tmp_path / "runs" / "mine" / "run.json", {"profile": "quick", "overrides": made.settings_of(world)}
    )
    return Captioner.from_run("mine")


def test_twenty_recordings_are_described_alike_by_command_by_python_and_by_a_folder_elsewhere(
    own, tmp_path, monkeypatch
):
    files = recordings(tmp_path / "recordings")
    assert len(files) == 20
    row = ("--strategy", "projection")
    command = by_command(tmp_path / "run.csv", tmp_path / "recordings", "--run", "mine", *row)
    made_by = Captioner.from_run("mine", "projection")
    assert made_by.caption(files) == command and len(set(command)) > 5
    assert cli.main(["export", "mine", *row, "--out", str(tmp_path / "there")]) == 0
    shutil.move(tmp_path / "there", tmp_path / "other disk")  # and neither run nor store are there any more:
    for name in ("CACHE", "RUNS"):
        monkeypatch.setenv(f"AACLIB_{name}", str(tmp_path / "nothing"))
    out = tmp_path / "folder.csv"
    assert by_command(out, tmp_path / "recordings", "--captioner", tmp_path / "other disk") == command
    loaded = Captioner.load(tmp_path / "other disk")
    assert loaded.caption(files) == command and loaded.memory == made_by.memory
    assert loaded.caption(files[:3], beam=2) == made_by.caption(files[:3], beam=2)
    assert not loaded.synthetic and loaded.about() == made_by.about() and loaded.key != made_by.key
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(PortableError, match="fix: copy the folder"):
        loaded.export(tmp_path / "again")


def test_a_clap_that_is_not_of_the_run_is_named_and_has_to_be_the_same(own, tmp_path, monkeypatch):
    folder, z = own.export(tmp_path / "out"), own.context.memory[:5]
    assert (
        not (folder / "clap").exists() and "named, not included: digest `made-1`" in (folder / "README.md").read_text()
    )
    assert Captioner.load(folder).from_embeddings(z) == own.from_embeddings(z)
    assert Captioner.load(folder, clap="made:MadeClap").from_embeddings(z) == own.from_embeddings(z)
    monkeypatch.setattr(made.MadeClap, "digest", "made-2")
    with pytest.raises(PortableError, match="wants the CLAP with digest made-1; made:MadeClap has made-2.*--clap"):
        Captioner.load(folder)
    for spec in ("nothing:Here", "hf:nowhere"):
        with pytest.raises(PortableError, match=r"cannot be loaded here.*fix: say where these weights are"):
            Captioner.load(folder, clap=spec)


def test_a_strategy_of_ones_own_is_wanted_as_it_was(own, tmp_path):
    def doubled(z, context, rng=None):
        return 2 * z

    def halved(z, context, rng=None):
        return z / 2

    try:
        bridge.register("mirror", inference=[doubled])
        folder = Captioner.from_run("mine", "mirror").export(tmp_path / "out")
        assert Captioner.load(folder).row.name == "mirror"
        bridge.register("mirror", inference=[halved])
        with pytest.raises(PortableError, match="registered here with other steps"):
            Captioner.load(folder)
        bridge.forget("mirror")
        with pytest.raises(PortableError, match="decodes by 'mirror', a part of its author's own"):
            Captioner.load(folder)
    finally:
        bridge.forget("mirror")


def test_another_format_is_told_from_damage(own, tmp_path):
    folder = own.export(tmp_path / "out")
    record = store.read_record(folder / portable.RECORD)
    store.write_record(folder / portable.RECORD, {**record, "format": 99})
    with pytest.raises(PortableError, match="expected format 1, found 99"):
        Captioner.load(folder)
    assert json.loads((folder / portable.MEMORY).read_text()) == own.memory


def test_a_card_says_whose_captions_and_whether_recordings_were_heard():
    about = {"strategy": "supervised", "title": "A *set*", "run": "r", "training": "supervised", "seed": 0}
    about |= {"captions": 1200, "memory": 900, "pairs": "wavcaps.train", "n_pairs": 50, "weakly_supervised": False}
    about |= {"clap": "hf:x", "clap_digest": "0123", "clap_training_data": "unknown", "clap_inside": False}
    card = model_card.text(about | {"sources": ["clotho", "other"], "synthetic": False})
    for said in (
        "and the recordings that they describe",
        "50 audio-caption pairs of wavcaps",
        "Zenodo",
        "1,200 captions",
    ):
        assert said in card
    assert "those of other: ask its makers" in card and "Synthetic" not in card and "A &#42;set&#42;" in card
