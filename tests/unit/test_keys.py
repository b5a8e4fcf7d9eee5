"""Nothing is kept under a key that does not know what it was made of: for every kind of artefact and cache at once.

A kind stands in front of another where that other one is looked up while it is being made. Then a new version of the
inner kind must lead to another key of the outer one, or the outer one would hide the inner one's change for ever.
"""

import pytest
from test_metrics_lost import fake  # noqa: F401
from test_metrics_workers import fake_spice  # noqa: F401

import aaclib
from aaclib import metrics
from aaclib.cache import Cache
from aaclib.store import VERSIONS, Store

CANDIDATES, REFERENCES = ["A dog barks.", "Rain falls."], [["a dog is barking"], ["it rains", "rain on a roof"]]
CACHES = {"tokens", "meteor", "spice", "scores"}  # by content in one file a kind; the others are folders of the store
# kind -> others that are looked up while it is made, and whose content its key holds: the training captions
BY_CONTENT = {"decoder": {"text-embeddings"}}
SMALLEST = {
    **{
        f"data.sizes.soundscapes-{world}.{part}": 12
        for world in ("pretrain", "long", "dev")
        for part in ("train", "validation", "evaluation")
    },
    "data.targets": {"soundscapes-long": ["noise+projection", "supervised"]},
    "clap.epochs": 1,
    "clap.width": 16,
    "clap.train_batch": 8,
    "train.epochs": 1,
    "decoder.width": 16,
    "decoder.layers": 1,
    "decoder.heads": 2,
    "device": "cpu",
    "threads": 1,
}


@pytest.fixture
def made(monkeypatch):
    """kind -> the kinds that were looked up while one of it was being made."""
    inside, making = {}, []
    find, get, put = Store.get, Cache.get, Cache.put

    def looked_up(kind):
        for outer in making:
            inside[outer] |= {kind} - {outer}

    def begin(kind):
        inside.setdefault(kind, set())
        making.append(kind)

    def watched_find(self, kind, key, build):
        def watched_build(folder):
            begin(kind)
            try:
                return build(folder)
            finally:
                making.remove(kind)

        looked_up(kind)
        return find(self, kind, key, watched_build)

    def kind_of(cache):
        return cache.path.parent.name if cache.path and cache.path.parent.name in CACHES else ""

    def watched_get(self, keys):
        keys, kind = list(keys), kind_of(self)
        looked_up(kind)
        entries = get(self, keys)
        if kind and len(entries) < len(set(keys)):  # what is not there is made, until it is put
            begin(kind)
        return entries

    def watched_put(self, entries):
        put(self, entries)
        if kind_of(self) in making:
            making.remove(kind_of(self))

    monkeypatch.setattr(Store, "get", watched_find)
    monkeypatch.setattr(Cache, "get", watched_get)
    monkeypatch.setattr(Cache, "put", watched_put)
    return inside


@pytest.mark.parametrize("metric", ["meteor", "spice", "cider_d"])
def test_a_cache_in_front_of_others_knows_their_versions(metric, made, fake, fake_spice, monkeypatch):  # noqa: F811
    def score():
        made.clear()
        metrics.evaluate(CANDIDATES, REFERENCES, [metric], store=Store(fake / "store"))
        return {kind: kinds - {""} for kind, kinds in made.items()}

    first = score()
    inner = {"tokens", metric} & set(VERSIONS)
    assert first == {"scores": inner, **{kind: set() for kind in inner}}
    assert score() == {}
    for kind in inner:
        with monkeypatch.context() as raised:
            raised.setitem(VERSIONS, kind, VERSIONS[kind] + 1)
            assert "scores" in score(), f"scores do not know the version of {kind}"


def test_no_artefact_stands_in_front_of_another(made, tmp_path, monkeypatch):
    """A builder of the store is given what it needs, and its key names that by id or by content."""
    monkeypatch.setenv("AACLIB_CACHE", str(tmp_path / "cache"))
    run = aaclib.Run.load("quick", SMALLEST)
    for strategy in ("noise+projection", "supervised"):
        run.captions("soundscapes-long", strategy, 0)
    for way in ("mbr", "refine"):
        run.captions("soundscapes-long", "noise+projection", 0, way)
    assert set(made) == set(VERSIONS) - CACHES, "a kind that is not watched here"
    assert {kind: kinds for kind, kinds in made.items() if kinds} == BY_CONTENT


def test_the_watch_sees_one_artefact_made_inside_another(made, tmp_path):
    store = Store(tmp_path)
    store.get("captions", {"a": 1}, lambda folder: store.get("decoder", {"b": 1}, lambda inner: None) and None)
    assert made == {"captions": {"decoder"}, "decoder": set()}
