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
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from aaclib import pretrained
from aaclib.clap.files import digests
from aaclib.datasets.download import Remote, fetch
from aaclib.metrics.result import MetricError, Unavailable
from aaclib.paths import cache_dir, home_path
from aaclib.store import digest

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
        return str(fetch(Remote(ECHECKER, ECHECKER_URL, f"sha256:{ECHECKER_SHA256}"), cache_dir() / "fense" / ECHECKER))
    if chosen == "hub":
        return {"sbert": SBERT, "bert": "bert-base-uncased"}[part]
    path = home_path(chosen) / {"echecker": ECHECKER}.get(part, part)
    if not path.exists():
        raise Unavailable(f"{path} is not there: {HINT}.")
    return str(path)


def identity(*parts: str) -> dict[str, Any]:
    """What decides what these models say: their contents, the package that reads them, where they run.
    Raises Unavailable."""
    models = {part: content(location(part)) for part in parts}
    return {**models, "transformers": metadata.version("transformers"), "device": device()}


def content(where: str) -> str:
    """The digest of a file or of all files of a folder; of a model of the hub the commit that is here, '' before it is
    fetched."""
    path = Path(where)
    if not path.exists():
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(where, "config.json")
        return Path(config).parent.name if isinstance(config, str) else ""
    inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return digest([[p.relative_to(path).as_posix() for p in inside], digests(inside)])


def states(tokenizer: Any, model: Any, captions: list[str], batch_size: int, **options: Any) -> Iterator[tuple]:
    """(last hidden state (b, t, d), attention mask (b, t)) of each batch of captions, on the model's device."""
    import torch

    with torch.inference_mode():
        for start in range(0, len(captions), batch_size):
            part = captions[start : start + batch_size]
            batch = tokenizer(part, truncation=True, return_tensors="pt", **options).to(model.device)
            yield model(**batch).last_hidden_state, batch["attention_mask"]


def device() -> str:
    """Where these models run: "cuda" where there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def sbert(where: str) -> tuple:
    """(tokenizer, model) of a sentence-transformers folder with mean pooling. Raises MetricError for other pooling."""
    return _sbert(where, content(where))


@functools.lru_cache(maxsize=1)
def _sbert(where: str, _: str) -> tuple:
    pooling = Path(where) / "1_Pooling" / "config.json"
    if pooling.exists() and not json.loads(pooling.read_text()).get("pooling_mode_mean_tokens"):
        raise MetricError(f"{pooling}: expected a sentence model with mean pooling.")
    return _load("AutoTokenizer", where), _load("AutoModel", where).eval().to(device())


def echecker(checkpoint: str, bert: str) -> tuple:
    """(tokenizer, encoder, weight (c, d), bias (c,)) of FENSE's error detector. Raises MetricError for another file."""
    return _echecker(checkpoint, bert, content(checkpoint), content(bert))


@functools.lru_cache(maxsize=1)
def _echecker(checkpoint: str, bert: str, *_: str) -> tuple:
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
    encoder = AutoModel.from_config(_load("AutoConfig", bert), trust_remote_code=False)
    weights = {name.removeprefix("encoder."): value for name, value in weights.items()}
    weights.pop("embeddings.position_ids", None)  # a constant that newer versions no longer save
    encoder.load_state_dict(weights, strict=True)
    place = device()
    return _load("AutoTokenizer", bert), encoder.eval().to(place), weight.to(place), bias.to(place)


def _load(kind: str, where: str) -> Any:
    """From the folder or the hub. Raises Unavailable where it is in neither."""
    return pretrained.find(functools.partial(pretrained.load, kind), where, "a model of FENSE", Unavailable)
