"""Tables, files and sentences from made results: every number where it belongs, every mark for its reason."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from made_results import VALUES, Made, against_best, made, made_numbers  # noqa: F401

from aaclib import config, escape, tables
from aaclib.datasets import Clip, Split
from aaclib.gap import given
from aaclib.metrics.io import FormatError
from aaclib.store import Store
from aaclib.tables import build, export, facts, findings
from aaclib.tables.table import Cell, Row, Table


def test_the_table_shows_fractions_times_100_in_the_papers_groups():
    table = build.build(made(), ("cider_d", "meteor", "spice"))
    assert table.columns == ("cider_d", "meteor")
    assert table.row("noise").cells["cider_d"].text == "45.0"
    assert table.row("noise").cells["cider_d"].interval == "[41.0, 50.0]"
    groups = [group for group, _ in table.grouped()]
    assert groups == ["supervised", "baseline", "training", "inference", "both", "control"]


def test_best_and_second_are_sought_among_the_weakly_supervised_rows_alone():
    cells = {row.name: row.cells["cider_d"] for row in build.build(made(), ("cider_d",)).rows}
    assert cells["supervised"].rank == 0 and cells["shuffled"].rank == 0
    # 45.0 and 45.01 show the same number, so they share the first place and the next one is third
    assert cells["noise"].rank == 1 and cells["projection"].rank == 1 and cells["noise+projection"].rank == 0


def test_only_differences_that_are_not_significant_are_marked():
    frame = against_best("projection", {"noise": 0.7, "noise+projection": 0.04, "baseline": 0.001, "supervised": 0.9})
    table = build.build(made(), ("cider_d",), comparisons={"cider_d": frame})
    assert {row.name for row in table.rows if row.cells["cider_d"].mark} == {"noise"}
    assert any(note.startswith("°") for note in table.notes) and not any(note.startswith("†") for note in table.notes)
    assert not any(note.startswith("°") for note in build.build(made(), ("cider_d",)).notes)


def test_a_difference_over_clips_alone_is_marked_where_seeds_could_tell():
    """Five trainings that differ on any clips may be five lucky ones: the mark says which test has not been passed."""

    def marks(**over_seeds):
        frame = against_best("projection", {"noise": 0.7, "baseline": 0.001}, **over_seeds)
        table = build.build(made(), ("cider_d",), comparisons={"cider_d": frame})
        return {row.name: row.cells["cider_d"].mark for row in table.rows if row.cells["cider_d"].mark}, table

    assert marks(seeds=5, p_seeds=0.2)[0] == {"noise": "°", "baseline": "†"}
    assert marks(seeds=5, p_seeds=0.01)[0] == {"noise": "°"}
    assert marks(seeds=2, p_seeds=0.2)[0] == {"noise": "°"}  # two seeds are too few to ask
    table = marks(seeds=5, p_seeds=0.2)[1]
    assert any(note.startswith("†") and "over seeds" in note for note in table.notes)
    assert r"$^{\dagger}$" in table.latex() and "†" not in table.latex().split("\n", 1)[1].split(r"\smallskip")[0]


def test_a_missing_metric_is_absent_and_the_footnote_says_why():
    table = build.build(made(), ("cider_d", "spice"))
    assert "spice" not in table.columns
    assert any("SPICE is absent: SPICE is not installed" in note for note in table.notes)
    frame = made()
    frame.loc[(frame.metric == "spice") & (frame.strategy != "noise"), ["value", "note"]] = [0.1, ""]
    partly = build.build(frame, ("cider_d", "spice"))
    assert partly.row("noise").cells["spice"].text == "-"
    assert any(note.startswith("SPICE is absent for noise") for note in partly.notes)


def test_every_table_says_n_seeds_interval_and_scale():
    note = build.build(made(), ("cider_d",)).notes[0]
    assert all(part in note for part in ("x100", "60 clips", "1 seed", "95 %", "bootstrap"))


def test_relative_performance_is_a_column_or_a_reason(tmp_path):
    table = tables.main_table(Made(tmp_path), "soundscapes-long")
    assert table.columns[-2:] == ("relative", "above chance")
    assert table.row("baseline").cells["relative"].text == "50.0"
    assert table.row("baseline").cells["above chance"].text == "40.0"
    assert table.heading("above chance") == "above chance" and table.heading("relative") == "rel. CIDEr-D"
    assert any("supervised, chosen on the validation clips (supervised 58.0" in note for note in table.notes)
    without = tables.main_table(Made(tmp_path, supervised=False), "soundscapes-long")
    assert not {"relative", "above chance"} & set(without.columns)
    assert any("no fully supervised row" in note for note in without.notes)


def test_the_main_table_tells_sigma_rows_left_out_and_the_cut_of_the_split(tmp_path):
    notes = " ".join(tables.main_table(Made(tmp_path), "soundscapes-long").notes)
    for part in ("d σ² = 1.66 at d = 128", "shift is left out: no pairs", "Cut to four clips."):
        assert part in notes
    assert "over the seeds" not in notes


def test_with_several_claps_the_table_says_how_far_their_sigmas_lie_apart(tmp_path):
    run = Made(tmp_path)
    run.seeds, run.gap = (0, 1), lambda seed: given(("0.114", "0.12")[seed], 128, "no pairs")
    notes = " ".join(tables.main_table(run, "soundscapes-long").notes)
    assert "seed 0's; over the seeds it runs from 0.114 to 0.120" in notes


def test_synthetic_tables_are_marked_in_every_form(tmp_path):
    table = tables.main_table(Made(tmp_path), "soundscapes-long")
    forms = table._repr_html_(), table._repr_markdown_(), table.latex()
    assert all("synthetic world" in form.lower() for form in forms)
    real = tables.main_table(Made(tmp_path, targets=("clotho",)), "clotho")
    assert "synthetic world" not in real.latex().lower()


def test_latex_is_booktabs_with_even_rows_and_nothing_unescaped(tmp_path):
    table = tables.main_table(Made(tmp_path, p=0.5), "soundscapes-long")
    text = table.latex(intervals=True)
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and r"\multicolumn" not in line]
    columns = len(re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1])
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {columns - 1}
    assert r"\textbf{45.0}" in text and r"$^{\circ}$" in text and r"{\scriptsize [41.0, 50.0]}" in text
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert not re.search(r"(?<!\\)[%#]", text.split("\n", 1)[1]) and "σ" not in text and "°" not in text


def test_escape_leaves_no_special_character_alone():
    assert escape.latex("a_b & 5 % {x} ^ ~ \\ $ #") == (
        r"a\_b \& 5 \% \{x\} \textasciicircum{} \textasciitilde{} \textbackslash{} \$ \#"
    )


def test_macros_are_unique_letters_only_and_give_the_tables_numbers():
    both = pd.concat([made(), made(decoding="beam"), made("soundscapes-short")])
    text = export.macros(both, made(missing=False))
    names = re.findall(r"\\newcommand\{\\(\w+)\}", text)
    assert len(names) == len(set(names)) and all(name.isalpha() for name in names)
    assert r"\newcommand{\aacSoundscapesLongNoiseCiderD}{45.0}" in text
    assert r"\newcommand{\aacSoundscapesLongNoiseBeamCiderDHigh}{50.0}" in text
    assert r"\newcommand{\aacSoundscapesLongNoiseCiderDRelative}{45.0}" in text and "spice" not in text.lower()
    assert export.letters("bleu_4") == "BleuFour" and export.letters("noise+shift") == "NoiseShift"


def test_export_writes_everything_and_twice_the_same_bytes(tmp_path):
    run = Made(tmp_path)
    files = tables.export_run(run, [tables.main_table(run, "soundscapes-long")])
    names = {str(file.relative_to(run.tables)) for file in files}
    assert {
        "results.csv",
        "numbers.tex",
        "relative.csv",
        "soundscapes-long-greedy.tex",
        "soundscapes-long-greedy_intervals.tex",
        "soundscapes-long-greedy.md",
    } <= names
    assert sum(name.startswith("per_clip/") for name in names) == len(VALUES)
    before = {file: file.read_bytes() for file in files}
    tables.export_run(run, [tables.main_table(run, "soundscapes-long")])
    assert {file: file.read_bytes() for file in files} == before
    back = pd.read_csv(run.tables / "results.csv")
    assert back[(back.strategy == "noise") & (back.metric == "cider_d")].value.item() == pytest.approx(0.45)
    audit = pd.read_csv(run.tables / "per_clip" / "soundscapes-long_noise_greedy_seed0.csv")
    assert json.loads(audit.references[0]) == ["a dog barks", 'rain, "falls"']


def test_predictions_of_other_systems_become_rows_scored_like_ours(tmp_path):
    run = Made(tmp_path)
    run.store = Store(tmp_path / "store")
    run.config = replace(run.config, metrics=replace(run.config.metrics, names=("rouge_l",), bootstrap=20))
    lines = "".join(f"evaluation{i},a dog barks\n" for i in (2, 0, 3, 1))
    (tmp_path / "system x.csv").write_text("file_name,caption_predicted\n" + lines)
    (tmp_path / "notes.txt").write_text("not a prediction")
    (row,) = tables.other_systems(run, "soundscapes-long", tmp_path)
    assert (row.name, row.group, row.n) == ("system x", "external", 4)
    assert row.cells["rouge_l"].text == "100.0"
    (tmp_path / "broken.csv").write_text("file_name,caption_predicted\nevaluation0,a dog\n")
    with pytest.raises(FormatError, match="evaluation1"):
        tables.other_systems(run, "soundscapes-long", tmp_path)


def test_no_folder_of_predictions_means_no_rows(tmp_path):
    assert tables.other_systems(Made(tmp_path), "soundscapes-long", tmp_path / "nowhere") == []


def test_published_rows_stand_beside_ours_as_they_were_published(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text(
        "# a remark\nsystem,target,supervised,cider_d,spice,source\n"
        "CNext-trans,clotho,true,46.43,13.31,a paper\n"
        "SLAM,audiocaps,true,84.1,,another\n"
    )
    rows = build.published_rows("clotho", ("cider_d", "spice"), path)
    found = [(r.name, r.group, r.cells["cider_d"].text, r.source) for r in rows]
    assert found == [("CNext-trans", "published", "46.4", "a paper")]
    assert set(build.published_rows("audiocaps", ("cider_d", "spice"), path)[0].cells) == {"cider_d"}
    assert build.published_rows("soundscapes-long", ("cider_d",), path) == []


def test_data_findings_count_the_overlap_and_find_shared_clips(tmp_path):
    run = Made(tmp_path)
    assert tables.caption_overlap(run, "soundscapes-long") == 0.5
    text = "\n".join(findings.data(run, "soundscapes-long"))
    assert "50.0 % of the evaluation captions" in text and "recitation may carry a part of the scores" in text
    assert "share no clip" in text
    run.split = lambda target, part, audio=False: Split(target, part, (Clip("same", ("a", "b")),))
    assert "SHARE 1 of 1 clip names, for example same: its scores are worthless" in "\n".join(
        findings.data(run, "soundscapes-long")
    )
    many = tuple(Clip(f"{i}", ("a", "b")) for i in range(200))
    run.split = lambda target, part, audio=False: Split(target, part, many if part == "evaluation" else many[:1])
    assert "SHARE 1 of 200 clip names, for example 0; listen" in "\n".join(findings.data(run, "soundscapes-long"))


def test_a_comparison_is_found_whichever_way_round_it_was_made():
    frame = against_best("baseline", {"noise": 0.01})
    there, back = facts.pair(frame, "noise", "baseline"), facts.pair(frame, "baseline", "noise")
    assert back["difference"] == -there["difference"] and back["low"] == -there["high"]
    assert facts.pair(frame, "noise", "shift") is None
    assert facts.verdict(frame, "baseline", "noise").startswith("noise is better")
    assert "not tested" in facts.verdict(frame, "noise", "shift")


def test_examples_are_chosen_by_rule_from_good_to_bad(tmp_path):
    run = Made(tmp_path)
    chosen = tables.examples(run, "soundscapes-long", 0, count=2)
    assert chosen == [3, 2]  # scores 0.1 0.4 0.2 0.3: of the order 1 3 2 0, without both ends
    scored = run.per_clip
    run.per_clip = lambda *about: scored(*about).drop(columns="cider_d")
    assert tables.examples(run, "soundscapes-long", 0, count=3) == [0, 1, 2]


def test_side_by_side_shows_references_first_and_every_row(tmp_path):
    frame = tables.side_by_side(Made(tmp_path), "soundscapes-long", 1, 0)
    assert frame.row.tolist() == ["reference", "reference", *VALUES]
    assert frame.set_index("row").loc["noise", "CIDEr-D"] == pytest.approx(40.0)
    real = tables.side_by_side(Made(tmp_path, targets=("clotho",)), "clotho", 1, 0)
    assert real.row.tolist()[:2] == ["human", "human"]


def test_html_is_escaped():
    table = Table("a < b", ("cider_d",), (Row("<script>", "baseline", {"cider_d": Cell(1.0)}),))
    assert "<script>" not in table._repr_html_() and "a &lt; b" in table._repr_html_()


def test_frames_put_together_are_shown_whole():
    both = pd.concat([pd.DataFrame({"row": ["a"], "words": [1.0]}), pd.DataFrame({"row": ["b"], "words": [2.0]})])
    shown = tables.text_table(both).to_html()
    assert "a" in shown and "2.0" in shown


@pytest.mark.parametrize(("pretrain", "said"), [("folder", True), ("soundscapes-pretrain", False)])
def test_a_clap_trained_on_the_targets_own_recordings_is_called_so(pretrain, said):
    run = SimpleNamespace(config=config.load("quick", {"data.pretrain": pretrain}))
    assert facts.in_domain(run, "folder") is said
    assert "no row here is weakly supervised" in facts.IN_DOMAIN
