"""Metrics against pycocoevalcap's own evaluation, on the same captions: seconds, memory and equality.

    python benchmarks/metrics.py CAPTIONS.jsonl [--others CAPTIONS.csv] [--spice] [--out FILE.json]

CAPTIONS.jsonl: a clip a line with candidate and references. --others: a CSV with a `caption` column, whose captions are
the second caption set over the same references (without it, the candidates moved on by one clip, all known to SPICE).
--spice measures SPICE as well: theirs is its own classes as they stand, all annotators, no cache (its `main` cannot run
on current Java), with the full models from Maven Central (385 MB, once); ours is the installed one.
Every measurement is a fresh process with an empty cache; memory is the peak of the whole process tree.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

THEIRS = """
import json, sys, time
sets = json.load(open(sys.argv[1])); started = time.perf_counter(); laps = []
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.cider.cider import Cider
for candidates in sets["candidates"]:
    t = PTBTokenizer()
    gts = t.tokenize({i: [{"caption": r} for r in refs] for i, refs in enumerate(sets["references"])})
    res = t.tokenize({i: [{"caption": c}] for i, c in enumerate(candidates)})
    corpus = {}
    for name, scorer in (("bleu", Bleu(4)), ("meteor", Meteor()), ("rouge_l", Rouge()), ("cider_d", Cider())):
        arguments = {"verbose": 0} if name == "bleu" else {}
        value = scorer.compute_score(gts, res, **arguments)[0]
        corpus |= {f"bleu_{k + 1}": v for k, v in enumerate(value)} if name == "bleu" else {name: float(value)}
    laps.append({"seconds": time.perf_counter() - started, "corpus": corpus}); started = time.perf_counter()
print(json.dumps(laps))
"""

OURS = """
import json, sys, time
sets = json.load(open(sys.argv[1])); started = time.perf_counter(); laps = []
from aaclib import metrics
names = sys.argv[2].split(",")
for candidates in [*sets["candidates"], sets["candidates"][0]]:
    corpus = metrics.evaluate(candidates, sets["references"], names).corpus
    laps.append({"seconds": time.perf_counter() - started, "corpus": corpus}); started = time.perf_counter()
print(json.dumps(laps))
"""

THEIR_SPICE = """
import json, sys, time
sets = json.load(open(sys.argv[1])); jars = json.loads(sys.argv[2]); started = time.perf_counter(); laps = []
import jpype
from aaclib.metrics.java import java
jpype.startJVM(str(java().libjvm), "-Xmx8G", classpath=jars, convertStrings=True)
import os
J = jpype.JClass; jlist = J("java.util.ArrayList")
listed = lambda items: jlist(J("java.util.Arrays").asList(items))
for candidates in sets["candidates"]:
    parser = J("edu.anu.spice.SpiceParser")(None, os.cpu_count(), True)
    chunks = jlist()
    for refs in sets["references"]:
        chunks.add(J("java.lang.Integer")(len(refs)))
    refs = parser.parseCaptions(listed([r for refs in sets["references"] for r in refs]), chunks)
    tests = parser.parseCaptions(listed(candidates))
    stats = J("edu.anu.spice.SpiceStats")(J("java.util.HashMap")(), False)
    for i in range(len(candidates)):
        stats.score(str(i), tests.get(i), refs.get(i), True)
    values = [row["scores"]["All"]["f"] for row in json.loads(str(stats.toJSONString()))]
    laps.append({"seconds": time.perf_counter() - started, "corpus": {"spice": sum(values) / len(values)}})
    started = time.perf_counter()
print(json.dumps(laps))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captions", type=Path)
    parser.add_argument("--others", type=Path)
    parser.add_argument("--spice", action="store_true")
    parser.add_argument("--only-spice", action="store_true")
    parser.add_argument("--clips", type=int, default=10**9, help="the first so many clips only")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sets = read(args.captions, args.others, args.clips)
    report = {"clips": len(sets["references"]), "cores": os.cpu_count(), "rows": {}}
    with tempfile.TemporaryDirectory() as folder:
        box = Path(folder)
        (box / "sets.json").write_text(json.dumps(sets))
        if not args.only_spice:
            theirs = measure(THEIRS, box)
            names = list(theirs["laps"][0]["corpus"])
            ours = measure(OURS, box, ",".join(names), AACLIB_CACHE=box / "cache")
            report["rows"] |= compare("without SPICE", theirs, ours)
        if args.spice or args.only_spice:
            report["rows"] |= spice(box)
    for name, value in report["rows"].items():
        print(f"{name:45s} {value}")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n")


def read(captions: Path, others: Path | None, clips: int) -> dict:
    rows = [json.loads(line) for line in captions.read_text(encoding="utf-8").splitlines() if line][:clips]
    first = [row["candidate"] for row in rows]
    second = first[1:] + first[:1]
    if others:
        with open(others, newline="", encoding="utf-8") as handle:
            new = list(dict.fromkeys(row["caption"] for row in csv.DictReader(handle)))
        second = new[: len(rows)]
    return {"candidates": [first, second], "references": [row["references"] for row in rows]}


def spice(box: Path) -> dict:
    from aaclib.metrics import install_spice
    from aaclib.metrics.spice import _jars
    from aaclib.paths import cache_dir

    install_spice.install()
    full = str(install_spice.from_maven(box)[1])
    jars = [full if jar.endswith(install_spice.MODELS_JAR) else jar for jar in _jars()]
    (box / "cache-spice" / "spice").mkdir(parents=True)  # the program, without the tuples that are kept there
    for folder in (cache_dir() / "spice").iterdir():
        if folder.is_dir():
            (box / "cache-spice" / "spice" / folder.name).symlink_to(folder)
    theirs = measure(THEIR_SPICE, box, json.dumps(jars))
    ours = measure(OURS, box, "spice", AACLIB_CACHE=box / "cache-spice")
    return compare("SPICE", theirs, ours, tokens=False)


def compare(label: str, theirs: dict, ours: dict, tokens: bool = True) -> dict:
    a, b = theirs["laps"], ours["laps"]
    rows = {
        f"{label}: theirs, seconds a set": [round(lap["seconds"], 2) for lap in a],
        f"{label}: ours, cold / second set / known": [round(lap["seconds"], 2) for lap in b],
        f"{label}: times faster": [round(a[min(i, 1)]["seconds"] / b[i]["seconds"], 1) for i in range(3)],
        f"{label}: peak MiB, theirs / ours": [theirs["peak_mib"], ours["peak_mib"]],
    }
    if tokens:  # their SPICE row is not tokenised, so that its corpus value is another one
        rows[f"{label}: largest difference of a corpus value"] = max(
            abs(a[i]["corpus"][name] - b[i]["corpus"][name]) for i in (0, 1) for name in a[i]["corpus"]
        )
    return rows


def measure(script: str, box: Path, *arguments: str, **environment) -> dict:
    env = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(box / "sets.json"), *arguments], env=env, text=True, stdout=subprocess.PIPE
    )
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
    watcher.start()
    out, _ = process.communicate()
    if process.returncode:
        sys.exit(f"A measured process ended with {process.returncode}.")
    watcher.join()
    return {"laps": json.loads(out.strip().splitlines()[-1]), "peak_mib": round(peak[0] / 2**20)}


def _watch(process: subprocess.Popen, peak: list[int]) -> None:
    import psutil

    while process.poll() is None:
        total = 0
        try:
            root = psutil.Process(process.pid)
            for one in (root, *root.children(recursive=True)):
                try:
                    total += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
        except psutil.NoSuchProcess:
            break
        peak[0] = max(peak[0], total)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
