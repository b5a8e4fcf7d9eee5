"""The documentation as a site: complete, its links whole, and a broken one noticed."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
import site_builder as site  # noqa: E402


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    assert site.build(ROOT, out) == []
    return out


def test_every_document_is_a_page_and_every_link_leads_somewhere(built):
    pages = {page.relative_to(built).as_posix() for page in built.rglob("*.html")}
    others = [ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")]
    documents = [*(ROOT / "docs").glob("*.md"), *others]
    lost = [p.name for p in documents if p.relative_to(ROOT).with_suffix(".html").as_posix() not in pages]
    assert not lost, f"no page leads to {lost}: name it in docs/index.md"
    assert "index.html" in pages and (built / "page.css").is_file()
    assert site.broken(built) == []


def test_a_link_that_leads_nowhere_is_noticed(tmp_path):
    root, out = tmp_path / "project", tmp_path / "site"
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text("# A & b\n\n[a](docs/a.md#first-part) [gone](gone.md) [web](https://example.org/x)")
    (root / "docs" / "a.md").write_text("# First part\n\n[home](../README.md), ![picture](b%20c.png), [all](.)")
    (root / "docs" / "b c.png").write_bytes(b"png")
    assert site.build(root, out) == ["README.md: gone.md leads to nothing"]
    assert (out / "docs" / "b c.png").is_file() and "A &amp; b" in (out / "index.html").read_text()
    assert site.broken(out) == ["index.html: gone.md"]
    (root / "README.md").write_text("[a](docs/a.md#second-part)")
    assert site.build(root, out) == [] and site.broken(out) == ["index.html: docs/a.html#second-part"]


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("pdoc"), reason="no pdoc here: the reference was not made")
def test_the_reference_has_the_public_functions(tmp_path):
    site.reference(tmp_path)
    text = (tmp_path / "aaclib" / "bridge.html").read_text()
    assert "register" in text and "Adds a part of one" in text
