"""The rows with paired audio, the controls beside them, and rows whose pairs are the target's own."""

from dataclasses import replace

import made
import numpy as np
import pytest

from aaclib import bridge, captions, config, decoders, results
from aaclib import rows as rows_of
from aaclib.config import ConfigError
from aaclib.results import judging
from aaclib.run import Run
from aaclib.store import Store
from aaclib.tables import facts


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder)
    return folder


def run_of(folder, **overrides):
    return Run(config.load("quick", {**made.settings_of(folder), **overrides}), Store(folder / "store"))


@pytest.fixture(scope="module")
def done(world):
    return run_of(world)


def test_the_supervised_decoders_may_have_settings_of_their_own(world, done):
    own = {"epochs": 7, "lr": 0.002, "dropout": 0.3}
    longer = run_of(world, **{"train.supervised_factor": 3, "train.bound": own})
    rows = {name: bridge.strategy(name) for name in ("supervised", "supervised+text", "noise")}
    settings = {name: decoders.settings(longer, "folder", row) for name, row in rows.items()}
    assert settings["supervised"][0].epochs == 3 * done.config.train.epochs
    how, decoder = settings["supervised+text"]
    assert (how.epochs, how.lr, how.weight_decay, decoder.dropout) == (7, 0.002, done.config.train.weight_decay, 0.3)
    for name, row in rows.items():  # what the others have is in no key of those that learn from text
        same = decoders.key(longer, "folder", row, 0) == decoders.key(done, "folder", row, 0)
        assert same == (name == "noise")
    with pytest.raises(ConfigError, match="train.bound"):
        run_of(world, **{"train.bound": {"width": 3}})


@pytest.mark.parametrize(
    ("pairs", "sigma", "own"),
    [
        ("wavcaps", "0.1", set()),
        ("folder.train", "rms", {"noise", "noise+projection", "shift", "c3"}),
        ("folder", "0.1", {"shift", "c3"}),
        ("folder.validation", "caption", {"shift", "c3"}),
    ],
)
def test_rows_that_know_the_targets_own_recordings_do_not_compete(world, monkeypatch, pairs, sigma, own):
    run = run_of(world, **{"data.pairs": pairs, "gap.sigma": sigma})
    monkeypatch.setattr(rows_of, "left_out", lambda run, target, name: "")  # without WavCaps there is no gap vector
    paired = {row.name for row in run.strategies("folder") if row.group == "paired"}
    assert paired == own and {"supervised", "baseline", "projection", "copy"} <= {
        row.name for row in run.strategies("folder") if row.group == bridge.strategy(row.name).group
    }
    note = facts.own_pairs_note(run, "folder")
    assert bool(note) == bool(own) and all(name in note for name in own)


def test_the_bound_learns_from_audio_and_text_and_is_validated_on_audio(done):
    text, audio, both = (
        decoders.examples(done, "folder", "train", 0, how) for how in ("text", "supervised", "supervised+text")
    )
    own = done.audio("folder", "train", 0).z.mean(0)
    centred = [bridge.unit(text[0] - text[0].mean(0)), bridge.unit(audio[0] - own)]
    assert np.allclose(both[0], np.concatenate(centred), atol=1e-6) and both[1] == text[1] + audio[1]
    assert sorted(text[1]) == sorted(audio[1]) and not np.array_equal(text[0], audio[0])
    judged, heard = (
        decoders.examples(done, "folder", "validation", 0, how) for how in ("supervised+text", "supervised")
    )
    assert np.allclose(judged[0], bridge.unit(heard[0] - own), atol=1e-6) and judged[1] == heard[1]
    # what it is given at inference is centred alike; no other row's context knows the target's audio
    row = bridge.strategy("supervised+text")
    z = done.audio("folder", "evaluation", 0).z
    given = bridge.infer_half(row)(z, decoders.context_of(done, "folder", row, 0))
    assert np.allclose(given, bridge.unit(z - own), atol=1e-6)
    assert decoders.context_of(done, "folder", bridge.strategy("c3"), 0).own_audio_mean is None


def test_reconstruction_and_look_up_are_given_a_caption_that_was_not_read(world, done):
    """A decoder given the embedding of a caption that it has read could recite it, and the look-up finds it at once."""
    clips, known = done.clips("folder", "evaluation", 0), set(done.texts("folder", "train", 0).captions)
    texts = done.texts_of(clips, 0)
    rows, new = captions.unread(done, "folder", 0)
    assert texts.clip[rows].tolist() == list(range(len(clips))) and 0 < new.sum()
    for i, (row, is_new) in enumerate(zip(rows, new, strict=True)):
        own = [caption for caption, clip in zip(texts.captions, texts.clip, strict=True) if clip == i]
        unread = [caption for caption in own if caption not in known]
        assert texts.captions[row] == (unread or own)[0] and bool(unread) == is_new
    found = done.captions("folder", "look-up", 0)
    z = texts.z[rows] @ done.texts("folder", "train", 0).z.T
    assert found == [done.texts("folder", "train", 0).captions[i] for i in z.argmax(1)]


def test_the_bound_is_the_row_that_describes_validation_clips_better(world, monkeypatch):
    run = run_of(world, **{"data.targets": {"folder": ["supervised", "supervised+text", "baseline"]}})
    right = [clip.captions[0] for clip in run.clips("folder", "validation", 0)]

    def said(target, strategy, seed, decoding="greedy", part="evaluation"):
        assert part == "validation", "no evaluation clip has a say in it"
        return right if strategy == better else right[1:] + right[:1]

    for better in ("supervised", "supervised+text"):
        run = run_of(world, **{"data.targets": {"folder": ["supervised", "supervised+text", "baseline"]}})
        monkeypatch.setattr(run, "captions", said)
        found = results.bounds(run, "folder")
        assert results.bound(run, "folder") == better and found[better] == max(found.values())
    alone = run_of(world, **{"data.targets": {"folder": ["supervised", "baseline"]}})
    assert results.bound(alone, "folder") == "supervised" and np.isnan(results.bounds(alone, "folder")["supervised"])
    none = run_of(world, **{"data.targets": {"folder": ["baseline"]}})
    assert results.bound(none, "folder") is None and "no fully supervised row" in results.why_no_relative(
        none, "folder"
    )
    alone = run_of(
        world, **{"data.targets": {"folder": ["supervised", "baseline"]}, "generate.beam_rows": ["baseline"]}
    )
    assert "add it to generate.beam_rows" in results.why_no_relative(alone, "folder", "beam")


def test_the_way_from_the_plain_swap_to_the_bound(world, monkeypatch):
    run = run_of(world, **{"data.targets": {"folder": ["supervised", "baseline"]}})
    right = [clip.captions[0] for clip in run.clips("folder", "evaluation", 0)]
    said = {"supervised": right, "baseline": right[1:] + right[:1]}
    monkeypatch.setattr(run, "captions", lambda target, strategy, *_, **__: said[strategy])
    half = [*right[: len(right) // 2], *said["baseline"][len(right) // 2 :]]
    gone = [results.way(run, "folder", results.of_captions(run, "folder", one, 0), 0) for one in (*said.values(), half)]
    assert [one.value for one in gone[:2]] == pytest.approx([1, 0]) and 0.2 < gone[2].low < gone[2].high < 0.8
    said["supervised"] = said["baseline"]
    swapped = run_of(world, **{"data.targets": {"folder": ["supervised", "baseline"]}})
    monkeypatch.setattr(swapped, "captions", lambda target, strategy, *_, **__: said[strategy])
    none = run_of(world, **{"data.targets": {"folder": ["baseline"]}})
    scores = results.of_captions(none, "folder", right, 0)
    assert results.way(swapped, "folder", scores, 0) is None and results.way(none, "folder", scores, 0) is None


def test_scores_of_new_and_of_known_content_are_those_of_these_clips(world, monkeypatch):
    run = run_of(world, **{"data.targets": {"folder": ["copy"]}, "metrics.names": ["rouge_l"]})
    assert results.new(run, "folder") is None and results.by_content(run, "folder", "rouge_l").empty
    whole = run.audio
    named = [
        replace(clip, content="bell" if i % 3 else "dog + rain")
        for i, clip in enumerate(whole("folder", "evaluation", 0).clips)
    ]
    run = run_of(world, **{"data.targets": {"folder": ["copy"]}, "metrics.names": ["rouge_l"]})
    monkeypatch.setattr(run, "clips", lambda target, part, seed: tuple(named))
    monkeypatch.setattr(run, "training_clips", lambda target, part: (replace(named[1]),))
    frame = results.by_content(run, "folder", "rouge_l").set_index("content")
    per_clip = results.scores(run, "folder", "copy", 0).per_clip.rouge_l.to_numpy()
    assert frame.n.to_dict() == {"new": 10, "known": 20}
    assert frame.value["new"] == pytest.approx(per_clip[::3].mean())
    assert frame.value["known"] == pytest.approx(np.delete(per_clip, np.s_[::3]).mean())


def test_a_clap_trained_anew_with_each_seed_is_judged_by_the_next_ones(world):
    run = run_of(world, seeds=[3, 5, 8])
    assert results.partial_judge(run) and judging._judging_seed(run, 5) == 5  # one CLAP for all seeds
    tiny = Run(replace(run.config, clap=replace(run.config.clap, backend="tiny")), run.store)
    assert not results.partial_judge(tiny) and [judging._judging_seed(tiny, seed) for seed in (3, 5, 8)] == [5, 8, 3]
    one = Run(replace(tiny.config, seeds=(3,)), run.store)
    assert results.partial_judge(one) and judging._judging_seed(one, 3) == 3


def test_what_a_synthetic_clap_says_of_real_recordings_is_synthetic(world):
    run = run_of(world)
    assert not run.synthetic
    settings = replace(
        run.config,
        clap=replace(run.config.clap, backend="tiny"),
        data=replace(run.config.data, pretrain="soundscapes-pretrain"),
    )
    assert Run(settings, run.store).synthetic
    own = replace(settings, data=replace(settings.data, pretrain="folder"))
    assert not Run(own, run.store).synthetic  # a tiny CLAP of real recordings is none


def test_the_decoder_of_audio_is_named_by_the_text_of_its_vocabulary(world, tmp_path):
    """One vocabulary serves all rows of a target; captions without recordings are in it, and in no example of audio."""
    supervised, ids = bridge.strategy("supervised"), []
    for text in ("", "a zebra gallops", "a zebra gallops and a quagga neighs"):
        (tmp_path / "more.txt").write_text(f"{text}\n")
        more = {"data.text": str(tmp_path / "more.txt")} if text else {}
        run = run_of(world, **more)
        key = decoders.key(run, "folder", supervised, 0)
        ids.append(run.store.id("decoder", key))
        assert ("vocabulary" in key) == bool(text)
    assert len(set(ids)) == 3
