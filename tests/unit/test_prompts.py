"""Captions and labels that a decoder reads before it writes: what is read, what is learned, what is said."""

from __future__ import annotations

import dataclasses

import made
import numpy as np
import pytest
from test_decoder import CAPTIONS

from aaclib import bridge, captioner, captions, config, decoders, generate, prompts, rows, text


@pytest.fixture(scope="module")
def tokenizer():
    return text.WordTokenizer.train(CAPTIONS)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder)
    return made.run_of(folder, folder / "store", **{"train.epochs": 3})


def test_prompts_are_the_nearest_of_others_while_training_and_of_all_at_inference(run):
    target, row = "folder", bridge.strategy("noise+prompt")
    texts, memory = run.texts(target, "train", 0), run.context(target, 0).memory
    known = [texts.captions[i] for i in run.memory_rows(target, 0)]
    for i, found in enumerate(prompts.while_training(run, target, "train", row, 0)):
        own = {c for c, clip in zip(texts.captions, texts.clip, strict=True) if clip == texts.clip[i]}
        order = np.argsort(-(memory @ texts.z[i]), kind="stable")
        by_hand = [j for j in order if known[j] not in own][: prompts.NEAREST]
        assert not own & set(found) and len(found) == prompts.NEAREST
        assert np.allclose(
            [memory[known.index(c)] @ texts.z[i] for c in found], memory[by_hand] @ texts.z[i], atol=1e-5
        )  # of equally near ones either
    z_a = run.audio(target, "evaluation", 0).z
    for audio, found in zip(z_a, prompts.at_inference(run, target, row, 0, z_a), strict=True):
        nearest = np.sort(memory @ audio)[::-1][: prompts.NEAREST]
        assert np.allclose([memory[known.index(c)] @ audio for c in found], nearest, atol=1e-5)


def test_a_prompted_row_is_trained_captioned_and_named_by_what_it_reads(run):
    target, row = "folder", bridge.strategy("noise+prompt+projection")
    assert (row.training, row.inference, bridge.prompted(row)) == ("noise+prompt", "projection", "captions")
    given = captions.read(run, target, row, 0)
    assert given.before == prompts.at_inference(run, target, row, 0, given.z)
    trained = run.decoder(target, row.name, 0)
    before = prompts.joined(given.before, trained.model.tokenizer, run.config)
    assert run.captions(target, row.name, 0) == generate.generate(
        trained.model, given.z, 1, run.config.generate.max_tokens, run.config.generate.batch_size, before
    )
    assert len(run.captions(target, row.name, 0, "mbr")) == len(given.z)
    assert captions.key(run, trained, given, "greedy") != captions.key(
        run, trained, given._replace(before=None), "greedy"
    )
    key = decoders.key(run, target, row, 0)
    assert len(key["prompts"]) == 2 and "prompts" not in decoders.key(run, target, bridge.strategy("noise"), 0)


def test_prompts_leave_room_for_the_caption(tokenizer):
    settings = config.load("quick")
    long = " ".join(["dog"] * 50)
    assert prompts.joined([["a dog", long, long]], tokenizer, settings) == [f"a dog . {long}"]
    assert prompts.joined([["a dog", "the cat"], ["a bell"]], tokenizer, settings) == ["a dog . the cat", "a bell"]


def test_a_captioner_refuses_a_row_that_reads_a_prompt():
    with pytest.raises(config.ConfigError, match="'noise\\+prompt' reads texts that only a run chooses"):
        captioner._to_caption("noise+prompt")


def test_label_prompts_are_of_the_pairs_labels_or_refused(run, monkeypatch):
    row = bridge.strategy("labels+noise")
    assert rows.left_out(run, "folder", row.name) == "the pairs (folder.train) have no labels to choose from"
    split = run.split("folder", "train")
    labelled = dataclasses.replace(
        split, clips=tuple(dataclasses.replace(c, labels=("Dog", "a_cat")) for c in split.clips)
    )
    other = made.run_of(run.split("folder", "train", True).clips[0].audio.parents[1], run.store.root)
    monkeypatch.setattr(other, "split", lambda *_: labelled)
    assert not rows.left_out(other, "folder", row.name) and prompts.labels(other) == ["a cat", "dog"]
    z = other.clap(0).embed_text(["the dog", "a cat"])
    assert prompts.at_inference(other, "folder", row, 0, z) == [["dog", "a cat"], ["a cat", "dog"]]
    monkeypatch.setattr(other, "texts", run.texts)
    kept = [len(one) for one in prompts.while_training(other, "folder", "train", row, 0)]
    assert set(kept) == {1, 2} and 0.5 < np.mean(kept) - 1 < 0.9
