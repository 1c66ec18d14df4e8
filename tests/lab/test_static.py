"""Static files are a release's own, and a page that a visitor has open finds its own."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator

import pytest

from tests.lab.project import Project, wait_for
from tests.lab.visitor import get, taken_over

CHILDREN = ("server-2", "server-3")
STYLES = "videos/static/videos/site.css"
PLAIN = "/static/videos/site.css"
GONE = "/static/videos/gone.txt"
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """Two children and a release."""
    project = Project.make(tmp_path_factory.mktemp("static"), "labstatic", 132)
    project.times = times
    source = project.folder / "videoteca"
    (source / "videos/static/videos/gone.txt").write_text("plain\n")
    with project.up("provision", "deploy"):
        wait_for("answers of every worker", 120, lambda: taken_over(project.cluster, project.on))
        yield project


class Reader(threading.Thread):
    """Opens a page of one child, and gets its files from any: now, and as long as it reads."""

    def __init__(self, project: Project) -> None:
        super().__init__(daemon=True)
        self.cluster = project.cluster
        self.seen: set[str] = set()
        self.bad: list[str] = []
        self.asked = 0
        self.ends = threading.Event()

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self.join(60)

    def run(self) -> None:
        while not self.ends.is_set():
            page = self.ask("/")
            self.seen |= set(re.findall(r'"(/static/[^"]+)"', page))
            for path in sorted(self.seen):
                self.ask(path)

    def ask(self, path: str) -> str:
        child = random.choice(CHILDREN)
        address = self.cluster.node(child).web_address
        status, _, text = get(address, path, self.cluster.domain)
        self.asked += 1
        if status != 200:
            self.bad.append(f"{path} of {child}: {status} {text[:100]}")
        return text


def changed(project: Project, text: str) -> None:
    """Another look: the style sheet and with it the release."""
    with (project.folder / "videoteca" / STYLES).open("a") as file:
        file.write(f"/* {text} */\n")


def answers(project: Project, path: str) -> set[tuple[int, bool]]:
    """Of both children: the status, and whether browsers keep it for ever."""
    site = project.cluster
    found = [get(site.node(child).web_address, path, site.domain) for child in CHILDREN]
    return {(status, headers.get("Cache-Control") == FOR_EVER) for status, headers, _ in found}


def texts(project: Project, path: str) -> set[str]:
    site = project.cluster
    return {get(site.node(child).web_address, path, site.domain)[2] for child in CHILDREN}


def styles(project: Project) -> str:
    """The address of the style sheet that the first page names."""
    (found,) = {re.findall(r'"(/static/[^"]+[.]css)"', page)[0] for page in texts(project, "/")}
    return found


def test_static_files__are_root_s_own_and_part_of_the_release(project: Project) -> None:
    for node in ("server-1", *CHILDREN):
        static = project.on(node, "readlink -f /opt/videoteca/current").strip() + "/static"
        assert project.on(node, f"find {static} ! -user root -o -perm /022") == ""
        assert "staticfiles.json" in project.on(node, f"ls {static}")
    assert project.on("server-1", "ls -A /opt/videoteca").split().count("collected") == 0
    assert answers(project, styles(project)) == {(200, True)}
    assert answers(project, PLAIN) == {(200, False)}


def test_page_of_any_release__finds_its_files_on_every_child_while_they_switch(
    project: Project,
) -> None:
    before = styles(project)
    changed(project, "second")
    (project.folder / "videoteca/videos/static/videos/gone.txt").unlink()
    assert answers(project, GONE) == {(200, False)}
    with Reader(project) as reader:
        done = project.fab("deploy").well()
        wait_for("new release", 60, lambda: taken_over(project.cluster, project.on))
        time.sleep(1)
    project.times["deploy of a changed style sheet"] = done.seconds
    after = styles(project)
    assert after != before
    assert {before, after} <= reader.seen
    assert reader.bad == []
    assert reader.asked > 50
    assert answers(project, before) == {(200, True)}, "a page that is open still"
    (plain,) = texts(project, PLAIN)
    assert "/* second */" in plain
    assert answers(project, GONE) == {(404, False)}, "a plain name is the release's own"


def test_second_provision_and_deploy__change_nothing(project: Project) -> None:
    assert project.fab("provision", "--json").well().changed() == {}
    assert project.fab("deploy", "--json").well().changed() == {}
    assert project.fab("drift").exit == 0


def test_failed_deploy__changes_no_file_of_the_release_that_serves(project: Project) -> None:
    before = texts(project, PLAIN)
    changed(project, "not well")
    project.write(health=[{"path": "/healthz/here", "expect": 302}])
    try:
        with Reader(project) as reader:
            assert project.fab("deploy").exit == 1
    finally:
        project.write()
    assert texts(project, PLAIN) == before
    assert reader.bad == []
    for path in reader.seen:
        assert answers(project, path) == {(200, True)}, "pages of the moment when one had it"


def test_way_back__brings_the_plain_names_back_and_leaves_those_with_a_hash(
    project: Project,
) -> None:
    newer = styles(project)
    with Reader(project) as reader:
        project.fab("deploy", "--rollback").well()
        wait_for("the release before", 60, lambda: taken_over(project.cluster, project.on))
    (plain,) = texts(project, PLAIN)
    assert "/* second */" not in plain
    assert reader.bad == []
    assert answers(project, newer) == {(200, True)}
    assert answers(project, styles(project)) == {(200, True)}
    assert project.fab("provision", "--json").well().changed() == {}


def test_child_that_lost_its_copies__gets_those_of_open_pages_too(project: Project) -> None:
    """As a new child does: here with the release that was gone back from."""
    newer = project.on("server-3", "readlink -f /opt/videoteca/newest").strip()
    assert newer != project.on("server-3", "readlink -f /opt/videoteca/current").strip()
    project.on("server-3", "rm -rf /opt/videoteca/releases /opt/videoteca/current")
    project.fab("provision:server-3").well()
    assert "static" in project.on("server-3", f"ls {newer}")


def test_static_file_that_somebody_changed__is_seen(project: Project) -> None:
    project.on("server-2", "echo evil >>/opt/videoteca/current/static/videos/site.css")
    seen = project.fab("drift")
    assert seen.exit == 2
    assert "copy:/opt/videoteca/releases/" in seen.said


def test_settings_with_another_folder__are_refused_with_what_to_write(project: Project) -> None:
    settings = project.folder / "videoteca/videoteca/settings.py"
    text = settings.read_text()
    settings.write_text(
        text.replace('os.environ.get("STATIC_ROOT") or VAR / "static"', '"/srv/x"')
    )
    try:
        refused = project.fab("deploy")
    finally:
        settings.write_text(text)
    assert refused.exit == 1
    assert 'STATIC_ROOT = os.environ["STATIC_ROOT"]' in refused.said
    assert "goes on serving" in refused.stderr


def test_plain_names__are_those_of_the_release_that_serves(project: Project) -> None:
    settings = project.folder / "videoteca/videoteca/settings.py"
    text = settings.read_text()
    settings.write_text(text.replace("ManifestStaticFilesStorage", "StaticFilesStorage"))
    hashed = styles(project)
    project.fab("deploy").well()
    wait_for("new release", 60, lambda: taken_over(project.cluster, project.on))
    assert styles(project) == PLAIN
    (plain,) = texts(project, PLAIN)
    assert "not well" in plain
    assert answers(project, hashed) == {(200, True)}, "a page of the release before"
