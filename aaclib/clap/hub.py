"""Finding models and tokenizers: a folder, the local Hugging Face cache, and only then the network."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from aaclib import pretrained
from aaclib.clap.base import BackendError
from aaclib.paths import home_path

# TypeError: transformers 4 opens a file that it did not find; RuntimeError: PyTorch's for a damaged one
UNLOADABLE = (OSError, ValueError, TypeError, RuntimeError)


def fetch(load: Callable[..., Any], name: str, what: str) -> Any:
    """`load(name, local_files_only=...)` from a folder or the cache, else from the hub. BackendError where neither has
    it: one paragraph that says what is missing, where to put it, and the command that fetches it."""
    local = home_path(name)
    if local.exists() or name.startswith((".", "/", "~")):
        if not local.is_dir():
            raise BackendError(f"There is no folder {local} with {what}.")
        try:
            return load(str(local), local_files_only=True)
        except UNLOADABLE as error:
            raise BackendError(
                f"The folder {local} does not hold {what}: {_first(error)}. It has: "
                f"{', '.join(sorted(p.name for p in local.iterdir())) or 'nothing'}."
            ) from error
    try:
        return load(name, local_files_only=True)
    except UNLOADABLE as error:
        cause, why = error, "The hub is switched off here (HF_HUB_OFFLINE)."
    if not any(
        os.environ.get(switch, "").lower() in ("1", "true", "yes", "on")
        for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    ):
        try:
            return load(name, local_files_only=False)
        except UNLOADABLE as error:
            cause, why = error, f"The hub could not be reached or does not have it ({_first(error)})."
    cache = os.environ.get("HF_HUB_CACHE") or os.path.join(os.environ.get("HF_HOME", "~/.cache/huggingface"), "hub")
    raise BackendError(
        f"Missing: {what} of '{name}'. It is neither a folder here nor in the Hugging Face cache ({cache}). {why} "
        f"Where there is a network, run `hf download {name}` and copy {cache}/models--{name.replace('/', '--')} here "
        f"to the same place; or run `hf download {name} --local-dir FOLDER`, copy the folder and name it instead of "
        "the id."
    ) from cause


def tokenizer(name: str, vocabulary: int) -> Any:
    """The tokenizer of `name`, checked: with files missing, transformers may hand out one that knows five tokens."""
    result = fetch(functools.partial(pretrained.load, "AutoTokenizer"), name, "the tokenizer files")
    if not vocabulary / 2 <= len(result) <= vocabulary:
        raise BackendError(
            f"The tokenizer of '{name}' knows {len(result)} tokens, the model {vocabulary}: its "
            "files (tokenizer.json, or vocab.json and merges.txt) are missing or another model's."
        )
    return result


def _first(error: Exception) -> str:
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
