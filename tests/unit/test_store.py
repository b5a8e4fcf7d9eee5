"""Artefacts are whole or not there, whatever happens while they are made."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time

import damage
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aaclib import store, sums


def test_made_once_named_by_what_it_was_made_from(tmp_path):
    kept, calls = store.Store(tmp_path), []

    def build(folder):
        calls.append(1)
        store.write_json(folder / "x.json", {"a": 1})
        return {"n": np.int64(3)}

    first = kept.get("captions", {"b": 2, "a": 1}, build)
    again = kept.get("captions", {"a": 1, "b": 2}, build)
    assert first == again and len(calls) == 1
    assert store.read_json(first / "x.json") == {"a": 1}
    assert first.meta["facts"] == {"n": 3} and first.meta["key"] == {"a": 1, "b": 2}
    other = kept.get("captions", {"a": 1, "b": 3, "from": first}, build)
    assert other.id != first.id and other.meta["key"]["from"] == f"captions:{first.id}"


def test_a_new_version_of_the_code_and_refresh_make_it_again(tmp_path, monkeypatch):
    kept, calls = store.Store(tmp_path), []
    kept.get("captions", {}, lambda folder: calls.append(1))
    monkeypatch.setitem(store.VERSIONS, "captions", 999)
    kept.get("captions", {}, lambda folder: calls.append(2))
    late = store.Store(tmp_path, refresh=time.time())
    late.get("captions", {}, lambda folder: calls.append(3))
    late.get("captions", {}, lambda folder: calls.append(4))  # made after `refresh`: once is enough
    assert calls == [1, 2, 3]


def test_a_failed_build_leaves_nothing_that_counts_and_the_next_one_may_go_on(tmp_path):
    kept = store.Store(tmp_path)

    def fails(folder):
        store.write_text(folder / "half", "done so far")
        raise RuntimeError("cut")

    with pytest.raises(RuntimeError, match="cut"):
        kept.get("captions", {}, fails)
    assert kept.find("captions", {}) is None
    seen = []
    kept.get("captions", {}, lambda folder: seen.append((folder / "half").read_text()))
    assert seen == ["done so far"]


def _slow(root, started):
    def build(folder):
        for i in range(1000):
            store.write_bytes(folder / "rows", bytes([i % 256]) * 100_000)
            started.set()
            time.sleep(0.001)

    store.Store(root).get("captions", {}, build)


def test_a_kill_in_the_middle_leaves_no_half_written_file_and_no_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    process = context.Process(target=_slow, args=(tmp_path, started))
    process.start()
    assert started.wait(60)
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    kept = store.Store(tmp_path)
    assert kept.find("captions", {}) is None

    def build(folder):
        content = (folder / "rows").read_bytes()
        assert len(content) == 100_000 and len(set(content)) == 1

    kept.get("captions", {}, build)  # not blocked by the dead process's lock


def _together(root, queue):
    def build(folder):
        time.sleep(0.3)
        queue.put("built")

    store.Store(root).get("captions", {}, build)


def test_two_processes_make_it_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    both = [context.Process(target=_together, args=(tmp_path, queue)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    assert queue.get(timeout=5) == "built" and queue.empty()


@given(
    how=st.sampled_from(damage.HOW),
    name=st.sampled_from(["a.bin", "deep/b.bin", "artefact.json"]),
    content=st.binary(min_size=1, max_size=300),
    shard=st.sampled_from([7, 2**28]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_damaged_is_named_and_made_again(tmp_path_factory, monkeypatch, capsys, how, name, content, shard):
    monkeypatch.setattr(sums, "SHARD", shard)
    kept, made = store.Store(tmp_path_factory.mktemp("store")), []

    def build(folder):
        made.append(1)
        store.write_bytes(folder / "a.bin", content)
        store.write_bytes(folder / "deep" / "b.bin", content[::-1])
        return {"n": 1}

    first = kept.get("captions", {}, build)
    assert kept.get("captions", {}, build) == first and len(made) == 1
    damage.fresh()
    assert kept.find("captions", {}) == first
    assert damage.damage(first / name, how) != content
    damage.fresh()
    assert kept.find("captions", {}) is None
    with pytest.raises(store.StoreError, match=f"{first.path} is damaged .* Delete it and run again"):
        kept.open("captions", {})
    again = kept.get("captions", {}, build)
    assert len(made) == 2 and (again / "a.bin").read_bytes() == content and again.meta["facts"] == {"n": 1}
    assert f"{first.path} is damaged" in capsys.readouterr().err
    assert kept.find("captions", {}) == again
    shutil.rmtree(again.path)  # as the message says
    kept.get("captions", {}, build)
    assert len(made) == 3


def test_sums_are_looked_at_once_a_process(tmp_path, monkeypatch):
    kept, hashed = store.Store(tmp_path), []
    kept.get("captions", {}, lambda folder: store.write_text(folder / "x", "content"))
    monkeypatch.setattr(sums, "_shard_digest", lambda *_, look=sums._shard_digest: hashed.append(1) or look(*_))
    kept.find("captions", {})
    assert not hashed  # made by this process
    damage.fresh()
    for _ in range(3):
        assert kept.get("captions", {}, pytest.fail).meta["facts"] == {}
    assert len(hashed) == 1


def test_an_artefact_of_an_earlier_version_counts_as_not_there(tmp_path, capsys):
    kept = store.Store(tmp_path)
    made = kept.get("captions", {}, lambda folder: None)
    store.write_json(made / "artefact.json", {"kind": "captions", "made": time.time()})
    assert kept.find("captions", {}) is None
    kept.get("captions", {}, lambda folder: {"n": 2})
    assert kept.find("captions", {}).meta["facts"] == {"n": 2} and "earlier versions" in capsys.readouterr().err


def test_what_only_a_resumed_building_needs_is_no_part_of_the_artefact(tmp_path, monkeypatch):
    kept, made = store.Store(tmp_path), []

    def build(folder):
        made.append(1)
        store.write_text(folder / ".state", "scratch")
        store.write_text(folder / "x", "content")

    monkeypatch.setattr(os, "replace", lambda *_, real=os.replace: 1 / 0 if str(_[0]).endswith(".part") else real(*_))
    with pytest.raises(ZeroDivisionError):  # killed when all was done but the renaming
        kept.get("captions", {}, build)
    monkeypatch.undo()
    artefact = kept.get("captions", {}, build)
    assert made == [1] and {path.name for path in artefact.path.iterdir()} == {"x", "artefact.json"}
    assert list(artefact.meta["files"]) == ["x"]
    assert [path.name for path in artefact.path.parent.iterdir()] == [artefact.id]  # no lock, no .part


def _holds(path, queue):
    with store.locked(path):
        queue.put("in")
        time.sleep(0.05)
        queue.put("out")


def test_a_lock_lets_one_in_at_a_time_and_leaves_no_file(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()  # it has a word as soon as it is put: no thread brings it later
    several = [context.Process(target=_holds, args=(tmp_path / "x.lock", queue)) for _ in range(6)]
    for process in several:
        process.start()
    for process in several:
        process.join(60)
    assert [queue.get() for _ in range(12)] == ["in", "out"] * 6
    assert not list(tmp_path.iterdir())


FULL = """
import resource, sys
from aaclib import store
def build(folder):
    store.write_bytes(folder / "small", b"kept")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1))
    WRITE
try:
    store.Store(sys.argv[1]).get("captions", {}, build)
except store.StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "write",
    [
        'store.write_bytes(folder / "large", bytes(5000))',
        'from aaclib import shards; import numpy; shards.save(folder / "large", numpy.zeros(5000))',
        "from aaclib import shards; import numpy; shards.gather(folder, numpy.arange(9), 9, 9, 999)",
        'from aaclib import resume; import torch; resume.save(folder / "large", torch.nn.Linear(99, 99))',
        'open(folder / "large", "wb", 0).write(bytes(5000)); open(folder / "large", "ab", 0).write(bytes(5000))',
    ],
    ids=["bytes", "rows", "memmap", "state", "plain"],
)
def test_a_full_disk_is_one_error_that_names_the_place_and_keeps_what_is_done(tmp_path, write):
    code = FULL.replace("WRITE", write)
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert done.stderr == "" and done.stdout.count("\n") == 1
    assert str(tmp_path / "captions") in done.stdout and "File too large. Make room and run again" in done.stdout
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} - {"large"} == {"small"}


def test_the_errors_of_a_full_disk_are_those_and_no_others(tmp_path):
    for error in (OSError(errno.ENOSPC, "No space left on device"), RuntimeError("I/O error: x (os error 28)")):
        with pytest.raises(store.StoreError, match=f"{tmp_path}: No space left on device"), store.room(tmp_path):
            raise error
    for error in (OSError(errno.EACCES, "no"), ValueError("no"), RuntimeError("(os error 2)")):
        with pytest.raises(type(error)), store.room(tmp_path):
            raise error


@given(
    value=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_record_is_read_as_it_was_written_or_not_at_all(tmp_path_factory, value):
    value = {key: item for key, item in value.items() if key not in ("files", "checksum")}
    path = tmp_path_factory.mktemp("record") / "run.json"
    store.write_record(path, value)
    assert repr(store.read_record(path)) == repr(dict(sorted(value.items())))
    for how in damage.HOW[:3]:
        store.write_record(path, value)
        before, left = path.read_bytes(), damage.damage(path, how)
        if _json(left) == _json(before):  # another digit of the same number: 4e-324 is read as 5e-324
            continue
        with pytest.raises(store.Damaged, match="run.json is damaged .* Delete it"):
            store.read_record(path)


def _json(content: bytes) -> str:
    """The value that these bytes have as JSON, NaN equal to itself; the bytes where they have none."""
    try:
        return repr(json.loads(content))
    except ValueError:
        return repr(content)


def test_a_changed_digit_that_leaves_the_number_is_no_other_record(tmp_path):
    store.write_record(tmp_path / "run.json", {"x": 5e-324})
    content = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(content.replace("5e-324", "4e-324"))
    assert store.read_record(tmp_path / "run.json") == {"x": 5e-324}


def test_replacing_keeps_the_old_file_when_the_new_one_fails(tmp_path):
    path = tmp_path / "a.txt"
    store.write_text(path, "old")
    with pytest.raises(RuntimeError), store.replacing(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
