"""Code that makes artefacts does not change behind their backs: a change needs a new version, or the word that what
is made stayed the same.

    python tests/unit/test_versions.py --record          after raising VERSIONS in aaclib/store.py
    python tests/unit/test_versions.py --record --same   the code changed, what it makes did not
"""

import ast
import json
import sys
from pathlib import Path

import pytest
import yaml

from aaclib import provenance, store

PACKAGE = Path(store.__file__).parent
RECORD = Path(__file__).with_name("versions.json")

BACKENDS = ("clap/base.py", "clap/hf.py", "clap/laion.py", "clap/wavcaps.py", "clap/mel.py", "clap/tiny_model.py")
# kind -> what makes it: files, folders, or one function of a file; what only feeds in is in the artefact's key
MAKERS = {
    "scenes": ("datasets/made.py", "datasets/soundscapes", "datasets/music"),
    "scene-captions": ("datasets/made.py", "datasets/soundscapes", "datasets/music"),
    "tiny-clap": (
        "clap/tiny.py",
        "clap/tiny_files.py",
        "clap/tiny_model.py",
        "clap/tiny_training.py",
        "clap/tiny_words.py",
        "audio.py",
        "seeds.py",
    ),
    "audio-embeddings": (*BACKENDS, "embeddings.py", "shards.py", "audio.py", "containers.py"),
    "text-embeddings": (*BACKENDS, "embeddings.py", "shards.py", "clap/tiny_words.py"),
    "decoder": (
        "decoder.py",
        "train.py",
        "bridge.py",
        "steps.py",
        "text.py",
        "seeds.py",
        "decoders.py::make",
        "answering.py::make",
    ),
    "captions": ("decoder.py", "generate.py", "candidates.py", "metrics/cider_d.py"),
    "candidates": ("decoder.py", "generate.py", "candidates.py"),
    "tokens": ("metrics/ptb.py",),
    "meteor": ("metrics/meteor.py",),
    "spice": ("metrics/spice.py", "metrics/spice_worker.py"),
    "scores": (
        "metrics/bleu.py",
        "metrics/rouge_l.py",
        "metrics/cider_d.py",
        "metrics/spider.py",
        "metrics/result.py",
        "metrics/sbert_sim.py",
        "metrics/fer.py",
        "metrics/fense_models.py",
        "aggregates.py",
    ),
}


def trees(maker: str) -> list:
    """The syntax trees without docstrings of a file, of all files of a folder (of a table its content), or of one
    function."""
    path, _, function = maker.partition("::")
    place = PACKAGE / path
    if place.is_dir():
        files = [file for file in sorted(place.rglob("*")) if file.suffix in (".py", ".yaml")]
        return [tree for file in files for tree in trees(file.relative_to(PACKAGE).as_posix())]
    source = place.read_text(encoding="utf-8")
    if place.suffix == ".yaml":
        return [[maker, yaml.safe_load(source)]]
    if function:
        node = ast.parse(source)
        for name in function.split("."):
            node = next(child for child in node.body if getattr(child, "name", "") == name)
        source = ast.unparse(node)
    return [[maker, provenance.syntax(source)]]


def current() -> dict[str, dict]:
    code = {kind: store.digest([tree for maker in makers for tree in trees(maker)]) for kind, makers in MAKERS.items()}
    return {kind: {"version": store.VERSIONS[kind], "code": code[kind]} for kind in MAKERS}


def stale(now: dict, recorded: dict) -> dict[str, str]:
    """kind -> what to do about it."""
    advice = {}
    for kind, made in now.items():
        before = recorded.get(kind)
        if before == made:
            continue
        if before and before["version"] == made["version"]:
            advice[kind] = (
                f"The code that makes '{kind}' changed ({', '.join(MAKERS[kind])}). If what it makes changed too, "
                f"raise VERSIONS['{kind}'] in aaclib/store.py and run: python tests/unit/test_versions.py --record. "
                f"If it makes the same, run: python tests/unit/test_versions.py --record --same"
            )
        else:
            advice[kind] = f"'{kind}' has a version that is not on record: python tests/unit/test_versions.py --record"
    return advice


def test_every_kind_of_artefact_is_watched():
    assert set(MAKERS) == set(store.VERSIONS)


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_changed_code_has_a_new_version(kind):
    if not RECORD.exists():
        pytest.skip(f"{RECORD.name} is not recorded yet")
    problem = stale(current(), json.loads(RECORD.read_text())).get(kind)
    assert not problem, problem


def test_what_counts_as_a_change():
    same = provenance.syntax
    assert same('def f(x):\n    """Doc."""\n    return x  # why') == same("def f(x):\n\n    return x")
    assert same("x = 1") != same("x = 1.0") and same("x = 1") != same("x = True") and same("f(a)") != same("f(b)")
    assert same("class A:\n    'doc'\n    x: int = 2") == same("class A:\n    x: int = 2")
    assert same("x = 'text'") != same("x = 'other'")


def test_a_change_with_and_without_a_new_version():
    before = {"captions": {"version": 1, "code": "a"}}
    assert "raise VERSIONS['captions']" in stale({"captions": {"version": 1, "code": "b"}}, before)["captions"]
    assert "not on record" in stale({"captions": {"version": 2, "code": "b"}}, before)["captions"]
    assert stale(before, before) == {}


def test_one_function_of_a_file_can_be_watched():
    (tree,) = trees("store.py::Store.get")
    assert tree[0] == "store.py::Store.get" and "FunctionDef" in str(tree[1]) and "ClassDef" not in str(tree[1])


def test_the_tables_of_the_synthetic_worlds_are_watched():
    watched = {maker for maker, _ in trees("datasets/soundscapes")}
    assert {f"datasets/soundscapes/{name}.yaml" for name in ("words", "phrases", "worlds")} <= watched


def record(same: bool) -> int:
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    now = current()
    refused = {kind: advice for kind, advice in stale(now, recorded).items() if "raise VERSIONS" in advice}
    if refused and not same:
        print(*refused.values(), sep="\n")
        return 1
    store.write_json(RECORD, now)
    print(f"{RECORD} is up to date")
    return 0


if __name__ == "__main__":
    if "--record" not in sys.argv:
        sys.exit(__doc__)
    sys.exit(record("--same" in sys.argv))
