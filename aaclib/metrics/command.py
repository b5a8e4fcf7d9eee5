"""`aaclib metrics CANDIDATES REFERENCES` and `aaclib metrics install-spice [--from PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from aaclib import stats
from aaclib.escape import csv_frame
from aaclib.metrics import NAMES, MetricError, Scores, evaluate, io
from aaclib.metrics.install_spice import install, installed
from aaclib.store import write_json, write_text

INSTALL = "install-spice"
EXAMPLES = f"""\
examples:
  aaclib metrics predictions.csv clotho_captions_evaluation.csv
  aaclib metrics results.json annotations.json --metrics cider_d,spice,spider --per-clip scores.csv
  aaclib metrics {INSTALL}                      from Maven Central, 385 MB once, 16 MB kept
  aaclib metrics {INSTALL} --from FOLDER        from the jars or Stanford's zip of CoreNLP 3.6.0"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("candidates", metavar="CANDIDATES", help=f"predicted captions (CSV, JSON, JSONL), or {INSTALL}")
    parser.add_argument("references", metavar="REFERENCES", nargs="?", help="reference captions (CSV, JSON, JSONL)")
    parser.add_argument("--metrics", help=f"comma-separated, of {', '.join(NAMES)}; default: all that can run here")
    parser.add_argument("--tokenized", action="store_true", help="the captions are PTB tokens already")
    parser.add_argument("--partial", action="store_true", help="score the clips that both files have")
    parser.add_argument("--ids", default="", help="column of clip names in both files, if unusual")
    parser.add_argument("--caption", default="", help="column of predicted captions, if unusual")
    parser.add_argument("--reference", default="", help="column of reference captions, if unusual")
    parser.add_argument("--bootstrap", type=int, default=stats.N_BOOT, help="resamples for the 95%% intervals; 0: none")
    parser.add_argument("--per-clip", type=Path, metavar="CSV", help="write each clip's captions and scores")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the corpus values")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep earlier results")
    parser.add_argument("--from", dest="source", metavar="PATH", help=f"{INSTALL}: a folder, jar or zip, not Maven")
    parser.add_argument("--repository", metavar="URL", help=f"{INSTALL}: a Maven repository other than Central")
    parser.add_argument("--force", action="store_true", help=f"{INSTALL}: even where it is installed")


def run(args: argparse.Namespace) -> int:
    if args.candidates == INSTALL and not args.references:
        folder = install(args.source, args.repository, args.force)
        size = sum(jar.stat().st_size for jar in installed()) / 2**20
        print(f"SPICE is installed in {folder} ({size:.0f} MiB).")
        return 0
    if not args.references:
        raise MetricError("A file of references is needed as well: aaclib metrics CANDIDATES REFERENCES")
    predictions = io.read_predictions(args.candidates, args.ids, args.caption)
    clips, candidates, references, notes = io.match(
        predictions, io.read_references(args.references, args.ids, args.reference), args.partial
    )
    names = [name.strip() for name in args.metrics.split(",") if name.strip()] if args.metrics else None
    scores = evaluate(candidates, references, names, not args.tokenized, store=False if args.no_cache else None)
    table = _table(scores, args.bootstrap)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    intervals = " 95 % bootstrap intervals." if args.bootstrap else ""
    print(f"{scores.n} clips. Fractions, not percent; CIDEr-D runs to 10.{intervals}")
    for note in (*notes, *scores.notes, *(f"{name}: {why}" for name, why in scores.missing.items())):
        print(note, file=sys.stderr)
    if args.per_clip:
        texts = [json.dumps(refs, ensure_ascii=False) for refs in references]
        frame = pd.DataFrame({"clip": clips, "candidate": candidates, "references": texts})
        write_text(args.per_clip, csv_frame(pd.concat([frame, scores.per_clip], axis=1)))
    if args.out:
        about = {"clips": scores.n, "missing": scores.missing, "notes": [*notes, *scores.notes]}
        write_json(args.out, {**about, "corpus": table.set_index("metric").to_dict("index")})
    return 1 if scores.lost else 0


def _table(scores: Scores, n_boot: int) -> pd.DataFrame:
    rows = []
    for name, value in scores.corpus.items():
        interval = stats.interval(scores, name, n_boot) if n_boot else None
        rows.append((name, value, interval and interval.low, interval and interval.high))
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])
