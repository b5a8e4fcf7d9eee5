"""Training a decoder: precomputed embeddings in, a decoder and its loss curve out.

The embeddings of the captions are computed once (aaclib.embed), so an epoch is the decoder alone. The strategy's
training half is applied anew every epoch, so the noise is fresh. Long trainings go on from the last finished epoch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from aaclib import bridge, seeds, store
from aaclib.config import Train
from aaclib.decoder import CaptionDecoder, pad
from aaclib.progress import Progress

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
    history = _resume(folder, model, optimizer, schedule)
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
        _keep_best(folder, model, history, settings)
        if time.monotonic() - saved >= SAVE_EVERY_S:
            _save_state(folder, model, optimizer, history)
            saved = time.monotonic()
        store.write_json(folder / "history.json", history)
        if callback:
            callback(history)
    if settings.keep == "best" and history:
        _load_weights(model, folder / "best.safetensors")
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


def _keep_best(folder: Path, model: CaptionDecoder, history: list[dict], settings: Train) -> None:
    losses = [h["validation_loss"] for h in history]
    if settings.keep == "best" and losses[-1] == min(losses):
        with store.replacing(folder / "best.safetensors") as temporary:
            save_file({f"model.{k}": v for k, v in _unshared(model).items()}, str(temporary))


def _save_state(folder: Path, model: CaptionDecoder, optimizer: torch.optim.Optimizer, history: list[dict]) -> None:
    """Weights, moments and, in the same file, the history up to here, so that they never disagree."""
    weights = {f"model.{k}": v for k, v in _unshared(model).items()}
    states = optimizer.state_dict()["state"].items()
    moments = {f"optimizer.{i}.{k}": torch.as_tensor(v) for i, state in states for k, v in state.items()}
    with store.replacing(folder / "state.safetensors") as temporary:
        save_file({**weights, **moments}, str(temporary), metadata={"history": json.dumps(history)})


def _resume(folder: Path, model, optimizer, schedule) -> list[dict]:
    """The history of the epochs that an earlier, killed call finished; model, optimizer and schedule are set to it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "state.safetensors"
    if not path.is_file():
        return []
    state = safe_open(str(path), "pt")
    history = json.loads(state.metadata()["history"])
    _load_weights(model, path)
    moments: dict[int, dict] = {}
    for key in state.keys():
        if key.startswith("optimizer."):
            _, i, name = key.split(".", 2)
            moments.setdefault(int(i), {})[name] = state.get_tensor(key)
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    schedule.last_epoch = history[-1]["step"]
    for group, base in zip(optimizer.param_groups, schedule.base_lrs, strict=True):
        group["lr"] = base * schedule.lr_lambdas[0](history[-1]["step"])
    return history


def clear(folder: Path) -> None:
    """Removes what only a resumed training needs."""
    for name in ("state.safetensors", "best.safetensors"):
        (folder / name).unlink(missing_ok=True)


def _unshared(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state without GPT-2's tied output layer, which safetensors would refuse as shared memory."""
    return {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items() if k != "gpt.lm_head.weight"}


def _load_weights(model: torch.nn.Module, path: Path) -> None:
    with safe_open(str(path), "pt") as state:
        weights = {k.removeprefix("model."): state.get_tensor(k) for k in state.keys() if k.startswith("model.")}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or set(missing) - {"gpt.lm_head.weight"}:
        raise store.StoreError(f"{path} does not fit this decoder (missing {missing}, unexpected {unexpected}). "
                               "Delete it and run again.")
