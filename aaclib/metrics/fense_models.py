"""Finds the two models of FENSE; nothing is ever downloaded unless AACLIB_FENSE says `hub`.

AACLIB_FENSE=FOLDER holds
    sbert/                               sentence-transformers/paraphrase-TinyBERT-L6-v2, as on the hub
    echecker_clotho_audiocaps_base.ckpt  from the release page of github.com/blmoistawinde/fense (V0.1)
    bert/                                config.json and the tokenizer files of bert-base-uncased
AACLIB_FENSE=hub fetches the same three, the checkpoint with its sha256 checked.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

from aaclib.config import cache_dir
from aaclib.metrics.result import MetricError, Unavailable
from aaclib.pretrained import load

SBERT = "sentence-transformers/paraphrase-TinyBERT-L6-v2"
ECHECKER = "echecker_clotho_audiocaps_base.ckpt"
ECHECKER_URL = f"https://github.com/blmoistawinde/fense/releases/download/V0.1/{ECHECKER}"
ECHECKER_SHA256 = "1a719f090af70614bbdb9f9437530b7e133c48cfa4a58d964de0d47fc974a2fa"
HINT = "set AACLIB_FENSE to a folder with them, or to `hub` to fetch them (about 700 MB)"


def location(part: str) -> str:
    """Folder, file or hub name of `sbert`, `echecker` or `bert`. Raises Unavailable."""
    chosen = os.environ.get("AACLIB_FENSE", "")
    if not chosen:
        raise Unavailable(f"The models of FENSE are not here: {HINT}.")
    if chosen == "hub" and part == "echecker":
        import pooch

        return pooch.retrieve(ECHECKER_URL, f"sha256:{ECHECKER_SHA256}", fname=ECHECKER, path=cache_dir() / "fense")
    if chosen == "hub":
        return {"sbert": SBERT, "bert": "bert-base-uncased"}[part]
    path = Path(chosen).expanduser() / {"echecker": ECHECKER}.get(part, part)
    if not path.exists():
        raise Unavailable(f"{path} is not there: {HINT}.")
    return str(path)


def device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@functools.lru_cache(maxsize=2)
def sbert(where: str) -> tuple:
    """(tokenizer, model) of a sentence-transformers folder with mean pooling. Raises MetricError for other pooling."""
    pooling = Path(where) / "1_Pooling" / "config.json"
    if pooling.exists() and not json.loads(pooling.read_text()).get("pooling_mode_mean_tokens"):
        raise MetricError(f"{pooling}: expected a sentence model with mean pooling.")
    return load("AutoTokenizer", where), load("AutoModel", where).eval().to(device())


@functools.lru_cache(maxsize=2)
def echecker(checkpoint: str, bert: str) -> tuple:
    """(tokenizer, encoder, weight (c, d), bias (c,)) of FENSE's error detector. Raises MetricError for another file."""
    from transformers import AutoModel

    from aaclib.clap.checkpoint import load as weights_of

    saved = weights_of(checkpoint)
    try:
        weights, classes = dict(saved["state_dict"]), saved["num_classes"]
        weight, bias = weights.pop("clf.weight"), weights.pop("clf.bias")
    except KeyError as error:
        raise MetricError(f"{checkpoint}: not a checkpoint of FENSE's error detector ({error} is absent).") from error
    if classes != 6 or len(weight) != 6:
        raise MetricError(f"{checkpoint}: expected 6 kinds of error, found {classes}.")
    encoder = AutoModel.from_config(load("AutoConfig", bert), trust_remote_code=False)
    weights = {name.removeprefix("encoder."): value for name, value in weights.items()}
    weights.pop("embeddings.position_ids", None)         # a constant that newer versions no longer save
    encoder.load_state_dict(weights, strict=True)
    place = device()
    return load("AutoTokenizer", bert), encoder.eval().to(place), weight.to(place), bias.to(place)
