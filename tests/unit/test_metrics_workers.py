"""METEOR's and SPICE's processes that die, stall or are killed; stand-ins that speak the same lines."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from aaclib import metrics
from aaclib.metrics import meteor, spice
from aaclib.metrics.result import MetricError
from aaclib.store import Store

FAKE_METEOR = """
import os, sys
for line in sys.stdin:
    candidate = line.split("|||")[-1].strip()
    if candidate == "crash" and not os.path.exists(sys.argv[1]):
        open(sys.argv[1], "w").close(); os._exit(1)
    if candidate == "always": print("java.lang.OutOfMemoryError", file=sys.stderr, flush=True); os._exit(3)
    print(" ".join([str(float(len(candidate)))] * 23), flush=True)
"""


@pytest.fixture
def fake_meteor(monkeypatch, tmp_path):
    worker = meteor.Meteor()
    worker.command = lambda: [sys.executable, "-c", FAKE_METEOR, str(tmp_path / "crashed")]
    monkeypatch.setattr(meteor, "worker", lambda: worker)
    yield worker
    worker.stop()


def test_a_meteor_that_dies_in_the_middle_never_shifts_scores(fake_meteor, tmp_path):
    captions = ["x" * (i % 17 + 1) for i in range(300)]
    captions[150] = "crash"
    counts = fake_meteor.score([meteor._line(c, ["r"]) for c in captions])
    assert (tmp_path / "crashed").exists()
    assert [int(row[0]) for row in counts] == [len(c) for c in captions]


def test_a_meteor_that_is_killed_is_started_again(fake_meteor):
    assert fake_meteor.score([meteor._line("abc", ["r"])])[0][0] == 3
    os.kill(fake_meteor.process.pid, signal.SIGKILL)
    fake_meteor.process.wait()
    assert fake_meteor.score([meteor._line("abcd", ["r"])])[0][0] == 4


def test_a_caption_that_always_kills_meteor_is_named(fake_meteor):
    with pytest.raises(MetricError, match="failed twice on 'SCORE .* always.*OutOfMemory"):
        fake_meteor.score([meteor._line(c, ["r"]) for c in ("fine", "always", "fine")])
    assert fake_meteor.score([meteor._line("abc", ["r"])])[0][0] == 3


def test_a_meteor_that_hangs_is_ended(monkeypatch):
    worker = meteor.Meteor()
    worker.command = lambda: [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(meteor, "TIMEOUT_S", 0.3)
    with pytest.raises(MetricError, match="failed twice"):
        worker.score(["SCORE ||| a ||| b "])


def test_meteors_separator_in_captions_does_no_harm():
    assert meteor._line("a ||| b", ["c|||d", "e\nf"]) == "SCORE ||| cd ||| e f ||| a b "


FAKE_SPICE = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "parse":
        captions = request["captions"]
        if "boom" in captions: print("java.lang.OutOfMemoryError: heap", file=sys.stderr, flush=True); os._exit(3)
        if "stall" in captions: time.sleep(60)
        once = [c for c in captions if c.startswith("once:")]
        if once and not os.path.exists(once[0][5:]): open(once[0][5:], "w").close(); os._exit(1)
        answer = {"tuples": [None if c == "odd" else [[w] for w in c.split()] for c in captions],
                  "errors": {i: "the parser found no parse" for i, c in enumerate(captions) if c == "odd"}}
    elif request["do"] == "score":
        scores = [{"All": {"f": len(c) / 10, "pr": 0.0, "re": None}} for c, refs in request["clips"]]
        answer = {"scores": [{"scores": one} for one in scores]}
    else:
        answer = {"ready": True}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def fake_spice(monkeypatch):
    worker = spice.Worker()
    worker.command = lambda: [sys.executable, "-c", FAKE_SPICE]
    monkeypatch.setattr(spice, "worker", lambda: worker)
    monkeypatch.setattr(spice, "CHUNK", 8)
    yield worker
    worker.stop()


def test_the_caption_that_kills_spice_is_found_and_the_rest_goes_on(fake_spice):
    candidates = [f"word{i} x" for i in range(20)]
    candidates[7], candidates[12] = "boom", "odd"
    result = spice.compute(candidates, [["a dog"]] * 20)["spice"]
    assert np.flatnonzero(np.isnan(result.per_clip)).tolist() == [7, 12] == sorted(result.failures)
    assert "'boom': SPICE's worker ran out of memory" in result.failures[7]
    assert "'odd': the parser found no parse" in result.failures[12]
    assert set(np.delete(result.per_clip, [7, 12])) == {0.2}


def test_a_reference_that_cannot_be_parsed_counts_for_its_clip(fake_spice):
    result = spice.compute(["a b", "c d"], [["fine", "odd"], ["fine"]])["spice"]
    assert np.isnan(result.per_clip[0]) and result.per_clip[1] == 0.2


def test_a_stall_is_ended_and_named(fake_spice, monkeypatch):
    monkeypatch.setattr(spice, "CAPTION_S", 0.2)
    result = spice.compute(["stall", "a b"], [["a dog"]] * 2)["spice"]
    assert "did not answer" in result.failures[0] and result.per_clip[1] == 0.2


def test_a_worker_that_dies_once_costs_nothing(fake_spice, tmp_path):
    result = spice.compute([f"once:{tmp_path / 'died'}", "a b"], [["a dog"]] * 2)["spice"]
    assert not result.failures and (tmp_path / "died").exists()


def test_tuples_are_kept_by_caption(fake_spice, tmp_path):
    spice.compute(["a b"], [["a dog"]], Store(tmp_path))
    asked = []
    monkey = fake_spice.ask
    fake_spice.ask = lambda timeout, **request: asked.append(request["do"]) or monkey(timeout, **request)
    assert spice.compute(["a dog"], [["a b"]], Store(tmp_path))["spice"].per_clip[0] == 0.2
    assert asked == ["score"]


def test_sub_scores(fake_spice):
    table = spice.details(["a b"], [["a dog"]])
    assert table["all_f"][0] == 0.2 and np.isnan(table["all_re"][0])


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_children_end_with_their_parent(how, tmp_path):
    """However a session ends: its workers read the end of their input."""
    ending = "os.kill(os.getpid(), 9)" if how == "kill" else "sys.exit(0)"
    script = textwrap.dedent(f"""
        import os, sys
        from aaclib.metrics import meteor
        worker = meteor.worker()
        echo = "import sys\\nfor line in sys.stdin: print('1 ' * 23, flush=True)"
        worker.command = lambda: [sys.executable, "-c", echo]
        worker.score(["SCORE ||| a ||| b "])
        print(worker.process.pid, flush=True)
        {ending}
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    child = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if open(f"/proc/{child}/stat").read().split(")")[1].split()[0] == "Z":  # nobody reaps it in a container
            return
        time.sleep(0.1)
    pytest.fail(f"process {child} outlived its parent")


def test_an_interrupt_ends_what_works_in_threads_at_once_and_the_next_evaluation_works(
    monkeypatch, fake_meteor, tmp_path
):
    asleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    command, fake_meteor.command = fake_meteor.command, lambda: asleep
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        metrics.evaluate(["a dog"], [["a dog barks"]], ["meteor"], tokenize=False, store=False)
    timer.join()
    assert time.monotonic() - began < 5 and not fake_meteor.alive
    fake_meteor.command = command
    assert fake_meteor.score([meteor._line("abc", ["r"])])[0][0] == 3
