"""Artefacts are whole or not there, whatever happens while they are made."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from aaclib import store


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
    late.get("captions", {}, lambda folder: calls.append(4))       # made after `refresh`: once is enough
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

    kept.get("captions", {}, build)                                # not blocked by the dead process's lock


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


def test_a_damaged_artefact_is_named(tmp_path):
    kept = store.Store(tmp_path)
    made = kept.get("captions", {}, lambda folder: None)
    (made / "artefact.json").write_text('{"kind": "capt')
    with pytest.raises(store.StoreError, match=made.id):
        kept.find("captions", {})


def test_replacing_keeps_the_old_file_when_the_new_one_fails(tmp_path):
    path = tmp_path / "a.txt"
    store.write_text(path, "old")
    with pytest.raises(RuntimeError), store.replacing(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
