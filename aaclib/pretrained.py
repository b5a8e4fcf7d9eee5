"""Models and tokenizers of transformers, from a folder or the hub, without ever running code that comes with them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any


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
