"""No damage to any kind of file of store and run is used without a word, or ends in an error that is not for users.

The harness `tests/damage.py` does the same to every file of a `smoke` run; here are one experiment on made data, a
scene and a record, in seconds.
"""

import os
import shutil

import damage
import made
import numpy as np
import pytest
import torch

from aaclib import cache, cli, config, resume, store, sums
from aaclib.captioner import Captioner
from aaclib.clap import files
from aaclib.datasets.soundscapes import render
from aaclib.experiment import Experiment

SMALL = {"train.epochs": 1, "train.keep": "best", "metrics.names": ["bleu_1", "rouge_l"],
         "data.targets": {"folder": ["projection", "shuffled"]}}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A finished run on made data: `here` to damage, `whole` to put back."""
    folder = tmp_path_factory.mktemp("ground")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RUNS", "CACHE"):
            patch.setenv(f"AACLIB_{name}", str(folder / "here" / name.lower()))
        patch.setattr("aaclib.metrics._Run._tokens", lambda run, _: (run.candidates, run.references))     # needs Java
        made.make(folder / "world", n=40)
        settings = {**made.settings_of(folder / "world"), **SMALL}
        store.write_record(config.runs_dir() / "mine" / "run.json",
                           {"profile": "quick", "overrides": settings, "stages": {}, "written": "2026-01-02T03:04"})
        results(settings)
        shutil.copytree(folder / "here", folder / "whole")
        yield folder, settings


def results(settings) -> list:
    done = Experiment(config.load("quick", settings))
    rows = [done.captions("folder", "projection", 0), done.scores("folder", "projection", 0).corpus]
    return [done.retrieval("folder", 0), *rows, Captioner.from_run("mine").caption([done.clips(
        "folder", "evaluation", 0)[0].audio]), cli.main(["list"])]


def kinds(folder) -> list:
    """One file of each name in each kind of the store, and the record."""
    found = {}
    for path in sorted(p for p in (folder / "here").rglob("*") if p.is_file()):
        parts = path.relative_to(folder / "here").parts
        found.setdefault((*parts[:2], path.name), path)
    return list(found.values())


def test_every_kind_of_damage_to_every_kind_of_file(ground):
    folder, settings = ground
    damage.fresh()
    expected, seen = results(settings), {}
    names = {path.name for path in kinds(folder)}
    assert {"rows.npy", "index.npy", "errors.json", "plan.json", "decoder.safetensors", "tokenizer.json",
            "captions.json", "artefact.json", "run.json", "v1.sqlite", "file-digests.sqlite"} <= names
    for path in kinds(folder):
        for how in damage.HOW:
            damage.fresh()
            left = damage.damage(path, how)
            found = damage.watch([lambda: results(settings)])
            seen[path.name, how] = damage.verdict(path, left, found, [expected])
            shutil.rmtree(folder / "here")
            shutil.copytree(folder / "whole", folder / "here")
    assert not {case: found for case, found in seen.items() if found in damage.BAD}
    assert seen["decoder.safetensors", "deleted"] == "made again"
    assert seen["run.json", "one byte changed"] == "refused by name"
