"""A CLAP of ten lines that is quick, and counts what it did: also the example of a user's own class."""

from __future__ import annotations

import os
import time

import torch

from aaclib.clap.base import Backend


class ToyClap(Backend):
    name, dim, sample_rate, window_s, digest = "toy", 6, 8000, 0.24, "toy-1"
    calls = 0

    def audio_batch(self, waves):
        ToyClap.calls += len(waves)
        time.sleep(float(os.environ.get("TOY_SLEEP", 0)) * len(waves))
        parts = waves.reshape(len(waves), 3, -1)
        return torch.cat([parts.std(-1), parts.mean(-1)], dim=1) + 0.01

    def text_batch(self, texts):
        ToyClap.calls += len(texts)
        time.sleep(float(os.environ.get("TOY_SLEEP", 0)) * len(texts))
        return torch.tensor([[text.count(letter) + 0.1 for letter in "abcdef"] for text in texts])


class LateToy(ToyClap):
    """Answers with another digest, as a worker with other weights would."""

    digest = "toy-2"
