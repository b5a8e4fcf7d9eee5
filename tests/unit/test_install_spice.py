"""SPICE's files from a folder, a jar, a zip and a Maven repository that misbehaves; the real files where they are."""

import argparse
import http.server
import shutil
import threading
import zipfile
from pathlib import Path

import pytest

from aaclib.datasets import download
from aaclib.metrics import command, install_spice
from aaclib.metrics.install_spice import InstallError, install, installed
from aaclib.metrics.result import Unavailable
from aaclib.sums import file_digest

REAL = Path(install_spice.__file__).resolve().parents[2].parent / "shared" / "data" / "spice"
real = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/spice, the real files, is not here")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "WAIT_S", 0.01)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small stand-in of both artefacts, and the checksums to match."""
    folder = tmp_path / "files"
    folder.mkdir()
    with zipfile.ZipFile(folder / "stanford-corenlp-3.6.0.jar", "w") as jar:
        jar.writestr(install_spice.MAIN_CLASS, b"class")
        jar.writestr("README", b"any")
    with zipfile.ZipFile(folder / "stanford-corenlp-3.6.0-models.jar", "w") as jar:
        for name in install_spice.MODEL_FILES:
            jar.writestr(name, name.encode())
        jar.writestr("edu/stanford/nlp/models/ner/big.ser.gz", b"x" * 100000)
    with zipfile.ZipFile(folder / "stanford-corenlp-3.6.0-models.jar") as jar:
        monkeypatch.setattr(install_spice, "MODELS", install_spice.content(jar, install_spice.MODEL_FILES))
    with zipfile.ZipFile(folder / "stanford-corenlp-3.6.0.jar") as jar:
        monkeypatch.setattr(install_spice, "CLASSES", install_spice.content(jar, [install_spice.MAIN_CLASS]))
    monkeypatch.setattr(install_spice, "MAVEN", {name: file_digest(folder / name) for name in install_spice.MAVEN})
    return folder


def models_kept():
    with zipfile.ZipFile(installed()[1]) as jar:
        return set(jar.namelist())


def nothing_left(tmp_path):
    return not list((tmp_path / "cache").rglob(".install-*")) and not list((tmp_path / "cache").rglob("*.jar"))


@real
def test_the_real_files(capsys):
    with pytest.raises(Unavailable, match="aaclib metrics install-spice"):
        installed()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["install-spice", "--from", str(REAL)])) == 0
    assert "SPICE is installed in" in capsys.readouterr().out
    assert models_kept() == set(install_spice.MODEL_FILES)


@pytest.mark.parametrize("source", ["folder", "jar", "zip", "folder of a zip"])
def test_from_files(small, tmp_path, source):
    place = small
    if source == "jar":
        place = small / "stanford-corenlp-3.6.0-models.jar"
    elif "zip" in source:
        (tmp_path / "dist").mkdir()
        place = tmp_path / "dist" / "stanford-corenlp-full-2015-12-09.zip"
        with zipfile.ZipFile(place, "w") as distribution:
            for jar in small.glob("*.jar"):
                distribution.write(jar, f"stanford-corenlp-full-2015-12-09/{jar.name}")
            distribution.writestr("stanford-corenlp-full-2015-12-09/stanford-corenlp-3.6.0-sources.jar", b"no jar")
        place = place.parent if "folder" in source else place
    install(place)
    assert models_kept() == set(install_spice.MODEL_FILES)


def test_a_second_time_does_nothing_and_force_does_it_again(small):
    install(small)
    made = installed()[0].stat().st_mtime_ns
    shutil.rmtree(small)
    install(small)
    assert installed()[0].stat().st_mtime_ns == made
    with pytest.raises(InstallError, match="There is no"):
        install(small, force=True)
    assert installed()


@pytest.mark.parametrize("name", [install_spice.CLASSES_JAR, install_spice.MODELS_JAR, install_spice.RECORD])
def test_what_was_changed_since_is_named_and_installed_again(small, name):
    install(small)
    path = installed()[0].with_name(name)
    content = path.read_bytes()
    path.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
    with pytest.raises(install_spice.Unavailable, match=r"SPICE is damaged .*Install it again: aaclib metrics"):
        installed()
    install(small)
    assert installed() and path.read_bytes() == content


def test_a_wrong_checksum_is_refused_by_name(small, tmp_path, monkeypatch):
    monkeypatch.setattr(install_spice, "MODELS", "0" * 64)
    with pytest.raises(InstallError, match="models.jar: not the models of CoreNLP"):
        install(small)
    monkeypatch.setattr(install_spice, "CLASSES", "0" * 64)
    with pytest.raises(InstallError, match="stanford-corenlp-3.6.0.jar: not the classes"):
        install(small / "stanford-corenlp-3.6.0.jar")
    assert nothing_left(tmp_path)


def test_what_lacks_is_named(small, tmp_path):
    models, classes = small / "stanford-corenlp-3.6.0-models.jar", small / "stanford-corenlp-3.6.0.jar"
    classes.rename(tmp_path / "away")
    with pytest.raises(InstallError, match="no stanford-corenlp-3.6.0.jar"):
        install(small)
    (tmp_path / "away").rename(classes)
    models.unlink()
    with pytest.raises(InstallError, match="lacks 11 of the models"):
        install(small)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InstallError, match="no .jar"):
        install(tmp_path / "empty")


def test_a_jar_that_was_cut_short_is_refused_by_name(small, tmp_path):
    models = small / "stanford-corenlp-3.6.0-models.jar"
    models.write_bytes(models.read_bytes()[:5000])
    with pytest.raises(InstallError, match="models.jar is damaged or cut short"):
        install(small)
    assert nothing_left(tmp_path)


def test_what_a_killed_installation_left_is_cleared(small, tmp_path):
    left = tmp_path / "cache" / "spice" / ".install-old"
    left.mkdir(parents=True)
    (left / "half.jar").write_bytes(b"half")
    install(small)
    assert not left.exists() and models_kept()


# ---- a Maven repository


class Repository(http.server.BaseHTTPRequestHandler):
    """Serves the jars of `folder`; `fault(name, time)` may change the content, or cut the connection (None)."""

    folder: Path
    fault = staticmethod(lambda name, time, content: content)
    asked: dict

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        path = self.folder / name
        if not path.exists():
            self.send_error(404)
            return
        self.asked[name] = self.asked.get(name, 0) + 1
        whole = path.read_bytes()
        content = self.fault(name, self.asked[name], whole)
        self.send_response(200)
        self.send_header("Content-Length", str(len(whole if len(content) < len(whole) else content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def repository(small):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    Repository.folder, Repository.asked = small, {}
    Repository.fault = staticmethod(lambda name, time, content: content)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/maven2"
    server.shutdown()
    server.server_close()


def test_from_a_repository(repository):
    install(repository=repository)
    assert models_kept() == set(install_spice.MODEL_FILES)
    folder = install_spice.folder()
    assert [path for path in folder.parent.iterdir() if path.suffix != ".lock"] == [folder]  # of 385 MB nothing stays


def test_a_cut_download_is_begun_again(repository):
    Repository.fault = staticmethod(lambda name, time, content: content[:200] if time == 1 else content)
    install(repository=repository)
    assert (
        models_kept() == set(install_spice.MODEL_FILES) and Repository.asked["stanford-corenlp-3.6.0-models.jar"] == 2
    )


def test_a_download_with_a_wrong_checksum_is_refused(repository, tmp_path):
    Repository.fault = staticmethod(lambda name, time, content: content[:-1] + b"?")
    with pytest.raises(InstallError, match="checksum is not the published one.*--from FOLDER"):
        install(repository=repository)
    assert Repository.asked["stanford-corenlp-3.6.0.jar"] == 1 and nothing_left(tmp_path)


def test_without_a_network_the_way_out_is_named(small, tmp_path):
    with pytest.raises(InstallError, match="no answer after.*aaclib metrics install-spice --from FOLDER"):
        install(repository="http://127.0.0.1:9/maven2")
    assert nothing_left(tmp_path)
