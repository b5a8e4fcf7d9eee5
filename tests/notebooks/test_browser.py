"""JupyterLab in a real browser (Debian's Chromium, headless): Run All on an empty store, and knobs that answer.

AACLIB_SCREENSHOTS=FOLDER keeps pictures of what was seen.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from aaclib.suite import lab

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
PARTS = ("train", "validation", "evaluation")
SMALL = {  # everything is made on request, in a minute; nothing that is said means anything
    **{f"data.sizes.soundscapes-{world}.{part}": 40 for world in ("pretrain", "long") for part in PARTS},
    "data.targets": {"soundscapes-long": ["baseline", "noise", "projection", "copy", "reconstruction", "shuffled"]},
    "generate.beam_rows": ["baseline"],
    "metrics.names": ["cider_d"],
    "metrics.bootstrap": 20,
    "clap.epochs": 2,
    "train.epochs": 60,  # enough for another embedding to give another caption
    "train.lr": 3e-3,
    "train.batch_size": 32,
    "train.warmup_steps": 5,
    "decoder.width": 64,
    "decoder.layers": 2,
    "decoder.heads": 4,
}
LONGEST_S = 1200  # on a busy machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no Chromium here (fix: apt install chromium chromium-driver)"
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab as `aaclib lab` starts it, on working copies that name a small run; its address, with the token."""
    home = tmp_path_factory.mktemp("lab")
    work, settings = home / "notebooks", home / "settings" / "@jupyterlab" / "notebook-extension"
    list(lab.refresh(ROOT / "notebooks", work))
    for path in work.glob("*.ipynb"):
        book = nbformat.read(path, 4)
        cell = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", []))
        cell.source = f'profile = "smoke"\ntarget = ""\noverrides = {SMALL!r}'  # as a reader would write it
        nbformat.write(book, path)
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')  # all cells are on the page
    quiet = settings.parent / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir()
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = lab.environment(ROOT) | {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "OMP_NUM_THREADS": "1"}
    environment |= {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    environment |= {f"AACLIB_{name}": str(home / name.lower()) for name in ("CACHE", "RUNS", "RAW", "WORK")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    command += ["--IdentityProvider.token=play", f"--ServerApp.root_dir={work}", "--allow-root"]
    command += [f"--LabApp.workspaces_dir={home / 'workspaces'}"]
    with open(home / "log", "w") as log:
        running = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=home)
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/api?token=play"), "JupyterLab", 120)
            # a workspace of its own for each notebook: JupyterLab would open those of the test before beside it
            yield lambda name: f"http://127.0.0.1:{port}/lab/workspaces/{name[:2]}/tree/{name}?token=play"
        finally:
            running.terminate()
            running.wait(60)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def until(holds, what: str, seconds: float = LONGEST_S):
    """What `holds()` gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds} s")


@pytest.fixture
def page(tmp_path):
    """Chromium, without a window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "window-size=1400,1100"):
        options.add_argument(f"--{option}")
    options.add_argument(f"--user-data-dir={tmp_path / 'chromium'}")
    driver = webdriver.Chrome(options, Service(DRIVER))
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


def all_of(page, css: str) -> list:
    return page.find_elements("css selector", css)


def seen(page, name: str, css: str = "") -> None:
    """Keeps a picture of the page, with an element in its middle."""
    if css:
        page.execute_script("arguments[0].scrollIntoView({block: 'center'})", all_of(page, css)[-1])
        time.sleep(1)
    if folder := os.environ.get("AACLIB_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.save_screenshot(str(Path(folder) / f"{name}.png"))


ERRORS = '[data-mime-type="application/vnd.jupyter.error"]'


def run_all(page, address: str) -> None:
    """Opens a notebook and chooses Run All Cells, as a reader does; every cell comes to its end without an error."""
    page.get(address)
    until(lambda: all_of(page, ".jp-Notebook .jp-CodeCell"), "the notebook", 120)
    until(lambda: "| Idle" in page.find_element("id", "jp-main-statusbar").text, "a kernel", 120)  # before: none
    item = '.lm-Menu-item[data-command="runmenu:run-all"]'
    menu = next(label for label in all_of(page, ".lm-MenuBar-itemLabel") if label.text == "Run")
    menu.click()
    until(lambda: all_of(page, item), "the menu", 30)[0].click()

    def ended() -> bool:
        if found := all_of(page, ERRORS):
            raise AssertionError(found[0].text[-1500:])
        prompts = [p.get_attribute("textContent") for p in all_of(page, ".jp-CodeCell .jp-InputPrompt")]
        return all(any(map(str.isdigit, prompt)) for prompt in prompts)

    until(ended, "the last cell")


def test_notebook_05_runs_from_nothing_and_its_knobs_change_the_caption(server, page):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    run_all(page, server("05_decoding.ipynb"))
    assert all_of(page, ".jp-OutputArea audio") and len(all_of(page, ".jp-OutputArea img")) >= 4
    until(lambda: len(all_of(page, ".noUi-handle")) == 3, "the sliders", 60)
    seen(page, "05", ".widget-html-content")
    clip, tau, memory = all_of(page, ".noUi-handle")

    def said() -> list[str]:
        return [bold.text for bold in all_of(page, ".widget-html-content b")]

    def turned(handle, key: str) -> list[str]:
        before = all_of(page, ".widget-html-content")[-1].text
        handle.send_keys(key)
        until(lambda: all_of(page, ".widget-html-content")[-1].text != before, "an answer to the knob", 60)
        return said()

    first = said()
    assert first[0] == "projection" and len(first) == 2 and first[1]
    assert "captions mixed" in all_of(page, ".widget-html-content")[-1].text
    captions = {first[1]}
    for handle, key in ((tau, Keys.END), (clip, Keys.HOME), (tau, Keys.HOME), (clip, Keys.END), (memory, Keys.HOME)):
        captions.add(turned(handle, key)[1])
    assert len(all_of(page, ".widget-html-content tr")) == 2  # a memory of one caption: a heading and a line
    shown = all_of(page, ".widget-html-content")[-1].text
    Select(all_of(page, ".widget-dropdown select")[1]).select_by_visible_text("audio")
    until(lambda: all_of(page, ".widget-html-content")[-1].text != shown, "another strategy", 60)
    assert said()[0] == "baseline" and len(captions | {said()[1]}) > 1, "whatever is turned, it says the same"
    sources = [audio.get_attribute("src") for audio in all_of(page, ".widget-audio, .jupyter-widgets audio")]
    assert any(source and source.startswith("blob:") for source in sources)
    seen(page, "05-turned", ".widget-html-content")


def test_notebook_03_has_dots_that_tell_their_captions(server, page):
    run_all(page, server("03_modality_gap.ipynb"))
    (plot,) = until(lambda: all_of(page, ".js-plotly-plot"), "the map", 60)
    assert all_of(page, ".jp-OutputArea img")
    seen(page, "03", ".js-plotly-plot")
    assert len(plot.find_elements("css selector", ".scatterlayer .trace")) == 2
    from selenium.webdriver.common.action_chains import ActionChains

    points = plot.find_elements("css selector", ".scatterlayer .point")
    assert len(points) >= 20

    def told() -> list[str]:
        ActionChains(page).move_to_element(points[3]).perform()
        found = plot.find_elements("css selector", ".hoverlayer .hovertext")
        return [text.get_attribute("textContent") for text in found]

    assert until(told, "a caption under the pointer", 30)[0].strip()
    seen(page, "03-hover")
