"""Corpus values from summed statistics, where they differ from a mean over clips."""

import numpy as np
import pytest

from aaclib import aggregates


def test_a_perfect_match_adds_no_chunk_to_corpus_meteor():
    perfect = np.array([[2, 2, 1, 1, 1, 1, 1, 1, *[0] * 12, 1, 2, 2]], float)
    other = np.array([[4, 4, 1, 1, 2, 2, 0, 0, *[0] * 12, 2, 2, 2]], float)
    table = np.vstack([perfect, other])
    summable = aggregates.meteor_summable(table)
    assert summable[:, 20].tolist() == [0, 2]
    np.testing.assert_array_equal(aggregates.meteor(summable, 1), aggregates.meteor(table, 1))
    assert aggregates.meteor(perfect, 1)[0] == 1.0
    assert aggregates.corpus("meteor", summable) > aggregates.corpus("meteor", table)


def test_nothing_matched_scores_zero():
    assert aggregates.meteor(np.zeros((2, 23)), 2).tolist() == [0, 0]
    assert aggregates.bleu(np.array([0.0, 5, 0, 0]), 1) == pytest.approx(0, abs=1e-9)


def test_any_other_metric_is_the_mean_over_clips():
    assert aggregates.corpus("cider_d", np.array([[1.0], [2.0], [6.0]])) == 3
    assert aggregates.aggregate("spice")(np.array([[9.0], [3.0]]), 3).tolist() == [3, 1]
