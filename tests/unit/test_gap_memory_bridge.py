"""The paper's mathematics against naive twins."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import bridge, gap, memory


def rows(n, d, seed, offset=0.0):
    z = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    z[:, 0] += offset
    return bridge.unit(z)


shapes = st.tuples(st.integers(1, 30), st.integers(1, 40), st.integers(2, 9), st.integers(1, 17), st.integers(0, 10**6))


@settings(max_examples=60, deadline=None)
@given(shapes)
def test_nearest_equals_the_full_product(shape):
    n, m, d, block, seed = shape
    z, mem = rows(n, d, seed), rows(m, d, seed + 1)
    naive = np.array([max(range(m), key=lambda j: (z[i] @ mem[j], -j)) for i in range(n)])
    found = memory.nearest_index(z, mem, block)
    # rounding may differ between a block and a single product, so equal up to ties
    assert np.allclose((z * mem[found]).sum(1), (z * mem[naive]).sum(1), atol=1e-6)
    assert np.array_equal(memory.nearest(z, mem, block), mem[found])


@settings(max_examples=60, deadline=None)
@given(shapes, st.sampled_from([0.003, 0.01, 0.1, 1.0]))
def test_projection_equals_the_full_softmax(shape, tau):
    n, m, d, block, seed = shape
    z, mem = rows(n, d, seed), rows(m, d, seed + 1)
    scores = z.astype(np.float64) @ mem.T.astype(np.float64) / tau
    weights = np.exp(scores - scores.max(1, keepdims=True))
    naive = (weights / weights.sum(1, keepdims=True)) @ mem.astype(np.float64)
    length = np.linalg.norm(naive, axis=1, keepdims=True)
    found = memory.project(z, mem, tau, block)
    clear = length[:, 0] > 1e-3  # two opposite rows can cancel: then the direction is undefined
    assert np.allclose(found[clear], (naive / length)[clear], atol=2e-4)
    assert np.allclose(np.linalg.norm(found[clear], axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("tau", [0.003, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("block", [7, 16384])
def test_a_large_projection_equals_its_float64_twin_by_numpy_and_by_torch(tau, block, monkeypatch):
    """In float32, and where the memory lies: the CPU's tensors take the lines that a GPU's take."""
    z, mem = rows(20, 64, 0), rows(500, 64, 1)
    scores = z.astype(np.float64) @ mem.T.astype(np.float64) / tau
    weights = np.exp(scores - scores.max(1, keepdims=True))
    twin = weights @ mem.astype(np.float64)
    twin /= np.linalg.norm(twin, axis=1, keepdims=True)
    exact = memory.project(z, mem, tau, block)
    monkeypatch.setattr(memory, "EXACT", 0)
    monkeypatch.setattr(memory, "QUERIES", 8)
    fast, there = memory.project(z, mem, tau, block), memory.project(z, memory.resident(mem, "cpu"), tau, block)
    assert fast.dtype == there.dtype == np.float32 and not np.array_equal(fast, exact)
    for found in (exact, fast, there):
        assert np.abs(found - twin).max() < 1e-5
    assert np.array_equal(memory.nearest_index(z, mem, block), memory.nearest_index(z, torch.from_numpy(mem), block))
    assert np.array_equal(memory.nearest(z, mem, block), memory.nearest(z, memory.resident(mem, "cpu"), block))


def test_a_small_projection_has_the_bits_of_float64_products(monkeypatch):
    """Captions are kept by the digest of what they were written from: it must not move with the way of computing."""
    z, mem = rows(9, 16, 0), rows(40, 16, 1)
    top, total = np.full(9, -np.inf), np.zeros((9, 16))
    for start in (0, 16, 32):
        some = mem[start : start + 16]
        scaled = (z @ some.T).astype(np.float64) / 0.01
        new_top = np.maximum(top, scaled.max(1))
        total = total * np.exp(top - new_top)[:, None] + np.exp(scaled - new_top[:, None]) @ some.astype(np.float64)
        top = new_top
    twin = (total / np.linalg.norm(total, axis=1, keepdims=True)).astype(np.float32)
    assert np.array_equal(memory.project(z, mem, 0.01, 16), twin)


def test_a_memory_is_copied_to_its_device_once_and_goes_with_its_array():
    mem = rows(5, 4, 0)
    there = memory.resident(mem, "cpu")
    assert there is memory.resident(mem, "cpu") and memory.resident(mem, None) is mem
    assert bridge.Context(memory=mem, device="cpu").near() is there and bridge.Context(memory=mem).near() is mem
    before = len(memory._copies)
    del mem
    assert len(memory._copies) == before - 1
    broken = rows(5, 4, 0)
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3 of the memory is not finite"):
        memory.project(rows(2, 4, 1), memory.resident(broken, "cpu"))


def test_projection_tends_to_nearest_as_tau_falls_and_is_on_the_memory():
    mem = rows(50, 8, 1)
    assert np.allclose(memory.project(mem, mem, 1e-4), mem, atol=1e-5)
    assert np.array_equal(memory.nearest_index(mem, mem), np.arange(50))


def test_memory_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="empty"):
        memory.nearest(rows(2, 4, 0), np.zeros((0, 4), np.float32))
    with pytest.raises(ValueError, match="found"):
        memory.project(rows(2, 4, 0), rows(2, 5, 0))
    with pytest.raises(ValueError, match="tau"):
        memory.project(rows(2, 4, 0), rows(2, 4, 0), tau=0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(1, 9),
    st.integers(1, 30),
    st.integers(1, 8),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.booleans(),
    st.data(),
)
def test_a_row_that_is_not_finite_is_refused_by_its_number(n, m, block, bad, in_memory, data):
    """Whatever block it is in: a NaN compares with nothing, so that every query would have gone to row 0."""
    z, mem = rows(n, 4, 0), rows(m, 4, 1)
    row = data.draw(st.integers(0, (m if in_memory else n) - 1))
    (mem if in_memory else z)[row, data.draw(st.integers(0, 3))] = bad
    said = f"row {row} of {'the memory' if in_memory else 'z'} is not finite"
    for ask in (memory.nearest, memory.nearest_index, lambda z, mem, block: memory.project(z, mem, 0.1, block)):
        with pytest.raises(ValueError, match=said):
            ask(z, mem, block)


def test_sigma_estimators_by_hand():
    z_a = np.array([[1, 0], [0, 1]], np.float32)
    z_t = np.array([[0, 1], [0, 1]], np.float32)
    assert gap.estimate_sigma(z_a, z_t, "rms") == pytest.approx(np.sqrt(2 / 4))
    assert gap.estimate_sigma(z_a, z_t, "linf") == pytest.approx(0.5)
    captions = np.array([[1, 0], [0.6, 0.8], [0, 1], [0, 1]], np.float32)
    assert gap.estimate_sigma(z_a, captions, "caption", np.array([0, 0, 1, 1])) == pytest.approx((0.8 + 0) / 2)
    with pytest.raises(ValueError, match="groups"):
        gap.estimate_sigma(z_a, z_t, "caption")
    with pytest.raises(ValueError, match="one shape"):
        gap.estimate_sigma(z_a, z_t[:1])


def test_estimate_names_what_it_chose():
    z_a, z_t = rows(50, 16, 0, 4), rows(50, 16, 1, -4)
    found = gap.estimate(z_a, z_t, "linf")
    assert found.sigma_value == found.sigma["linf"] > found.sigma["rms"] > 0
    assert found.noise_length == pytest.approx(16 * found.sigma_value**2)
    assert np.allclose(found.vector, z_a.mean(0) - z_t.mean(0), atol=1e-6)
    number = gap.estimate(z_a, z_t, "0.114")
    assert (number.chosen, number.sigma_value) == ("given", 0.114)
    with pytest.raises(ValueError, match="caption"):
        gap.estimate(z_a, z_t, "caption")
    assert gap.given("0.1", 4, "no pairs").vector is None
    with pytest.raises(ValueError, match="no pairs"):
        gap.given("rms", 4, "no pairs")


def test_gap_statistics_equal_their_definitions():
    z_a, z_t = rows(20, 6, 0, 3), rows(20, 6, 1, -3)
    found = gap.statistics(z_a, z_t)
    cosines = z_a @ z_t.T
    assert found["matched_cosine"] == pytest.approx(np.diag(cosines).mean(), abs=1e-6)
    assert found["mismatched_cosine"] == pytest.approx((cosines.sum() - np.trace(cosines)) / (20 * 19), abs=1e-5)
    assert found["separable"] == 1.0
    assert found["centroid_distance"] == pytest.approx(np.linalg.norm(z_a.mean(0) - z_t.mean(0)), abs=1e-6)


@pytest.fixture
def context():
    z_a, z_t = rows(50, 16, 0, 3), rows(50, 16, 1, -3)
    return bridge.Context(
        sigma=0.05,
        sigma_without_gap=0.03,
        gap=gap.gap_vector(z_a, z_t),
        audio_mean=z_a.mean(0),
        text_mean=z_t.mean(0),
        memory=z_t,
        pair_audio=z_a,
        pair_text=z_t,
        axes=5,
    )


def test_halves_are_the_paper_s_formulas(context):
    z = rows(7, 16, 3)
    normal = np.random.default_rng(5).standard_normal(z.shape, dtype=np.float32)
    noise, residual = 0.05 * normal, 0.03 * normal  # rows that take the gap away need less of it

    def half(name):
        return bridge.train_half(name)(z, context, np.random.default_rng(5))

    assert np.array_equal(half("baseline"), z) and np.array_equal(half("supervised"), z)
    assert np.array_equal(half("supervised+text"), z)
    assert np.array_equal(half("projection"), z)
    assert np.allclose(half("noise"), bridge.unit(z + noise), atol=1e-6)
    assert np.allclose(half("shift"), bridge.unit(z + context.gap), atol=1e-6)
    published = 0.001**0.5 * normal
    assert np.allclose(half("shift (published)"), bridge.unit(z + published + context.gap), atol=1e-6)
    assert np.allclose(half("noise+shift"), bridge.unit(z + residual + context.gap), atol=1e-6)
    assert np.allclose(half("c3"), bridge.unit(z - context.text_mean + residual), atol=1e-6)
    infer = {name: bridge.infer_half(name)(z, context) for name in ("baseline", "noise", "shift", "c3", "supervised")}
    for name in ("baseline", "noise", "shift", "supervised"):
        assert np.array_equal(infer[name], z)
    assert np.allclose(infer["c3"], bridge.unit(z - context.audio_mean), atol=1e-6)


def test_a_memory_row_reaches_the_decoder_as_its_own_training_saw_it(context):
    """What nearest-neighbour decoding gives is text: a decoder trained on shifted text must get it shifted."""
    z = rows(7, 16, 3)
    found = memory.nearest(z, context.memory)
    assert np.allclose(bridge.infer_half("nearest")(z, context), found, atol=1e-6)
    assert np.allclose(bridge.infer_half("noise+nearest")(z, context), found, atol=1e-6)
    assert np.allclose(bridge.infer_half("shift+nearest")(z, context), bridge.unit(found + context.gap), atol=1e-6)
    assert np.allclose(bridge.infer_half("c3+nearest")(z, context), bridge.unit(found - context.text_mean), atol=1e-6)


def test_zero_sigma_still_shifts(context):
    """The published code silently skipped the shift when the variance was 0."""
    still = bridge.Context(gap=context.gap)
    z = rows(4, 16, 2)
    found = bridge.train_half("noise+shift")(z, still, np.random.default_rng(0))
    assert np.allclose(found, bridge.unit(z + still.gap), atol=1e-6)


def test_renormalise_off_keeps_the_formula_of_the_paper(context):
    free = bridge.Context(sigma=0.05, gap=context.gap, renormalise=False)
    z = rows(4, 16, 2)
    assert np.allclose(bridge.train_half("shift")(z, free), z + context.gap)


@pytest.mark.parametrize(
    ("name", "training", "inference", "group"),
    [
        ("baseline", "text", "audio", "baseline"),
        ("noise", "noise", "audio", "training"),
        ("shift+noise", "noise+shift", "audio", "training"),
        ("projection", "text", "projection", "inference"),
        ("c3+nearest", "c3", "nearest", "both"),
        ("supervised", "supervised", "audio", "supervised"),
        ("supervised+text", "supervised+text", "audio", "supervised"),
        ("shift (published)+projection", "shift (published)", "projection", "both"),
        ("copy", "text", "copy", "control"),
    ],
)
def test_names_of_strategies(name, training, inference, group):
    row = bridge.strategy(name)
    assert (row.training, row.inference, row.group) == (training, inference, group)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nois",
        "nearest+projection",
        "noise+noise",
        "c3+noise",
        "supervised+noise",
        "text",
        "text+noise",
        "noise+copy",
    ],
)
def test_names_that_mean_nothing_are_refused(name):
    with pytest.raises(ValueError, match="There is no strategy"):
        bridge.strategy(name)


@pytest.mark.parametrize("name", [*list(bridge.TRAINING)[1:], "baseline", "projection"])
def test_a_training_half_reads_what_its_entry_names(context, name):
    """Given no more than that, it gives the same; and other values of it give another."""
    row, seen = bridge.strategy(name), bridge.seen_in_training(name, context)
    assert np.array_equal(bridge.behaviour(row, seen, 16), bridge.behaviour(row, context, 16))
    for field in vars(seen).keys() - {"renormalise"}:
        value = getattr(context, field)  # pairs in another order are other pairs
        other = dataclasses.replace(context, **{field: 2 * (value[::-1] if field.startswith("pair") else value)})
        assert not np.array_equal(bridge.behaviour(row, seen, 16), bridge.behaviour(row, other, 16)), field


def test_an_inference_half_reads_what_its_entries_name(context):
    for name, part in bridge.INFERENCE.items():
        known = {field: getattr(context, field) for field in part.reads_at_inference}
        half, z = bridge.infer_half(name), rows(7, 16, 3)
        assert np.array_equal(half(z, bridge.Context(**known)), half(z, context))


def test_a_half_that_reads_what_its_entry_does_not_name_is_refused(context, monkeypatch):
    def careless(z, context, rng=None):
        return z + context.sigma * context.need("gap")

    monkeypatch.setitem(bridge.TRAINING, "careless", bridge.Part((careless,), reads=("gap",)))
    with pytest.raises(AttributeError, match="reads 'sigma'"):
        bridge.behaviour("careless", bridge.seen_in_training("careless", context), 16)


def test_which_strategies_need_pairs(monkeypatch):
    needing = {name for name in (*list(bridge.TRAINING)[1:], *bridge.INFERENCE, "copy") if bridge.needs_pairs(name)}
    by_hand = {
        "shift",
        "shift (published)",
        "noise+shift",
        "c3",
        "realign",
        "procrustes (text)",
        "ridge (text)",
        "plshead",
    }
    by_hand |= {"back-shift", "back-realign", "procrustes", "ridge", "mlp", "noisy mlp"}
    assert needing == by_hand
    assert bridge.needs_pairs("noise+shift+projection")
    monkeypatch.setitem(bridge.INFERENCE, "away", bridge.Part(reads_at_inference=("audio_mean",)))
    assert bridge.needs_pairs("noise+away")


def test_a_training_part_without_an_entry_is_refused_by_name():
    row = bridge.Strategy("echo", "noise+echo", "audio", "training")
    for ask in (bridge.train_half, bridge.infer_half, bridge.needs_pairs):
        with pytest.raises(ValueError, match="no training 'noise\\+echo'"):
            ask(row)


def test_what_a_strategy_misses_is_named():
    with pytest.raises(ValueError, match="gap"):
        bridge.train_half("shift")(rows(2, 4, 0), bridge.Context())
    with pytest.raises(ValueError, match="generator"):
        bridge.train_half("noise")(rows(2, 4, 0), bridge.Context(sigma=0.1))


def test_residual_sigma_is_that_of_centred_pairs():
    rng = np.random.default_rng(3)
    z_t = rng.standard_normal((40, 12)).astype(np.float32)
    z_a = z_t + 0.1 * rng.standard_normal((40, 12)).astype(np.float32) + 0.7
    found = gap.estimate(z_a, z_t, "residual")
    centred = (z_a - z_a.mean(0)) - (z_t - z_t.mean(0))
    assert found.sigma_value == pytest.approx(float(np.sqrt(np.mean(centred**2))), rel=1e-4)
    # what the gap vector adds to it is the whole of rms
    assert found.sigma["rms"] ** 2 == pytest.approx(found.sigma_value**2 + np.mean(found.vector**2), rel=1e-4)
    assert found.value("rms") == found.sigma["rms"] and found.value("0.25") == 0.25
    with pytest.raises(ValueError, match="no pairs here"):
        gap.given("0.1", 12, "no pairs here").value("residual")


@pytest.fixture
def own():
    yield
    for name in bridge.registered():
        bridge.forget(name)


def towards(z, context, rng=None):
    return z - 0.5 * context.need("gap")


def to_first(z, context, rng=None):
    return np.repeat(context.need("memory")[:1], len(z), 0)


def test_a_strategy_of_ones_own_is_a_row_alone_and_joined(context, own):
    z = rows(5, 16, 9)
    bridge.register("towards", inference=[towards], reads_at_inference=["gap"], about="half way back")
    bridge.register("first", inference=[to_first], reads_at_inference=["memory"], lands="text")
    bridge.register("half shift", training=[lambda z, context, rng=None: z + 0.5 * context.need("gap")], reads=["gap"])
    assert list(bridge.registered()) == ["half shift", "towards", "first"]
    groups = {name: bridge.strategy(name).group for name in ("towards", "half shift", "half shift+first")}
    assert groups == {"towards": "inference", "half shift": "training", "half shift+first": "both"}
    assert bridge.needs_pairs("towards") and not bridge.needs_pairs("noise+first")
    middle = z - 0.5 * context.gap
    assert np.allclose(bridge.infer_half("towards")(z, context), bridge.unit(middle), atol=1e-6)
    # what stays among audio is not shifted once more, but centred as the training's audio is
    assert np.allclose(bridge.infer_half("shift+towards")(z, context), bridge.unit(middle), atol=1e-6)
    centred = bridge.unit(middle - context.audio_mean)
    assert np.allclose(bridge.infer_half("c3+towards")(z, context), centred, atol=1e-6)
    first = np.repeat(context.memory[:1], 5, 0)
    assert np.allclose(bridge.infer_half("shift+first")(z, context), bridge.unit(first + context.gap), atol=1e-6)
    bridge.forget("first")
    with pytest.raises(bridge.StrategyError, match="no strategy 'first'"):
        bridge.strategy("first")


@pytest.mark.parametrize("name", ["", "noise", "projection", "copy", "baseline", "text", "a+b"])
def test_a_name_that_is_taken_or_means_two_parts_is_refused(name, own):
    with pytest.raises(ValueError, match="no name for a part of your own"):
        bridge.register(name, inference=[towards])
    for wrong in ({}, {"inference": [towards], "lands": "nowhere"}):
        with pytest.raises(ValueError, match="needs a step"):
            bridge.register("mine", **wrong)
    assert not bridge.registered()
