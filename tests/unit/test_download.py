"""Downloads and archives against a local server that cuts, refuses and lies."""

import hashlib
import os
import shutil
import stat
import zipfile
from pathlib import Path

import py7zr
import pytest
from rehearsal import Server, serving

from aaclib.config import Data
from aaclib.datasets import DatasetError, archives, download
from aaclib.datasets.download import DownloadError, Remote, fetch

CONTENT = os.urandom(300_000)
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    monkeypatch.setattr(download, "CHUNK", 10_000)
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file.bin").write_bytes(CONTENT)
    with serving(tmp_path / "www") as server:
        yield server


def get(server: Server, target: Path, checksum: str = MD5, name: str = "file.bin") -> Path:
    return fetch(Remote(name, f"{server.url}/{name}", checksum), target)


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*")) if folder.exists() else []


def test_whole_file_once(server, tmp_path):
    path = get(server, tmp_path / "raw" / "file.bin")
    assert path.read_bytes() == CONTENT and left(tmp_path / "raw") == ["file.bin"]
    get(server, path)
    assert len(server.log) == 1  # the second call asks nobody


def test_cut_download_goes_on_in_the_same_call(server, tmp_path):
    server.cut["/file.bin"] = 123_456
    assert get(server, tmp_path / "file.bin").read_bytes() == CONTENT
    (_, first), (_, second) = server.log
    start = int(second.removeprefix("bytes=").removesuffix("-"))
    assert first == "" and 0 < start <= 123_456


def test_cut_download_goes_on_in_the_next_run(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.cut["/file.bin"] = 200_000
    with pytest.raises(DownloadError, match="are kept and the next run goes on"):
        get(server, tmp_path / "raw" / "file.bin")
    assert not (tmp_path / "raw" / "file.bin").exists()
    assert get(server, tmp_path / "raw" / "file.bin").read_bytes() == CONTENT
    assert server.log[-1][1].startswith("bytes=") and server.log[-1][1] != "bytes=0-"
    assert left(tmp_path / "raw") == ["file.bin"]


def test_server_without_ranges_starts_again(server, tmp_path):
    server.ranges = False
    server.cut["/file.bin"] = 123_456
    assert get(server, tmp_path / "file.bin").read_bytes() == CONTENT


def test_changed_file_is_not_patched_together(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.cut["/file.bin"] = 200_000
    with pytest.raises(DownloadError):
        get(server, tmp_path / "file.bin")
    new = os.urandom(250_000)
    (server.root / "file.bin").write_bytes(new)
    assert get(server, tmp_path / "file.bin", "md5:" + hashlib.md5(new).hexdigest()).read_bytes() == new


def test_complete_part_needs_no_more_bytes(server, tmp_path):
    (tmp_path / ".file.bin.part").write_bytes(CONTENT)
    (tmp_path / ".file.bin.part.json").write_text(f'{{"url": "{server.url}/file.bin", "validator": ""}}')
    assert get(server, tmp_path / "file.bin").read_bytes() == CONTENT


def test_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError, match="checksum is not the published one"):
        get(server, tmp_path / "raw" / "file.bin", "md5:" + "0" * 32)
    assert not (tmp_path / "raw" / "file.bin").exists() and not [n for n in left(tmp_path / "raw") if "part" in n]


def test_404_names_the_way_out(server, tmp_path):
    with pytest.raises(DownloadError, match=r"404 Not Found.*--set data.urls.gone.7z=URL"):
        get(server, tmp_path / "raw" / "gone.7z", name="gone.7z")
    assert not [n for n in left(tmp_path / "raw") if "lock" not in n]
    assert len(server.log) == 1  # no use in trying again


def test_busy_server_is_asked_again_and_given_up(server, tmp_path):
    server.status["/file.bin"] = 503
    with pytest.raises(DownloadError, match="no answer after 5 attempts"):
        get(server, tmp_path / "file.bin")
    assert len(server.log) == 5


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    with pytest.raises(DownloadError, match="put the file at"):
        fetch(Remote("x", "http://127.0.0.1:9/x"), tmp_path / "x")


def test_full_disk_is_seen_before_the_first_byte(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "free_bytes", lambda folder: 100_000)
    with pytest.raises(DownloadError, match="are free"):
        get(server, tmp_path / "raw" / "file.bin")
    assert not [n for n in left(tmp_path / "raw") if "lock" not in n]


def test_disk_that_fills_up_meanwhile(server, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.Progress, "step", full)  # in the middle of writing
    with pytest.raises(DownloadError, match="The disk is full"):
        get(server, tmp_path / "raw" / "file.bin")
    assert not [n for n in left(tmp_path / "raw") if "lock" not in n]


def test_switched_off(tmp_path):
    with pytest.raises(DownloadError, match="downloads are switched off"):
        fetch(Remote("a.csv", "http://127.0.0.1:9/a.csv"), tmp_path / "a.csv", allowed=False)


def test_addresses():
    plain = download.remote(Data(), "zenodo", "https://z.org/files", "a b.7z", "md5:1", 5)
    assert plain == Remote("a b.7z", "https://z.org/files/a%20b.7z", "md5:1", 5)
    mirror = download.remote(Data(urls={"zenodo": "http://m/x/"}), "zenodo", "https://z.org", "a.7z", "md5:1")
    assert mirror.url == "http://m/x/a.7z" and mirror.checksum == "md5:1"
    own = download.remote(Data(urls={"a.7z": "http://m/y.7z#sha256=AB"}), "zenodo", "https://z.org", "a.7z", "md5:1")
    assert own == Remote("a.7z", "http://m/y.7z", "sha256:ab")
    assert download.remote(Data(urls={"a.7z": "http://m/y"}), "z", "https://z.org", "a.7z", "md5:1").checksum == "md5:1"
    with pytest.raises(DatasetError, match="no checksum"):
        download.remote(Data(urls={"a.7z": "http://m/y#crc=1"}), "z", "https://z.org", "a.7z")


# ---- archives --------------------------------------------------------------------------------------------------------


def make(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as handle:
            for name, content in members.items():
                handle.writestr(name, content)
    else:
        with py7zr.SevenZipFile(path, "w") as handle:
            for name, content in members.items():
                handle.writestr(content, name)
    return path


@pytest.mark.parametrize("kind", ["a.zip", "a.7z"])
def test_unpacks_flat_and_keeps_what_is_wanted(tmp_path, kind):
    archive = make(tmp_path / kind, {"deep/x 1.wav": b"1", "deep/y.wav": b"22", "deep/readme.txt": b"-"})
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine.wav").write_bytes(b"mine")
    found = archives.extract(archive, target, lambda name: name.endswith(".wav"))
    assert [p.name for p in found] == ["x 1.wav", "y.wav"] and found[1].read_bytes() == b"22"
    assert left(target) == ["mine.wav", "x 1.wav", "y.wav"] and left(tmp_path) == sorted([kind, "out", *left(target)])


@pytest.mark.parametrize("name", ["../../x.wav", "a/../../x.wav", "/tmp/x.wav", "C:\\x.wav", "..\\x.wav"])
def test_malicious_member_of_a_zip(tmp_path, name):
    archive = make(tmp_path / "a.zip", {"good.wav": b"1", name: b"2"})
    with pytest.raises(DownloadError, match="outside its folder"):
        archives.extract(archive, tmp_path / "deep" / "out")
    assert left(tmp_path) == ["a.zip"]


def test_malicious_member_of_a_7z(tmp_path, monkeypatch):
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as handle:
        handle.writestr(b"1", "good.wav")
        handle.writestr(b"2", "AA/AA/x.wav")
        for info in handle.header.files_info.files:  # py7zr itself refuses to write such a name
            info["filename"] = info["filename"].replace("AA", "..")
    with pytest.raises(DownloadError, match="outside its folder"):
        archives.extract(tmp_path / "a.7z", tmp_path / "deep" / "out")
    assert left(tmp_path) == ["a.7z"]


@pytest.mark.parametrize("kind", ["a.zip", "a.7z"])
def test_link_in_an_archive(tmp_path, kind):
    if kind == "a.zip":
        with zipfile.ZipFile(tmp_path / kind, "w") as handle:
            info = zipfile.ZipInfo("link.wav")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            handle.writestr(info, "/etc/passwd")
    else:
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "real.wav").write_bytes(b"1")
        (tmp_path / "src" / "link.wav").symlink_to("real.wav")
        with py7zr.SevenZipFile(tmp_path / kind, "w") as handle:
            handle.writeall(tmp_path / "src", "src")
        shutil.rmtree(tmp_path / "src")
    with pytest.raises(DownloadError, match="a link in it"):
        archives.extract(tmp_path / kind, tmp_path / "out")
    assert left(tmp_path) == [kind]


@pytest.mark.parametrize("kind", ["a.zip", "a.7z"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_damaged_archive_leaves_nothing(tmp_path, kind, damage):
    archive = make(tmp_path / kind, {f"{i}.wav": os.urandom(5000) for i in range(5)})
    content = bytearray(archive.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 3] ^= 0xFF
    else:
        content = b"<html>not found</html>"
    archive.write_bytes(content)
    with pytest.raises(DownloadError, match="no whole archive"):
        archives.extract(archive, tmp_path / "out")
    assert left(tmp_path) == [kind]


def test_archive_without_room(tmp_path, monkeypatch):
    archive = make(tmp_path / "a.zip", {"x.wav": b"1"})
    monkeypatch.setattr(download, "free_bytes", lambda folder: 1000)
    with pytest.raises(DownloadError, match="Unpacking a.zip needs"):
        archives.extract(archive, tmp_path / "out")
    assert left(tmp_path) == ["a.zip"]


def test_archive_of_other_things_and_twice_the_same_name(tmp_path):
    with pytest.raises(DownloadError, match="holds none of the files"):
        archives.extract(make(tmp_path / "a.zip", {"x.txt": b"1"}), tmp_path / "out", lambda n: n.endswith(".wav"))
    with pytest.raises(DownloadError, match="two files of one name"):
        archives.extract(make(tmp_path / "b.zip", {"a/x.wav": b"1", "b/x.wav": b"2"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
