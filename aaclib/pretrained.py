"""Models and tokenizers of others: from a folder, the local Hugging Face cache, and only then the network; without ever
running code that comes with them."""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aaclib.paths import home_path, switched_on

# TypeError: transformers 4 opens a file that it did not find; RuntimeError: PyTorch's for a damaged one
UNLOADABLE = (OSError, ValueError, TypeError, RuntimeError)
FEWEST_TOKENS = 20  # of a vocabulary that was meant


class ForeignCode(Exception):
    """A model that cannot be read without running code of its own; the message names it."""


def load(kind: str, name: str | Path, **options: Any) -> Any:
    """`transformers.<kind>.from_pretrained(name, **options)` with its errors; where it would ask whether to run the
    model's own code, or its weights are a pickle with more than weights, ForeignCode."""
    import transformers

    try:
        return getattr(transformers, kind).from_pretrained(str(name), trust_remote_code=False, **options)
    except pickle.UnpicklingError as error:
        raise ForeignCode(
            f"The weights of '{name}' were refused: they hold more than weights, and reading that could "
            "run code. Take them as .safetensors."
        ) from error
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ForeignCode(
            f"'{name}' wants to run code of its own, which is never done here (auto_map in its "
            "config.json, tokenizer_config.json or preprocessor_config.json names it). Take a form of "
            "it that transformers knows without such code."
        ) from error


def find(load: Callable[..., Any], name: str | Path, what: str, kind: type[Exception]) -> Any:
    """`load(name, local_files_only=...)` from a folder or the cache, else from the hub. Where none has it, an error of
    this kind: one paragraph that says what is missing, where to put it, and the command that fetches it."""
    name, local = str(name), home_path(name)
    if local.exists() or name.startswith((".", "/", "~")):
        if not local.is_dir():
            raise kind(f"There is no folder {local} with {what}.")
        try:
            return load(str(local), local_files_only=True)
        except UNLOADABLE as error:
            raise kind(
                f"The folder {local} does not hold {what}: {_first(error)}. It has: "
                f"{', '.join(sorted(p.name for p in local.iterdir())) or 'nothing'}."
            ) from error
    try:
        return load(name, local_files_only=True)
    except UNLOADABLE as error:
        cause, why = error, "The hub is switched off here (HF_HUB_OFFLINE)."
    if not any(map(switched_on, ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))):
        try:
            return load(name, local_files_only=False)
        except UNLOADABLE as error:
            cause, why = error, f"The hub could not be reached or does not have it ({_first(error)})."
    cache = os.environ.get("HF_HUB_CACHE") or os.path.join(os.environ.get("HF_HOME", "~/.cache/huggingface"), "hub")
    raise kind(
        f"Missing: {what} of '{name}'. It is neither a folder here nor in the Hugging Face cache ({cache}). {why} "
        f"Where there is a network, run `hf download {name}` and copy {cache}/models--{name.replace('/', '--')} here "
        f"to the same place; or run `hf download {name} --local-dir FOLDER`, copy the folder and name it instead of "
        "the id."
    ) from cause


def tokenizer(name: str | Path, kind: type[Exception], vocabulary: int | None = None) -> Any:
    """The fast tokenizer of `name`, checked: with files missing, transformers may hand out one that knows five tokens.
    vocabulary: how many tokens the model knows, where there is a model."""
    result = find(functools.partial(load, "AutoTokenizer", use_fast=True), name, "the tokenizer files", kind)
    least, most = (vocabulary / 2, vocabulary) if vocabulary else (FEWEST_TOKENS, len(result))
    if not least <= len(result) <= most:
        beside = f", the model {vocabulary}" if vocabulary else ""
        raise kind(
            f"The tokenizer of '{name}' knows {len(result)} tokens{beside}: its files (tokenizer.json, or vocab.json "
            "and merges.txt) are missing or another model's."
        )
    return result


def _first(error: Exception) -> str:
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
