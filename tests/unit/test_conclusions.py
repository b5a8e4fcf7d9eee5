"""Sentences: each word for its reason."""

from __future__ import annotations

from types import SimpleNamespace

from made_results import VALUES, Made, family, made, made_numbers  # noqa: F401

from aaclib import tables
from aaclib.tables import build, conclusions


def test_conclusions_choose_their_words_by_the_tests(tmp_path):
    sure = str(conclusions.conclusions(Made(tmp_path, p=0.001)))
    assert (
        "**projection** has the highest CIDEr-D, 45.0" in sure
        and "noise, projection, noise+projection; worse: none" in sure
    )
    assert "projection against captions on the wrong clips: projection is better (+40.0 points" in sure
    assert "reaches 75 % (95 % interval 68 to 83 %) of the bound's CIDEr-D and covers 65 % (95 %" in sure
    assert "the bound is supervised." in sure
    assert len(sure.splitlines()) == 6 + 2, "six about the target, two about the whole run"
    assert "cannot be told" not in sure and "fewer than three seeds" in sure
    unsure = str(conclusions.conclusions(Made(tmp_path, p=0.6)))
    assert "better than the plain swap (30.0 [26.0, 35.0]): none" in unsure
    assert "it cannot be told from baseline, noise, noise+projection: their order is no result" in unsure
    assert "relative performance means nothing here" in unsure and "% of the bound" not in unsure
    reversed_ = {**VALUES, "baseline": 0.55}
    worse = str(conclusions.conclusions(Made(tmp_path, values=reversed_)))
    assert "**baseline** has the highest CIDEr-D, 55.0" in worse and "none; worse: noise" in worse


def test_with_three_seeds_a_sentence_about_methods_needs_the_test_over_seeds(tmp_path):
    def said(**options):
        run = Made(tmp_path, **options)
        run.scores = lambda target, name, seed, decoding="greedy": SimpleNamespace(corpus={"cider_d": VALUES[name]})
        return str(conclusions.conclusions(run))

    lucky, found = said(seeds=(0, 1, 2), p_seeds=0.3), said(seeds=(0, 1, 2), p_seeds=0.02)
    assert "plain swap (30.0 [26.0, 35.0]): none; worse: none. noise, projection, noise+projection differ" in lucky
    assert "is better in these trainings, which does not say that it is with other seeds" in lucky
    assert "it cannot be told from baseline" in lucky  # of the methods, over seeds
    assert "): noise, projection, noise+projection; worse: none." in found and "these trainings" not in found
    assert "p over clips 0.001, over seeds 0.020" in found and "fewer than three seeds" not in found


def test_targets_agree_where_their_tied_rows_meet(tmp_path):
    """The highest row alone may differ by chance: what agrees is what no target can tell from its highest."""
    both = ("soundscapes-long", "soundscapes-short")
    level = str(conclusions.conclusions(Made(tmp_path, both, p=0.6)))
    assert "On every target baseline, noise, projection, noise+projection cannot be told from the highest row" in level
    run = Made(tmp_path, both)
    other = {**VALUES, "noise": 0.5}
    run.results = lambda target, decoding="greedy": made(target, decoding, VALUES if target == both[0] else other)
    assert "No row is, on every target, the highest" in str(conclusions.conclusions(run))


def test_conclusions_tell_likelier_sentences_from_better_hearing(tmp_path):
    run = Made(tmp_path, values={**VALUES, "baseline": 0.30})
    whole = run.told
    run.told = lambda target, metric="cider_d", decoding="greedy": (
        whole(target)
        if metric == "cider_d"
        else family(
            {("noise", "baseline"): -0.04, ("projection", "baseline"): 0.02, ("noise+projection", "baseline"): 0.03},
            {("noise", "baseline"): 0.01, ("projection", "baseline"): 0.5, ("noise+projection", "baseline"): 0.01},
        )
    )
    said = str(conclusions.conclusions(run))
    assert (
        "label recall falls with noise (+15.0 and -4.0); label recall rises with noise+projection (+10.0 and +3.0)"
        "; label recall is not known to change with projection (+15.0 and +2.0)"
    ) in said


def test_conclusions_part_new_content_from_known(tmp_path):
    said = str(conclusions.conclusions(Made(tmp_path)))
    assert "on the 20 clips whose combination of sounds no training clip has, projection reaches 33.0" in said
    assert "on the other 40 51.0" in said
    assert "combination of sounds" not in str(conclusions.conclusions(Made(tmp_path, targets=("clotho",))))


def test_a_row_above_the_bound_is_named(tmp_path):
    assert "pass the bound" not in str(conclusions.conclusions(Made(tmp_path)))
    said = str(conclusions.conclusions(Made(tmp_path, values={**VALUES, "noise": 0.7, "projection": 0.65})))
    run = Made(tmp_path, values={**VALUES, "noise": 0.7})
    run.relative = lambda target, decoding="greedy": made(target, decoding, {**VALUES, "noise": 1.07}, missing=False)
    assert "noise passes the bound" in str(conclusions.conclusions(run)) and said


def test_captions_are_judged_without_references(tmp_path):
    run = Made(tmp_path, captions=0, supervised=False)
    table = tables.judged_table(run, "soundscapes-long")
    assert table.heading("self_r@10") == "self-R@10" and table.row("projection").cells["self_r@10"].text == "45.0"
    assert "The judge is the CLAP that the captions were written from; it is partial" in table.notes[-1]
    said = str(conclusions.judged(run))
    assert "projection has the highest, 45.0" in said and "captions on the wrong clips 5.0" in said
    assert "by the CLAP that the captions were written from" in said and "its opinion of its own choice" in said
    assert "projection is better (+40.0 points" in said
    level = Made(tmp_path, values={**VALUES, "shuffled": 0.44}, p=0.4)
    assert "the difference is not significant" in str(conclusions.judged(level))
    run.partial, run.seeds = False, (0, 1)
    assert "by another seed's CLAP, trained alike" in str(conclusions.judged(run))
    assert "opinion" not in str(conclusions.judged(run))


def test_conclusions_say_what_is_not_there(tmp_path):
    text = "\n".join(conclusions.conclusions(Made(tmp_path, supervised=False)))
    assert "no relative performance. There is no fully supervised row" in text
    real = "\n".join(conclusions.conclusions(Made(tmp_path, targets=("clotho",))))
    assert "synthetic" not in real


def test_with_several_seeds_the_conclusion_says_in_how_many_the_best_row_wins(tmp_path):
    run = Made(tmp_path)
    run.seeds = (0, 1, 2)
    best = build.best_row(run.results("soundscapes-long"), "cider_d")
    values = {best: (0.5, 0.1, 0.6)}
    run.scores = lambda target, name, seed, decoding="greedy": SimpleNamespace(
        corpus={"cider_d": values.get(name, (0.2, 0.2, 0.2))[seed]}
    )
    assert "and is the highest in 2 of 3 seeds" in "\n".join(conclusions.conclusions(run))


def test_a_decoder_that_reads_worse_than_a_search_is_the_ceiling_of_its_table(tmp_path):
    def said(difference):
        run = Made(tmp_path, values={**VALUES, "reconstruction": 0.5, "look-up": 0.6})
        test = None if difference is None else SimpleNamespace(difference=difference)
        run.gate = lambda target: (20, (0.5, 0.6), test)
        return str(conclusions.conclusions(run))

    assert "the decoder is the bottleneck" in said(-0.1)
    assert "bottleneck" not in said(0.1) and "bottleneck" not in said(None)
