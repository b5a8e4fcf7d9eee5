"""A whole run on a made data set with a made CLAP."""

import json
from dataclasses import replace
from types import SimpleNamespace

import made
import numpy as np
import pytest

from aaclib import bridge, datasets, decoders, results, rows
from aaclib.config import ConfigError
from aaclib.datasets import leakage
from aaclib.embeddings import ExtractionError

WEAK = [
    "baseline",
    "noise",
    "shift",
    "noise+shift",
    "c3",
    "nearest",
    "projection",
    "noise+projection",
    "shift+projection",
    "copy",
]


def test_the_bridges_bridge(done):
    """In a world where the gap is nearly all that parts the modalities, bringing the audio to the text helps."""
    names = ("supervised", "baseline", "projection", "shuffled", "reconstruction")
    cider = {row: results.scores(done, "folder", row, 0).corpus["cider_d"] for row in names}
    assert cider["shuffled"] < cider["projection"] and cider["baseline"] < cider["projection"]
    assert cider["projection"] <= cider["reconstruction"] and cider["supervised"] > cider["shuffled"]


def test_results_carry_n_seeds_and_an_interval(done):
    found = results.results(done, "folder")
    assert list(found.columns) == [
        "target",
        "strategy",
        "group",
        "decoding",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "seeds",
        "note",
    ]
    assert list(dict.fromkeys(found.strategy)) == [row.name for row in done.strategies("folder")]
    assert (found.n == 30).all()
    assert (found.low <= found.value + 1e-9).all() and (found.value <= found.high + 1e-9).all()
    relative = results.relative(done, "folder").set_index(["strategy", "metric"])
    assert relative.loc[("supervised", "cider_d"), "value"] == 1
    cider = [results.scores(done, "folder", row, 0).corpus["cider_d"] for row in ("baseline", "supervised")]
    assert relative.loc[("baseline", "cider_d"), "value"] == pytest.approx(cider[0] / cider[1])
    assert set(results.comparisons(done, "folder").a) == {
        "supervised",
        "noise",
        "shift",
        "c3",
        "nearest",
        "projection",
        "noise+projection",
    }


def test_captions_are_judged_without_references(done):
    """In the made world text and audio of a clip are all but the same but for the gap, so the truth finds its clip."""
    found = results.judgement(done, "folder").set_index(["strategy", "metric"])
    assert set(found.index.get_level_values("metric")) == {"clap_score", "self_r@1", "self_r@5", "self_r@10"}
    r10 = {row: found.loc[(row, "self_r@10"), "value"] for row in ("human", "projection", "shuffled")}
    assert r10["human"] > r10["shuffled"] and r10["projection"] > r10["shuffled"]
    shown = found[found.value.notna()]  # an empty caption leaves its row without a CLAP score
    assert (found.n == 30).all() and (shown.low <= shown.value + 1e-9).all()


def test_a_second_clap_may_be_the_judge(world, done):
    other = made.run_of(world, done.store.root, **{"metrics.judge": "made:MadeClap"})
    assert results.judge(other, 0) is not other.clap(0) and results.judge(other, 0) is results.judge(other, 1)
    one, two = (results.judged(run, "folder", "baseline", 0).per_clip for run in (other, done))
    np.testing.assert_allclose(one, two)


def test_a_supervised_row_that_scores_nothing_gives_no_relative_performance(world, done, monkeypatch):
    failed = made.run_of(world, done.store.root)
    monkeypatch.setattr(results.tidy, "all_scores", lambda *_: [SimpleNamespace(corpus={"cider_d": 0.0})])
    assert "scores 0" in results.why_no_relative(failed, "folder") and results.relative(failed, "folder") is None


def test_a_caption_that_a_metric_cannot_score_costs_its_row_that_metric_and_nothing_else(world, done, monkeypatch):
    """In whichever seed it happens: the row has no value there, and a reason; the others are compared all the same."""
    broken, whole = made.run_of(world, done.store.root), results.all_scores

    def all_scores(run, target, strategy, decoding="greedy", metric=""):
        scores = [*whole(run, target, strategy, decoding), *whole(run, target, strategy, decoding)]  # two seeds
        if strategy == "noise":
            last = scores[1]
            scores[1] = replace(
                last,
                corpus={},
                missing={"cider_d": "clip 3: no parse"},
                statistics={k: v for k, v in last.statistics.items() if k != "cider_d"},
            )
        return scores

    monkeypatch.setattr(results.tidy, "all_scores", all_scores)
    lines = results.results(broken, "folder").set_index(["strategy", "metric"])
    assert np.isnan(lines.loc[("noise", "cider_d"), "value"]) and "no parse" in lines.loc[("noise", "cider_d"), "note"]
    assert lines.loc[("c3", "cider_d"), "seeds"] == 2
    assert "noise" not in set(results.relative(broken, "folder").query("metric == 'cider_d'").strategy)
    assert set(results.comparisons(broken, "folder").a) == {
        "supervised",
        "shift",
        "c3",
        "nearest",
        "projection",
        "noise+projection",
    }
    assert results.comparisons(broken, "folder", against="noise").empty


def test_per_clip_files_hold_what_an_auditor_needs(done):
    frame = results.per_clip(done, "folder", "projection", 0)
    assert list(frame.columns[:3]) == ["clip", "candidate", "references"] and len(frame) == 30
    assert frame.cider_d.mean() == pytest.approx(results.scores(done, "folder", "projection", 0).corpus["cider_d"])


def test_weakly_supervised_rows_never_saw_audio_of_the_target(world, tmp_path, done):
    """Delete the target's training and validation audio: every weakly-supervised model and caption stays the same,
    also of the rows that read audio statistics: sigma, gap vector and audio mean are those of another set's pairs."""
    made.make_pairs(tmp_path / "external")
    other = {
        "data.pairs": "wavcaps",
        "data.wavcaps": str(tmp_path / "external"),
        "gap.sigma": "rms",
        "data.targets": {"folder": ["supervised", *WEAK]},
        "train.epochs": 3,
    }
    before = made.run_of(world, tmp_path / "a", **other)
    assert {row.name for row in before.strategies("folder")} == {"supervised", *WEAK} and before.gap(0).n == 12
    kept = {row: (before.captions("folder", row, 0)) for row in WEAK}
    weights = {
        row: made.content(before.decoder("folder", row, 0).artefact / "decoder.safetensors")
        for row in ("baseline", "noise", "shift", "noise+shift", "c3")
    }

    bare = tmp_path / "bare"
    made.make(bare)
    for part in ("train", "validation"):
        for clip in datasets.load("folder", done.config.data).split(part).clips:
            (bare / "audio" / clip.id).unlink()
    after = made.run_of(bare, tmp_path / "b", **other)
    assert {row: after.captions("folder", row, 0) for row in kept} == kept
    for row, digest in weights.items():
        assert made.content(after.decoder("folder", row, 0).artefact / "decoder.safetensors") == digest
    with pytest.raises((datasets.DatasetError, ExtractionError, ValueError)):
        after.captions("folder", "supervised", 0)  # and this one row really needs it
    with pytest.raises((datasets.DatasetError, ExtractionError, ValueError)):  # so does shift by own pairs
        made.run_of(bare, tmp_path / "b", **{**other, "data.pairs": "folder.train"}).captions("folder", "shift", 0)


def test_same_seed_same_captions_and_another_seed_another_decoder(world, tmp_path, done):
    again = made.run_of(world, tmp_path)
    assert again.captions("folder", "noise", 0) == done.captions("folder", "noise", 0)
    assert made.content(again.decoder("folder", "noise", 0).artefact / "decoder.safetensors") == made.content(
        done.decoder("folder", "noise", 0).artefact / "decoder.safetensors"
    )
    row = bridge.strategy("noise")
    assert again.store.id("decoder", decoders.key(again, "folder", row, 0)) != again.store.id(
        "decoder", decoders.key(again, "folder", row, 1)
    )


def test_a_second_run_makes_nothing_again(world, done, monkeypatch):
    again = made.run_of(world, done.store.root)
    monkeypatch.setattr(decoders, "make", lambda *a: pytest.fail("trained again"))
    monkeypatch.setattr("aaclib.generate.generate", lambda *a, **k: pytest.fail("generated again"))
    for row in again.strategies("folder"):
        if row.name != "human":
            again.captions("folder", row.name, 0)


def test_a_control_row_is_what_it_says(done):
    own, chance = done.captions("folder", "projection", 0), done.captions("folder", "shuffled", 0)
    assert sorted(own) == sorted(chance)
    memory = set(done.texts("folder", "train", 0).captions)
    assert set(done.captions("folder", "copy", 0)) <= memory
    human = results.human(done, "folder")
    assert len(human) == 2 and all(s.n == 30 for s in human)


def test_pairs_that_are_evaluation_clips_are_refused_whatever_their_data_set_is_called(world, tmp_path):
    with pytest.raises(ConfigError, match=r"data.pairs.*folder.evaluation.*must not be the evaluation clips"):
        made.run_of(world, tmp_path, **{"data.pairs": "folder.evaluation"})
    made.make_pairs(tmp_path / "external")
    table = made.pd.read_csv(world / "captions.csv")
    judged = table[table.split == "evaluation"].iloc[0]
    content = json.loads((tmp_path / "external" / "sb_final.json").read_text())
    content["data"][3] |= {"id": judged.file_name, "caption": judged.caption_2}
    (tmp_path / "external" / "1003.wav").rename(tmp_path / "external" / f"{judged.file_name}.wav")
    (tmp_path / "external" / "sb_final.json").write_text(json.dumps(content))
    found = made.run_of(world, tmp_path / "a", **{"data.pairs": "wavcaps", "data.wavcaps": str(tmp_path / "external")})
    with pytest.raises(leakage.LeakError, match=f"1 of the 12 pairs of wavcaps.train .*{judged.file_name}"):
        found.gap(0)


@pytest.mark.parametrize("n", [0, 1])
def test_no_pair_and_a_single_one(world, tmp_path, n):
    found = made.run_of(world, tmp_path, **{"gap.n_pairs": n, "gap.sigma": "0.1"})
    estimate, names = found.gap(0), {row.name for row in found.strategies("folder")}
    assert (estimate.n, estimate.sigma_value) == (n, 0.1) and {"noise", "projection"} <= names
    assert ({"shift", "c3"} <= names) == (estimate.vector is not None) == (n == 1)
    if n:
        pairs = found.pairs(0)
        np.testing.assert_allclose(estimate.vector, (pairs.z_a - pairs.z_t)[0], atol=1e-6)
        assert np.isfinite(found.context("folder", 0).gap).all()
    else:
        assert (
            rows.left_out(found, "folder", "shift") == "no audio-caption pairs to measure the gap on (gap.n_pairs is 0)"
        )
        with pytest.raises(ConfigError, match="'gap.sigma' .rms. is estimated on pairs, and 'gap.n_pairs' is 0"):
            made.run_of(world, tmp_path, **{"gap.n_pairs": 0, "gap.sigma": "rms"})


def test_without_pairs_there_is_a_given_sigma_and_no_shift(world, tmp_path):
    found = made.run_of(world, tmp_path, **{"data.pairs": "", "gap.sigma": "0.114"})
    assert found.gap(0).sigma_value == 0.114 and found.gap(0).vector is None
    assert not {"shift", "c3"} & {row.name for row in found.strategies("folder")}
    assert "pairs" in rows.left_out(found, "folder", "shift")


def test_pairs_that_no_row_reads_are_not_measured(world, tmp_path):
    rows_ = {"data.targets": {"folder": ["noise", "projection", "copy"]}}
    found = made.run_of(world, tmp_path, **{"gap.sigma": "0.114", "data.pairs": "wavcaps", **rows_})
    assert (found.gap(0).n, found.gap(0).sigma_value, found.gap(0).note) == (0, 0.114, "no row reads them")
    assert rows.planned(found.config, "folder") == found.config.data.targets["folder"]
    bare = made.run_of(world, tmp_path, **{"gap.sigma": "0.114", "data.pairs": ""}).config
    assert set(bare.data.targets["folder"]) - set(rows.planned(bare, "folder")) == {"shift", "c3"}


def test_unreadable_files_are_left_out_and_counted_or_raised(tmp_path):
    made.make(tmp_path / "w")
    (tmp_path / "w" / "audio" / "004.wav").write_bytes(b"not audio")
    with pytest.raises(ExtractionError, match=r"004\.wav"):
        made.run_of(tmp_path / "w", tmp_path / "a").captions("folder", "copy", 0)
    skips = made.run_of(tmp_path / "w", tmp_path / "b", **{"clap.on_error": "skip"})
    assert len(skips.captions("folder", "copy", 0)) == 29 == len(skips.clips("folder", "evaluation", 0))
    assert any("004.wav" in name for name in skips.audio("folder", "evaluation", 0).errors)
    assert results.scores(skips, "folder", "copy", 0).n == 29
