"""What a hand plays with: one clip, one of the trained decoders, a way to bring the clip to it, and what is then said.

bench = play.Bench(run, "soundscapes-long")
bench.say(clip=7, training="noise", inference="projection", tau=0.03, memory=100).caption

Numbers and tables alone; `plots.bench` puts knobs on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from aaclib import audio, bridge, decoders, generate, memory, retrieval, seeds, store, training
from aaclib.captioner import Captioner
from aaclib.clap.base import Backend
from aaclib.config import ConfigError
from aaclib.memo import remembered
from aaclib.paths import runs_dir, work_dir
from aaclib.reprs import brief
from aaclib.run import Run

PLAIN = "audio"  # the plain swap: what no inference part is
WAYS = (PLAIN, "nearest", "projection")


@dataclass(frozen=True)
class Said:
    """What one decoder says of one clip, and why."""

    row: str  # the strategy's name
    caption: str
    z: np.ndarray  # (d,) float32, what the decoder was given
    neighbours: pd.DataFrame  # caption, cosine, weight: the nearest captions of the memory; weights sum to 1 over all m
    effective: float  # of how many captions it is a mixture; NaN where the memory is not read

    def __repr__(self) -> str:
        return brief(self, row=self.row, caption=self.caption, effective=round(self.effective, 1))


class Bench:
    """The clips of a target, and the decoders of its rows that are trained already, one seed.

    clips: the n clips; z: (n, d) float32, unit rows; trainings: the names of the decoders that are in the store.
    """

    def __init__(self, run: Run, target: str, seed: int | None = None):
        self.run, self.target, self.seed = run, target, run.seeds[0] if seed is None else seed
        heard = run.audio(target, "evaluation", self.seed)
        self.clips, self.z = heard.clips, heard.z
        rows = training.trainings(run, target)
        stored = {name: decoders.key(run, target, row, self.seed) for name, row in rows.items()}
        there = [name for name, key in stored.items() if run.store.find("decoder", key)]
        self.trainings = sorted(there, key=lambda name: name != "text")  # the one of plain text first
        self.context = run.context(target, self.seed)
        captions = run.texts(target, "train", self.seed).captions
        self.captions = [captions[i] for i in run.memory_rows(target, self.seed)]  # m, those of the memory
        self._drawn = seeds.rng(self.seed, "bench").permutation(len(self.captions))

    def say(
        self,
        clip: int,
        training: str = "text",
        inference: str = "projection",
        tau: float | None = None,
        memory: int | None = None,
        neighbours: int = 5,
    ) -> Said:
        """What the decoder of `training` says of the clip when z_a is brought to it by `inference` ("audio": as it is).

        `tau`: of the projection, the run's own by default. `memory`: how many captions the memory holds, drawn by the
        seed, all by default; a larger one contains the smaller ones. Raises ValueError for a decoder that is not
        trained, StrategyError for parts that do not go together.

        >>> bench.say(7, "noise", "nearest").neighbours
        """
        if training not in self.trainings:
            raise ValueError(f"'{training}' is no trained decoder here. Trained: {', '.join(self.trainings)}.")
        parts = [part for part in (training, inference) if part not in ("text", PLAIN)]
        row = bridge.strategy("+".join(parts) or "baseline")
        kept, rows = self._part(len(self.captions) if memory is None else memory)
        known = decoders.context_of(self.run, self.target, row, self.seed)
        known = replace(known, memory=kept, tau=known.tau if tau is None else tau)
        z = bridge.infer_half(row)(self.z[clip : clip + 1], known)
        model = self.run.decoder(self.target, row.name, self.seed).model
        (caption,) = generate.generate(model, z, max_tokens=self.run.config.generate.max_tokens)
        cosines = kept @ self.z[clip]  # (m,)
        weights = self._weights(cosines, inference, known.tau)
        order = np.argsort(-cosines, kind="stable")[:neighbours]
        near = {"caption": [self.captions[rows[i]] for i in order], "cosine": cosines[order], "weight": weights[order]}
        read = np.isfinite(weights).all()
        mixed = float(np.exp(-(weights * np.log(np.maximum(weights, 1e-30))).sum())) if read else np.nan
        return Said(row.name, caption, z[0], pd.DataFrame(near), mixed)

    def wave(self, clip: int) -> tuple[np.ndarray, int]:
        """The recording as it is, (samples,) float32, and its rate in Hz. Raises audio.AudioError.

        >>> plots.player(*bench.wave(7))
        """
        path = self.clips[clip].audio
        assert path is not None  # `Run.audio` has the clips whose recording is here
        return audio.read(path)

    @remembered
    def _part(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """(the memory's embeddings, their rows) of the first `size` captions drawn, in the memory's own order."""
        rows = np.sort(self._drawn[: max(1, size)])
        return np.ascontiguousarray(self.context.need("memory")[rows]), rows

    @staticmethod
    def _weights(cosines: np.ndarray, inference: str, tau: float) -> np.ndarray:
        """(m,) by which the captions of the memory enter; NaN where the part reads no memory, or not by these."""
        if inference == "projection":
            weights = np.exp((cosines.astype(float) - cosines.max()) / tau)
            return weights / weights.sum()
        if inference == "nearest":
            return (np.arange(len(cosines)) == cosines.argmax()).astype(float)
        return np.full(len(cosines), np.nan)


def described(
    captioners: Mapping[str, Captioner], files: Sequence[str | Path], others: Sequence[str] = (), nearest: int = 3
) -> pd.DataFrame:
    """Recordings described by several captioners of one CLAP (row -> captioner), a line for each recording and row:
    recording, row, caption, own, beats (both as `retrieval.confidence`, against the captions `others` of other
    recordings, by default of the others among these), and the `nearest` captions of the memory as near_1, near_2, ...
    Raises audio.AudioError for an unreadable file.

    >>> play.described({"projection": captioner}, ["dog.wav", "rain.ogg"])
    """
    first = next(iter(captioners.values()))
    z_a = first.clap.embed_audio(list(files))
    few = memory.nearest_few(z_a, first.context.need("memory"), nearest)
    near = [{f"near_{k}": first.memory[m] for k, m in enumerate(row, 1)} for row in few]
    wrong, lines = _embedded(first.clap, others) if len(others) else None, []
    for row, captioner in captioners.items():
        captions = captioner.from_embeddings(z_a)
        fits = retrieval.confidence(z_a, _embedded(first.clap, captions), wrong)
        for i, path in enumerate(files):
            line = {"recording": Path(path).name, "row": row, "caption": captions[i]}
            lines.append(line | {"own": fits["own"][i], "beats": fits["beats"][i]} | near[i])
    return pd.DataFrame(lines).sort_values("recording", kind="stable", ignore_index=True)


def _embedded(clap: Backend, captions: Sequence[str]) -> np.ndarray:
    """(n, d) float32; a row is NaN where a caption has no embedding."""
    z = np.full((len(captions), clap.dim), np.nan, np.float32)
    known = [i for i, caption in enumerate(captions) if caption.strip() and not clap.precomputed]
    if known:
        z[known] = clap.embed_text([captions[i] for i in known])
    return z


def lent(n: int = 8) -> dict[str, str]:
    """Settings for the profile `folder` where nobody has named recordings: the first `n` evaluation clips of the run
    that was finished last, copied to the folder of working copies, and that run's captioner. Raises ConfigError where
    no run is finished.

    >>> aaclib.Run.load("folder", play.lent())
    """
    for record in sorted(runs_dir().glob("*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        run = Run.of_run(record.parent.name)
        if run.targets:
            clips = run.split(run.targets[0], "evaluation", audio=True).clips
            folder = work_dir() / "lent" / record.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            for path in [clip.audio for clip in clips if clip.audio][:n]:
                with store.replacing(folder / path.name) as temporary:
                    shutil.copyfile(path, temporary)
            return {"data.audio": str(folder.absolute()), "captioner": record.parent.name, "name": "lent"}
    raise ConfigError(
        'No recordings are named, and there is no finished run to lend some. Name yours: overrides = {"data.audio": '
        '"FOLDER"}; or make a run first: ./run_all.sh --profile smoke.'
    )
