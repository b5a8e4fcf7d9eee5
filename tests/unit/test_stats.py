"""Bootstrap and permutation tests against naive twins and simulated truth."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import aggregates, stats


def scored(**statistics):
    tables = {name: np.asarray(value, float) for name, value in statistics.items()}
    return SimpleNamespace(statistics=tables, missing={})


def meteor_rows(rng, n):
    """Random but possible alignment counts: matches no longer than the captions."""
    table = np.zeros((n, 23))
    for row in table:
        words, functions = rng.integers(4, 12), rng.integers(0, 3)
        matched = rng.integers(1, words - functions + 1)
        row[:4] = words, words + rng.integers(0, 3), functions, functions
        row[4:8] = matched, matched, min(functions, 1), min(functions, 1)
        row[20:23] = rng.integers(1, matched + 1), matched + row[6], matched + row[7]
    return table


def test_a_resample_has_its_own_corpus_value():
    """The matrix product against scoring each resample clip by clip."""
    rng = np.random.default_rng(0)
    table = meteor_rows(rng, 30)
    for metric, statistics in (("meteor", table), ("cider_d", rng.random((30, 1))),
                               ("bleu_2", rng.integers(1, 9, (30, 6)).astype(float))):
        samples = stats._resampled([[statistics]], metric, 7, seed=5)[0][0]
        counts = stats._draw_clips(30, 7, seed=5, start=0)
        assert (counts.sum(axis=1) == 30).all()
        naive = [aggregates.corpus(metric, np.repeat(statistics, c.astype(int), axis=0)) for c in counts]
        np.testing.assert_allclose(samples, naive, rtol=1e-12)


def test_intervals_over_clips_hold_what_they_claim():
    """Of 250 samples from a skewed distribution, 95 % intervals of the mean should cover it in about 237."""
    rng = np.random.default_rng(1)
    covered = 0
    for i in range(250):
        found = stats.interval(scored(cider_d=rng.gamma(2.0, 0.5, (120, 1))), "cider_d", n_boot=300, seed=i)
        covered += found.low <= 1.0 <= found.high
    assert 0.90 <= covered / 250 <= 0.99


def test_intervals_of_meteor_cover_the_population_value():
    rng = np.random.default_rng(2)
    world = aggregates.meteor_summable(meteor_rows(rng, 4000))
    truth = aggregates.corpus("meteor", world)
    covered = 0
    for i in range(200):
        found = stats.interval(scored(meteor=world[rng.integers(4000, size=120)]), "meteor", n_boot=300, seed=i)
        covered += found.low <= truth <= found.high
    assert 0.89 <= covered / 200 <= 0.99


def test_several_seeds_widen_the_interval_and_share_the_clips():
    """Eight runs of effects s_i + clip effects c_j: the interval must cover the mean over both populations."""
    rng = np.random.default_rng(3)
    covered, widths = 0, []
    for i in range(200):
        clips = rng.normal(0, 1, 100)
        runs = [scored(rouge_l=(1 + rng.normal(0, 0.15) + clips + rng.normal(0, 0.1, 100))[:, None]) for _ in range(8)]
        found = stats.interval(runs, "rouge_l", n_boot=300, seed=i)
        widths.append(found.high - found.low)
        covered += found.low <= 1.0 <= found.high
        assert (found.n, found.seeds) == (100, 8)
    assert 0.89 <= covered / 200 <= 0.99
    assert np.mean(widths) > 3.5 * 1 / np.sqrt(100)          # clips drawn anew for each seed would give a third of this


def test_the_permutation_test_has_the_right_rate_of_false_alarms():
    rng = np.random.default_rng(4)
    p = []
    for i in range(400):
        base = rng.gamma(2.0, 0.5, 60)
        a, b = base + rng.normal(0, 0.3, 60), base + rng.normal(0, 0.3, 60)
        found = stats.compare(scored(cider_d=a), scored(cider_d=b), "cider_d", n_boot=20, n_permutations=199, seed=i)
        p.append(found.p)
    p = np.array(p)
    assert 0.025 <= np.mean(p <= 0.05) <= 0.08
    assert 0.42 <= np.mean(p <= 0.5) <= 0.58


def test_the_permutation_test_against_all_swaps():
    """Eight clips have 256 swaps: the share of them at least as extreme is the exact p."""
    rng = np.random.default_rng(6)
    a, b = rng.random(8) + 0.25, rng.random(8)
    observed = abs(a.mean() - b.mean())
    swaps = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(bool)
    exact = np.mean([abs(np.where(s, b, a).mean() - np.where(s, a, b).mean()) >= observed - 1e-12 for s in swaps])
    found = stats.compare(scored(spice=a), scored(spice=b), "spice", n_permutations=40000)
    assert found.p == pytest.approx(exact, abs=0.01)
    assert found.difference == pytest.approx(a.mean() - b.mean())


def test_a_comparison_is_paired():
    rng = np.random.default_rng(7)
    base = rng.gamma(2.0, 2.0, 300)
    a, b = scored(cider_d=base + 0.1), scored(cider_d=base)
    found = stats.compare(a, b, "cider_d")
    assert found.low == pytest.approx(0.1) and found.high == pytest.approx(0.1) and found.p < 0.001
    alone = stats.interval(a, "cider_d")
    assert alone.high - alone.low > 0.3
    same = stats.compare(a, a, "cider_d")
    assert same.difference == 0 and same.p == 1


def test_relative_performance():
    rng = np.random.default_rng(8)
    base = rng.gamma(2.0, 2.0, 300)
    found = stats.relative(scored(cider_d=base * 0.8), scored(cider_d=base), "cider_d")
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.8, 0.8))
    with pytest.raises(ValueError, match="scores 0"):
        stats.relative(scored(cider_d=base), scored(cider_d=np.zeros(300)), "cider_d")


@given(st.lists(st.floats(0, 1), max_size=12))
@settings(max_examples=60, deadline=None)
def test_holm_against_the_textbook(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    naive, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        naive[i] = worst
    assert stats.holm(p).tolist() == pytest.approx(naive)


def test_holm_keeps_keys_and_skips_the_unknown():
    found = stats.holm({"a": 0.01, "b": float("nan"), "c": 0.04})
    assert found["a"] == 0.02 and found["c"] == 0.04 and np.isnan(found["b"])


def test_what_cannot_be_compared_is_refused():
    a = scored(cider_d=np.ones(5))
    with pytest.raises(ValueError, match="5 clips against 4"):
        stats.compare(a, scored(cider_d=np.ones(4)), "cider_d")
    with pytest.raises(KeyError, match="spice"):
        stats.interval(a, "spice")
    with pytest.raises(ValueError, match="No scores"):
        stats.interval([], "cider_d")
    with pytest.raises(ValueError, match="different numbers"):
        stats.interval([a, scored(cider_d=np.ones(4))], "cider_d")


def test_the_same_seed_gives_the_same_interval():
    run = scored(cider_d=np.random.default_rng(9).random(50))
    assert stats.interval(run, "cider_d") == stats.interval(run, "cider_d")
    assert stats.interval(run, "cider_d") != stats.interval(run, "cider_d", seed=1)
