"""Benchmarks can be run: each once, at sizes that say nothing; and their table says what they found."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("run", "table"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import run

    return run


def test_the_table_has_ratios_and_keeps_what_was_not_measured(bench, tmp_path):
    from table import Row, exponent

    lines = bench.markdown(
        [("made", Row("a step", 2.0, 8.0, 1.0, "of 3 words")), ("made", Row("memory", 5, unit="MiB"))]
    )
    assert lines[2] == "| made | a step | 2 s | 8 s | 1 s | 4 | 2 | of 3 words |"
    assert lines[3] == "| made | memory | 5 MiB | - | - | - | - |  |"
    page = tmp_path / "page.md"
    page.write_text("\n".join(["# Benchmarks", *lines, "| start | x | 1 s | - | - | - | - |  |"]))
    assert bench.kept(page, ["made"]) == ["| start | x | 1 s | - | - | - | - |  |"]
    assert exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["generation", "start"])  # the others take minutes at any size
def test_a_benchmark_runs(bench, name, capsys):
    bench.main(["--only", name, "--tiny"])
    said = capsys.readouterr().out.splitlines()
    assert len(said) >= 4 and all(line.startswith(f"| {name} | ") for line in said[2:])
