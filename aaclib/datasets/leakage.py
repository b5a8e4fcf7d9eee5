"""Leakage: the same recording or the same caption on both sides of a split, or in what the CLAP was trained on.

`report` compares every pair of splits that it is given by three keys: the clip's id, the recording that the clip was
cut from (YouTube id, Freesound id), and the caption's words. A shared caption is no fault (short captions repeat), but
the share of evaluation captions that stand word for word in the training text belongs beside every score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from aaclib.datasets import Dataset, DatasetError, Split
from aaclib.datasets.files import listing, parse_json, read_table, read_text
from aaclib.text import NORMALISE

BLACKLIST = "blacklist_exclude_all_ac.json"
# what a recording is, where it is on a list of WavCaps; the list, its file, and whose ids are in it
WAVCAPS_LISTS = (
    ("in WavCaps", "FreeSound", "fsd_final.json", "freesound"),
    ("in WavCaps", "AudioSet_SL", "as_final.json", "youtube"),
    ("left out of WavCaps", "blacklist, FreeSound", BLACKLIST, "freesound"),
    ("left out of WavCaps", "blacklist, AudioSet", BLACKLIST, "youtube"),
)
COLUMNS = ["what", "first", "second", "n", "of", "share", "examples"]
WHAT = ("same clip", "same recording", "same caption")


class LeakError(ValueError):
    """Evaluation clips where none may be. Not a DatasetError: nothing is missing that one could do without."""


def report(
    splits: Sequence[Split], sources: Mapping[str, Mapping[str, str]] | None = None, policy: str = "lower-nopunct"
) -> pd.DataFrame:
    """One row for each pair of splits and each key of `WHAT`: how many of the second split's clips (or captions) also
    stand in the first, of how many, and examples. `sources`: "<data set>.<split>" -> clip id -> recording, see
    `recordings`; a pair without them has no such row, rather than a zero."""
    sources = sources or {}
    rows = []
    for first, second in combinations(splits, 2):
        names = label(first), label(second)
        if first.dataset == second.dataset:
            ids = {clip.id for clip in first.clips}
            rows.append(_row("same clip", names, [c.id for c in second.clips if c.id in ids], len(second.clips)))
        if all(name in sources for name in names):
            known = set(sources[names[0]].values())
            hits = [clip for clip, recording in sources[names[1]].items() if recording in known]
            rows.append(_row("same recording", names, hits, len(sources[names[1]])))
        words = set(map(NORMALISE[policy], first.captions))
        hits = [caption for caption in second.captions if NORMALISE[policy](caption) in words]
        rows.append(_row("same caption", names, hits, len(second.captions)))
    return pd.DataFrame(rows, columns=COLUMNS)


def within(split: Split) -> dict[str, float]:
    """Of one split: clips, captions, different captions, words per caption (mean, shortest, longest), and different
    words."""
    captions = list(map(NORMALISE["lower-nopunct"], split.captions))
    lengths = [len(caption.split()) for caption in captions]
    return {
        "clips": len(split.clips),
        "captions": len(captions),
        "different captions": len(set(captions)),
        "words a caption": sum(lengths) / max(len(lengths), 1),
        "shortest": min(lengths, default=0),
        "longest": max(lengths, default=0),
        "different words": len({w for c in captions for w in c.split()}),
    }


def recordings(dataset: Dataset, split: str) -> dict[str, str]:
    """Clip id -> the recording it was cut from, such as 'youtube:r1nicOVtvkQ' or 'freesound:80399'; empty where the
    data set does not tell. Clotho's come from its metadata file (under 1 MB, fetched like its captions)."""
    if dataset.name == "audiocaps":
        return {clip.id: f"youtube:{clip.id.rsplit('_', 1)[0]}" for clip in dataset.split(split).clips}
    if dataset.name == "clotho":
        clotho: Any = dataset
        rows = clotho.metadata(split)
        return {name: f"freesound:{row['sound_id']}" for name, row in rows.items() if row["sound_id"].isdigit()}
    if dataset.name == "fsd50k":
        return {clip.id: f"freesound:{clip.id}" for clip in dataset.split(split).clips}
    return {}


def clap_training(recordings_: Mapping[str, str], name: str, wavcaps: Path) -> pd.DataFrame:
    """How many of these recordings are in WavCaps' JSON files below the folder `wavcaps`, on which a CLAP may have been
    trained, and how many are on the list that WavCaps' authors left out of training. A file that is not there gives a
    row without a number."""
    rows = []
    for what, part, file, kind in WAVCAPS_LISTS:
        mine = {clip: r.removeprefix(f"{kind}:") for clip, r in recordings_.items() if r.startswith(f"{kind}:")}
        if mine:
            path = min(wavcaps.rglob(file), default=None)
            known = _listed(path, part) if path else set()
            hits = [clip for clip, recording in mine.items() if recording in known]
            rows.append(_row(what, (part, name), hits, len(mine), "" if path else file))
    return pd.DataFrame(rows, columns=COLUMNS)


def refuse_shared(pairs: Split, evaluation: Split) -> None:
    """Raises LeakError where pairs that the gap is to be measured on are evaluation clips, whatever the data set is
    called: clips that have their name and a caption in common. (The name alone may be chance: 001.wav.)"""
    known = {clip.id: set(clip.captions) for clip in evaluation.clips}
    if hits := [clip.id for clip in pairs.clips if known.get(clip.id, set()).intersection(clip.captions)]:
        raise LeakError(
            f"data.pairs: {len(hits)} of the {len(pairs.clips)} pairs of {label(pairs)} are clips of "
            f"{label(evaluation)} ({listing(hits, 3)}), which is judged. Name another set."
        )


def label(split: Split) -> str:
    return f"{split.dataset}.{split.name}"


def _row(what: str, names: tuple[str, str], hits: Sequence[str], of: int, absent: str = "") -> dict[str, object]:
    if absent:
        values = [None, of, None, f"not checked: there is no {absent}"]
    else:
        values = [len(hits), of, len(hits) / of if of else 0.0, listing(dict.fromkeys(hits), 3)]
    return dict(zip(COLUMNS, [what, *names, *values], strict=True))


def _listed(path: Path, part: str) -> set[str]:
    """The recordings that a file of WavCaps names; 'Yr1nicOVtvkQ.wav' is YouTube's r1nicOVtvkQ."""
    if path.name == BLACKLIST:
        key, tree = part.rpartition(" ")[2], parse_json(read_text(path), path)
        if not isinstance(tree, dict) or not isinstance(tree.get(key), list):
            raise DatasetError(f'{path}: expected an object with a list "{key}".')
        ids = list(map(str, tree[key]))
    else:
        ids = [row.text("id") for row in read_table(path)]
    youtube = "AudioSet" in part
    return {i.removesuffix(".wav").removeprefix("Y") if youtube else i.removesuffix(".wav") for i in ids}
