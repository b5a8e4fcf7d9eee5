"""Pictures and sounds out of an executed notebook into files of their own, and the rest of it as HTML."""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path
from typing import Any

from aaclib.store import digest, write_bytes

AUDIO = re.compile(r'src="data:audio/\w+;base64,([A-Za-z0-9+/=\s]+)"')


class Files:
    """Files of a report, each content once. `shown`: a picture's path -> how a page
    shows it (alt text and width as HTML attributes), where a notebook says so."""

    def __init__(self, folder: Path):
        self.folder, self.shown = folder, {}

    def add(self, content: bytes, kind: str, suffix: str) -> str:
        """The path of this content in the report, where it is written unless it is there."""
        name = f"{kind}/{digest(content)}{suffix}"
        if not (self.folder / name).exists():
            write_bytes(self.folder / name, content)
        return name


def html_of(book: Any, files: Files, up: str) -> str:
    """The body of a page: text, code and outputs of an executed notebook. `up` leads from the page to the report's
    folder. What outputs hold as text is escaped here; their HTML is aaclib's own, which escapes what it shows."""
    from nbconvert import HTMLExporter

    for cell in book.cells:
        cell.outputs = [_linked(output, files, up) for output in cell.get("outputs", [])]
        if cell.cell_type != "code":
            del cell["outputs"]
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.exclude_anchor_links = True
    return exporter.from_notebook_node(book)[0]


def _linked(output: Any, files: Files, up: str) -> Any:
    """An output whose picture or sound is a link to a file."""
    data = output.get("data", {})
    if "image/png" in data:
        about = output.get("metadata", {}).get("image/png", {})
        name = files.add(base64.b64decode("".join(data["image/png"])), "pictures", ".png")
        wide = f' width="{int(about["width"])}"' if str(about.get("width", "")).isdigit() else ""
        files.shown[name] = f'alt="{html.escape(str(about.get("alt", "A figure")))}"{wide}'
        output.data = {"text/html": f'<img src="{up}{name}" {files.shown[name]} loading="lazy">'}
    elif "audio" in (text := "".join(data.get("text/html", ""))):
        text = AUDIO.sub(lambda found: f'src="{up}{_sound(found[1], files)}"', text)
        output.data["text/html"] = text.replace("<audio ", '<audio preload="none" ')
    return output


def _sound(text: str, files: Files) -> str:
    """A recording as FLAC, half as large as the WAV that a notebook holds, and the same samples."""
    import soundfile

    content, flac = base64.b64decode(text), io.BytesIO()
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    soundfile.write(flac, samples, rate, format="FLAC")
    return files.add(flac.getvalue(), "sounds", ".flac")
