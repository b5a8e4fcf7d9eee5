"""The commands and the Python of the documents, as their readers find them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data" / "README.md"]


def blocks(text: str, language: str) -> list[str]:
    """The code in fences of this language, indented ones as well."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command in a document's shell blocks."""
    for block in blocks(text, "bash"):
        for line in block.splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def every() -> list[tuple[str, str]]:
    """(document, command) of all."""
    return [(d.relative_to(ROOT).as_posix(), shlex.join(words)) for d in DOCUMENTS for words in commands(d.read_text())]


def python() -> list[tuple[str, str]]:
    """(document and number, code) of all."""
    return [
        (f"{document.name} {number}", code)
        for document in DOCUMENTS
        for number, code in enumerate(blocks(document.read_text(), "python"), 1)
    ]
