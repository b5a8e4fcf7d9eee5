"""The tiny CLAP: a backend small enough to be trained by this package itself, on a CPU, in two minutes.

`train(split, settings, seed)` makes the artefact, `TinyClap(folder)` or `aaclib.clap.load('tiny:FOLDER')` uses it. It
has heard nothing but what it was trained on: with the synthetic world it stands in for a real CLAP, on real
recordings it shows the plumbing and no more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from aaclib import seeds
from aaclib.clap.base import Backend, BackendError, pick_device
from aaclib.clap.tiny_model import SAMPLE_RATE, Shape, TinyNet
from aaclib.clap.tiny_words import Words
from aaclib.config import Clap
from aaclib.datasets import DatasetError, Split
from aaclib.paths import home_path
from aaclib.store import Artefact, Store, digest, write_bytes, write_json
from aaclib.sums import file_digest

WEIGHTS, CARD, HISTORY = "model.safetensors", "model.json", "history.json"
FORMAT = 1  # of the card; a reader that does not know it says so


class TinyClap(Backend):
    """A trained tiny CLAP in `folder` (an artefact of `train`, or a copy of one). Raises BackendError.

    16 kHz, windows of 6.4 s; shorter audio is filled with silence, as in its training.
    """

    sample_rate, short, window_mib = SAMPLE_RATE, "zero", 4.0

    def __init__(self, folder: str | Path, device: str | torch.device | None = None):
        super().__init__(device)
        folder = home_path(folder)
        card = _card(folder)
        form: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in card["shape"].items()}
        shape = Shape(**form)
        self.words = Words(card["vocabulary"])
        self.net = TinyNet(shape)
        try:
            self.net.load_state_dict(load_file(folder / WEIGHTS))
        except (SafetensorError, RuntimeError) as error:
            raise BackendError(
                f"{folder / WEIGHTS} does not fit {CARD} or is damaged ({error}). Train it again."
            ) from error
        self.net.to(self.device, memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]
        self.name, self.dim, self.window_s = "tiny", shape.width, float(card["window_s"])
        self.training_data = card["training_data"]
        self.temperature = self.net.temperature
        self.digest = f"{file_digest(folder / WEIGHTS)[:16]}-{file_digest(folder / CARD)[:16]}"

    def audio_batch(self, waves: torch.Tensor) -> torch.Tensor:
        """(B, samples) float32 -> (B, dim) unit rows."""
        return self.net.audio(self.net.mel(waves))

    def text_batch(self, texts: list[str]) -> torch.Tensor:
        """B captions -> (B, dim) unit rows. Case and punctuation do not matter."""
        return self.net.text(*(x.to(self.device) for x in self.words.encode(texts)))


def train(
    split: Split,
    settings: Clap | None = None,
    seed: int = 0,
    store: Store | None = None,
    device: str | torch.device | None = None,
    **options: Any,
) -> Artefact:
    """Trains a tiny CLAP on the pairs of `split` (asked for with audio) or finds it in the store.

    settings: `config.clap`; options: fields of tiny_training.Recipe, for experiments. The same split, settings and seed
    give the same weights bit for bit on one machine; a killed training goes on where it was saved with the same result.
    Raises DatasetError for clips without audio.
    """
    from aaclib.clap.tiny_training import Recipe, Training

    settings, device, recipe = settings or Clap(), pick_device(device), replace(Recipe(), **options)
    recipe = replace(recipe, shape=replace(recipe.shape, width=settings.width))
    clips = [clip for clip in split.clips if clip.captions]
    silent = [clip.id for clip in clips if clip.audio is None]
    if len(clips) < 2 or silent:
        raise DatasetError(
            f"{split.dataset}, {split.name}: training needs two clips or more with captions and audio; "
            f"{len(clips)} have captions, {len(silent)} of these no audio (first: {silent[:1]})."
        )
    key = {
        "data": split.digest,
        "audio": digest([clip.audio.stat().st_size for clip in clips if clip.audio]),
        "seed": seed,
        "temperature": "learned" if settings.learn_temperature else settings.temperature,
        "epochs": settings.epochs,
        "lr": settings.lr,
        "batch": settings.train_batch,
        "recipe": recipe,
        "device": device.type,
        "threads": settings.train_threads,
    }

    def build(folder: Path) -> dict[str, Any]:
        streams = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
        with seeds.threads(settings.train_threads), streams:
            return Training(split, clips, settings, recipe, seed, device).run(folder)

    return (store or Store()).get("tiny-clap", key, build)


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


def _card(folder: Path) -> dict[str, Any]:
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
