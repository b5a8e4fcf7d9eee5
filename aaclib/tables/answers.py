"""What the notebooks beyond the paper answer, in sentences whose wording is chosen by their own numbers.

Each function takes the frames that its notebook made and returns `Findings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aaclib.plots.results import METRIC_LABELS
from aaclib.results import ALPHA
from aaclib.tables.findings import listed

Frame = Any  # a pandas DataFrame, of whose groups and rows its types know too little


@listed
def sensitivity(curves: Mapping[str, Frame], spread: Frame) -> Iterator[str]:
    """Where each curve is highest, and over which range it cannot be told from there. `curves`: name -> x, metric,
    value, low, high (fractions). `spread`: "std" of the scores (fractions) over draws of pairs, by metric and pairs."""
    for name, frame in curves.items():
        for metric, part in frame.groupby("metric", sort=False):
            best, worst = part.loc[part.value.idxmax()], part.loc[part.value.idxmin()]
            level = part[part.high >= best.value]
            yield (
                f"**{name}, {_label(metric)}**: highest at {best.x:g} ({100 * best.value:.1f}), lowest at {worst.x:g} "
                f"({100 * worst.value:.1f}); intervals reach the highest from {level.x.min():g} to {level.x.max():g}."
            )
    for metric, part in spread.groupby(level="metric", sort=False):
        by_size = part.droplevel("metric")["std"].mul(100)
        told = ", ".join(f"{value:.1f} ({size} pairs)" for size, value in by_size.items())
        yield f"**pairs, {_label(metric)}**: over draws of pairs it varies by a standard deviation of {told} points."


@listed
def across(kept: Frame, measures: Sequence[str]) -> Iterator[str]:
    """What is left of each row's scores with another domain's text. `kept`: evaluation, row, text, memory, and for each
    measure "<measure> kept (%)"."""
    if kept.empty:
        yield "This run has one target, so nothing can be crossed."
        return
    for (judged, own_memory), part in kept.groupby(["evaluation", kept.memory == kept.evaluation]):
        shares = [f"{_label(m)} {part[f'{m} kept (%)'].mean():.0f} %" for m in measures]
        rows = ", ".join(dict.fromkeys(part.row))
        of = "the domain's own memory" if own_memory else "nothing of the domain"
        yield f"**{judged}**: read in another domain, with {of}, rows keep on average {', '.join(shares)} ({rows})."


@listed
def bridges(curve: Frame, without: Mapping[str, float], table: Frame) -> Iterator[str]:
    """From how many pairs on a learned bridge pays, and which rows differ from the plain swap.

    `curve`: bridge, decoder, pairs and the headline metric, a line per draw of pairs. `without`: that metric of rows
    which need no pairs. `table`: row, metric and difference (x100), p (Holm), a line per row."""
    metric = curve.columns[3]
    for (decoder, name), part in curve.groupby(["decoder", "bridge"]):
        lowest, above = part.groupby("pairs")[metric].min(), []
        for row, value in without.items():
            enough = [size for size in lowest.index if (lowest.loc[size:] > value).all()]
            above.append(f"{row} from {enough[0]} pairs on" if enough else f"{row} with no number of pairs tried")
        yield f"**{name}, {decoder} decoder**: in every draw above {', '.join(above)}."
    told = table[table.p < ALPHA]
    for word, rows in (("better", told[told.difference > 0]), ("worse", told[told.difference < 0])):
        names = ", ".join(rows.sort_values("difference").row[::-1]) or "none"
        yield f"{word} than the plain swap over these clips, with these decoders: {names}."
    best = table.loc[table[metric].idxmax()]
    yield f"The highest {_label(metric)} has {best.row}, {best[metric]:.1f}."


BOUNDS = ("supervised", "reconstruction", "human", "copy", "shuffled", "question alone", "majority")  # no strategies


@listed
def other_tasks(captioned: Frame, attributes: Frame, told: Frame, accuracy: Frame) -> Iterator[str]:
    """Whether the strategies help with music and with questions. All x100.

    `captioned`: row, CIDEr-D, low, high, "against the plain swap", p (Holm). `attributes`: row, attribute, what
    ("recall", "right when said"), value, low, high. `told`: attribute, values, "chance (%)", "told from z_a (%)".
    `accuracy`: row, kind, accuracy, low, high, and "difference, ..." and "p, ..." (Holm) of "question alone" and
    "baseline"."""
    weak = captioned[~captioned.row.isin(BOUNDS)]
    best, bound = weak.loc[weak["CIDEr-D"].idxmax()], captioned.set_index("row")["CIDEr-D"].get("supervised")
    yield (
        f"**music**: {best.row} has the highest CIDEr-D of the rows that heard none of it, {_span(best, 'CIDEr-D')}; "
        f"supervised has {bound:.1f}. {_against(weak, 'against the plain swap', 'p', 'the plain swap')}"
    )
    sure = attributes[(attributes.row == best.row) & (attributes.what == "right when said")].set_index("attribute")
    for about, _, chance, share in told.itertuples(index=False):
        said = sure.loc[about]
        caption = (
            f"says it right in {_span(said, 'value')} % of the captions that say it" if said.n else "never says it"
        )
        yield f"**{about}**: told from z_a in {share:.0f} % (chance {chance:.0f} %); {best.row} {caption}."
    for kind, part in accuracy.groupby("kind", sort=False):
        rows, weak = part.set_index("row"), part[~part.row.isin(BOUNDS)]
        best = weak.loc[weak.accuracy.idxmax()]
        known = {
            row: rows.accuracy[row] for row in ("question alone", "reconstruction", "supervised") if row in rows.index
        }
        yield (
            f"**questions, {kind}**: best without recordings is {best.row}, {_span(best, 'accuracy')} %; "
            f"{', '.join(f'{row} {value:.1f}' for row, value in known.items())}. "
            f"{_against(weak, 'difference, question alone', 'p, question alone', 'question alone')} "
            f"{_against(weak, 'difference, baseline', 'p, baseline', 'the plain swap')}"
        )


def _span(row: Any, name: str) -> str:
    return f"{row[name]:.1f} [{row.low:.1f}, {row.high:.1f}]"


def _against(rows: Frame, difference: str, p: str, other: str) -> str:
    """Which rows differ from another one, over these clips."""
    found = rows[rows[p] < ALPHA]
    better = ", ".join(found[found[difference] > 0].row) or "none"
    worse = ", ".join(found[found[difference] < 0].row)
    return f"Better than {other}: {better}{f'; worse: {worse}' if worse else ''}."


@listed
def errors(counted: Frame, heard: Frame, in_order: Frame) -> Iterator[str]:
    """What rows miss, make up and turn round. `counted`: row, named per clip, missed, made up, all right (%); `heard`:
    what, value, sounds, and a share (%) per row; `in_order`: row, clips, in order (%)."""
    for row, named, missed, made_up, whole in counted.itertuples(index=False):
        yield (
            f"**{row}**: names {named:.1f} sounds per clip, misses {missed:.0f} % of what is there, and "
            f"{made_up:.0f} % of what it names is made up; {whole:.0f} % of its captions name all and nothing else."
        )
    rows = [row for row in counted.row if row in heard and row not in ("human", "shuffled")]
    for what, part in heard.groupby("what", sort=False):
        shares = part.set_index("value")[rows].mean(axis=1)
        if len(shares) > 1:
            high, low = shares.idxmax(), shares.idxmin()
            most, least = f"{high} ({shares[high]:.0f} %)", f"{low} ({shares[low]:.0f} %)"
            yield f"**by {what}**: most is named of {most}, least of {least}."
    judged = in_order[in_order.iloc[:, 1] > 0]
    told = ", ".join(f"{row} {share:.0f} % of {n}" for row, n, share in judged.itertuples(index=False))
    yield f"In the right order, of the captions that can be judged: {told or 'none'}."


@listed
def people(judged: Frame, noticed: Frame) -> Iterator[str]:
    """How often metrics prefer what people prefer, and which notice what is made up. Both frames: set, kind, metric,
    agreement, low, high (fractions), clips, pairs."""
    for (name, kind), part in judged.groupby(["set", "kind"], sort=False):
        best, worst = part.loc[part.agreement.idxmax()], part.loc[part.agreement.idxmin()]
        guess = [_label(row.metric) for row in part.itertuples() if row.low <= 0.5]
        yield (
            f"**{name}, {kind}**: {_label(best.metric)} agrees with people most often, in {_percent(best)} of "
            f"{best.pairs} pairs; {_label(worst.metric)} least, in {_percent(worst)}. No better than a coin: "
            f"{', '.join(guess) or 'none'}."
        )
    for name, part in noticed.groupby("set", sort=False):
        ordered = part.sort_values("agreement", ascending=False)
        shares = ", ".join(f"{_label(row.metric)} {_percent(row)}" for row in ordered.itertuples())
        yield f"**{name}, a thing that is not heard**: the true caption scores higher by {shares}."


def _label(metric: Any) -> str:
    return METRIC_LABELS.get(metric, metric)


def _percent(row: Any) -> str:
    return f"{100 * row.agreement:.0f} % [{100 * row.low:.0f}, {100 * row.high:.0f}]"
