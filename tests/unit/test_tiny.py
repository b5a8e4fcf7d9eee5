"""The tiny CLAP on a handful of made clips: same seed same weights, resuming, saving, unit rows, unknown words."""

import json
import math

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import clap, interrupts, retrieval
from aaclib.clap import tiny, tiny_files, tiny_training
from aaclib.clap.base import BackendError
from aaclib.clap.tiny_model import Shape, TextTower
from aaclib.clap.tiny_words import BUCKETS, Words, ngrams, split
from aaclib.config import Clap
from aaclib.datasets import Clip, DatasetError, Split
from aaclib.store import Store

SETTINGS = Clap(width=32, epochs=3, train_batch=8, lr=2e-3, train_threads=1)
SHAPE = tiny_training.Shape(channels=(8, 16, 16), blocks=(0, 0, 1), text_layers=1, heads=2, hop=640)


def tone(row: int, seconds: float = 1.6) -> np.ndarray:
    time = np.arange(int(seconds * 16000)) / 16000
    beat = (1 + np.sin(2 * math.pi * (1 + row % 4) * time)) / 2
    return (0.3 * beat * np.sin(2 * math.pi * 110 * 2 ** (row / 3) * time)).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """16 clips of tones, two captions each; some shorter and one longer than the window."""
    folder, clips = tmp_path_factory.mktemp("tones"), []
    names = ["deep", "low", "middle", "high", "shrill", "piercing", "soft", "clear"]
    for row in range(16):
        path = folder / f"{row}.flac"
        soundfile.write(path, tone(row, 1.2 if row % 3 else (2.4 if row == 6 else 1.6)), 16000)
        sound = f"{names[row // 2]} tone {'beating fast' if row % 2 else 'beating slowly'}"
        clips.append(Clip(str(row), (f"A {sound}.", f"there is a {sound}"), path))
    return Split("made", "train", tuple(clips))


def train(made, folder, seed=0, settings=SETTINGS, **options):
    return tiny.train(made, settings, seed, Store(folder), "cpu", window_s=1.6, shape=SHAPE, **options)


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory):
    return train(made, tmp_path_factory.mktemp("store"))


def weights(artefact) -> bytes:
    return (artefact / tiny_files.WEIGHTS).read_bytes()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(made, trained, tmp_path):
    assert weights(train(made, tmp_path)) == weights(trained)
    assert weights(train(made, tmp_path, seed=1)) != weights(trained)


def test_gradients_are_the_same_bits_each_time_on_several_threads():
    """Large enough for PyTorch to use its threads, as a batch of the real training is."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(2, before))
    torch.manual_seed(0)
    tower = TextTower(Shape(words=40, word_dropout=0.0, dropout=0.0))
    position = torch.randint(1, 40, (256, 12))
    given = (position, torch.arange(40), torch.randint(1, BUCKETS, (40, 6)))

    def gradients() -> bytes:
        tower.zero_grad()
        tower(*given).square().sum().backward()
        return b"".join(p.grad.numpy().tobytes() for p in tower.parameters() if p.grad is not None)

    try:
        assert len({gradients() for _ in range(8)}) == 1
    finally:
        torch.set_num_threads(before)


def test_training_leaves_the_callers_random_numbers_and_threads_alone(made, tmp_path):
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    train(made, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("epochs_done", [1, 2])
def test_a_killed_training_goes_on_to_the_same_weights(made, trained, tmp_path, monkeypatch, epochs_done):
    whole, calls = tiny_training.Training._epoch, []

    def killed(self, net, optimizer, epoch, progress):
        calls.append(epoch)
        if len(calls) > epochs_done:
            raise KeyboardInterrupt
        return whole(self, net, optimizer, epoch, progress)

    monkeypatch.setattr(tiny_training.Training, "_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train(made, tmp_path)
    monkeypatch.undo()

    def counted(self, net, optimizer, epoch, progress):
        calls.append(epoch)
        return whole(self, net, optimizer, epoch, progress)

    monkeypatch.setattr(tiny_training.Training, "_epoch", counted)
    resumed = train(made, tmp_path)
    assert calls == [*range(epochs_done + 1), *range(epochs_done, 3)]  # finished epochs are not done again
    assert weights(resumed) == weights(trained)
    losses = [[epoch["loss"] for epoch in json.loads((a / tiny_files.HISTORY).read_text())] for a in (resumed, trained)]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    assert not (resumed / tiny_training.CHECKPOINT).exists()


def test_killed_after_each_step_a_training_goes_on_in_the_middle_of_its_epoch(made, trained, tmp_path, monkeypatch):
    steps, whole = [], interrupts.Saves.whole

    def killed(self):
        steps.append(1)
        self._due = 0  # a save is due
        whole(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupts.Saves, "whole", killed)
    for _ in range(6):  # three epochs of two steps
        with pytest.raises(KeyboardInterrupt):
            train(made, tmp_path)
    assert weights(train(made, tmp_path)) == weights(trained) and len(steps) == 6


def test_it_learns_its_clips(made, tmp_path):
    longer = Clap(width=32, epochs=60, train_batch=16, lr=4e-3)
    artefact = train(made, tmp_path, settings=longer, mask_frames=0, mask_mels=0)
    model = clap.load(f"tiny:{artefact.path}", "cpu")
    clip = np.repeat(np.arange(16), 2)
    found = retrieval.recall_at_k(model.embed_audio(made.paths), model.embed_text(made.captions), clip, ks=(3,))
    assert found["text_to_audio_r@3"] > 3 * retrieval.chance(16, 2, 3)["text_to_audio"]


def test_a_saved_model_gives_the_same_unit_rows_when_loaded_from_a_copy(made, trained, tmp_path):
    for name in (tiny_files.WEIGHTS, tiny_files.CARD):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    first, second = tiny.TinyClap(trained.path, "cpu"), clap.load(f"tiny:{tmp_path}", "cpu")
    for a, b in (
        (first.embed_audio(made.paths), second.embed_audio(made.paths)),
        (first.embed_text(made.captions), second.embed_text(made.captions)),
    ):
        assert a.dtype == np.float32 and a.shape[1] == first.dim == 32
        np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(a, b)
    assert first.digest == second.digest
    assert first.temperature == pytest.approx(0.01)
    assert "made" in first.training_data


def test_embeddings_do_not_depend_on_the_batch(made, trained):
    model = tiny.TinyClap(trained.path, "cpu")
    captions = [*made.captions, "a tone, and then for a long while nothing but a very much longer caption"]
    for embed, items in ((model.embed_audio, made.paths), (model.embed_text, captions)):
        np.testing.assert_allclose(embed(items, batch_size=64), embed(items, batch_size=1), atol=2e-6)


def test_loading_gives_the_front_end_of_the_training(made, trained):
    model = tiny.TinyClap(trained.path, "cpu")
    mels, lengths = tiny_training.log_mels(made.paths, model.net, 40, 0)
    assert lengths.tolist() == [30 if row % 3 else 40 for row in range(16)]
    normalised = (torch.from_numpy(mels).float() - model.net.mel.mean) * model.net.mel.scale
    frames = np.concatenate([m[:, :n] for m, n in zip(normalised.numpy(), lengths, strict=True)], axis=1)
    np.testing.assert_allclose(frames.mean(axis=1), 0, atol=2e-2)


def test_the_temperature_is_held_unless_it_is_to_be_learned(made, trained, tmp_path):
    learned = train(made, tmp_path, settings=Clap(width=32, epochs=3, train_batch=8, learn_temperature=True))
    assert tiny.TinyClap(trained.path, "cpu").temperature == pytest.approx(0.01, rel=1e-6)
    assert tiny.TinyClap(learned.path, "cpu").temperature != pytest.approx(tiny_training.LEARNED_FROM, rel=1e-6)


def test_clips_without_audio_are_refused(made, tmp_path):
    deaf = Split("made", "train", (*made.clips[:3], Clip("nothing", ("a tone",))))
    with pytest.raises(DatasetError, match="nothing"):
        train(deaf, tmp_path)


def test_folders_that_hold_no_model_say_what_is_missing(trained, tmp_path):
    with pytest.raises(BackendError, match="needs the folder"):
        clap.load("tiny")
    with pytest.raises(BackendError, match="holds no tiny CLAP"):
        clap.load(f"tiny:{tmp_path}")
    (tmp_path / tiny_files.CARD).write_bytes((trained / tiny_files.CARD).read_bytes())
    (tmp_path / tiny_files.WEIGHTS).write_bytes(weights(trained)[:1000])
    with pytest.raises(BackendError, match="damaged"):
        clap.load(f"tiny:{tmp_path}")


# --- words -------------------------------------------------------------------------------------------------------


def test_unknown_words_do_not_collapse(trained):
    model = tiny.TinyClap(trained.path, "cpu")
    z = model.embed_text(["a zebra", "a quokka", "!!!", "???"])
    assert np.linalg.norm(z[0] - z[1]) > 1e-3
    assert np.linalg.norm(z[2] - z[3]) > 1e-3


def test_case_and_punctuation_do_not_matter(trained):
    z = tiny.TinyClap(trained.path, "cpu").embed_text(["A deep tone, beating fast.", "a deep tone beating fast"])
    np.testing.assert_allclose(z[0], z[1], atol=1e-6)


@given(st.lists(st.text(min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_any_caption_can_be_encoded_and_points_back_to_its_words(captions):
    words = Words.built_from(captions, least=1)
    position, own, grams = words.encode(captions)
    assert grams.max() < BUCKETS and (grams[1:, 0] > 0).all() and own[0] == 0
    for row, caption in enumerate(captions):
        expected = split(caption)
        assert [words.vocabulary[own[p] - 1] for p in position[row, : len(expected)]] == expected
        assert (position[row, len(expected) :] == 0).all()


def test_n_grams_are_shared_between_forms_of_a_word():
    assert set(ngrams("barks")) & set(ngrams("barking"))
    assert not set(ngrams("dog")) & set(ngrams("siren"))


# --- loss ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_the_loss_equals_its_naive_twin(seed, clips, each):
    rng = np.random.default_rng(seed)
    z_a, z_t = rng.normal(size=(clips, 4)), rng.normal(size=(clips * each, 4))
    owner = np.repeat(np.arange(clips), each)
    captions = [str(n) for n in rng.integers(0, clips * each, size=clips * each)]
    similarity, terms = 3.0 * z_a @ z_t.T, []
    for j, clip in enumerate(owner):
        right = np.exp(similarity[clip, j])
        own = [{captions[k] for k in np.flatnonzero(owner == i)} for i in range(clips)]
        others = [i for i in range(clips) if captions[j] not in own[i]]
        strangers = [k for k in range(len(captions)) if captions[k] not in own[clip]]
        terms += [
            -np.log(right / (right + np.exp(similarity[others, j]).sum())),
            -np.log(right / (right + np.exp(similarity[clip, strangers]).sum())),
        ]
    found = tiny_training.info_nce(
        torch.from_numpy(z_a),
        torch.from_numpy(z_t),
        torch.from_numpy(owner),
        tiny_training.same_caption(captions, owner),
        torch.tensor(3.0),
    )
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-6, abs=1e-9)


def test_equal_captions_everywhere_give_no_loss_and_finite_gradients():
    z_a, z_t, owner = torch.eye(3, requires_grad=True), torch.eye(3), np.arange(3)
    same = tiny_training.same_caption(["rain"] * 3, owner)
    loss = tiny_training.info_nce(z_a, z_t, torch.from_numpy(owner), same, torch.tensor(50.0))
    loss.backward()
    assert loss == 0 and torch.isfinite(z_a.grad).all()


def test_augmentation_keeps_the_shape_moves_sound_and_hangs_on_the_generator_alone():
    mels = np.random.default_rng(0).normal(size=(6, 64, 50)).astype(np.float16)
    mels[:, :, 30:] = math.log(tiny_training.FLOOR)
    lengths, recipe = np.full(6, 30), tiny_training.Recipe()
    one, two = (tiny_training.augmented(mels, lengths, recipe, np.random.default_rng(3)) for _ in range(2))
    assert one.shape == mels.shape and one.dtype == np.float32
    np.testing.assert_array_equal(one, two)
    still = tiny_training.Recipe(shift_s=1000, mask_frames=0, mask_mels=0, tilt=0, gain=0)
    moved = tiny_training.augmented(mels, lengths, tiny_training.replace(still, shift_s=0.1), np.random.default_rng(4))
    sounding = (moved > -10).any(axis=1).sum(axis=1)
    assert (sounding == 30).all()  # a shorter clip is moved, never cut
    assert len({tuple(row) for row in (moved > -10).any(axis=1)}) > 1
