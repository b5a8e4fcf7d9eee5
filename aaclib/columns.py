"""Which column of a table holds what: the names that people give them, one list for every table that is read."""

from __future__ import annotations

import re
from collections.abc import Iterable

# the first of them that is there counts
FILE_COLUMNS = ("file_name", "filename", "file", "fname", "path", "audio", "audio_path", "wav")
CAPTION_COLUMNS = ("caption", "captions", "text", "description")


def usual(names: Iterable[str], have: Iterable[str]) -> list[str]:
    """The columns that bear one of the usual names but for case and outer spaces, in the order of these names."""
    spelled = {name.strip().lower(): name for name in reversed([*have])}
    return [spelled[name] for name in names if name in spelled]


def numbered(names: str, have: Iterable[str]) -> list[str]:
    """The columns `<name>_1`, `<name>2` ... of one of these names (a pattern), by their numbers."""
    hits = [(re.fullmatch(rf"(?:{names})[_ ]?(\d+)", name.strip().lower()), name) for name in have]
    return [name for _, name in sorted((int(hit[1]), name) for hit, name in hits if hit)]


def namesakes(column: str, have: Iterable[str]) -> list[str]:
    """The columns that bear this name but for case, outer spaces and the numbers that pandas gives them: `x`, `x.1`."""
    same = re.compile(re.escape(column.strip().lower()) + r"(\.\d+)?")
    return [name for name in have if same.fullmatch(str(name).strip().lower())]
