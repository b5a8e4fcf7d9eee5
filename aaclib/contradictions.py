"""Settings that are right by themselves and contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aaclib.config import Config

POSITIONS = 128  # of the decoder's GPT-2: prefix and caption together
SIGMAS = ("rms", "linf", "caption", "residual")
PLAIN = re.compile(r"[\w-][\w.-]{0,99}")  # a name that is one folder, whatever the system
OF_BOUND = ("epochs", "lr", "weight_decay", "dropout")


def contradictions(config: Config) -> Iterator[str]:
    """A sentence for each, without its full stop."""
    data, decoder, gap = config.data, config.decoder, config.gap
    longest = max(decoder.max_tokens, config.generate.max_tokens)
    if set(config.train.bound) - set(OF_BOUND):
        yield f"'train.bound' may hold {', '.join(OF_BOUND)}"
    if len(set(config.seeds)) < max(len(config.seeds), 1):
        yield "'seeds' must be different numbers, at least one"
    if not config.metrics.names:
        yield "'metrics.names' must name a metric"
    if not all(map(PLAIN.fullmatch, data.targets)):
        yield "'data.targets' must have plain names"
    if decoder.width % decoder.heads:
        yield f"'decoder.heads' ({decoder.heads}) must divide 'decoder.width' ({decoder.width})"
    if decoder.prefix_tokens + longest > POSITIONS + 1:
        yield (
            f"'decoder.prefix_tokens' ({decoder.prefix_tokens}) and the longest caption ('decoder.max_tokens', "
            f"'generate.max_tokens': {longest}) must fit into {POSITIONS} positions"
        )
    if data.pairs_split in [(target, "evaluation") for target in data.targets]:
        yield (
            f"'data.pairs' ({data.pairs}) must not be the evaluation clips of a target: what is measured on them would "
            "be judged on them"
        )
    if gap.n_pairs == 0 and gap.sigma in SIGMAS:
        yield f"'gap.sigma' ({gap.sigma}) is estimated on pairs, and 'gap.n_pairs' is 0"
