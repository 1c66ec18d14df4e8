"""Base images of labs: what nobody has used for long is taken away, and nothing else."""

import os
import time

import pytest

from nodriza.lab.containers import disk, image

DAY = 86400


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(image, "CACHE", tmp_path / "images")
    monkeypatch.setattr(disk, "DEBS", tmp_path / "debs")
    return image.CACHE


def build(name, days_ago):
    """An image with a package kept for it, as old as told."""
    tree = image.CACHE / name
    for folder in (tree / "etc", disk.DEBS / name):
        folder.mkdir(parents=True)
    (disk.DEBS / name / "a.deb").write_text("")
    image.used(tree)
    for path in (tree, *image.CACHE.glob(f".{name}.lock")):
        os.utime(path, (time.time() - days_ago * DAY,) * 2)
    return tree


def test_image__that_no_lab_was_brought_up_with_for_long_goes_with_its_packages(cache):
    build("bookworm-old", days_ago=61)
    build("trixie-new", days_ago=59)
    image.prune()
    assert {path.name for path in cache.iterdir()} == {"trixie-new", ".trixie-new.lock"}
    assert {path.name for path in disk.DEBS.iterdir()} == {"trixie-new"}


def test_image__that_a_lab_is_brought_up_with_stays(cache):
    tree = build("bookworm-old", days_ago=300)
    image.used(tree)
    image.prune()
    assert (tree / "etc").is_dir()
    assert (disk.DEBS / tree.name / "a.deb").exists()


def test_image__below_a_machine_that_runs_stays(cache, monkeypatch):
    tree = build("bookworm-old", days_ago=300)
    monkeypatch.setattr(image, "mounted", lambda path: path == tree)
    image.prune()
    assert tree.is_dir()
