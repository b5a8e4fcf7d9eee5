"""BRACE (arXiv 2512.10403): which of two captions people prefer, for recordings of Clotho and AudioCaps. Text alone.

Two parts per set. `main`: two captions of one clip, by people or machines, and the one that people preferred. `hallu`:
a true caption and the same with a thing in it that is not heard; there the file names the false one, as Clotho's own
captions show. The files are those of inseong00/CAF-Score (MIT), 3 MB in all; `data.brace` names a folder that has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aaclib.config import Data
from aaclib.datasets import DatasetError, Need, table
from aaclib.datasets.download import Remote, fetch, remote
from aaclib.datasets.files import data_folder

BASE = "https://raw.githubusercontent.com/inseong00/CAF-Score/main/data/meta"
SETS = {"clotho": "Clotho", "audiocaps": "AudioCaps"}
CHECKSUMS = {
    ("clotho", "main"): "d1c7db188bdf4ebae216428e31814ab50c4ac1578fbfdb29279a5404844d5734",
    ("audiocaps", "main"): "bfb4a81f85b17062570dd27d2c99e76954ecd31561969e7b78d7fa02ab0d0fc8",
    ("clotho", "hallu"): "919463d31e80bf8dbb323ee9abd959ef4a3e451984517f4599e1ab0e55d7db0c",
    ("audiocaps", "hallu"): "5d300412eaf76e14f6be3d050943d2f59fd5bf4f2442fbb28aa9754788cd74be",
}


@dataclass(frozen=True)
class Preference:
    """Two captions of one recording, and which of them is the better one."""

    clip: str  # the recording's file name
    kind: str  # who wrote them: "human-human", "human-machine", "machine-machine"; or "hallucination"
    captions: tuple[str, str]
    better: int  # 0 or 1: what people preferred; of a hallucination, the true one
    references: tuple[str, ...]  # other captions of the clip, none of them in the pair


def preferences(data: Data, name: str, part: str = "main") -> list[Preference]:
    """The pairs of a set ("clotho", "audiocaps") and part ("main", "hallu"), fetched where they are not here.

    A human caption of a pair is one of its clip's references, so it is left out of them. Hallucinations come without
    references: the true captions of the clip's other pairs serve. A pair for which none remains is left out. Raises
    DatasetError for a file that cannot be had or read.

    >>> brace.preferences(run.config.data, "clotho")[0].captions
    """
    if (name, part) not in CHECKSUMS:
        raise DatasetError(f"BRACE has the sets {', '.join(SETS)}, each with main and hallu; found {name}, {part}.")
    path = fetch(_of(data, name, part), data_folder(data, "brace") / _file(name, part), data.download)
    try:
        clips = json.loads(path.read_text(encoding="utf-8"))
        read = _main if part == "main" else _hallucinations
        return [pair for clip in clips for pair in read(clip) if pair.references]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is not BRACE's file ({error!r}). Delete it; it is fetched again.") from error


def _main(clip: dict[str, Any]) -> Iterator[Preference]:
    human = [(text, _plain(text)) for text in clip["references"]]
    for kind, pair in clip.items():
        if kind not in ("file_name", "references"):
            one, other, better = pair
            said = {_plain(one), _plain(other)}
            references = tuple(text for text, plain in human if plain not in said)
            yield Preference(
                clip["file_name"], kind.partition("_")[0].lower(), (one.strip(), other.strip()), int(better), references
            )


def _hallucinations(clip: dict[str, Any]) -> Iterator[Preference]:
    triples = [triple for key, triple in clip.items() if key != "file_name"]
    pairs = [((one.strip(), other.strip()), 1 - int(false)) for one, other, false in triples]
    for captions, true in pairs:
        said = set(map(_plain, captions))
        others = dict.fromkeys(two[place] for two, place in pairs if _plain(two[place]) not in said)
        yield Preference(clip["file_name"], "hallucination", captions, true, tuple(others))


def _plain(text: str) -> str:
    return " ".join(text.lower().strip(" .\n").split())


def needs(data: Data) -> list[Need]:
    """The four files, and whether they are here."""
    folder = data_folder(data, "brace")
    files = [(_file(*key), _of(data, *key).url) for key in CHECKSUMS]
    return [table(f"BRACE's judgements ({file})", folder / file, url) for file, url in files]


def _file(name: str, part: str) -> str:
    return f"BRACE_{SETS[name]}_{part.capitalize()}.json"


def _of(data: Data, name: str, part: str) -> Remote:
    return remote(data, "brace", BASE, _file(name, part), f"sha256:{CHECKSUMS[name, part]}")
