"""The decoder, its training and generation, on a language small enough to learn in seconds."""

import dataclasses

import numpy as np
import pytest
import torch

from aaclib import bridge, config, generate, seeds, steps, text, train
from aaclib.decoder import IGNORE, CaptionDecoder, pad

THINGS, DOES = ["dog", "cat", "bell", "car"], ["sings", "runs", "sleeps"]
CAPTIONS = [f"a {thing} {verb} in the {place}" for thing in THINGS for verb in DOES for place in ("park", "house")]
SETTINGS = config.Decoder(layers=2, heads=2, width=32, dropout=0.0, prefix_tokens=2)
TRAIN = config.Train(epochs=3, batch_size=8, lr=5e-3, warmup_steps=4, keep="best")


@pytest.fixture(scope="module")
def tokenizer():
    return text.WordTokenizer.train(CAPTIONS)


@pytest.fixture(scope="module")
def z():
    return bridge.unit(np.random.default_rng(0).standard_normal((len(CAPTIONS), 16)).astype(np.float32))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def new(tokenizer, settings=SETTINGS):
    seeds.seed_all(0, "model")
    return CaptionDecoder(settings, 16, tokenizer)


def run(model, z, tokens, folder, settings=TRAIN, half="noise", callback=None):
    examples = train.Examples(z, tokens)
    return train.train(
        model,
        bridge.train_half(half),
        bridge.Context(sigma=0.05),
        examples,
        examples,
        settings,
        1,
        folder,
        callback=callback,
    )


def test_loss_equals_the_naive_one(tokenizer, z):
    """One caption at a time, with a mask of its own and the textbook shift of labels."""
    model = new(tokenizer).eval()
    tokens = tokenizer.encode([CAPTIONS[0], "dog", CAPTIONS[5]])
    with torch.inference_mode():
        found = model(torch.from_numpy(z[:3]), pad(tokens))
        total = 0.0
        for row, ids in zip(z[:3], tokens, strict=True):
            words = model.gpt.transformer.wte(torch.tensor([ids]))
            inputs = torch.cat([model.prefix(torch.from_numpy(row[None])), words], dim=1)
            logits = model.gpt(inputs_embeds=inputs, attention_mask=torch.ones(inputs.shape[:2])).logits[0]
            log_p = logits.log_softmax(-1)
            total -= sum(log_p[SETTINGS.prefix_tokens - 1 + t, i] for t, i in enumerate(ids))
    assert found.item() == pytest.approx(total.item() / sum(map(len, tokens)), abs=1e-5)


def test_padding_never_matters(tokenizer, z):
    model = new(tokenizer).eval()
    tokens = pad(tokenizer.encode(CAPTIONS[:2]))
    wider = torch.nn.functional.pad(tokens, (0, 7), value=IGNORE)
    with torch.inference_mode():
        assert model(torch.from_numpy(z[:2]), tokens).item() == pytest.approx(
            model(torch.from_numpy(z[:2]), wider).item(), abs=1e-6
        )


def test_it_learns_to_invert_the_embeddings(tokenizer, z, tmp_path):
    model = new(tokenizer)
    settings = dataclasses.replace(TRAIN, epochs=60, lr=1e-2)
    history = run(model, z, tokenizer.encode(CAPTIONS), tmp_path, settings, half="baseline")
    assert history[-1]["train_loss"] < 0.1 < history[0]["train_loss"]
    assert generate.generate(model, z) == CAPTIONS
    assert generate.generate(model, z[:5], beam=3) == CAPTIONS[:5]


def test_generation_equals_one_by_one_without_a_cache(tokenizer, z, tmp_path):
    model = new(tokenizer)
    run(model, z, tokenizer.encode(CAPTIONS), tmp_path)
    batched = generate.generate(model, z, max_tokens=9, batch_size=5)
    for row, caption in zip(z, batched, strict=True):
        inputs, ids = model.prefix(torch.from_numpy(row[None])), []
        while len(ids) < 9 and (not ids or ids[-1] != tokenizer.eos):
            ids.append(int(model.gpt(inputs_embeds=inputs, use_cache=False).logits[0, -1].argmax()))
            inputs = torch.cat([inputs, model.gpt.transformer.wte(torch.tensor([[ids[-1]]]))], dim=1)
        assert caption == tokenizer.decode(ids)


def test_a_caption_that_never_ends_keeps_its_last_word(tokenizer, z):
    """The published code dropped a word when the end token never came."""
    model = new(tokenizer).eval()
    model.gpt.lm_head = torch.nn.Linear(SETTINGS.width, tokenizer.vocabulary_size)
    with torch.no_grad():
        model.gpt.lm_head.bias[tokenizer.encode(["dog"])[0][0]] = 100.0
    assert generate.generate(model, z[:2], max_tokens=4) == ["dog dog dog dog"] * 2


def test_same_seed_same_weights_and_save_load(tokenizer, z, tmp_path):
    tokens = tokenizer.encode(CAPTIONS)
    a, b = new(tokenizer), new(tokenizer)
    assert run(a, z, tokens, tmp_path / "a")[-1]["train_loss"] == run(b, z, tokens, tmp_path / "b")[-1]["train_loss"]
    a.save(tmp_path / "saved")
    loaded = CaptionDecoder.load(tmp_path / "saved")
    for (name, x), y in zip(b.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(x, y), name
    assert generate.generate(a, z) == generate.generate(loaded, z)
    with pytest.raises(FileNotFoundError, match="decoder.json is missing"):
        CaptionDecoder.load(tmp_path / "nowhere")


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_killed_training_goes_on_to_the_same_weights(tokenizer, z, tmp_path, keep, monkeypatch):
    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)

    class Killed(Exception):
        pass

    def kill(history):
        if len(history) == 2:
            raise Killed

    tokens, settings = tokenizer.encode(CAPTIONS), dataclasses.replace(TRAIN, epochs=4, keep=keep)
    settings_dropout = dataclasses.replace(SETTINGS, dropout=0.2)
    whole = new(tokenizer, settings_dropout)
    history = run(whole, z, tokens, tmp_path / "whole", settings)
    with pytest.raises(Killed):
        run(new(tokenizer, settings_dropout), z, tokens, tmp_path / "cut", settings, callback=kill)
    again, epochs = new(tokenizer, settings_dropout), []
    resumed = run(again, z, tokens, tmp_path / "cut", settings, callback=lambda h: epochs.append(h[-1]["epoch"]))
    assert epochs == [3, 4]
    assert [h["train_loss"] for h in resumed] == [h["train_loss"] for h in history]
    for (name, x), y in zip(whole.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(x, y), name
    assert not list((tmp_path / "cut").glob("[!.]*.safetensors"))  # the state is hidden, no part of an artefact


def test_best_keeps_the_epoch_with_the_lowest_validation_loss(tokenizer, z, tmp_path):
    tokens = tokenizer.encode(CAPTIONS)
    model, half, context = new(tokenizer), bridge.train_half("baseline"), bridge.Context()
    other = train.Examples(z, tokens[::-1])  # learning the one unlearns the other
    settings = dataclasses.replace(TRAIN, epochs=25, lr=2e-2)
    history = train.train(model, half, context, train.Examples(z, tokens), other, settings, 0, tmp_path)
    losses = [h["validation_loss"] for h in history]
    assert losses.index(min(losses)) < 24  # else the test shows nothing
    assert train.evaluate(model, half, context, other, 8, 0) == pytest.approx(min(losses), abs=1e-6)


def test_every_epoch_sees_every_caption_once_in_another_order():
    tokens = [[1] * n for n in np.random.default_rng(0).integers(3, 20, 50)]
    first, second = (np.concatenate(list(train._batches(tokens, 8, seeds.rng(0, e)))) for e in range(2))
    assert sorted(first) == sorted(second) == list(range(50)) and not np.array_equal(first, second)
    assert all(len(batch) <= 8 for batch in train._batches(tokens, 8, seeds.rng(0, 0)))


def test_examples_that_do_not_belong_together_are_refused(z):
    with pytest.raises(ValueError, match="one embedding a caption"):
        train.Examples(z, [[1]])
    with pytest.raises(ValueError, match="keep = last"):
        train.train(None, steps.plain, bridge.Context(), train.Examples(z[:1], [[1]]), None, TRAIN, 0, None)


QUESTIONS = ["who", "where is it", "what does it do"]


def asked(tokenizer, z):
    """Three questions about each embedding, of one to four words, and their answers."""
    words = [caption.split() for caption in CAPTIONS]
    answers = [answer for a, thing, does, *_, place in words for answer in (f"a {thing}", f"in the {place}", does)]
    return np.repeat(z, 3, axis=0), answers, QUESTIONS * len(z)


@pytest.fixture(scope="module")
def asking():
    return text.WordTokenizer.train([*CAPTIONS, *QUESTIONS])


def test_the_loss_leaves_out_the_prompt_and_equals_the_naive_one(asking, z):
    model = new(asking).eval()
    rows, answers, questions = asked(asking, z)
    examples = train.Examples(rows, asking.encode(answers), asking.encode(questions))
    found, n = train._loss(model, rows, examples.rows, np.arange(6), examples.prompted)
    total = 0.0
    with torch.inference_mode():
        for row, prompt, ids in zip(rows[:6], examples.prompts, examples.tokens, strict=False):
            words = model.gpt.transformer.wte(torch.tensor([prompt + ids]))
            logits = model.gpt(inputs_embeds=torch.cat([model.prefix(torch.from_numpy(row[None])), words], 1)).logits[0]
            first = SETTINGS.prefix_tokens + len(prompt) - 1
            total -= sum(logits.log_softmax(-1)[first + t, i].item() for t, i in enumerate(ids))
    assert n == sum(map(len, examples.tokens[:6]))
    assert found.item() == pytest.approx(total / n, abs=1e-5)


def test_a_decoder_learns_to_answer_what_it_is_asked(asking, z, tmp_path):
    model, (rows, answers, questions) = new(asking), asked(asking, z)
    examples = train.Examples(rows, asking.encode(answers), asking.encode(questions))
    settings = dataclasses.replace(TRAIN, epochs=90, batch_size=12, lr=1e-2)
    train.train(model, bridge.train_half("baseline"), bridge.Context(), examples, examples, settings, 0, tmp_path)
    assert generate.generate(model, rows, prompts=questions, batch_size=7) == answers  # of mixed lengths, in order
    assert generate.generate(model, z, prompts=["who"] * len(z)) == answers[::3]
    assert generate.generate(model, z[:4], 3, prompts=["where is it"] * 4) == answers[1:12:3]


def test_prompts_that_do_not_belong_or_do_not_fit_are_refused(asking, z):
    tokens = asking.encode(CAPTIONS)
    with pytest.raises(ValueError, match="one prompt a caption"):
        train.Examples(z, tokens, tokens[:1])
    with pytest.raises(ValueError, match="128 positions; fix: shorten"):
        generate.generate(new(asking), z[:1], prompts=["who " * 120])
    too_long = train.Examples(z[:1], tokens[:1], [[1] * 127])
    with pytest.raises(ValueError, match="128 positions; fix: shorten"):
        train.train(new(asking), steps.plain, bridge.Context(), too_long, too_long, TRAIN, 0, None)
