"""Questions: true to the scenes, telling nothing by themselves; Clotho-AQA's form, on a made tree."""

from collections import Counter

import numpy as np
import pytest
import soundfile

from aaclib.config import Data
from aaclib.datasets import DatasetError, clotho_aqa, load, questions
from aaclib.store import Store


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return load("soundscapes-long", Data(), Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def asked(world):
    return questions.of_scenes(world, "train", 600)


def test_answers_are_true_of_the_scenes(world, asked):
    seen = Counter()
    for question in asked:
        events, words = world.scene("train", question.clip).events, question.text.split()
        there = {event.kind: event for event in events}
        seen[question.kind] += 1
        if question.kind == "yes or no":
            assert (words[-1] in there) == (question.answer == "yes")
        elif question.kind == "how many":
            assert questions.NUMBERS.index(question.answer) == len(there)
        elif question.kind == "how often":
            assert questions.NUMBERS.index(question.answer) == there[words[-1]].count > 0
        else:
            first, second = words[4], words[7]
            other = second if question.answer == first else first
            assert {question.answer, other} == {first, second}
            assert there[question.answer].start < there[other].start
    assert seen["yes or no"] == 1200 and seen["how many"] == 600 and min(seen.values()) > 150


def test_yes_is_as_frequent_as_no_for_every_sound_and_first_as_second(asked):
    yes = Counter(q.text for q in asked if (q.kind, q.answer) == ("yes or no", "yes"))
    no = Counter(q.text for q in asked if (q.kind, q.answer) == ("yes or no", "no"))
    known = [text for text in yes if yes[text] + no[text] >= 20]
    shares = [yes[text] / (yes[text] + no[text]) for text in known]
    assert len(known) > 15 and abs(np.mean(shares) - 0.5) < 0.05 and np.std(shares) < 0.15  # a coin's would be 0.1
    first = [q.text.split()[4] == q.answer for q in asked if q.kind == "which first"]
    assert abs(np.mean(first) - 0.5) < 0.1


def test_questions_do_not_depend_on_how_many_clips_there_are(world, asked):
    few = questions.of_scenes(world, "train", 20)
    assert few == asked[: len(few)] and {question.clip for question in few} == set(range(20))


def test_every_sound_and_every_two_are_asked_for_where_wanted(world):
    asked = questions.of_scenes(world, "train", 40, every=True)
    for i in range(40):
        events, found = world.scene("train", i).events, [question for question in asked if question.clip == i]
        yes = {q.text.split()[-1] for q in found if (q.kind, q.answer) == ("yes or no", "yes")}
        assert yes == {event.kind for event in events}
        assert sum(q.answer == "no" for q in found if q.kind == "yes or no") == len(yes)


def test_a_data_set_without_truth_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="music-hall: there are questions about soundscapes-<world> alone"):
        questions.of_scenes(load("music-hall", Data(), Store(tmp_path)), "train", 2)


# ---- Clotho-AQA

ROWS = """file_name,QuestionText,answer,confidence
 rain (1).wav,Is it raining?,yes,yes
 rain (1).wav,Is it raining?,Yes,maybe
 rain (1).wav,Is it raining?,no,yes
 rain (1).wav,What is falling?,water,yes
 rain (1).wav,What is falling?,water,yes
 rain (1).wav,What is falling?,Water,yes
caf\xe9.wav,Is anyone speaking?,no,yes
caf\xe9.wav,Is anyone speaking?,no,yes
caf\xe9.wav,Is anyone speaking?,yes,no
"""


@pytest.fixture
def data(tmp_path):
    (tmp_path / "clotho_aqa_test.csv").write_bytes(ROWS.encode("iso-8859-1"))
    return Data(clotho_aqa=str(tmp_path))


def test_three_answers_make_a_question(data):
    first, second, third = clotho_aqa.questions(data, "evaluation")
    assert first.clip == " rain (1).wav" and first.text == "Is it raining?"
    assert first.answers == ("yes", "yes", "no") and first.sure == (True, False, True)
    assert (first.answer, first.kind, first.agreed) == ("yes", "yes or no", False)
    assert (second.answer, second.kind, second.agreed) == ("water", "single word", True)
    assert third.clip == "caf\xe9.wav" and third.answer == "no" and third.audio is None


def test_recordings_are_found_below_the_folder(data, tmp_path):
    with pytest.raises(DatasetError, match="fix: unpack audio_files.zip"):
        clotho_aqa.questions(data, "evaluation", audio=True)
    (tmp_path / "audio_files").mkdir()
    soundfile.write(tmp_path / "audio_files" / " rain (1).wav", np.zeros(100, np.float32), 44100)
    found = clotho_aqa.questions(data, "evaluation", audio=True)
    assert [one.audio.name for one in found] == [" rain (1).wav"] * 2


def test_what_is_missing_or_empty_is_named(data, tmp_path):
    with pytest.raises(
        DatasetError, match="clotho_aqa_train.csv is missing. fix: download .*zenodo.org/records/6473207"
    ):
        clotho_aqa.questions(data, "train")
    (tmp_path / "clotho_aqa_val.csv").write_text("file_name,QuestionText,answer,confidence\na.wav,Is it?,,yes\n")
    with pytest.raises(DatasetError, match="line 2: a question or an answer is empty"):
        clotho_aqa.questions(data, "validation")
