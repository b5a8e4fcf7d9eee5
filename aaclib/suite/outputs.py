"""What a notebook prints while nobody looks on: on the console, in its log, and in its executed copy."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from aaclib.progress import PASSED, STATES
from aaclib.store import replacing

INJECTED = "injected-parameters"  # papermill's tag


class Tee:
    """A text stream that writes to a log and shows the same, or of it the `progress_alone`, on a console, for as long
    as there is one to show it on. A line that changes in place does so on a terminal; elsewhere it is a line a state.
    """

    def __init__(self, log: TextIO, console: TextIO | None, progress_alone: bool = False):
        self.log, self.console, self.progress_alone = log, console, progress_alone

    def write(self, text: str) -> None:
        self.log.write(_lines(text))
        self._show("".join(STATES.findall(text)) if self.progress_alone else text)

    def flush(self) -> None:
        self.log.flush()
        self._show("")

    def _show(self, text: str) -> None:
        if self.console:
            try:
                self.console.write(text if self.console.isatty() else _lines(text))
                self.console.flush()
            except (OSError, ValueError):  # its reader has gone, or its terminal
                self.console = None


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def tidy(path: Path) -> None:
    """In an executed notebook: progress keeps its last state alone, and the cell that papermill added says what it is,
    as the one above it is called parameters, too."""
    import nbformat

    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        if INJECTED in cell.metadata.get("tags", []):
            cell.source = cell.source.replace("# Parameters\n", "# Set by the runner, in place of the above\n", 1)
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = _lines(PASSED.sub("", output.text))
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    with replacing(path) as temporary:
        nbformat.write(book, temporary)
