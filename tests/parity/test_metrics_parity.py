"""Every metric against pycocoevalcap's own evaluation and against the published per-clip values of a real system."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aaclib import aggregates, metrics
from aaclib.metrics import fense, install_spice, meteor, spice, spider, spider_fl
from aaclib.metrics.java import java
from aaclib.metrics.result import means
from aaclib.store import Store

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ORACLE = SHARED / "metrics_oracle" / "conette_audiocaps_test.jsonl"
PLAIN = ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider_d"]


@pytest.fixture(scope="module")
def oracle():
    if not ORACLE.exists():
        pytest.skip("../shared/data/metrics_oracle, the published values, is not here")
    rows = [json.loads(line) for line in ORACLE.read_text().splitlines()]
    return (
        [row["candidate"] for row in rows],
        [row["references"] for row in rows],
        {name: np.array([row["scores"][name] for row in rows]) for name in rows[0]["scores"]},
    )


@pytest.fixture(scope="module")
def installed_spice(tmp_path_factory):
    if not (SHARED / "spice").is_dir():
        pytest.skip("../shared/data/spice, the files that SPICE needs, is not here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AACLIB_CACHE", str(tmp_path_factory.mktemp("cache")))
        install_spice.install(SHARED / "spice")
        yield
        spice.worker().stop()


def test_any_path_any_locale_and_options_for_other_javas(installed_spice, tmp_path):
    """Jars, models and temporary files in a folder of other letters and blanks, Java told to take 64 MB; and nothing is
    written beside the jars, which may be read-only."""
    names, captions = ["bleu_1", "meteor", "spice"], (["A dog barks."], [["a dog is barking", "barking of a dog"]])
    expected = metrics.evaluate(*captions, names, store=False).corpus
    folder, jars = tmp_path / "Ä日 mit Raum", meteor.pycocoevalcap()
    folder.mkdir()
    (folder / "pycocoevalcap").symlink_to(jars)
    (folder / "spice").symlink_to(install_spice.folder().parent)
    before = {path: path.stat().st_mtime_ns for path in jars.rglob("*") if "__pycache__" not in path.parts}
    script = f"from aaclib import metrics\nprint(metrics.evaluate(*{captions}, {names}, store=False).corpus)"
    path = os.pathsep.join([str(folder), str(Path(metrics.__file__).parents[2])])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LC_") and name != "LANG"}
    environment |= {
        "LC_ALL": "C",
        "PYTHONPATH": path,
        "AACLIB_CACHE": str(folder),
        "TMPDIR": str(folder),
        **dict.fromkeys(("_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"), "-Xmx64m"),
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == str(expected), done.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_published_values_of_912_clips(oracle):
    candidates, references, published = oracle
    scores = metrics.evaluate(candidates, references, PLAIN, tokenize=False, store=False)
    for name in PLAIN:
        assert np.abs(scores.per_clip[name] - published[name]).max() < 1e-9, name
    again = metrics.evaluate(candidates[:50], references[:50], ["meteor"], tokenize=False, store=False)
    np.testing.assert_array_equal(again.per_clip["meteor"], scores.per_clip["meteor"][:50])


def test_pycocoevalcaps_own_evaluation(oracle, monkeypatch):
    """Tokenised by both; per clip and for the corpus."""
    monkeypatch.setenv("PATH", f"{java().executable.parent}{os.pathsep}{os.environ['PATH']}")  # it calls plain `java`
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    candidates = [f"{c[0].upper()}{c[1:]}, really." if i % 3 else c for i, c in enumerate(oracle[0])]
    references = [[f"The man's dog: {r}!" if i % 7 == 0 else r for r in refs] for i, refs in enumerate(oracle[1])]
    candidates[:40] = [refs[0] for refs in references[:40]]  # perfect matches count apart in corpus METEOR
    gts = PTBTokenizer().tokenize({i: [{"caption": r} for r in refs] for i, refs in enumerate(references)})
    res = PTBTokenizer().tokenize({i: [{"caption": c}] for i, c in enumerate(candidates)})
    theirs = {
        name: scorer.compute_score(gts, res)
        for name, scorer in (("meteor", Meteor()), ("rouge_l", Rouge()), ("cider_d", Cider()))
    }
    corpus, per_clip = Bleu(4).compute_score(gts, res, verbose=0)
    theirs |= {f"bleu_{k + 1}": (corpus[k], per_clip[k]) for k in range(4)}
    ours = metrics.evaluate(candidates, references, PLAIN, store=False)
    for name, (value, values) in theirs.items():
        assert np.abs(ours.per_clip[name] - np.array(values)).max() < 1e-9, name
        assert ours.corpus[name] == pytest.approx(value, abs=1e-9), name


def test_a_resampled_meteor_is_the_jars_own(oracle):
    """Corpus METEOR of a resample from the per-clip counts, against scoring the resample."""
    candidates, references, _ = oracle
    rows = np.random.default_rng(0).integers(0, 200, size=120)
    rows[:3] = next(i for i, (c, refs) in enumerate(zip(candidates, references, strict=True)) if c in refs)
    scores = metrics.evaluate(candidates, references, ["meteor"], tokenize=False, store=False)
    counts = scores.statistics["meteor"][rows]
    jar = meteor.worker()
    lines = [meteor._line(candidates[i], references[i]) for i in rows]
    with jar.lock:
        jar.send("".join(f"{line}\n" for line in lines))
        answers = [jar.answer(60).decode().strip() for _ in lines]
        jar.send(f"EVAL ||| {' ||| '.join(answers)}\n")
        values = [float(jar.answer(60)) for _ in range(len(lines) + 1)]
    assert aggregates.corpus("meteor", counts) == pytest.approx(values[-1], abs=1e-12)
    assert abs(np.mean(values[:-1]) - values[-1]) > 1e-4  # which the mean of the clips is not


def test_odd_captions_go_through():
    odd = ["", "|||", "a \U0001f600 dog", "x" * 10000, "dog " * 2500, "two\nlines", "'s"]
    scores = metrics.evaluate(odd, [["a dog barks", "a dog"]] * len(odd), PLAIN, store=False)
    assert scores.per_clip.notna().all().all() and (scores.per_clip["meteor"][:2] == 0).all()
    assert scores.per_clip["meteor"][2] > 0.3 and len(scores.notes) == 1


def test_formulas_of_the_combined_metrics(oracle):
    _, _, published = oracle
    part = {name: means(values) for name, values in published.items()}
    made = {
        **spider.combine(part["cider_d"], part["spice"]),
        **fense.combine(part["sbert_sim"], part["fer"]),
        **spider_fl.combine(part["spider"], part["fer"]),
    }
    for name, result in made.items():
        assert np.abs(result.per_clip - published[name]).max() < 1e-12, name
    assert published["fer"].sum() > 0


def test_spice_of_some_clips(oracle, installed_spice, tmp_path):
    candidates, references, published = (part[:30] for part in (oracle[0], oracle[1], oracle[2]["spice"]))
    store = Store(tmp_path)
    result = spice.compute(candidates, references, store)["spice"]
    assert np.abs(result.per_clip - published).max() < 1e-12 and not result.failures
    turned = spice.compute(candidates[::-1], references[::-1], store)["spice"]
    np.testing.assert_array_equal(turned.per_clip[::-1], result.per_clip)


@pytest.mark.slow
def test_spice_and_spider_of_all_clips(oracle, installed_spice, tmp_path):
    candidates, references, published = oracle
    scores = metrics.evaluate(candidates, references, ["spice", "spider"], tokenize=False, store=Store(tmp_path))
    assert np.abs(scores.per_clip["spice"] - published["spice"]).max() < 1e-12
    assert np.abs(scores.per_clip["spider"] - published["spider"]).max() < 1e-12


@pytest.mark.slow
def test_a_caption_too_long_to_parse_is_named(installed_spice):
    result = spice.compute(["dog " * 2000, "a dog barks"], [["a dog barks"]] * 2)["spice"]
    assert np.isnan(result.per_clip[0]) and result.per_clip[1] == 1
    assert "(2000 words)" in result.failures[0] and "memory" in result.failures[0]
