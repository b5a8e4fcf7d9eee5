"""CLAP models of transformers (`ClapModel`), fed so that they equal the laion-clap package with the same weights.

Three settings of the published folders differ from what the weights were trained with; each changes the embeddings:
the mel filters start at 50 Hz (published: 0; cosine 0.9989), the text tower's layer norms have epsilon 1e-5 (published:
1e-12), and audio shorter than 10 s is repeated, not padded with zeros (cosine 0.18 for 3 s). They are enforced;
`settings='own'` (`hf:ID?settings=own`) keeps a model's own for one that was trained with them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from aaclib import pretrained
from aaclib.clap import checkpoint
from aaclib.clap.base import Backend, BackendError
from aaclib.clap.mel import LogMel, fused

LAION = {
    "sampling_rate": 48000,
    "feature_size": 64,
    "fft_window_size": 1024,
    "hop_length": 480,
    "max_length_s": 10,
    "frequency_max": 14000,
    "top_db": None,
}
ENFORCED = {"frequency_min": 50, "padding": "repeatpad"}
LAYER_NORM_EPS = 1e-5


class LaionModel(Backend):
    """A model of LAION, whichever package runs it. A subclass sets `mel` and implements `mel_batch`."""

    mel: LogMel
    training_data = (
        "LAION's description: LAION-Audio-630K, and for some checkpoints AudioSet, music or speech. Its "
        "authors chose checkpoints by their scores on Clotho and AudioCaps; whether these were training "
        "data is unanswered (github.com/LAION-AI/CLAP)."
    )

    def mel_batch(self, mel: torch.Tensor, longer: torch.Tensor) -> torch.Tensor:
        """(B, 1, frames, mels), or (B, 4, frames, mels) for fusion, and (B, 1) bool: fused from more -> (B, dim)."""
        raise NotImplementedError

    def audio_batch(self, waves: torch.Tensor) -> torch.Tensor:
        mel = self.mel(waves)[:, None]
        if self.fusion:  # four times the same; transformers' extractor would call a random one of them long
            mel = mel.expand(-1, 4, -1, -1)
        return self.mel_batch(mel, torch.zeros(len(mel), 1, dtype=torch.bool, device=self.device))

    def long_batch(self, waves: list[np.ndarray]) -> torch.Tensor:
        if not self.fusion:
            return super().long_batch(waves)
        frames = round(self.window_s * self.sample_rate) // self.mel.hop + 1
        pairs = [fused(self.mel(torch.from_numpy(wave).to(self.device)[None])[0], frames) for wave in waves]
        return self.mel_batch(
            torch.stack([mel for mel, _ in pairs]), torch.tensor([[longer] for _, longer in pairs], device=self.device)
        )


class HFClap(LaionModel):
    """A ClapModel of transformers: 48 kHz, windows of 10 s, 512 dimensions in LAION's. Raises BackendError for a model
    that is not here or was trained with another front end, ValueError for unknown `settings`."""

    def __init__(self, name: str, device: Any = None, settings: str = "laion", tokens: int = 77):
        """`name`: an id on the hub or a folder. `settings`: 'laion' (see above) or 'own'. `tokens`: captions are cut
        there; laion-clap's number is 77."""
        super().__init__(device)
        if settings not in ("laion", "own"):
            raise ValueError(f"settings is 'laion' or 'own', found '{settings}'.")
        self.name, self.tokens = f"hf:{name}", tokens
        front = functools.partial(pretrained.load, "AutoFeatureExtractor")
        extractor = pretrained.find(front, name, "preprocessor_config.json", BackendError)
        model = pretrained.find(_complete, name, "config.json and model.safetensors", BackendError)
        self.model = model.to(self.device).eval()
        config = self.model.config
        self.tokenizer = pretrained.tokenizer(name, BackendError, config.text_config.vocab_size)
        self.fusion, self.dim = bool(config.audio_config.enable_fusion), config.projection_dim
        self.front = {key: getattr(extractor, key) for key in (*LAION, "frequency_min", "padding")}
        self.notes = self._enforce() if settings == "laion" else []
        self.quantise = settings == "laion"
        self.sample_rate, self.window_s = self.front["sampling_rate"], float(self.front["max_length_s"])
        self.short = "zero" if self.front["padding"] == "pad" else self.front["padding"]
        if self.front["top_db"] is not None:
            raise BackendError(f"{self.name}: a feature extractor with top_db is not supported.")
        self.mel = LogMel(
            self.sample_rate,
            self.front["fft_window_size"],
            self.front["hop_length"],
            self.front["feature_size"],
            self.front["frequency_min"],
            self.front["frequency_max"],
            "htk" if self.fusion else "slaney",
        ).to(self.device)
        eps = sorted({norm.eps for norm in self._norms()})
        self.digest = checkpoint.digest(
            self.model.state_dict(), self.front, eps, tokens, self.fusion, sorted(self.tokenizer.get_vocab().items())
        )

    def _enforce(self) -> list[str]:
        """Brings the three settings to what the weights were trained with; another one that differs is an error."""
        wrong = {key: self.front[key] for key, value in LAION.items() if self.front[key] != value}
        if wrong:
            right = {key: LAION[key] for key in wrong}
            raise BackendError(
                f"{self.name} has a feature extractor with {wrong}, but LAION's weights were trained "
                f"with {right}. Put that into its preprocessor_config.json; or, if these weights were "
                f"trained otherwise, load '{self.name}?settings=own'."
            )
        changed = {key: value for key, value in ENFORCED.items() if self.front[key] != value}
        notes = [f"{key}={value} instead of the folder's {self.front[key]}" for key, value in changed.items()]
        self.front |= ENFORCED
        for norm in self._norms():
            if norm.eps != LAYER_NORM_EPS:
                notes.append(f"layer_norm_eps={LAYER_NORM_EPS} instead of the folder's {norm.eps:g}")
                norm.eps = LAYER_NORM_EPS
        return list(dict.fromkeys(notes))

    def _norms(self) -> list[torch.nn.LayerNorm]:
        return [module for module in self.model.text_model.modules() if isinstance(module, torch.nn.LayerNorm)]

    def mel_batch(self, mel: torch.Tensor, longer: torch.Tensor) -> torch.Tensor:
        return _tensor(self.model.get_audio_features(input_features=mel.contiguous(), is_longer=longer))

    def text_batch(self, texts: list[str]) -> torch.Tensor:
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=self.tokens, return_tensors="pt")
        ids, mask = batch["input_ids"].to(self.device), batch["attention_mask"].to(self.device)
        return _tensor(self.model.get_text_features(input_ids=ids, attention_mask=mask))

    def describe(self) -> dict[str, str]:
        return {**super().describe(), "settings": "; ".join(self.notes) or "as published"}


def _complete(name: str, **options: Any) -> torch.nn.Module:
    """A ClapModel, from no folder whose weights are incomplete: transformers would fill in random ones."""
    result, report = pretrained.load("ClapModel", name, output_loading_info=True, dtype=torch.float32, **options)
    lost = [key for key in report["missing_keys"] if not key.endswith("position_ids")]
    if bad := [*lost, *report["mismatched_keys"]]:
        raise ValueError(f"weights are missing or of another shape: {', '.join(map(str, bad[:5]))}")
    return result


def _tensor(output: Any) -> torch.Tensor:
    """transformers 4 returns the embeddings, 5 an object that holds them."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output
