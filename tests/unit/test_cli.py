"""The command line: every mistake gets one clear message and an exit code, never a traceback."""

import argparse
import csv
import errno
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aaclib
from aaclib import config, interrupts, paths, provenance
from aaclib.store import StoreError, write_record, write_text
from aaclib.suite import cli, runner


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    for name in ("RUNS", "RAW", "CACHE"):
        monkeypatch.setenv(f"AACLIB_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr(provenance, "package_digest", lambda leave_out=(): "code")


class FakeCaptioner:
    """Captions every file by its name; files called bad cannot be read."""

    synthetic = False
    asked: dict = {}
    key = "fake"

    @classmethod
    def from_run(cls, run, **options):
        cls.asked = {"run": run, **options}
        return cls()

    def caption(self, recordings, beam=1):
        for path in recordings:
            if path.stem.startswith("bad"):
                raise StoreError(f"{path} is no recording")
        return [f"the sound of {path.stem}" for path in recordings]


@pytest.fixture
def captioner(monkeypatch):
    monkeypatch.setitem(vars(aaclib), "Captioner", FakeCaptioner)  # setattr would import the real one


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["run", "--profile", "quik"], "Did you mean 'quick'"),
        (["run", "--set", "train.epoch=3"], "train.epochs"),
        (["run", "--set", "train.epochs"], "key=value"),
        (["run", "--set", "train.epochs=many"], "must be int"),
        (["run", "--only", "99"], "There is no one stage '99'"),
        (["run", "--from", "05", "--to", "01"], "nothing to run"),
        (["caption", "no-such-file.wav"], "no-such-file.wav: no such file"),
    ],
)
def test_mistakes_get_one_message_and_exit_code_2(arguments, says, capsys):
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and "Traceback" not in said


def test_errors_that_are_ours_to_mend_keep_their_traceback(monkeypatch):
    def broken(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(runner, "Runner", broken)
    with pytest.raises(KeyError):
        cli.main(["run"])
    monkeypatch.setattr(runner, "Runner", lambda *_, **__: (_ for _ in ()).throw(StoreError("x is damaged")))
    assert cli.main(["run"]) == 2
    monkeypatch.setenv("AACLIB_TRACEBACK", "1")
    with pytest.raises(StoreError):
        cli.main(["run"])


def test_list_and_dry_run_touch_nothing(capsys, tmp_path):
    assert cli.main(["run", "--list", "--profile", "smoke"]) == 0
    said = capsys.readouterr().out
    assert (
        all(stage.key in said for stage in runner.Runner("smoke").stages)
        and "quick" in said
        and "not finished yet" in said
    )
    assert not (tmp_path / "runs").exists()


def test_dry_run_asks_the_doctor(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_plan", lambda settings, *due: print(f"costs of {settings.name}"))
    assert cli.main(["run", "--dry-run", "--profile", "smoke", "--only", "03"]) == 0
    said = capsys.readouterr().out
    assert "costs of smoke" in said and "03_modality_gap" in said and "04_training" not in said


def test_options_reach_the_run(monkeypatch):
    seen = {}

    class Spy(runner.Runner):
        def run(self, stages=None, force=False):
            seen.update(
                stages=[s.key for s in stages],
                force=force,
                overrides=self.overrides,
                offline=self.offline,
                names=self.config.metrics.names,
            )

    monkeypatch.setattr(runner, "Runner", Spy)
    monkeypatch.setattr(interrupts, "die_politely", lambda: None)
    assert (
        cli.main(
            ["run", "--profile", "smoke", "--from", "05", "--force", "--offline", "--no-spice", "--set", "seeds=[1, 2]"]
        )
        == 0
    )
    assert (
        seen["stages"] == [*(f"05_decoding/{t}" for t in ("soundscapes-long", "soundscapes-short")), "06_tables"]
        and seen["force"]
        and seen["offline"]
    )
    assert seen["overrides"]["seeds"] == [1, 2] and seen["overrides"]["data.download"] is False
    assert "spice" not in seen["names"] and "spider" not in seen["names"] and "cider_d" in seen["names"]


def test_a_failing_notebook_is_three_lines_and_exit_code_1(monkeypatch, capsys):
    from aaclib.suite.notebook import NotebookError

    class Broken(runner.Runner):
        def run(self, stages=None, force=False):
            raise NotebookError("03.ipynb, cell 2 of 5: f()", "ValueError: no", "Look there")

    monkeypatch.setattr(runner, "Runner", Broken)
    monkeypatch.setattr(interrupts, "die_politely", lambda: None)
    assert cli.main(["run", "--profile", "smoke"]) == 1
    assert capsys.readouterr().err.splitlines() == ["03.ipynb, cell 2 of 5: f()", "ValueError: no", "Look there"]


def test_captions_of_a_folder_go_to_a_table_and_bad_files_cost_only_themselves(captioner, tmp_path, capsys):
    folder = tmp_path / "clips"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.wav", "bad.wav", "deep/b.FLAC", "notes.txt"):
        (folder / name).touch()
    out = tmp_path / "out.csv"
    assert cli.main(["caption", str(folder), "--out", str(out), "--strategy", "baseline", "--seed", "3"]) == 1
    rows = list(csv.DictReader(out.open()))
    assert [row["caption"] for row in rows] == ["the sound of a", "the sound of b"]
    assert FakeCaptioner.asked["strategy"] == "baseline" and FakeCaptioner.asked["seed"] == 3
    said = capsys.readouterr().err
    assert "bad.wav is no recording" in said and "1 of 3" in said


def test_captions_by_a_run_of_the_synthetic_world_say_so(captioner, tmp_path, capsys, monkeypatch):
    (tmp_path / "x.wav").touch()
    command = ["caption", str(tmp_path / "x.wav"), "--out", str(tmp_path / "out.csv")]
    for synthetic in (False, True):
        monkeypatch.setattr(FakeCaptioner, "synthetic", synthetic)
        assert cli.main(command) == 0
        (row,) = csv.DictReader((tmp_path / "out.csv").open())
        assert row.get("world") == ("synthetic" if synthetic else None) and row["caption"] == "the sound of x"
        assert ("not from real recordings" in capsys.readouterr().err) == synthetic


def test_captions_of_files_are_printed(captioner, tmp_path, capsys):
    (tmp_path / "x.wav").touch()
    assert cli.main(["caption", str(tmp_path / "x.wav")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'x.wav'}\tthe sound of x\n"
    (tmp_path / "empty").mkdir()
    assert cli.main(["caption", str(tmp_path / "empty")]) == 2
    assert "no recordings" in capsys.readouterr().err


def test_the_list_shows_profiles_runs_and_caches(capsys):
    assert cli.main(["list"]) == 0
    assert "none yet" in capsys.readouterr().out
    folder = paths.runs_dir() / "mine"
    folder.mkdir(parents=True)
    write_record(folder / "run.json", {"stages": {"a": {}}, "written": "2026-01-02T03:04:05+0000"})
    write_text(folder.with_name("other") / "run.json", "{}")
    made = paths.cache_dir() / "captions" / "0123"
    made.mkdir(parents=True)
    (made / "captions.json").write_text("[]")
    assert cli.main(["list"]) == 0
    said = capsys.readouterr().out
    assert "mine" in said and "2026-01-02 03:04" in said and "captions" in said and "smoke" in said
    assert f"{folder.with_name('other') / 'run.json'} is damaged" in said and "Delete it" in said


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b"null", b'{"stages": 3}', b'{"stages": {}}']))
def test_a_damaged_record_is_named_in_the_list_and_hides_nothing(capsys, content):
    for name in ("broken", "whole"):
        (paths.runs_dir() / name).mkdir(parents=True, exist_ok=True)
    (paths.runs_dir() / "broken" / "run.json").write_bytes(content)
    write_record(paths.runs_dir() / "whole" / "run.json", {"stages": {}, "written": "2026-01-02T03:04:05+0000"})
    assert cli.main(["list"]) == 0
    said = capsys.readouterr()
    assert f"{paths.runs_dir() / 'broken' / 'run.json'} is damaged" in said.out and "2026-01-02 03:04" in said.out
    assert not said.err


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        StoreError("rows.npy: Disk quota exceeded"),
        RuntimeError("Error opening 'a.wav': System error."),
    ],
)
def test_a_full_disk_is_one_message_that_says_what_is_kept(monkeypatch, capsys, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(runner, "Runner", full)
    assert cli.main(["run"]) == 1
    said = capsys.readouterr().err
    assert str(paths.runs_dir()) in said and "AACLIB_CACHE" in said and "kept" in said and said.count("\n") == 1


def test_what_nohup_ignores_stays_ignored():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        interrupts.die_politely()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN and callable(signal.getsignal(signal.SIGTERM))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_subcommands_of_other_modules_are_imported_only_when_asked_for(monkeypatch):
    class Plugin:
        @staticmethod
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            parser.add_argument("--word")

        @staticmethod
        def run(args: argparse.Namespace) -> int:
            return len(args.word)

    asked = []
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: asked.append(name) or Plugin)
    assert cli.main(["metrics", "--word", "four"]) == 4
    assert asked == ["aaclib.metrics.command"]


def test_it_runs_as_a_module_and_stops_at_a_closed_pipe():
    environment = {**os.environ, "PYTHONPATH": str(config.PROFILES.parent.parent)}
    command = [sys.executable, "-m", "aaclib"]
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, env=environment)
    assert shown.stdout.strip() == f"aaclib {aaclib.__version__}"
    for closed in (">&-", "| true", "2>&-"):
        shell = f'"$0" -m aaclib list {closed}; exit ${{PIPESTATUS[0]}}'
        listed = subprocess.run(["bash", "-c", shell, sys.executable], capture_output=True, text=True, env=environment)
        assert listed.returncode == 0 and not listed.stderr, closed
    usage = subprocess.run([*command, "nonsense"], capture_output=True, text=True, env=environment)
    assert usage.returncode == 2 and "invalid choice" in usage.stderr
