"""One small sweep on a made world, by any cluster: `python tests/same_sweep.py FOLDER [CLUSTER]` writes
FOLDER/table.csv. `tests/slurm.sh` compares what comes out of one process, of two workers and of SLURM."""

import sys
from pathlib import Path

import made

from aaclib import config, sweep
from aaclib.run import Run
from aaclib.store import Store

POINTS = [{"gap.sigma": sigma, "gap.tau": tau} for sigma in (0.0, 0.1) for tau in (0.01, 0.1)]


def main(folder: Path, cluster: str = "") -> None:
    made.make(folder / "world", n=60)
    settings = {**made.settings_of(folder / "world"), "train.epochs": 3, "threads": 1, "cluster": cluster}
    run = Run(config.load("quick", settings), Store(folder / "store"))
    found = sweep.points(run, "folder", POINTS, ["noise", "projection"])
    found.to_csv(folder / "table.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
