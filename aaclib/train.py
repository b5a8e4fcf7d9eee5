"""Training a decoder: precomputed embeddings in, a decoder and its loss curve out.

The embeddings of the captions are computed once (aaclib.embed), so an epoch is the decoder alone. The strategy's
training half is applied anew every epoch, so the noise is fresh. Long trainings go on from the last finished epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aaclib import bridge, resume, seeds, store
from aaclib.config import Train
from aaclib.decoder import CaptionDecoder, pad
from aaclib.progress import Progress

STATE, BEST = ".state.safetensors", ".best.safetensors"       # hidden: what only a resumed training needs
SAVE_EVERY_S = 60.0                    # at a real width the state is hundreds of megabytes, and an epoch may be short
Callback = Callable[[list[dict]], None]


@dataclass(frozen=True)
class Examples:
    """z: (n, d) float32 unit rows; tokens: n lists of ids, each with its end token."""

    z: np.ndarray
    tokens: list[list[int]]

    def __post_init__(self) -> None:
        if len(self.z) != len(self.tokens) or not self.tokens:
            raise ValueError("expected one embedding a caption and at least one, "
                             f"found {len(self.z)} embeddings and {len(self.tokens)} captions")


def train(
    model: CaptionDecoder, half: bridge.Half, context: bridge.Context, training: Examples, validation: Examples | None,
    settings: Train, seed: int, folder: Path, label: str = "decoder", callback: Callback | None = None,
) -> list[dict]:
    """Trains `model` in place and returns the history, one dict an epoch: epoch, step, train_loss, validation_loss
    (nats a token), seconds.

    `half`: the strategy's training half, applied to training and validation embeddings alike, the latter with one
    fixed noise. `keep = best` ends with the weights of the epoch with the lowest validation loss. `folder` keeps the
    state of a finished epoch, at most a minute old; a later call with the same folder goes on from it with equal
    results.
    """
    if settings.keep == "best" and validation is None:
        raise ValueError("train.keep = best needs validation captions; use keep = last")
    optimizer = torch.optim.AdamW(_groups(model, settings.weight_decay), lr=settings.lr, fused=True)
    steps_an_epoch = -(-len(training.tokens) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _schedule(settings, steps_an_epoch * settings.epochs))
    best = [folder / BEST] if settings.keep == "best" else []
    history = resume.restore(folder / STATE, model, optimizer, needs=best)
    store.write_json(folder / "history.json", history)
    for group, base in zip(optimizer.param_groups, schedule.base_lrs, strict=True):
        schedule.last_epoch = len(history) * steps_an_epoch
        group["lr"] = base * schedule.lr_lambdas[0](schedule.last_epoch)
    progress = Progress(f"training {label}", settings.epochs * steps_an_epoch, "steps")
    progress.done = len(history) * steps_an_epoch
    saved = time.monotonic()
    for epoch in range(len(history), settings.epochs):
        started = time.perf_counter()
        seeds.seed_all(seed, "epoch", epoch)                    # dropout
        rng = seeds.rng(seed, "epoch", epoch)                   # order and noise
        z = half(training.z, context, rng)                      # (n, d) what the decoder sees this epoch
        model.train()
        total = count = 0.0
        for batch in _batches(training.tokens, settings.batch_size, rng):
            loss, n = _loss(model, z, training.tokens, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total, count = total + loss.item() * n, count + n
            progress.step(note=f"loss {total / count:.3f}")
        held_out = evaluate(model, half, context, validation, settings.batch_size, seed) if validation else None
        history.append({"epoch": epoch + 1, "step": (epoch + 1) * steps_an_epoch, "train_loss": total / count,
                        "validation_loss": held_out, "seconds": time.perf_counter() - started})
        if settings.keep == "best" and held_out == min(h["validation_loss"] for h in history):
            resume.save(folder / BEST, model)
        if time.monotonic() - saved >= SAVE_EVERY_S:
            resume.save(folder / STATE, model, optimizer, history)
            saved = time.monotonic()
        store.write_json(folder / "history.json", history)
        if callback:
            callback(history)
    if settings.keep == "best":
        resume.load(folder / BEST, model)
    return history


@torch.inference_mode()
def evaluate(model: CaptionDecoder, half: bridge.Half, context: bridge.Context, examples: Examples, batch_size: int,
             seed: int) -> float:
    """Mean loss (nats a token) on `examples` passed through the training half with one fixed noise."""
    model.eval()
    rng = seeds.rng(seed, "validation")
    z = half(examples.z, context, rng)
    total = count = 0.0
    for batch in _batches(examples.tokens, max(batch_size, 128), None):
        loss, n = _loss(model, z, examples.tokens, batch)
        total, count = total + loss.item() * n, count + n
    return total / count


def _loss(model: CaptionDecoder, z: np.ndarray, tokens: list[list[int]], batch: np.ndarray) -> tuple[torch.Tensor, int]:
    device = model.mapping.weight.device
    rows = pad([tokens[i] for i in batch])
    with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
        loss = model(torch.from_numpy(z[batch]).to(device, non_blocking=True), rows.to(device, non_blocking=True))
    return loss, int((rows >= 0).sum())


def _batches(tokens: list[list[int]], batch_size: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Indices in batches of similar length. With `rng` both the order within a length and the order of the batches
    are drawn anew, so that a caption meets other company every epoch."""
    lengths = np.fromiter(map(len, tokens), dtype=np.int64)
    # a little noise on the length mixes neighbours: buckets that are not the same every epoch
    order = np.argsort(lengths + (rng.random(len(lengths)) * 3 if rng else 0), kind="stable")
    batches = [order[i:i + batch_size] for i in range(0, len(order), batch_size)]
    for i in rng.permutation(len(batches)) if rng else range(len(batches)):
        yield batches[i]


def _groups(model: CaptionDecoder, weight_decay: float) -> list[dict]:
    """Weight decay for matrices, none for biases, norms and gains."""
    decay = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    return [{"params": decay, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def _schedule(settings: Train, total: int) -> Callable[[int], float]:
    warmup = min(settings.warmup_steps, max(total // 5, 1))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        left = max(0.0, (total - step) / max(total - warmup, 1))
        return left if settings.schedule == "linear" else 0.5 * (1 - np.cos(np.pi * left))

    return factor
