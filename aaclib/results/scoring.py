"""The scores of a run's captions against references, clip by clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from aaclib import bridge, metrics, text
from aaclib import retrieval as retrievals
from aaclib.memo import remembered
from aaclib.metrics import Scores
from aaclib.results import judging

if TYPE_CHECKING:
    from aaclib.run import Run


def rows(run: Run, target: str, decoding: str = "greedy") -> list[bridge.Strategy]:
    """The rows of a table: all strategies for greedy decoding, `generate.beam_rows` for beam search.

    >>> [row.name for row in results.rows(run, "clotho", "beam")]
    """
    strategies, beam = run.strategies(target), run.config.generate.beam_rows
    return strategies if decoding == "greedy" else [row for row in strategies if row.name in beam]


def names(run: Run, decoding: str = "greedy") -> list[str]:
    """The metrics of a table. Beam search fills a second, small one, without SPICE, which costs most.

    >>> results.names(run)
    """
    return [n for n in run.config.metrics.names if decoding == "greedy" or n not in ("spice", "spider")]


@remembered
def scores(run: Run, target: str, strategy: str, seed: int, decoding: str = "greedy") -> Scores:
    """The scores of one row and seed against all references of the evaluation clips: of the corpus, and per clip (n
    rows, in the order of `run.clips`). A metric that cannot be computed is in `missing`, with the reason.

    >>> results.scores(run, "clotho", "noise", 0).corpus["cider_d"]
    """
    references = [clip.captions for clip in run.clips(target, "evaluation", seed)]
    return _evaluate(run, run.captions(target, strategy, seed, decoding), references, decoding)


def _evaluate(
    run: Run, candidates: Sequence[str], references: Sequence[Sequence[str]], decoding: str = "greedy"
) -> Scores:
    asked = list(candidates), [list(r) for r in references], names(run, decoding)
    scored = metrics.evaluate(*asked, store=run.store, strict=False, cluster=run.config.cluster)
    return scored if scored.n > 1 else _of_one_clip(scored)


def of_captions(run: Run, target: str, said: Sequence[str], seed: int) -> Scores:
    """The scores of captions that no row of the tables has, one per clip of `run.clips(target, "evaluation", seed)`: by
    the headline metric, what is likely said, and where clips have labels by label recall, what is heard.

    >>> by_hand = captions.write(run, run.decoder("clotho", "baseline", 0), to_text(z_a))
    >>> results.of_captions(run, "clotho", by_hand, 0).corpus
    """
    clips = run.clips(target, "evaluation", seed)
    references = [clip.captions for clip in clips]
    scores = metrics.evaluate(list(said), references, [run.config.metrics.headline], store=run.store, strict=False)
    words = list(map(text.NORMALISE[run.config.data.normalise], said))
    heard = metrics.scores_of(judging.named(clips, words), len(clips))
    return replace(scores, corpus=scores.corpus | heard.corpus, statistics=scores.statistics | heard.statistics)


@remembered
def human(run: Run, target: str) -> list[Scores]:
    """Each human caption against the others of its clip: one `Scores` for every place in the list of captions. Of
    all clips with two or more, the first `human_captions`, so that all are scored alike. Raises ValueError where no
    clip has two.

    >>> [scores.corpus["cider_d"] for scores in results.human(run, "clotho")]
    """
    return [_evaluate(run, candidates, references) for candidates, references in human_sets(run, target)]


def human_sets(run: Run, target: str) -> list[tuple[list[str], list[list[str]]]]:
    """What `human` scores: for every place in the list of captions the captions there, and the others of their clips.
    Raises as `human`.

    >>> results.human_sets(run, "clotho")[0][1]                # four references per clip
    """
    k = human_captions(run, target)
    clips = run.clips(target, "evaluation", run.seeds[0])
    used = [list(clip.captions[:k]) for clip in clips if len(clip.captions) > 1]
    return [([c[i] for c in used], [c[:i] + c[i + 1 :] for c in used]) for i in range(k)]


def human_captions(run: Run, target: str) -> int:
    """How many captions per clip the human row uses: as many as every clip has that has two or more. Raises
    ValueError where none has.

    >>> results.human_captions(run, "clotho")
    5
    """
    counts = [len(clip.captions) for clip in run.clips(target, "evaluation", run.seeds[0])]
    return min(n for n in counts if n > 1)


def per_clip(run: Run, target: str, strategy: str, seed: int, decoding: str = "greedy") -> pd.DataFrame:
    """clip, candidate, references and every metric (fractions), one row per clip, n rows; for anyone to audit.

    >>> results.per_clip(run, "clotho", "noise", 0).sort_values("cider_d")
    """
    clips = run.clips(target, "evaluation", seed)
    frame = pd.DataFrame(
        {
            "clip": [clip.id for clip in clips],
            "candidate": run.captions(target, strategy, seed, decoding),
            "references": [list(clip.captions) for clip in clips],
        }
    )
    scored = scores(run, target, strategy, seed, decoding).per_clip
    return pd.concat([frame, scored.reset_index(drop=True)], axis=1)


def retrieval(run: Run, target: str, seed: int) -> dict[str, float]:
    """Recall at 1, 5, 10 (fractions) and median rank, both ways, among the evaluation clips and their captions.

    >>> results.retrieval(run, "clotho", 0)["text_to_audio_r@10"]
    """
    audio = run.audio(target, "evaluation", seed)
    texts = run.texts_of(audio.clips, seed)
    return retrievals.recall_at_k(audio.z, texts.z, texts.clip)


def _of_one_clip(scored: Scores) -> Scores:
    """Without the metrics that weigh words by how few clips have them: of one clip they are 0, whatever is said."""
    weighted = [name for name in ("cider_d", "spider", "spider_fl") if name in scored.statistics]
    why = "it weighs words by how few of the clips have them, and there is one clip"
    return replace(
        scored,
        corpus={k: v for k, v in scored.corpus.items() if k not in weighted},
        statistics={k: v for k, v in scored.statistics.items() if k not in weighted},
        per_clip=scored.per_clip.drop(columns=weighted),
        missing=scored.missing | dict.fromkeys(weighted, why),
    )
