"""From tidy results to the tables of a run: one per target, rows in groups, footnotes for all that a number needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from aaclib import results, rows
from aaclib.groups import WEAK
from aaclib.paths import project_root
from aaclib.plots.results import METRIC_LABELS
from aaclib.tables import facts
from aaclib.tables.facts import IN_DOMAIN, in_domain, missing_frame, rows_of
from aaclib.tables.table import ABOVE, MARKS, RELATIVE, Cell, Row, Table

if TYPE_CHECKING:
    from aaclib.run import Run


def main_table(run: Run, target: str, decoding: str = "greedy", others: Sequence[Row] = ()) -> Table:
    """The table of one target from a run (aaclib.Run): what its profile names as metrics, relative performance
    where there is a supervised row, tests against the best row, published rows where the target is a published data
    set. `others`: rows of other systems (`aaclib.tables.other_systems`)."""
    frame = results.results(run, target, decoding)
    names = [m for m in run.config.metrics.names if m in set(frame.metric)]
    highest = {m: best for m in names if (best := best_row(frame, m))}
    tests = {m: results.comparisons(run, target, m, decoding, against=best) for m, best in highest.items()}
    title = f"{run.dataset(target).title}, {decoding} decoding: scores x100."
    shares = {RELATIVE: results.relative(run, target, decoding), ABOVE: results.above_chance(run, target, decoding)}
    table = build(frame, names, shares, tests, run.config.metrics.headline, title, run.synthetic, facts.labels(run))
    return replace(
        table,
        rows=(*table.rows, *others, *published_rows(target, names)),
        notes=(*table.notes, *_run_notes(run, target, decoding)),
        label=f"tab:{target}-{decoding}",
    )


def judged_table(run: Run, target: str) -> Table | None:
    """The scores of one target without references (`results.judgement`); None where there is no judge."""
    frame = results.judgement(run, target)
    if frame.empty:
        return None
    recall = facts.self_recall(frame.metric.unique())
    title = f"{run.dataset(target).title}, judged without references: x100."
    names, headline = list(frame.metric.unique()), recall or "clap_score"
    table = build(frame, names, None, None, headline, title, run.synthetic, facts.labels(run))
    partial = "; it is partial, above all to `copy`, which it chose: --set metrics.judge=... names another"
    notes = [f"The judge is {facts.judge(run)}{partial if results.partial_judge(run) else ''}."]
    if recall != "self_r@10":
        larger = " with a larger k" if recall else ""
        notes.append(f"The clips are too few for self-R@k{larger}: chance would find more than a third.")
    return replace(table, notes=(*table.notes, *notes), label=f"tab:{target}-judged")


def best_row(results: pd.DataFrame, metric: str) -> str | None:
    """The highest of the weakly-supervised rows; None where there is none."""
    weak = results[(results.metric == metric) & results.group.isin(WEAK) & results.value.notna()]
    return None if weak.empty else str(weak.loc[weak.value.idxmax(), "strategy"])


def build(
    results: pd.DataFrame,
    metrics: Sequence[str],
    shares: Mapping[str, pd.DataFrame | None] | None = None,
    comparisons: Mapping[str, pd.DataFrame] | None = None,
    headline: str = "cider_d",
    title: str = "",
    synthetic: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Table:
    """A Table from frames: `results` (strategy, group, metric, value, low, high, n, seeds, note; fractions), `shares`
    (column -> strategy, metric, value, low, high; fractions), `comparisons` (metric -> as `results.tested`),
    `labels` (row -> what it is called where its name would mislead). Shown x100."""
    labels = labels or {}
    ratios = {
        column: {r.strategy: _cell(r) for r in rows_of(frame.loc[frame.metric == headline])}
        for column, frame in (shares or {}).items()
        if not missing_frame(frame)
    }
    rows = []
    parts: Any = results.groupby(["strategy", "group"], sort=False)
    for (strategy, group), part in parts:
        cells = {r.metric: _cell(r) for r in rows_of(part) if r.metric in metrics}
        cells |= {column: ratio[strategy] for column, ratio in ratios.items() if strategy in ratio}
        n = int(part.n.max()) if part.n.notna().any() else None
        rows.append(Row(strategy, group, cells, n, label=labels.get(strategy, "")))
    shown = [m for m in metrics if any(_has(r, m) for r in rows)]
    _rank(rows, shown, comparisons or {})
    columns = (*shown, *(column for column in ratios if any(column in r.cells for r in rows)))
    marked = {cell.mark for row in rows for cell in row.cells.values()}
    notes = _notes(results.replace({"strategy": labels}), metrics, shown, headline, marked)
    return Table(title, columns, tuple(rows), tuple(notes), headline, synthetic)


def published_rows(target: str, metrics: Sequence[str], path: Path | None = None) -> list[Row]:
    """The rows of data/published.csv for this data set (x100 there, as published); none for a synthetic target."""
    rows = []
    for r in _published_for(target, path):
        cells = {m: Cell(float(r[m])) for m in r if m in METRIC_LABELS and m in metrics and pd.notna(r[m])}
        if cells:
            rows.append(Row(str(r["system"]), "published", cells, source=str(r.get("source", ""))))
    return rows


def published(path: Path | None = None) -> pd.DataFrame:
    """data/published.csv: system, target, supervised, training, source and a column per metric, x100. Empty if the file
    is not there."""
    path = path or project_root() / "data" / "published.csv"
    if not path.is_file():
        return pd.DataFrame(columns=["system", "target", "source"])
    return pd.read_csv(path, comment="#")


def ratio_to_published(run: Run, target: str, decoding: str = "greedy", path: Path | None = None) -> pd.DataFrame:
    """Where a run has no supervised row of its own: our headline score over that of each published supervised system.
    Columns strategy, system, ratio. Another system with another encoder and decoder: not relative performance."""
    metric, frame = run.config.metrics.headline, results.results(run, target, decoding)
    systems = [r for r in _published_for(target, path) if str(r["supervised"]).lower() == "true"]
    ours = frame.loc[(frame.metric == metric) & frame.group.isin(WEAK) & frame.value.notna()]
    rows = [
        (r.strategy, system["system"], 100 * r.value / (system[metric] / 100))
        for r in rows_of(ours)
        for system in systems
        if metric in system and pd.notna(system[metric])
    ]
    return pd.DataFrame(rows, columns=["strategy", "system", "ratio"])


def _published_for(target: str, path: Path | None) -> list[dict[str, Any]]:
    frame = published(path)
    records = frame.loc[frame.target == target].to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in records]


def _cell(record: Any) -> Cell:
    value, low, high = (None if pd.isna(v) else 100 * float(v) for v in (record.value, record.low, record.high))
    return Cell(value, low, high)


def _has(row: Row, metric: str) -> bool:
    return not math.isnan(_value(row, metric))


def _value(row: Row, metric: str) -> float:
    """x100; NaN where the row has none."""
    value = row.cells.get(metric, Cell()).value
    return math.nan if value is None else value


def _rank(rows: Sequence[Row], metrics: Sequence[str], comparisons: Mapping[str, pd.DataFrame]) -> None:
    """Marks best and second among the weakly-supervised rows, and what cannot be told from the best."""
    for metric in metrics:
        weak = [row for row in rows if row.group in WEAK and _has(row, metric)]
        if len(weak) < 2:
            continue
        weak.sort(key=lambda row: -_value(row, metric))
        marks = _not_established(weak[0].name, comparisons.get(metric))
        values = [round(_value(row, metric), 1) for row in weak]
        for row, value in zip(weak, values, strict=True):
            rank = 1 + sum(other > value for other in values)  # rows that show the same number share a place
            row.cells[metric] = replace(row.cells[metric], rank=rank if rank < 3 else 0, mark=marks.get(row.name, ""))


def _not_established(best: str, tests: pd.DataFrame | None) -> dict[str, str]:
    """Row -> what its difference from the best is not."""
    marks = {}
    for _, test in [] if missing_frame(tests) else tests.iterrows():
        if best in (test.a, test.b) and not facts.established(test):
            marks[test.a if test.b == best else test.b] = "†" if facts.over_clips(test) else "°"
    return marks


def _notes(
    results: pd.DataFrame, metrics: Sequence[str], shown: Sequence[str], headline: str, marked: set[str]
) -> list[str]:
    usable = results.loc[results.value.notna()]
    notes = ["No metric could be computed."] if usable.empty else _about_scores(usable)
    notes += [f"{mark}: the difference from the best is {words}." for mark, words in MARKS.items() if mark in marked]
    for metric in metrics:
        label, part = METRIC_LABELS.get(metric, metric), results.loc[(results.metric == metric) & results.value.isna()]
        reasons = part.note.fillna("").astype(str).replace("", "no reason was recorded")
        for reason in reasons.unique():
            names = "" if metric not in shown else f" for {', '.join(part[reasons == reason].strategy)}"
            notes.append(f"{label} is absent{names}: {reason}.".replace("..", "."))
    for note, part in usable.loc[usable.note.fillna("").astype(str) != ""].groupby("note", sort=False):
        notes.append(f"{', '.join(dict.fromkeys(part.strategy))}: {note}.".replace("..", "."))
    if shown and headline not in shown:
        notes.append(f"The headline metric, {METRIC_LABELS.get(headline, headline)}, could not be computed.")
    return notes


def _about_scores(usable: pd.DataFrame) -> list[str]:
    """Over what the scores and their intervals are, and what bold means."""
    n, seeds = usable.n.dropna().unique(), int(usable.seeds.max())
    size = f"{int(min(n))} to {int(max(n))} clips" if len(n) > 1 else f"{int(n[0])} clips" if len(n) else "no clips"
    size = "one clip" if size == "1 clips" else size
    over = "over clips and seeds" if seeds > 1 else "bootstrap over clips, for these trainings"
    rough = ", and rough: two seeds tell little of how much a seed matters" if seeds == 2 else ""
    return [
        f"Scores x100. n = {size}; {seeds} seed{'' if seeds == 1 else 's'}; intervals (in the files): 95 %, "
        f"{over}{rough}.",
        "Bold: best, underlined: second, both among the rows that learned from text alone; the others do not compete.",
    ]


def _run_notes(run: Run, target: str, decoding: str) -> list[str]:
    """What a reader must know that the numbers do not say: sigma, rows left out, clips missing."""
    seed = run.seeds[0]
    estimate, split = run.gap(seed), run.split(target, "evaluation", audio=True)
    given = estimate.chosen == "given"
    origin = "given by the profile" if given else f"estimator {estimate.chosen}, {estimate.n} pairs"
    notes = [
        f"σ = {estimate.sigma_value:.3f} (σ² = {estimate.sigma_value**2:.4f}, d σ² = {estimate.noise_length:.2f} "
        f"at d = {estimate.dim}; {origin})."
    ]
    sigmas = [run.gap(other).sigma_value for other in run.seeds]
    if len(set(sigmas)) > 1:
        notes.append(f"That σ is seed {seed}'s; over the seeds it runs from {min(sigmas):.3f} to {max(sigmas):.3f}.")
    if in_domain(run, target):
        notes.append(IN_DOMAIN)
    notes += filter(None, [facts.own_pairs_note(run, target)])
    if reason := results.why_no_relative(run, target, decoding):
        notes.append(f"Relative performance is absent. {reason}")
    else:
        notes += _about_bound(run, target, decoding)
    reasons = {name: rows.left_out(run, target, name) for name in run.config.data.targets[target]}
    notes += [f"{name} is left out: {reason}." for name, reason in reasons.items() if reason]
    notes += [note for note in split.notes if note]
    if errors := run.audio(target, "evaluation", seed).errors:
        notes.append(f"{len(errors)} recordings could not be read and are left out, for example {next(iter(errors))}.")
    return notes


def _about_bound(run: Run, target: str, decoding: str) -> list[str]:
    bounds = results.bounds(run, target).items()
    chosen = ", ".join(f"{name} {100 * value:.1f}" for name, value in bounds if not pd.isna(value))
    how = f", chosen on the validation clips ({chosen} CIDEr-D)" if chosen else ""
    notes = [f"Rel.: the row's headline score in per cent of the bound's, {results.bound(run, target)}{how}."]
    if results.above_chance(run, target, decoding) is not None:
        notes.append("Above chance: the same once what captions on the wrong clips reach is taken from both.")
    return notes
