"""Downloads from servers that never end, send too much, or say nonsense about it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import socketserver
import threading
import time

import pytest

from aaclib.datasets import download
from aaclib.datasets.download import DownloadError, Remote, fetch

CONTENT = os.urandom(100_000)
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@contextlib.contextmanager
def serving(answer):
    """The address of a server that sends what `answer(request)` yields: bytes, or seconds to wait. `asked` counts."""
    asked = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            request = b""
            while b"\r\n\r\n" not in request:
                request += self.request.recv(65536)
            asked.append(request)
            with contextlib.suppress(OSError):
                for part in answer(request):
                    if isinstance(part, bytes):
                        self.request.sendall(part)
                    elif stop.wait(part):
                        return

    stop = threading.Event()
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/f.bin", asked
    finally:
        stop.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    monkeypatch.setattr(download, "STALL_S", 0.3)


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if not path.name.endswith(".lock"))


def for_ever(start: bytes, piece: bytes, wait: float):
    def answer(request):
        yield start
        while True:
            yield piece
            yield wait

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        for_ever(OK + b"\r\n", b"x", 0.05),
        for_ever(OK + b"Content-Length: 100000\r\n\r\n", b"x", 0.05),
        for_ever(OK + b"X-", b"x", 0.05),
        for_ever(b"", b"H", 0.05),
        for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0", 0.05),
        for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05),
        lambda request: [60.0],
    ],
    ids=["body", "length", "header", "status", "chunk size", "chunks", "silent"],
)
def test_a_server_that_trickles_is_given_up_like_one_that_is_silent(tmp_path, monkeypatch, answer):
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    with serving(answer) as (url, asked), pytest.raises(DownloadError, match="no answer after 2 attempts .fewer than"):
        fetch(Remote("f.bin", url), tmp_path / "f.bin")
    assert len(asked) == 2 and not (tmp_path / "f.bin").exists()


def test_what_came_before_a_stall_is_kept_and_a_given_up_attempt_writes_nothing_more(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)
    head = OK + b'ETag: "1"\r\n'

    def answer(request):
        if b"Range: bytes=" in request:
            start = int(request.split(b"bytes=")[1].split(b"-")[0])
            yield (
                head.replace(b"200 OK", b"206 Partial Content")
                + f"Content-Length: {len(CONTENT) - start}\r\n"
                f"Content-Range: bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}\r\n\r\n".encode()
                + CONTENT[start:]
            )
        else:
            yield head + f"Content-Length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT[:50_000]
            yield 0.8
            yield b"?" * 50_000  # when nobody listens any more

    with serving(answer) as (url, asked):
        path = fetch(Remote("f.bin", url, SHA), tmp_path / "f.bin")
        time.sleep(0.6)
    assert len(asked) == 2 and path.read_bytes() == CONTENT and left(tmp_path) == ["f.bin"]


def test_a_slow_server_that_goes_on_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)

    def answer(request):
        yield OK + b"\r\n"
        for i in range(0, len(CONTENT), 10_000):
            yield CONTENT[i : i + 10_000]
            yield 0.1

    with serving(answer) as (url, _):
        assert fetch(Remote("f.bin", url, SHA), tmp_path / "f.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("start", [b"\r\n", b"Content-Length: 50000\r\n\r\n"])
def test_the_reserve_of_the_disk_is_looked_at_while_writing(tmp_path, monkeypatch, start):
    room = [download.SPARE + 90_000]
    monkeypatch.setattr(download, "free_bytes", lambda folder: room[0])
    write = download._Watch.write
    monkeypatch.setattr(
        download._Watch,
        "write",
        lambda self, handle, chunk: (room.__setitem__(0, room[0] - 2 * len(chunk)), write(self, handle, chunk)),
    )
    with serving(for_ever(OK + start, bytes(10_000), 0)) as (url, asked):
        with pytest.raises(DownloadError, match=r"The disk is full: .* had no room for f.bin \(200 MB stay free\)"):
            fetch(Remote("f.bin", url), tmp_path / "f.bin")
    assert len(asked) == 1 and left(tmp_path) == []
    assert room[0] > download.SPARE - 4 * download.CHUNK


@pytest.mark.parametrize("start", [b"\r\n", b"Content-Length: 9999999999\r\n\r\n"])
def test_a_file_far_larger_than_the_published_one_is_not_fetched_whole(tmp_path, start):
    with serving(for_ever(OK + start, bytes(10_000), 0)) as (url, asked):
        with pytest.raises(DownloadError, match="the published file has about 0.1 MB. It is another file"):
            fetch(Remote("f.bin", url, size=100_000), tmp_path / "f.bin")
    assert len(asked) == 1 and left(tmp_path) == []


@pytest.mark.parametrize("said", ["abc", "-5", "", "1e9", "９", "0x10"])
def test_a_length_that_is_no_number_is_no_length(tmp_path, said):
    with serving(lambda request: [OK + f"Content-Length: {said}\r\n\r\n".encode() + CONTENT]) as (url, asked):
        assert fetch(Remote("f.bin", url, SHA), tmp_path / "f.bin").read_bytes() == CONTENT


def test_more_or_less_than_was_said(tmp_path):
    head = OK + b"Content-Length: 1000\r\n\r\n"
    with serving(lambda request: [head + CONTENT]) as (url, _):
        assert fetch(Remote("f.bin", url), tmp_path / "more").read_bytes() == CONTENT[:1000]
    with serving(lambda request: [head + CONTENT[:500]]) as (url, asked):
        with pytest.raises(DownloadError, match="no answer after 5 attempts"):
            fetch(Remote("f.bin", url), tmp_path / "less")
    assert len(asked) == 5


def test_what_is_packed_against_our_wish_is_unpacked_and_not_patched_together(tmp_path):
    packed = gzip.compress(CONTENT)
    head = OK + f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    parts = [packed[:50_000], packed]
    with serving(lambda request: [head + parts.pop(0)]) as (url, asked):
        assert fetch(Remote("f.bin", url, SHA), tmp_path / "f.bin").read_bytes() == CONTENT
    assert len(asked) == 2 and b"Range" not in asked[1]


@pytest.mark.parametrize("where", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "/f.bin"])
def test_a_redirect_to_another_kind_of_place_or_in_a_circle_is_an_error(tmp_path, where):
    head = f"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
    with serving(lambda request: [head]) as (url, _), pytest.raises(DownloadError, match="cannot be fetched"):
        fetch(Remote("f.bin", url), tmp_path / "f.bin")
    assert left(tmp_path) == []


def test_a_redirect_to_another_host_is_followed(tmp_path):
    with serving(lambda request: [OK + b"\r\n" + CONTENT]) as (there, _):
        head = f"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
        with serving(lambda request: [head]) as (url, _):
            assert fetch(Remote("f.bin", url, SHA), tmp_path / "f.bin").read_bytes() == CONTENT
