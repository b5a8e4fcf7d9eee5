"""The tiny CLAP: a backend small enough to be trained by this package itself, on a CPU, in two minutes.

`train(split, settings, seed)` makes the artefact, `TinyClap(folder)` or `aaclib.clap.load('tiny:FOLDER')` uses it. It
has heard nothing but what it was trained on: with the synthetic world it stands in for a real CLAP, on real
recordings it shows the plumbing and no more.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from aaclib import seeds
from aaclib.clap.base import Backend, BackendError
from aaclib.clap.tiny_files import CARD, WEIGHTS, read_card
from aaclib.clap.tiny_model import SAMPLE_RATE, Shape, TinyNet
from aaclib.clap.tiny_words import Words
from aaclib.config import Clap
from aaclib.datasets import DatasetError, Split
from aaclib.device import pick_device
from aaclib.paths import home_path
from aaclib.store import Artefact, Store, digest
from aaclib.sums import file_digest


class TinyClap(Backend):
    """A trained tiny CLAP in `folder` (an artefact of `train`, or a copy of one). Raises BackendError.

    16 kHz, windows of 6.4 s; shorter audio is filled with silence, as in its training.
    """

    sample_rate, short, window_mib = SAMPLE_RATE, "zero", 4.0

    def __init__(self, folder: str | Path, device: str | torch.device | None = None):
        super().__init__(device)
        folder = home_path(folder)
        card = read_card(folder)
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
