"""The caption decoder: a mapping network from a CLAP embedding to prefix tokens, and a GPT-2 that continues them.

The model is GPT-2's architecture from `transformers`, trained from scratch. It reads k prefix tokens and then the
caption, and predicts the caption and the end token: prefix language modelling. One model serves every strategy. Between
the two may stand a prompt, such as a question: it is read and never predicted.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from torch import nn
from torch.nn import functional

from aaclib import config, store, text
from aaclib.contradictions import POSITIONS

IGNORE = -100  # positions that the loss leaves out


class CaptionDecoder(nn.Module):
    """`dim`: width of the CLAP embedding; `tokenizer`: of aaclib.text, gives the vocabulary and the special ids."""

    def __init__(self, settings: config.Decoder, dim: int, tokenizer: text.Tokenizer):
        from transformers import GPT2Config, GPT2LMHeadModel  # takes seconds: for those alone who decode

        super().__init__()
        self.settings, self.dim, self.tokenizer = settings, dim, tokenizer
        self.mapping = nn.Linear(dim, settings.prefix_tokens * settings.width)
        self.gpt = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=tokenizer.vocabulary_size,
                n_positions=POSITIONS,
                n_embd=settings.width,
                n_layer=settings.layers,
                n_head=settings.heads,
                activation_function="gelu_pytorch_tanh",  # GPT-2's own gelu_new, in one kernel
                embd_pdrop=settings.dropout,
                resid_pdrop=settings.dropout,
                attn_pdrop=settings.dropout,
                bos_token_id=tokenizer.bos,
                eos_token_id=tokenizer.eos,
            )
        )

    def prefix(self, z: torch.Tensor) -> torch.Tensor:
        """(B, d) -> (B, k, W)"""
        return self.mapping(z).unflatten(1, (self.settings.prefix_tokens, self.settings.width))

    def check_room(self, tokens: int) -> None:
        """Raises ValueError where the prefix and so many tokens, the last of which is never read, have no room."""
        if self.settings.prefix_tokens + tokens > POSITIONS + 1:
            raise ValueError(
                f"a prefix of {self.settings.prefix_tokens} and prompt and caption of {tokens} tokens do not fit into "
                f"{POSITIONS} positions; fix: shorten the prompts"
            )

    def forward(self, z: torch.Tensor, tokens: torch.Tensor, prompted: torch.Tensor | None = None) -> torch.Tensor:
        """Mean cross-entropy of a caption's tokens given z, in nats a token.

        z: (B, d) float; tokens: (B, T) int64, padded on the right with IGNORE, the end token included. They may lie on
        the CPU, wherever the model is: then a GPU is not waited for. prompted: (B,) int64, how many of a row's first
        tokens are a prompt, which the loss leaves out; None: there are none.
        """
        # The last prefix token predicts the first word, so nothing stands for a beginning, and the end token is
        # predicted but never read. Padding is on the right: causal attention never looks there, no mask is needed.
        words = self.gpt.transformer.wte(tokens[:, :-1].clamp(min=0).to(z.device))  # (B, T-1, W)
        hidden = self.gpt.transformer(inputs_embeds=torch.cat([self.prefix(z), words], dim=1), use_cache=False)[0]
        hidden = hidden[:, self.settings.prefix_tokens - 1 :]  # (B, T, W)
        judged = tokens != IGNORE  # (B, T)
        if prompted is not None:
            judged &= torch.arange(tokens.shape[1]) >= prompted[:, None]
        real = judged.flatten().nonzero()[:, 0]
        logits = self.gpt.lm_head(hidden.flatten(0, 1)[real.to(z.device)])  # (number of judged tokens, V)
        return functional.cross_entropy(logits.float(), tokens.flatten()[real].to(z.device))

    def save(self, folder: Path) -> None:
        with store.replacing(folder / "decoder.safetensors") as temporary:
            save_model(self, str(temporary))
        self.tokenizer.save(folder / "tokenizer.json")
        store.write_json(folder / "decoder.json", {"dim": self.dim, "settings": named(self.settings)})

    @classmethod
    def load(cls, folder: Path, device: str | torch.device = "cpu") -> CaptionDecoder:
        """A decoder saved by `save`. Raises FileNotFoundError naming the file that is not there."""
        for name in ("decoder.json", "tokenizer.json", "decoder.safetensors"):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder / name} is missing: {folder} holds no finished decoder.")
        saved = json.loads((folder / "decoder.json").read_text())
        settings = config.Decoder(**{"tokens": "all", **saved["settings"]})  # as `named` leaves it out
        model = cls(settings, saved["dim"], text.Tokenizer.load(folder / "tokenizer.json"))
        load_model(model, str(folder / "decoder.safetensors"))
        return model.to(device).eval()


def named(settings: config.Decoder) -> dict[str, Any]:
    """The settings as a decoder is named by them: `tokens` only where tokens are left out. A decoder with all of them
    has the name that it had before there was this setting."""
    about = asdict(settings)
    if settings.tokenizer == "words" or settings.tokens == "all":
        del about["tokens"]
    return about


def pad(rows: list[list[int]]) -> torch.Tensor:
    """Token lists -> (B, T) int64, filled with IGNORE on the right."""
    out = np.full((len(rows), max(map(len, rows))), IGNORE, dtype=np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return torch.from_numpy(out)
