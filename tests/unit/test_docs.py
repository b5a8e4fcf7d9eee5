"""The results that the README shows: whether they are those of the code as it stands."""

import json
import sys
import warnings
from pathlib import Path

import pytest
from PIL import Image

from aaclib import store

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
import renew  # noqa: E402

MADE = ROOT / "docs" / "results" / "made.json"


@pytest.mark.skipif(not MADE.is_file(), reason="no results are committed")
def test_results_say_what_made_them_and_are_shown_as_they_came_out():
    made, readme = json.loads(MADE.read_text()), (ROOT / "README.md").read_text()
    assert {"run", "seeds", "code", "settings", "machine", "versions"} <= set(made)
    shown = readme.split(renew.START)[1].split(renew.END)[0]
    tables = [path.read_text().strip() for path in renew.RESULTS.glob("*.md")]
    assert any(table in shown for table in tables)
    for line in shown.splitlines():
        if line.startswith("!["):
            assert (ROOT / line.split("(")[1].rstrip(")")).is_file(), line
    if made["code"] != store.VERSIONS or made["settings"] != renew.settings(made):
        warnings.warn("docs/results was made by older code or settings: run it again, then docs/renew.py", stacklevel=1)


def test_renewing_takes_the_tables_and_the_figures_of_a_run(tmp_path, monkeypatch):
    run = tmp_path / "runs" / "quick"
    for name in ("tables/soundscapes-long-greedy.md", "tables/results.csv", "figures/06_bars.png", "figures/other.png"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(f"content of {name}")
    for name in ("06_bars", "other", "soundscapes-long/03_tsne", "soundscapes-short/03_tsne"):
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
    (tmp_path / "README.md").write_text(f"before\n{renew.START}\nold\n{renew.END}\nafter\n")
    monkeypatch.setenv("AACLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(renew, "ROOT", tmp_path)
    monkeypatch.setattr(renew, "RESULTS", tmp_path / "docs" / "results")
    monkeypatch.setattr(sys, "argv", ["renew.py", "quick"])
    renew.main()
    found = {path.name for path in renew.RESULTS.iterdir()}
    assert found == {"soundscapes-long-greedy.md", "results.csv", "03_tsne.png", "06_bars.png", "made.json"}
    assert Image.open(renew.RESULTS / "03_tsne.png").size == (1200, 480)  # the first target's
    assert Image.open(renew.RESULTS / "06_bars.png").size == (1200, 480)
    text = (tmp_path / "README.md").read_text()
    assert "content of tables/soundscapes-long-greedy.md" in text and "06_bars.png" in text and "old" not in text
    assert text.startswith("before\n") and text.endswith("after\n")
    with pytest.raises(FileNotFoundError):
        monkeypatch.setattr(sys, "argv", ["renew.py", "nothing"])
        renew.main()
