"""What can be said of a run's captions without references: by a CLAP that judges them, and by labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aaclib import arrays, clap, embeddings, metrics, text
from aaclib.clap.base import Backend
from aaclib.datasets import Clip, Split
from aaclib.memo import remembered
from aaclib.metrics import Result, Scores, clap_score, label_recall

if TYPE_CHECKING:
    from aaclib.captioner import Captioner
    from aaclib.run import Run

JUDGED = ("clap_score", "self_r", "label_recall", "label_hit")  # the beginnings of what needs no references


@remembered
def judged(run: Run, target: str, strategy: str, seed: int) -> Scores:
    """The scores of one row and seed without references, n clips: clap_score and self_r@k by the judge, label_recall
    and label_hit where the clips have labels. The human row is each clip's first caption.

    >>> results.judged(run, "clotho", "noise", 0).corpus["self_r@10"]
    """
    clips = run.clips(target, "evaluation", seed)
    captions = [clip.captions[0] for clip in clips] if strategy == "human" else run.captions(target, strategy, seed)
    # an empty caption stays empty here: it finds no clip
    captions = list(map(text.NORMALISE[run.config.data.normalise], captions))
    judging = judge(run, seed)
    by_metric = clap_score.judge(
        lambda texts: embeddings.embed_text(judging, texts, run.store), judge_audio(run, target, seed), captions
    )
    return metrics.scores_of(by_metric | named(clips, captions), len(clips))


def named(clips: Sequence[Clip], captions: Sequence[str]) -> dict[str, Result]:
    """label_recall and label_hit of one caption per clip, n of each; empty where no clip has labels.

    >>> judging.named(clips, captions)["label_recall"].per_clip
    """
    if not any(clip.labels for clip in clips):
        return {}
    return label_recall.label_recall(captions, [clip.labels for clip in clips])


def judge(run: Run, seed: int) -> Backend:
    """The CLAP that judges captions: `metrics.judge`; else, where every seed has a CLAP of its own, the next seed's;
    else the run's own, which wrote them and is partial. Raises BackendError where its weights cannot be had.

    >>> results.judge(run, 0).name
    """
    other = run.config.metrics.judge
    return _other_clap(run, other) if other else run.clap(_judging_seed(run, seed))


def _judging_seed(run: Run, seed: int) -> int:
    """The seed whose CLAP judges what was written with this one's."""
    several = run.config.clap.backend == "tiny"
    return run.seeds[(run.seeds.index(seed) + 1) % len(run.seeds)] if several else seed


def partial_judge(run: Run) -> bool:
    """Whether captions are judged by the CLAP from whose embeddings they were written.

    >>> results.partial_judge(run)
    """
    return not run.config.metrics.judge and _judging_seed(run, run.seeds[0]) == run.seeds[0]


@remembered
def _other_clap(run: Run, name: str) -> Backend:
    return clap.load(name, run.device)


def judge_audio(run: Run, target: str, seed: int) -> np.ndarray:
    """(n, d) float32 unit rows: the judge's embeddings of `run.clips(target, "evaluation", seed)`.

    >>> results.judge_audio(run, "clotho", 0) @ results.judge(run, 0).embed_text(["a dog barks"]).T
    """
    if not run.config.metrics.judge:
        return run.audio(target, "evaluation", _judging_seed(run, seed)).z
    paths = [clip.audio for clip in run.clips(target, "evaluation", seed) if clip.audio]  # those that could be read
    settings = run.config.clap
    return embeddings.embed_audio(
        judge(run, seed),
        paths,
        run.store,
        batch_size=settings.batch_size or None,
        workers=run.config.at_once(settings.workers),
    )


def by_judge(
    run: Run, captioner: Captioner, clips: Sequence[Clip], captions: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """(z_said, z_heard), each (n, d) float32: captions and the recordings of their clips as the judge embeds them, unit
    rows. The judge is `metrics.judge`, or else the captioner's own CLAP, which is partial. A row of z_said is NaN where
    a caption has no embedding: it is empty, or the embeddings were brought along without the CLAP that made them
    (clap.backend=embeddings:FOLDER, and no `metrics.judge`).

    >>> said, heard = results.by_judge(run, captioner, audio.clips, captioner.from_embeddings(audio.z))
    >>> (said @ heard.T).argmax(1)                         # the recording that fits each caption best
    """
    judging = _other_clap(run, run.config.metrics.judge) if run.config.metrics.judge else captioner.clap
    heard = arrays.recordings(judging, Split("", "evaluation", tuple(clips)), run.config, run.store).z
    texts, said = list(map(text.NORMALISE[run.config.data.normalise], captions)), np.full(heard.shape, np.nan, "f4")
    known = [i for i, caption in enumerate(texts) if caption.strip() and not judging.precomputed]
    if known:
        said[known] = embeddings.embed_text(judging, [texts[i] for i in known], run.store)
    return said, heard


def why_no_judgement(run: Run) -> str:
    """Why captions cannot be judged by a CLAP, or ''.

    >>> print(results.why_no_judgement(run))
    """
    if getattr(judge(run, run.seeds[0]), "precomputed", False):
        return (
            "The embeddings were brought along, without the CLAP that made them, so new captions have none: "
            "name a judge with --set metrics.judge=hf:laion/clap-htsat-unfused."
        )
    return ""
