"""Files for a paper and for auditors: tidy CSV, LaTeX tables, macros of every number, scores of every clip."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from aaclib import escape, metrics, results, saving, stats, store
from aaclib.metrics import io
from aaclib.paths import raw_dir
from aaclib.tables.facts import missing_frame
from aaclib.tables.findings import Findings
from aaclib.tables.table import Cell, Row, Table

if TYPE_CHECKING:
    from aaclib.run import Run

DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def save_csv(run: Run, name: str, frame: pd.DataFrame, real: bool = False) -> Path | None:
    """Writes `run.tables`/`name`.csv, with a column that says so where it is of a synthetic world, which `real` numbers
    of such a run are not; its path, or None where that may not be written (aaclib.saving).

    >>> tables.save_csv(run, "captions_folder", pd.DataFrame({"clip": ["a.wav"], "caption": ["a dog barks"]}))
    """
    return saving.write_text(run, f"{name}.csv", _csv(run, frame, real))


def _csv(run: Run, frame: pd.DataFrame, real: bool = False) -> str:
    """With a column that says so where the numbers or captions were learned from a synthetic world; floats with nine
    digits, so that a second run writes the same bytes."""
    return escape.csv_frame(frame.assign(world="synthetic") if run.synthetic and not real else frame, "%.9g")


def macros(results: pd.DataFrame, relative: pd.DataFrame | None = None, prefix: str = "aac") -> str:
    r"""LaTeX macros for the text of a paper: \aacSoundscapesLongNoiseCiderD gives the number (x100, one decimal), with
    ...Low and ...High its interval, and ...Relative the relative performance in per cent. Beam rows carry 'Beam'."""
    lines = ["% numbers x100, made by aaclib; regenerate instead of editing"]
    for frame, ending in ((results, ""), (relative, "Relative")):
        if missing_frame(frame):
            continue
        for r in frame.loc[frame.value.notna()].to_dict("records"):
            beam = "beam" if r.get("decoding") == "beam" else ""
            name = "".join(map(letters, (r.get("target", ""), r["strategy"], beam, r["metric"])))
            for part, tail in (("value", ""), ("low", "Low"), ("high", "High")):
                if not pd.isna(r[part]):
                    lines.append(rf"\newcommand{{\{prefix}{name}{ending}{tail}}}{{{100 * r[part]:.1f}}}")
    for target, part in results.groupby("target", sort=False):
        if part.n.notna().any():
            lines.append(rf"\newcommand{{\{prefix}{letters(str(target))}N}}{{{int(part.n.max())}}}")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def letters(text: str) -> str:
    """'noise+projection' -> NoiseProjection, 'bleu_4' -> BleuFour: macro names hold letters alone."""
    words = re.findall(r"[A-Za-z]+|[0-9]", text)
    return "".join(DIGITS[int(w)] if w.isdigit() else w.capitalize() for w in words)


def export_run(run: Run, tables: Sequence[Table] = ()) -> list[Path]:
    """Writes everything below `run.tables` and returns the files: results.csv, relative.csv, above_chance.csv,
    content.csv and judged.csv (tidy, fractions), for each table LaTeX (also with all intervals, and for one column
    without notes) and Markdown, numbers.tex, per_clip/ with a CSV per row and seed. Nothing where the finished run has
    them (aaclib.saving)."""
    if not saving.may_save(run, "tables"):
        return []
    written: list[Path] = []

    def write(name: str, content: str) -> None:
        written.append(Path(run.tables) / name)
        store.write_text(written[-1], content)

    frames = whole(run)
    for name, frame in frames.items():
        write(f"{name}.csv", _csv(run, frame))
    if "results" in frames:
        write("numbers.tex", macros_of(frames))
    for table in tables:
        name = table.label.removeprefix("tab:")
        write(f"{name}.tex", table.latex())
        write(f"{name}_intervals.tex", table.latex(intervals=True))
        write(f"{name}_column.tex", table.latex(notes=False, column=True))
        write(f"{name}.md", table._repr_markdown_())
    for target, decoding in decodings(run):
        for row in [row for row in results.rows(run, target, decoding) if row.name != "human"]:
            for seed in run.seeds:
                frame = results.per_clip(run, target, row.name, seed, decoding)
                # a CSV has no lists: the references of a clip as one JSON text
                texts = [json.dumps(list(texts), ensure_ascii=False) for texts in frame.references]
                name = f"per_clip/{target}_{row.name}_{decoding}_seed{seed}.csv"
                write(name, _csv(run, frame.assign(references=texts)))
    return written


def whole(run: Run) -> dict[str, pd.DataFrame]:
    """Name of a file -> the tidy frame of all targets; without those that have no line."""
    scored = decodings(run)
    frames = {
        "results": [results.results(run, *place) for place in scored],
        "relative": [results.relative(run, *place) for place in scored],
        "above_chance": [results.above_chance(run, *place) for place in scored],
        "content": [results.by_content(run, target) for target, decoding in scored if decoding == "greedy"],
        "judged": [results.judgement(run, target) for target in run.targets],
    }
    there = {name: [part for part in parts if not missing_frame(part)] for name, parts in frames.items()}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in there.items() if parts}


def macros_of(frames: Mapping[str, pd.DataFrame]) -> str:
    """The macros of the frames of `whole`."""
    return macros(frames["results"], frames.get("relative"))


def decodings(run: Run) -> list[tuple[str, str]]:
    """(target, decoding) pairs that this run has rows for."""
    return [(target, kind) for target in run.targets for kind in ("greedy", "beam") if results.rows(run, target, kind)]


def other_systems(run: Run, target: str, folder: str | Path | None = None) -> list[Row]:
    """Rows for predictions of other systems on our evaluation clips, scored as ours are: every CSV, JSON or JSONL file
    in `folder` (data/raw/predictions/<target> unless given; formats: aaclib.metrics.io), named by its file name.
    Raises aaclib.metrics.FormatError naming the file and the clips that it has no caption for."""
    folder = Path(folder) if folder else raw_dir() / "predictions" / target
    files = sorted(p for p in folder.glob("*") if p.suffix in (".csv", ".json", ".jsonl")) if folder.is_dir() else []
    clips, rows = run.clips(target, "evaluation", run.seeds[0]) if files else (), []
    for path in files:
        candidates = io.for_clips(io.read_predictions(path), [clip.id for clip in clips])
        scores = metrics.evaluate(candidates, [list(clip.captions) for clip in clips], store=run.store)
        cells = {}
        for name, value in scores.corpus.items():
            interval = stats.interval(scores, name, run.config.metrics.bootstrap)
            cells[name] = Cell(100 * value, 100 * interval.low, 100 * interval.high)
        rows.append(Row(path.stem, "external", cells, n=len(clips), source=path.name))
    return rows


def source_list(rows: Sequence[Row]) -> Findings:
    """The sources of published rows, a sentence each."""
    return Findings(f"{row.name}: {row.source}" for row in rows if row.source)
