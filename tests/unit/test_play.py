"""What a hand plays with, without a browser: the numbers, and that turning a knob changes what is shown."""

import io
from datetime import datetime

import made
import numpy as np
import pytest
import soundfile

import aaclib
from aaclib import bridge, generate, memory, play, plots, retrieval, screen
from aaclib.captioner import Captioner
from aaclib.config import ConfigError
from aaclib.plots import hands


@pytest.fixture(scope="module")
def bench(done):
    return play.Bench(done, "folder")


@pytest.fixture
def looked_at(monkeypatch):
    monkeypatch.setattr(screen, "looked_at", lambda: True)


def test_the_runs_own_settings_give_the_runs_own_captions(bench, done):
    assert {"text", "noise", "c3", "supervised"} <= set(bench.trainings)
    for row in ("baseline", "noise", "c3", "nearest", "projection", "noise+projection", "supervised"):
        parts = bridge.strategy(row)
        said = bench.say(3, parts.training, parts.inference)
        assert said.row == row and said.caption == done.captions("folder", row, 0)[3]


def test_neighbours_and_weights_are_those_of_the_mixture(bench):
    m, z_a = len(bench.captions), bench.z[3]
    for tau in (0.003, 0.1):
        said = bench.say(3, tau=tau, neighbours=m)
        assert said.neighbours.weight.sum() == pytest.approx(1) and said.neighbours.cosine.is_monotonic_decreasing
        rows = [bench.captions.index(caption) for caption in said.neighbours.caption]
        mixed = said.neighbours.weight.to_numpy() @ bench.context.memory[rows]
        np.testing.assert_allclose(said.z, mixed / np.linalg.norm(mixed), atol=1e-5)
    assert bench.say(3, tau=0.003).effective < bench.say(3, tau=0.1).effective <= m
    said = bench.say(3, inference="nearest")
    assert said.effective == pytest.approx(1) and said.neighbours.weight.tolist() == [1, 0, 0, 0, 0]
    np.testing.assert_array_equal(said.z, memory.nearest(z_a[None], bench.context.memory)[0])
    said = bench.say(3, inference="audio")
    assert np.isnan(said.effective) and said.neighbours.weight.isna().all() and (said.z == z_a).all()


def test_a_smaller_memory_is_a_part_of_a_larger_one(bench, done):
    few, more = ({*bench.say(0, memory=size, neighbours=99).neighbours.caption} for size in (4, 9))
    assert len(few) == 4 and len(more) == 9 and few < more
    one = bench.say(0, memory=1)
    model = done.decoder("folder", "projection", 0).model
    row = bench.captions.index(one.neighbours.caption[0])
    assert one.caption == generate.generate(model, bench.context.memory[row : row + 1])[0]


def test_what_is_not_trained_is_named(bench):
    with pytest.raises(ValueError, match=r"'related' is no trained decoder here. Trained: .*text"):
        bench.say(0, "related")


def test_turning_a_knob_changes_what_is_shown_at_once(bench):
    box = hands.knobs(bench, 2)
    shown, sound, picture = box.said.value, box.children[-3].children[0].value, box.children[-2].value
    assert bench.say(2).caption in shown and bench.clips[2].captions[0] in shown
    assert soundfile.read(io.BytesIO(bytes(sound)))[1] == made.RATE and bytes(picture).startswith(b"\x89PNG")
    box.knobs["memory"].value = 1
    assert bench.say(2, memory=1).caption in box.said.value != shown
    box.knobs["inference"].value = "audio"
    assert "the memory is not read" in box.said.value and "<b>baseline</b>" in box.said.value
    box.knobs["training"].value = "c3"
    assert bench.say(2, "c3", "audio").caption in box.said.value
    assert box.children[-3].children[0].value == sound  # the clip is still the same
    box.knobs["clip"].value = 5
    assert box.children[-3].children[0].value != sound and bench.clips[5].captions[0] in box.said.value


def test_where_nobody_looks_on_there_is_a_picture(done, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path))
    done.__dict__.pop("run_dir", None)
    assert plots.bench(done, "folder").data.startswith(b"\x89PNG")
    assert (tmp_path / "quick" / "figures" / "folder" / "05_bench.pdf").is_file()
    assert plots.drop({}) is None and "Nobody looks on" in capsys.readouterr().out
    assert plots.hover({"baseline": (np.zeros((2, 2)),) * 2}, ["a", "b"]) is None
    done.__dict__.pop("run_dir", None)


@pytest.fixture
def captioners(done, world, tmp_path, monkeypatch):
    from aaclib.store import write_record

    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AACLIB_CACHE", str(done.store.root))
    write_record(tmp_path / "runs" / "mine" / "run.json", {"profile": "quick", "overrides": made.settings_of(world)})
    return {row: Captioner.from_run("mine", row) for row in ("projection", "noise")}


def test_dropped_recordings_are_described_by_each_row_with_their_confidence(captioners, done, looked_at):
    clips = done.clips("folder", "evaluation", 0)[:4]
    files = [clip.audio for clip in clips]
    frame, first = play.described(captioners, files), captioners["projection"]
    assert frame.shape == (8, 8) and frame.row.tolist() == ["projection", "noise"] * 4
    of = frame[frame.row == "projection"]
    assert of.caption.tolist() == first.caption(files)
    z_a, said = first.clap.embed_audio(files), first.clap.embed_text(of.caption.tolist())
    np.testing.assert_allclose(of.own, (z_a * said).sum(1), atol=1e-5)
    np.testing.assert_allclose(of.beats, retrieval.confidence(z_a, said)["beats"])
    near = [
        first.context.memory[first.memory.index(caption)] for caption in of.near_1
    ]  # two captions share an embedding
    np.testing.assert_allclose((z_a * near).sum(1), (z_a @ first.context.memory.T).max(1), atol=1e-5)
    alone = play.described(captioners, files[:1], of.caption.tolist())
    assert alone.beats[0] == pytest.approx(of.beats.iloc[0]) and alone.caption[0] == of.caption.iloc[0]
    told = []
    box = plots.drop(captioners, of.caption.tolist(), told.append)
    sent = [{"name": "<b>.wav", "content": memoryview(files[0].read_bytes())}]
    box.place.value = [{**sent[0], "type": "", "size": 1, "last_modified": datetime.now()}]
    title, _, table = box.shown.children
    assert "&lt;b&gt;.wav" in title.value and of.caption.iloc[0] in table.value and len(told) == 1
    broken = hands._dropped(__import__("ipywidgets"), {"name": "a.wav", "content": b"no sound"}, captioners, (), None)
    assert len(broken) == 1 and "a.wav" in broken[0].value


def test_dots_tell_their_captions_and_weigh_little(looked_at):
    rng = np.random.default_rng(0)
    maps = {name: (rng.normal(size=(150, 2)), rng.normal(size=(150, 2))) for name in "abcdef"}
    captions = [f"a dog <b>barks</b> & rain falls on a roof of tin, number {i}" for i in range(150)]
    fig = hands.hovering(maps, captions)
    assert len(fig.data) == 12 and [trace.visible for trace in fig.data] == [True, True, *[False] * 10]
    assert (
        fig.data[0].text[7].replace("<br>", " ")
        == "a dog &lt;b&gt;barks&lt;/b&gt; &amp; rain falls on a roof of tin, number 7"
    )
    assert fig.layout.updatemenus[0].buttons[2].args[0]["visible"] == [False] * 4 + [True] * 2 + [False] * 6
    assert len(fig.to_json()) < 500_000


def test_a_finished_run_lends_recordings_where_none_are_named(captioners, done, tmp_path, monkeypatch):
    monkeypatch.setenv("AACLIB_WORK", str(tmp_path / "work"))
    settings = play.lent(5)
    run = aaclib.Run.load("folder", settings)
    assert run.recordings == ("folder",) and len(run.split("folder", "evaluation", audio=True).clips) == 5
    clips = done.clips("folder", "evaluation", 0)[:5]
    assert Captioner.of(run).caption(sorted(run.split("folder", "evaluation", audio=True).paths)) == captioners[
        "projection"
    ].caption(sorted(clip.audio for clip in clips))
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no finished run to lend some. Name yours"):
        play.lent()
