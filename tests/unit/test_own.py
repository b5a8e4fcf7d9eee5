"""CLAPs, data sets and metrics of one's own: known after one call, named by what they do, refused where they clash."""

import numpy as np
import pytest
import torch
from toy_clap import ToyClap

from aaclib import clap, config, datasets, metrics, own, plots
from aaclib.clap.base import Backend
from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError, Split
from aaclib.metrics import Result
from aaclib.store import Store

CANDIDATES, REFERENCES = ["A dog barks.", "rain"], [["a dog"], ["it rains", "rain falls"]]


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    for name in ("CLAPS", "DATASETS", "METRICS"):
        monkeypatch.setattr(own, name, {})


def words(candidates, references):
    return [len(candidate.split()) for candidate in candidates]


class Mine:
    name, title, synthetic = "mine", "My recordings", False

    def __init__(self, data):
        self.data = data

    def split(self, name, audio=False):
        return Split("mine", name, (Clip("a.wav", ("a dog barks",)),))


# ---- metrics


def test_a_metric_of_ones_own_is_scored_per_clip_and_for_the_corpus(monkeypatch):
    metrics.register("words", words, label="Words")
    scores = metrics.evaluate(CANDIDATES, REFERENCES, ["words", "rouge_l"], tokenize=False, store=False)
    assert scores.per_clip.words.tolist() == [3, 1] and scores.corpus["words"] == 2
    assert set(scores.corpus) == {"words", "rouge_l"} and plots.METRIC_LABELS["words"] == "Words"
    monkeypatch.setattr(metrics, "NAMES", ("rouge_l",))
    assert set(metrics.evaluate(CANDIDATES, REFERENCES, tokenize=False, store=False).corpus) == {"words", "rouge_l"}
    assert plots.METRIC_LABELS["rouge_l"] == "ROUGE-L"


def test_settings_know_a_metric_only_once_it_is_registered():
    with pytest.raises(config.ConfigError, match="metrics.register"):
        config.load("quick", {"metrics.names": ["words"]})
    metrics.register("words", words)
    assert config.load("quick", {"metrics.names": ["words"], "metrics.headline": "words"}).metrics.names == ("words",)


def test_tokens_by_default_text_as_written_with_raw(monkeypatch):
    monkeypatch.setattr(metrics.ptb, "tokenise", lambda texts, store: [text.lower().strip(".") for text in texts])
    monkeypatch.setattr(metrics.ptb, "identity", lambda: {"tokenizer": 1})
    seen = {}
    for raw in (False, True):
        metrics.register("seen", lambda c, r, raw=raw: [seen.setdefault((raw, text), 1.0) for text in c], raw=raw)
        metrics.evaluate(["A Dog."], [["a dog"]], ["seen"], store=False)
        assert ("tokenizer" in metrics.identity("seen")) == (not raw)
    assert (False, "a dog") in seen and (True, "A Dog.") in seen
    assert (False, "A Dog.") not in seen and (True, "a dog") not in seen


def test_a_changed_metric_is_computed_anew_even_where_only_a_global_changed(tmp_path):
    factor, store, calls = {"of": 1}, Store(tmp_path), []

    def scaled(candidates, references):
        if len(candidates) == 2:  # not the probe
            calls.append(factor["of"])
        return [factor["of"] * len(text.split()) for text in candidates]

    def corpus():
        return metrics.evaluate(CANDIDATES, REFERENCES, ["scaled"], tokenize=False, store=store).corpus["scaled"]

    metrics.register("scaled", scaled)
    assert (corpus(), corpus(), calls) == (2, 2, [1])
    factor["of"] = 10
    assert (corpus(), calls) == (20, [1, 10])
    factor["of"] = 1
    assert (corpus(), calls) == (2, [1, 10])  # kept
    metrics.register("scaled", scaled, made_by={"weights": "other"})
    assert (corpus(), calls) == (2, [1, 10, 1])


def test_a_clip_without_a_value_is_named_and_a_wrong_shape_is_an_error():
    metrics.register("half", lambda c, r: [np.nan if text == "rain" else 1.0 for text in c])
    scores = metrics.evaluate(CANDIDATES, REFERENCES, ["half"], tokenize=False, store=False)
    assert np.isnan(scores.per_clip.half[1]) and "half" not in scores.corpus
    assert "1 of 2 clips have no score; clip 1" in scores.missing["half"]
    metrics.register("one", lambda c, r: 1.0)
    with pytest.raises(metrics.MetricError, match="one: expected 3 numbers, found an array of \\(\\)"):
        metrics.evaluate(CANDIDATES, REFERENCES, ["one"], tokenize=False, store=False)


@pytest.mark.parametrize("name", ["cider_d", "spider_fl", "self_r@3", "label_recall", "", "two words", "self_rated"])
def test_names_that_would_clash_are_refused(name):
    with pytest.raises(ValueError, match=f"'{name}'"):
        metrics.register(name, words)
    assert not own.METRICS


def test_a_registered_metric_is_like_a_module():
    metrics.register("words", words)
    (result,) = metrics._module("words").compute(["a b"], [["c"]]).values()
    assert isinstance(result, Result) and result.statistics.shape == (1, 1)


# ---- CLAPs


def test_a_clap_of_ones_own_loads_by_its_name():
    clap.register("mine", ToyClap)
    z = clap.load("mine", "cpu").embed_text(["a bad cab", "fed"])
    assert z.shape == (2, 6) and np.allclose(np.linalg.norm(z, axis=1), 1)
    assert config.load("quick", {"clap.backend": "mine"}).clap.backend == "mine"
    assert clap.from_recipe(tuple(sorted(clap.load("mine", "cpu").recipe.items()))).name == "toy"


def test_what_stands_after_the_colon_is_given_to_the_maker():
    asked = []

    def make(*name, device=None, **options):
        asked.append((*name, options))
        return ToyClap(device)

    clap.register("mine", make)
    clap.load("mine", "cpu")
    clap.load("mine:a/b?size=3", "cpu")
    assert asked == [({},), ("a/b", {"size": "3"})]


def test_the_code_of_a_clap_names_its_embeddings():
    class Other(ToyClap):
        def text_batch(self, texts):
            return -super().text_batch(texts)

    clap.register("mine", ToyClap)
    first = clap.load("mine", "cpu").settings()
    clap.register("mine", Other)
    second = clap.load("mine", "cpu").settings()
    assert first["digest"] == second["digest"] and first != second
    assert clap.load("toy_clap:ToyClap", "cpu").settings() == first
    assert "source" not in Backend.settings(ToyClap("cpu"))  # this package's own have versions


def test_a_clap_without_a_digest_is_refused():
    class Nameless(ToyClap):
        digest = ""

    clap.register("mine", Nameless)
    with pytest.raises(ValueError, match="set self.digest"):
        clap.load("mine", "cpu")


def test_an_unregistered_clap_is_named_with_the_remedy():
    with pytest.raises(config.ConfigError, match="my_module:MyClass"):
        config.load("quick", {"clap.backend": "mine"})
    with pytest.raises(ValueError, match="another process registered"):
        clap.load("mine")
    with pytest.raises(ValueError, match="'hf'"):
        clap.register("hf", ToyClap)


# ---- data sets


def test_a_data_set_of_ones_own_is_loaded_by_its_name():
    with pytest.raises(DatasetError, match="no data set 'mine'"):
        datasets.load("mine", Data())
    assert datasets.register("mine", Mine) == "mine"
    assert datasets.load("mine", Data()).split("train").captions == ["a dog barks"]
    assert datasets.absent("mine", Data()) == ""
    with pytest.raises(ValueError, match="'clotho'"):
        datasets.register("clotho", Mine)


# ---- other processes, and code that Python cannot look up


def test_what_is_registered_can_be_told_to_another_process(monkeypatch):
    clap.register("mine", ToyClap)
    datasets.register("mine", Mine)
    metrics.register("words", words)
    told = own.registered()
    for name in ("CLAPS", "DATASETS", "METRICS"):
        monkeypatch.setattr(own, name, {})
    own.know(told)
    assert (
        own.CLAPS["mine"].make is ToyClap and own.DATASETS["mine"].make is Mine and own.METRICS["words"].make is words
    )


def test_the_source_of_a_class_that_python_cannot_look_up_is_that_of_its_methods():
    made = type("Made", (), {"text_batch": words, "dim": 3})
    made.__module__ = "builtins"
    assert own.source(made).startswith("Made\ndef words(candidates") and own.source(words).startswith("def words")
    assert own.source(torch.nn.ReLU()) == "ReLU"
