"""How much text a pair is worth, and how much text a run learns from."""

from __future__ import annotations

from types import SimpleNamespace

import made
import numpy as np
import pandas as pd
import pytest

from aaclib import config, decoders, roles, scaling, stats, train
from aaclib.bridge import strategy
from aaclib.datasets import DatasetError, soundscapes
from aaclib.run import Run
from aaclib.store import Store
from aaclib.tables import answers


def scored(values):
    return SimpleNamespace(statistics={"cider_d": np.asarray(values, float)[:, None]})


def test_the_captions_that_reach_a_score_lie_on_a_line_over_their_logarithm():
    sizes, scores = np.array([100, 1000, 10000]), np.array([0.1, 0.3, 0.2])
    assert scaling.needed(0.2, sizes, scores) == pytest.approx(10**2.5)
    assert scaling.needed(0.1, sizes, scores) == 0 and scaling.needed(0.05, sizes, scores) == 0
    assert scaling.needed(0.29, sizes, scores) < 1000  # and never falls: who has more may use less
    assert scaling.needed(0.31, sizes, scores) == np.inf


def test_what_a_pair_is_worth_covers_the_truth():
    """Text of n captions reaches log10(n) / 10, pairs twice that: n pairs are worth n squared captions."""
    rng, inside, repeats = np.random.default_rng(0), 0, 60
    sizes, counts = [100, 1000, 10000, 100000], [30, 100]
    for _ in range(repeats):
        clips = rng.normal(0, 0.1, 150)  # easy and hard ones, for every row alike
        text = {n: scored(0.1 * np.log10(n) + clips + rng.normal(0, 0.1, 150)) for n in sizes}
        pairs = {n: scored(0.2 * np.log10(n) + clips + rng.normal(0, 0.1, 150)) for n in counts}
        found = scaling.worth(text, pairs, "cider_d", 200)
        assert [one.pairs for one in found] == counts
        inside += sum(one.low <= one.pairs**2 <= one.high for one in found)
    assert 0.88 < inside / (2 * repeats)


def test_no_number_is_made_up_where_text_never_reaches_the_score_or_always_does():
    text = {100: scored([0.1, 0.2, 0.3]), 1000: scored([0.2, 0.3, 0.4])}
    more, less = scaling.worth(text, {10: scored([0.9, 0.9, 0.9]), 5: scored([0.0, 0.0, 0.0])}, "cider_d", 50)[::-1]
    assert (more.pairs, more.captions, more.low, more.high) == (10, np.inf, np.inf, np.inf)
    assert (less.pairs, less.captions, less.low, less.high) == (5, 0, 0, 0)
    with pytest.raises(ValueError, match="two numbers of captions"):
        scaling.worth({100: text[100]}, {}, "cider_d")


def test_a_contrast_of_two_rows_is_their_comparison():
    rng = np.random.default_rng(1)
    a, b, c = (scored(rng.normal(level, 0.1, 80)) for level in (0.5, 0.4, 0.1))
    found, known = stats.contrast([a, b], [1, -1], "cider_d"), stats.compare(a, b, "cider_d", n_permutations=10)
    assert (found.value, found.low, found.high) == (known.difference, known.low, known.high)
    half = stats.contrast([a, b, c], [0.5, 0.5, -1], "cider_d")
    means = [one.statistics["cider_d"].mean() for one in (a, b, c)]
    assert half.value == pytest.approx((means[0] + means[1]) / 2 - means[2]) and half.low < half.value < half.high


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder, n=60)
    return folder


def run_of(world, store, **overrides):
    few = {"train.epochs": 2, "data.pairs": "", "gap.sigma": "0.1", "train.batch_size": 8, "threads": 1}
    return Run(config.load("quick", {**made.settings_of(world), **few, **overrides}), Store(store))


@pytest.mark.parametrize("steps, epochs", [(12, 2), (7, 1), (20, 3)])
def test_a_training_has_the_steps_that_are_asked_for(world, tmp_path, steps, epochs):
    run = run_of(world, tmp_path, **{"train.steps": steps})
    history = run.decoder("folder", "noise", 0).history  # 72 captions: nine steps an epoch
    assert history.step.iloc[-1] == steps and len(history) == epochs
    assert decoders.epochs(run, "folder", strategy("noise"), 0) == epochs
    whole = run_of(world, tmp_path)
    assert decoders.epochs(whole, "folder", strategy("noise"), 0) == 2
    assert whole.decoder("folder", "noise", 0).history.step.iloc[-1] == 18


def test_a_training_that_is_stopped_in_its_last_part_of_an_epoch_goes_on_to_the_same_weights(
    world, tmp_path, monkeypatch
):
    about = {"train.steps": 12}
    whole = run_of(world, tmp_path / "whole", **about).decoder("folder", "noise", 0).artefact
    run, step, taken = run_of(world, tmp_path / "stopped", **about), train.step, []

    def killed(*given):
        taken.append(1)
        if len(taken) == 11:
            raise KeyboardInterrupt
        return step(*given)

    monkeypatch.setattr(train, "step", killed)
    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run.decoder("folder", "noise", 0)
    found = run.decoder("folder", "noise", 0).artefact
    assert made.content(found / "decoder.safetensors") == made.content(whole / "decoder.safetensors")
    assert len(taken) < 11 + 12  # it did not begin anew


def test_a_training_by_epochs_is_named_as_before_there_were_steps():
    by_epochs, by_steps = config.Train(), config.Train(steps=9)
    assert "steps" not in train.named(by_epochs) and train.named(by_epochs)["epochs"] == by_epochs.epochs
    assert "epochs" not in train.named(by_steps) and train.named(by_steps)["steps"] == 9


def test_text_of_other_data_sets_is_read_and_remembered_but_never_validated_on(world, tmp_path):
    other = "soundscapes-dev"
    more = {"data.more_text": [other, "folder"], f"data.sizes.{other}.train": 4, "data.normalise": "lower-nopunct"}
    plain, run = run_of(world, tmp_path), run_of(world, tmp_path, **more)
    own, added = plain.training_clips("folder", "train"), run.split(other, "train").clips
    assert run.training_clips("folder", "train") == (*own, *added) and len(added) == 4
    assert run.training_clips("folder", "validation") == plain.training_clips("folder", "validation")
    assert roles.read(run.config, "folder") == ("folder", other)


def test_scenes_of_one_world_are_written_by_the_people_of_another(tmp_path):
    sizes = {"soundscapes-long.train": 12, "soundscapes-short.train": 5}
    long, swapped, same = (
        soundscapes.load(name, config.Data(sizes=sizes), Store(tmp_path)).split("train")
        for name in ("soundscapes-long", "soundscapes-long-by-short", "soundscapes-long-by-long")
    )
    assert [clip.labels for clip in swapped.clips] == [clip.labels for clip in long.clips]
    assert [len(clip.captions) for clip in swapped.clips] == [5] * 12  # as many as the scenes' own world has
    assert same.captions == long.captions and not set(swapped.captions) & set(long.captions)
    assert all(caption.endswith(".") for caption in long.captions)
    assert not any(caption.endswith(".") for caption in swapped.captions)
    with pytest.raises(DatasetError, match="-by-<world>"):
        soundscapes.load("soundscapes-long-by-nobody", store=Store(tmp_path))


def test_what_is_said_of_text_follows_the_numbers():
    columns = ["a", "few", "b", "many", "metric", "difference", "low", "high"]
    changes = pd.DataFrame(
        [
            ("noise", 60, "noise", 6000, "cider_d", 0.1, 0.05, 0.15),
            ("noise", 60, "more", 60, "cider_d", 0.1, -0.1, 0.3),
        ],
        columns=columns,
    )
    worth = pd.DataFrame(
        [("noise", "cider_d", 60, 0.2, 600.0, 0.0, np.inf), ("noise", "cider_d", 6000, 0.4, np.inf, 9000.0, np.inf)],
        columns=["row", "metric", *scaling.Worth._fields],
    )
    said = "\n".join(answers.text_scaling(changes, worth, (60, 18000)))
    assert "**noise, CIDEr-D**: from 60 to 6,000 captions higher (+10.0 [+5.0, +15.0])." in said
    assert "**more instead of noise, CIDEr-D**: at 60 captions not known to change (+10.0 [-10.0, +30.0])." in said
    assert (
        "60 pairs reach what 600 captions do [at most 60, over 18,000], 10.0 for one [at most 1.0, over 300.0]" in said
    )
    assert (
        "6,000 pairs reach what over 18,000 captions do [9,000, over 18,000], over 3.0 for one [1.5, over 3.0]." in said
    )
    assert "has no price" in "\n".join(answers.text_scaling(changes, worth[:0], (60, 18000)))


def test_what_is_said_across_domains_follows_the_numbers():
    kept = pd.DataFrame(
        [("a", "noise", "b", "", "cider_d", 60.0, 50.0, 70.0)],
        columns=["evaluation", "row", "text", "memory", "metric", "value", "low", "high"],
    )
    parts = {"loss": 0.2, "style": 0.15, "content": 0.05, "content less style": -0.1}
    causes = pd.DataFrame(
        [("a", "noise", "cider_d", cause, value, value - 0.05, value + 0.05) for cause, value in parts.items()],
        columns=["evaluation", "row", "metric", "cause", "value", "low", "high"],
    )
    unheard = pd.DataFrame(
        [("noise", "label recall, clips with these sounds", 0.3, 0.1, -0.2, -0.3, -0.1)],
        columns=["row", "what", "heard", "unheard", "difference", "low", "high"],
    )
    said = "\n".join(answers.across(kept, causes, unheard))
    assert "with nothing of the domain, rows keep (%): noise 60 [50, 70]." in said
    assert "costs +20.0 [+15.0, +25.0], of which style +15.0 [+10.0, +20.0] and content +5.0 [+0.0, +10.0]" in said
    assert "more of it is style." in said and "with one that never did, lower (-20.0 [-30.0, -10.0])." in said
    causes.loc[3, ["low", "high"]] = (-0.2, 0.1)
    said = "\n".join(answers.across(kept[:0], causes, unheard[:0]))
    assert "these clips do not tell" in said and "one target" in said and "trained elsewhere" in said
