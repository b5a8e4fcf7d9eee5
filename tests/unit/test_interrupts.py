"""A training survives what ends it: signals wait for a whole state, saves cost little, and what goes on is the same."""

import dataclasses
import json
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import bridge, config, interrupts, progress, seeds, text, train
from aaclib.decoder import CaptionDecoder
from aaclib.interrupts import Saves

CAPTIONS = [f"a {thing} {verb}" for thing in ("dog", "cat", "bell") for verb in ("sings", "runs", "sleeps")] * 2
TRAIN = config.Train(epochs=3, batch_size=4, lr=5e-3, warmup_steps=4, keep="best")  # five steps an epoch
STEPS = 15


class Killed(Exception):
    pass


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_waits_until_the_state_is_whole_and_then_does_what_it_does(number):
    seen = []

    def handler(*_):
        seen.append("came")
        raise Killed

    before = signal.signal(number, handler)
    try:
        with pytest.raises(Killed), Saves(lambda: seen.append("saved")) as whole:
            whole()
            signal.raise_signal(number)
            seen.append("in the middle of a step")
            whole()
            pytest.fail("the signal was lost")
        assert seen == ["in the middle of a step", "saved", "came"] and signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)


def test_a_signal_behind_the_last_step_comes_at_the_end_and_an_ignored_one_ends_nothing():
    seen = []
    with pytest.raises(KeyboardInterrupt), Saves(lambda: seen.append("saved")):
        signal.raise_signal(signal.SIGINT)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with Saves(lambda: seen.append("saved")) as whole:
            for _ in range(2):
                signal.raise_signal(signal.SIGHUP)
                whole()
        assert seen == ["saved", "saved"] and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_there_are_only_the_intervals():
    before, seen = [signal.getsignal(number) for number in interrupts.SIGNALS], []

    def work():
        with Saves(lambda: seen.append("saved"), every_s=0) as whole:
            seen.extend(signal.getsignal(number) for number in interrupts.SIGNALS)
            whole()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [*before, "saved"]


@pytest.mark.parametrize(("cost", "rarest"), [(0.001, 5), (0.5, 25), (10, 60)])
def test_the_dearer_a_save_the_rarer_it_is_but_never_rarer_than_asked_for(monkeypatch, cost, rarest):
    now, saved = [0.0], []
    monkeypatch.setattr(interrupts.time, "monotonic", lambda: now[0])

    def save():
        now[0] += cost
        saved.append(now[0])

    with Saves(save) as whole:
        for _ in range(3000):
            now[0] += 0.1
            whole()
    assert np.diff(saved) == pytest.approx(rarest + cost, abs=0.11)


# ---- a decoder


def train_here(folder: Path, keep: str = "best", dropout: float = 0.2) -> tuple[bytes, list]:
    """A training in `folder`, or what is left of it: the weights, and the losses."""
    tokenizer = text.WordTokenizer.train(CAPTIONS)
    z = bridge.unit(np.random.default_rng(0).standard_normal((len(CAPTIONS), 8)).astype(np.float32))
    seeds.seed_all(0, "model")
    model = CaptionDecoder(config.Decoder(layers=1, heads=2, width=16, dropout=dropout), 8, tokenizer)
    examples = train.Examples(z, tokenizer.encode(CAPTIONS))
    history = train.train(
        model,
        bridge.train_half("noise"),
        bridge.Context(sigma=0.05),
        examples,
        examples,
        dataclasses.replace(TRAIN, keep=keep),
        1,
        folder,
    )
    weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    return weights, [(h["epoch"], h["step"], h["train_loss"], h["validation_loss"]) for h in history]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return {keep: train_here(tmp_path_factory.mktemp(keep), keep) for keep in ("best", "last")}


def killing(monkeypatch, after: int) -> None:
    """The training dies between the step `after` of this process and the save that would follow it."""
    steps = iter(range(1, after + 1))

    def step(self, n=1, note=""):
        if next(steps, after) == after:
            raise Killed

    monkeypatch.setattr(progress.Progress, "step", step)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.sampled_from(["best", "last"]), st.integers(0, 6))
def test_killed_at_any_steps_it_ends_with_the_same_weights(uninterrupted, kills, keep, every):
    """`every`: so many steps, about, lie between two saves."""
    clock = iter(range(10**9))
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(interrupts.time, "monotonic", lambda: next(clock))
        patch.setattr(train, "SAVE_EVERY_S", float(every))
        for after in kills:
            with pytest.MonkeyPatch.context() as once:
                killing(once, after)
                try:
                    train_here(Path(name), keep)
                except Killed:
                    continue
        assert train_here(Path(name), keep) == uninterrupted[keep]


def test_with_a_save_each_step_no_step_is_done_twice(uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    done = []
    for _ in range(STEPS - 1):
        with pytest.MonkeyPatch.context() as once:
            killing(once, 2)  # the second step of each process is lost, the first one is kept
            with pytest.raises(Killed):
                train_here(tmp_path)
    monkeypatch.setattr(progress.Progress, "step", lambda self, n=1, note="": done.append(note))
    assert train_here(tmp_path) == uninterrupted["best"] and len(done) == 1


def test_sigterm_saves_a_training_in_the_middle_of_its_first_epoch(uninterrupted, tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_interrupts as here
def step(self, n=1, note=""):
    print("step", flush=True)
    time.sleep(0.2)
here.progress.Progress.step = step
here.train_here(Path({str(tmp_path)!r}))
""")
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert [process.stdout.readline() for _ in range(2)] == ["step\n"] * 2
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM and (tmp_path / train.STATE).is_file()
    assert json.loads((tmp_path / "history.json").read_text()) == []  # no epoch was finished
    assert train_here(tmp_path) == uninterrupted["best"]
