"""Answers by a decoder of text: who hears answers better than who does not, and nothing is made twice."""

import made
import numpy as np
import pytest

from aaclib import answering
from aaclib.datasets import questions
from aaclib.datasets.questions import Question

ROWS = ["supervised", "baseline", "projection", answering.ALONE]


def about(run, part):
    """Two questions about each clip of a made world, by what its first caption says."""
    for i, clip in enumerate(run.split("folder", part).clips):
        words = clip.captions[0].split()
        thing, place = words[1], words[-1]
        yield Question(i, "who", "who is there", thing)
        yield Question(i, "yes or no", "is it in the park", "yes" if place == "park" else "no")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder)
    run = made.run_of(folder, tmp_path_factory.mktemp("store"), threads=1, **{"train.epochs": 80})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "of_scenes", lambda dataset, part, n, every: list(about(run, part)))
        answering.train_all(run, "folder", ROWS, 0)
        yield run


def test_who_hears_answers_better_than_who_does_not(run):
    asked = answering.asked(run, "folder", "evaluation")
    said = {row: answering.answers(run, "folder", row, 0) for row in ROWS}
    right = {row: answering.by_kind(asked, one) for row, one in said.items()}
    assert right["supervised"]["all"].corpus["accuracy"] > 0.7
    assert right["projection"]["who"].corpus["accuracy"] > right[answering.ALONE]["who"].corpus["accuracy"] + 0.2
    alone = {question.text: answer for question, answer in zip(asked, said[answering.ALONE], strict=True)}
    assert said[answering.ALONE] == [alone[question.text] for question in asked]  # the same for every clip


def test_what_a_decoder_learns_from(run):
    asked = answering.asked(run, "folder", "train")
    texts, heard = run.texts("folder", "train", 0), run.audio("folder", "train", 0)
    read = answering.examples(run, "folder", "train", "noise", 0)
    assert read.questions == [q.text for q in asked] and read.answers == [q.answer for q in asked]
    rows = [np.flatnonzero(texts.clip == q.clip)[place % 2] for place, q in enumerate(asked)]  # two captions a clip
    assert np.array_equal(read.z, texts.z[rows])
    told = answering.examples(run, "folder", "train", "supervised", 0)
    assert np.array_equal(told.z, heard.z[[q.clip for q in asked]])
    nothing = answering.examples(run, "folder", "train", answering.ALONE, 0).z
    assert np.allclose(np.linalg.norm(nothing, axis=1), 1, atol=1e-5) and np.ptp(nothing, axis=0).max() == 0


def test_rows_of_one_training_share_a_decoder_and_nothing_is_made_twice(run, monkeypatch):
    monkeypatch.setattr(run.store, "making", lambda kind: pytest.fail(f"made {kind} again"))
    decoders = {row: answering.decoder(run, "folder", row, 0).artefact.id for row in [*ROWS, "nearest"]}
    assert decoders["nearest"] == decoders["projection"] == decoders["baseline"] and len(set(decoders.values())) == 3
    assert answering.train_all(run, "folder", ROWS, 0).keys() == set(ROWS)
    assert answering.answers(run, "folder", "projection", 0)


def test_other_questions_ask_for_another_decoder(run, monkeypatch):
    before = answering.key(run, "folder", "noise", 0)
    assert before == answering.key(run, "folder", "noise+projection", 0)  # whoever asks first
    assert answering._learned("noise+projection") == "noise" != answering._learned(answering.ALONE)
    vars(run).pop("_kept")

    def turned(dataset, part, n, every):
        return [Question(q.clip, q.kind, q.text, "no") for q in about(run, part)]

    monkeypatch.setattr(questions, "of_scenes", turned)
    assert answering.key(run, "folder", "noise", 0)["examples"] != before["examples"]
    vars(run).pop("_kept")


def test_right_answers_are_counted_clip_by_clip():
    asked = [
        Question(0, "a", "", "yes"),
        Question(0, "a", "", "no"),
        Question(2, "a", "", "yes"),
        Question(2, "b", "", "two"),
    ]
    found = answering.by_kind(asked, ["yes", "yes", "yes", "one"])
    assert list(found) == ["all", "a", "b"]
    assert found["a"].statistics["accuracy"].tolist() == [[0.5], [1.0]] and found["b"].corpus["accuracy"] == 0
    assert found["all"].statistics["accuracy"].tolist() == [[0.5], [0.5]]
