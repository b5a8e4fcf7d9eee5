"""A stand-in for the servers of the real data sets: the official file names, archives and columns, over HTTP.

`published(folder)` writes what Zenodo (Clotho), GitHub (AudioCaps) and the hub (WavCaps' SoundBible part) publish:
the real captions where `../shared/data/captions` has them, else made ones; made sounds under the official names.
`Server(folder)` serves it, with range requests, and can cut, refuse or change an answer. `settings(...)` gives the
overrides that point a paper profile at it: addresses, sizes, nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import http.server
import json
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import py7zr
import soundfile

CAPTIONS = Path(__file__).parents[2] / "shared" / "data" / "captions"
SPLITS = ("development", "validation", "evaluation")
SOUNDBIBLE = "mnt/fast/nobackup/scratch4weeks/xm00178/WavCaps/data/waveforms/SoundBible_flac"


# ---- the server ------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """Serves the files below `root`. `cut[path] = n`: the next answer ends after n bytes. `status[path] = code`: every
    answer is that error. `log`: (path, Range header or "") of every GET."""

    root: Path
    cut: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    log: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    server = Server(root)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            server.log.append((self.path, self.headers.get("Range", "")))
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            file = root / urllib.parse.unquote(self.path.split("?")[0]).lstrip("/")
            code = server.status.get(self.path, 200 if file.is_file() else 404)
            if code >= 400:
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = file.read_bytes()
            etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
            wanted, start = self.headers.get("Range", ""), 0
            if server.ranges and wanted and self.headers.get("If-Range", etag) == etag:
                start = int(wanted.removeprefix("bytes=").split("-")[0])
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if body:
                cut = server.cut.pop(self.path, None)
                self.wfile.write(content[start:] if cut is None else content[start : start + cut])
                if cut is not None:
                    self.close_connection = True
                    self.wfile.flush()
                    self.connection.close()

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


# ---- what is published -----------------------------------------------------------------------------------------------


def sound(path: Path, seed: int, seconds: float, rate: int) -> Path:
    """A tone in noise, different for every seed; the suffix decides the format."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * rng.uniform(100, 2000) * t) + 0.05 * rng.standard_normal(len(t))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave.astype(np.float32), rate)
    return path


def made_captions(rng: np.random.Generator, n: int) -> list[str]:
    who = ["A dog", "A man", "Rain", "An engine", "A bird", "A crowd of people", "A bell", "Water", "The wind"]
    does = ["is heard", "gets louder", "fades away", "sounds in the distance", "goes on and on", "starts again"]
    where = ["indoors", "near a road", "in a forest", "while others talk", "in a large hall", "as music plays"]
    return [f"{rng.choice(who)} {rng.choice(does)}, {rng.choice(where)}." for _ in range(n)]


def clotho_rows(split: str, n: int | None) -> list[dict[str, str]]:
    path = CAPTIONS / f"clotho_captions_{split}.csv"
    if path.is_file():
        with open(path, newline="", encoding="utf-8") as handle:
            return list(csv.DictReader(handle))[:n]
    rng = np.random.default_rng(len(split))
    return [
        {
            "file_name": f" {split} Sound {i}.wav" if i == 0 else f"{split} Sound {i}.wav",
            **{f"caption_{k + 1}": c for k, c in enumerate(made_captions(rng, 5))},
        }
        for i in range(n or 100)
    ]


def audiocaps_rows(split: str, n: int | None) -> list[dict[str, str]]:
    """The rows of the first n clips: one a clip for training, five otherwise, not always side by side."""
    path = CAPTIONS / f"audiocaps_{split}.csv"
    if path.is_file():
        with open(path, newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        first = dict.fromkeys(row["youtube_id"] for row in rows)
        chosen = set(list(first)[:n])
        return [row for row in rows if row["youtube_id"] in chosen]
    rng, per = np.random.default_rng(len(split)), 1 if split == "train" else 5
    return [
        {
            "audiocap_id": str(1000 + i),
            "youtube_id": f"-{split[:3]}{i // per:07d}",
            "start_time": str(i // per),
            "caption": c,
        }
        for i, c in enumerate(made_captions(rng, per * (n or 100)))
    ]


def write_csv(path: Path, rows: list[dict[str, str]], encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding=encoding) as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def metadata_rows(rows: list[dict[str, str]], first_id: int) -> list[dict[str, str]]:
    return [
        {
            "file_name": row["file_name"],
            "keywords": "a;b",
            "sound_id": str(first_id + i),
            "sound_link": f"https://freesound.org/people/Jos\xe9/sounds/{first_id + i}",
            "start_end_samples": "[0, 1]",
            "manufacturer": "Jos\xe9",
            "license": "CC",
        }
        for i, row in enumerate(rows)
    ]


def publish_clotho(
    root: Path, sizes: dict[str, int | None], audio: tuple[str, ...] = ("evaluation",), seconds: float = 1.5
) -> None:
    """`root`/clotho_{captions,metadata}_<split>.csv and clotho_audio_<split>.7z, as in Zenodo's record."""
    for number, split in enumerate(SPLITS):
        rows = clotho_rows(split, sizes.get(split))
        write_csv(root / f"clotho_captions_{split}.csv", rows)
        write_csv(root / f"clotho_metadata_{split}.csv", metadata_rows(rows, 1000 * number), "iso-8859-1")
        if split in audio:
            sounds = root.parent / "sounds" / split
            for i, row in enumerate(rows):
                sound(sounds / row["file_name"], i, seconds + i % 3, 44100)
            copy = [{"id": py7zr.FILTER_COPY}]  # noise does not compress, and this is quick
            with py7zr.SevenZipFile(root / f"clotho_audio_{split}.7z", "w", filters=copy) as archive:
                archive.writeall(sounds, split)


def publish_audiocaps(root: Path, sizes: dict[str, int | None]) -> None:
    """`root`/{train,val,test}.csv, as in the project's repository (with its line ends)."""
    for split in ("train", "val", "test"):
        write_csv(root / f"{split}.csv", audiocaps_rows(split, sizes.get(split)))


def audiocaps_audio(
    folder: Path,
    rows: list[dict[str, str]],
    naming: str = "{youtube_id}_{start_time}.wav",
    leave_out: float = 0.0,
    seconds: float = 1.0,
) -> list[str]:
    """A user's folder of AudioCaps clips under one of the usual namings; every 1/leave_out-th clip is missing.
    Returns the ids of the missing ones."""
    clips = {f"{r['youtube_id']}_{r['start_time']}": r for r in reversed(rows)}
    missing = []
    for i, (clip, row) in enumerate(reversed(clips.items())):
        if leave_out and i % round(1 / leave_out) == 3:
            missing.append(clip)
        else:
            sound(folder / naming.format(**row), i, seconds, 16000)
    return missing


def fsd50k(folder: Path, n: int = 8, seconds: float = 1.0) -> Path:
    """FSD50K as it is unpacked: ground truth of both parts, the evaluation part's audio."""
    labels = ["Dog,Bark,Domestic_animals_and_pets,Animal", "Rain,Water", "Male_speech_and_man_speaking,Human_voice"]
    rows = [{"fname": str(4000 + i), "labels": labels[i % 3], "mids": "/m/0"} for i in range(n)]
    write_csv(folder / "FSD50K.ground_truth" / "eval.csv", rows)
    write_csv(
        folder / "FSD50K.ground_truth" / "dev.csv",
        [
            {"fname": str(5000 + i), "labels": labels[i % 3], "mids": "/m/0", "split": ("train", "val")[i % 2]}
            for i in range(n)
        ],
    )
    for i, row in enumerate(rows):
        sound(folder / "FSD50K.eval_audio" / f"{row['fname']}.wav", i, seconds, 44100)
    return folder


def publish_wavcaps(root: Path, n: int = 60, bare: bool = False, seconds: float = 1.0) -> None:
    """json_files/SoundBible/sb_final.json and Zip_files/SoundBible/SoundBible.zip, as in the hub's data set."""
    rng = np.random.default_rng(7)
    clips = [
        {
            "id": str(2000 + i),
            "caption": caption,
            "duration": seconds,
            "title": f"Sound {i}",
            "author": "x",
            "description": "made",
            "href": f"http://x/{i}",
        }
        for i, caption in enumerate(made_captions(rng, n))
    ]
    path = root / "json_files" / "SoundBible" / "sb_final.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(clips if bare else {"num_captions_per_audio": 1, "data": clips}))
    archive = root / "Zip_files" / "SoundBible" / "SoundBible.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as handle:
        for i, clip in enumerate(clips):
            file = sound(root.parent / "sounds" / "soundbible" / f"{clip['id']}.flac", i, seconds, 32000)
            handle.write(file, f"{SOUNDBIBLE}/{clip['id']}.flac")


def published(
    root: Path,
    clotho: dict[str, int | None] | None = None,
    audiocaps: dict[str, int | None] | None = None,
    wavcaps: int = 60,
) -> Path:
    """All of it, below `root`: zenodo/, audiocaps/, wavcaps/. Sizes in clips; None = all."""
    publish_clotho(root / "zenodo", clotho or {"development": 60, "validation": 10, "evaluation": 12})
    publish_audiocaps(root / "audiocaps", audiocaps or {"train": 100, "val": 5, "test": 20})
    publish_wavcaps(root / "wavcaps", wavcaps)
    return root


def settings(server: Server) -> dict[str, object]:
    """Overrides for a paper profile: the addresses, each with the checksum of what is served there. The targets' and
    other settings stay as the profile has them."""
    urls: dict[str, str] = {"audiocaps": f"{server.url}/audiocaps", "wavcaps": f"{server.url}/wavcaps"}
    for path in sorted((server.root / "zenodo").iterdir()):
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        urls[path.name] = f"{server.url}/zenodo/{path.name}#md5={md5}"
    return {f"data.urls.{name}": url for name, url in urls.items()}
