"""What one unit of work costs on this machine: the real code on made-up data of the real size, for about a second.

Each function takes what decides the cost and returns seconds. They run in a worker process (aaclib.suite.costs),
which may be one of several that measure the same side by side. No weights are read: time does not depend on them.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aaclib.suite import towers
from aaclib.suite.towers import WORDS

SPEND_S = 1.2  # on one measurement, about, behind its warm-up
REFERENCE_S = 0.09  # `calculation` on the machine whose times are scaled (aaclib.suite.costs.SCALED)


def ready() -> None:
    """Imports what the measurements need, so that no import is measured."""
    import torch  # noqa: F401
    from transformers import GPT2LMHeadModel  # noqa: F401

    from aaclib import generate, train  # noqa: F401


def grown(sizes: Sequence[int], seconds_of: Callable[[int], float]) -> float:
    """Seconds at the last of the sizes: measured there, or, where the smaller ones take long already, on the line
    through the two largest that were measured.

    >>> grown([8, 16, 64], lambda size: 1.0 + size)
    65.0
    """
    sizes = sorted(set(sizes))
    first = seconds_of(sizes[0])  # allocates memory and picks kernels
    if first > 3 * SPEND_S:  # a slow machine, or a busy one: so much for a measurement
        return first * sizes[-1] / sizes[0]
    points: list[tuple[int, float]] = []
    for size in sizes:
        points.append((size, seconds_of(size)))
        if len(points) > 1 and sum(seconds for _, seconds in points) > SPEND_S:
            break
    last, seconds = points[-1]
    if last == sizes[-1]:
        return seconds
    before, less = points[-2]
    return seconds + (sizes[-1] - last) * max(seconds - less, 0.0) / (last - before)


def timed(action: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def calculation() -> float:
    """A fixed piece of work, matrices and Python in equal parts, in seconds of processor time: how fast this machine is
    beside another."""

    def work() -> None:
        matrix = np.random.default_rng(0).standard_normal((500, 500), dtype=np.float32)
        for _ in range(12):
            matrix = matrix @ matrix / 500
        sum(len(word.split("a")) for word in WORDS * 8000)

    found = []
    for _ in range(3):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


# ---- the decoder


def step(*, decoder: dict, dim: int, tokens: int, batch: int, threads: int, device: str) -> float:
    """A training step of `aaclib.train`, on captions of `tokens` tokens."""
    from aaclib import bridge, config, train

    model, rng = _decoder(decoder, dim, device), np.random.default_rng(0)
    how = replace(config.Train(), epochs=1, keep="last", threads=threads)

    def seconds_of(rows: int, steps: int = 1) -> float:
        lengths = np.clip(rng.poisson(tokens, steps * rows), 2, 2 * tokens)
        ids = [rng.integers(4, decoder["vocabulary"], n).tolist() for n in lengths]
        examples = train.Examples(rng.standard_normal((steps * rows, dim), dtype=np.float32), ids)
        with tempfile.TemporaryDirectory() as folder:
            made = replace(how, batch_size=rows), 0, Path(folder)
            history = train.train(model, _as_it_is, bridge.Context(), examples, None, *made)
        return history[0]["seconds"] / steps

    seconds_of(max(batch // 8, 1))
    if seconds_of(batch // 8 or 1) < SPEND_S / 40:  # small enough for whole batches, several of them
        return seconds_of(batch, 10)
    return grown([max(batch // 8, 1), max(batch // 4, 1), max(batch // 2, 1), batch], seconds_of)


def generation(*, decoder: dict, dim: int, rows: int, beam: int, tokens: int, device: str) -> float:
    """A batch of captions of `tokens` tokens, by greedy decoding or beam search."""
    from aaclib import generate

    model = _decoder(decoder, dim, device)
    z = np.random.default_rng(0).standard_normal((rows, dim), dtype=np.float32)
    sizes = [n for n in (2, 4, 8, 16) if n < tokens]
    return grown([*sizes, tokens], lambda n: timed(lambda: generate.generate(model, z, beam, n, rows)))


@functools.lru_cache(maxsize=1)
def _made(settings: tuple, vocabulary: int, dim: int, device: str) -> Any:
    from aaclib import config, text
    from aaclib.decoder import CaptionDecoder

    words = [f"w{i}" for i in range(vocabulary - 4)]
    tokenizer = text.WordTokenizer.train([" ".join(words)], vocabulary)
    return CaptionDecoder(config.Decoder(**dict(settings)), dim, tokenizer).to(device)


def _decoder(decoder: dict, dim: int, device: str) -> Any:
    """A decoder with random weights. `decoder`: settings of config.Decoder; `vocabulary` its tokens, exactly."""
    return _made(tuple(sorted(decoder.items())), decoder["vocabulary"], dim, device)


def _as_it_is(z: np.ndarray, context: Any, rng: Any = None) -> np.ndarray:
    return z


# ---- CLAP


def window(*, clap: str, device: str) -> float:
    """A window of sound, resampled, through the front end and the audio tower."""
    import torch

    from aaclib import audio

    rate, seconds, embed = towers.of(clap, device)[:3]
    source = 44100 if clap != "tiny" else rate
    noise = np.random.default_rng(0).standard_normal(round(seconds * source)).astype(np.float32) / 10

    def seconds_of(n: int) -> float:
        def work() -> None:
            waves = [audio.resample(noise, source, rate)[: round(seconds * rate)] for _ in range(n)]
            with torch.inference_mode():
                float(embed(torch.from_numpy(np.stack(waves)).to(device)).sum())

        return timed(work) / n

    return _least([1, 2, 4] if clap != "tiny" else [16, 16], seconds_of)


def caption(*, clap: str, tokens: int, device: str) -> float:
    """A caption through the text tower."""
    import torch

    read = towers.of(clap, device)[3]

    def seconds_of(n: int) -> float:
        with torch.inference_mode():
            return timed(lambda: float(read(n, tokens).sum())) / n

    return _least([16, 32, 64], seconds_of)


def _least(sizes: Sequence[int], seconds_of: Callable[[int], float]) -> float:
    """Seconds a piece at the best of the batch sizes, as far as the time reaches."""
    until = time.perf_counter() + SPEND_S
    found = [seconds_of(sizes[0])]
    for size in sizes:
        if time.perf_counter() > until and len(found) > 1 or found[0] * size > 2 * SPEND_S:
            break
        found.append(seconds_of(size))
    return min(found)


def tiny_clap(*, width: int, batch: int, threads: int, device: str) -> float:
    """A clip in an epoch of the tiny CLAP's training."""
    return _tiny_training(width, min(batch, 32), threads, device)[0]


def log_mel(*, width: int, threads: int, device: str) -> float:
    """A clip read and brought into the form in which the tiny CLAP is trained on it, once before its training."""
    return _tiny_training(width, 32, threads, device)[1]


@functools.lru_cache(maxsize=1)
def _tiny_training(width: int, batch: int, threads: int, device: str) -> tuple[float, float]:
    """Seconds a clip and epoch, and a clip once: two epochs of two batches, the second of them timed."""
    import soundfile
    import torch

    from aaclib import config, seeds
    from aaclib.clap.tiny_model import SAMPLE_RATE
    from aaclib.clap.tiny_training import HISTORY, Recipe, Training
    from aaclib.datasets import Clip, Split
    from aaclib.store import read_json

    how, recipe = replace(config.Clap(), epochs=2, train_batch=batch, width=width), Recipe()
    recipe = replace(recipe, shape=replace(recipe.shape, width=width))
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name, seeds.threads(threads):
        clips = []
        for i in range(2 * batch):
            path = Path(name, f"{i}.flac")
            soundfile.write(path, rng.standard_normal(round(5.6 * SAMPLE_RATE)) / 10, SAMPLE_RATE)
            clips.append(Clip(str(i), tuple(" ".join(rng.choice(WORDS, 9)) for _ in range(2)), path))
        training = Training(Split("made", "train", tuple(clips)), clips, how, recipe, 0, torch.device(device))
        total = timed(lambda: training.run(Path(name)))
        history = read_json(Path(name, HISTORY))
    trained = sum(epoch["seconds"] for epoch in history)
    return history[-1]["seconds"] / len(clips), max(total - trained, 1e-4) / len(clips)


# ---- the synthetic world, metrics


def scene(*, world: str) -> float:
    """A scene rendered and written, by one process."""
    import io

    import soundfile

    from aaclib.datasets.made import RATE
    from aaclib.datasets.soundscapes import render, scenes, worlds

    def work() -> None:
        for i in range(12):
            wave = render.render(scenes.scene(worlds.get(world), "train", i))
            soundfile.write(io.BytesIO(), wave, RATE, "PCM_16", format="FLAC", compression_level=0.2)

    return timed(work) / 12


def metric(*, references: int) -> float:
    """A clip of a row by the metrics that are written in Python: BLEU, ROUGE-L, CIDEr-D."""
    from aaclib import metrics

    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(WORDS, 10)) for _ in range(100 * (references + 1))]
    refs = [said[i * references : (i + 1) * references] for i in range(100)]
    names = ("bleu_1", "bleu_4", "rouge_l", "cider_d")
    return timed(lambda: metrics.evaluate(said[-100:], refs, names, tokenize=False, store=False)) / 100


def run(kind: str, settings: dict[str, Any]) -> float:
    """Seconds of one unit of a kind: the function of that name."""
    return {f.__name__: f for f in (step, generation, window, caption, tiny_clap, log_mel, scene, metric)}[kind](
        **settings
    )
