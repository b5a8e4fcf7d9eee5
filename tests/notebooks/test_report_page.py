"""The report in a real browser: on a phone and a desk, light and dark, nothing cut off, every picture there."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import report_run  # noqa: E402

from aaclib.suite import report  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# a page that opens another in a frame of a phone's or a desk's width and writes down what it sees there
LOOK = """<!doctype html><meta charset="utf-8"><iframe id="f" style="width:%dpx;height:800px" src="%s"></iframe>
<pre id="seen"></pre><script>document.getElementById("f").onload = async function () {
const page = this.contentDocument, root = page.documentElement;
const pictures = [...page.images]; pictures.forEach(p => p.loading = "eager");
await Promise.all(pictures.map(p => p.decode().catch(() => 0)));
const wide = [...page.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > root.clientWidth + 1)
  .filter(e => !e.closest("pre, table, .table, .output_html")).map(e => e.tagName);
const colour = getComputedStyle(page.body).backgroundColor;
document.getElementById("seen").textContent = JSON.stringify({scroll: root.scrollWidth, room: root.clientWidth, wide,
  broken: pictures.filter(p => !p.naturalWidth).length, pictures: pictures.length, colour, text: page.body.innerText});
};</script>"""

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: the report was not looked at in a browser")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return report.build(report_run.make(tmp_path_factory.mktemp("runs") / "mine")).parent


def seen(folder: Path, page: str, width: int, dark: bool = False) -> dict:
    look = folder / "look.html"
    look.write_text(LOOK % (width, page))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    options += ["--virtual-time-budget=20000", f"--user-data-dir={folder / '.chromium'}", "--window-size=1400,900"]
    options += ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    done = subprocess.run([CHROMIUM, *options, look.as_uri()], capture_output=True, text=True, timeout=240)
    found = re.search(r'<pre id="seen">(\{.*?\})</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-1000:]
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [360, 1200])
def test_no_page_is_wider_than_its_screen_and_every_picture_is_there(folder, width):
    for page in ("index.html", f"notebooks/{report_run.TARGET.replace(' ', '%20')}/01_data.html".replace("&", "%26")):
        there = seen(folder, page, width)
        assert there["scroll"] <= there["room"] and not there["wide"], (page, there)
        assert there["pictures"] and not there["broken"], page
        assert "alert(1)" in there["text"], "text from outside is read as text"


def test_it_is_dark_where_the_reader_wants_it_dark(folder):
    light, dark = (seen(folder, "index.html", 1200, dark)["colour"] for dark in (False, True))
    assert light == "rgb(255, 255, 255)" and dark != light
