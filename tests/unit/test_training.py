"""Trainings of a run: side by side, stopped and gone on with, and which settings ask for another one."""

import subprocess
import sys

import made
import psutil
import pytest

from aaclib import bridge, decoders, train, training
from aaclib.decoder import CaptionDecoder

ALL = {"baseline", "noise", "shift", "c3", "supervised"}


def test_decoders_trained_side_by_side_are_the_same(world, tmp_path, done, monkeypatch):
    monkeypatch.setattr(training.os, "cpu_count", lambda: 2)
    apart, seen = made.run_of(world, tmp_path), []
    histories = training.train_all(apart, watch=seen.append)
    assert set(histories) == {("folder", 0)} and seen[-1] == histories
    assert set(histories["folder", 0]) == {"supervised", "text", "noise", "shift", "c3"}
    for name in ("baseline", "noise", "supervised"):
        assert made.content(apart.decoder("folder", name, 0).artefact / "decoder.safetensors") == made.content(
            done.decoder("folder", name, 0).artefact / "decoder.safetensors"
        )


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text("""
import os, pathlib, time
from aaclib import interrupts, workers
def train():
    with interrupts.Saves(pathlib.Path(__file__).with_name("saved").touch, every_s=1000) as whole:
        for _ in range(4000):                      # for less time than the first save would take to come
            print("step", flush=True)
            time.sleep(0.001)
            whole()
if __name__ == "__main__":
    with workers.pool(1) as submit:
        print(submit(os.getpid).result(), flush=True)
        submit(train).result()
""")
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.stdout.readline()
    parent.kill()
    parent.communicate()
    worker.wait(timeout=30)
    assert (tmp_path / "saved").exists()  # what it was training is kept


def test_decoders_that_train_side_by_side_are_saved_when_they_are_stopped(world, tmp_path, monkeypatch):
    monkeypatch.setattr(training.os, "cpu_count", lambda: 2)
    found = made.run_of(world, tmp_path, **{"train.epochs": 5000, "data.targets": {"folder": ["baseline", "noise"]}})

    def stop(histories):
        if len(histories.get(("folder", 0), {})) == 2:  # both have finished an epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train_all(found, watch=stop)
    assert len(list((tmp_path / "decoder").glob("*.part/*state*"))) == 2


def test_a_worker_that_knows_no_such_training_or_another_one_leaves_it_to_the_process_that_asks(world, tmp_path):
    """A worker imports aaclib anew: it knows nothing of a half that was changed by hand, without being registered."""
    found = made.run_of(world, tmp_path)
    for row in (bridge.strategy("noise"), bridge.Strategy("echo", "echo", "audio", "training")):
        training.train_one(found.config, tmp_path, 0, training.Job("folder", row, 0), "id of another half")
    assert not (tmp_path / "decoder").exists()


@pytest.mark.parametrize(
    ("setting", "asking"),
    [
        ({"gap.sigma": "0.3"}, {"noise"}),
        ({"gap.sigma_without_gap": "0.3"}, {"c3"}),
        ({"gap.n_pairs": 40}, {"noise", "shift", "c3"}),
        ({"gap.tau": 0.5}, set()),
        ({"gap.memory": 10}, set()),
        ({"threads": 3}, set()),
        ({"gap.renormalise": False}, ALL),
        ({"train.lr": 0.02}, ALL),
        ({"train.threads": 2}, ALL),
    ],
)
def test_which_settings_ask_for_another_decoder(world, done, setting, asking):
    other = made.run_of(world, done.store.root, **setting)
    assert {
        row.name
        for row in map(bridge.strategy, sorted(ALL))
        if decoders.key(other, "folder", row, 0) != decoders.key(done, "folder", row, 0)
    } == asking


def test_nothing_of_an_unfinished_training_stays_in_a_finished_decoder(world, done, tmp_path, monkeypatch):
    """Killed between the last save of its state and the end, a decoder is finished by the next run."""
    found, save = made.run_of(world, tmp_path), CaptionDecoder.save

    def killed(self, folder):
        save(self, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(CaptionDecoder, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        found.decoder("folder", "noise", 0)
    assert list((tmp_path / "decoder").glob("*.part/*state*"))
    monkeypatch.setattr(CaptionDecoder, "save", save)
    monkeypatch.setattr(train, "_loss", lambda *a: pytest.fail("trained again"))
    finished = found.decoder("folder", "noise", 0).artefact
    assert {path.name for path in finished.path.iterdir()} == {
        path.name for path in done.decoder("folder", "noise", 0).artefact.path.iterdir()
    }
    assert made.content(finished / "decoder.safetensors") == made.content(
        done.decoder("folder", "noise", 0).artefact / "decoder.safetensors"
    )


def test_text_too_small_for_a_validation_part_keeps_the_last_epoch(world, tmp_path):
    (tmp_path / "three.txt").write_text("a dog sings\na cat runs\na bell sleeps\n")
    text = {
        "data.captions": "",
        "data.text": str(tmp_path / "three.txt"),
        "data.pairs": "",
        "gap.sigma": "0.1",
        "train.epochs": 2,
    }
    small = made.run_of(world, tmp_path / "store", **text)
    assert not any(clip.captions for clip in small.training_clips("folder", "validation"))
    assert len(small.captions("folder", "noise", 0)) == 150
    assert not {"human", "reconstruction"} & {row.name for row in small.strategies("folder")}
    assert small.decoder("folder", "noise", 0).history.validation_loss.isna().all()
