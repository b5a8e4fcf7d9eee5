"""An output layer for the tokens of the training text alone: it differs from the published one in no other token."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_text import bert_folder

from aaclib import bridge, config, generate, text, train
from aaclib.decoder import CaptionDecoder, named, pad

WORDS = "a dog bark ##s ##ing rain fall the , . wind bell ring and in while zebra siren ##d gull".split()
CAPTIONS = ["A dog barks, and the bell rings.", "rain falls in the wind", "the dog barking while rain falls"]
SETTINGS = config.Decoder(layers=2, heads=2, width=32, dropout=0.0, tokenizer="bert-base-uncased", max_tokens=20)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return text.pretrained(bert_folder(tmp_path_factory.mktemp("bert"), WORDS))


@pytest.fixture(scope="module")
def seen(whole):
    return whole.narrowed(CAPTIONS)


@pytest.fixture(scope="module")
def z():
    return bridge.unit(np.random.default_rng(0).standard_normal((len(CAPTIONS), 16)).astype(np.float32))


def test_captions_are_cut_alike_and_map_back_exactly(whole, seen, tmp_path):
    ours, theirs = seen.encode(CAPTIONS), whole.encode(CAPTIONS)
    assert [[seen.seen[i] for i in row] for row in ours] == theirs
    assert seen.decode_batch(ours) == whole.decode_batch(theirs) and seen.decode(ours[1]) == CAPTIONS[1]
    assert [[seen.token(i) for i in row] for row in ours] == [[whole.token(i) for i in row] for row in theirs]
    used = {i for row in theirs for i in row} | {whole.pad, whole.unk, whole.bos, whole.eos}
    assert seen.vocabulary_size == len(used) < whole.vocabulary_size
    seen.save(tmp_path / "tokenizer.json")
    again = text.Tokenizer.load(tmp_path / "tokenizer.json")
    assert again.digest == seen.digest != whole.digest and again.seen == seen.seen
    assert again.encode(["a zebra rings"]) == seen.encode(["a zebra rings"])


def test_a_token_of_no_training_caption_is_unknown_and_never_cut_otherwise(whole, seen):
    """Not into smaller pieces that the training text has: what is known is read as the published form reads it."""
    (ids,), (old,) = seen.encode(["a zebra barks"]), whole.encode(["a zebra barks"])
    assert ids[1] == seen.unk and [seen.seen[i] for i in ids[2:]] == old[2:] and ids[0] == seen.encode(["a"])[0][0]
    assert seen.token(seen.unk) == "[UNK]" and seen.decode(ids) == "a barks"


def test_a_tokenizer_without_an_unknown_token_gets_one(whole):
    """Of one that writes any text by bytes, `unk` is the end: an unseen token must not end a caption."""
    bytes_like = text.Tokenizer(whole.core, whole.eos, whole.eos, whole.eos, whole.eos)
    seen = bytes_like.narrowed(CAPTIONS)
    (ids,) = seen.encode(["a zebra barks"])
    assert ids[1] == seen.unk == seen.vocabulary_size - 1 != seen.eos and seen.token(seen.unk) == "[UNK]"
    assert seen.decode(ids) == "a barks"


def twins(whole, seen):
    """The decoder of all tokens and the one of seen tokens, with the same weights."""
    torch.manual_seed(0)
    full = CaptionDecoder(replace(SETTINGS, tokens="all"), 16, whole)
    ours = CaptionDecoder(SETTINGS, 16, seen)
    state = full.state_dict()
    for name in ("gpt.transformer.wte.weight", "gpt.lm_head.weight"):
        state[name] = state[name][seen.seen]
    ours.load_state_dict(state)
    return full, ours


def masked_loss(full, z, tokens, seen):
    """The published form, with the logits of tokens that no caption has masked: the naive twin."""
    words = full.gpt.transformer.wte(tokens[:, :-1].clamp(min=0))
    logits = full.gpt(inputs_embeds=torch.cat([full.prefix(z), words], dim=1)).logits
    mask = torch.full((full.tokenizer.vocabulary_size,), -torch.inf)
    mask[seen.seen] = 0
    return torch.nn.functional.cross_entropy((logits + mask).flatten(0, 1), tokens.flatten(), ignore_index=-100)


def test_training_equals_the_published_form_but_for_tokens_that_are_never_used(whole, seen, z):
    full, ours = twins(whole, seen)
    theirs, own = whole.encode(CAPTIONS), seen.encode(CAPTIONS)
    settings = config.Train(lr=1e-3, weight_decay=0.02)
    optimizers = train.adamw(full, settings), train.adamw(ours, settings)
    before = full.gpt.transformer.wte.weight.detach().clone()
    for _ in range(5):
        loss = masked_loss(full, torch.from_numpy(z), pad(theirs), seen)
        optimizers[0].zero_grad()
        loss.backward()
        unused = [i for i in range(whole.vocabulary_size) if i not in seen.seen]
        assert not full.gpt.transformer.wte.weight.grad[unused].any()
        torch.nn.utils.clip_grad_norm_(full.parameters(), 1.0)
        optimizers[0].step()
        found, n = train.step(ours, optimizers[1], z, own, np.arange(len(own)))
        assert found.item() == pytest.approx(loss.item(), abs=1e-5) and n == sum(map(len, own))
    for (name, a), b in zip(full.named_parameters(), ours.parameters(), strict=True):
        a = a[seen.seen] if "wte" in name else a
        # AdamW divides a gradient by its own size: one that is almost nothing keeps a sign alone
        assert torch.allclose(a, b, atol=1e-3) and (a - b).abs().mean() < 1e-5, name
    assert not torch.equal(full.gpt.transformer.wte.weight, before)


def test_it_says_the_same(whole, seen, z):
    full, ours = twins(whole, seen)
    mask = torch.full((whole.vocabulary_size,), -torch.inf)
    mask[seen.seen] = 0
    full.gpt.lm_head.register_forward_hook(lambda module, given, logits: logits + mask)
    for beam in (1, 3):
        assert generate.generate(ours, z, beam, 8) == generate.generate(full, z, beam, 8)


def test_the_setting_names_a_decoder_only_where_tokens_are_left_out(whole, seen, tmp_path):
    """Decoders of words, and those of all tokens, are named and saved as before there was the setting."""
    before = {name for name in vars(SETTINGS) if name != "tokens"}
    for kind in ({"tokenizer": "words"}, {"tokenizer": "words", "tokens": "all"}, {"tokens": "all"}):
        assert set(named(replace(SETTINGS, **kind))) == before
    assert named(SETTINGS)["tokens"] == "seen" and config.load("paper").decoder.tokens == "seen"
    for tokenizer, tokens in ((whole, "all"), (seen, "seen")):
        CaptionDecoder(replace(SETTINGS, tokens=tokens), 16, tokenizer).save(tmp_path / tokens)
        again = CaptionDecoder.load(tmp_path / tokens)
        assert again.settings.tokens == tokens and again.tokenizer.digest == tokenizer.digest
        assert again.gpt.lm_head.weight.shape[0] == tokenizer.vocabulary_size


def test_the_profile_decides_which(whole, seen, tmp_path):
    folder = str(bert_folder(tmp_path / "bert", WORDS))
    assert text.make_tokenizer(folder, CAPTIONS, tokens="seen").digest == seen.digest
    assert text.make_tokenizer(folder, CAPTIONS, tokens="all").digest == whole.digest
