"""Log-mel spectrograms of batches on the device, equal to the front ends that the CLAP models were trained with."""

from __future__ import annotations

import numpy as np
import torch


def power(waves: torch.Tensor, window: torch.Tensor, hop: int, frames: int | None = None) -> torch.Tensor:
    """(B, samples) -> (B, bins, frames): the power spectrum; centred, reflected edges, `frames` None = all of them."""
    spectrum = torch.stft(waves, len(window), hop, window=window, center=True, pad_mode="reflect", return_complex=True)
    spectrum = spectrum[:, :, :frames]
    return spectrum.real.square() + spectrum.imag.square()


class LogMel(torch.nn.Module):
    """(B, samples) float32 -> (B, frames, mels) in dB: 10 log10 of the power through mel filters, floor 1e-10.

    `scale` 'slaney' = area-normalised Slaney filters (librosa's default, torchlibrosa); 'htk' = plain HTK filters
    (torchaudio's default, which LAION-CLAP's fusion models were trained with). Hann window.
    Always float32, whatever autocast says: half precision ruins it.
    """

    filters: torch.Tensor  # (bins, mels)
    window: torch.Tensor  # (n_fft,)

    def __init__(self, sample_rate: int, n_fft: int, hop: int, mels: int, f_min: float, f_max: float, scale: str):
        super().__init__()
        import librosa

        filters = librosa.filters.mel(
            sr=sample_rate,
            n_fft=n_fft,
            n_mels=mels,
            fmin=f_min,
            fmax=f_max,
            htk=scale == "htk",
            norm=None if scale == "htk" else "slaney",
        )
        self.hop = hop
        self.register_buffer("filters", torch.from_numpy(filters.T.copy()), persistent=False)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """(B, samples), any float type -> (B, samples // hop + 1, mels) float32, in dB."""
        with torch.autocast(waves.device.type, enabled=False):
            mel = power(waves.float(), self.window, self.hop).transpose(1, 2) @ self.filters
            return 10 * torch.log10(mel.clamp(min=1e-10))


def fused(mel: torch.Tensor, frames: int) -> tuple[torch.Tensor, bool]:
    """LAION-CLAP's feature fusion of one long recording: (T, mels) -> (4, frames, mels) and whether it counts as long.

    The four are the whole recording shrunk, and a window from its first, middle and last third. The original draws the
    windows' places at random; here they are the middles of those thirds, so that a run repeats. It shrinks without
    anti-aliasing, as the version of torchvision did that the models were trained with, and as transformers does.
    """
    total = len(mel)
    if total <= frames:
        return mel.expand(4, *mel.shape), False
    thirds = np.array_split(np.arange(total - frames + 1), 3)
    starts = [int(third[len(third) // 2]) if len(third) else 0 for third in thirds]
    small = torch.nn.functional.interpolate(mel[None, None], (frames, mel.shape[1]), mode="bilinear")
    return torch.stack([small[0, 0], *(mel[start : start + frames] for start in starts)]), True
