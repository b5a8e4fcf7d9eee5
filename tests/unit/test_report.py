"""The report of a run: whole, linked, escaped, each picture and sound once, and never the end of a run."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import report_run
import small_project
import soundfile
from small_project import STAGES, make

from aaclib import paths, store
from aaclib.suite import report
from aaclib.suite.record import RunError

home, quickly = small_project.home, small_project.quickly  # fixtures


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.text, self.scripts, self.tags = [], "", 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.scripts += tag == "script"
        self.links += [value for name, value in attributes if name in ("href", "src") and "://" not in value]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    run = report_run.make(tmp_path_factory.mktemp("runs") / "mine")
    return report.build(run).parent


def test_every_link_and_picture_leads_to_a_file(folder):
    pages = sorted(folder.rglob("*.html"))
    assert len(pages) == 3
    for page in pages:
        for link in Page(page.read_text()).links:
            assert (page.parent / unquote(link.partition("#")[0])).is_file(), f"{page.name}: {link}"


def test_notebooks_lead_to_each_other_and_what_is_not_there_is_no_link(folder):
    text = (folder / "notebooks" / report_run.TARGET / "01_data.html").read_text()
    assert 'href="../06_tables.html"' in text and "solutions/01_data.ipynb" in text
    assert not re.search(r'href="[^"]*solutions', text)


def test_text_from_outside_stays_text(folder):
    for page in folder.rglob("*.html"):
        read = Page(page.read_text())
        assert "alert(1)" not in "".join(re.findall(r"<script.*?</script>", page.read_text(), re.DOTALL))
        assert read.scripts == (2 if page.parent.name != "report" else 0)  # MathJax and its settings alone
    index = Page((folder / "index.html").read_text())
    assert index.text.count("<script>alert(1)</script>") >= 4  # title, heading, finding, row, note
    assert report_run.TARGET in index.text and "Synthetic world" in index.text


def test_a_picture_or_sound_is_one_file_however_often_it_is_shown(folder):
    assert len(list((folder / "pictures").iterdir())) == 1 and len(list((folder / "sounds").iterdir())) == 1
    (sound,) = (folder / "sounds").iterdir()
    samples, rate = soundfile.read(sound)
    assert (len(samples), rate) == (8000, 8000) and sound.suffix == ".flac"
    text = (folder / "notebooks" / report_run.TARGET / "01_data.html").read_text()
    assert "base64" not in text and text.count("<audio") == 2 == text.count('preload="none"')


def test_numbers_are_there_as_files(folder):
    index = Page((folder / "index.html").read_text())
    assert "files/tables/results.csv" in index.links
    assert [link for link in index.links if unquote(link) == f"files/figures/{report_run.TARGET}/01_bars.csv"]


def test_a_second_report_takes_the_place_of_the_first_and_leaves_nothing(tmp_path):
    run = report_run.make(tmp_path / "mine")
    first = {p.relative_to(run): p.read_bytes() for p in report.build(run).parent.rglob("*") if p.is_file()}
    (run / "report" / "old.html").write_text("old")
    second = {p.relative_to(run): p.read_bytes() for p in report.build(run).parent.rglob("*") if p.is_file()}
    assert first == second and not list(run.glob(".report*"))


def test_a_run_ends_with_its_report_and_one_that_has_nothing_to_do_keeps_it(home, quickly, monkeypatch):
    asked = []
    monkeypatch.setattr(report, "renew", asked.append)
    folder = paths.runs_dir() / "smoke"
    make().run(STAGES)
    make().run(STAGES)
    assert asked == [folder, folder], "the second finds none"
    (folder / "report").mkdir()
    make().run(STAGES)
    make().run(STAGES, force=True)
    assert asked == [folder] * 3


def test_a_report_that_fails_ends_no_run_and_says_why(tmp_path, capsys):
    run = report_run.make(tmp_path / "mine")
    report.renew(run)
    assert "index.html" in capsys.readouterr().out
    (run / "notebooks" / "06_tables.ipynb").write_text("{")
    report.renew(run)
    told = capsys.readouterr()
    assert "The report was not made" in told.err and "--report --profile mine" in told.err and not told.out
    assert (run / "report" / "index.html").is_file(), "the one before stays"
    run = report_run.make(tmp_path / "again")
    few = report.build(run, tmp_path / "few", without=["06_tables"]).parent
    assert [page.stem for page in (few / "notebooks").rglob("*.html")] == ["01_data"]
    with pytest.raises(RunError, match="There is no run"):
        report.build(tmp_path / "nothing")


@pytest.mark.parametrize(("profile", "marked"), [("quick", True), ("laptop", False)])
def test_the_mark_is_what_the_run_says_of_itself(profile, marked, tmp_path):
    run = report_run.make(tmp_path / "run")
    record = store.read_record(run / "run.json")
    store.write_record(run / "run.json", {**record, "profile": profile})
    assert ("Synthetic world." in report.build(run).read_text()) == marked
