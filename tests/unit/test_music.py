"""The world of music: repeatable, its splits apart, its captions true; and MusicCaps' form, on a made tree."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from aaclib.config import Data
from aaclib.datasets import DatasetError, absent, load, needs
from aaclib.datasets.made import RATE
from aaclib.datasets.music import WORLDS, named, render
from aaclib.datasets.music.pieces import BESIDE, DYNAMICS, LEADS, PACE, SCALES, Piece, piece, play
from aaclib.datasets.music.words import ADJECTIVES, ADVERBS, NAMES, TELLING, captions
from aaclib.datasets.music.words import BESIDE as SAID_BESIDE
from aaclib.datasets.soundscapes.synth import loudness
from aaclib.store import Store

PIECE = Piece("organ", "", "moderate", "major", "loud", 60, 5)


def test_every_phrase_says_its_value_and_nothing_else():
    of = {value: about for about, values in TELLING.items() for value in values}
    assert set(of) == {*LEADS, *BESIDE, *PACE, *SCALES, *DYNAMICS} - {""}
    phrases = [
        (value, text) for said in (ADJECTIVES, ADVERBS, SAID_BESIDE) for value, ways in said.items() for text in ways
    ]
    phrases += [(value, text) for value, ways in NAMES.items() for some in ways for text in some]
    for value, text in phrases:
        found = {about: values for about, values in named(text).items() if values}
        assert found == {of[value]: {value}}, text


def test_captions_say_what_is_true_in_words_of_their_own():
    mentioned = []
    for i in range(150):
        drawn = piece("hall", "train", i)
        written = captions(drawn, 4, 0.7, i)
        assert len({*written}) == 4 and written == captions(drawn, 4, 0.7, i)
        for caption in written:
            said = named(caption)
            assert all(said[about] <= {*true} for about, true in drawn.truth.items()), (drawn, caption)
            assert drawn.lead in said["instrument"] and caption[0].isupper() and "  " not in caption
            mentioned.append([bool(said[about]) for about in ("tempo", "mode", "dynamics")])
    assert np.allclose(np.mean(mentioned, 0), 0.7, atol=0.06)


def test_combinations_of_evaluation_are_nowhere_else():
    def combinations(split):
        drawn = [piece(world, split, i) for world in WORLDS for i in range(400)]
        assert drawn[:3] == [piece("pretrain", split, i) for i in range(3)]
        return {(one.lead, one.beside, one.tempo, one.mode, one.dynamics) for one in drawn}

    assert not combinations("evaluation") & (combinations("train") | combinations("validation"))


def test_what_is_played_is_what_is_said():
    half = RATE * 5 // 2
    loud, soft = (play(replace(PIECE, dynamics=how)) for how in ("loud", "soft"))
    assert loudness(loud) > 5 * loudness(soft)
    rising, falling = (play(replace(PIECE, dynamics=how)) for how in ("rising", "falling"))
    assert loudness(rising[half:]) > 2 * loudness(rising[:half]) and loudness(falling[:half]) > 2 * loudness(
        falling[half:]
    )
    assert onsets(replace(PIECE, tempo="slow")) < onsets(PIECE) < onsets(replace(PIECE, tempo="fast"))
    for mode, third, other in (("major", 4, 3), ("minor", 3, 4)):
        strong = [power(play(replace(PIECE, mode=mode, seed=seed)), PIECE.tonic + 12) for seed in range(4)]
        assert sum(one[third] for one in strong) > 10 * sum(one[other] for one in strong)


def onsets(one):
    """How often the level of its attacks rises, of a piano."""
    x = play(replace(one, lead="piano"))
    level = np.sqrt(np.mean(np.square(x[: len(x) // 320 * 320].reshape(-1, 320)), axis=1))
    return np.sum((level[1:] > 1.4 * level[:-1]) & (level[1:] > 0.02))


def power(x, tonic):
    """Of each semitone of the octave above the tonic."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    bins = [440 * 2 ** ((tonic + step - 69) / 12) * len(x) / RATE for step in range(12)]
    return np.array([spectrum[round(b) - 3 : round(b) + 4].sum() for b in bins])


@pytest.mark.parametrize("lead", LEADS)
def test_every_instrument_can_be_heard_and_repeated(lead):
    for beside in BESIDE:
        x = render(WORLDS["hall"], replace(PIECE, lead=lead, beside=beside, tempo="fast"))
        assert x.dtype == np.float32 and np.isfinite(x).all() and 0.02 < np.abs(x).max() <= 1
    assert np.array_equal(x, render(WORLDS["hall"], replace(PIECE, lead=lead, beside=beside, tempo="fast")))


def test_the_data_set_writes_without_playing_and_plays_when_asked(tmp_path):
    data = Data(sizes={"music-hall.train": 3, "music-hall.evaluation": 2})
    hall = load("music-hall", data, Store(tmp_path))
    text = hall.split("train")
    assert len(text.captions) == 9 and text.paths == [] and not (tmp_path / "scenes").exists()
    assert hall.count("train") == (3, 9) and hall.unrendered("evaluation") == 50
    heard = hall.split("evaluation", audio=True)
    assert [clip.labels for clip in heard.clips] == [hall.piece("evaluation", i).truth["instrument"] for i in range(2)]
    x, rate = soundfile.read(heard.paths[1], dtype="float32")
    assert rate == RATE and np.abs(x - render(WORLDS["hall"], hall.piece("evaluation", 1))).max() < 1e-4
    assert hall.unrendered("evaluation") == 0 and hall.synthetic
    with pytest.raises(DatasetError, match="music-pretrain, music-hall"):
        load("music-concert", data, Store(tmp_path))


# ---- MusicCaps

TABLE = """ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,is_audioset_eval
-0Gj8-vB1q4,30,40,/m/0140xf,"['low quality', 'strings melody', ""a soldier's song""]","A ballad, sung.",4,False,True
-0SdAVK79lg,30,40,"/m/0155w","['guitar song', 'piano backing']","A guitar
and a piano.",0,False,False
xyz,0,10,/m/04rlf,[],Drums.,1,True,True
"""


@pytest.fixture
def caps(tmp_path):
    (tmp_path / "musiccaps-public.csv").write_text(TABLE)
    return Data(musiccaps=str(tmp_path), download=False)


def test_musiccaps_table(caps):
    found = load("musiccaps", caps)
    first, last = found.split("evaluation").clips
    assert first.id == "-0Gj8-vB1q4_30" and first.captions == ("A ballad, sung.",)
    assert first.labels == ("low quality", "strings melody", "a soldier's song") and last.labels == ()
    others = [clip for part in ("train", "validation") for clip in found.split(part).clips]
    assert [clip.captions[0] for clip in others] == ["A guitar\nand a piano."]


@pytest.mark.parametrize(
    "name", ["-0Gj8-vB1q4_30", "-0Gj8-vB1q4_30_40", "[-0Gj8-vB1q4]-[30-40]", "-0Gj8-vB1q4", "Y-0Gj8-vB1q4"]
)
def test_musiccaps_audio_by_its_usual_names(caps, tmp_path, name):
    (tmp_path / "wav").mkdir()
    soundfile.write(tmp_path / "wav" / f"{name}.wav", np.zeros(100, np.float32), 44100)
    split = load("musiccaps", caps).split("evaluation", audio=True)
    assert [clip.audio.stem for clip in split.clips] == [name] and split.missing == ("xyz_0",)
    assert "1 of MusicCaps' 2 evaluation clips" in split.notes[0]


def test_musiccaps_that_is_not_here(caps, tmp_path):
    assert "data.musiccaps" in absent("musiccaps", Data()) and not absent("musiccaps", caps)
    with pytest.raises(DatasetError, match="fix: --set data.musiccaps=DIR"):
        load("musiccaps", caps).split("evaluation", audio=True)
    (need,) = needs("musiccaps", caps, ["train"], ["evaluation"])
    assert need.here and need.url.endswith("google/MusicCaps/resolve/main/musiccaps-public.csv")
    (tmp_path / "musiccaps-public.csv").write_text(TABLE.replace("Drums.", ""))
    with pytest.raises(DatasetError, match="line 5: a clip without caption"):
        load("musiccaps", caps).split("train")
