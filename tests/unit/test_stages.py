"""What is executed for a profile: each notebook for the targets that it fits, and again only for what changed."""

import json

import pytest
import small_project
from small_project import EACH, book, executed, make, ran

from aaclib import config, paths, roles
from aaclib.suite import notebook, stages

home, quickly = small_project.home, small_project.quickly  # fixtures
LONG, SHORT = "soundscapes-long", "soundscapes-short"
CAPTIONED = {"data.audio": "clips", "data.captions": "table.csv"}


def keys(profile, **overrides):
    found = stages.stages(config.load(profile, overrides))
    return [stage.key.replace("_" + stage.notebook.name.partition("_")[2], "") for stage in found]


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    for name in ("RUNS", "RAW", "CACHE"):
        monkeypatch.setenv(f"AACLIB_{name}", str(tmp_path / name.lower()))


def test_targets_with_captions_have_01_to_05_each_and_00_and_06_are_of_the_run():
    books = ["01", "02", "03", "04", "05"]
    expected = ["00", *(f"{n}/{target}" for target in (LONG, SHORT) for n in books), "06"]
    assert keys("quick") == keys("smoke") == keys("synthetic") == expected
    assert keys("paper") == ["00", *(f"{n}/clotho" for n in books), "06"]  # AudioCaps and FSD50K are not here
    assert keys("quick", notebooks="[00, 03]") == ["00", f"03/{LONG}", f"03/{SHORT}"]


def test_a_stage_needs_those_of_its_target_and_06_needs_all():
    found = {stage.key: stage.needs for stage in stages.stages(config.load("quick"))}
    assert found[f"05_decoding/{SHORT}"] == (f"03_modality_gap/{SHORT}", f"04_training/{SHORT}")
    assert found["06_tables"] == (f"05_decoding/{LONG}", f"05_decoding/{SHORT}") and not found[f"01_data/{LONG}"]


def test_recordings_without_captions_have_14_after_what_their_decoder_needs(tmp_path):
    audio = {"data.audio": str(tmp_path)}
    assert keys("folder", **audio, **{"data.captions": "x.csv"})[-2:] == ["05/folder", "06"]
    assert keys("folder", **audio, captioner="quick") == ["00", "14/folder"]
    assert keys("folder", **audio, **{"data.text": "x.txt"}) == ["00", "14/folder"]  # a decoder of its own text
    assert keys("folder", **audio) == ["00", "04/text", "14/folder"]
    assert stages.stages(config.load("folder", audio))[-1].needs == ("04_training/text",)
    paper = stages.stages(config.load("paper", {"data.fsd50k": str(tmp_path), "data.audiocaps": str(tmp_path)}))
    assert [s.key for s in paper][-7:-5] == ["01_data/audiocaps", "02_embeddings/audiocaps"]
    assert paper[-1].key == "14_your_recordings/fsd50k" and paper[-1].needs == ("04_training/clotho",)
    assert keys("paper", **{"data.fsd50k": str(tmp_path)}, captioner="quick") == ["00", "14/clotho", "14/fsd50k"]


def test_the_text_that_others_are_described_from_is_a_target_only_where_there_is_no_other():
    settings = config.load("folder", {"data.audio": "clips"})
    assert list(settings.data.targets) == ["text", "folder"] and roles.recordings(settings) == ("folder",)
    assert settings.data.targets["text"] == settings.data.targets["folder"]
    assert roles.learned_from(settings, "folder") == roles.learned_from(settings, "text") == "text"
    assert config.load("folder", {"data.audio": "clips", "data.targets": dict(settings.data.targets)}) == settings
    assert settings.train.epochs == settings.data.text_epochs == 10 < config.load("folder", CAPTIONED).train.epochs
    assert config.load("folder", {"data.audio": "clips", "train.epochs": 3}).train.epochs == 3
    both = config.load("paper", {"data.targets": {"fsd50k": ["noise"], "audiocaps": ["noise"]}})
    assert list(both.data.targets) == ["fsd50k", "audiocaps"] and roles.learned_from(both, "fsd50k") == "audiocaps"


def test_stages_are_chosen_for_one_target_or_for_all():
    all_ = stages.stages(config.load("quick"))

    def names(*only, **between):
        return [stage.key for stage in stages.select(all_, only, **between)]

    both = [f"03_modality_gap/{LONG}", f"03_modality_gap/{SHORT}"]
    assert names("03") == names("gap") == names("03_modality_gap.ipynb") == both
    assert names(f"03/{LONG}") == names(f"gap/{LONG}") == names("03_modality_gap/long") == both[:1]
    assert names(f"03/{SHORT},06", "00") == ["00_preflight", both[1], "06_tables"]
    assert names(start="05") == [f"05_decoding/{LONG}", f"05_decoding/{SHORT}", "06_tables"]
    assert names(start=f"05/{SHORT}") == [f"05_decoding/{SHORT}", "06_tables"]
    assert names(start="03", end=f"03/{SHORT}") == both[1:] and names(end="00") == ["00_preflight"]
    assert names("03", start="04") == []
    for wrong in ("03/clotho", "03/soundscapes", "06/" + LONG, "07", "0"):
        with pytest.raises(stages.UnknownStage, match=f"no one stage '{wrong}'.* 05_decoding/{LONG}, "):
            names(wrong)


def test_executed_notebooks_and_figures_of_a_target_lie_in_its_folder(home, quickly, capsys):
    record = make(notebooks=EACH).run()
    folder = paths.runs_dir() / "smoke"
    assert executed(folder) == {
        "00_first",
        *(f"{t}/{n}" for t in (LONG, SHORT) for n in ("01_second", "02_aside")),
        "06_last",
    }
    files = record["stages"][f"02_aside/{LONG}"]["files"]
    assert list(files) == [f"notebooks/{LONG}/02_aside.ipynb", f"figures/{LONG}/02_aside.pdf"]
    assert ran(capsys) == [stage.key for stage in make(notebooks=EACH).stages] == list(record["stages"])
    make(notebooks=EACH).run()
    assert ran(capsys) == []


def test_papermill_is_given_the_target_where_the_notebook_is_of_one(home, monkeypatch):
    given = {}

    def execute(source, target, parameters, log, **_):
        given[source.stem] = (dict(parameters), log.relative_to(paths.runs_dir()).as_posix())
        raise notebook.NotebookError("", "", "")

    monkeypatch.setattr(notebook, "execute", execute)
    run = make(notebooks=EACH, overrides=["seeds=[3]"])
    for stage in (run.stages[0], run.stages[3]):
        with pytest.raises(notebook.NotebookError):
            run.run([stage])
    assert given["00_first"] == ({"profile": "smoke", "overrides": {"seeds": [3]}}, "smoke/logs/00_first.log")
    expected = {"profile": "smoke", "target": SHORT, "overrides": {"seeds": [3]}}
    assert given["01_second"] == (expected, f"smoke/logs/{SHORT}/01_second.log")


def test_what_is_due_of_one_target_is_not_due_of_the_other(home, quickly, capsys):
    make(notebooks=EACH).run()
    folder = paths.runs_dir() / "smoke"
    (folder / "figures" / SHORT / "01_second.pdf").unlink()
    plan = make(notebooks=EACH).plan(make(notebooks=EACH).stages)
    assert [line.split()[0] for line in plan if "is gone" in line] == [f"01_second/{SHORT}"]
    (folder / "notebooks" / LONG / "02_aside.ipynb").write_text("another")
    capsys.readouterr()
    make(notebooks=EACH).run()
    assert ran(capsys) == [f"02_aside/{LONG}", f"01_second/{SHORT}"]
    book(home / "notebooks", "02_aside", "1 + 1")
    make(notebooks=EACH).run()
    assert ran(capsys) == [f"02_aside/{LONG}", f"02_aside/{SHORT}", "06_last"]


def test_a_target_that_fails_leaves_the_others_finished_and_is_named(home, quickly, monkeypatch, capsys):
    at_once = notebook.execute

    def execute(source, target, parameters, **options):
        if (source.stem, parameters.get("target")) == ("02_aside", SHORT):
            raise notebook.NotebookError(f"02_aside.ipynb ({SHORT}), cell 1 of 1: x", "Error: no", "")
        return at_once(source, target, parameters, **options)

    monkeypatch.setattr(notebook, "execute", execute)
    with pytest.raises(notebook.NotebookError, match=SHORT):
        make(notebooks=EACH).run()
    assert ran(capsys) == ["00_first", f"01_second/{LONG}", f"02_aside/{LONG}", f"01_second/{SHORT}"]
    recorded = json.loads((paths.runs_dir() / "smoke" / "run.json").read_text())["stages"]
    assert f"02_aside/{LONG}" in recorded and f"02_aside/{SHORT}" not in recorded
    monkeypatch.setattr(notebook, "execute", at_once)
    make(notebooks=EACH).run()
    assert ran(capsys) == [f"02_aside/{SHORT}", "06_last"]


def test_left_overs_in_a_targets_folder_go_at_the_next_start(home, quickly):
    make(notebooks=EACH).run()
    folder = paths.runs_dir() / "smoke"
    left = [folder / f"notebooks/{LONG}" / name for name in ("02_aside.part.ipynb", ".kernel/connection.json")]
    left.append(folder / f"figures/{LONG}/.a.pdf.abcd_123.pdf")
    own = [folder / f"notebooks/{LONG}" / name for name in ("03.failed.ipynb", ".ipynb_checkpoints/a.part.ipynb")]
    for path in (*left, *own):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    make(notebooks=EACH).run()
    assert not any(path.exists() for path in left) and all(path.exists() for path in own)


def test_a_failing_cell_is_named_with_its_target(home):
    book(home / "notebooks", "01_second", "x = 1", "x / 0")
    run = make(notebooks=EACH)
    with pytest.raises(notebook.NotebookError) as caught:
        run.run([stage for stage in run.stages if stage.target == SHORT])
    assert caught.value.lines[0] == f"01_second.ipynb ({SHORT}), cell 4 of 4: x / 0"
    failed = paths.runs_dir() / "smoke" / "notebooks" / SHORT / "01_second.failed.ipynb"
    assert str(failed) in caught.value.lines[2] and failed.is_file()


def test_targets_that_are_not_here_are_named(home, quickly, capsys):
    run = small_project.runner.Runner("paper", notebooks=EACH)
    assert [line.split(":")[0].strip() for line in run.left_out()] == ["audiocaps", "fsd50k"]
    run.run(run.stages[:1])
    said = capsys.readouterr().out
    assert "audiocaps: left out. No folder with AudioCaps' audio" in said and said.count("left out") == 2
