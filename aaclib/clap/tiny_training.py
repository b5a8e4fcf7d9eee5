"""Training the tiny CLAP: InfoNCE over audio-caption pairs, with a temperature that is held.

The temperature decides how wide the modality gap becomes. Learned, it stays near its start in so short a training and
the gap is small; CLIP's long training ends at 0.01, the bound that its authors set, so it is held there
(`config.clap.temperature`; benchmarks/temperature.py compares).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from aaclib import audio, interrupts, resume, seeds
from aaclib.clap.tiny_files import HISTORY, save_model
from aaclib.clap.tiny_model import FLOOR, SAMPLE_RATE, Shape, TinyNet
from aaclib.clap.tiny_words import Words
from aaclib.config import Clap
from aaclib.datasets import Clip, Split
from aaclib.progress import Progress
from aaclib.store import write_json

CHECKPOINT = ".checkpoint.safetensors"  # hidden: only a resumed training needs it
LEARNED_FROM = 0.07  # where a learned temperature starts, as in CLIP
BEGIN = {"step": 0, "losses": [], "seconds": 0.0}  # the place of a training at the start of an epoch


@dataclass(frozen=True)
class Recipe:
    """What `config.clap` does not say. Set by hand before any target was looked at."""

    window_s: float = 6.4
    captions: int = 2  # of a clip in one step: the audio, which costs most, is computed once for them
    warmup: float = 0.15  # share of the steps in which the learning rate rises
    weight_decay: float = 0.05
    shift_s: float = 0.4  # a clip that fills its window is moved by at most this much, a shorter one freely
    mask_frames: int = 32  # SpecAugment (Park et al., https://arxiv.org/abs/1904.08779): at most, one mask each
    mask_mels: int = 8
    tilt: float = 0.4  # standard deviation of the spectral tilt, natural log units across the bands
    gain: float = 0.2  # and of the level
    shape: Shape = Shape()


class Training:
    """One training on the `clips` of `split`; `run(folder)` goes on from the folder's checkpoint if there is one."""

    def __init__(
        self, split: Split, clips: Sequence[Clip], settings: Clap, recipe: Recipe, seed: int, device: torch.device
    ):
        self.split, self.settings, self.recipe, self.seed, self.device = split, settings, recipe, seed, device
        self.paths = [clip.audio for clip in clips if clip.audio]  # all: `train` refuses clips without
        self.captions = [clip.captions for clip in clips]
        self.words = Words.built_from(c for captions in self.captions for c in captions)
        self.window_frames = round(recipe.window_s * SAMPLE_RATE) // recipe.shape.hop
        self.batch = min(settings.train_batch, len(clips))
        self.steps = len(clips) // self.batch  # of an epoch; the rest is left out, others each time

    def run(self, folder: Path) -> dict:
        """Writes the model's files into `folder` and returns small facts of the training."""
        seeds.seed_all(self.seed, "tiny-clap", "weights")
        learned = self.settings.learn_temperature
        net = TinyNet(
            replace(self.recipe.shape, words=len(self.words)),
            LEARNED_FROM if learned else self.settings.temperature,
            learned,
        )
        net.mel.fill_filters()
        self.mels, self.lengths = log_mels(self.paths, net, self.window_frames, self.seed)
        mean, scale = mean_and_scale(self.mels, self.lengths)
        net.mel.mean.copy_(torch.from_numpy(mean))
        net.mel.scale.copy_(torch.from_numpy(scale))
        net.to(self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # torch has no type for it
        optimizer = torch.optim.AdamW(self._groups(net), lr=self.settings.lr, betas=(0.9, 0.98))
        place = resume.restore(folder / CHECKPOINT, net, optimizer) or {"history": [], **BEGIN}
        history = place["history"]
        done = len(history) * self.steps + place["step"]
        progress = Progress("training the tiny CLAP", self.settings.epochs * self.steps, "steps", done=done)

        def save() -> None:
            random = {"batches": self.rng.bit_generator.state, "dropout": seeds.torch_state(self.device)}
            resume.save(folder / CHECKPOINT, net, optimizer, {**place, **random})

        with interrupts.Saves(save) as whole:
            for epoch in range(len(history), self.settings.epochs):
                for loss in self._epoch(net, optimizer, epoch, place):
                    progress.step(note=f"epoch {epoch + 1}, loss {loss:.3f}")
                    whole()
                history.append(
                    {
                        "epoch": epoch + 1,
                        "loss": float(np.mean(place["losses"])),
                        "temperature": net.temperature,
                        "seconds": round(place["seconds"], 2),
                    }
                )
                place |= BEGIN
                save()
        save_model(
            folder,
            net,
            self.words,
            self.recipe.window_s,
            f"{len(self.paths)} clips of {self.split.dataset} ({self.split.name}), nothing else.",
        )
        write_json(folder / HISTORY, history)
        return {
            "clips": len(self.paths),
            "captions": sum(map(len, self.captions)),
            "vocabulary": len(self.words) - 1,
            "parameters": sum(p.numel() for p in net.parameters()),
            "temperature": net.temperature,
        }

    def _groups(self, net: TinyNet) -> list[dict]:
        """Weight decay for matrices and kernels alone: none for tables of words, norms, biases, the temperature."""
        tables = ("text_tower.words.weight", "text_tower.grams.weight")
        trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
        decayed = [name for name, p in trained.items() if p.ndim >= 2 and name not in tables]
        return [
            {"params": [trained[name] for name in decayed], "weight_decay": self.recipe.weight_decay},
            {"params": [p for name, p in trained.items() if name not in decayed], "weight_decay": 0.0},
        ]

    def _epoch(self, net: TinyNet, optimizer: torch.optim.Optimizer, epoch: int, place: dict) -> Iterator[float]:
        """The rest of an epoch, from `place` on: the mean loss so far, after each step. Everything random hangs on seed
        and epoch alone, so that a resumed training sees the same numbers."""
        started = time.perf_counter() - place["seconds"]
        seeds.seed_all(self.seed, "tiny-clap", "epoch", epoch)
        self.rng = rng = seeds.rng(self.seed, "tiny-clap", "batches", epoch)
        order = rng.permutation(len(self.paths))
        if place["step"]:
            rng.bit_generator.state = place["batches"]
            seeds.set_torch_state(place["dropout"], self.device)
        net.train()
        for step in range(place["step"], self.steps):
            rows = order[step * self.batch : (step + 1) * self.batch]
            done = (epoch + step / self.steps) / self.settings.epochs
            for group in optimizer.param_groups:
                group["lr"] = self.settings.lr * one_cycle(done, self.recipe.warmup)
            captions, owner = self._draw(rows, rng)
            mel = torch.from_numpy(augmented(self.mels[rows], self.lengths[rows], self.recipe, rng)).to(self.device)
            z_a = net.audio((mel - net.mel.mean) * net.mel.scale)
            z_t = self._text(net, captions)
            same = same_caption(captions, owner).to(self.device)
            loss = info_nce(z_a, z_t, torch.from_numpy(owner).to(self.device), same, net.log_scale.exp())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            if self.settings.learn_temperature:
                with torch.no_grad():
                    net.log_scale.clamp_(max=math.log(100))
            if not math.isfinite(value := float(loss.detach())):
                raise FloatingPointError(f"The tiny CLAP's loss is {value} in epoch {epoch + 1}: lower clap.lr.")
            place |= {"step": step + 1, "losses": [*place["losses"], value], "seconds": time.perf_counter() - started}
            yield float(np.mean(place["losses"]))

    def _text(self, net: TinyNet, captions: list[str]) -> Tensor:
        """(m, width) unit rows. Captions of like length go through the tower together: padded to the longest of the
        batch, the text would cost twice as much."""
        order = np.argsort([caption.count(" ") for caption in captions], kind="stable")
        parts = np.split(order, [len(order) // 2, len(order) * 7 // 8])
        rows = [
            net.text(*(x.to(self.device) for x in self.words.encode([captions[i] for i in part])))
            for part in parts
            if len(part)
        ]
        return torch.cat(rows)[torch.from_numpy(np.argsort(order))]

    def _draw(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
        """Captions of these clips, each clip's own ones at random, and (m,) the clip's place in the batch."""
        captions, owner = [], []
        for place, row in enumerate(rows):
            own = self.captions[row]
            for i in rng.permutation(len(own))[: self.recipe.captions]:
                captions.append(own[i])
                owner.append(place)
        return captions, np.array(owner)


def log_mels(paths: list[Path], net: TinyNet, frames: int, seed: int, batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """All clips through the front end once: (n, mels, frames) float16, not normalised, and (n,) frames that hold sound.

    Longer recordings give one window at random (by seed and content), shorter ones end in silence.
    """
    samples, hop = frames * net.shape.hop, net.shape.hop
    mels = np.empty((len(paths), net.shape.mels, frames), np.float16)
    lengths = np.empty(len(paths), np.int64)
    progress = Progress("log-mel", len(paths), "clips")

    def read(path: Path) -> tuple[np.ndarray, int]:
        wave = audio.load(path, SAMPLE_RATE)
        return audio.windows(wave, samples, "random", "zero", seed)[0], min(wave.size, samples)

    with ThreadPoolExecutor(2) as pool, torch.inference_mode():
        for start in range(0, len(paths), batch):
            waves = list(pool.map(read, paths[start : start + batch]))
            mels[start : start + batch] = net.mel.raw(torch.from_numpy(np.stack([wave for wave, _ in waves]))).numpy()
            lengths[start : start + batch] = [max(1, size // hop) for _, size in waves]
            progress.step(len(waves))
    return mels, lengths


def mean_and_scale(mels: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mels, 1) float32 each, over all frames that hold sound, accumulated in float64."""
    total, squares, count = np.zeros(mels.shape[1]), np.zeros(mels.shape[1]), 0
    for mel, length in zip(mels, lengths, strict=True):
        frames = mel[:, :length].astype(np.float64)
        total, squares, count = total + frames.sum(1), squares + np.square(frames).sum(1), count + length
    mean = total / count
    scale = 1 / np.sqrt(np.maximum(squares / count - mean**2, 1e-2))
    return mean[:, None].astype(np.float32), scale[:, None].astype(np.float32)


def augmented(mels: np.ndarray, lengths: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """(B, mels, frames) float16 -> float32: moved in time, level and tilt changed, a band and a stretch masked."""
    batch, bands, frames = mels.shape
    moved = np.full((batch, bands, frames), math.log(FLOOR), np.float32)
    most = round(recipe.shift_s * SAMPLE_RATE / recipe.shape.hop)
    slope = np.linspace(-1, 1, bands)[:, None]
    for row, (mel, length) in enumerate(zip(mels, lengths, strict=True)):
        spare = frames - length
        offset = int(rng.integers(0, spare + 1)) if spare > most else int(rng.integers(-most, most + 1))
        change = rng.normal(0, recipe.gain) + rng.normal(0, recipe.tilt) * slope
        source = mel[:, max(0, -offset) : min(frames, frames - offset)].astype(np.float32) + change
        moved[row, :, max(0, offset) : max(0, offset) + source.shape[1]] = np.maximum(source, math.log(FLOOR))
        quiet = moved[row].mean()
        width, start = rng.integers(0, recipe.mask_mels + 1), rng.integers(0, bands)
        moved[row, start : start + width] = quiet
        width, start = rng.integers(0, recipe.mask_frames + 1), rng.integers(0, frames)
        moved[row, :, start : start + width] = quiet
    return moved


def one_cycle(done: float, warmup: float) -> float:
    """The learning rate's factor after the share `done` of all steps: up in a line, down to nothing as a cosine."""
    if done < warmup:
        return 0.04 + 0.96 * done / warmup
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def same_caption(captions: list[str], owner: np.ndarray) -> Tensor:
    """(B, m) bool: caption j reads like one of clip i's captions in this batch. Such pairs are no negatives."""
    numbers = {caption: i for i, caption in enumerate(dict.fromkeys(captions))}
    rows = np.array([numbers[caption] for caption in captions])
    has = np.zeros((owner.max() + 1, len(numbers)), bool)
    has[owner, rows] = True
    return torch.from_numpy(has[:, rows])


def info_nce(z_a: Tensor, z_t: Tensor, owner: Tensor, same: Tensor, scale: Tensor) -> Tensor:
    """The symmetric contrastive loss (Radford et al., https://arxiv.org/abs/2103.00020) with several captions per clip.

    z_a (B, d), z_t (m, d): unit rows; owner (m,): each caption's clip; same (B, m): pairs that are no negatives;
    scale: 1 / temperature. Each caption is a term of its own against the other clips' captions, and against the clips.
    """
    logits = scale * z_a @ z_t.T  # (B, m)
    right = logits.gather(0, owner[None])[0]  # (m,)
    wrong = logits.masked_fill(same, -1e9)  # finite, so that a batch of equal captions gives 0, not NaN
    to_audio = torch.logsumexp(wrong, 0)  # over clips, for each caption
    to_text = torch.logsumexp(wrong, 1)[owner]  # over captions, for its clip
    return 0.5 * (F.softplus(to_audio - right) + F.softplus(to_text - right)).mean()
