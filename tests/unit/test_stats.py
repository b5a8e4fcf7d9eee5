"""Intervals and tests against naive twins and simulated truth.

The simulated scores are like those of the README's tables, in points: 200 clips, a standard error over clips of about
1.2, a standard deviation of 2.4 or 4.3 between seeds. The tolerances are three standard errors of a simulation or more.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_rel

from aaclib import aggregates, resampling, stats


def scored(**statistics):
    tables = {name: np.asarray(value, float) for name, value in statistics.items()}
    return SimpleNamespace(statistics=tables, missing={})


def points(values):
    """Scores of one row: (S, n) per-clip values, a run for each seed."""
    return [scored(cider_d=run) for run in np.atleast_2d(values)]


def simulated(rng, between, seeds, truth=40.0, clips=0.0, own=8.0, n=200):
    """(S, n): what all runs share of each clip, one effect a seed, and what each run does by luck on each clip."""
    return truth + clips + rng.normal(0, between, (seeds, 1)) + rng.normal(0, own, (seeds, n))


def covers(found, truth):
    return found.low <= truth <= found.high


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
    for metric, statistics in (
        ("meteor", table),
        ("cider_d", rng.random((30, 1))),
        ("bleu_2", rng.integers(1, 9, (30, 6)).astype(float)),
    ):
        samples = resampling.resampled([[statistics]], metric, 7, seed=5)[0][0]
        counts = resampling.draw_clips(30, 7, seed=5, start=0)
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


@pytest.mark.parametrize(
    "seeds, between, expected",
    [(5, 0, 0.955), (5, 2.4, 0.95), (5, 4.3, 0.945), (3, 2.4, 0.94), (3, 4.3, 0.925), (2, 2.4, 0.91), (2, 4.3, 0.88)],
)
def test_intervals_over_clips_and_seeds_cover_the_mean_over_both(seeds, between, expected):
    """With two seeds they fall short, which is why these are marked weak."""
    rng, repeats = np.random.default_rng(3), 3000
    found = [
        stats.interval(points(simulated(rng, between, seeds, clips=rng.normal(0, 17, 200))), "cider_d", 200)
        for _ in range(repeats)
    ]
    assert np.mean([covers(f, 40) for f in found]) == pytest.approx(expected, abs=0.0175)
    assert {(f.n, f.seeds, f.weak) for f in found} == {(200, seeds, seeds == 2)}


def test_an_interval_by_hand():
    """The bootstrap clip by clip, Satterthwaite's degrees of freedom written out; METEOR, so no mean over clips."""
    rng = np.random.default_rng(10)
    tables = [aggregates.meteor_summable(meteor_rows(rng, 25)) for _ in range(3)]
    resamples = [
        np.mean([aggregates.corpus("meteor", np.repeat(t, c.astype(int), axis=0)) for t in tables])
        for c in resampling.draw_clips(25, 300, 4, 0)
    ]
    runs = [aggregates.corpus("meteor", t) for t in tables]
    clips, seeds = np.var(resamples) * 25 / 24, np.var(runs, ddof=1) / 3
    freedom = (clips + seeds) ** 2 / (clips**2 / 24 + seeds**2 / 2)
    reach = student.ppf(0.95, freedom) * np.sqrt(clips + seeds)
    found = stats.interval([scored(meteor=t) for t in tables], "meteor", n_boot=300, seed=4, level=0.9)
    assert (found.value, found.low, found.high) == pytest.approx(
        (np.mean(runs), np.mean(runs) - reach, np.mean(runs) + reach), rel=1e-9
    )


def test_equal_runs_are_one_run_with_an_interval_over_clips():
    run = np.random.default_rng(11).normal(40, 17, 200)
    one, copies = stats.interval(points(run), "cider_d"), stats.interval(points([run] * 5), "cider_d")
    percentiles = np.quantile(resampling.draw_clips(200, 1000, 0, 0) @ run / 200, [0.025, 0.975])
    assert (one.low, one.high) == pytest.approx(tuple(percentiles), rel=1e-9)
    assert copies.value == pytest.approx(one.value) and copies.seeds == 5 and not copies.weak
    assert (copies.low, copies.high) == pytest.approx((one.low, one.high), abs=0.25)
    assert not stats.interval(points([run] * 2), "cider_d").weak


def test_one_clip_has_no_interval_but_over_its_seeds():
    one = stats.interval(points([[3.0]]), "cider_d")
    assert (one.value, one.n, one.seeds) == (3, 1, 1) and np.isnan([one.low, one.high]).all()
    assert np.isnan(stats.interval(points([[3.0]] * 4), "cider_d").low)
    several = stats.interval(points([[2.0], [4.0], [6.0]]), "cider_d")
    reach = student.ppf(0.975, 2) * 2 / np.sqrt(3)
    assert (several.low, several.high) == pytest.approx((4 - reach, 4 + reach))
    found = stats.compare(points([[3.0]]), points([[1.0]]), "cider_d")
    assert found.difference == 2 and np.isnan([found.low, found.high]).all() and found.p == 1
    share = stats.relative(points([[3.0]]), points([[4.0]]), "cider_d")
    assert share.value == 0.75 and np.isnan([share.low, share.high]).all()


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


def test_one_family_of_clips_serves_all_seeds():
    """More seeds do not average the clips' share away: of it, clips drawn anew for each seed would leave a third."""
    rng = np.random.default_rng(12)
    found = stats.interval(points(simulated(rng, 0, 9, clips=rng.normal(0, 17, 200), own=1)), "cider_d")
    assert found.high - found.low == pytest.approx(2 * 1.97 * 17 / np.sqrt(200), rel=0.2)


def comparisons(between, seeds, shared=0.0, own=17.5, repeats=1500):
    """Comparisons of equal methods: `between` points the standard deviation of their difference between seeds, `shared`
    that of what all seeds of one row have on a clip and the other row has not."""
    rng, found = np.random.default_rng(13), []
    for _ in range(repeats):
        clips = rng.normal(0, 17, 200)
        a, b = (
            simulated(rng, between / np.sqrt(2), seeds, clips=clips + rng.normal(0, shared / np.sqrt(2), 200), own=own)
            for _ in "ab"
        )
        found.append(stats.compare(points(a), points(b), "cider_d", n_boot=200, n_permutations=199))
    return found


@pytest.mark.parametrize("between, expected", [(0, 0.05), (1, 0.09), (2, 0.19), (4, 0.43)])
def test_over_clips_alone_equal_methods_are_often_found_different(between, expected):
    """Read as a claim about methods, the permutation test has these false alarms with five seeds; the t-test over seeds
    keeps its 5 %."""
    found = comparisons(between, 5)
    assert np.mean([f.p <= 0.05 for f in found]) == pytest.approx(expected, abs=0.02 + 0.04 * expected)
    assert np.mean([f.p_seeds <= 0.05 for f in found]) == pytest.approx(0.05, abs=0.017)
    assert np.mean([f.p <= 0.05 and f.p_seeds <= 0.05 for f in found]) <= 0.065


@pytest.mark.parametrize(
    "seeds, between, alarms, expected",
    [(5, 0, 0.19, 0.97), (5, 2, 0.085, 0.955), (5, 4, 0.06, 0.945), (3, 0, 0.11, 0.98), (3, 4, 0.06, 0.92)],
)
def test_the_interval_of_a_difference_covers_it_where_clips_and_seeds_vary(seeds, between, alarms, expected):
    """Where all seeds of a row do better on the same clips, the test over seeds too has false alarms on new clips."""
    found = comparisons(between, seeds, shared=9.0, own=10.0)
    assert np.mean([covers(f, 0) for f in found]) == pytest.approx(expected, abs=0.022)
    assert np.mean([f.p_seeds <= 0.05 for f in found]) == pytest.approx(alarms, abs=0.03)
    assert np.mean([f.p <= 0.05 and f.p_seeds <= 0.05 for f in found]) <= 0.09


def test_the_test_over_seeds_is_the_paired_t_test():
    rng = np.random.default_rng(14)
    a, b = rng.normal(41, 3, (4, 30)), rng.normal(40, 3, (4, 30))
    found = stats.compare(points(a), points(b), "cider_d", n_permutations=99)
    assert found.p_seeds == pytest.approx(ttest_rel(a.mean(axis=1), b.mean(axis=1)).pvalue, rel=1e-9)
    assert found.seeds == 4 and not found.weak
    assert stats.compare(points(a[:2]), points(b[:2]), "cider_d", n_permutations=99).weak


def test_seeds_that_say_nothing_give_no_p():
    rng = np.random.default_rng(15)
    a, b = rng.normal(45, 3, (5, 30)), rng.normal(40, 3, (5, 30))
    for x, y in ((a[:1], b[:1]), (a, b[:3]), (a, b[:1]), ([a[0]] * 5, [b[0]] * 5), (a, a), (a + 0.1, a)):
        found = stats.compare(points(x), points(y), "cider_d", n_permutations=99)
        assert np.isnan(found.p_seeds) and not found.weak and found.low <= found.difference <= found.high
    assert stats.compare(points([a[0]] * 5), points(b), "cider_d").p_seeds < 0.01  # one of the two varies


def test_rows_with_other_numbers_of_runs_are_independent():
    rng = np.random.default_rng(16)
    a, b = simulated(rng, 3, 5), simulated(rng, 3, 3)
    found = stats.compare(points(a), points(b), "cider_d", n_boot=400)
    gaps = (resampling.draw_clips(200, 400, 0, 0) @ (a.mean(axis=0) - b.mean(axis=0))) / 200
    parts = np.array(
        [[np.var(gaps) * 200 / 199, 199], [a.mean(axis=1).var(ddof=1) / 5, 4], [b.mean(axis=1).var(ddof=1) / 3, 2]]
    )
    total = parts[:, 0].sum()
    reach = student.ppf(0.975, total**2 / np.sum(parts[:, 0] ** 2 / parts[:, 1])) * np.sqrt(total)
    assert found.high - found.difference == pytest.approx(reach, rel=1e-9) and found.seeds == 3
    alone = stats.compare(points(a), points(b[:1]), "cider_d", n_boot=400)
    assert alone.seeds == 1 and alone.high - alone.low > 2 * 1.96 * a.mean(axis=1).std(ddof=1) / np.sqrt(5)


def test_relative_performance():
    rng = np.random.default_rng(8)
    base = rng.gamma(2.0, 2.0, (3, 300))
    for seeds in (1, 3):
        found = stats.relative(points(base[:seeds] * 0.8), points(base[:seeds]), "cider_d")
        assert (found.value, found.low, found.high, found.seeds) == pytest.approx((0.8, 0.8, 0.8, seeds))
    with pytest.raises(ValueError, match="scores 0"):
        stats.relative(points(base), points(np.zeros(300)), "cider_d")


@pytest.mark.parametrize("seeds, expected", [(1, 0.945), (3, 0.94), (5, 0.95)])
def test_shares_cover_what_they_are_shares_of(seeds, expected):
    """Of methods that score 30 and 40 where chance gives 10. One seed: for one pair of trainings, so none differ."""
    rng, repeats, between = np.random.default_rng(17), 1200, 2.4 if seeds > 1 else 0.0
    ratios, shares = [], []
    for _ in range(repeats):
        clips = rng.normal(0, 17, 200)
        a, bound = (simulated(rng, between, seeds, truth, clips * truth / 40) for truth in (30, 40))
        chance = simulated(rng, between / 4, seeds, 10, clips / 4)
        ratios.append(stats.relative(points(a), points(bound), "cider_d", 300))
        shares.append(stats.above_chance(points(a), points(chance), points(bound), "cider_d", 300))
    assert np.mean([covers(f, 0.75) for f in ratios]) == pytest.approx(expected, abs=0.022)
    assert np.mean([covers(f, 2 / 3) for f in shares]) == pytest.approx(expected, abs=0.022)


def test_a_share_above_chance():
    rng = np.random.default_rng(18)
    bound, chance = simulated(rng, 2, 4), simulated(rng, 1, 4, truth=10)
    found = stats.above_chance(points((chance + 3 * bound) / 4), points(chance), points(bound), "cider_d")
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.75, 0.75))
    assert stats.above_chance(points(chance), points(chance), points(bound), "cider_d").high == pytest.approx(0)
    a = simulated(rng, 2, 4, truth=30)
    found = stats.above_chance(points(a), points(chance), points(bound), "cider_d")
    assert found.value == pytest.approx((a.mean() - chance.mean()) / (bound.mean() - chance.mean()))
    none = stats.above_chance(points(a), points(np.zeros((4, 200))), points(bound), "cider_d")
    plain = stats.relative(points(a), points(bound), "cider_d")
    assert (none.value, none.low, none.high, none.weak) == pytest.approx(
        (plain.value, plain.low, plain.high, plain.weak)
    )
    fewer = stats.above_chance(points(a), points(chance[:1]), points(bound[:2]), "cider_d")
    assert fewer.seeds == 1 and fewer.low < fewer.value < fewer.high and fewer.weak
    with pytest.raises(ValueError, match="does not exceed chance"):
        stats.above_chance(points(a), points(bound), points(chance), "cider_d")
    with pytest.raises(ValueError, match="4 clips against 3"):
        stats.above_chance(points(np.ones(4)), points(np.zeros(3)), points(np.ones(4)), "cider_d")


def test_a_ratio_to_what_may_be_zero_has_no_bounds():
    """Few clips score at all, so few that some resample has none of them, be it one outside the interval; or one of two
    trainings failed, however many clips there are."""
    rare, few, rng = np.zeros(200), np.zeros(200), np.random.default_rng(19)
    rare[:2], few[:5] = 50, 50
    assert stats.interval(points(few), "cider_d").low > 0
    half, failed = points(np.full(200, 0.5)), np.array([[40.0], [4.0]]) + rng.normal(0, 1, (2, 200))
    for base in (rare, few, failed):
        found = stats.relative(half, points(base), "cider_d")
        assert found.value == pytest.approx(0.5 / base.mean()) and np.isnan([found.low, found.high]).all()
        found = stats.above_chance(half, points(np.zeros(200)), points(base), "cider_d")
        assert found.value == pytest.approx(0.5 / base.mean()) and np.isnan([found.low, found.high]).all()
    assert found.weak
    rare[:50] = 50
    assert stats.relative(points(rare), points(rare), "cider_d").low == 1


@given(st.lists(st.floats(0, 1), max_size=12))
@settings(max_examples=60, deadline=None)
def test_holm_against_the_textbook(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    naive, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        naive[i] = worst
    assert stats.holm(p).tolist() == pytest.approx(naive)


def test_holm_skips_the_unknown():
    np.testing.assert_allclose(stats.holm([0.01, float("nan"), 0.04]), [0.02, np.nan, 0.04])


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
