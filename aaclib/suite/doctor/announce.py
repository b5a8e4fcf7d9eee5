"""Before a notebook begins what takes long: what is not in the store yet, and about how long making it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aaclib import screen
from aaclib.config import Config
from aaclib.progress import duration
from aaclib.suite.doctor.plan import plan
from aaclib.suite.stages import stages as every

if TYPE_CHECKING:
    from aaclib.run import Run

STAGE_OF = {  # kind of artefact -> the stage that usually makes it
    "scenes": "01_data",
    "tiny-clap": "02_embeddings",
    "audio-embeddings": "02_embeddings",
    "text-embeddings": "02_embeddings",
    "decoder": "04_training",
    "captions": "05_decoding",
}
LONG_S = 20.0  # what is made sooner needs no word


def announce(run: Run, notebook: str, target: str | None = None) -> None:
    """Makes the run say once, before it begins to make the first thing that is not in the store, what this `notebook`
    ("05_decoding") still needs and about how long that takes. Says nothing where all is there, where it takes seconds,
    and where nobody looks on. `target`: the one that the notebook is about.

    >>> run = aaclib.Run.load(profile, overrides)
    >>> doctor.announce(run, "05_decoding", target)
    """

    def say(kind: str) -> None:
        if kind in STAGE_OF:
            run.store.making = lambda kind: None
            if line := needed(run.config, STAGE_OF[kind], notebook, target):
                print(line, flush=True)

    if screen.looked_at():
        run.store.making = say


def needed(config: Config, first: str, last: str, target: str | None = None) -> str:
    """The line: what the stages from `first` to `last` make, and the doctor's estimate of the time; "" for little."""
    keys = [stage.key for stage in every(config) if first <= stage.notebook.name <= last]
    due = [key for key in keys if not target or key.endswith(f"/{target}")]
    stages = plan(config, due).stages
    stages = stages[(stages.what != "") & (stages.seconds >= 1)]
    seconds = float(stages.seconds.sum())
    if seconds < LONG_S:
        return ""
    return (
        f"Not in the store yet, so it is made first: {'; '.join(dict.fromkeys(stages.what))}. "
        f"About {duration(seconds)}, once. Interrupt it when you like: what is finished is kept."
    )
