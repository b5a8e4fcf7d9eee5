"""The towers of the known CLAPs in their published form, with random weights: the time does not depend on them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aaclib.store import read_json

WORDS = "dog rain car bird wind door people water engine bell walks sings falls rings passes slowly".split()


@functools.lru_cache(maxsize=1)
def of(clap: str, device: str) -> tuple[int, float, Callable, Callable]:
    """(sample rate, seconds of a window, waves -> rows, (captions, tokens) -> rows), of the published form with random
    weights: LAION's (HTSAT-tiny, RoBERTa-base; the folder's own form for `hf:FOLDER`), WavCaps' (Cnn14, BERT-base), or
    the tiny one."""
    import torch

    kind, _, name = clap.partition(":")
    if kind == "tiny":
        from aaclib.clap.tiny_model import SAMPLE_RATE, Shape, TinyNet
        from aaclib.clap.tiny_words import Words

        words = Words.built_from(WORDS)
        net = TinyNet(Shape(words=len(words)))
        net.mel.fill_filters()
        net = net.to(device).eval()

        def read_tiny(n: int, tokens: int) -> torch.Tensor:
            made = [" ".join(np.random.default_rng(i).choice(WORDS, tokens)) for i in range(n)]
            return net.text(*(x.to(device) for x in words.encode(made)))

        return SAMPLE_RATE, 6.4, lambda waves: net.audio(net.mel(waves)), read_tiny
    from aaclib.clap.mel import LogMel

    if kind == "wavcaps":
        from transformers import BertConfig, BertModel

        from aaclib.clap.wavcaps import Cnn14

        mel, sound = LogMel(32000, 1024, 320, 64, 50, 14000, "slaney").to(device), Cnn14().to(device).eval()
        bert = BertModel(BertConfig()).to(device).eval()  # pyright: ignore[reportArgumentType]  # its types lack `to`
        return 32000, 10.0, lambda waves: sound(mel(waves)), lambda n, t: bert(_ids(n, t, device)).pooler_output
    from transformers import ClapConfig, ClapModel

    folder = Path(name.partition("?")[0]).expanduser()
    form: Any = ClapConfig()
    if kind == "hf" and (folder / "config.json").is_file():
        form = ClapConfig.from_dict(read_json(folder / "config.json"))
    model: Any = ClapModel(form).to(device).eval()  # pyright: ignore[reportArgumentType]
    front = LogMel(48000, 1024, 480, 64, 50, 14000, "slaney").to(device)
    longer = torch.zeros(1, 1, dtype=torch.bool, device=device)

    def hear(waves: torch.Tensor) -> torch.Tensor:
        mel = front(waves)[:, None]
        mel = mel.expand(-1, 4, -1, -1) if form.audio_config.enable_fusion else mel
        return model.audio_model(input_features=mel, is_longer=longer.expand(len(mel), 1)).pooler_output

    most = form.text_config.vocab_size
    return 48000, 10.0, hear, lambda n, t: model.text_model(_ids(n, t, device, most)).pooler_output


def _ids(n: int, tokens: int, device: str, most: int = 20000) -> Any:
    import torch

    return torch.randint(5, most, (n, tokens), device=device)
