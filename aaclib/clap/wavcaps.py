"""The retrieval CLAP of WavCaps (Mei et al., arXiv 2303.17395), the one that the paper used: Cnn14 or HTSAT for audio,
BERT for text, 1024 dimensions, 32 kHz. Written anew on torch and transformers; weights under the names of the published
checkpoints (a dict with `model`: audio_encoder.audio_enc.*, text_encoder.text_encoder.*, audio_proj.*, text_proj.*).

Recordings are embedded at their own length (Cnn14 up to 30 s, as in its training; HTSAT up to 10 s, longer ones in
windows), never padded with zeros to the longest of a batch: 6 s padded to 10 s had cosine 0.91 to the embedding proper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

from aaclib import pretrained
from aaclib.clap import checkpoint
from aaclib.clap.base import Backend, BackendError
from aaclib.clap.convert import htsat, htsat_settings
from aaclib.clap.mel import LogMel
from aaclib.paths import home_path, raw_dir

if TYPE_CHECKING:
    from transformers import BertModel

CHANNELS = (1, 64, 128, 256, 512, 1024, 2048)
PUNCTUATION = re.compile(r'[(,.!?;:|*")]')
TRAINING = (
    "Its authors' pre-training settings name WavCaps (BBC Sound Effects, FreeSound, SoundBible, AudioSet-SL) "
    "and the training splits of AudioCaps and Clotho (github.com/XinhaoMei/WavCaps, "
    "retrieval/settings/pretrain.yaml); which of these a given checkpoint saw is not recorded in the file."
)


class ConvBlock(nn.Module):
    """(B, C, T, F) -> (B, C', T/2, F/2)."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu_(self.bn1(self.conv1(x)))
        x = F.relu_(self.bn2(self.conv2(x)))
        return F.avg_pool2d(x, 2)


class Cnn14(nn.Module):
    """PANN's Cnn14 (Kong et al., arXiv 1912.10211) without its classifier: log-mels (B, T, 64) -> (B, 2048)."""

    width = CHANNELS[-1]

    def __init__(self) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(64)
        for i in range(6):
            setattr(self, f"conv_block{i + 1}", ConvBlock(CHANNELS[i], CHANNELS[i + 1]))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = self.bn0(mel[:, None].transpose(1, 3)).transpose(1, 3)  # normalised per mel band; (B, 1, T, 64)
        for i in range(6):
            x = getattr(self, f"conv_block{i + 1}")(x)
        x = x.mean(dim=3)  # (B, 2048, T/64)
        return x.amax(dim=2) + x.mean(dim=2)


class Htsat(nn.Module):
    """HTSAT (Chen et al., arXiv 2202.00874) by transformers: log-mels (B, T <= 1024, 64) -> (B, 768)."""

    def __init__(self, state: Mapping[str, torch.Tensor]):
        super().__init__()
        from transformers import ClapAudioConfig, ClapAudioModel

        settings = htsat_settings(state)
        self.encoder = ClapAudioModel(ClapAudioConfig(**settings)).audio_encoder
        self.width = settings["hidden_size"]

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return self.encoder(mel[:, None]).pooler_output


class WavCapsClap(Backend):
    """A retrieval checkpoint of WavCaps: 32 kHz, windows of 30 s (Cnn14) or 10 s (HTSAT). Raises BackendError."""

    sample_rate, short, shortest_s, training_data = 32000, "keep", 0.7, TRAINING
    window_mib = 120.0

    def __init__(self, name: str, device: Any = None, tokenizer: str = "bert-base-uncased", text: str = "clean"):
        """`name`: a checkpoint file. `tokenizer`: BERT's tokenizer files, a folder or an id. `text`: what BERT is
        given of a caption: `clean`, as in its training (`normalise`), or `raw`, with its punctuation, as the paper's
        published code does it."""
        super().__init__(device)
        if text not in ("clean", "raw"):
            raise BackendError(f"text is clean or raw, found '{text}'.")
        self.raw = text == "raw"
        path = home_path(name)
        if not path.is_file() and (kept := raw_dir() / "clap" / path.name).is_file():  # where AACLIB_RAW puts it
            path = kept
        if not path.is_file():
            raise BackendError(
                f"There is no checkpoint {path}. The paper's one is linked from "
                "github.com/XinhaoMei/WavCaps (folder retrieval); fetch it by hand and give its path."
            )
        state = checkpoint.state_dict(checkpoint.load(path), "model", "state_dict", path=path)
        audio = _branch(state, "audio_encoder.audio_enc.", path, without=("audio_feats_extractor.",))
        self.audio, kind, self.window_s = _audio_tower(audio, path)
        self.text = _text_tower(_branch(state, "text_encoder.text_encoder.", path, without=("pooler.",)), path)
        self.audio_projection = _projection(_branch(state, "audio_proj.", path), self.audio.width, path)
        projection = _branch(state, "text_proj.", path)
        self.text_projection = _projection(projection, self.text.config.hidden_size, path)
        self.dim = len(projection["2.weight"])
        self.name = f"wavcaps:{path.name} ({kind}-BERT)"
        self.tokenizer = pretrained.tokenizer(tokenizer, BackendError, self.text.config.vocab_size)
        self.mel = LogMel(32000, 1024, 320, 64, 50, 14000, "slaney")
        parts: list[nn.Module] = [self.audio, self.text, self.audio_projection, self.text_projection, self.mel]
        for module in parts:
            module.to(self.device).eval()
        raw = ("raw",) if self.raw else ()  # other embeddings of the same weights
        self.digest = checkpoint.digest(state, sorted(self.tokenizer.get_vocab().items()), *raw)

    def audio_batch(self, waves: torch.Tensor) -> torch.Tensor:
        return self.audio_projection(self.audio(self.mel(waves)))

    def text_batch(self, texts: list[str]) -> torch.Tensor:
        """At most 30 tokens, as in its training; the first token's state counts. (The tokenizer lower-cases.)"""
        given = texts if self.raw else [*map(normalise, texts)]
        batch = self.tokenizer(given, padding=True, truncation=True, max_length=30, return_tensors="pt")
        ids, mask = batch["input_ids"].to(self.device), batch["attention_mask"].to(self.device)
        return self.text_projection(self.text(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0])


def normalise(text: str) -> str:
    """The caption as its text tower was trained on it. Raises ValueError where nothing is left."""
    result = " ".join(PUNCTUATION.sub(" ", text.lower()).split())
    if not result:
        raise ValueError(f"The caption {text!r} holds nothing but punctuation: it has no embedding.")
    return result


def _branch(
    state: Mapping[str, torch.Tensor], prefix: str, path: Path, without: tuple[str, ...] = ()
) -> dict[str, torch.Tensor]:
    result = checkpoint.branch(state, prefix)
    if not result:
        raise BackendError(
            f"{path} is no WavCaps retrieval checkpoint: nothing in it is called {prefix}*. "
            f"Its first names: {', '.join(sorted(state)[:4])}."
        )
    return {name: value for name, value in result.items() if not name.startswith(without)}


def _audio_tower(state: Mapping[str, torch.Tensor], path: Path) -> tuple[Cnn14 | Htsat, str, float]:
    """The tower with its weights, its kind, and how many seconds it takes at a time."""
    if "patch_embed.proj.weight" in state:
        state = htsat(state)
        tower = Htsat(state)
        checkpoint.load_strictly(tower.encoder, state, path)
        return tower, "HTSAT", 10.0
    if "conv_block6.conv1.weight" in state:
        tower = Cnn14()
        checkpoint.load_strictly(tower, state, path)
        return tower, "Cnn14", 30.0
    resnet = any(name.startswith("resnet.") for name in state)
    kind = "ResNet38" if resnet else "Cnn10" if "conv_block4.conv1.weight" in state else "unknown"
    raise BackendError(f"{path} has an audio tower of the kind {kind}; Cnn14 and HTSAT are supported.")


def _text_tower(state: Mapping[str, torch.Tensor], path: Path) -> BertModel:
    from transformers import BertConfig, BertModel

    if not {"embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"} <= state.keys():
        raise BackendError(f"{path} has a text tower that is not BERT; only BERT is supported.")
    tower = BertModel(BertConfig(**checkpoint.text_settings(state)), add_pooling_layer=False)
    checkpoint.load_strictly(tower, state, path)
    return tower


def _projection(state: Mapping[str, torch.Tensor], width: int, path: Path) -> nn.Sequential:
    hidden, out = (len(state[f"{i}.weight"]) for i in (0, 2))
    result = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, out))
    checkpoint.load_strictly(result, state, path)
    return result
