"""The run's answers to the paper's question, in sentences whose wording is chosen by its own numbers.

What is told of one target and metric is one family of tests (`results.told`), its p-values after Holm, its intervals
together at 95 %. Two rows are called different where the paired test over clips says so and, with three seeds or more,
the paired test over seeds says so as well: the first alone speaks of these decoders, not of the methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from aaclib import bridge, results
from aaclib.groups import WEAK
from aaclib.plots.results import METRIC_LABELS
from aaclib.tables import facts, frames
from aaclib.tables.facts import established, over_clips, pair, shown
from aaclib.tables.findings import listed

if TYPE_CHECKING:
    from aaclib.run import Run

LABELS = "label_recall"


@listed
def conclusions(run: Run) -> Iterator[str]:
    """Of every target: the highest row and what beats the plain swap, its share of the bound, its distance from the
    controls, whether more is heard or only guessed, what is left on new content; then what the targets agree on. What
    the tables show is not said again."""
    metric, level = run.config.metrics.headline, {}
    for target in run.targets:
        if note := facts.own_pairs_note(run, target):
            yield f"**{target}**: {note}"
        if facts.in_domain(run, target):
            yield f"**{target}**: {facts.IN_DOMAIN}"
        weak = _weak(_of_metric(results.results(run, target), metric))
        if weak.empty:
            yield f"**{target}**: {METRIC_LABELS[metric]} is missing for every row that learned from text alone."
            continue
        best = weak.value.idxmax()
        level[target] = {best, *_level(run, target, weak, best)}
        yield _highest(run, target, weak, best)
        yield from _against_the_swap(run, target, weak)
        yield from _share(run, target, best)
        yield from _against_controls(run, target, best)
        yield from _likely_or_heard(run, target)
        yield from _new_content(run, target, best)
        yield from _ceiling(run, target)
    if len(level) > 1:
        everywhere = set.intersection(*level.values())
        named = [row.name for row in run.strategies(next(iter(level))) if row.name in everywhere]
        if named:
            yield f"On every target {', '.join(named)} cannot be told from the highest row."
        else:
            yield "No row is, on every target, the highest or level with it."
    if level and len(run.seeds) < facts.SEEDS_FOR_A_CLAIM:
        yield (
            "With fewer than three seeds these are findings about these trained decoders: the intervals and "
            "tests cover the choice of clips, and a difference may turn with another seed."
        )
    if level and run.synthetic:
        yield "This is a synthetic world: none of these numbers says how well real recordings are described."


@listed
def judged(run: Run) -> Iterator[str]:
    """Whether captions fit their clips where nobody wrote references, by the judge: against chance, and what a caption
    reaches that the judge itself may have chosen."""
    if reason := results.why_no_judgement(run):
        yield reason
        return
    others = {
        "shuffled": "captions on the wrong clips",
        "copy": "copied training captions",
        "human": f"{facts.human(run)} captions",
    }
    metrics = set()
    for target in run.targets:
        frame = results.judgement(run, target)
        for metric in filter(None, [facts.self_recall(frame.metric.unique()), LABELS]):
            rows = _of_metric(frame, metric)
            weak = _weak(rows)
            if weak.empty:
                continue
            metrics.add(metric)
            best, judge = weak.value.idxmax(), "" if metric == LABELS else f" by {facts.judge(run)}"
            reached = [f"{words} {shown(rows.loc[name])}" for name, words in others.items() if name in rows.index]
            test = ""
            if "shuffled" in rows.index:
                verdict = facts.verdict(results.told(run, target, metric), best, "shuffled")
                test = f" Against the wrong clips: {verdict}."
            yield (
                f"**{target}**, {METRIC_LABELS[metric]}{judge} (n = {int(weak.n.max())}): of the rows that write, "
                f"{best} has the highest, {shown(weak.loc[best])}; {', '.join(reached)}.{test}"
            )
    if metrics and results.partial_judge(run):
        yield (
            "Copied captions were chosen by the very CLAP that judges here, so what they reach is its opinion "
            "of its own choice."
        )


def _of_metric(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows that have a value in this metric, by strategy."""
    return frame.loc[(frame.metric == metric) & frame.value.notna()].set_index("strategy")


def _weak(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows.group.isin(WEAK)]


def _level(run: Run, target: str, weak: pd.DataFrame, best: str) -> list[str]:
    """The rows that cannot be told from the highest."""
    tests = results.comparisons(run, target, run.config.metrics.headline, against=best)
    return [n for n in weak.index if n != best and (p := pair(tests, best, n)) is not None and not established(p)]


def _told(run: Run, target: str) -> pd.DataFrame:
    return results.told(run, target, run.config.metrics.headline)


def _highest(run: Run, target: str, weak: pd.DataFrame, best: str) -> str:
    metric, wins, tied = run.config.metrics.headline, "", ""
    if len(run.seeds) > 1:
        by_seed = frames.by_seed(run, target, metric).pivot(index="seed", columns="strategy", values="value")
        first = sum(row.idxmax() == best for _, row in by_seed[list(weak.index)].iterrows())
        wins = f", and is the highest in {first} of {len(run.seeds)} seeds"
    if level := _level(run, target, weak, best):
        tied = f"; it cannot be told from {', '.join(level)}: their order is no result"
    return (
        f"**{target}** (n = {int(weak.n.max())}): of the rows that learned from text alone **{best}** has the highest "
        f"{METRIC_LABELS[metric]}, {shown(weak.loc[best])}{wins}{tied}."
    )


def _against_the_swap(run: Run, target: str, weak: pd.DataFrame) -> Iterator[str]:
    others = [name for name in weak.index if name != "baseline"]
    if "baseline" not in weak.index or not others:
        return
    tests = {name: p for name in others if (p := pair(_told(run, target), name, "baseline")) is not None}
    better = [name for name, p in tests.items() if established(p) and p.difference > 0]
    worse = [name for name, p in tests.items() if established(p) and p.difference < 0]
    # what the clips can tell and the seeds cannot
    alone = [name for name, p in tests.items() if over_clips(p) and not established(p)]
    these = (
        f" {', '.join(alone)} differ{'s' if len(alone) == 1 else ''} from it over clips, in these trainings; over "
        "seeds that is not established."
    )
    yield (
        f"**{target}**: of {len(others)} way{'' if len(others) == 1 else 's'} to bridge the gap, better than the plain "
        f"swap ({shown(weak.loc['baseline'])}): {', '.join(better) or 'none'}; worse: {', '.join(worse) or 'none'}."
        f"{these if alone else ''}"
    )


def _against_controls(run: Run, target: str, best: str) -> Iterator[str]:
    controls = {"shuffled": "captions on the wrong clips", "copy": "copying the nearest training caption"}
    told = _told(run, target)
    against = [
        f"against {words}: {facts.verdict(told, best, control)}"
        for control, words in controls.items()
        if pair(told, best, control) is not None
    ]
    if against:
        yield f"**{target}**: {best} {'; '.join(against)}."


def _share(run: Run, target: str, best: str) -> Iterator[str]:
    metric, relative = run.config.metrics.headline, results.relative(run, target)
    if facts.missing_frame(relative):
        yield f"**{target}**: no relative performance. {results.why_no_relative(run, target)}"
        return
    bound = results.bound(run, target) or ""
    p = pair(_told(run, target), bound, "shuffled")
    if p is not None and not (over_clips(p) and p.difference > 0):
        yield (
            f"**{target}**: the bound, {bound}, is itself not better than captions on the wrong clips, so its training "
            "has not succeeded and relative performance means nothing here."
        )
        return
    said = [f"reaches {share} of the bound's {METRIC_LABELS[metric]}" for share in _percent(relative, metric, best)]
    above = _percent(results.above_chance(run, target), metric, best)
    said += [f"covers {share} of the way from captions on the wrong clips to it" for share in above]
    if said:
        yield f"**{target}**: trained on text alone, {best} {' and '.join(said)}; the bound is {bound}."
    over = relative[(relative.metric == metric) & (relative.value > 1)]
    if passing := [name for name in over.strategy if bridge.strategy(name).group in WEAK]:
        yield (
            f"**{target}**: {', '.join(passing)} pass{'es' if len(passing) == 1 else ''} the bound: it is what this "
            "decoder reaches with this much paired audio, not what anyone could reach."
        )


def _percent(shares: pd.DataFrame | None, metric: str, name: str) -> Iterator[str]:
    """A row's share in words, with its interval; nothing where there is none."""
    if facts.missing_frame(shares):
        return
    for r in facts.rows_of(shares.loc[(shares.metric == metric) & (shares.strategy == name)]):
        interval = f"95 % interval {100 * r.low:.0f} to {100 * r.high:.0f} %"
        yield f"{100 * r.value:.0f} % ({'no interval can be given' if pd.isna(r.low) else interval})"


def _likely_or_heard(run: Run, target: str) -> Iterator[str]:
    """A strategy may write what is likelier to be said about less of what is heard: CIDEr-D rewards the one, label
    recall the other."""
    if results.why_no_judgement(run) or LABELS not in set(results.judgement(run, target).metric):
        return
    said, heard = _told(run, target), results.told(run, target, LABELS)
    moved: dict[str, list[str]] = {"falls": [], "rises": [], "is not known to change": []}
    for name in said[said.b == "baseline"].a:
        score, label = pair(said, name, "baseline"), pair(heard, name, "baseline")
        if score is not None and label is not None and established(score) and score.difference > 0:
            way = "is not known to change" if not established(label) else "rises" if label.difference > 0 else "falls"
            moved[way].append(f"{name} ({100 * score.difference:+.1f} and {100 * label.difference:+.1f})")
    if told := [f"label recall {way} with {', '.join(names)}" for way, names in moved.items() if names]:
        recall = shown(_of_metric(results.judgement(run, target), LABELS).loc["baseline"])
        yield (
            f"**{target}**: of what has a higher {METRIC_LABELS[run.config.metrics.headline]} than the plain swap, "
            f"{'; '.join(told)} (points of both; the plain swap's label recall is {recall}). A higher score where less "
            "is named is a likelier sentence, not better hearing."
        )


def _new_content(run: Run, target: str, best: str) -> Iterator[str]:
    frame = results.by_content(run, target, run.config.metrics.headline)
    if facts.missing_frame(frame) or frame.content.nunique() < 2:
        return
    rows = frame[frame.strategy == best].set_index("content")
    yield (
        f"**{target}**: on the {int(rows.n['new'])} clips whose combination of sounds no training clip has, {best} "
        f"reaches {shown(rows.loc['new'])}, on the other {int(rows.n['known'])} {shown(rows.loc['known'])}."
    )


def _ceiling(run: Run, target: str) -> Iterator[str]:
    """Notebook 04 asks whether the decoder reads well enough for strategies to be compared; here a no is repeated."""
    if {"reconstruction", "look-up"} <= {row.name for row in run.strategies(target)}:
        test = results.gate(run, target)[2]
        if test is not None and test.difference <= 0:
            yield (
                f"**{target}**: the decoder is the bottleneck, not the gap (notebook 04): these rows are compared "
                "under its ceiling."
            )
