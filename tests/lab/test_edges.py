"""The edges of deploys: what an operator ends, what is still at work, and variables alone.

A cluster of its own: its application is broken on purpose.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import Visitor

CENTRAL, CHILDREN, VIDEO = "server-1", ("server-2", "server-3"), "video-1"
RELEASES = "ls -A /opt/videoteca/releases"
FILE = "cat /etc/videoteca/videoteca.env"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.make(tmp_path_factory.mktemp("edges"), "nodriza-edges", 80)
    with project.up("provision", "deploy"):
        yield project


@contextmanager
def changed(site: Project, name: str, text: str) -> Iterator[None]:
    """A file of the source, as it was afterwards."""
    path = site.folder / "videoteca" / name
    before = path.read_text() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()
        if before is not None:
            path.write_text(before)


def test_ctrl_c_while_the_source_is_on_its_way__ends_with_130_and_leaves_nothing(
    site: Project,
) -> None:
    large = site.folder / "videoteca/large.bin"
    large.write_bytes(os.urandom(400 * 1024 * 1024))
    before = site.on(CENTRAL, RELEASES)
    try:
        with site.start("deploy") as process:
            wait_for("upload", 120, lambda: _is_filling(site), every=0.1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
    finally:
        large.unlink()
    assert process.returncode == 130, out + err
    assert "stopped between two resources: as you asked" in out + err
    assert "nothing was changed on it" in out + err
    assert "run the same command again" in out + err
    assert "goes on serving" in out + err
    assert site.on(CENTRAL, RELEASES) == before


def _is_filling(site: Project) -> bool:
    look = "stat --format=%s /opt/videoteca/releases/*/.app.nodriza-new/large.bin"
    return int(site.on(CENTRAL, look, check=False) or 0) > 0


def test_variable_that_the_application_can_t_work_with__is_tried_and_restarts_nobody(
    site: Project,
) -> None:
    before = {child: site.on(child, FILE) for child in CHILDREN}
    began = {child: _workers(site, child) for child in CHILDREN}
    site.write(environment={"SHADE": "dark", "DATABASE_READ_TIMEOUT": "soon"})
    try:
        told = site.fab("provision", "--check").well()
        with Visitor(site.cluster, "/") as visitor:
            result = site.fab("provision")
    finally:
        site.write()
    place = rf"DATABASE_READ_TIMEOUT, {site.inventory.name}:\d+"
    for said in (told.said, result.said):
        assert re.search(place, said)
        assert "ValueError: invalid literal for int() with base 10: 'soon'" in said
    assert result.exit == 1
    assert "The old ones go on serving" in result.said
    assert "left alone" in result.said
    assert visitor.bad == []
    assert visitor.answers > 0
    assert {child: site.on(child, FILE) for child in CHILDREN} == before
    assert {child: _workers(site, child) for child in CHILDREN} == began
    site.write(environment={"SHADE": "dark"})
    foretold = site.fab("provision", "--check", "--json").well()
    assert foretold.changed() == site.fab("provision", "--json").well().changed()
    assert site.fab("provision", "--json").well().changed() == {}
    site.write()
    site.fab("provision").well()


def _workers(site: Project, child: str) -> str:
    return site.on(child, "systemctl show --property=MainPID uwsgi; pgrep -u videoteca uwsgi")


def test_check__judges_a_release_that_is_there_and_names_what_it_can_t_look_at(
    site: Project,
) -> None:
    settings = (site.folder / "videoteca/videoteca/settings.py").read_text()
    with changed(site, "videoteca/settings.py", f"{settings}\nDEBUG = True\n"):
        not_made = site.fab("deploy", "--check").well()
        assert "a check makes no release, so it did not look whether this one imports" in (
            not_made.said
        )
        refused, foretold = site.fab("deploy"), site.fab("deploy", "--check")
    for result in (refused, foretold):
        assert result.exit == 1
        assert "DEBUG is True" in result.said


def test_release_that_a_process_still_works_in__is_not_taken_away(site: Project) -> None:
    """A task began in it, and then all went back: no record names it."""
    served = _current(site)
    site.write(health=[{"path": "/healthz/here", "expect": 302}])
    with changed(site, "news.txt", "one"):
        assert site.fab("deploy").exit == 1
    site.write()
    assert _current(site) == served
    (gone_back_from,) = set(site.on(VIDEO, RELEASES).split()) - {served}
    there = f"/opt/videoteca/releases/{gone_back_from}/app"
    site.on(VIDEO, f"cd {there} && systemd-run --working-directory={there} --unit=task sleep 900")
    with changed(site, "news.txt", "two"):
        _deployed(site)
    assert gone_back_from in site.on(VIDEO, RELEASES)
    assert gone_back_from not in site.on("server-2", RELEASES), "nobody works there"
    site.on(VIDEO, "systemctl stop task")
    with changed(site, "news.txt", "three"):
        _deployed(site)
    assert gone_back_from not in site.on(VIDEO, RELEASES)


def _current(site: Project) -> str:
    return site.on(VIDEO, "basename $(readlink /opt/videoteca/current)").strip()


def _deployed(site: Project) -> Result:
    result = site.fab("deploy").well()
    assert "2 of 2 children serve" in result.said
    return result
