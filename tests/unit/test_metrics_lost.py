"""A metric's process that dies: tried once more, then lost, which is more than a footnote and keeps the stage due."""

import sys

import fake_java
import numpy as np
import pytest

from aaclib import lost, metrics, told
from aaclib.metrics import child, java, meteor, ptb, spice
from aaclib.metrics.result import Lost, Unavailable
from aaclib.store import Store
from aaclib.suite import cli

CANDIDATES = ["A dog barks.", "Rain falls.", "A car passes.", "A bell rings."]
REFERENCES = [["a dog is barking"], ["it rains", "rain on a roof"], ["a car drives by"], ["a bell"]]
NAMES = ["bleu_1", "meteor", "rouge_l", "cider_d"]


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """The folder of a fake Java, which is the one that is used; METEOR's process is the test's own."""
    monkeypatch.setenv("AACLIB_JAVA", str(fake_java.install(tmp_path)))
    monkeypatch.delenv(told.VARIABLE, raising=False)
    java.java.cache_clear()
    worker = meteor.Meteor()
    monkeypatch.setattr(meteor, "worker", lambda: worker)
    yield tmp_path
    worker.stop()
    java.java.cache_clear()


def evaluate(store=False, names=NAMES):
    return metrics.evaluate(CANDIDATES, REFERENCES, names, store=store, strict=False)


@pytest.mark.parametrize("how", ["kill", "middle", "half", "memory"])
@pytest.mark.parametrize("program", ["ptb", "meteor"])
def test_one_death_costs_nothing(fake, program, how):
    whole = evaluate()
    meteor.worker().stop()
    fake_java.plan(fake, program, how, "ok")
    again = evaluate()
    assert again.corpus == whole.corpus and not again.missing and fake_java.starts(fake, program) == 2


@pytest.mark.parametrize(
    ("program", "how"),
    [  # METEOR goes on from the middle: it would come to the end
        *(("ptb", how) for how in ("kill", "middle", "half", "memory", "stall")),
        *(("meteor", how) for how in ("kill", "half", "memory", "stall")),
    ],
)
def test_a_process_that_always_dies_is_a_loss_and_nothing_of_it_is_kept(fake, program, how, monkeypatch, capsys):
    monkeypatch.setattr(meteor, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(ptb, "START_S", 0.5)
    fake_java.plan(fake, program, how)
    store = Store(fake / "store")
    found = evaluate(store)
    gone = NAMES if program == "ptb" else ["meteor"]
    assert list(found.missing) == list(found.lost) == gone and not set(gone) & set(found.corpus)
    assert len(found.per_clip) == 4 and not set(gone) & set(found.per_clip)
    said = capsys.readouterr().err
    assert "lost to a crash" in said and all(name in said for name in gone) and "once more" in said
    if how == "memory":
        assert all("Could not reserve enough space" in why for why in found.missing.values())
    fake_java.plan(fake, program, "ok")
    assert evaluate(store).corpus == evaluate().corpus


def test_a_metric_asked_for_by_name_is_lost_aloud(fake):
    fake_java.plan(fake, "meteor", "kill")
    with pytest.raises(Lost, match="METEOR failed twice on 'SCORE"):
        metrics.evaluate(CANDIDATES, REFERENCES, ["meteor"], store=False)


def test_what_a_stage_lost_is_noted_for_the_runner_and_not_tried_again_in_it(fake, monkeypatch, capsys):
    monkeypatch.setenv(told.VARIABLE, str(fake / "stage.lost"))
    fake_java.plan(fake, "meteor", "kill")
    first, tries = evaluate(), fake_java.starts(fake, "meteor")
    assert "lost to a crash" in capsys.readouterr().err
    second = metrics.evaluate(CANDIDATES[::-1], REFERENCES[::-1], NAMES, store=False, strict=False)
    assert first.missing == second.missing == lost.noted(fake / "stage.lost")
    assert fake_java.starts(fake, "meteor") == tries and capsys.readouterr().err == ""
    monkeypatch.setenv(told.VARIABLE, str(fake / "next.lost"))
    fake_java.plan(fake, "meteor", "ok")
    assert not evaluate().missing and lost.noted() == {}


def test_what_is_not_installed_is_missing_and_not_lost(fake, monkeypatch, tmp_path):
    monkeypatch.setenv(told.VARIABLE, str(fake / "stage.lost"))
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(spice, "worker", spice.Worker)
    found = evaluate(names=["spice", "spider", "fense"])
    assert set(found.missing) == {"spice", "spider", "fense"} and not found.lost and not lost.noted()


def test_the_command_line_says_by_its_exit_code_that_something_was_lost(fake, monkeypatch):
    fake_java.plan(fake, "meteor", "kill")
    (fake / "p.csv").write_text("file_name,caption_predicted\na,a dog barks\nb,rain\n")
    (fake / "r.csv").write_text("file_name,caption_1\na,a dog\nb,it rains\n")
    monkeypatch.setenv("AACLIB_CACHE", str(fake / "store"))
    monkeypatch.setattr(spice, "worker", spice.Worker)  # SPICE is not installed there: missing, not lost
    score = ["metrics", str(fake / "p.csv"), str(fake / "r.csv"), "--bootstrap", "0"]
    assert cli.main(score) == 1
    fake_java.plan(fake, "meteor", "ok")
    assert cli.main(score) == 0


# ---- SPICE

FAKE_SPICE = """
import json, os, sys, time
folder, plan = sys.argv[1], sys.argv[2].split()
with open(os.path.join(folder, "spice.starts"), "a+") as log:
    log.write("."); log.flush(); log.seek(0); todo = plan[min(len(log.read()), len(plan)) - 1]
for line in sys.stdin:
    request = json.loads(line)
    do, captions = request["do"], request.get("captions", [])
    if todo in (do, "all"): os.kill(os.getpid(), 9)
    if todo == "exit-" + do or "lethal" in captions: os._exit(1)
    answer = {"hello": {}, "parse": {"tuples": [[[w] for w in c.split()] for c in captions], "errors": {}},
              "score": {"scores": [{"scores": {"All": {"f": len(c) / 10}}} for c, _ in request.get("clips", [])]}}[do]
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def fake_spice(monkeypatch, tmp_path):
    """plan(words) makes SPICE's worker a fake that at its first, second, ... start dies at the request so named."""
    worker = spice.Worker()
    monkeypatch.setattr(spice, "worker", lambda: worker)
    monkeypatch.delenv(told.VARIABLE, raising=False)

    def plan(*words):
        worker.stop()
        fake_java.plan(tmp_path, "spice")
        worker.command = lambda: [sys.executable, "-IS", "-c", FAKE_SPICE, str(tmp_path), " ".join(words)]
        return worker

    yield plan
    worker.stop()


@pytest.mark.parametrize("how", ["hello", "parse", "score", "exit-hello", "exit-parse", "exit-score"])
def test_spice_that_dies_once_costs_nothing_and_always_is_a_loss_of_no_captions_making(fake_spice, how, tmp_path):
    tokens = [c.lower().strip(".") for c in CANDIDATES]
    fake_spice(how, "ok")
    found = spice.compute(tokens, REFERENCES)["spice"]
    assert not found.failures and (found.per_clip > 0).all() and fake_java.starts(tmp_path, "spice") == 2
    fake_spice(how)
    store = Store(tmp_path / "store")
    gone = metrics.evaluate(tokens, REFERENCES, ["spice", "spider"], tokenize=False, store=store, strict=False)
    assert set(gone.lost) == set(gone.missing) == {"spice", "spider"} and gone.per_clip.empty
    assert fake_java.starts(tmp_path, "spice") <= 4
    fake_spice("ok")
    healed = metrics.evaluate(tokens, REFERENCES, ["spice"], tokenize=False, store=store, strict=False)
    np.testing.assert_array_equal(healed.per_clip.spice, found.per_clip)


def test_a_caption_that_spice_dies_of_is_named_and_no_loss(fake_spice):
    fake_spice("ok")
    found = metrics.evaluate(
        ["a dog", "lethal", "rain"], [["a dog"]] * 3, ["spice"], tokenize=False, store=False, strict=False
    )
    assert not found.lost and "'lethal'" in found.missing["spice"] and np.isnan(found.per_clip.spice[1])


def test_an_answer_that_nobody_waited_for_is_not_given_to_the_next_question(fake_spice, monkeypatch):
    worker = fake_spice("ok")
    assert worker.ask(5, do="parse", captions=["a dog"])

    class Interrupted:
        def get(self, timeout, whole=worker.answers):
            worker.answers = whole
            raise KeyboardInterrupt

    worker.answers = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        worker.ask(5, do="parse", captions=["the old question"])
    assert worker.ask(5, do="parse", captions=["new"])["tuples"] == [[["new"]]]


# ---- which Java, and how it is started


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("kill -9 $$", Lost),
        ("sleep 30", Lost),
        ("echo 'Error occurred during initialization of VM'; exit 1", Lost),
        ("echo 'No Java runtime present, requesting install.'; exit 1", Unavailable),
        ("exit 0", Unavailable),
    ],
)
def test_a_java_that_did_not_start_this_time_is_told_from_one_that_is_none(tmp_path, monkeypatch, script, kind):
    stub = tmp_path / "java"
    stub.write_text(f"#!/bin/sh\n{script}\n")
    stub.chmod(0o755)
    monkeypatch.setenv("AACLIB_JAVA", str(stub))
    monkeypatch.setattr(java, "TIMEOUT_S", 0.3)
    java.java.cache_clear()
    with pytest.raises(kind, match="AACLIB_JAVA") as caught:
        java.java()
    assert type(caught.value) is kind
    if "echo" in script:
        assert script.split("'")[1] in str(caught.value)


def test_ways_to_end():
    assert "killed" in child.ended(-9) and "killed" in child.ended(137)
    assert child.signal_of(-15) == child.signal_of(143) == 15 and child.signal_of(1) == child.signal_of(255) == 0
    assert "exit 3" in child.ended(3) and "Aborted" in child.ended(-6)
