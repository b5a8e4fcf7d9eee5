"""The files of a tiny CLAP: its weights, and a card that says what they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save

from aaclib.clap.base import BackendError
from aaclib.clap.tiny_model import TinyNet
from aaclib.clap.tiny_words import Words
from aaclib.store import write_bytes, write_json

WEIGHTS, CARD, HISTORY = "model.safetensors", "model.json", "history.json"
FORMAT = 1  # of the card; a reader that does not know it says so


def save_model(folder: Path, net: TinyNet, words: Words, window_s: float, training_data: str) -> None:
    """Weights as safetensors, everything else as JSON, each written whole or not at all."""
    weights = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(weights))
    write_json(
        folder / CARD,
        {
            "format": FORMAT,
            "shape": asdict(net.shape),
            "vocabulary": words.vocabulary,
            "window_s": window_s,
            "training_data": training_data,
        },
    )


def read_card(folder: Path) -> dict[str, Any]:
    """What the card of a trained tiny CLAP says. Raises BackendError where there is none that can be read."""
    path = folder / CARD
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise BackendError(
            f"{folder} holds no tiny CLAP: {CARD} and {WEIGHTS} are needed. Train one with aaclib.clap.tiny.train."
        )
    try:
        card = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise BackendError(f"{path} is damaged ({error}). Train it again.") from error
    if card.get("format") != FORMAT:
        raise BackendError(f"{path}: expected format {FORMAT}, found {card.get('format')}. Train it again.")
    return card
