"""What a row's decoder is given for each clip, and what it says: the inference side of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aaclib import bridge, generate, memory, seeds, store
from aaclib.decoders import Trained, array_digest, context_of
from aaclib.memo import remembered

if TYPE_CHECKING:
    from aaclib.run import Run


def of(run: Run, target: str, strategy: str, seed: int, decoding: str, part: str) -> list[str]:
    """One caption per clip of `run.clips(target, part)`; `Run.captions` in full, which keeps them."""
    row = bridge.strategy(strategy)
    if row.name == "human":
        raise ValueError("human captions are not generated: results.human scores them one against the others")
    if row.name == "shuffled":  # chance: fluent captions of the right data set on the wrong clips
        projected = run.captions(target, "projection", seed, decoding, part)
        return [projected[i] for i in derangement(len(projected), seeds.rng(seed, "shuffled"))]
    z, context = given(run, target, row, seed, part), context_of(run, target, row, seed)
    if not row.written:
        rows, index = run.memory_rows(target, seed), memory.nearest_index(z, context.near())
        return [run.texts(target, "train", seed).captions[rows[i]] for i in index]
    return write(run, run.decoder(target, row.name, seed), bridge.infer_half(row)(z, context), decoding)


def given(run: Run, target: str, row: bridge.Strategy, seed: int, part: str = "evaluation") -> np.ndarray:
    """(n, d) float32, what a row's inference half is given: the audio embeddings; for `reconstruction` and `look-up`
    the text embedding of a reference (`unread`)."""
    if row.given == "audio":
        return run.audio(target, part, seed).z
    return run.texts_of(run.clips(target, part, seed), seed).z[unread(run, target, seed, part)[0]]


@remembered
def unread(run: Run, target: str, seed: int, part: str = "evaluation") -> tuple[np.ndarray, np.ndarray]:
    """Of each clip the first reference that no training caption repeats, (n,) int64 rows of
    `run.texts_of(run.clips(target, part, seed), seed)`, and whether it has one, (n,) bool; where it has none its first
    reference stands in.

    >>> rows, new = captions.unread(run, "clotho", 0)
    >>> texts = run.texts_of(run.clips("clotho", "evaluation", 0), 0)
    >>> [texts.captions[row] for row in rows]
    """
    known = set(run.texts(target, "train", seed).captions)
    texts = run.texts_of(run.clips(target, part, seed), seed)
    new = np.array([caption not in known for caption in texts.captions])
    order = np.lexsort((np.arange(len(new)), ~new, texts.clip))  # by clip, the new ones first
    first = order[np.unique(texts.clip, return_index=True)[1]]
    return first, new[first]


def write(run: Run, trained: Trained, z: np.ndarray, decoding: str = "greedy") -> list[str]:
    """What a decoder says to prefixes z (n, d), n captions, kept in the store. `decoding`: "greedy", or "beam" with the
    profile's `generate.beam`. Raises KeyError for another one.

    >>> captions.write(run, run.decoder("clotho", "noise", 0), run.audio("clotho", "evaluation", 0).z)
    """
    made_from, settings = key(run, trained.artefact, z, decoding), run.config.generate

    def build(folder: Path) -> dict[str, int]:
        size = generate.fitting(trained.model, settings.batch_size, made_from["beam"], settings.max_tokens)
        made = generate.generate(trained.model, z, made_from["beam"], settings.max_tokens, size)
        store.write_json(folder / "captions.json", made)
        return {"batch_size": size} if size < settings.batch_size else {}

    return store.read_json(run.store.get("captions", made_from, build) / "captions.json")


def key(run: Run, decoder: store.Artefact, z: np.ndarray, decoding: str) -> dict[str, Any]:
    """What captions are made from, as `run.store` names it."""
    settings = run.config.generate
    return {
        "decoder": decoder,
        "z": array_digest(z),
        "beam": {"greedy": 1, "beam": settings.beam}[decoding],
        "max_tokens": settings.max_tokens,
        "batch_size": settings.batch_size,
        "device": run.device.type,
    }


def there(run: Run, target: str, row: bridge.Strategy, seed: int, decoder: store.Artefact, decoding: str) -> bool:
    """Whether the store has the captions of a row whose decoder is trained."""
    row = bridge.strategy("projection") if row.name == "shuffled" else row
    z = bridge.infer_half(row)(given(run, target, row, seed), context_of(run, target, row, seed))
    return run.store.find("captions", key(run, decoder, z, decoding)) is not None


def derangement(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) int64, a random order in which nobody keeps the own place. Raises ValueError for a single one."""
    if n == 1:
        raise ValueError("one clip alone has no other whose caption it could have")
    order = rng.permutation(n)
    shifted = np.empty(n, dtype=np.int64)
    shifted[order] = np.roll(order, 1)
    return shifted
