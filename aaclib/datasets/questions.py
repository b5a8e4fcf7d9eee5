"""Questions about recordings, with their answers: those of the synthetic scenes, whose truth is known.

Four kinds. "yes or no": can a sound be heard; as often yes as no, and what is asked for is drawn alike for both, so
that the question alone tells nothing. "how many": different sounds. "how often": does a sound that is repeated come.
"which first": of two sounds that follow one another.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aaclib import seeds
from aaclib.datasets import Dataset, DatasetError
from aaclib.datasets.soundscapes import Soundscapes
from aaclib.datasets.soundscapes.sounds import CLASSES

OTHERS = 1000  # scenes from which sounds are taken that are not there
NUMBERS = ("no", "one", "two", "three", "four", "five")


@dataclass(frozen=True)
class Question:
    clip: int  # number of the clip in its split
    kind: str
    text: str
    answer: str  # one word


def of_scenes(dataset: Dataset, split: str, n: int, every: bool = False) -> list[Question]:
    """Questions about the first `n` clips of a split of a synthetic world of sounds, clip after clip: of each kind one
    (of "yes or no" one of each answer), or with `every` those about every sound and every two of a clip. They follow
    from (world, split, clip) alone. Raises DatasetError for another data set, whose truth is not known.

    >>> of_scenes(run.dataset("soundscapes-long"), "evaluation", 500)[0]
    Question(clip=0, kind='yes or no', text='can you hear the dog', answer='yes')
    """
    if not isinstance(dataset, Soundscapes):
        raise DatasetError(
            f"{dataset.name}: there are questions about soundscapes-<world> alone, whose scenes are known. fix: choose "
            "such a target; those of Clotho are read by aaclib.datasets.clotho_aqa"
        )
    return [question for i in range(n) for question in _of(dataset, split, i, every)]


def _of(world: Soundscapes, split: str, i: int, every: bool) -> Iterator[Question]:
    scene, rng = world.scene(split, i), random.Random(seeds.derive(0, "questions", world.name, split, i, every))

    def some(options: Sequence[Any]) -> Sequence[Any]:
        return options if every or not options else [rng.choice(options)]

    there = [event.kind for event in scene.events]
    for kind in some(there):
        yield Question(i, "yes or no", f"can you hear the {kind}", "yes")
        asked = kind
        while asked in there:  # of another scene, so that each sound is asked for as often in vain as not
            asked = rng.choice(world.scene(split, rng.randrange(OTHERS)).events).kind
        yield Question(i, "yes or no", f"can you hear the {asked}", "no")
    yield Question(i, "how many", "how many different sounds are there", NUMBERS[len(there)])
    for event in some([event for event in scene.events if max(CLASSES[event.kind].counts, default=1) > 1]):
        yield Question(i, "how often", f"how often can you hear the {event.kind}", NUMBERS[event.count])
    following = [event.kind for event in scene.events if event.role == "main" and scene.layout == "sequence"]
    for first, second in some(list(itertools.combinations(following, 2))):
        pair = rng.sample([first, second], 2)
        yield Question(i, "which first", f"which comes first the {pair[0]} or the {pair[1]}", first)
