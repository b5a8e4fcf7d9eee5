"""Retrieval against a naive twin that sorts one query at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import retrieval


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def naive_text_to_audio(audio, text, clip):
    ranks = []
    for z, right in zip(text, clip, strict=True):
        similarity = [float(np.dot(z.astype(np.float64), a)) for a in audio.astype(np.float64)]
        ranks.append(sorted(similarity, reverse=True).index(similarity[right]) + 1)
    return ranks


def naive_audio_to_text(audio, text, clip):
    ranks = []
    for row, z in enumerate(audio):
        scored = sorted(
            ((float(np.dot(z.astype(np.float64), t)), c) for t, c in zip(text.astype(np.float64), clip, strict=True)),
            reverse=True,
        )
        ranks.append([c for _, c in scored].index(row) + 1)
    return ranks


@st.composite
def worlds(draw):
    n, each, d = draw(st.integers(1, 12)), draw(st.integers(1, 4)), draw(st.integers(4, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    clip = rng.permutation(np.repeat(np.arange(n), each))
    audio = unit(rng.normal(size=(n, d)))
    return audio, unit(audio[clip] + rng.normal(size=(n * each, d))), clip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(worlds(), st.integers(1, 40))
def test_ranks_equal_the_naive_twin_in_any_blocks(world, cells):
    block, retrieval.BLOCK_CELLS = retrieval.BLOCK_CELLS, cells
    try:
        assert retrieval.text_to_audio_ranks(*world).tolist() == naive_text_to_audio(*world)
        assert retrieval.audio_to_text_ranks(*world).tolist() == naive_audio_to_text(*world)
    finally:
        retrieval.BLOCK_CELLS = block


@settings(max_examples=30, deadline=None, derandomize=True)
@given(worlds())
def test_recall_is_the_share_of_ranks_within_k_and_grows_with_k(world):
    scores, n = retrieval.recall_at_k(*world, ks=range(1, 20)), len(world[0])
    for way, naive in (("text_to_audio", naive_text_to_audio), ("audio_to_text", naive_audio_to_text)):
        ranks = np.array(naive(*world))
        assert scores[f"{way}_median_rank"] == np.median(ranks)
        found = [scores[f"{way}_r@{k}"] for k in range(1, n // 3 + 1)]
        assert found == [np.mean(ranks <= k) for k in range(1, n // 3 + 1)] == sorted(found)
        assert f"{way}_r@{n // 3 + 1}" not in scores  # chance is above a third there


def test_perfect_embeddings_are_found_and_shuffled_ones_are_not():
    audio, clip = np.eye(6, dtype=np.float32), np.repeat(np.arange(6), 2)
    assert retrieval.recall_at_k(audio, audio[clip], clip)["text_to_audio_r@1"] == 1.0
    scores = retrieval.recall_at_k(audio, audio[(clip + 1) % 6], clip, ks=(1,))
    assert scores["text_to_audio_r@1"] == scores["audio_to_text_r@1"] == 0.0


def test_collapsed_embeddings_are_not_called_perfect():
    z = unit(np.ones((30, 7)) + 0.3)
    assert set(retrieval.text_to_audio_ranks(z, z, np.arange(30))) == {30}
    assert set(retrieval.audio_to_text_ranks(z, z, np.arange(30))) == {30}


def test_chance_agrees_with_random_embeddings():
    rng = np.random.default_rng(0)
    clip = np.repeat(np.arange(40), 5)
    drawn = [
        retrieval.recall_at_k(unit(rng.normal(size=(40, 16))), unit(rng.normal(size=(200, 16))), clip)
        for _ in range(40)
    ]
    expected = retrieval.chance(40, 5, 10)
    for way in ("text_to_audio", "audio_to_text"):
        assert np.mean([d[f"{way}_r@10"] for d in drawn]) == pytest.approx(expected[way], abs=0.03)


def test_recall_is_left_out_where_chance_is_above_a_third():
    found = {n: retrieval.telling(n) for n in (1, 2, 3, 7, 14, 15, 29, 30, 1000)}
    assert found == {1: (), 2: (), 3: (1,), 7: (1,), 14: (1,), 15: (1, 5), 29: (1, 5), 30: (1, 5, 10), 1000: (1, 5, 10)}
    audio = np.eye(7, dtype=np.float32)
    assert set(retrieval.recall_at_k(audio, audio, np.arange(7))) == {
        f"{way}_{what}" for way in ("text_to_audio", "audio_to_text") for what in ("r@1", "median_rank")
    }


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(3, 200), st.integers(1, 5))
def test_chance_is_at_most_a_third_for_what_is_told_and_above_for_what_is_not(n, captions):
    for k in range(1, n):
        chance = retrieval.chance(n, captions, k)
        assert (chance["text_to_audio"] <= 1 / 3 + 1e-12) == (k in retrieval.telling(n, range(1, n)))
        assert chance["audio_to_text"] <= chance["text_to_audio"] + 1e-12


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((np.eye(3), np.eye(4), np.arange(4)), "found"),
        ((np.eye(3), np.eye(3), np.arange(2)), "one whole number"),
        ((np.eye(3), np.eye(3), np.array([0, 1, 3])), "rows of audio"),
        ((np.eye(3), np.eye(3), np.array([0.0, 1, 2])), "whole number"),
        ((np.full((3, 3), np.nan), np.eye(3), np.arange(3)), "not finite"),
    ],
)
def test_wrong_shapes_say_what_was_expected(arguments, words):
    with pytest.raises(ValueError, match=words):
        retrieval.text_to_audio_ranks(*arguments)


def test_a_clip_without_captions_is_named():
    with pytest.raises(ValueError, match="row 2"):
        retrieval.audio_to_text_ranks(np.eye(3), np.eye(3)[:2], np.arange(2))


def naive_confidence(audio, text):
    found = []
    for i, z in enumerate(audio):
        own = float(z @ text[i])
        distinct = {tuple(row) for row in text if not np.isnan(row).any()} - {tuple(text[i])}
        fits = np.array([float(z @ np.array(row, np.float32)) for row in sorted(distinct)])
        if np.isnan(own) or not len(fits):
            found.append((own, np.nan, np.nan))
            continue
        close = np.isclose(fits, own, atol=1e-6, rtol=0)
        beats = ((fits < own) & ~close).mean() + 0.5 * close.mean()
        found.append((own, beats, (own - fits.mean()) / fits.std() if len(fits) > 1 and fits.std() > 1e-6 else np.nan))
    return np.array(found)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_confidence_equals_its_naive_twin_in_any_blocks(n, seed, cells):
    rng = np.random.default_rng(seed)
    audio, text = unit(rng.normal(size=(n, 5))), unit(rng.normal(size=(n, 5)))
    text[rng.random(n) < 0.3] = text[0]  # two recordings of one caption
    text[rng.random(n) < 0.2] = np.nan
    block, retrieval.BLOCK_CELLS = retrieval.BLOCK_CELLS, cells
    try:
        found = retrieval.confidence(audio, text)
    finally:
        retrieval.BLOCK_CELLS = block
    np.testing.assert_allclose(
        np.stack([found["own"], found["beats"], found["z"]], 1), naive_confidence(audio, text), atol=1e-3
    )


def test_confidence_against_given_captions_and_of_one_recording():
    audio, text = np.eye(3, dtype=np.float32)[:1], np.eye(3, dtype=np.float32)[:1]
    alone = retrieval.confidence(audio, text)
    assert alone["own"] == 1 and np.isnan(alone["beats"]) and np.isnan(alone["z"])
    others = unit(np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]], float))  # one twice, and the caption itself
    found = retrieval.confidence(audio, text, others)
    assert found["beats"] == 1 and found["z"] == pytest.approx((1 - 0.5**0.5 / 2) / (0.5**0.5 / 2), abs=1e-5)
    assert retrieval.confidence(audio, np.float32([[0, 0, 1]]), others)["beats"] == pytest.approx(1 / 6)
    with pytest.raises(ValueError, match="of one shape"):
        retrieval.confidence(audio, others)
