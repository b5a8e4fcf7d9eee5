"""The best text-only system, searched on soundscapes-dev, which is no target, before any target is looked at.

    python benchmarks/best.py

First every training with every inference part, greedy; then the three highest with every way to generate, and the
highest of these with other settings of the candidates. By CIDEr-D of the validation and evaluation clips of
soundscapes-dev together; label recall stands beside. Decoders learn from soundscapes-dev's text, or from that of a
target (`--text`), whose recordings are not touched. What is in the store is not made again, so a search that was killed
goes on. Writes its part of docs/choices.md; what it found is frozen in aaclib/profiles/beyond.yaml.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aaclib import bridge, captions, decoders, metrics, prompts, store, sweep, training
from aaclib.metrics import label_recall
from aaclib.run import Run

DEV, PARTS, SEED = "soundscapes-dev", ("validation", "evaluation"), 0
HEADING = "## Which text-only system?"
PAIRS = (50, 500)  # as the paper, and all that the CLAP was not trained on, for rows that learn from text alone
TRAININGS = ("text", "noise", "c3", "noise+prompt")  # one decoder each
SIZES = {"data.sizes.soundscapes-dev.train": 1200}  # 6,000 captions, as `quick` has of soundscapes-long
INFERENCE = (
    "",
    "nearest",
    "projection",
    "projection (top 32)",
    "santa",
    "back-shift",
    "procrustes",
    "procrustes+projection",
    "ridge",
    "ridge+projection",
    "mlp",
)
BEST, DECODINGS = 3, ("beam", "mbr", "refine")  # how many rows go on, and to what
COMET = {"generate.no_repeat": 3, "generate.repetition_penalty": 1.2}
OTHERS = ({"generate.temperature": 0.4}, {"generate.temperature": 1.0}, {"generate.samples": 0, "generate.beam": 8})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, default=Path(__file__).parents[1] / "docs" / "choices.md")
    parser.add_argument("--trainings", nargs="+", default=TRAININGS)
    parser.add_argument("--inference", nargs="+", default=INFERENCE)
    parser.add_argument("--text", default=DEV, help="the data set whose text decoders and memories are of")
    parser.add_argument("--parts", nargs="+", default=PARTS, help="of soundscapes-dev")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    asked = args.text, tuple(args.overrides), tuple(args.parts)
    ready = run_of(*asked[:2], PAIRS[0], tuple(row_of(training, "") for training in args.trainings))
    training.train_all(ready, targets=[args.text])
    for part in args.parts:
        ready.audio(DEV, part, SEED)
    rows = [row_of(training, inference) for training in args.trainings for inference in args.inference]
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8), multiprocessing.get_context("spawn")) as pool:

        def judge(jobs: list[tuple]) -> list[dict]:
            return list(pool.map(line, *zip(*((*asked, *job) for job in jobs), strict=True))) if jobs else []

        found = judge([(n, row, "greedy") for n in PAIRS for row in rows if n == PAIRS[0] or shares(row)])
        found += judge([(one["n_pairs"], one["row"], way) for one in ranked(found)[:BEST] for way in DECODINGS])
        best = ranked(found)[0]
        again = (COMET, *OTHERS) if best["decoding"] in DECODINGS else ()
        found += judge([(best["n_pairs"], best["row"], best["decoding"], tuple(more.items())) for more in again])
    write(args.save, found, asked)


def row_of(training: str, inference: str) -> str:
    return "+".join(part for part in (training, inference) if part not in ("text", "")) or "baseline"


@functools.cache
def run_of(text: str, overrides: tuple[str, ...], pairs: int, rows: tuple[str, ...] = ("baseline",)) -> Run:
    fixed = {**SIZES, "gap.n_pairs": pairs, "seeds": [SEED], "data.targets": {text: list(rows)}}
    return Run.load("quick", {**fixed, **dict(override.split("=", 1) for override in overrides)})


def shares(row: str) -> bool:
    """Whether a row reads pairs at inference alone, so that one decoder serves for any number of them."""
    return bridge.needs_pairs(row) and bridge.strategy(row).training == "text"


def line(
    text: str,
    overrides: tuple[str, ...],
    parts: tuple[str, ...],
    pairs: int,
    row: str,
    decoding: str,
    changes: tuple = (),
) -> dict:
    """A line of the table, scores x100."""
    torch.set_num_threads(1)
    run, reads = run_of(text, overrides, pairs), bridge.reads(row)
    changed = sweep.at(run, dict(changes)) if changes else run
    clips = [clip for part in parts for clip in run.clips(DEV, part, SEED)]
    said = [caption for part in parts for caption in captions_of(changed, text, row, decoding, part)]
    score = metrics.evaluate(said, [list(clip.captions) for clip in clips], ["cider_d"], store=run.store)
    heard = label_recall.label_recall(said, [clip.labels for clip in clips])["label_recall"].per_clip
    found = {
        "row": row,
        "pairs": pairs if bridge.needs_pairs(row) or {"sigma", "sigma_without_gap"} & reads else 0,
        "decoding": decoding,
        "settings": ", ".join(f"{name.partition('.')[2]} {value}" for name, value in changes),
        "CIDEr-D": round(100 * score.corpus["cider_d"], 2),
        "label recall": round(100 * float(np.nanmean(heard)), 1),
    }
    print(*found.values(), sep=" | ", flush=True)
    return {**found, "n_pairs": pairs}


def captions_of(run: Run, text: str, row: str, decoding: str, part: str) -> list[str]:
    """What a row that learned from the text of one data set says of soundscapes-dev's recordings."""
    strategy, z_a = bridge.strategy(row), run.audio(DEV, part, SEED).z
    z = bridge.infer_half(row)(z_a, decoders.context_of(run, text, strategy, SEED))
    before = prompts.at_inference(run, text, strategy, SEED, z) if bridge.prompted(row) else None
    return captions.write(run, run.decoder(text, row, SEED), captions.Read(z, z_a, before), decoding)


def ranked(lines: list[dict]) -> list[dict]:
    """The highest first."""
    return sorted(lines, key=lambda one: -one["CIDEr-D"])


def write(page: Path, lines: list[dict], asked: tuple[str, tuple[str, ...], tuple[str, ...]]) -> None:
    """The search's part of the page, instead of the one that stands there."""
    frame = pd.DataFrame(ranked(lines)).drop(columns="n_pairs")
    text, overrides, parts = asked
    command = " ".join(["python benchmarks/best.py", f"--text {text}", *(f"--set {one}" for one in overrides)])
    about = (
        f"Made by `{command}`: {' and '.join(parts)} clips, seed {SEED}, scores x100. Every training with every "
        f"inference part, greedy; the {BEST} highest by every way to generate; the highest of these with other "
        "settings. `pairs`: external recordings with captions that a row reads, 0 for none."
    )
    table = [frame.columns, ["---"] * len(frame.columns), *frame.astype(str).to_numpy()]
    before = page.read_text(encoding="utf-8").partition(HEADING)[0] if page.is_file() else ""
    whole = [HEADING, "", about, "", *(f"| {' | '.join(row)} |" for row in table), ""]
    store.write_text(page, before.rstrip() + "\n\n" + "\n".join(whole))


if __name__ == "__main__":
    main()
