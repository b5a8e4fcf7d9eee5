"""The tiny CLAP's network: a log-mel front end, a convolution-transformer audio tower and a transformer text tower."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aaclib.clap.mel import power
from aaclib.clap.tiny_words import BUCKETS

SAMPLE_RATE = 16_000
FLOOR = 1e-7  # mel power added before the logarithm: 70 dB below full scale, above the noise of 16 bits


@dataclass(frozen=True)
class Shape:
    """What the network looks like; kept beside the weights. Widths in channels, depths in layers."""

    width: int = 128  # of both towers' transformers and of the joint space
    words: int = 1  # rows of the words' table, padding included
    n_fft: int = 1024
    hop: int = 320  # 20 ms
    mels: int = 64
    stem: tuple[int, int] = (4, 8)  # (mels, frames) that one patch covers
    channels: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (0, 1, 1)
    audio_layers: int = 1
    text_layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    word_dropout: float = 0.1


class LogMel(nn.Module):
    """waves (B, samples) float32 -> (B, mels, frames) float32, mean 0 and variance 1 a band over the training set.

    Slaney filters as in librosa; frames = samples // hop.
    """

    filters: Tensor  # (mels, bins)
    window: Tensor  # (n_fft,)
    mean: Tensor  # (mels, 1)
    scale: Tensor  # (mels, 1)

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.register_buffer("filters", torch.zeros(shape.mels, shape.n_fft // 2 + 1))
        self.register_buffer("window", torch.hann_window(shape.n_fft))
        self.register_buffer("mean", torch.zeros(shape.mels, 1))
        self.register_buffer("scale", torch.ones(shape.mels, 1))

    def fill_filters(self) -> None:
        """The filters are stored with the weights, so that loading needs no librosa and gives the same bits."""
        import librosa

        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=self.shape.n_fft, n_mels=self.shape.mels, fmin=50)
        self.filters.copy_(torch.from_numpy(filters))

    def raw(self, waves: Tensor) -> Tensor:
        """Natural logarithm of the mel power, not yet normalised."""
        hop = self.shape.hop
        return torch.log(self.filters @ power(waves, self.window, hop, waves.shape[1] // hop) + FLOOR)

    def forward(self, waves: Tensor) -> Tensor:
        return (self.raw(waves) - self.mean) * self.scale


class Block(nn.Module):
    """A residual block of two 3 x 3 convolutions (He et al., https://arxiv.org/abs/1603.05027, pre-activation)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))


def _layers(shape: Shape, depth: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        shape.width, shape.heads, 4 * shape.width, shape.dropout, "gelu", batch_first=True, norm_first=True
    )
    # dropout where a sublayer joins the residual stream, as it is cheap there: random numbers for the inner
    # activations and the attention cost a third of the training on a CPU, and keep the fused attention away
    layer.dropout.p = layer.self_attn.dropout = 0.0
    return nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(shape.width), enable_nested_tensor=False)


def positions(length: int, width: int, device: torch.device) -> Tensor:
    """(length, width) sinusoids, so that any length works. Vaswani et al., https://arxiv.org/abs/1706.03762."""
    angle = torch.arange(length, device=device)[:, None] * torch.exp(
        torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width)
    )
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


class AudioTower(nn.Module):
    """(B, mels, frames) -> (B, width), any number of frames. Convolutions, then attention over time, mean + max."""

    def __init__(self, shape: Shape):
        super().__init__()
        steps: list[nn.Module] = [nn.Conv2d(1, shape.channels[0], shape.stem, stride=shape.stem)]
        for i, (channels, blocks) in enumerate(zip(shape.channels, shape.blocks, strict=True)):
            if i:
                steps += [
                    nn.BatchNorm2d(shape.channels[i - 1]),
                    nn.ReLU(),
                    nn.Conv2d(shape.channels[i - 1], channels, 2, stride=2),
                ]
            steps += [Block(channels) for _ in range(blocks)]
        steps += [nn.BatchNorm2d(shape.channels[-1]), nn.ReLU()]
        self.body = nn.Sequential(*steps)
        bands = shape.mels // shape.stem[0] // 2 ** (len(shape.channels) - 1)
        self.join = nn.Linear(shape.channels[-1] * bands, shape.width)
        self.layers = _layers(shape, shape.audio_layers)
        self.drop = nn.Dropout(shape.dropout)
        self.out = nn.Linear(2 * shape.width, shape.width)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.body(mel[:, None])  # (B, C, bands, T)
        x = self.join(self.drop(x.permute(0, 3, 1, 2).flatten(2)))  # (B, T, width)
        x = self.layers(x + positions(x.shape[1], x.shape[2], x.device))
        return self.out(torch.cat([x.mean(1), x.amax(1)], dim=1))


class TextTower(nn.Module):
    """What `Words.encode` gives -> (B, width)."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.words = nn.Embedding(shape.words, shape.width, padding_idx=0)
        self.grams = nn.EmbeddingBag(BUCKETS, shape.width, mode="mean", padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.5)
        nn.init.normal_(self.grams.weight, std=0.5)
        self.word_dropout = shape.word_dropout
        self.layers = _layers(shape, shape.text_layers)
        self.out = nn.Linear(2 * shape.width, shape.width)
        with torch.no_grad():
            self.words.weight[0].zero_()
            self.grams.weight[0].zero_()

    def forward(self, position: Tensor, own: Tensor, grams: Tensor) -> Tensor:
        rows = self.words(own)  # (W, width)
        if self.training and self.word_dropout:  # n-grams must learn to stand alone
            rows = rows * (torch.rand(len(rows), 1, device=rows.device) >= self.word_dropout)
        # a lookup, not an index: on several CPU threads an index adds its gradients up in whatever order they come
        x = F.embedding(position, rows + self.grams(grams))  # (B, T, width)
        padding = position == 0
        x = self.layers(x + positions(x.shape[1], x.shape[2], x.device), src_key_padding_mask=padding)
        real = ~padding[:, :, None]
        mean = (x * real).sum(1) / real.sum(1)
        return self.out(torch.cat([mean, x.masked_fill(~real, -torch.inf).amax(1)], dim=1))


class TinyNet(nn.Module):
    """Both towers and the temperature. `audio` and `text` give unit rows."""

    def __init__(self, shape: Shape, temperature: float = 0.01, learn_temperature: bool = False):
        super().__init__()
        self.shape = shape
        self.mel = LogMel(shape)
        self.audio_tower = AudioTower(shape)
        self.text_tower = TextTower(shape)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learn_temperature)

    def audio(self, mel: Tensor) -> Tensor:
        """mel (B, mels, frames), normalised -> (B, width) unit rows."""
        return F.normalize(self.audio_tower(mel), dim=1)

    def text(self, position: Tensor, own: Tensor, grams: Tensor) -> Tensor:
        """-> (B, width) unit rows."""
        return F.normalize(self.text_tower(position, own, grams), dim=1)

    @property
    def temperature(self) -> float:
        """What cosines are divided by in the loss."""
        return float(torch.exp(-self.log_scale.detach()))
