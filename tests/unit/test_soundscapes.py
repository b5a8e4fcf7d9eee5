"""The synthetic world: repeatable, its splits apart, its captions true to its scenes."""

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from aaclib import datasets
from aaclib.config import Data
from aaclib.datasets import SPLITS, DatasetError
from aaclib.datasets import made as sets_made
from aaclib.datasets.soundscapes import load
from aaclib.datasets.soundscapes.english import gerund, is_plural, plural, third, with_adjective
from aaclib.datasets.soundscapes.grammar import bare, captions
from aaclib.datasets.soundscapes.lexicon import ONLY, SAID, WORDS
from aaclib.datasets.soundscapes.render import render
from aaclib.datasets.soundscapes.scenes import CLASSES, _draw, scene
from aaclib.datasets.soundscapes.sounds import make
from aaclib.datasets.soundscapes.synth import RATE, loudness
from aaclib.datasets.soundscapes.worlds import WORLDS
from aaclib.store import Store

SMALL = {f"soundscapes-{w}.{s}": 60 for w in WORLDS for s in SPLITS}


def small(world, tmp_path, **sizes):
    data = Data(sizes=SMALL | {f"soundscapes-{world}.{k}": v for k, v in sizes.items()})
    return load(f"soundscapes-{world}", data, Store(tmp_path))


def example(i, name, sound):
    """One sound of a class, float32 at 16 kHz, peak 0.7."""
    count = sound.counts[len(sound.counts) // 2] if sound.counts else 1
    x = make(name, np.random.default_rng([0, i]), 3.0, count)
    return (0.7 * x / np.abs(x).max()).astype(np.float32)


def test_classes_have_words_and_an_audible_example():
    assert 45 <= len(CLASSES) and set(CLASSES) == set(WORDS)
    for i, (name, sound) in enumerate(CLASSES.items()):
        x = example(i, name, sound)
        assert x.dtype == np.float32 and np.isfinite(x).all() and 0.5 < np.abs(x).max() <= 0.71, name
        assert loudness(x) > 0.02, name


def test_each_subject_with_verbs_of_its_own_exists():
    subjects = {who for entry in WORDS.values() for who in entry.who}
    assert not {key.split("/")[0] for key in ONLY} - subjects
    verbs = {verb for entry in WORDS.values() for verb in entry.does}
    assert not {verb for group in ONLY.values() for verb in group} - verbs


@pytest.mark.parametrize("world", WORLDS)
def test_a_clip_is_the_same_every_time_and_sounds_like_something(world):
    for index in range(12):
        one = scene(world, "evaluation", index)
        assert one == scene(world, "evaluation", index) != scene(world, "train", index)
        x = render(one)
        assert x.dtype == np.float32 and len(x) == round(one.seconds * RATE)
        assert np.isfinite(x).all() and np.abs(x).max() < 1.0
        assert loudness(x) > 3e-3, (one.id, "too quiet")
        assert np.mean(np.abs(x) > 0.96) < 0.01, (one.id, "clipped")
    assert np.array_equal(render(one), x)
    assert not np.array_equal(render(replace(one, seed=one.seed + 1)), x)


def test_what_captions_say_of_loudness_can_be_heard():
    drawn = (scene("pretrain", "train", i) for i in range(99))
    base = next(s for s in drawn if len(s.events) == 1 and s.events[0].count == 0)

    def loud(level="", distance=""):
        return loudness(render(replace(base, events=(replace(base.events[0], level=level, distance=distance),))))

    assert loud("loud") > 1.6 * loud() > 2.5 * loud("faint")
    assert loud(distance="near") > loud() > 1.3 * loud(distance="far")


@pytest.mark.parametrize("world", WORLDS)
def test_no_scene_is_in_two_splits(world):
    drawn = [{scene(world, part, i).specification for i in range(60)} for part in SPLITS]
    assert len(set.union(*drawn)) == sum(map(len, drawn)) > 100


def test_a_split_takes_only_its_share_of_the_specifications():
    import random

    from aaclib.datasets.soundscapes.scenes import SHARE, _place

    drawn = [_draw(WORLDS["dev"], "train", 0, random.Random(i)) for i in range(300)]
    places = [_place(one.specification) for one in drawn if not one.held_out]
    assert {part for part, (a, b) in SHARE.items() if any(a <= place < b for place in places)} == set(SPLITS)
    for part, (a, b) in SHARE.items():
        own = [one for i in range(40) if not (one := scene("dev", part, i)).held_out]
        assert own and all(a <= _place(one.specification) < b for one in own)


@pytest.mark.parametrize("world", WORLDS)
def test_held_out_combinations_sound_in_evaluation_alone(world):
    """Whatever the order, the layout and the role: a combination is held out as a set of classes."""
    drawn = {part: [scene(world, part, i) for i in range(200)] for part in SPLITS}
    learned = {one.combination for part in ("train", "validation") for one in drawn[part]}
    held_out = [one for one in drawn["evaluation"] if one.held_out]
    assert not {one.combination for one in held_out} & learned
    assert 0.2 < len(held_out) / 200 < 0.6  # there is a part that is new and one that need not be
    assert not any(one.held_out for one in drawn["evaluation"] if len(one.events) == 1)
    one = held_out[0]
    assert replace(one, events=one.events[::-1], layout="sequence").held_out


@pytest.mark.parametrize("world", WORLDS)
def test_captions_differ_and_are_as_many_as_the_world_says(world):
    for split in SPLITS:
        for index in range(40):
            one = scene(world, split, index)
            found = captions(one)
            wanted = WORLDS[world].captions[split]
            assert len(found) == wanted or (wanted == 0 and 1 <= len(found) <= 3)
            assert len(set(map(bare, found))) == len(found) and found == captions(one)
            assert len({bare(c) for c in captions(one, 5)}) == 5
            for caption in found:
                assert "{" not in caption and "+" not in caption and "  " not in caption and "/" not in caption


@pytest.mark.parametrize("world", WORLDS)
def test_captions_are_true(world):
    """Numbers, loudness, distance, room and order are those of the scene."""
    times = {
        "(?<!at )once": 1,
        "a single": 1,
        "one time": 1,
        "twice": 2,
        "two times": 2,
        "three times": 3,
        "four times": 4,
        "five times": 5,
    }
    unique = {
        ("level", "loud"): "loudly|full volume",
        ("level", "faint"): "faintly|low volume|barely audibl[ey]",
        ("distance", "far"): "distant|in the distance|far away|from afar",
        ("distance", "near"): "nearby|close by|up close",
        ("pitch", "high"): "high pitch|high register|shrill",
        ("pitch", "low"): "low pitch|low register",
    }
    for index in range(150):
        one = scene(world, "validation", index)
        for caption in captions(one, 5):
            words = bare(caption)
            for text, count in times.items():
                if re.search(rf"\b{text}\b", words):
                    assert count in {e.count for e in one.events}, (one, caption)
            for (attribute, value), pattern in unique.items():
                if re.search(rf"\b(?:{pattern})", words):
                    assert value in {getattr(e, attribute) for e in one.events}, (one, caption)
            for room in ("hall", "outdoors"):
                if any(re.search(rf"\b{text}\b", words) for text in SAID["room", room]["adverbs"]):
                    assert one.room == room, (one, caption)
            if re.search(r"\b(then|before|followed by|afterwards|finally)\b", words):
                assert one.layout == "sequence", (one, caption)
            if "in the background" in words or "behind" in words:
                assert one.events[-1].role == "behind", (one, caption)


MARKS = {
    "dog": "dog|bark|woof|yap|yelp",
    "piano": "piano",
    "glass": "glass|window|bottle",
    "clock": "clock|watch|tick",
    "rooster": "rooster|cock|cockerel",
    "siren": "siren|ambulance|police|emergency",
    "rain": "rain|downpour|shower",
    "cat": "cat|kitten|meow|mew",
    "guitar": "guitar|strum",
    "train": "train|railway",
    "horse": "horse|pony|hoof|hooves",
}


def test_order_words_tell_the_order():
    seen, rooms = 0, "|".join(text for room in ("hall", "outdoors") for text in SAID["room", room]["adverbs"])
    for index in range(1200):
        one = scene("long", "train", index)
        kinds = [e.kind for e in one.events]
        if one.layout != "sequence" or len(kinds) != 2 or not set(kinds) <= set(MARKS):
            continue
        for caption in captions(one, 5):
            words = bare(caption)
            first, second = (re.search(rf"\b(?:{MARKS[k]})", words) for k in kinds)
            opened = re.match(rf"(?:(?:{rooms}) )?(?:after|following) ", words)
            turned = not opened and re.search(r" after (?!which|that|it)", words)
            if first and second:
                seen += 1
                assert (first.start() < second.start()) != bool(turned), (kinds, caption)
    assert seen > 20


def test_few_evaluation_captions_stand_in_the_training_text(tmp_path):
    sizes = {"train": 5000, "evaluation": 200}  # the shorter world at full size: the hard case
    short = small("short", tmp_path, **sizes)
    text, held_out = ([bare(caption) for caption in short.split(part).captions] for part in ("train", "evaluation"))
    known = set(text)
    assert 0 < sum(caption in known for caption in held_out) / len(held_out) < 0.05
    words = {word for caption in text for word in caption.split()}
    assert 400 <= len(words) <= 900


def test_text_alone_renders_nothing_and_audio_does_not_change_the_digest(tmp_path):
    dataset = small("short", tmp_path, validation=3)
    text = dataset.split("validation")
    assert not (tmp_path / "scenes").exists() and text.paths == []
    heard = dataset.split("validation", audio=True)
    assert heard.digest == text.digest and heard.captions == text.captions
    kinds = [tuple(e.kind for e in dataset.scene("validation", i).events) for i in range(3)]
    assert [clip.labels for clip in heard.clips] == kinds
    for i, path in enumerate(heard.paths):
        x, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE and np.abs(x - render(dataset.scene("validation", i))).max() < 1e-4
    larger = small("short", tmp_path, validation=5).split("validation", audio=True)
    assert larger.clips[:3] == heard.clips


def test_captions_are_written_once(tmp_path, monkeypatch):
    module = importlib.import_module("aaclib.datasets.soundscapes")
    first = small("long", tmp_path, train=4).split("train")
    monkeypatch.setattr(module, "captions", lambda scene: pytest.fail("written again"))
    assert small("long", tmp_path, train=4).split("train") == first
    monkeypatch.undo()
    assert small("long", tmp_path, train=5).split("train").clips[:4] == first.clips


def test_a_killed_rendering_goes_on(tmp_path, monkeypatch):
    module = importlib.import_module("aaclib.datasets.soundscapes.render")
    monkeypatch.setattr(sets_made, "SHARD", 4)
    made, original = [], module.render

    def failing(one):
        if len(made) == 6:
            made.append("killed")
            raise KeyboardInterrupt
        made.append(one.index)
        return original(one)

    monkeypatch.setattr(module, "render", failing)
    monkeypatch.setattr(sets_made.os, "cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        small("dev", tmp_path, train=8).split("train", audio=True)
    split = small("dev", tmp_path, train=8).split("train", audio=True)
    assert made == [0, 1, 2, 3, 4, 5, "killed", 4, 5, 6, 7], "a shard that is done is not rendered again"
    assert all(path.exists() for path in split.paths)


def test_workers_need_no_torch():
    import subprocess
    import sys

    code = "import sys, aaclib.datasets.soundscapes.render; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_wrong_names_are_told(tmp_path):
    with pytest.raises(DatasetError, match="soundscapes-long"):
        datasets.load("soundscapes-lung", Data(), Store(tmp_path))
    with pytest.raises(DatasetError, match="evaluation"):
        small("long", tmp_path).split("test")


def test_english():
    verbs = ("cry", "bang shut", "pop and crackle", "go off", "wail up and down", "buzz", "play")
    assert [third(v) for v in verbs] == [
        "cries",
        "bangs shut",
        "pops and crackles",
        "goes off",
        "wails up and down",
        "buzzes",
        "plays",
    ]
    assert [gerund(v) for v in ("clap", "drive by", "scream and cry", "hum", "drip into a sink", "whir")] == [
        "clapping",
        "driving by",
        "screaming and crying",
        "humming",
        "dripping into a sink",
        "whirring",
    ]
    assert with_adjective("an old gate", "quiet") == "a quiet old gate"
    assert with_adjective("the surf", "loud") == "the loud surf"
    assert is_plural("piano notes") and not is_plural("a pair of doors") and plural("crash") == "crashes"
