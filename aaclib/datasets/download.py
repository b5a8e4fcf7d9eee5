"""Downloads that go on where they were cut and are checked before they count.

A file appears under its own name only when it is complete and its checksum fits; until then it is `.NAME.part` beside
it, from which the next attempt (or the next run) goes on.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urldefrag, urlsplit

from aaclib.config import Data
from aaclib.datasets import DatasetError
from aaclib.progress import Progress
from aaclib.store import locked, write_json

ATTEMPTS = 5
WAIT_S = 1.0  # before the second attempt; doubled each time
TIMEOUT_S = 30.0
STALL_S, SLOWEST = 60.0, 1000  # a server that sends fewer bytes a second for so many seconds has stalled
CHUNK = 1 << 14
SPARE = 200 << 20  # bytes that stay free on the disk
LARGER = 2  # times the size that is known, about: another file


class DownloadError(DatasetError):
    """A file that could not be fetched or unpacked; the message says why and what to do. Nothing half-made is left."""


@dataclass(frozen=True)
class Remote:
    """One file to fetch."""

    name: str
    url: str
    checksum: str = ""  # "md5:..." or "sha256:..."; "" = none is published
    size: int = 0  # bytes, about; 0 = unknown


def remote(data: Data, source: str, base: str, path: str, checksum: str = "", size: int = 0) -> Remote:
    """Where a published file is fetched from: `base`/`path`, unless `data.urls` gives an address for the file's name,
    or another base for the `source` (a mirror: the published checksum holds there too). An address for one file may
    end in #md5=... or #sha256=..., which then replaces the published checksum."""
    name = path.rsplit("/", 1)[-1]
    if name in data.urls:
        url, fragment = urldefrag(data.urls[name])
        kind, _, value = fragment.partition("=")
        if fragment and kind not in ("md5", "sha256"):
            raise DatasetError(f"data.urls.{name}: '#{fragment}' is no checksum; write #md5=... or #sha256=...")
        return Remote(name, url, f"{kind}:{value.lower()}" if fragment else checksum, 0 if fragment else size)
    return Remote(name, f"{data.urls.get(source, base).rstrip('/')}/{quote(path)}", checksum, size)


def fetch(file: Remote, path: Path, allowed: bool = True) -> Path:
    """The file at `path`, downloaded if it is not there. Raises DownloadError; with `allowed` false (offline, or
    data.download = false) a missing file is the error, and the message says how to get it by hand."""
    if path.is_file():
        return path
    if not allowed:
        raise DownloadError(
            f"{path} is missing and downloads are switched off. Put it there yourself "
            f"({file.url}), or run without --offline and with data.download=true."
        )
    part, lock = (path.with_name(f".{path.name}.{suffix}") for suffix in ("part", "lock"))
    with locked(lock):
        if not path.is_file():  # else another process was faster
            _download(file, path, part)
            _check(file, part)
            os.replace(part, path)
    return path


def _check(file: Remote, part: Path) -> None:
    kind, _, wanted = file.checksum.partition(":")
    if not wanted:
        return
    with open(part, "rb") as handle:
        digest = hashlib.file_digest(handle, kind).hexdigest()
    if digest != wanted:
        part.unlink()
        raise DownloadError(
            f"{file.url}: the checksum is not the published one ({file.checksum}). The file was "
            f"thrown away. Try again; if it happens twice, the server has another file."
        )


def _download(file: Remote, path: Path, part: Path) -> None:
    """All of the file into `part`, going on from what is there already; `part`.json says what that is."""
    import requests

    tag = part.with_name(f"{part.name}.json")
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(WAIT_S * 2 ** (attempt - 1))
        try:
            _watched(lambda watch: _one_attempt(file, part, tag, watch))
            break
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            if attempt == ATTEMPTS - 1:
                have = part.stat().st_size if part.exists() else 0
                kept = f" {have / 1e6:.1f} MB are kept and the next run goes on from there." if have else ""
                raise DownloadError(
                    f"{file.url}: no answer after {ATTEMPTS} attempts ({short(error)}).{kept} Without "
                    f"network, put the file at {path} yourself."
                ) from error
        except requests.RequestException as error:
            raise DownloadError(f"{file.url} cannot be fetched: {short(error)}.") from error
        except OSError as error:
            part.unlink(missing_ok=True)
            tag.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DownloadError(
                    f"The disk is full: {path.parent} had no room for {file.name} ({SPARE >> 20} MB "
                    "stay free). Free some, or move data/raw elsewhere with AACLIB_RAW=DIR."
                ) from error
            raise DownloadError(f"{file.url} could not be written to {path.parent}: {error}.") from error
    tag.unlink(missing_ok=True)


class _Watch:
    """Counts what an attempt keeps, until it is given up: from then on it can keep nothing."""

    def __init__(self) -> None:
        self.kept, self.over, self.lock = 0, False, threading.Lock()

    def write(self, handle: BinaryIO, chunk: bytes) -> None:
        with self.lock:
            self.check()
            handle.write(chunk)
            self.kept += len(chunk)

    def check(self) -> None:
        if self.over:
            raise TimeoutError("given up")


def _watched(attempt: Callable[[_Watch], None]) -> None:
    """Runs an attempt in a thread of its own. No timeout of a socket ends one whose server sends a byte now and then,
    in the body or before it; here it raises requests.Timeout once too little has come for too long."""
    import requests

    watch, failed = _Watch(), []

    def run() -> None:
        try:
            attempt(watch)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            before = watch.kept
            thread.join(STALL_S)
            if thread.is_alive() and watch.kept - before < SLOWEST * STALL_S:
                raise requests.Timeout(f"fewer than {SLOWEST} bytes a second for {STALL_S:.0f} s")
    finally:
        with watch.lock:
            watch.over = True
    if failed:
        raise failed[0]


def _one_attempt(file: Remote, part: Path, tag: Path, watch: _Watch) -> None:
    """Appends what is missing of the file to `part`, or starts anew when the server's file is another one by now."""
    import requests

    url = file.url
    have = part.stat().st_size if part.exists() else 0
    known = json.loads(tag.read_text()) if have and tag.exists() else {}
    headers = {"Accept-Encoding": "identity"}
    if have and known.get("url") == url:
        headers["Range"] = f"bytes={have}-"
        if known.get("validator"):
            headers["If-Range"] = known["validator"]
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        watch.check()
        if answer.status_code == 416:  # nothing left to send, or the file became shorter
            complete = answer.headers.get("Content-Range", "").rsplit("/", 1)[-1] == str(have)
            if not complete:
                part.unlink()
                raise requests.ConnectionError("the file on the server has changed")
            return
        if answer.status_code in (429, 500, 502, 503, 504):
            raise requests.ConnectionError(f"{answer.status_code} {answer.reason}")
        if not answer.ok:
            raise DownloadError(
                f"{url}: {answer.status_code} {answer.reason}. If the file has moved, give its new "
                f"address: --set data.urls.{unquote(urlsplit(url).path).rsplit('/', 1)[-1]}=URL"
            )
        going_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        start = have if going_on else 0
        packed = answer.headers.get("Content-Encoding", "identity") != "identity"  # though we asked for it as it is
        left = 0 if packed else _length(answer)
        name = part.name.removeprefix(".").removesuffix(".part")
        _right_size(file, start + left, part, tag)
        need_space(part.parent, left, name)
        etag = answer.headers.get("ETag", "")
        weak = not etag or etag.startswith("W/")
        write_json(
            tag, {"url": "" if packed else url, "validator": answer.headers.get("Last-Modified", "") if weak else etag}
        )
        progress = Progress(f"Downloading {name}", (start + left) // 10**6 or None, "MB", done=start // 10**6)
        counted = start
        with open(part, "ab" if going_on else "wb") as handle:
            for chunk in answer.iter_content(CHUNK):
                _right_size(file, counted + len(chunk), part, tag)
                if free_bytes(part.parent) < SPARE:
                    raise OSError(errno.ENOSPC, "no room is left")
                watch.write(handle, chunk)
                counted += len(chunk)
                progress.step(counted // 10**6 - progress.done)
        if left and counted != start + left:
            raise requests.ConnectionError(f"{counted - start} of {left} bytes came")


def _right_size(file: Remote, size: int, *made: Path) -> None:
    """Raises DownloadError, and removes what was made, where the file is far larger than it was known to be."""
    if file.size and size > LARGER * file.size:
        for path in made:
            path.unlink(missing_ok=True)
        raise DownloadError(
            f"{file.url} sends more than {size / 1e6:.1f} MB; the published file has about "
            f"{file.size / 1e6:.1f} MB. It is another file, and was thrown away."
        )


def _length(answer: Any) -> int:
    """Bytes of an answer's body by the server's word; 0 where it has none that is a number."""
    said = answer.headers.get("Content-Length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 20 else 0


def need_space(folder: Path, wanted: int, what: str) -> None:
    """Raises DownloadError if `wanted` bytes (and some to spare) do not fit on the disk of `folder`."""
    free = free_bytes(folder)
    if wanted + SPARE > free:
        raise DownloadError(
            f"{what} needs {wanted / 1e9:.2f} GB on the disk of {folder}, where {free / 1e9:.2f} GB "
            f"are free. Free some, or move data/raw elsewhere with AACLIB_RAW=DIR."
        )


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk that holds (or would hold) `folder`."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def short(error: BaseException) -> str:
    """The first line of an error's text, for a message."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
