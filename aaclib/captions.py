"""What a row's decoder is given for each clip, and what it says: the inference side of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aaclib import bridge, candidates, generate, memory, prompts, seeds, store
from aaclib.config import Generate
from aaclib.decoders import Trained, array_digest, context_of
from aaclib.memo import remembered

if TYPE_CHECKING:
    from aaclib.run import Run

CHOSEN = ("mbr", "refine")  # ways to choose one of several candidates


class Read(NamedTuple):
    """What a decoder is given for n clips."""

    z: np.ndarray  # (n, d) float32, past the inference half of its row
    audio: np.ndarray | None = None  # (n, d) what CLAP heard, for `refine`
    before: Sequence[Sequence[str]] | None = None  # the texts that a prompted row reads first


def of(run: Run, target: str, strategy: str, seed: int, decoding: str, part: str) -> list[str]:
    """One caption per clip of `run.clips(target, part)`; `Run.captions` in full, which keeps them."""
    row = bridge.strategy(strategy)
    if row.name == "human":
        raise ValueError("human captions are not generated: results.human scores them one against the others")
    if row.name == "shuffled":  # chance: fluent captions of the right data set on the wrong clips
        projected = run.captions(target, "projection", seed, decoding, part)
        return [projected[i] for i in derangement(len(projected), seeds.rng(seed, "shuffled"))]
    if not row.written:
        rows, near = run.memory_rows(target, seed), context_of(run, target, row, seed).near()
        index = memory.nearest_index(given(run, target, row, seed, part), near)
        return [run.texts(target, "train", seed).captions[rows[i]] for i in index]
    return write(run, run.decoder(target, row.name, seed), read(run, target, row, seed, part), decoding)


def read(run: Run, target: str, row: bridge.Strategy, seed: int, part: str = "evaluation") -> Read:
    """What a row's decoder is given for each clip of `run.clips(target, part)`."""
    audio = given(run, target, row, seed, part)
    z = bridge.infer_half(row)(audio, context_of(run, target, row, seed))
    return Read(z, audio, prompts.at_inference(run, target, row, seed, z) if bridge.prompted(row) else None)


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


def write(run: Run, trained: Trained, z: np.ndarray | Read, decoding: str = "greedy") -> list[str]:
    """What a decoder says to prefixes z (n, d), n captions, kept in the store. `decoding`: "greedy", "beam" with the
    profile's `generate.beam`, or chosen from several candidates (aaclib.candidates): "mbr" compares them with each
    other, "refine" with what CLAP heard. Raises KeyError for another one, ValueError for "refine" without `Read.audio`.

    >>> captions.write(run, run.decoder("clotho", "noise", 0), run.audio("clotho", "evaluation", 0).z)
    """
    given = z if isinstance(z, Read) else Read(z)
    made_from = key(run, trained, given, decoding)
    made = several(run, trained, given) if decoding in CHOSEN else []

    def choose(folder: Path) -> None:
        if decoding == "mbr":
            chosen = candidates.agreed(made, _by_clip(run, trained))
        else:
            chosen = candidates.heard(made, np.asarray(given.audio), run.clap(trained.seed).embed_text)
        store.write_json(folder / "captions.json", chosen)

    def build(folder: Path) -> dict[str, int]:
        size = _at_once(run, trained, made_from["beam"])
        how = {"prompts": _prompts(run, trained, given), **_of_beam(run, made_from["beam"])}
        said = generate.generate(trained.model, given.z, made_from["beam"], run.config.generate.max_tokens, size, **how)
        store.write_json(folder / "captions.json", said)
        return {"batch_size": size} if size < run.config.generate.batch_size else {}

    make = choose if decoding in CHOSEN else build
    return store.read_json(run.store.get("captions", made_from, make) / "captions.json")


def several(run: Run, trained: Trained, z: np.ndarray | Read) -> list[list[str]]:
    """The candidates for each of n prefixes, kept in the store: the `generate.beam` best of beam search, the best one
    first, and `generate.samples` drawn ones.

    >>> captions.several(run, run.decoder("clotho", "noise", 0), run.audio("clotho", "evaluation", 0).z)[0]
    """
    given, how = z if isinstance(z, Read) else Read(z), run.config.generate

    def build(folder: Path) -> None:
        size, before = _at_once(run, trained, max(how.beam, how.samples)), _prompts(run, trained, given)
        beam = {"prompts": before, "num_beams": how.beam, **_of_beam(run, how.beam)}
        best = generate.several(trained.model, given.z, how.beam, how.max_tokens, size, **beam)
        drawn = candidates.sampled(trained.model, given.z, how.samples, how.temperature, how.max_tokens, size, before)
        store.write_json(folder / "candidates.json", [one + other for one, other in zip(best, drawn, strict=True)])

    return store.read_json(run.store.get("candidates", _several_key(run, trained, given), build) / "candidates.json")


def key(run: Run, trained: Trained, given: Read, decoding: str) -> dict[str, Any]:
    """What captions are made from, as `run.store` names it."""
    settings = run.config.generate
    if decoding in CHOSEN:
        of = {"chosen": decoding, "candidates": run.store.id("candidates", _several_key(run, trained, given))}
        if decoding == "mbr":
            return {**of, "text": store.digest(_by_clip(run, trained))}
        if given.audio is None:
            raise ValueError("refine compares captions with recordings: pass captions.Read(z, audio), audio (n, d)")
        return {**of, "audio": array_digest(given.audio), "clap": run.clap(trained.seed).settings()}
    beam = {"greedy": 1, "beam": settings.beam}[decoding]
    return {
        "decoder": trained.artefact,
        "z": array_digest(given.z),
        "beam": beam,
        "max_tokens": settings.max_tokens,
        "batch_size": settings.batch_size,
        "device": run.device.type,
        **_of_beam(run, beam),
        **({} if given.before is None else {"before": store.digest(given.before)}),
    }


def _several_key(run: Run, trained: Trained, given: Read) -> dict[str, Any]:
    how = run.config.generate
    return {**key(run, trained, given, "beam"), "samples": how.samples, "temperature": how.temperature}


def _at_once(run: Run, trained: Trained, beam: int) -> int:
    how = run.config.generate
    return generate.fitting(trained.model, how.batch_size, beam, how.max_tokens)


def _of_beam(run: Run, beam: int) -> dict[str, Any]:
    """What of a beam search is not as usual, by transformers' names: captions keep the names that they had before."""
    how, usual = run.config.generate, Generate()
    asked = {"no_repeat_ngram_size": (how.no_repeat, usual.no_repeat)}
    asked |= {"repetition_penalty": (how.repetition_penalty, usual.repetition_penalty)}
    return {name: value for name, (value, default) in asked.items() if value != default and beam > 1}


def _prompts(run: Run, trained: Trained, given: Read) -> list[str] | None:
    return None if given.before is None else prompts.joined(given.before, trained.model.tokenizer, run.config)


def _by_clip(run: Run, trained: Trained) -> list[list[str]]:
    """The captions of each clip that the decoder learned from."""
    return run.texts(trained.target, "train", trained.seed).by_clip


def there(run: Run, target: str, row: bridge.Strategy, seed: int, decoder: store.Artefact, decoding: str) -> bool:
    """Whether the store has the captions of a row whose decoder is trained."""
    row = bridge.strategy("projection") if row.name == "shuffled" else row
    made_from = key(run, Trained(decoder, run.device), read(run, target, row, seed), decoding)
    return run.store.find("captions", made_from) is not None


def derangement(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) int64, a random order in which nobody keeps the own place. Raises ValueError for a single one."""
    if n == 1:
        raise ValueError("one clip alone has no other whose caption it could have")
    order = rng.permutation(n)
    shifted = np.empty(n, dtype=np.int64)
    shifted[order] = np.roll(order, 1)
    return shifted
