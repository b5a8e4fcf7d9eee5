"""What the notebooks beyond the paper answer, in sentences whose wording is chosen by their own numbers.

Each function takes the frames that its notebook made and returns `Findings`.
"""

from __future__ import annotations

import math
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
def across(kept: Frame, causes: Frame, unheard: Frame) -> Iterator[str]:
    """What is left of scores with another domain's text, why, and what a CLAP costs that never heard a sound.
    `kept`: evaluation, row, text, memory, metric, value, low, high (per cent of its own). `causes`: evaluation, row,
    metric, cause, value, low, high. `unheard`: row, what, heard, unheard, difference, low, high (fractions both)."""
    if kept.empty:
        yield "This run has one target, so nothing can be crossed."
    for (judged, own, metric), part in kept.groupby(["evaluation", kept.memory == kept.evaluation, "metric"]):
        of = "the domain's own memory" if own else "nothing of the domain"
        shares = ", ".join(
            f"{one.row} {one.value:.0f} [{_end(one.low)}, {_end(one.high)}]" for one in part.itertuples()
        )
        yield f"**{judged}, {_label(metric)}**: read in another domain, with {of}, rows keep (%): {shares}."
    for (judged, row, metric), part in causes.groupby(["evaluation", "row", "metric"], sort=False):
        of = {one.cause: one for one in part.itertuples()}
        larger = of["content less style"]
        more = "more of it is content" if larger.low > 0 else "more of it is style" if larger.high < 0 else ""
        told = f"style {_points(of['style'])} and content {_points(of['content'])}"
        yield (
            f"**{judged}, {row}, {_label(metric)}**: another domain's text costs {_points(of['loss'])}, "
            f"of which {told}; "
            f"{more or 'which of the two is larger these clips do not tell'}."
        )
    if unheard.empty:
        yield "The CLAP of this run was trained elsewhere: what it never heard is not known here."
    for one in unheard.itertuples():
        yield (
            f"**{one.row}, {one.what}**: {100 * one.heard:.1f} with a CLAP that heard these sounds, "
            f"{100 * one.unheard:.1f} with one that never did, {_change(one)} ({_points(one, 'difference')})."
        )


@listed
def text_scaling(changes: Frame, worth: Frame, tried: tuple[int, int]) -> Iterator[str]:
    """What more text and other text change, and what a pair is worth. `changes`: a, few, b, many (rows and their
    numbers of captions), metric, difference, low, high (fractions). `worth`: row, metric, and the fields of
    `scaling.Worth`. `tried`: the smallest and the largest number of captions."""
    for (a, b, metric), part in changes.groupby(["a", "b", "metric"], sort=False):
        told = ", ".join(
            f"{'at' if a != b else f'from {one.few:,} to'} {one.many:,} captions {_change(one)} "
            f"({_points(one, 'difference')})"
            for one in part.itertuples()
        )
        yield f"**{a if a == b else f'{b} instead of {a}'}, {_label(metric)}**: {told}."
    if worth.empty:
        yield "No row of this run learned from paired audio, so a pair has no price: name `supervised` in data.targets."
    for (row, metric), part in worth.groupby(["row", "metric"], sort=False):
        prices = []
        for one in part.itertuples():
            ends = one.captions, one.low, one.high
            whole = "{} captions do [{}, {}]".format(*(_reached(end, tried) for end in ends))
            each = "{} for one [{}, {}]".format(*(_reached(end, tried, one.pairs) for end in ends))
            prices.append(f"{one.pairs:,} pairs reach what {whole}, {each}")
        yield f"**{row}, {_label(metric)}**: {'; '.join(prices)}."


def _reached(found: float, tried: tuple[int, int], pairs: int | None = None) -> str:
    """A number of captions, of `Worth`; that for one of so many pairs."""
    least, most = (n / (pairs or 1) for n in tried)
    form = ",.1f" if pairs else ",.0f"
    if found == 0:
        return f"at most {least:{form}}"
    return f"over {most:{form}}" if math.isinf(found) else f"{found / (pairs or 1):{form}}"


def _end(bound: float) -> str:
    """A bound of a ratio in per cent; one whose divisor may be zero has none."""
    return "unknown" if math.isnan(bound) else f"{bound:.0f}"


def _change(one: Any) -> str:
    return "higher" if one.low > 0 else "lower" if one.high < 0 else "not known to change"


def _points(one: Any, name: str = "value") -> str:
    """A difference with its interval, x100."""
    return f"{100 * getattr(one, name):+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"


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
def best(table: Frame, test: Any, measures: Sequence[str]) -> Iterator[str]:
    """Whether the system that was frozen beforehand is better than the paper's best row. `table`: system, measures
    (x100), way (% of the way from the plain swap to the bound; NaN without a bound), the system's row last and the
    paper's best before it; `test`: their comparison by the first measure."""
    paper, ours = table.iloc[-2], table.iloc[-1]
    values = ", ".join(f"{_label(m)} {ours[m]:.1f} against {paper[m]:.1f}" for m in measures)
    yield f"**{ours.system}** beside the paper's highest row, {paper.system}: {values}."
    points = f"{100 * test.difference:+.1f} points, {100 * test.low:.1f} to {100 * test.high:.1f}, p = {test.p:.4f}"
    word = "cannot be told apart" if test.p >= ALPHA else "is better" if test.difference > 0 else "is worse"
    yield f"Over these clips, with these decoders, it **{word}** ({points}; a paired test, settings frozen before)."
    if ours.way == ours.way:  # else there is no bound
        gone = f"{ours.way:.0f} % of the way from the plain swap to the bound"
        yield f"It goes {gone}, the paper's row {paper.way:.0f} %."


@listed
def errors(counted: Frame, heard: Frame, in_order: Frame) -> Iterator[str]:
    """What rows miss, make up and turn round. `counted`: row, named per clip, missed and made up with their bounds, all
    right (%); `heard`: what, value, sounds, and a share (%) per row; `in_order`: row, clips, in order (%)."""
    for row, named, missed, m_low, m_high, made_up, u_low, u_high, whole in counted.itertuples(index=False):
        yield (
            f"**{row}**: names {named:.1f} sounds per clip, misses {missed:.0f} % [{m_low:.0f}, {m_high:.0f}] of what "
            f"is there, and {made_up:.0f} % [{u_low:.0f}, {u_high:.0f}] of what it names is made up; {whole:.0f} % of "
            "its captions name all and nothing else."
        )
    rows = [row for row in counted.row if row in heard and row not in ("human", "shuffled")]
    for what, part in heard.groupby("what", sort=False):
        shares, sounds = part.set_index("value")[rows].mean(axis=1) / 100, part.set_index("value").sounds
        if len(shares) > 1:
            high, low = shares.idxmax(), shares.idxmin()
            most, least = (_share(shares[value], sounds[value]) for value in (high, low))
            told = "" if most[1] > least[2] else "; these clips do not tell them apart"
            yield f"**by {what}**: most is named of {high}, {_bounds(*most)}, least of {low}, {_bounds(*least)}{told}."
    judged = in_order[in_order.iloc[:, 1] > 0]
    told = ", ".join(
        f"{row} {_bounds(*_share(share / 100, n))} of {n}" for row, n, share in judged.itertuples(index=False)
    )
    yield f"In the right order, of the captions that can be judged (a coin: 50 %): {told or 'none'}."


def _share(share: float, n: float) -> tuple[float, float, float]:
    """A share of n things with its interval (Wilson 1927)."""
    z = 1.96
    middle, reach = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, (middle - reach) / (1 + z * z / n), (middle + reach) / (1 + z * z / n)


def _bounds(value: float, low: float, high: float) -> str:
    return f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


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
    return _bounds(row.agreement, row.low, row.high)
