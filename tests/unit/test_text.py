"""Normalisation policies and tokenizers."""

import json
import re
import sys
import unicodedata

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers

from aaclib import text
from aaclib.clap import tiny_words
from aaclib.metrics import label_recall
from aaclib.text import NORMALISE, TextError, Tokenizer, WordTokenizer, normalise

CAPTIONS = ["A dog barks, twice!", "Rain falls; the dogs' owner doesn't mind.", "a near-by bell rings at 3 o'clock"]


@pytest.mark.parametrize(
    "policy,expected",
    [
        ("none", "A dog's  bark, (twice) near-by!"),
        ("lower", "a dog's bark, (twice) near-by!"),
        ("lower-nopunct", "a dog's bark twice near by"),
        ("wavcaps", "a dog's bark twice near-by"),
    ],
)
def test_policies(policy, expected):
    assert normalise(["A dog's  bark, (twice) near-by!"], policy) == [" ".join(expected.split())]


def test_typographic_quotes_are_plain_ones():
    assert normalise(["The dog\u2019s \u201cbark\u201d", "don`t"], "lower-nopunct") == ["the dog's bark", "don't"]


@given(st.text(), st.sampled_from(list(NORMALISE)))
def test_policies_are_stable_and_tidy(raw, policy):
    once = NORMALISE[policy](raw)
    assert NORMALISE[policy](once) == once == " ".join(once.split())


LETTERS_AND_MARKS = st.text(st.characters(categories=["L", "M", "N", "Zs"]), max_size=12)


@given(LETTERS_AND_MARKS)
def test_no_letter_mark_or_digit_is_lost(raw):
    kept = unicodedata.normalize("NFC", unicodedata.normalize("NFC", raw).lower()).split()
    assert NORMALISE["lower-nopunct"](raw).split() == kept
    assert "".join(tiny_words.split(raw)).strip() == "".join(kept[: tiny_words.MAX_WORDS])


@given(st.text(st.characters(categories=["L", "M", "N", "P", "Zs"])), st.sampled_from(["lower", "lower-nopunct"]))
def test_an_accent_is_the_same_however_it_was_written(raw, policy):
    assert NORMALISE[policy](unicodedata.normalize("NFC", raw)) == NORMALISE[policy](unicodedata.normalize("NFD", raw))


def test_the_pattern_of_marks_is_unicode_s():
    pattern = re.compile(f"[{text.MARKS}]")
    marks = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M"]
    assert len(marks) > 2000 and all(map(pattern.match, marks))
    assert not any(map(pattern.match, "aZ9 _'-\u00e9\u200d\u4e00"))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("कुत्ता भौंकता है।", 3),
        ("หมากำลังเห่า", 1),
        ("Un cafe\u0301 bru\u0302lant.", 3),
        ("می\u200cخواهم", 1),
        ("a \u2764\ufe0f dog \U0001f468\u200d\U0001f469 barks", 3),
        ("rock'n'roll, dogs' 3rd can_t", 5),
    ],
)
def test_words_stay_whole_in_other_scripts(raw, words):
    said = NORMALISE["lower-nopunct"](raw)
    tokenizer = WordTokenizer.train([said])
    (ids,) = tokenizer.encode([said])
    assert len(said.split()) == words == len(ids) - 1 and tokenizer.decode(ids) == said
    assert len(tiny_words.split(said)) >= words


def test_labels_are_heard_in_other_scripts_too():
    found = label_recall.label_recall(["un cafe\u0301 noir", "कुत्ता"], [["Café"], ["कुत्ता", "कता"]])
    assert found["label_recall"].per_clip.tolist() == [1.0, 0.5]


def test_empty_and_unknown():
    with pytest.raises(TextError, match=r"Caption 1 \('\.\.\.'\) is empty"):
        normalise(["ok", "..."], "lower-nopunct")
    with pytest.raises(TextError, match="no text policy 'upper'"):
        normalise(["ok"], "upper")


@given(st.lists(st.sampled_from("a dog barks twice while the rain falls don't 3rd".split()), min_size=1, max_size=12))
def test_words_round_trip(words):
    tokenizer = WordTokenizer.train(["a dog barks twice while the rain falls don't 3rd"])
    caption = " ".join(words)
    (ids,) = tokenizer.encode([caption])
    assert ids[-1] == tokenizer.eos and len(ids) == len(words) + 1 and tokenizer.decode(ids) == caption


def test_special_ids_and_unknown_words():
    tokenizer = WordTokenizer.train(normalise(CAPTIONS, "lower-nopunct"))
    assert (tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos) == (0, 1, 2, 3)
    (ids,) = tokenizer.encode(["a zebra barks"])
    assert ids[1] == tokenizer.unk and tokenizer.decode(ids) == "a barks"  # no [UNK] in a caption
    assert tokenizer.decode([2, *ids, 5, 0, 0]) == "a barks"  # what follows the end is not read
    assert tokenizer.decode([3]) == tokenizer.decode([]) == ""


def test_a_cut_caption_has_no_end():
    tokenizer = WordTokenizer.train(CAPTIONS)
    long, short = tokenizer.encode(["A dog barks, twice!", "A dog"], max_tokens=3)
    assert len(long) == 3 and long[-1] != tokenizer.eos and short[-1] == tokenizer.eos and len(short) == 3
    with pytest.raises(TextError, match="has no tokens"):
        tokenizer.encode(["a", "  "])


def test_vocabulary_is_limited_ordered_and_independent_of_order():
    captions = ["b b b a a c c d"] * 2
    small = WordTokenizer.train(captions, vocabulary=6)
    assert small.vocabulary_size == 6 and small.decode(small.encode(["b a c d"])[0]) == "b a"
    assert WordTokenizer.train(CAPTIONS).digest == WordTokenizer.train(CAPTIONS[::-1]).digest
    assert WordTokenizer.train(CAPTIONS).digest != WordTokenizer.train(CAPTIONS[:2]).digest
    with pytest.raises(TextError, match="no words"):
        WordTokenizer.train([])


def test_saved_and_loaded_is_the_same(tmp_path):
    tokenizer = WordTokenizer.train(CAPTIONS)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    assert again.digest == tokenizer.digest and again.encode(CAPTIONS) == tokenizer.encode(CAPTIONS)
    assert again.decode_batch(again.encode(CAPTIONS)) == tokenizer.decode_batch(tokenizer.encode(CAPTIONS))
    (tmp_path / "broken.json").write_text(json.dumps({"ids": {}}))
    with pytest.raises(TextError, match="is no tokenizer of this suite"):
        Tokenizer.load(tmp_path / "broken.json")
    with pytest.raises(TextError, match="There is no tokenizer at"):
        Tokenizer.load(tmp_path / "gone.json")


def bert_folder(folder, words):
    """The files of a BERT tokenizer with this vocabulary."""
    from transformers import BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    core = tokenizers.Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    core.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = tokenizers.decoders.WordPiece()
    BertTokenizerFast(tokenizer_object=core).save_pretrained(folder)
    return folder


def test_bert_like_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = "a dog bark ##s ##ing rain fall ' don t the , . wind bell ring and in while".split()
    tokenizer = text.pretrained(bert_folder(tmp_path / "bert", words))
    assert (tokenizer.pad, tokenizer.bos, tokenizer.eos) == (0, 2, 3) and tokenizer.vocabulary_size == 5 + len(words)
    (ids,) = tokenizer.encode(["A dog barks, and the bell rings."], max_tokens=22)
    assert ids[0] == 5 and ids[-1] == 3  # no [CLS]: the prefix stands there
    assert tokenizer.decode(ids) == "a dog barks, and the bell rings."
    tokenizer.save(tmp_path / "t.json")
    assert Tokenizer.load(tmp_path / "t.json").digest == tokenizer.digest
    assert text.make_tokenizer(str(tmp_path / "bert"), []).digest == tokenizer.digest
    assert text.make_tokenizer("words", CAPTIONS).digest == WordTokenizer.train(CAPTIONS, 5000).digest


def test_missing_and_empty_pretrained_tokenizers(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TextError, match="knows 7 tokens"):
        text.pretrained(bert_folder(tmp_path / "tiny", ["a", "b"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(TextError, match="does not hold the tokenizer files|tokens"):
        text.pretrained(tmp_path / "empty")
