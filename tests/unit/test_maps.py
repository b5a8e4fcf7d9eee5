"""Maps between the modalities: against naive twins, and on a case whose answer is known."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from aaclib import beyond, bridge, maps, memory
from aaclib.steps import Context, unit


def rows(n, d, seed):
    return unit(np.random.default_rng(seed).standard_normal((n, d)))


@pytest.fixture
def turned():
    """Audio that is text turned and moved: what a map has to undo. 200 pairs and 50 others."""
    rng = np.random.default_rng(1)
    text = 0.3 * rng.standard_normal((250, 8)) * np.linspace(2, 0.5, 8) + 0.2
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    audio = text @ turn + 0.7
    return audio[:200], text[:200], audio[200:], text[200:]


def test_procrustes_undoes_a_turn_and_a_shift_exactly(turned):
    z_a, z_t, new_a, new_t = turned
    assert np.allclose(maps.procrustes(z_a, z_t)(new_a), new_t, atol=1e-5)
    assert np.allclose(maps.procrustes(z_t, z_a)(new_t), new_a, atol=1e-5)


def test_procrustes_is_the_best_of_all_turns_by_hand():
    x, y = rows(30, 4, 2), rows(30, 4, 3)
    a, b = x - x.mean(0), y - y.mean(0)
    left, _, right = np.linalg.svd(a.T @ b)
    found = maps.procrustes(x, y)
    assert np.allclose(found.matrix, left @ right, atol=1e-6) and np.allclose(found.matrix @ found.matrix.T, np.eye(4))
    for seed in range(20):
        other = np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0]
        assert np.square(a @ found.matrix - b).sum() <= np.square(a @ other - b).sum() + 1e-9


def test_ridge_is_the_normal_equations_at_the_strength_that_leave_one_out_prefers():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((25, 6))
    y = x @ rng.standard_normal((6, 6)) + 0.5 * rng.standard_normal((25, 6))

    def fit(x, y, strength):
        return np.linalg.solve(x.T @ x + strength * np.eye(6), x.T @ y)

    def left_out(strength):  # the mean is taken once, as RidgeCV is given centred rows
        a, b = x - x.mean(0), y - y.mean(0)
        keep = [np.arange(25) != i for i in range(25)]
        return np.mean([np.square(b[i] - a[i] @ fit(a[k], b[k], strength)) for i, k in enumerate(keep)])

    best = min(maps.STRENGTHS, key=left_out)
    assert np.allclose(maps.ridge(x, y).matrix, fit(x - x.mean(0), y - y.mean(0), best), atol=1e-5)


def test_ridge_of_a_turn_is_the_turn_and_of_noise_is_the_mean(turned):
    z_a, z_t, new_a, new_t = turned
    assert np.allclose(maps.ridge(z_a, z_t)(new_a), new_t, atol=1e-2)
    nothing = maps.ridge(rows(40, 8, 5), rows(40, 8, 6))
    assert np.abs(nothing(rows(9, 8, 7)) - nothing.target).max() < 0.35


def test_mlp_adds_to_ridge_where_the_map_bends():
    rng = np.random.default_rng(8)
    x = rng.uniform(-1, 1, (800, 4))
    y = np.tanh(3 * x) + 0.3 * x[:, ::-1] ** 2
    new = rng.uniform(-1, 1, (200, 4))
    truth = np.tanh(3 * new) + 0.3 * new[:, ::-1] ** 2
    error = {f: np.square(f(x, y)(new) - truth).mean() for f in (maps.ridge, maps.mlp)}
    assert error[maps.mlp] < 0.6 * error[maps.ridge]
    assert np.array_equal(maps.mlp(x, y, noise=0.05)(new), maps.mlp(x, y, noise=0.05)(new))
    with pytest.raises(ValueError, match="needs 20 pairs"):
        maps.mlp(x[:19], y[:19])


def test_shared_axes_find_what_is_shared_and_leave_the_rest():
    rng = np.random.default_rng(9)
    shared = rng.standard_normal((3000, 2))
    z_t = np.hstack([shared, 0.9 * rng.standard_normal((3000, 4))])
    z_a = np.hstack([0.9 * rng.standard_normal((3000, 4)), shared])[:, ::-1] + 2
    text, audio = maps.shared_axes(z_t, z_a, 2)
    a, b = text(z_t), audio(z_a)
    assert a.shape == b.shape == (3000, 6) and not a[:, 2:].any() and not b[:, 2:].any()
    for axis in range(2):
        assert np.corrcoef(a[:, axis], b[:, axis])[0, 1] > 0.99
    few = maps.shared_axes(z_t[:3], z_a[:3], 100)[0](z_t)  # three pairs have two directions
    assert few[:, :2].any() and not few[:, 2:].any()


def test_realign_is_its_formula_and_ends_at_the_other_mean():
    text, audio = rows(300, 8, 10) * 0.5 + 0.3, rows(100, 8, 11) - 0.4
    mean_t, mean_a = text.mean(0), audio.mean(0)
    scale = np.sqrt(np.square(audio - mean_a).sum(1).mean() / np.square(text - mean_t).sum(1).mean())
    moved = unit(scale * (text - mean_t) + mean_a)
    found = maps.realign(text, mean_t, mean_a, maps.spread(audio))(text)
    assert np.allclose(found, moved - moved.mean(0) + mean_a, atol=1e-6)
    assert np.allclose(found.mean(0), mean_a, atol=1e-6)


def test_rows_that_are_no_pairs_are_refused():
    for fit in (maps.procrustes, maps.ridge):
        with pytest.raises(ValueError, match="two pairs"):
            fit(rows(5, 4, 0), rows(4, 4, 0))
        with pytest.raises(ValueError, match="two pairs"):
            fit(rows(1, 4, 0), rows(1, 4, 0))


@pytest.mark.parametrize("n, m, k, block", [(3, 40, 5, 7), (2, 4, 9, 3), (5, 64, 1, 64)])
def test_the_nearest_few_are_those_of_the_full_product(n, m, k, block):
    z, memories = rows(n, 6, 12), rows(m, 6, 13)
    assert np.array_equal(memory.nearest_few(z, memories, k, block), np.argsort(-(z @ memories.T), 1)[:, :k])


@pytest.fixture
def context(turned):
    z_a, z_t, _, _ = turned
    text = rows(60, 8, 14)
    gap = (z_a.mean(0) - z_t.mean(0)).astype(np.float32)
    return Context(
        sigma=0.05,
        gap=gap,
        text_mean=text.mean(0),
        audio_mean=text.mean(0) + gap,
        memory=text,
        pair_audio=z_a.astype(np.float32),
        pair_text=z_t.astype(np.float32),
        axes=3,
    )


def test_projection_onto_few_is_the_full_one_where_few_are_all(context):
    z = rows(4, 8, 15)
    every = context.memory[:32]
    few = Context(memory=every, tau=0.05)
    assert np.allclose(beyond.to_top_projection(z, few), memory.project(z, every, 0.05), atol=1e-6)
    scores = context.memory @ z[0]
    best = np.argsort(-scores)[:32]
    weights = np.exp(scores[best] / context.tau - scores.max() / context.tau)
    assert np.allclose(beyond.to_top_projection(z, context)[0], unit(weights @ context.memory[best]), atol=1e-5)


def test_a_blend_keeps_most_of_the_audio_and_goes_towards_its_neighbours(context):
    z = rows(4, 8, 16)
    blend = beyond.to_blend(z, context)
    towards = (blend - (1 - beyond.BLEND) * z) / beyond.BLEND
    assert np.allclose(np.linalg.norm(towards, axis=1), 1, atol=1e-5)
    assert ((context.memory @ towards.T).max(0) > 0.6).all() and np.array_equal(blend, beyond.to_blend(z, context))


def test_a_related_caption_is_one_of_the_nearest_and_another_one_each_time():
    z = rows(50, 8, 17)
    drawn = [beyond.to_related(z, Context(), np.random.default_rng(seed)) for seed in range(40)]
    near = np.argsort(-(z @ z.T), 1)[:, : beyond.RELATED]
    for i in (0, 20, 49):
        seen = {tuple(one[i]) for one in drawn}
        assert seen == {tuple(z[j]) for j in near[i]}


@pytest.mark.parametrize(
    "name, training, inference, group",
    [
        ("procrustes", "text", "procrustes", "inference"),
        ("ridge+projection", "text", "ridge+projection", "inference"),
        ("noise+procrustes+nearest", "noise", "procrustes+nearest", "both"),
        ("realign", "realign", "audio", "training"),
        ("plshead", "plshead", "audio", "training"),
    ],
)
def test_names_join_a_map_with_what_reads_the_memory(name, training, inference, group):
    row = bridge.strategy(name)
    assert (row.training, row.inference, row.group) == (training, inference, group)
    assert bridge.needs_pairs(row)


@pytest.mark.parametrize("name", ["projection+ridge", "ridge+procrustes", "santa+projection", "projection+santa"])
def test_a_map_comes_first_and_alone(name):
    with pytest.raises(bridge.StrategyError):
        bridge.strategy(name)


def test_two_parts_are_taken_in_their_order(context):
    z = rows(5, 8, 18)
    by_hand = memory.project(maps.ridge(context.pair_audio, context.pair_text)(z), context.memory, context.tau)
    assert np.allclose(bridge.infer_half("ridge+projection")(z, context), unit(by_hand), atol=1e-6)


def test_training_on_axes_and_captioning_by_them_meet(context):
    """Where audio is text turned and moved, both halves of plshead give the same coordinates, up to their sign."""
    pairs = context.pair_text, context.pair_audio
    a = bridge.train_half("plshead")(pairs[0], context)
    b = bridge.infer_half("plshead")(pairs[1], context)
    assert np.allclose((a * b).sum(1), 1, atol=1e-3) and not a[:, 3:].any()


@pytest.mark.parametrize("name", ["procrustes", "ridge", "mlp", "noisy mlp", "ridge (text)", "plshead", "santa"])
def test_what_is_fitted_for_a_context_is_fitted_once_and_the_same(name, context, monkeypatch):
    fits = []
    for fit in ("procrustes", "ridge", "mlp", "shared_axes"):
        one = getattr(maps, fit)
        monkeypatch.setattr(maps, fit, lambda *a, one=one, **b: (fits.append(one), one(*a, **b))[1])
    clusters = beyond._clusters
    monkeypatch.setattr(beyond, "_clusters", lambda memory: (fits.append(clusters), clusters(memory))[1])
    half = bridge.infer_half(name) if name in bridge.INFERENCE else bridge.train_half(name)
    z = rows(9, context.memory.shape[1], 20)
    first = half(z, context)
    count = len(fits)
    assert count and np.array_equal(half(z, context), first) and len(fits) == count
    copies = {n: getattr(context, n).copy() for n in ("pair_audio", "pair_text", "memory")}
    assert np.array_equal(half(z, replace(context, **copies)), first) and len(fits) == 2 * count


def test_what_is_made_of_arrays_is_made_once_and_goes_with_them():
    calls, before = [], len(maps._made)

    def total(x, y, times=1):
        calls.append(times)
        return times * (x + y)

    x, y, other = np.ones(3), np.ones(3), np.ones(3)
    assert maps.made_once(total, x, y) is maps.made_once(total, x, y) and calls == [1]
    assert maps.made_once(total, x, other) is not maps.made_once(total, x, y) and calls == [1, 1]  # equal, not the same
    assert maps.made_once(total, x, y, times=2)[0] == 4 and maps.made_once(total, y, x)[0] == 2
    assert calls == [1, 1, 2, 1] and len(maps._made) == before + 4
    del y
    gc.collect()
    assert len(maps._made) == before + 1
    for value in (5.0, 7.0):  # an array that is given the place of one that is gone
        assert maps.made_once(total, x, np.full(3, value))[0] == value + 1
    del x
    gc.collect()
    assert len(maps._made) == before
