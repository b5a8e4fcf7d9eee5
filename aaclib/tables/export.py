"""Files for a paper and for auditors: tidy CSV, LaTeX tables, macros of every number, scores of every clip."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from aaclib import store
from aaclib.tables.facts import has_references, missing_frame
from aaclib.tables.table import Cell, Row, Table

DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


class PredictionError(ValueError):
    """A file of predictions that does not fit the evaluation clips; the message names the file and the clip."""


def write_csv(frame: pd.DataFrame, path: str | Path) -> Path:
    """A frame as CSV, whole or not at all; floats with nine digits, so that a second run writes the same bytes."""
    store.write_text(
        path, frame.to_csv(index=False, float_format="%.9g", quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    )
    return Path(path)


def write_latex(table: Table, path: str | Path, intervals: bool = False) -> Path:
    store.write_text(path, table.latex(intervals))
    return Path(path)


def macros(results: pd.DataFrame, relative: pd.DataFrame | None = None, prefix: str = "aac") -> str:
    r"""LaTeX macros for the text of a paper: \aacSoundscapesLongNoiseCiderD gives the number (x100, one decimal), with
    ...Low and ...High its interval, and ...Relative the relative performance in per cent. Beam rows carry 'Beam'."""
    lines = ["% numbers x100, made by aaclib; regenerate instead of editing"]
    for frame, ending in ((results, ""), (relative, "Relative")):
        if frame is None or frame.empty:
            continue
        for r in frame.to_dict("records"):
            if pd.isna(r["value"]):
                continue
            beam = "beam" if r.get("decoding", "greedy") == "beam" else ""
            name = (
                prefix
                + letters(r.get("target", ""))
                + letters(r["strategy"])
                + letters(beam)
                + letters(r["metric"])
                + ending
            )
            for part, tail in (("value", ""), ("low", "Low"), ("high", "High")):
                if not pd.isna(r[part]):
                    lines.append(rf"\newcommand{{\{name}{tail}}}{{{100 * r[part]:.1f}}}")
    for target, part in results.groupby("target", sort=False):
        if part.n.notna().any():
            lines.append(rf"\newcommand{{\{prefix}{letters(target)}N}}{{{int(part.n.max())}}}")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def letters(text: str) -> str:
    """'noise+projection' -> NoiseProjection, 'bleu_4' -> BleuFour: macro names hold letters alone."""
    words = re.findall(r"[A-Za-z]+|[0-9]", text)
    return "".join(DIGITS[int(w)] if w.isdigit() else w.capitalize() for w in words)


def export_run(exp: Any, tables: Sequence[Table] = ()) -> list[Path]:
    """Writes everything below `exp.tables` and returns the files: results.csv (tidy, fractions), relative.csv, for each
    table LaTeX (also with all intervals) and Markdown, numbers.tex, per_clip/ with a CSV a row and seed."""
    folder, written = Path(exp.tables), []
    scored = [(t, d) for t, d in decodings(exp) if has_references(exp, t)]
    results = [exp.results(target, decoding) for target, decoding in scored]
    relatives = [frame for t, d in scored if not missing_frame(frame := exp.relative(t, d))]
    tidy = pd.concat([r for r in results if len(r)], ignore_index=True) if any(map(len, results)) else pd.DataFrame()
    relative = pd.concat(relatives, ignore_index=True) if relatives else None
    if len(tidy):
        written.append(write_csv(tidy, folder / "results.csv"))
        store.write_text(folder / "numbers.tex", macros(tidy, relative))
        written.append(folder / "numbers.tex")
    if relative is not None:
        written.append(write_csv(relative, folder / "relative.csv"))
    for table in tables:
        name = table.label.removeprefix("tab:")
        written += [
            write_latex(table, folder / f"{name}.tex"),
            write_latex(table, folder / f"{name}_intervals.tex", intervals=True),
        ]
        store.write_text(folder / f"{name}.md", table._repr_markdown_())
        written.append(folder / f"{name}.md")
    for target, decoding in decodings(exp):
        for row in exp.rows(target, decoding) if has_references(exp, target) else ():
            for seed in exp.seeds if row.name != "human" else ():
                path = folder / "per_clip" / f"{target}_{row.name}_{decoding}_seed{seed}.csv"
                written.append(write_csv(audit(exp.per_clip(target, row.name, seed, decoding)), path))
    return [*written, *_captions(exp, folder)]


def _captions(exp: Any, folder: Path) -> list[Path]:
    """Recordings without references: their captions alone, one column a row of the table."""
    written, seed = [], exp.seeds[0]
    for target in [t for t in exp.targets if not has_references(exp, t)]:
        frame = pd.DataFrame({"clip": [clip.id for clip in exp.clips(target, "evaluation", seed)]})
        for row in [r for r in exp.strategies(target) if r.name != "human"]:
            frame[row.name] = exp.captions(target, row.name, seed)
        written.append(write_csv(frame, folder / f"captions_{target}.csv"))
    return written


def decodings(exp: Any) -> list[tuple[str, str]]:
    """(target, decoding) pairs that this run computes."""
    beam = ["beam"] if exp.config.generate.beam_rows else []
    return [(target, decoding) for target in exp.targets for decoding in ("greedy", *beam)]


def audit(frame: pd.DataFrame) -> pd.DataFrame:
    """A per-clip frame with its lists of references as one JSON text a clip, which a CSV can hold."""
    flat = frame.copy()
    if "references" in flat:
        flat["references"] = [
            r if isinstance(r, str) else json.dumps(list(r), ensure_ascii=False) for r in flat["references"]
        ]
    return flat


def read_predictions(path: str | Path, ids: Sequence[str]) -> list[str]:
    """Captions of another system, in the order of `ids` (the evaluation clips).

    CSV as in DCASE (file_name, caption_predicted; the second column whatever its name) or COCO results JSON (a list of
    {"image_id" or "file_name": ..., "caption": ...}). Raises PredictionError for a clip without a prediction, for a
    clip with two, and for an empty caption; predictions for other clips are ignored.
    """
    path = Path(path)
    if path.suffix == ".json":
        entries = [
            (str(e.get("file_name", e.get("image_id", e.get("id")))), str(e.get("caption", "")))
            for e in json.loads(path.read_text())
        ]
    else:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        if not rows or len(rows[0]) < 2:
            raise PredictionError(f"{path}: expected two columns, file_name and caption_predicted.")
        columns = [c.strip().lower() for c in rows[0]]
        caption = next(
            (columns.index(c) for c in ("caption_predicted", "caption", "candidate", "prediction") if c in columns), 1
        )
        entries = [(row[0], row[caption]) for row in rows[1:] if row]
    found: dict[str, str] = {}
    for clip, text in entries:
        if clip in found:
            raise PredictionError(f"{path}: clip '{clip}' has two predictions; keep one.")
        if clip in set(ids) and not text.strip():
            raise PredictionError(f"{path}: the caption of clip '{clip}' is empty.")
        found[clip] = text.strip()
    if absent := [clip for clip in ids if clip not in found]:
        raise PredictionError(
            f"{path}: {len(absent)} of {len(ids)} evaluation clips have no prediction, for example '{absent[0]}'."
        )
    return [found[clip] for clip in ids]


def other_systems(exp: Any, target: str, folder: str | Path | None = None) -> list[Row]:
    """Rows for predictions of other systems on our evaluation clips, scored as ours are: every CSV or JSON file in
    `folder` (data/raw/predictions/<target> unless given), named by its file name."""
    from aaclib import metrics
    from aaclib.config import raw_dir

    folder = Path(folder) if folder else raw_dir() / "predictions" / target
    rows = []
    clips = exp.split(target, "evaluation").clips
    for path in sorted(p for p in folder.glob("*") if p.suffix in (".csv", ".json")) if folder.is_dir() else ():
        candidates = read_predictions(path, [clip.id for clip in clips])
        scores = metrics.evaluate(candidates, [list(clip.captions) for clip in clips], store=exp.store)
        rows.append(
            Row(
                path.stem,
                "external",
                {m: Cell(100 * v) for m, v in scores.corpus.items()},
                n=len(clips),
                source=str(path.name),
            )
        )
    return rows


def source_list(rows: Sequence[Row]) -> str:
    """The sources of published rows as Markdown lines."""
    return "\n".join(f"- {row.name}: {row.source}" for row in rows if row.source)
