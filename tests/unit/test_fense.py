"""FENSE's models from a folder, with small stand-ins; its formulas are in the parity tests."""

import json

import numpy as np
import pytest

from aaclib import metrics
from aaclib.metrics import fense_models, fer, sbert_sim
from aaclib.metrics.result import MetricError, Unavailable
from aaclib.store import Store

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a dog barks rain falls on the roof loudly".split()
CANDIDATES = ["a dog barks", "rain falls on the roof, loudly!"]
REFERENCES = [["the dog barks", "a dog barks loudly"], ["rain falls"]]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A BERT of one layer in the three places; the detector's last bias decides what it finds."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("fense")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=128,
    )
    model, tokenizer = BertModel(config).eval(), BertTokenizerFast(str(folder / "vocab.txt"))
    model.save_pretrained(folder / "sbert")
    (folder / "sbert" / "1_Pooling").mkdir()
    (folder / "sbert" / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    for place in ("sbert", "bert"):
        tokenizer.save_pretrained(folder / place)
        config.save_pretrained(folder / place)
    state = {f"encoder.{name}": value for name, value in model.state_dict().items()}
    state |= {
        "encoder.embeddings.position_ids": torch.arange(128)[None],
        "clf.weight": torch.zeros(6, 16),
        "clf.bias": torch.tensor([-9.0] * 5 + [9.0]),
    }
    torch.save(
        {"model_type": "bert-base-uncased", "num_classes": 6, "state_dict": state}, folder / fense_models.ECHECKER
    )
    return folder


@pytest.fixture(autouse=True)
def chosen(monkeypatch, models):
    monkeypatch.setenv("AACLIB_FENSE", str(models))


def test_sbert_sim_against_one_caption_at_a_time(models):
    import torch

    tokenizer, model = fense_models.sbert(str(models / "sbert"))

    def naive(caption):
        with torch.inference_mode():
            rows = model(**tokenizer(caption, return_tensors="pt").to(model.device)).last_hidden_state[0]
        mean = rows.mean(0).cpu().numpy()
        return mean / np.linalg.norm(mean)

    assert len(tokenizer("dog barks")["input_ids"]) == 4
    found = sbert_sim.compute(CANDIDATES, REFERENCES)["sbert_sim"].per_clip
    expected = [np.mean([naive(c) @ naive(r) for r in refs]) for c, refs in zip(CANDIDATES, REFERENCES, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_fense_takes_nine_tenths_off_an_error():
    scores = metrics.evaluate(CANDIDATES, REFERENCES, ["sbert_sim", "fer", "fense"], store=False)
    assert scores.corpus["fer"] == 1
    np.testing.assert_allclose(scores.per_clip["fense"], 0.1 * scores.per_clip["sbert_sim"])


def test_the_detector_gives_six_probabilities():
    found = fer.probabilities(CANDIDATES * 20)
    assert found.shape == (40, 6) and (found[:, 5] > 0.99).all() and (found[:, :5] < 0.01).all()


def test_without_the_models_the_way_out_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("AACLIB_FENSE")
    with pytest.raises(Unavailable, match="set AACLIB_FENSE to a folder"):
        metrics.evaluate(CANDIDATES, REFERENCES, ["fense"], tokenize=False, store=False)
    monkeypatch.setenv("AACLIB_FENSE", str(tmp_path))
    with pytest.raises(Unavailable, match="echecker_clotho_audiocaps_base.ckpt is not there"):
        fense_models.location("echecker")


def test_another_model_in_the_same_place_gives_other_scores_and_a_copy_the_same(models, tmp_path, monkeypatch):
    """By content: what was scored with the model before is not taken for the new one's, in one process either."""
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    def score():
        return metrics.evaluate(CANDIDATES, REFERENCES, ["sbert_sim", "fer"], store=Store(tmp_path / "store")).corpus

    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "cache"))
    shutil.copytree(models, tmp_path / "copy")
    before, known = score(), [metrics.identity(module) for module in metrics.RAW]
    monkeypatch.setenv("AACLIB_FENSE", str(tmp_path / "copy"))
    assert [metrics.identity(module) for module in metrics.RAW] == known and score() == before
    weights = tmp_path / "copy" / "sbert" / "model.safetensors"
    torch.manual_seed(1)
    save_file({name: torch.rand_like(value) for name, value in load_file(weights).items()}, weights, {"format": "pt"})
    assert metrics.identity("sbert_sim") != known[0] and metrics.identity("fer") == known[1]
    after = score()
    assert after["sbert_sim"] != before["sbert_sim"] and after["fer"] == before["fer"]
    saved = torch.load(tmp_path / "copy" / fense_models.ECHECKER, weights_only=True)
    saved["state_dict"]["clf.bias"] *= -1
    torch.save(saved, tmp_path / "copy" / fense_models.ECHECKER)
    assert score() == {"sbert_sim": after["sbert_sim"], "fer": 0}


def test_a_model_of_the_hub_is_known_by_its_commit(tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert fense_models.content("bert-base-uncased") == ""
    for commit in ("1a" * 20, "2b" * 20):
        (tmp_path / "models--bert-base-uncased" / "snapshots" / commit).mkdir(parents=True)
        (tmp_path / "models--bert-base-uncased" / "snapshots" / commit / "config.json").write_text("{}")
        (tmp_path / "models--bert-base-uncased" / "refs").mkdir(exist_ok=True)
        (tmp_path / "models--bert-base-uncased" / "refs" / "main").write_text(commit)
        assert fense_models.content("bert-base-uncased") == commit


def test_another_checkpoint_is_refused(models, tmp_path):
    import torch

    torch.save({"num_classes": 6}, tmp_path / "other.ckpt")
    with pytest.raises(MetricError, match="other.ckpt: not a checkpoint of FENSE's"):
        fense_models.echecker(str(tmp_path / "other.ckpt"), str(models / "bert"))


def test_another_pooling_is_refused(models, tmp_path):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text("{}")
    with pytest.raises(MetricError, match="mean pooling"):
        fense_models.sbert(str(tmp_path))
