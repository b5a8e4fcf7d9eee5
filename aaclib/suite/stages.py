"""What is executed for a profile, in which order, and what each stage needs.

A stage is a notebook executed for one target, or once for the whole run. Which targets there are is asked of
aaclib.roles: those with captions have notebooks 01 to 05, recordings without captions have 14.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aaclib import roles
from aaclib.config import Config
from aaclib.datasets import absent

RUN, TARGETS, RECORDINGS = "run", "targets", "recordings"  # what a notebook is executed once for: each of these


class UnknownStage(ValueError):
    """No stage of this name, or none between two of them; the message lists those that there are."""


@dataclass(frozen=True)
class Notebook:
    name: str  # its file name without .ipynb
    needs: tuple[str, ...]  # notebooks whose change makes this one run again
    about: str
    each: str = TARGETS

    @property
    def number(self) -> str:
        return self.name.partition("_")[0]


NOTEBOOKS = (
    Notebook("00_preflight", (), "what this machine can do, and what the run will cost", RUN),
    Notebook("01_data", (), "the data sets, listened to and counted"),
    Notebook("02_embeddings", ("01_data",), "CLAP embeddings, with a retrieval check"),
    Notebook("03_modality_gap", ("02_embeddings",), "the modality gap and sigma"),
    Notebook("04_training", ("02_embeddings",), "decoders trained on text only"),
    Notebook("05_decoding", ("03_modality_gap", "04_training"), "captions by every strategy"),
    Notebook("06_tables", ("05_decoding",), "the paper's tables", RUN),
    Notebook("07_sensitivity", ("04_training",), "what each number of a bridge does"),
    Notebook("08_cross_domain", ("04_training",), "text, memory and recordings of different domains", RUN),
    Notebook("09_text_scaling", ("04_training",), "more text and less, and how many captions a pair is worth"),
    Notebook("10_bridges", ("04_training",), "learned and statistical bridges, and how many pairs they need"),
    Notebook("11_other_tasks", ("04_training",), "music, and questions about recordings"),
    Notebook("12_errors", ("05_decoding",), "what is heard and what is not, and what is made up"),
    Notebook("13_metrics_and_people", (), "how often each metric prefers what people prefer", RUN),
    Notebook("14_your_recordings", ("04_training",), "captions for recordings without any", RECORDINGS),
)
OF_TEXT = ("04",)  # executed for the target `text`, which is there for its decoders alone: no audio of it is needed


@dataclass(frozen=True)
class Stage:
    notebook: Notebook
    target: str = ""  # "" = the whole run
    needs: tuple[str, ...] = ()  # keys of the stages whose change makes this one run again

    @property
    def key(self) -> str:
        """Its name on the console and in run.json: "03_modality_gap/clotho", or "06_tables"."""
        return f"{self.notebook.name}/{self.target}" if self.target else self.notebook.name

    @property
    def place(self) -> str:
        """Where its executed copy and its log lie: "clotho/03_modality_gap", or "06_tables"."""
        return f"{self.target}/{self.notebook.name}" if self.target else self.notebook.name

    def __str__(self) -> str:
        return self.key


def stages(config: Config, notebooks: Sequence[Notebook] = NOTEBOOKS) -> tuple[Stage, ...]:
    """The stages of a profile in order: all notebooks of the first target, then those of the second.

    >>> [stage.key for stage in stages(load("folder", {"data.audio": "clips", "captioner": "paper"}))]
    ['00_preflight', '14_your_recordings/folder']
    """
    here = [name for name in config.data.targets if not absent(name, config.data)]
    bare = [name for name in here if name in roles.recordings(config)]
    places = {RUN: [""], TARGETS: [name for name in here if name not in bare], RECORDINGS: bare}
    chosen = [notebook for notebook in notebooks if notebook.number in config.notebooks]
    order: list[Stage] = []
    for each, group in itertools.groupby(chosen, key=lambda notebook: notebook.each):
        books = list(group)
        for target in places[each]:
            for notebook in books:
                if target == roles.TEXT and notebook.number not in OF_TEXT:
                    continue
                of = ("", roles.learned_from(config, target) if target else "")
                needed = [s for s in order if s.notebook.name in notebook.needs]
                needs = tuple(s.key for s in needed if not target or s.target in of)
                wanted = [book for book in chosen if book.name in notebook.needs]
                if needs or target or not wanted:  # else it would bring together what nobody makes
                    order.append(Stage(notebook, target, needs))
    return tuple(order)


def select(all_: Sequence[Stage], only: Iterable[str] = (), start: str = "", end: str = "") -> tuple[Stage, ...]:
    """The stages asked for. `only`: names such as "03", "gap" or "03/clotho", or several with commas between; `start`
    and `end` are notebooks, of all targets or of one ("03/clotho"). Raises UnknownStage."""
    order = [notebook.name for notebook in dict.fromkeys(stage.notebook for stage in all_)]
    wanted = [_find(all_, name) for text in only for name in text.split(",") if name]
    first, last = (_find(all_, name) if name else ("", "") for name in (start, end))
    low, high = (order.index(name) if name else default for (name, _), default in ((first, 0), (last, len(order))))
    if low > high:
        raise UnknownStage(f"--from {start} comes after --to {end}: nothing to run.")
    between = [
        stage
        for stage in all_
        if low <= order.index(stage.notebook.name) <= high
        and all(target in ("", stage.target) or not stage.target for _, target in (first, last))
    ]
    return tuple(s for s in between if not wanted or {(s.notebook.name, ""), (s.notebook.name, s.target)} & {*wanted})


def _find(all_: Sequence[Stage], text: str) -> tuple[str, str]:
    """(notebook, target or "") that a text such as "03", "03_modality_gap.ipynb" or "gap/clotho" means."""
    name, _, target = text.partition("/")
    name = _one({stage.notebook.name for stage in all_}, name.removesuffix(".ipynb"))
    if name and target:
        target = _one({stage.target for stage in all_ if stage.notebook.name == name}, target)
        name = name if target else ""
    if not name:
        raise UnknownStage(f"There is no one stage '{text}'. Stages: {', '.join(map(str, all_))}.")
    return name, target


def _one(names: Iterable[str], text: str) -> str:
    """The one name that is this text, begins with it or holds it; "" where there are none or several."""
    names = set(names)
    meant = {text} & names or {n for n in names if n.startswith(text)} or {n for n in names if text in n}
    return meant.pop() if len(meant) == 1 else ""
