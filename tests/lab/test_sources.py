"""Sources of every kind, nodes without room, and commands that meet each other."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import Visitor, serving

CENTRAL, CHILD = "server-1", "server-2"
LINK = "basename $(readlink /opt/videoteca/current)"
RELEASES = "/opt/videoteca/releases"
LARGE = 1024**3
FILES = 10_000
NAMES = ("años/canción.txt", "映像/一.txt", "two words/'quote\".txt", "-rf", "#a;b&c$d.txt")
LIST = (
    "find . -not -name '*.pyc' -not -name __pycache__ -not -name '.nodriza-*' -not -path ."
    r" -printf '%P %y %l %#m\n' | sed -E 's/ (f|d|l) (.*) 0[0-7]*([0-7])[0-7]{2}$/ \1 \2 \3/'"
    " | LC_ALL=C sort | sha256sum; find . -type f | wc -l"
)
"""Names, kinds, where links point and whether the owner may execute, and how many files."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A central node and a child, and the application in a checkout of git."""
    project = Project.make(
        tmp_path_factory.mktemp("sources"), "sources", 156, children=1, videos=0
    )
    git(project, "init", "--quiet")
    with project.up("provision", "deploy"):
        wait_for("answer of the child", 60, lambda: serving(project.cluster))
        yield project


@pytest.fixture(autouse=True)
def kept(site: Project) -> Iterator[None]:
    """The source and the inventory are as before when a test is over."""
    copy = app(site).with_name("kept")
    shutil.copytree(app(site), copy, symlinks=True)
    yield
    shutil.rmtree(app(site))
    copy.rename(app(site))
    site.write()


def app(project: Project) -> Path:
    return project.folder / "videoteca"


def git(project: Project, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=app(project), check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def current(project: Project, node: str = CENTRAL) -> str:
    return project.on(node, LINK).strip()


def refused(project: Project, *words: str) -> Result:
    done = project.fab("deploy")
    assert done.exit == 1, done.said
    for each in words:
        assert each in done.said
    return done


def test_ten_thousand_files__arrive_with_their_names_links_and_rights(site: Project) -> None:
    many = app(site) / "many"
    for number in range(FILES):
        path = many / f"{number % 100}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n")
    for name in NAMES:
        path = app(site) / "names" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    program = app(site) / "names" / "program"
    program.write_text("#!/bin/sh\necho it runs\n")
    program.chmod(0o755)
    (app(site) / "names" / "link").symlink_to("program")
    (app(site) / "names" / "up").symlink_to("../many/7/7.txt")
    site.fab("deploy").well()
    for folder in ("many", "names"):
        here = subprocess.run(
            ["bash", "-c", LIST],
            cwd=app(site) / folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert site.on(CHILD, f"cd /opt/videoteca/current/app/{folder} && {LIST}") == here
    assert site.on(CHILD, "cd /opt/videoteca/current/app/names && ./link") == "it runs\n"
    for name in NAMES:
        path = f"names/{name}"
        said = site.on(CHILD, 'cat -- "$(cat)"', stdin=f"/opt/videoteca/current/app/{path}")
        assert said == name
    assert "nothing to change" in site.fab("deploy").well().said


def test_link_out_of_the_source__is_refused_and_leaves_nothing(site: Project) -> None:
    before = current(site)
    (app(site) / "out").symlink_to("/etc/shadow")
    done = site.fab("deploy")
    assert done.exit in (1, 2), done.said
    assert "out" in done.said
    assert current(site) == before


def test_central_without_room__is_told_before_anything_travels(site: Project) -> None:
    before = current(site)
    with (app(site) / "large.bin").open("wb") as file:
        file.write(os.urandom(200 * 2**20))
    with _small_disk(site):
        done = refused(site, f"no room for {RELEASES}/", "MB are needed", f"release {before} goes")
        assert "upload" in done.said
        names = site.on(CENTRAL, f"ls -A {RELEASES}").split()
        assert before in names
    assert current(site) == before
    site.fab("deploy").well()
    assert current(site) == current(site, CHILD) != before


@contextlib.contextmanager
def _small_disk(project: Project) -> Iterator[None]:
    """The central node's releases on a disk of 120 MB."""
    script = (
        f"mkdir /root/r && cp -a {RELEASES}/$({LINK}) /root/r && mount -t tmpfs -o size=120m tmpfs"
        f" {RELEASES} && cp -a /root/r/. {RELEASES}/"
    )
    project.on(CENTRAL, script)
    try:
        yield
    finally:
        project.on(CENTRAL, f"umount -l {RELEASES}; rm -r /root/r")


def test_what_a_failed_build_left__goes_before_the_next_one(site: Project) -> None:
    before = set(site.on(CENTRAL, f"ls {RELEASES}").split())
    venvs = set(site.on(CENTRAL, "ls /opt/videoteca/venvs").split())
    with (app(site) / "requirements.txt").open("a") as file:
        file.write("iniconfig==2.0.0\n")
    wsgi = app(site) / "videoteca" / "wsgi.py"
    good = wsgi.read_text()
    wsgi.write_text("import a_module_that_is_nowhere\n")
    refused(site, "a_module_that_is_nowhere")
    left = set(site.on(CENTRAL, f"ls {RELEASES}").split()) - before
    assert len(left) == 1, "to be looked at, and to be tried again"
    assert "a_module_that_is_nowhere" in site.fab("deploy", "--check").said
    (app(site) / "requirements.txt").write_text(
        "".join((app(site) / "requirements.txt").read_text().splitlines(keepends=True)[:-1])
    )
    wsgi.write_text(good + "# another one\nimport another_that_is_nowhere\n")
    refused(site, "another_that_is_nowhere")
    there = set(site.on(CENTRAL, f"ls {RELEASES}").split())
    assert not left & there
    assert before <= there
    assert set(site.on(CENTRAL, "ls /opt/videoteca/venvs").split()) == venvs


def test_downloads__begin_anew_when_they_are_too_many(site: Project) -> None:
    large = "/var/cache/nodriza/videoteca/uv/large"
    site.on(CENTRAL, f"runuser -u videoteca-build -- truncate -s 3G {large}")
    with (app(site) / "requirements.txt").open("a") as file:
        file.write("iniconfig==2.0.0\n")
    done = site.fab("deploy").well()
    assert re.search(r"/var/cache/nodriza/videoteca had 3\d\d\d MB of earlier", done.said)
    assert not site.on(CENTRAL, f"ls {large}", check=False)
    assert site.on(CENTRAL, "ls /var/cache/nodriza/videoteca/uv"), "what this build has fetched"


def test_deploy_during_a_provision__is_told_whose_it_is_or_waits(site: Project) -> None:
    """As CI does it: the second of two waits for the first, and no visitor loses anything."""
    before = current(site)
    (app(site) / "news.txt").write_text("while somebody provisions\n")
    site.write(environment={"MET": "1"})
    with Visitor(site.cluster, "/") as visitor, site.start("provision:server-1") as first:
        agent = wait_for("provision", 60, lambda: site.agent_with_lock(CENTRAL))
        os.kill(agent, signal.SIGSTOP)
        try:
            told = site.fab("deploy")
            with site.start("deploy", "--wait", "200") as second:
                time.sleep(5)  # it has met the lock by then, or it meets it later
                os.kill(agent, signal.SIGCONT)
                assert first.wait(200) == 0
                out, err = second.communicate(timeout=300)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(agent, signal.SIGCONT)
    assert told.exit == 1
    assert re.search(r"another run is at work on this host: provision.* by \S+ from", told.said)
    assert second.returncode == 0, out + err
    assert "1 of 1 children serve" in out
    assert visitor.bad == []
    assert current(site) == current(site, CHILD) != before


def test_two_operators_at_once__are_one_after_the_other(site: Project) -> None:
    """Both wait; each one's source has served in the end, and the last one's serves."""
    (app(site) / "news.txt").write_text("the first one's\n")
    with Visitor(site.cluster, "/") as visitor, site.start("deploy", "--wait", "200") as first:
        wait_for("deploy", 60, lambda: site.agent_with_lock(CENTRAL))
        (app(site) / "news.txt").write_text("the second one's\n")
        last = site.fab("deploy", "--wait", "300").well()
        out, err = first.communicate(timeout=300)
    assert first.returncode == 0, out + err
    assert "1 of 1 children serve" in last.said
    news = site.on(CHILD, "cat /opt/videoteca/current/app/news.txt")
    assert news == "the second one's\n"
    assert visitor.bad == []


def test_gigabyte_of_source__needs_no_memory_and_travels_once(site: Project) -> None:
    with (app(site) / "large.bin").open("wb") as file:
        for _ in range(LARGE // 2**22):
            file.write(os.urandom(2**22))
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    first = site.fab("deploy", timeout=1200).well()
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert max(began, used) < 400 * 1024, "kB of the largest process on this computer"
    size = "stat -c %s /opt/videoteca/current/app/large.bin"
    assert site.on(CHILD, size).strip() == str(LARGE)
    site.times["deploy of 1 GB"] = first.seconds
    sent = _sent(site)
    (app(site) / "news.txt").write_text("a line\n")
    site.fab("deploy", timeout=1200).well()
    assert _sent(site) - sent < 50 * 1024 * 1024, "of the source, only what is new travels"


def _sent(project: Project) -> int:
    """Bytes that the central node has received from the operator's side and from its nodes."""
    script = "awk '/:/ && !/lo:/ {n += $2} END {printf \"%d\", n}' /proc/net/dev"
    return int(project.on(CENTRAL, script))
