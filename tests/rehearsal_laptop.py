"""By hand: the profile `laptop` or `folder` at its true size without a network, with its times and peak memory.

    python tests/rehearsal_laptop.py --captions CAPTIONS --recordings RECORDINGS --spice SPICE [--work DIR]

Everything has the true size and form but for what nobody may ship: a CLAP of LAION's architecture (153.5 million
parameters) has random weights, and Clotho's evaluation recordings (1,045, of 15 to 30 s at 44.1 kHz) are put together
from other recordings. So the times are those of a real run, and the scores mean nothing.

CAPTIONS: a folder with clotho_captions_{development,validation,evaluation}.csv, and audiocaps_{train,val}.csv for
`folder`. RECORDINGS: a folder of recordings, which `folder` describes. SPICE: for `aaclib metrics install-spice
--from`; without it SPICE is left out. `--clips 20 --tiny` is a trial of minutes. A second call goes on where the first
one stopped, or shows how long a run takes when all is there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rehearsal
import rehearsal_models
import soundfile

from aaclib import audio
from aaclib.datasets.files import audio_files
from aaclib.progress import duration

ROOT = Path(__file__).parents[1]
RATE, SECONDS = 44100, (15.0, 30.0)  # of Clotho's recordings
AUDIOCAPS = ("train", "val")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True, help="folder of Clotho's (and AudioCaps') captions")
    parser.add_argument("--recordings", type=Path, required=True, help="folder of recordings to make clips of")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "rehearsal", help="where all of it is kept")
    parser.add_argument("--profile", choices=["laptop", "folder"], default="laptop")
    parser.add_argument("--spice", type=Path, help="folder with the files of SPICE; without it SPICE is left out")
    parser.add_argument("--clips", type=int, help="of each split of Clotho, of AudioCaps' training part; default: all")
    parser.add_argument("--tiny", action="store_true", help="a CLAP of 2 MB")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


def rows(path: Path, clips: int | None) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[:clips]


def make_clip(path: Path, sources: list[np.ndarray], seed: int) -> None:
    """A recording of one to two times 15 s, of pieces that are drawn by the seed."""
    rng = np.random.default_rng(seed)
    wanted = round(RATE * rng.uniform(*SECONDS))
    pieces: list[np.ndarray] = []
    while sum(map(len, pieces)) < wanted:
        pieces.append(sources[rng.integers(len(sources))])
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate(pieces)[:wanted], RATE, subtype="PCM_16")


def make_world(given: argparse.Namespace) -> Path:
    """Below `work`: raw/ as it lies where everything was fetched, and the CLAP's folder, which is returned."""
    raw, captions = given.work / "raw", []
    for number, split in enumerate(rehearsal.SPLITS):
        name = f"clotho_captions_{split}.csv"
        found = rows(given.captions / name, given.clips)
        rehearsal.write_csv(raw / "clotho" / "clotho_csv_files" / name, found)
        metadata, file = rehearsal.metadata_rows(found, 10_000 * number), name.replace("captions", "metadata")
        rehearsal.write_csv(raw / "clotho" / "clotho_csv_files" / file, metadata, "iso-8859-1")
        captions += [row[f"caption_{k}"] for row in found for k in range(1, 6)]
        if split == "evaluation" and given.profile == "laptop":
            folder = raw / "clotho" / "clotho_audio_files" / split
            names = [row["file_name"] for row in found]
            sources: list[np.ndarray] = []
            for i, clip in enumerate(names):
                if not (folder / clip).is_file():
                    sources = sources or [audio.load(path, RATE) for path in audio_files(given.recordings)]
                    make_clip(folder / clip, sources, i)
    if given.profile == "folder":
        for split in AUDIOCAPS:
            found = rows(given.captions / f"audiocaps_{split}.csv", given.clips)
            rehearsal.write_csv(raw / "audiocaps" / "dataset" / f"{split}.csv", found)
    clap = given.work / ("clap-tiny" if given.tiny else "clap")
    if not (clap / "model.safetensors").is_file():
        shutil.rmtree(clap, ignore_errors=True)
        rehearsal_models.hf_clap(clap, captions, full=not given.tiny)
    return clap


def main() -> int:
    given = options()
    given.work = given.work.absolute()
    started = time.time()
    clap = make_world(given)
    print(f"{given.work}: data and CLAP in {duration(time.time() - started)}", flush=True)
    places = {f"AACLIB_{name}": str(given.work / name.lower()) for name in ("RAW", "CACHE", "RUNS")}
    environment = {**os.environ, **places, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    aaclib = [sys.executable, "-m", "aaclib"]
    if given.spice:
        spice = [*aaclib, "metrics", "install-spice", "--from", str(given.spice)]
        subprocess.run(spice, env=environment, check=True)
    settings = [f"clap.backend=hf:{clap}", *given.overrides]
    settings += [f"data.audio={given.recordings.absolute()}"] if given.profile == "folder" else []
    command = [*aaclib, "run", "--profile", given.profile, "--offline", *([] if given.spice else ["--no-spice"])]
    command += [part for setting in settings for part in ("--set", setting)]
    started = time.time()
    code = subprocess.run(command, env=environment, cwd=ROOT).returncode
    print(f"\n{' '.join(command[2:])}: exit code {code} after {duration(time.time() - started)}")
    report(given.work / "runs", given.profile, given.overrides)
    return code


def report(runs: Path, profile: str, overrides: list[str]) -> None:
    """The time and the peak memory of each stage, as the run's record has them."""
    name = next((value.removeprefix("name=") for value in overrides if value.startswith("name=")), profile)
    stages = json.loads((runs / name / "run.json").read_text())["stages"]
    print(f"{'stage':<28}{'seconds':>9}{'peak MiB':>10}")
    for key, stage in stages.items():
        print(f"{key:<28}{stage['seconds']:>9.0f}{stage['peak_memory_mib']:>10.0f}")
    total, peak = sum(s["seconds"] for s in stages.values()), max(s["peak_memory_mib"] for s in stages.values())
    print(f"{'together, and the highest':<28}{total:>9.0f}{peak:>10.0f}   ({duration(total)}, {os.cpu_count()} cores)")


if __name__ == "__main__":
    sys.exit(main())
