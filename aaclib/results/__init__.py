"""The numbers of a run, as functions of it: what its captions score, with n, seeds and an interval for each.

scoring    every row against the references, clip by clip
judging    without references: by a CLAP and by labels
tidy       the two as tidy frames; new content and known
comparing  shares of the bound, and rows tested against each other

run = aaclib.Run.load("quick")
results.results(run, "soundscapes-long")           # target, strategy, metric, value, low, high, n, seeds ...

Every value is a fraction (tables show it x100); a run keeps what was computed for it, so that asking again is free.
"""

from aaclib.results.comparing import (
    ALPHA,
    above_chance,
    bound,
    bounds,
    comparisons,
    gate,
    relative,
    tested,
    told,
    way,
    why_no_relative,
)
from aaclib.results.judging import by_judge, judge, judge_audio, judged, partial_judge, why_no_judgement
from aaclib.results.scoring import (
    human,
    human_captions,
    human_sets,
    names,
    of_captions,
    per_clip,
    retrieval,
    rows,
    scores,
)
from aaclib.results.tidy import RESULTS, all_scores, by_content, judgement, new, results

__all__ = [
    "ALPHA",
    "RESULTS",
    "above_chance",
    "all_scores",
    "bound",
    "bounds",
    "by_content",
    "by_judge",
    "comparisons",
    "gate",
    "human",
    "human_captions",
    "human_sets",
    "judge",
    "judge_audio",
    "judged",
    "judgement",
    "names",
    "new",
    "of_captions",
    "partial_judge",
    "per_clip",
    "relative",
    "results",
    "retrieval",
    "rows",
    "scores",
    "tested",
    "told",
    "way",
    "why_no_judgement",
    "why_no_relative",
]
