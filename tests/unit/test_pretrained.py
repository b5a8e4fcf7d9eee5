"""Models of others: code that comes with them is never run and nobody is asked; the refusal names the model."""

from __future__ import annotations

import ast
import io
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from test_text import bert_folder

from aaclib import clap, pretrained, text
from aaclib.clap.base import BackendError
from aaclib.metrics import fense_models
from aaclib.pretrained import ForeignCode

PACKAGE = Path(__file__).resolve().parents[2] / "aaclib"


@pytest.fixture(autouse=True)
def yes(monkeypatch):
    """Whoever asks is answered with yes."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 20))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def planted(tmp_path):
    """A folder whose code, if it is run, writes the file `ran` beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').write('x')\nclass T: pass\n")
    automatic = {
        "AutoConfig": "evil.T",
        "AutoModel": "evil.T",
        "AutoTokenizer": ["evil.T", "evil.T"],
        "AutoFeatureExtractor": "evil.T",
        "AutoProcessor": "evil.T",
    }
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": automatic}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Evil", "auto_map": automatic}))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"feature_extractor_type": "Evil", "auto_map": automatic})
    )
    return folder


def echecker(folder):
    state = {"clf.weight": torch.zeros(6, 2), "clf.bias": torch.zeros(6)}
    torch.save({"num_classes": 6, "state_dict": state}, folder / "checker.ckpt")
    return fense_models.echecker(str(folder / "checker.ckpt"), str(folder))


@pytest.mark.parametrize(
    "load",
    [
        text.pretrained,
        lambda folder: text.make_tokenizer(str(folder), []),
        lambda folder: pretrained.tokenizer(folder, BackendError, 99),
        lambda folder: clap.load(f"hf:{folder}", "cpu"),
        lambda folder: fense_models.sbert(str(folder)),
        echecker,
        lambda folder: pretrained.load("AutoModel", folder),
    ],
    ids=["decoder", "make", "clap", "hf", "sbert", "echecker", "model"],
)
def test_code_beside_a_model_is_not_run_whatever_is_answered(planted, load):
    with pytest.raises(ForeignCode, match=f"'{planted}' wants to run code of its own, which is never done here"):
        load(planted)
    assert not (planted.parent / "ran").exists()
    assert sys.stdin.read().count("y") == 20, "nobody was asked"


def test_a_tokenizer_that_transformers_knows_is_read_though_code_lies_beside_it(planted):
    known = bert_folder(planted.parent / "bert", [f"w{i}" for i in range(40)])
    settings = json.loads((known / "tokenizer_config.json").read_text())
    (known / "tokenizer_config.json").write_text(
        json.dumps({**settings, "auto_map": {"AutoTokenizer": ["evil.T", "evil.T"]}})
    )
    (known / "evil.py").write_text((planted / "evil.py").read_text())
    assert text.pretrained(known).vocabulary_size == 45
    assert not (planted.parent / "ran").exists()


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("new", [True, False])
def test_weights_that_are_a_pickle_are_read_and_those_with_code_are_refused(tmp_path, new):
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4)
    model, file = BertModel(config), tmp_path / "pytorch_model.bin"
    config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), file, _use_new_zipfile_serialization=new)
    again = pretrained.load("AutoModel", tmp_path)
    assert torch.equal(again.pooler.dense.weight, model.pooler.dense.weight)
    torch.save(model.state_dict() | {"x": Evil(tmp_path / "ran")}, file, _use_new_zipfile_serialization=new)
    with pytest.raises(ForeignCode, match="were refused: they hold more than weights"):
        pretrained.load("AutoModel", tmp_path)
    assert not (tmp_path / "ran").exists()


def test_transformers_loads_in_one_place():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "from_pretrained":
                # laion-clap's own calls, for tokenizers of fixed names
                assert name in ("pretrained.py", "clap/laion.py"), f"{name}: use aaclib.pretrained.load"
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_config":
                assert any(key.arg == "trust_remote_code" for key in node.keywords), name
