"""The settings of the synthetic profiles and what they were chosen from, on soundscapes-dev, which is no target.

    python benchmarks/choices.py

Trains one decoder for each setting that is compared (about 90 s each on a core; what is in the store is not trained
again) and writes docs/choices.md. Scores are over the validation and evaluation clips of soundscapes-dev together.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from best import HEADING

from aaclib import bridge, metrics, store
from aaclib.captions import write
from aaclib.metrics import label_recall
from aaclib.run import Run

DEV, PARTS = "soundscapes-dev", ("validation", "evaluation")
LONG = {"decoder.layers": 2, "decoder.dropout": 0.1, "train.epochs": 18}
# question -> its settings: (name, row of the table, overrides)
QUESTIONS = {
    "Which bound? Audio alone, or audio and text side by side.": [
        ("audio, 18 epochs, dropout 0.1", "supervised", LONG),
        ("audio, 18 epochs, dropout 0.3", "supervised", {**LONG, "decoder.dropout": 0.3}),
        ("both, 9 epochs, dropout 0.1", "supervised+text", {**LONG, "train.bound": {"epochs": 9}}),
        ("both, 9 epochs, dropout 0.2", "supervised+text", {**LONG, "train.bound": {"epochs": 9, "dropout": 0.2}}),
        ("both, 6 epochs, dropout 0.1", "supervised+text", {**LONG, "train.bound": {"epochs": 6}}),
        ("both, 18 epochs, dropout 0.1", "supervised+text", {**LONG, "train.bound": {"epochs": 18}}),
    ],
    "Which sigma where the gap is taken away besides?": [
        ("noise+shift, rms", "noise+shift", {**LONG, "gap.sigma_without_gap": "rms"}),
        ("noise+shift, residual", "noise+shift", {**LONG, "gap.sigma_without_gap": "residual"}),
        ("c3, rms", "c3", {**LONG, "gap.sigma_without_gap": "rms"}),
        ("c3, residual", "c3", {**LONG, "gap.sigma_without_gap": "residual"}),
        ("c3, its own variance of 0.016", "c3", {**LONG, "gap.sigma_without_gap": "0.1265"}),
    ],
    "Which decoder? Rows: `reconstruction`, which has to pass `look-up`, and `projection`.": [
        ("4 layers, 6 epochs, no dropout", "text", {"decoder.layers": 4, "decoder.dropout": 0.0, "train.epochs": 6}),
        ("4 layers, 18 epochs, dropout 0.1", "text", {**LONG, "decoder.layers": 4}),
        ("2 layers, 9 epochs, dropout 0.1", "text", {**LONG, "train.epochs": 9}),
        ("2 layers, 12 epochs, dropout 0.1", "text", {**LONG, "train.epochs": 12}),
        ("2 layers, 18 epochs, dropout 0.1", "text", LONG),
        ("2 layers, 27 epochs, dropout 0.1", "text", {**LONG, "train.epochs": 27}),
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--save", type=Path, default=Path(__file__).parents[1] / "docs" / "choices.md")
    args = parser.parse_args()
    for seed in args.seeds:  # the embeddings, which all share
        ready = run_of({}, seed)
        for part in ("train", *PARTS):
            ready.texts_of(ready.clips(DEV, part, seed), seed)
    jobs = [
        (question, name, row, settings, seed)
        for question, rows in QUESTIONS.items()
        for name, row, settings in rows
        for seed in args.seeds
    ]
    workers = min(os.cpu_count() or 1, len(jobs))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        lines = [line for found in pool.map(judged, jobs) for line in found]
    frame = pd.DataFrame(lines).groupby(["question", "setting", "row"], sort=False).mean(numeric_only=True).round(1)
    frame = frame.drop(columns="seed").astype({"steps": int, "best epoch": int})
    about = (
        "Made by `python benchmarks/choices.py`: one decoder for each setting; validation and evaluation clips "
        f"together (n = 600), seeds {', '.join(map(str, args.seeds))}; scores x100."
    )
    text = [f"# Chosen on {DEV}", "", about, ""]
    for question in QUESTIONS:
        part = frame.loc[question].reset_index()
        lines = [part.columns, ["---"] * len(part.columns), *part.astype(str).to_numpy()]
        text += [f"## {question}", "", *(f"| {' | '.join(line)} |" for line in lines), ""]
    before = args.save.read_text(encoding="utf-8") if args.save.is_file() else ""
    kept = "".join(before.partition(HEADING)[1:])  # what best.py found
    store.write_text(args.save, "\n".join([*text, kept]) if kept else "\n".join(text))


def run_of(settings: dict, seed: int) -> Run:
    rows = ["supervised", bridge.BOUND, "baseline", "noise+shift", "c3", "projection", "reconstruction", "look-up"]
    return Run.load("quick", {**settings, "seeds": [seed], "data.targets": {DEV: rows}})


def judged(job: tuple) -> list[dict]:
    """CIDEr-D, label recall and share of captions that stand in the training text, of each row of a setting."""
    question, name, row, settings, seed = job
    torch.set_num_threads(1)
    run = run_of(settings, seed)
    history = run.decoder(DEV, "baseline" if row == "text" else row, seed).history
    known = set(run.texts(DEV, "train", seed).captions)
    clips = [clip for part in PARTS for clip in run.clips(DEV, part, seed)]
    lines = []
    for shown, captions in said(run, row, seed).items():
        score = metrics.evaluate(captions, [list(c.captions) for c in clips], ["cider_d"], store=run.store)
        heard = label_recall.label_recall(captions, [c.labels for c in clips])["label_recall"].per_clip
        lines.append(
            {
                "question": question,
                "setting": name,
                "row": shown,
                "seed": seed,
                "steps": int(history.step.max()),
                "best epoch": int(history.validation_loss.astype(float).idxmin()) + 1,
                "CIDEr-D": 100 * score.corpus["cider_d"],
                "label recall": 100 * np.nanmean(heard),
                "copied (%)": 100 * np.mean([c in known for c in captions]),
            }
        )
    return lines


def said(run: Run, row: str, seed: int) -> dict[str, list[str]]:
    """Row -> its captions of all parts. c3 in the forms that differ in the audio's mean alone."""
    names = ("look-up", "reconstruction", "projection") if row == "text" else (row,)
    found = {name: [c for part in PARTS for c in run.captions(DEV, name, seed, part=part)] for name in names}
    if row == "c3":
        context = run.context(DEV, seed)
        means = {
            "c3, audio mean of the external pairs": run.gap(seed).audio_mean,
            "c3, audio mean of dev's own training clips (supervised)": run.audio(DEV, "train", seed).z.mean(0),
        }
        for name, mean in means.items():
            z = np.concatenate([run.audio(DEV, part, seed).z for part in PARTS])
            given = bridge.infer_half("c3")(z, replace(context, audio_mean=mean))
            found[name] = write(run, run.decoder(DEV, "c3", seed), given)
    return found


if __name__ == "__main__":
    main()
