"""The pages as a site: what is made for it, and what it is built of."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.site import commands, keys
from nodriza.inventory.key_docs import all_keys, as_text
from nodriza.inventory.kinds import KINDS
from tests.unit.conftest import ROOT

FAB = Path(sys.executable).with_name("fab")
BUILD = """
import sys
from pathlib import Path
from docs.site.__main__ import build, gather
source, folder, more = sys.argv[1:]
gather(Path(source))
page = Path(source, "lab.rst")
page.write_text(page.read_text() + more)
sys.exit(build(Path(source), Path(folder)))
"""


def words(text):
    """Without the breaks and the quoting of either form."""
    return re.sub(r"[\\`]", "", " ".join(text.split()))


@pytest.mark.parametrize("name", ["provision", "deploy", "secrets.rotate", "inventory.keys"])
def test_page_of_commands__has_the_words_of_help(name):
    """The docstring, then two columns."""
    said = subprocess.run(
        [FAB, "--help", name], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    docstring, _, rest = said.partition("[OPTIONS]")[2].partition("Options:")
    options, _, examples = rest.partition("Examples:")
    page = commands.page()
    start = page.index(f"\nfab {name}\n")
    block = page[start : page.find(".. _fab-", start)]
    assert words(docstring) in words(block)
    columns = re.findall(r"(?m)^  (-.*?)  +(.*(?:\n {6,}\S.*)*)", options)
    assert len(columns) == block.count(".. option::")
    for flags, about in columns:
        assert words(f".. option:: {flags} {about}") in words(block)
    assert all(line in block for line in examples.strip().splitlines())


def test_page_of_commands__has_all_of_them_and_no_inventory():
    said = subprocess.run(
        [FAB, "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    inventories = {path.stem for path in (ROOT / "inventories").glob("*.yml")}
    there = set(re.findall(r"(?m)^  (\w[\w.-]*) ", said)) - inventories
    assert set(re.findall(r"(?m)^\.\. _fab-(.+):$", commands.page())) == there


def test_page_of_keys__has_every_key_with_its_words_and_its_default():
    page = words(keys.page())
    for key in all_keys():
        assert words(f"{key.path}") in page
        assert words(key.about) in page
        assert words(key.terms) in page
    assert ".. confval:: limits.connections *a whole number, 8 to 10000; default: 1024*" in page


def test_keys_in_a_terminal__say_shape_default_and_need():
    text = as_text()
    assert "limits.connections\n    a whole number, 8 to 10000; default: 1024\n" in text
    *others, last = KINDS
    assert f"\nnodes.NAME.kind\n    {', '.join(others)} or {last}; needed\n" in text
    assert "\napp.health[].expect\n    a whole number, 200 to 499; default: 200\n" in text
    assert "\nkinds.child\n    as kinds.central; optional\n" in text
    assert "\ntls\n    How the children speak HTTPS.\n" in text


needs_sphinx = pytest.mark.skipif(
    not importlib.util.find_spec("sphinx"), reason="no Sphinx here: make docs installs it"
)


def built(tmp_path, more=""):
    (tmp_path / "pages").mkdir()
    folder = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-c", BUILD, tmp_path / "pages", folder, more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, folder


@needs_sphinx
def test_site__loads_nothing_from_elsewhere_and_links_what_pages_name(tmp_path):
    done, site = built(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for page in site.glob("*.html"):
        loaded = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"([^\"]+)", page.read_text())
        assert loaded
        assert not [name for name in loaded if name.startswith(("http", "//"))], page
    readme = (site / "README.html").read_text()
    assert 'href="rolling.html"' in readme
    assert 'href="commands.html#fab-provision"' in readme
    assert (
        'href="inventory-keys.html#confval-app.uploads"' in (site / "inventory.html").read_text()
    )
    index = (site / "index.html").read_text()
    captions = re.findall(r'class="caption-text">([^<]+)', index)
    assert captions == re.findall(r"(?m)^(.+)\n-+$", (ROOT / "docs/index.rst").read_text())


@needs_sphinx
def test_site__is_refused_for_a_page_that_leads_nowhere_or_is_damaged(tmp_path):
    more = "\nSee ``nowhere.rst`` and `there <docs/neither.rst>`_.\n\n*unfinished\n"
    done, _ = built(tmp_path, more)
    assert done.returncode == 1
    for said in ("unknown document: 'nowhere'", "unknown document: 'neither'", "emphasis"):
        assert re.search(rf"lab\.rst:\d+: .*{said}", done.stderr), said
