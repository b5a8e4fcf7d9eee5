"""Several captions for a clip and the choice among them: against naive twins, whatever the batches."""

from __future__ import annotations

import math
from collections import Counter

import made
import numpy as np
import pytest
import torch
from test_decoder import CAPTIONS, new

from aaclib import bridge, candidates, captions, generate, text
from aaclib.metrics import cider_d

TEXTS = [[CAPTIONS[i], CAPTIONS[i + 1]] for i in range(0, len(CAPTIONS), 2)]


@pytest.fixture(scope="module")
def model():
    return new(text.WordTokenizer.train(CAPTIONS)).eval()


@pytest.fixture(scope="module")
def z():
    return bridge.unit(np.random.default_rng(0).standard_normal((7, 16)).astype(np.float32))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder)
    return made.run_of(folder, folder / "store", **{"train.epochs": 6, "generate.samples": 4})


# ---- candidates


def test_the_best_of_a_beam_comes_first_and_all_differ(model, z):
    found = generate.several(model, z, 4, max_tokens=6, num_beams=4)
    assert [best for best, *_ in found] == generate.generate(model, z, beam=4, max_tokens=6)
    ids = [[tuple(model.tokenizer.encode([one])[0]) for one in some if one] for some in found]
    assert all(len(set(some)) == len(some) for some in ids) and all(len(some) == 4 for some in found)


@pytest.mark.parametrize("batch_size", [1, 3, 5, 100])
def test_draws_do_not_depend_on_the_batch(model, z, batch_size):
    whole = candidates.sampled(model, z, 3, 1.0, max_tokens=6, batch_size=1000)
    assert candidates.sampled(model, z, 3, 1.0, max_tokens=6, batch_size=batch_size) == whole
    assert candidates.sampled(model, z[4:6], 3, 1.0, max_tokens=6) == whole[4:6]
    assert len({one for some in whole for one in some}) > len(z)  # rows and draws differ


def test_a_cold_draw_is_greedy_and_no_draw_is_none(model, z):
    cold = candidates.sampled(model, z, 2, 1e-6, max_tokens=6)
    assert cold == [[one, one] for one in generate.generate(model, z, max_tokens=6)]
    assert candidates.sampled(model, z, 0, 1.0) == [[]] * len(z)


def test_draws_have_the_probabilities_of_the_softmax(model, z):
    drawn = candidates.sampled(model, z[:1], 4000, 0.5, max_tokens=1, batch_size=4000)[0]
    with torch.inference_mode():
        logits = model.gpt(inputs_embeds=model.prefix(torch.from_numpy(z[:1]))).logits[0, -1]
    expected = Counter()
    for i, p in enumerate((logits / 0.5).softmax(-1).tolist()):
        expected[model.tokenizer.decode([i])] += p
    counts = Counter(drawn)
    assert max(abs(counts[word] / 4000 - p) for word, p in expected.items()) < 0.03


def test_beam_search_may_be_told_to_repeat_nothing(model, z):
    def trigrams(caption):
        words = caption.split()
        return Counter(zip(words, words[1:], words[2:], strict=False))

    plain = generate.generate(model, z, beam=3, max_tokens=20)
    told = generate.generate(model, z, beam=3, max_tokens=20, no_repeat_ngram_size=3, repetition_penalty=1.2)
    assert max(max(trigrams(one).values(), default=0) for one in plain) > 1  # an untrained decoder babbles
    assert max(max(trigrams(one).values(), default=0) for one in told) == 1


# ---- the choice


def naive_cider_d(one, other, texts):
    """CIDEr-D of a caption against one reference, by its formula, document frequencies of `texts`."""

    def ngrams(caption, n):
        words = caption.split()
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    def weights(caption, n):
        seen = {gram: sum(any(gram in ngrams(c, n) for c in text) for text in texts) for gram in ngrams(caption, n)}
        return {
            gram: k * (math.log(len(texts)) - math.log(max(1, seen[gram]))) for gram, k in ngrams(caption, n).items()
        }

    total = 0.0
    for n in (1, 2, 3, 4):
        a, b = weights(one, n), weights(other, n)
        dot = sum(min(a[gram], b[gram]) * b[gram] for gram in a.keys() & b.keys())
        norms = math.sqrt(sum(v * v for v in a.values())) * math.sqrt(sum(v * v for v in b.values()))
        total += dot / norms if norms else 0.0
    gap = sum(ngrams(one, 2).values()) - sum(ngrams(other, 2).values())
    return 10 * total / 4 * math.exp(-(gap**2) / (2 * 6.0**2))


def test_mbr_is_the_double_loop():
    rng = np.random.default_rng(0)
    words = " ".join(CAPTIONS).split()
    clips = [list(rng.choice(CAPTIONS, 4)) + [" ".join(rng.choice(words, 5)), CAPTIONS[0], ""] for _ in range(12)]
    expected, different = [], 0
    for clip in clips:
        mean = [
            np.mean([naive_cider_d(one, other, TEXTS) for j, other in enumerate(clip) if j != i])
            for i, one in enumerate(clip)
        ]
        expected.append(max(mean))
        chosen = candidates.agreed([clip], TEXTS)[0]
        assert mean[clip.index(chosen)] == pytest.approx(max(mean), abs=1e-9)
        different += chosen != clip[0]
    assert candidates.agreed(clips, TEXTS) == [candidates.agreed([clip], TEXTS)[0] for clip in clips] and different


def test_the_similarity_is_the_metric_itself():
    references = [["a dog sings in the park"], ["a cat runs in the house"], ["a bell rings"]]
    frequency, size = cider_d.frequencies(references), math.log(3)
    said = ["a dog runs in the park", "a cat runs", "a bell"]
    whole = cider_d.compute(said, references)["cider_d"].per_clip
    for one, (reference,), value in zip(said, references, whole, strict=True):
        mine = cider_d.score(cider_d.vector(one, frequency, size), [cider_d.vector(reference, frequency, size)])
        assert mine == value == pytest.approx(naive_cider_d(one, reference, references))


@pytest.mark.parametrize(
    ("clip", "chosen"),
    [
        (["rain", "a dog sings", "a dog sings"], "a dog sings"),  # what is said twice agrees with itself
        (["A dog, sings.", "a dog sings"], "A dog, sings."),  # the first of equals, as it was written
        (["only one"], "only one"),
        (["", ""], ""),
    ],
)
def test_what_most_agree_on_is_chosen(clip, chosen):
    assert candidates.agreed([clip], TEXTS) == [chosen]


def test_refine_is_the_loop_over_cosines():
    rng = np.random.default_rng(1)
    known = {one: row for one, row in zip(CAPTIONS, bridge.unit(rng.standard_normal((len(CAPTIONS), 8))), strict=True)}
    clips = [["", *rng.choice(CAPTIONS, 5)] for _ in range(9)]
    z_a = bridge.unit(rng.standard_normal((9, 8)))
    expected = [
        max((one for one in clip if one), key=lambda one, audio=audio: known[one] @ audio)
        for clip, audio in zip(clips, z_a, strict=True)
    ]
    assert candidates.heard(clips, z_a, lambda some: np.array([known[one] for one in some])) == expected
    assert candidates.heard([["", " "]], z_a[:1], lambda some: pytest.fail("nothing to embed")) == [""]


# ---- in a run


def test_a_run_chooses_among_what_its_decoder_says(run):
    target, row = "folder", bridge.strategy("projection")
    trained, given = run.decoder(target, row.name, 0), captions.read(run, target, row, 0)
    made_ = captions.several(run, trained, given)
    assert {len(some) for some in made_} == {run.config.generate.beam + 4}
    assert [best for best, *_ in made_] == run.captions(target, row.name, 0, "beam")
    texts = run.texts(target, "train", 0)
    by_clip = [
        [c for c, k in zip(texts.captions, texts.clip, strict=True) if k == i] for i in range(texts.clip.max() + 1)
    ]
    assert run.captions(target, row.name, 0, "mbr") == candidates.agreed(made_, by_clip)
    clap, z_a = run.clap(0), run.audio(target, "evaluation", 0).z
    for some, audio, chosen in zip(made_, z_a, run.captions(target, row.name, 0, "refine"), strict=True):
        nearness = {one: float(clap.embed_text([one])[0] @ audio) for one in some if one.strip()}
        assert nearness[chosen] == pytest.approx(max(nearness.values()), abs=1e-6)
    assert captions.there(run, target, row, 0, trained.artefact, "mbr")
    with pytest.raises(ValueError, match="refine compares captions with recordings"):
        captions.write(run, trained, given.z, "refine")


def test_other_batches_choose_the_same_and_usual_captions_keep_their_names(run, tmp_path):
    from aaclib import sweep

    for decoding in ("mbr", "refine"):
        whole = run.captions("folder", "baseline", 0, decoding)
        assert sweep.at(run, {"generate.batch_size": 4}).captions("folder", "baseline", 0, decoding) == whole
    row = bridge.strategy("baseline")
    trained, given = run.decoder("folder", "baseline", 0), captions.read(run, "folder", row, 0)
    usual = captions.key(run, trained, given, "beam")
    assert set(usual) == {"decoder", "z", "beam", "max_tokens", "batch_size", "device"}
    for setting in ({"generate.no_repeat": 3}, {"generate.repetition_penalty": 1.2}):
        other = sweep.at(run, setting)
        assert captions.key(other, trained, given, "beam") != usual
        assert captions.key(other, trained, given, "greedy") == captions.key(run, trained, given, "greedy")
        assert captions.key(other, trained, given, "mbr") != captions.key(run, trained, given, "mbr")
