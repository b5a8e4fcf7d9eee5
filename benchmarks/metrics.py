"""Metrics against pycocoevalcap's own evaluation of the same captions, each in a fresh process: BLEU, METEOR, ROUGE-L,
CIDEr-D; cold, for a second caption set over the same references, and where all is known; peak memory of Python.

The captions are those of the synthetic world, and are scored against each other; equality is tests/parity's business.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from table import Row, child, exponent

THEIRS = """
import contextlib, io, json, resource, sys, time
sets = json.load(open(sys.argv[1])); laps = []
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.cider.cider import Cider
for candidates in sets["candidates"][:2]:
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        t = PTBTokenizer()
        gts = t.tokenize({i: [{"caption": r} for r in refs] for i, refs in enumerate(sets["references"])})
        res = t.tokenize({i: [{"caption": c}] for i, c in enumerate(candidates)})
        for scorer in (Bleu(4), Meteor(), Rouge(), Cider()):
            scorer.compute_score(gts, res)
    laps.append(time.perf_counter() - started)
print(json.dumps({"laps": laps, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
OURS = """
import json, resource, sys, time
sets = json.load(open(sys.argv[1])); laps = []
from aaclib import metrics
for candidates in [*sets["candidates"], sets["candidates"][0]]:
    started = time.perf_counter()
    metrics.evaluate(candidates, sets["references"], sys.argv[2].split(","))
    laps.append(time.perf_counter() - started)
print(json.dumps({"laps": laps, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
NAMES = "bleu_1,bleu_4,meteor,rouge_l,cider_d"


def measure(tiny: bool = False) -> list[Row]:
    """Rows for the three cases, and one for how the cost grows with the clips."""
    clips = 12 if tiny else 1000
    sizes = [clips // 4, clips // 2, clips]
    grown = []
    with tempfile.TemporaryDirectory() as name:
        sets = Path(name, "sets.json")
        for n in sizes:
            sets.write_text(json.dumps(captions(n)))
            box = {**os.environ, "AACLIB_CACHE": str(Path(name, f"cache{n}"))}
            ours = child(OURS, sets, NAMES, environment=box)
            grown.append(ours["laps"][1])
        theirs = child(THEIRS, sets)
    note = f"{clips} clips with 5 references"
    cases = (("cold", 0, 0), ("second caption set", 1, 1), ("known", 2, 1))
    rows = [Row(name, ours["laps"][i], theirs["laps"][j], note=note) for name, i, j in cases]
    growth = f"{sizes[0]} to {clips} clips, second set: seconds grow with the power {exponent(sizes, grown):.2f}"
    return [
        *rows,
        Row("peak memory", ours["mib"], theirs["mib"], note=f"of Python alone; {growth}", unit="MiB"),
    ]


def captions(n: int) -> dict:
    """Two caption sets of n clips, and five references of each clip."""
    from aaclib.datasets.soundscapes.grammar import captions as write
    from aaclib.datasets.soundscapes.scenes import scene
    from aaclib.datasets.soundscapes.worlds import get

    written = [write(scene(get("long"), "evaluation", i)) for i in range(n)]
    first = [one[0] for one in written]
    return {"candidates": [first, first[1:] + first[:1]], "references": [list(one) for one in written]}
