"""Figures: written whole, at column width, with embedded fonts, marked where synthetic, nothing outside the page."""

from __future__ import annotations

import re
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pages
import pandas as pd
import pytest
from matplotlib.image import imread

from aaclib import plots
from aaclib.plots import style


def results(targets=("soundscapes-long", "soundscapes-short"), decoding="greedy"):
    groups = {
        "supervised": "supervised",
        "baseline": "baseline",
        "noise": "training",
        "projection": "inference",
        "noise+shift+projection": "both",
        "shuffled": "control",
    }
    return pd.DataFrame(
        [
            {
                "target": t,
                "strategy": s,
                "group": g,
                "decoding": decoding,
                "metric": m,
                "value": 0.5 - 0.05 * i,
                "low": 0.45 - 0.05 * i,
                "high": 0.56 - 0.05 * i,
                "n": 60,
                "seeds": 1,
                "note": "",
            }
            for t in targets
            for i, (s, g) in enumerate(groups.items())
            for m in ("cider_d", "meteor")
        ]
    )


def small():
    """A figure that is quickly drawn."""
    return plots.bars(results(("clotho",)))


def figures():
    rng = np.random.default_rng(1)
    wave = rng.standard_normal(8000)
    history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.5], "validation_loss": [3.1, 2.4, 2.5]})
    frame = results()
    relative = {t: f[f.group != "control"] for t, f in frame.groupby("target")}
    return {
        "spectrograms": plots.spectrograms([("a long title that must not run into its neighbour", wave, 8000)] * 4),
        "losses": plots.losses({"text": history, "noise": history.drop(columns="validation_loss")}),
        "bars": plots.bars(frame),
        "bars, one target": plots.bars(results(("clotho",)), ("cider_d", "meteor")),
        "bars, one panel": plots.bars(results(("clotho",))),
        "relative": plots.relative(relative, ("cider_d", "meteor")),
        "seeds": plots.seeds(pd.concat([frame.assign(seed=s) for s in (0, 1)]), "cider_d"),
        "decoding": plots.decoding(pd.concat([frame, results(decoding="beam")]), "cider_d"),
    }


def rows_of(fig):
    """The height of each bar, panel by panel."""
    return [[bar.get_y() + bar.get_height() / 2 for bar in ax.patches] for ax in fig.axes]


def test_a_strategy_stands_in_the_same_row_of_every_panel():
    """Where one target lacks a strategy there is no bar, and the rows below it stay where they are."""
    frame = results()
    lacks = frame[(frame.target != "soundscapes-short") | ~frame.strategy.isin(["baseline"])]
    fig = plots.bars(lacks)
    names = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    whole, partly = rows_of(fig)
    assert whole == pytest.approx(range(len(names))) and partly == pytest.approx(
        [i for i, name in enumerate(names) if name != "baseline"]
    )
    late = plots.bars(pd.concat([lacks[lacks.target == "soundscapes-short"], lacks]))  # the shorter list comes first
    assert [label.get_text() for label in late.axes[0].get_yticklabels()] == names
    panels = plots.relative(dict(list(lacks.groupby("target"))), ("cider_d",)).axes
    assert panels[0].get_ylim() == panels[1].get_ylim() and len(panels[1].get_lines()[0].get_ydata()) == len(names)


def test_every_figure_has_column_width_readable_text_and_nothing_outside_the_page():
    for name, fig in figures().items():
        pages.check(fig, name)


def test_save_writes_both_files_with_truetype_fonts_and_without_leftovers(tmp_path):
    png = plots.save(small(), tmp_path / "sub" / "figure")
    assert sorted(p.name for p in png.parent.iterdir()) == ["figure.csv", "figure.pdf", "figure.png"]
    pdf = png.with_suffix(".pdf").read_bytes()
    assert b"/CIDFontType2" in pdf or b"/FontFile2" in pdf, "fonts are embedded as TrueType (type 42)"
    assert b"/Type3" not in pdf
    assert imread(png).shape[1] == pytest.approx(300 * plots.SINGLE, abs=2)


def test_the_same_figure_is_the_same_file(tmp_path):
    one, two = (plots.save(small(), tmp_path / name) for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    assert one.with_suffix(".pdf").read_bytes() == two.with_suffix(".pdf").read_bytes()


def test_a_failing_save_leaves_nothing(tmp_path):
    fig = small()
    fig.axes[0].set_xlabel("$\\unknowncommand$", parse_math=True)
    with pytest.raises(ValueError):
        plots.save(fig, tmp_path / "broken")
    assert list(tmp_path.iterdir()) == []


def test_only_synthetic_figures_carry_the_mark_and_only_once(tmp_path):
    fig = small()
    plots.save(fig, tmp_path / "real")
    assert not fig.texts
    plots.save(fig, tmp_path / "made", synthetic=True)
    plots.save(fig, tmp_path / "made", synthetic=True)
    assert [text.get_text() for text in fig.texts] == ["synthetic world"]


def test_no_style_leaks_into_a_users_own_figures():
    import matplotlib

    before = dict(matplotlib.rcParams)
    small()
    assert dict(matplotlib.rcParams) == before


def test_colours_stay_apart_for_colour_blind_readers():
    colours = [style.AUDIO, style.TEXT]
    lightness = [
        0.2126 * r + 0.7152 * g + 0.0722 * b
        for r, g, b in (tuple(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)) for c in colours)
    ]
    assert len(set(style.CYCLE)) == len(style.CYCLE) and abs(lightness[0] - lightness[1]) > 0.05


def test_live_loss_keeps_the_newest_histories_and_is_silent_outside_a_notebook(capsys):
    live = plots.LiveLoss(every=0)
    live({("clotho", 0): {"noise": [{"epoch": 1, "train_loss": 2.0}], "shift": []}})
    live({("clotho", 0): {"noise": [{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.5}]}})
    live.close()
    assert {name: len(rows) for name, rows in live.histories["clotho", 0].items()} == {"noise": 2}
    assert capsys.readouterr().out == ""


def test_live_loss_draws_the_target_that_trains_now_and_nothing_without_a_screen(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots.LiveLoss, "_draw", lambda self, *group: drawn.append(group))
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(has_trait=lambda name: True))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    done, row = {("clotho", 0): {"text": [{"epoch": 1, "train_loss": 2.0}]}}, {"epoch": 1, "train_loss": 3.0}
    monkeypatch.delenv("AACLIB_HEADLESS", raising=False)
    live = plots.LiveLoss(every=0)
    live(done)
    live(done)
    live({**done, ("audiocaps", 0): {"noise": [row]}})
    assert drawn == [("clotho", 0), ("audiocaps", 0)]
    monkeypatch.setenv("AACLIB_HEADLESS", "1")
    plots.LiveLoss(every=0)(done)
    assert len(drawn) == 2


def test_bars_show_numbers_as_they_are_in_the_frame():
    fig = plots.bars(results(("clotho",)), ("cider_d",))
    labels = {text.get_text() for text in fig.axes[0].texts}
    assert {"50.0", "45.0", "40.0"} <= labels
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()][0] == "supervised"


def test_rows_without_a_value_are_left_out_of_the_bars():
    frame = results(("clotho",))
    frame.loc[frame.strategy == "noise", "value"] = np.nan
    names = [t.get_text() for t in plots.bars(frame).axes[0].get_yticklabels()]
    assert "noise" not in names and "baseline" in names


def test_the_mark_is_in_the_pdf_as_text(tmp_path):
    path = plots.save(small(), tmp_path / "made", synthetic=True).with_suffix(".pdf")
    streams = re.findall(rb"stream\r?\n(.*?)endstream", path.read_bytes(), re.S)
    plain = b"".join(zlib.decompress(s) for s in streams if s[:1] == b"x")
    assert b"Tj" in plain or b"TJ" in plain, "text stays text, not outlines"
