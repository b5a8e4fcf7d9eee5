"""What the decoder of a prompted row reads before it writes: captions, or names of sounds, that lie near its embedding.

While training they are near the caption's own embedding, and none is of the caption's own clip, for of a new recording
the memory has none either (DRCap, Li et al. 2024). Names of sounds are those of the external pairs' labels; while
training some are left out at random, once for each caption, since text names its sounds more surely than a recording
does (SoftHard, Zhang et al. 2024, draws anew every epoch).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aaclib import bridge, memory, seeds
from aaclib.contradictions import POSITIONS

if TYPE_CHECKING:
    from aaclib.config import Config
    from aaclib.run import Run
    from aaclib.text import Tokenizer

NEAREST = 3  # captions or labels before a caption
LEFT_OUT = 0.3  # share of the labels while training, but for the nearest
JOINT = " . "  # between two of them


def at_inference(run: Run, target: str, row: bridge.Strategy, seed: int, z: np.ndarray) -> list[list[str]]:
    """The NEAREST captions or labels for each of n rows (n, d) that the decoder is given, nearest first.

    >>> prompts.at_inference(run, "clotho", bridge.strategy("noise+prompt"), 0, run.audio("clotho", "evaluation", 0).z)
    """
    texts, rows = _known(run, target, bridge.prompted(row), seed)
    return [[texts[i] for i in few] for few in memory.nearest_few(z, rows, NEAREST)]


def while_training(run: Run, target: str, part: str, row: bridge.Strategy, seed: int) -> list[list[str]]:
    """The same for each of n captions of a part, near the caption's own embedding."""
    texts, kind = run.texts(target, part, seed), bridge.prompted(row)
    known, rows = _known(run, target, kind, seed)
    if kind == "labels":
        near, rng = memory.nearest_few(texts.z, rows, NEAREST), seeds.rng(seed, target, part, "labels")
        kept = (rng.random(near.shape) >= LEFT_OUT) | (np.arange(near.shape[1]) == 0)
        return [[known[i] for i in few[stay]] for few, stay in zip(near, kept, strict=True)]
    own = list(map(set, texts.by_clip))
    near = memory.nearest_few(texts.z, rows, NEAREST + max(map(len, own)))
    return [
        [known[i] for i in few if known[i] not in own[clip]][:NEAREST]
        for few, clip in zip(near, texts.clip, strict=True)
    ]


def joined(prompts: Sequence[Sequence[str]], tokenizer: Tokenizer, settings: Config) -> list[str]:
    """Each prompt as one text, of as many of its texts as leave the decoder room for a caption, the nearest first."""
    longest = max(settings.decoder.max_tokens, settings.generate.max_tokens)
    room = POSITIONS + 1 - settings.decoder.prefix_tokens - longest

    def text(parts: Sequence[str]) -> str:
        while len(parts) > 1 and len(tokenizer.encode([JOINT.join(parts)])[0]) > room:
            parts = parts[:-1]
        return JOINT.join(parts)

    return list(map(text, prompts))


def labels(run: Run) -> list[str]:
    """The different names of sounds that the external pairs' clips are labelled with, in order; none where these have
    no labels.

    >>> prompts.labels(run)[:3]
    """
    name, part = run.config.data.pairs_split
    clips = run.split(name, part).clips if name else ()
    return sorted({label.replace("_", " ").lower() for clip in clips for label in clip.labels})


def _known(run: Run, target: str, kind: str, seed: int) -> tuple[list[str], np.ndarray]:
    """What prompts are chosen from, and their text embeddings (m, d)."""
    if kind == "labels":
        return (names := labels(run)), run.clap(seed).embed_text(names)
    captions = run.texts(target, "train", seed).captions
    return [captions[row] for row in run.memory_rows(target, seed)], run.context(target, seed).need("memory")
