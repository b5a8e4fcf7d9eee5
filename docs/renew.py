"""Renews what the documentation shows of finished runs, with the digest of the code that made it.

`python docs/renew.py synthetic` takes a run's tables and figures into docs/results/ and writes its main table into
docs/results.md; `python docs/renew.py quick --gallery` takes a run's report into docs/gallery/, made small.

A test says when the code has moved on, so that nobody mistakes old numbers for those of the code as it stands.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from PIL import Image

from aaclib import config, paths, store
from aaclib.suite import report

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
FIGURES = ("01_spectrograms", "03_tsne", "03_bridges", "06_bars_cider_d", "06_relative", "06_seeds")
GALLERY = ROOT / "docs" / "gallery"
WIDTH = 1000  # of its pictures, in pixels
TABLES = ("*.md", "results.csv", "relative.csv", "above_chance.csv", "judged.csv")
START, END = "<!-- results: written by docs/renew.py -->", "<!-- end of results -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a finished run in data/runs, for example quick")
    parser.add_argument("--gallery", action="store_true", help="its report into docs/gallery")
    args = parser.parse_args()
    run = paths.runs_dir() / args.run
    record = store.read_record(run / "run.json")
    if args.gallery:
        return gallery(run, record)
    if RESULTS.is_dir():
        shutil.rmtree(RESULTS)
    RESULTS.mkdir(parents=True)
    for pattern in TABLES:
        for file in sorted((run / "tables").glob(pattern)):
            shutil.copy(file, RESULTS)
    folders = [run / "figures" / target for target in ("", *record["config"]["data"]["targets"])]
    for name in FIGURES:
        if files := [file for folder in folders if (file := folder / f"{name}.png").is_file()]:
            shrink(files[0], RESULTS / f"{name}.png")  # of the first target, where each has its own
    store.write_json(RESULTS / "made.json", made(record))
    write_page(record)


def gallery(run: Path, record: dict) -> None:
    """The report of a run, its pictures for a screen; every number and sound of it as it is."""
    report.build(run, GALLERY, without=["00_preflight"])  # which tells of a machine and its folders
    for picture in (GALLERY / "pictures").glob("*.png"):
        shrink(picture, picture, WIDTH)
    places = sorted(page.stem for page in (GALLERY / "notebooks").rglob("*.html"))
    about = f"""# A run to look at

The report of the profile `{record["profile"]}` as it came out ({", ".join(places)}):
[index.html](index.html), to be opened in a browser (from a checkout, or in the site of `python docs/site_builder.py`).
It is a **synthetic world**: sounds rendered by a program, described by a grammar. [made.json](made.json) says by which
code, settings and machine;
`python docs/renew.py {record["run"]} --gallery` makes it again.
"""
    store.write_text(GALLERY / "README.md", about)
    store.write_json(GALLERY / "made.json", made(record))


def shrink(source: Path, target: Path, width: int = 1200) -> None:
    """A figure for a screen: the run's own have 300 dots an inch."""
    with Image.open(source) as picture:
        size = (min(width, picture.width), round(picture.height * min(1, width / picture.width)))
        picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(128).save(target, optimize=True)


def made(record: dict) -> dict:
    """What made the results: the versions of the code behind every kind of artefact, the profile, the machine."""
    asked = {name: record[name] for name in ("run", "profile", "overrides", "seeds", "machine", "versions")}
    return {**asked, "code": store.VERSIONS, "settings": settings(record)}


def settings(record: dict) -> str:
    """The digest of the run's settings as the code has them now."""
    return store.digest(config.load(record["profile"], record["overrides"]))


def write_page(record: dict) -> None:
    pictures = [
        f"![{name}](results/{name}.png)"
        for name in ("03_tsne", "06_seeds", "06_bars_cider_d")
        if (RESULTS / f"{name}.png").is_file()
    ]
    first = record["config"]["data"]["targets"]
    table = (RESULTS / f"{next(iter(first))}-greedy.md").read_text().strip()
    about = (
        f"From `{record['run']}`, seeds {', '.join(map(str, record['seeds']))}, on {record['machine']['cores']} "
        "cores; intervals, the other target and every number are in [results](results)."
    )
    found = RESULTS / "findings.md"
    told = found.read_text().strip() if found.is_file() else ""
    text = "\n\n".join(
        filter(None, [START, about, table, "What the run says of itself:" if told else "", told, *pictures, END])
    )
    page = ROOT / "docs" / "results.md"
    store.write_text(page, re.sub(f"{START}.*?{END}", lambda _: text, page.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    main()
