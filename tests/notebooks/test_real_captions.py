"""Text-only training on the real captions: all of Clotho's development and AudioCaps' training captions go through
normalisation, tokenisation, text embedding (a CLAP of the true class, random weights) and one short training."""

import shutil

import numpy as np
import pytest
from rehearsal import CAPTIONS

from aaclib import config
from aaclib.datasets import leakage
from aaclib.run import Run
from aaclib.store import Store

N = {"clotho": 19195, "audiocaps": 49838}


@pytest.mark.slow
@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="the real captions (../shared/data/captions) are not here")
def test_every_real_training_caption_is_learned_from(tmp_path, monkeypatch):
    import rehearsal_models

    monkeypatch.setenv("AACLIB_RAW", str(tmp_path / "raw"))
    for split in ("train", "val", "test"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        shutil.copy(CAPTIONS / f"audiocaps_{split}.csv", tmp_path / "mine" / f"{split}.csv")
    shutil.copytree(CAPTIONS, tmp_path / "clotho" / "clotho_csv_files")
    clap = rehearsal_models.hf_clap(tmp_path / "clap", ["a dog barks while rain falls", "people talk near a road"] * 20)
    settings = config.load(
        "paper",
        {
            "clap.backend": f"hf:{clap}",
            "data.clotho": str(tmp_path / "clotho"),
            "data.audiocaps": str(tmp_path / "mine"),
            "data.download": False,
            "data.pairs": "",
            "device": "cpu",
            "data.normalise": "lower",
            "decoder.tokenizer": "words",
            "decoder.vocabulary": 1000,
            "decoder.width": 16,
            "decoder.layers": 1,
            "decoder.heads": 2,
            "train.epochs": 1,
            "train.lr": 1e-3,
            "train.batch_size": 256,
        },
    )
    pipeline = Run(settings, Store(tmp_path / "cache"))
    for target, n in N.items():
        facts = leakage.within(pipeline.split(target, "train"))
        assert facts["captions"] == n
        texts = pipeline.texts(target, "train", 0)
        assert texts.z.shape == (n, 32) and np.allclose(np.linalg.norm(texts.z, axis=1), 1, atol=1e-4)
        trained = pipeline.decoder(target, "noise", 0)
        assert trained.history.step.iloc[-1] == -(-n // 256) and np.isfinite(trained.history.train_loss).all()
        assert trained.history.train_loss.iloc[-1] < np.log(1000)  # where it began
        print(target, facts)
    assert not list(tmp_path.rglob("*.wav"))  # and no audio was there to be touched
