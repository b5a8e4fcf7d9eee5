"""Which targets have captions to be scored against, and from whose text the others are described.

A target whose recordings have captions is learned from, described and scored: notebooks 01 to 06. Recordings without
captions (FSD50K, a folder without a table) are described alone, in notebook 14: by a decoder of the finished run that
the setting `captioner` names, or else of this run's first target with captions, or else of one that learns from the
captions of the data sets `data.text_of`, the target `text`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aaclib.config import Config

TEXT = "text"  # the data set made of the captions of `data.text_of`
OWN = "folder"  # the data set of the user's own files


def recordings(config: Config) -> tuple[str, ...]:
    """The targets that are described and not scored. With `captioner` all of them: that run has the decoders.

    >>> recordings(load("folder", {"data.audio": "clips"}))
    ('folder',)
    """
    bare = {"fsd50k"} | (set() if config.data.captions else {OWN})
    return tuple(name for name in config.data.targets if config.captioner or name in bare)


def learned_from(config: Config, target: str) -> str:
    """The target of this run whose decoders describe the recordings of `target`: itself where it has text of its own,
    else the first that has captions; "" where a finished run (`captioner`) has the decoders.

    >>> learned_from(load("paper"), "fsd50k")
    'clotho'
    """
    if config.captioner:
        return ""
    bare, own = recordings(config), _own_text(config)
    if target not in bare or target in own:
        return target
    return next(iter([name for name in config.data.targets if name not in bare] or own))


def read(config: Config, target: str, part: str = "train") -> tuple[str, ...]:
    """The data sets whose captions the decoders of a target learn from, its own and `data.more_text`; they are
    validated on its own alone.

    >>> read(load("paper", {"data.more_text": "[audiocaps]"}), "clotho")
    ('clotho', 'audiocaps')
    """
    return tuple(dict.fromkeys((target, *(config.data.more_text if part == "train" else ()))))


def with_text(config: Config) -> Config:
    """The same settings, with the target `text` in front where no target has anything to learn from. Its rows are those
    of the first, and its decoders train for at most `data.text_epochs`."""
    bare, data = recordings(config), config.data
    if not config.captioner and bare and len(bare) == len(data.targets) and not _own_text(config):
        data = replace(data, targets={TEXT: data.targets[bare[0]], **data.targets})
    if TEXT not in data.targets:
        return config
    epochs = min(config.train.epochs, data.text_epochs or config.train.epochs)
    return replace(config, data=data, train=replace(config.train, epochs=epochs))


def _own_text(config: Config) -> list[str]:
    """The targets that have no captions for their recordings but bring text of their own: the file `data.text`."""
    return [OWN] if config.data.text and OWN in config.data.targets else []
