"""Training a decoder: precomputed embeddings in, a decoder and its loss curve out.

The embeddings of the captions are computed once (aaclib.embeddings), so an epoch is the decoder alone. The strategy's
training half is applied anew every epoch, so the noise is fresh. A training that was killed goes on where it was saved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aaclib import bridge, interrupts, resume, seeds, store
from aaclib.config import Train
from aaclib.decoder import CaptionDecoder, pad
from aaclib.progress import Progress

SETTLED = 32  # steps between two looks at the losses on a GPU: each one waits for it
STATE, BEST = ".state.safetensors", ".best.safetensors"  # hidden: what only a resumed training needs
SAVE_EVERY_S = 60.0  # at the latest, in the middle of an epoch as well
BEGIN = {"step": 0, "loss": 0.0, "tokens": 0.0, "seconds": 0.0}  # the place of a training at the start of an epoch
Callback = Callable[[list[dict]], None]


@dataclass(frozen=True)
class Examples:
    """z: (n, d) float32 unit rows; tokens: n lists of ids, each with its end token; prompts: n lists of ids that are
    read before them and never predicted.

    >>> Examples(z, tokenizer.encode(answers), tokenizer.encode(questions))  # a question's end token parts the two
    """

    z: np.ndarray
    tokens: list[list[int]]
    prompts: list[list[int]] | None = None

    def __post_init__(self) -> None:
        if len(self.z) != len(self.tokens) or not self.tokens:
            raise ValueError(
                "expected one embedding a caption and at least one, "
                f"found {len(self.z)} embeddings and {len(self.tokens)} captions"
            )
        if self.prompts is not None and len(self.prompts) != len(self.tokens):
            raise ValueError(
                f"expected one prompt a caption, found {len(self.prompts)} for {len(self.tokens)} captions"
            )

    @property
    def rows(self) -> list[list[int]]:
        """What the decoder reads of each: its prompt and its tokens."""
        return [[*p, *t] for p, t in zip(self.prompts, self.tokens, strict=True)] if self.prompts else self.tokens

    @property
    def prompted(self) -> np.ndarray | None:
        """(n,) int64, how many of each row's tokens are its prompt."""
        return None if self.prompts is None else np.array([*map(len, self.prompts)])


def train(
    model: CaptionDecoder,
    half: bridge.Step,
    context: bridge.Context | bridge.Narrow,
    training: Examples,
    validation: Examples | None,
    settings: Train,
    seed: int,
    folder: Path,
    label: str = "decoder",
    callback: Callback | None = None,
) -> list[dict]:
    """Trains `model` in place and returns the history, one dict an epoch: epoch, step, train_loss, validation_loss
    (nats a token), seconds.

    `half`: the strategy's training half, applied to training and validation embeddings alike, the latter with one
    fixed noise. `keep = best` ends with the weights of the epoch with the lowest validation loss. `folder` keeps the
    state, saved now and then and when a signal ends the training (aaclib.interrupts); a later call with the same folder
    goes on from it, in the middle of an epoch as well, to the same weights.
    """
    if settings.keep == "best" and validation is None:
        raise ValueError("train.keep = best needs validation captions; use keep = last")
    rows, prompted = training.rows, training.prompted
    model.check_room(max(map(len, rows)))
    optimizer = adamw(model, settings)
    steps_an_epoch = -(-len(training.tokens) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _schedule(settings, steps_an_epoch * settings.epochs))
    best = [folder / BEST] if settings.keep == "best" else []
    place = resume.restore(folder / STATE, model, optimizer, needs=best) or {"history": [], **BEGIN}
    history, device = place["history"], model.mapping.weight.device
    store.write_json(folder / "history.json", history)
    done = len(history) * steps_an_epoch + place["step"]
    for group, base in zip(optimizer.param_groups, schedule.base_lrs, strict=True):
        schedule.last_epoch = done
        group["lr"] = base * schedule.lr_lambdas[0](done)
    progress = Progress(f"training {label}", settings.epochs * steps_an_epoch, "steps", done=done)

    waiting: list[tuple[torch.Tensor, int]] = []  # losses that the device may be at work on, and their tokens

    def settle() -> None:
        place["loss"] = _sum(waiting, place["loss"])
        place["tokens"] += sum(n for _, n in waiting)
        waiting.clear()

    def save() -> None:
        settle()
        resume.save(folder / STATE, model, optimizer, {**place, "dropout": seeds.torch_state(device)})

    with seeds.threads(settings.threads), interrupts.Saves(save, SAVE_EVERY_S) as whole:
        for epoch in range(len(history), settings.epochs):
            started = time.perf_counter() - place["seconds"]
            seeds.seed_all(seed, "epoch", epoch)  # dropout
            rng = seeds.rng(seed, "epoch", epoch)  # order and noise
            z = _resident(half(training.z, context, rng), device)  # (n, d) what the decoder sees this epoch
            batches = list(_batches(rows, settings.batch_size, rng))
            if place["step"]:
                seeds.set_torch_state(place["dropout"], device)
            model.train()
            for batch in batches[place["step"] :]:
                waiting.append(step(model, optimizer, z, rows, batch, prompted))
                schedule.step()
                place |= {"step": place["step"] + 1, "seconds": time.perf_counter() - started}
                if device.type == "cpu" or len(waiting) == SETTLED or place["step"] == steps_an_epoch:
                    settle()
                progress.step(note=f"loss {place['loss'] / max(place['tokens'], 1):.3f}")
                whole()
            held_out = (
                evaluate(model, half, context, validation, settings.batch_size, seed, whole) if validation else None
            )
            history.append(
                {
                    "epoch": epoch + 1,
                    "step": (epoch + 1) * steps_an_epoch,
                    "train_loss": place["loss"] / place["tokens"],
                    "validation_loss": held_out,
                    "seconds": time.perf_counter() - started,
                }
            )
            place |= BEGIN
            if settings.keep == "best" and held_out == min(h["validation_loss"] for h in history):
                resume.save(folder / BEST, model)
            store.write_json(folder / "history.json", history)
            whole()
            if callback:
                callback(history)
    if settings.keep == "best":
        resume.load(folder / BEST, model)
    return history


def adamw(model: CaptionDecoder, settings: Train) -> torch.optim.Optimizer:
    """AdamW in one kernel: weight decay for matrices, none for biases, norms and gains."""
    decay = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": settings.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.lr, fused=True)


def step(
    model: CaptionDecoder,
    optimizer: torch.optim.Optimizer,
    z: np.ndarray | torch.Tensor,
    tokens: list[list[int]],
    batch: np.ndarray,
    prompted: np.ndarray | None = None,
) -> tuple[torch.Tensor, int]:
    """One step on the captions `batch` (their numbers) of z (n, d) and n lists of ids, the first `prompted` (n,) of
    each a prompt: the mean loss before it, on the device, and the number of its tokens. Nothing waits for a GPU."""
    loss, n = _loss(model, z, tokens, batch, prompted)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.detach(), n


@torch.inference_mode()
def evaluate(
    model: CaptionDecoder,
    half: bridge.Step,
    context: bridge.Context | bridge.Narrow,
    examples: Examples,
    batch_size: int,
    seed: int,
    between: Callable[[], None] = lambda: None,
) -> float:
    """Mean loss (nats a token) on `examples` passed through the training half with one fixed noise. `between` is called
    after each batch."""
    model.eval()
    rng = seeds.rng(seed, "validation")
    z = _resident(half(examples.z, context, rng), model.mapping.weight.device)
    losses, rows = [], examples.rows
    for batch in _batches(rows, max(batch_size, 128), None):
        losses.append(_loss(model, z, rows, batch, examples.prompted))
        between()
    return _sum(losses) / sum(n for _, n in losses)


def _resident(z: np.ndarray, device: torch.device) -> np.ndarray | torch.Tensor:
    """The embeddings where the decoder computes, all at once: a batch is then a look-up there."""
    return z if device.type == "cpu" else torch.tensor(z, device=device)


def _loss(
    model: CaptionDecoder,
    z: np.ndarray | torch.Tensor,
    tokens: list[list[int]],
    batch: np.ndarray,
    prompted: np.ndarray | None = None,
) -> tuple[torch.Tensor, int]:
    """The mean loss of a batch, on the device, and the number of its tokens."""
    read = None if prompted is None else torch.from_numpy(prompted[batch])
    rows = pad([tokens[i] for i in batch])
    with torch.autocast("cuda", torch.bfloat16, enabled=model.mapping.weight.is_cuda):
        loss = model(torch.as_tensor(z[batch]), rows, read)
    return loss, int((rows >= 0).sum()) - (0 if read is None else int(read.sum()))


def _sum(losses: list[tuple[torch.Tensor, int]], before: float = 0.0) -> float:
    """Nats of all tokens, fetched from the device at once and added one after the other: whenever that is done, it
    gives the same sum."""
    values = torch.stack([loss for loss, _ in losses]).tolist() if losses else []
    return sum((value * n for value, (_, n) in zip(values, losses, strict=True)), before)


def _batches(tokens: list[list[int]], batch_size: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Indices in batches of similar length. With `rng` both the order within a length and the order of the batches
    are drawn anew, so that a caption meets other company every epoch."""
    lengths = np.fromiter(map(len, tokens), dtype=np.int64)
    # a little noise on the length mixes neighbours: buckets that are not the same every epoch
    order = np.argsort(lengths + (rng.random(len(lengths)) * 3 if rng else 0), kind="stable")
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    for i in rng.permutation(len(batches)) if rng else range(len(batches)):
        yield batches[i]


def _schedule(settings: Train, total: int) -> Callable[[int], float]:
    warmup = min(settings.warmup_steps, max(total // 5, 1))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        left = max(0.0, (total - step) / max(total - warmup, 1))
        return left if settings.schedule == "linear" else 0.5 * (1 - np.cos(np.pi * left))

    return factor
