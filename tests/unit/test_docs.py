"""The results that the documentation shows: whether they are those of the code as it stands."""

import json
import math
import re
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
import report_run
from PIL import Image

from aaclib import store
from aaclib.plots.results import METRIC_LABELS

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
import renew  # noqa: E402

BARS = "06_bars_cider_d"
NAMES = {label: metric for metric, label in METRIC_LABELS.items()}


def wrong_in_page(page: str, results: Path) -> list[str]:
    """What docs/results.md shows between the marks that `results` does not have: pictures and links without a file,
    lines with a number that no table or sentence there has. Also where nothing is shown at all."""
    shown = page.split(renew.START)[1].split(renew.END)[0]
    files = [path.read_text().strip() for path in sorted(results.glob("*.md"))]
    said = {line for file in files for line in file.splitlines()}
    wrong = [] if any(table in shown for table in files if "|---" in table) else ["no table of results is shown whole"]
    wrong += [f"{link}: no such file" for link in links(shown) if not (results.parent / link).exists()]
    return wrong + [line for line in shown.splitlines() if re.search(r"\d\.\d", line) and line not in said]


def wrong_in_table(path: Path) -> list[str]:
    """The lines of a table <target>-<decoding>.md whose numbers are those of no row of the CSV files beside it."""
    target, _, decoding = path.stem.rpartition("-")
    judged = decoding == "judged"
    table = pd.read_csv(path.with_name("judged.csv" if judged else "results.csv"))
    table = table[(table.target == target) & (table.decoding == ("greedy" if judged else decoding))]
    rows = {name: part.set_index("metric").value for name, part in table.groupby("strategy")}
    lines = [line.strip("| ").split(" | ") for line in path.read_text().splitlines() if line.startswith("| ")]
    kinds = {"rel. CIDEr-D": "relative", "above chance": "above_chance"}
    shares = {}  # "relative", "above_chance" -> strategy -> metric -> value
    for kind in (kinds[heading] for heading in lines[0] if heading in kinds):
        frame = pd.read_csv(path.with_name(f"{kind}.csv"))
        frame = frame[(frame.target == target) & (frame.decoding == decoding)]
        shares[kind] = {name: part.set_index("metric").value for name, part in frame.groupby("strategy")}

    def fits(cells: list[str], name: str) -> bool:
        for heading, cell in zip(lines[0][1:], cells, strict=True):
            source = shares[kinds[heading]].get(name, {}) if heading in kinds else rows[name]
            value = source.get("cider_d" if heading in kinds else NAMES[heading], math.nan)
            number = re.sub(r"<.*?>|[*°†]", "", cell)
            if (number == "-") != math.isnan(value) or number != "-" and abs(float(number) - 100 * value) > 0.051:
                return False
        return True

    numbers = [line for line in lines[1:] if len(line) == len(lines[0]) and any(map(str.isdigit, "".join(line[1:])))]
    assert numbers, f"{path.name} has no rows"
    return [" | ".join(line) for line in numbers if not any(fits(line[1:], name) for name in rows)]


def links(text: str) -> list[str]:
    """The files that Markdown links to or shows, but for the web's."""
    return [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]


def test_results_say_what_made_them_and_are_shown_as_they_came_out():
    made = json.loads((renew.RESULTS / "made.json").read_text())
    assert {"run", "seeds", "code", "settings", "machine", "versions"} <= set(made)
    assert not wrong_in_page((ROOT / "docs" / "results.md").read_text(), renew.RESULTS)
    if made["code"] != store.VERSIONS or made["settings"] != renew.settings(made):
        warnings.warn("docs/results was made by older code or settings: run it again, then docs/renew.py", stacklevel=1)


@pytest.mark.parametrize("path", sorted(renew.RESULTS.glob("*-*.md")), ids=lambda path: path.stem)
def test_tables_show_the_numbers_of_the_files_beside_them(path):
    assert not wrong_in_table(path)


@pytest.fixture
def results(tmp_path):
    """A docs/results of one table, with the files behind it, and a page that shows it."""
    folder = tmp_path / "docs" / "results"
    folder.mkdir(parents=True)
    head = "target,strategy,decoding,metric,value"
    scores = [f"pond,{name},greedy,{m},{v}" for name, m, v in [("c3", "bleu_1", 0.5261), ("c3", "cider_d", 0.3954)]]
    (folder / "results.csv").write_text("\n".join([head, *scores, "pond,noise,greedy,bleu_1,0.5", ""]))
    (folder / "relative.csv").write_text("\n".join([head, "pond,c3,greedy,cider_d,1.004", ""]))
    table = "| strategy | BLEU-1 | CIDEr-D | rel. CIDEr-D |\n|---|---:|---:|---:|\n| *Group* | | | |\n"
    table += "| c3 | **52.6** | <u>39.5</u>° | 100.4 |\n| noise | 50.0 | - | - |"
    (folder / "pond-greedy.md").write_text(table)
    (folder / "findings.md").write_text("- c3 has 39.5.")
    (folder / "bars.png").touch()
    shown = f"{table}\n\n- c3 has 39.5.\n\n![bars](results/bars.png) in [results](results)"
    return folder, f"{renew.START}\n{shown}\n{renew.END}"


def test_a_page_that_says_otherwise_is_noticed(results):
    folder, page = results
    assert not wrong_in_page(page, folder)
    assert wrong_in_page(page.replace("**52.6**", "**52.7**"), folder)
    assert wrong_in_page(page.replace("c3 has 39.5", "c3 has 39.6"), folder) == ["- c3 has 39.6."]
    (folder / "bars.png").unlink()
    assert wrong_in_page(page, folder) == ["results/bars.png: no such file"]
    assert wrong_in_page(f"{renew.START}\n{renew.END}", folder) == ["no table of results is shown whole"]


@pytest.mark.parametrize(
    ("old", "new"), [("52.6", "52.8"), ("39.5", "39.7"), ("100.4", "101.0"), ("50.0 | -", "50.0 | 1.0"), ("39.5", "-")]
)
def test_a_table_that_says_otherwise_is_noticed(results, old, new):
    path = results[0] / "pond-greedy.md"
    assert not wrong_in_table(path)
    path.write_text(path.read_text().replace(old, new, 1))
    assert len(wrong_in_table(path)) == 1


def test_links_in_documents_lead_to_files():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data").glob("*.md")]:
        for link in links(path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_renewing_takes_the_tables_and_the_figures_of_a_run(tmp_path, monkeypatch):
    run = tmp_path / "runs" / "quick"
    figures = [f"figures/{name}.png" for name in (BARS, "other")]
    for name in ("tables/soundscapes-long-greedy.md", "tables/results.csv", *figures):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(f"content of {name}")
    for name in (BARS, "other", "soundscapes-long/03_tsne", "soundscapes-short/03_tsne"):
        (run / "figures" / name).parent.mkdir(exist_ok=True)
        size = (1500, 900) if "short" in name else (1500, 600)
        Image.new("RGB", size, "white").save(run / "figures" / f"{name}.png")
    record = {
        "run": "quick",
        "profile": "quick",
        "overrides": {},
        "seeds": [0],
        "machine": {"cores": 2},
        "seconds": 1.0,
        "peak_memory_mib": 2.0,
        "versions": {},
        "config": {"data": {"targets": {"soundscapes-long": [], "soundscapes-short": []}}},
    }
    store.write_record(run / "run.json", record)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "results.md").write_text(f"before\n{renew.START}\nold\n{renew.END}\nafter\n")
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(renew, "ROOT", tmp_path)
    monkeypatch.setattr(renew, "RESULTS", tmp_path / "docs" / "results")
    monkeypatch.setattr(sys, "argv", ["renew.py", "quick"])
    renew.main()
    found = {path.name for path in renew.RESULTS.iterdir()}
    assert found == {"soundscapes-long-greedy.md", "results.csv", "03_tsne.png", f"{BARS}.png", "made.json"}
    assert Image.open(renew.RESULTS / "03_tsne.png").size == (1200, 480)  # the first target's
    assert Image.open(renew.RESULTS / f"{BARS}.png").size == (1200, 480)
    text = (tmp_path / "docs" / "results.md").read_text()
    assert "content of tables/soundscapes-long-greedy.md" in text and f"{BARS}.png" in text and "old" not in text
    assert text.startswith("before\n") and text.endswith("after\n")
    with pytest.raises(FileNotFoundError):
        monkeypatch.setattr(sys, "argv", ["renew.py", "nothing"])
        renew.main()


def test_a_gallery_is_a_runs_report_made_small_and_says_what_made_it(tmp_path, monkeypatch):
    run = report_run.make(tmp_path / "runs" / "mine")
    record = store.read_record(run / "run.json")
    store.write_record(run / "run.json", {**record, "profile": "quick", "overrides": {}})
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(renew, "GALLERY", tmp_path / "gallery")
    monkeypatch.setattr(renew, "WIDTH", 300)
    monkeypatch.setattr(sys, "argv", ["renew.py", "mine", "--gallery"])
    renew.main()
    (picture,) = (tmp_path / "gallery" / "pictures").glob("*.png")
    assert Image.open(picture).size == (300, 100)
    made = json.loads((tmp_path / "gallery" / "made.json").read_text())
    assert made["code"] == store.VERSIONS and "synthetic world" in (tmp_path / "gallery" / "README.md").read_text()


def test_the_gallery_says_what_made_it_and_tells_of_no_machines_folders():
    made = json.loads((renew.GALLERY / "made.json").read_text())
    if made["code"] != store.VERSIONS or made["settings"] != renew.settings(made):
        warnings.warn("docs/gallery was made by older code or settings: docs/renew.py --gallery", stacklevel=1)
    pages = list(renew.GALLERY.rglob("*.html"))
    assert len(pages) > 1 and sum(path.stat().st_size for path in renew.GALLERY.rglob("*.*")) < 6_000_000
    for page in pages:
        assert not re.search(r"(?<![\w.:/-])/(home|root|tmp|mnt|Users)/", page.read_text()), page.name
