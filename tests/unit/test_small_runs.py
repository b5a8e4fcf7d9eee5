"""Runs of a few clips, of one clip, and of clips with unequal numbers of captions: right, or left out with a reason."""

from types import SimpleNamespace

import made
import numpy as np
import pandas as pd
import pytest

from aaclib import config, datasets, plots, results, rows, tables
from aaclib.datasets import leakage
from aaclib.results import scoring
from aaclib.run import Run
from aaclib.store import Store
from aaclib.tables import conclusions, findings, frames

SETTINGS = {"train.epochs": 2, "metrics.names": ["bleu_1", "cider_d"], "metrics.bootstrap": 20}
ROWS = ["supervised", "baseline", "shift", "projection", "copy", "reconstruction", "shuffled", "human"]


def run_of(folder, store, captions):
    """A run whose evaluation clips have so many captions each."""
    if not (folder / "captions.csv").exists():
        made.make(folder, 60, captions=2)
    table = pd.read_csv(folder / "captions.csv")
    judged = table[table.split == "evaluation"].iloc[: len(captions)].copy()
    judged["caption_3"] = "a bell rings"
    for row, count in zip(judged.index, captions, strict=True):
        judged.loc[row, [f"caption_{k + 1}" for k in range(count, 3)]] = None
    path = folder / f"captions-{'-'.join(map(str, captions))}.csv"
    pd.concat([table[table.split != "evaluation"], judged]).to_csv(path, index=False)
    settings = made.settings_of(folder) | SETTINGS | {"data.captions": str(path), "data.targets": {"folder": ROWS}}
    return Run(config.load("quick", settings), Store(store))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("world"), tmp_path_factory.mktemp("store")


@pytest.mark.parametrize(
    ("captions", "k", "n"),
    [([2, 2, 2, 2], 2, 4), ([2] * 9 + [3], 2, 10), ([1, 3, 3, 1], 3, 2), ([1, 2, 3], 2, 2), ([3, 3, 3], 3, 3)],
)
def test_the_human_row_uses_every_clip_that_has_two_captions(folders, captions, k, n):
    run = run_of(*folders, captions)
    human = results.human(run, "folder")
    assert len(human) == k and {scores.n for scores in human} == {n}
    used = [clip.captions[:k] for clip in run.clips("folder", "evaluation", 0) if len(clip.captions) > 1]
    for i, scores in enumerate(human):
        alone = scoring._evaluate(run, [c[i] for c in used], [[c[j] for j in range(k) if j != i] for c in used])
        assert scores.corpus == alone.corpus
    lines = results.results(run, "folder").set_index(["strategy", "metric"])
    assert lines.loc[("human", "cider_d"), "n"] == n and lines.loc[("human", "cider_d"), "value"] > 0
    note = lines.loc[("human", "cider_d"), "note"]
    assert ("one reference fewer" in note) == (len(set(captions)) == 1)
    assert (f"the first {k} captions of each clip" in note) == (len(set(captions)) > 1)


def everything(run):
    """What the notebooks 01 to 06 ask of a run, as text."""
    said = [
        frames.leaks(run, "folder"),
        findings.data(run, "folder"),
        frames.by_seed(run, "folder", "cider_d"),
        *(
            find(run)
            for find in (
                conclusions.conclusions,
                conclusions.judged,
            )
        ),
    ]
    by_target = findings.embeddings, findings.modality_gap, findings.trained, findings.decoded, findings.gate
    said += [find(run, "folder") for find in by_target]
    for index in tables.examples(run, "folder", 0):
        said.append(tables.side_by_side(run, "folder", index, 0))
    scores = results.results(run, "folder")
    usable = frames.usable_metrics(run, scores)
    figures = [plots.bars(scores, usable[:1])]
    if (relative := results.relative(run, "folder")) is not None:
        figures.append(plots.relative({"folder": relative}, usable[:1]))
    shown = [tables.main_table(run, "folder"), tables.judged_table(run, "folder")]
    assert len(figures) >= 1
    for table in shown:
        assert table.latex(intervals=True) and table._repr_html_()
    return "\n".join(map(str, said)), *shown


@pytest.mark.filterwarnings("error")
def test_a_run_of_one_clip_says_what_one_clip_cannot_tell(folders):
    run = run_of(*folders, [2])
    text, table, judged = everything(run)
    assert rows.left_out(run, "folder", "shuffled") == "one clip: its caption cannot stand on another"
    assert "shuffled is left out: one clip" in " ".join(table.notes) and table.columns == ("bleu_1",)
    assert any("CIDEr-D is absent: it weighs words by how few of the clips have them" in note for note in table.notes)
    assert "Relative performance is absent. The fully supervised row has no score in any metric" not in str(table.notes)
    assert judged.columns == ("clap_score",) and "too few" in judged.notes[-1]
    assert "too few clips (n = 1) for a retrieval check" in text and "nan" not in text.replace("NaN", "")
    relative = results.relative(run, "folder").set_index(["strategy", "metric"])
    assert np.isfinite(relative.loc[("baseline", "bleu_1"), "value"])  # a value, and nothing to resample
    assert relative[["low", "high"]].isna().all(axis=None) and set(relative.index.get_level_values(1)) == {"bleu_1"}


@pytest.mark.parametrize("n", [2, 7])
def test_a_run_of_few_clips_shows_no_recall_that_chance_has_as_well(folders, n):
    run = run_of(*folders, [2] * n)
    text, table, judged = everything(run)
    assert "cider_d" in table.columns and "shuffled" in {row.name for row in table.rows}
    assert [column for column in judged.columns if column.startswith("self")] == (["self_r@1"] if n == 7 else [])
    assert ("finds its own clip first of 7" in text) == (n == 7)


def test_leaks_count_what_is_in_wavcaps_and_what_its_authors_left_out(tmp_path):
    """Where its lists are; where not the line says that nothing was checked."""

    def leaks(wavcaps):
        recordings = datasets.Clip("a.wav", ("rain",)), datasets.Clip("b.wav", ("wind",))
        clotho = SimpleNamespace(
            name="clotho", metadata=lambda part: {"a.wav": {"sound_id": "7"}, "b.wav": {"sound_id": "8"}}
        )
        run = SimpleNamespace(
            targets=("clotho",),
            dataset=lambda name: clotho,
            split=lambda name, part: datasets.Split(name, part, recordings),
            config=config.load("paper", {"data.wavcaps": str(wavcaps)}),
        )
        frame = frames.leaks(run, "clotho")
        assert "a" in tables.text_table(frame).to_html()
        return frame[frame["second"].eq("clotho.evaluation") & frame.what.str.contains("WavCaps")].set_index("first")

    nothing = leaks(tmp_path)
    assert list(nothing.index) == ["FreeSound", "blacklist, FreeSound"] and nothing.n.isna().all()
    assert nothing.examples.str.startswith("not checked: there is no ").all()
    (tmp_path / "fsd_final.json").write_text('{"data": [{"id": "8", "caption": "wind"}]}')
    (tmp_path / leakage.BLACKLIST).write_text('{"AudioSet": [], "FreeSound": ["7", "8"]}')
    found = leaks(tmp_path)
    assert found.n.tolist() == [1, 2] and found["share (%)"].tolist() == [50, 100] and found.examples.iloc[0] == "b.wav"
