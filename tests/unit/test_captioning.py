"""`aaclib caption` on many files: nothing that was made is lost, and one bad file costs the others nothing."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aaclib
from aaclib import captioning, config, interrupts
from aaclib.audio import AudioError
from aaclib.suite import caption_command, cli


class Fake:
    """Captions a file by its content; `raising` says what a file name raises, `stop` after how many files it is
    interrupted."""

    synthetic = False

    def __init__(self, key="one", raising=None, stop=None):
        self.key, self.raising, self.stop, self.done = key, raising or {}, stop, []

    def caption(self, files, beam=1):
        for path in files:
            if path.name in self.raising:
                raise self.raising[path.name]
            if self.stop is not None and len(self.done) >= self.stop:
                raise KeyboardInterrupt
            self.done.append(path.name)
        return [f"{path.read_text()}, beam {beam}" for path in files]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abcdefgh":
        (tmp_path / "in" / f"{name}.wav").write_text(f"sound {name}")
    return tmp_path / "in"


@pytest.fixture
def ask(folder, monkeypatch):
    """The command line on the folder, with a fake captioner: (exit code, rows of the table or None)."""
    monkeypatch.setattr(interrupts, "die_politely", lambda: None)
    out = folder.parent / "out.csv"

    def asking(fake, *options, batch=2):
        class Source:
            @staticmethod
            def from_run(*_, **__):
                return fake

        monkeypatch.setitem(vars(aaclib), "Captioner", Source)
        code = cli.main(["caption", str(folder), "--out", str(out), "--batch", str(batch), *options])
        return code, list(csv.reader(out.open(encoding="utf-8", newline=""))) if out.exists() else None

    return asking


@pytest.mark.parametrize(
    "error, says",
    [
        (AudioError("c.wav", "truncated"), "c.wav: truncated"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "c.wav: UnicodeDecodeError: "),
        (MemoryError(), "c.wav: MemoryError"),
        (RuntimeError("mat1 and mat2"), "c.wav: RuntimeError: mat1 and mat2"),
        (PermissionError(13, "Permission denied", "c.wav"), "c.wav: Permission denied"),
    ],
)
def test_whatever_a_file_raises_is_told_of_that_file_alone(ask, error, says, capsys):
    code, rows = ask(Fake(raising={"c.wav": error}), batch=8)
    assert code == 1 and [Path(name).name[0] for name, _ in rows[1:]] == list("abdefgh")
    said = capsys.readouterr().err
    assert says in said and "1 of 8 recordings" in said and "Traceback" not in said


def test_the_generator_tells_all_in_order_and_asks_for_a_batch_at_a_time(folder):
    files, fake = sorted(folder.iterdir()), Fake(raising={"d.wav": ValueError("no")})
    batches = captioning.caption_files(fake, files, beam=3, batch=3)
    assert [found.caption for found in next(batches)] == [f"sound {c}, beam 3" for c in "abc"]
    assert fake.done == ["a.wav", "b.wav", "c.wav"]
    assert [found.path for batch in batches for found in batch] == files[3:]


def test_an_interrupt_says_what_is_kept_and_the_same_command_goes_on(ask, folder, capsys):
    assert ask(Fake(stop=5)) == (130, None)
    part = folder.parent / "out.csv.part"
    assert f"4 captions are kept in {part}" in capsys.readouterr().err
    fake = Fake()
    code, rows = ask(fake)
    assert code == 0 and fake.done == ["e.wav", "f.wav", "g.wav", "h.wav"] and not part.exists()
    assert [row[1] for row in rows[1:]] == [f"sound {c}, beam 1" for c in "abcdefgh"]
    assert "8 captions written" in capsys.readouterr().out
    assert ask(Fake(stop=0)) == (130, rows) and not part.exists()  # nothing to keep, and the table stays
    assert "captions are kept" not in capsys.readouterr().err


def test_only_what_is_the_same_counts_as_done(ask, folder):
    ask(Fake(stop=4))
    assert (folder.parent / "out.csv.part").is_file()
    (folder / "a.wav").write_text("changed")
    (folder / "b.wav").rename(folder / "bb.wav")
    fake = Fake(stop=5)
    ask(fake)
    assert fake.done[:2] == ["a.wav", "bb.wav"] and not {"c.wav", "d.wav"} & set(fake.done)
    for other, options in ((Fake(key="two", stop=1), ()), (Fake(stop=1), ("--beam", "2"))):
        ask(other, *options, batch=1)
        assert other.done == ["a.wav"]


@settings(max_examples=25, deadline=None)
@given(stops=st.lists(st.integers(0, 9), max_size=3), cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_kills_and_damage_never_change_the_table(tmp_path_factory, stops, cut, flip):
    folder = tmp_path_factory.mktemp("files")
    files = [folder / f"{i}.wav" for i in range(7)]
    for path in files:
        path.write_text(f"sound é {path.stem}")
    for stop in [*stops, None]:
        with captioning.Kept(folder / "out.csv") as kept:
            try:
                found = sum(captioning.caption_files(Fake(stop=stop), files, 1, 2, kept), [])
            except KeyboardInterrupt:
                found = None
        part = folder / "out.csv.part"
        if stop is not None and part.exists():
            content = bytearray(part.read_bytes()[: -cut or None])
            if content:
                content[flip % len(content)] ^= 1
            part.write_bytes(content)
    assert found == [captioning.Captioned(path, f"sound é {path.stem}, beam 1") for path in files]


KILLED = """
import os, sys
import aaclib
from aaclib.suite import cli
class Captioner:
    key, done, synthetic = "one", 0, False
    from_run = classmethod(lambda cls, *_, **__: cls())
    def caption(self, files, beam=1):
        self.done += len(files)
        if self.done > 4: os.kill(os.getpid(), 9)
        return [path.read_text() for path in files]
vars(aaclib)["Captioner"] = Captioner
cli.main(["caption", *sys.argv[1:], "--batch", "2"])
"""


def test_a_kill_loses_no_finished_batch(ask, folder):
    out = folder.parent / "out.csv"
    command = [sys.executable, "-c", KILLED, str(folder), "--out", str(out)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(config.PROFILES.parent.parent)})
    assert done.returncode == -signal.SIGKILL
    fake = Fake()
    assert ask(fake)[0] == 0 and fake.done == ["e.wav", "f.wav", "g.wav", "h.wav"]


def test_a_table_that_cannot_be_written_is_told_before_anything_long(ask, folder, capsys):
    (folder.parent / "file").touch()
    fake = Fake()
    for out, says in (("file/out.csv", "file: File exists"), ("in", "in: this is no file")):
        assert ask(fake, "--out", str(folder.parent / out))[0] == 2
        assert says in capsys.readouterr().err
    assert ask(fake, "--out", "")[0] == 2
    assert not fake.done
    assert ask(fake, "--out", str(folder.parent / "new" / "deep" / "out.csv"))[0] == 0  # made, as ever


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.wav", "é 日本 {x} %s.wav".encode(), b"new\nline.wav", b"~birds.wav", b"-x.wav"]
)
def test_every_name_can_be_written_and_printed(ask, folder, name):
    try:
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_text("odd")
    except OSError:
        pytest.skip("this file system takes no such name")
    code, rows = ask(Fake())
    shown = name.decode(errors="surrogateescape").encode(errors="backslashreplace").decode()
    assert code == 0 and [str(folder / shown), "odd, beam 1"] in rows
    environment = {**os.environ, "PYTHONPATH": str(config.PROFILES.parent.parent)}
    command = KILLED.replace("> 4", "> 99")
    done = subprocess.run([sys.executable, "-c", command, str(folder)], capture_output=True, env=environment)
    assert done.returncode == 0 and f"{shown}\todd" in done.stdout.decode()


def test_files_are_named_once_and_as_the_shell_gives_them(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("~birds.wav", "-x.wav", "._a.wav"):
        Path(name).write_text(name)
    os.symlink("nowhere", "lost.wav")
    names = lambda *given: [str(path) for path in caption_command.recordings([Path(name) for name in given])]  # noqa: E731
    assert names("~birds.wav", "a.wav", "~birds.wav", "-x.wav") == ["~birds.wav", "a.wav", "-x.wav"]
    assert names("._a.wav") == ["._a.wav"] and "._a.wav" not in names(".")  # by name always, in a folder never
    assert names("a.wav", ".").count("a.wav") == 1
    for missing, says in (("*.flac", "no such file"), ("lost.wav", "a link to nowhere")):
        with pytest.raises(FileNotFoundError, match=says):
            caption_command.recordings([Path(missing)])


@pytest.mark.parametrize("options", [("--batch", "0"), ("--beam", "-1"), ("--batch", "many")])
def test_numbers_that_mean_nothing_are_refused(options, capsys):
    with pytest.raises(SystemExit):
        cli.main(["caption", "a.wav", *options])
    assert "a whole number from 1 on" in capsys.readouterr().err
