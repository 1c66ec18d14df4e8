"""Deploys in a row, of every kind, with visitors on the site; and deploys that something ends.

``NODRIZA_DEPLOYS`` says how many of each there are to be (``make deploys``: a hundred deploys,
two hundred accidents), ``NODRIZA_SEED`` repeats them.
"""

from __future__ import annotations

import collections
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.accidents import WAYS, Way, power_cut
from tests.lab.conftest import ACCIDENTS
from tests.lab.project import Project, Result, wait_for
from tests.lab.test_4_killed import SEED
from tests.lab.visitor import Visitor, not_serving, whoami

CENTRAL = "server-1"
CHILDREN = ("server-2", "server-3")
NODES = (CENTRAL, *CHILDREN, "video-1")
DEPLOYS = int(os.environ.get("NODRIZA_DEPLOYS", "12"))
ACCIDENTS_WANTED = int(os.environ.get("NODRIZA_ACCIDENTS", "8"))
LINK = "basename $(readlink /opt/videoteca/current)"
# What a deploy may leave on a node: nothing that is half of something, and nothing that runs.
LEFT = r"""
for left in new old; do
    find etc root home run/uwsgi opt usr/local var srv -name "*.nodriza-$left" -o -name "*.$left"
done
ls -A /opt/videoteca | grep -vx 'current\|releases\|venvs\|newest\|uv\|uv.txt'
systemctl list-units --all --no-legend --plain 'nodriza-*'
"""
OWED = "ls /var/lib/nodriza/owed"
"""After a deploy that came through: one that failed has steps left, which the next one takes."""


@dataclass
class Site:
    """A cluster, and what its visitors have to find."""

    project: Project
    serves: str = ""
    former: str = ""
    migrations: int = 1
    span: float = 60.0
    """Seconds of a deploy that nobody disturbs; the shortest that was seen."""

    @property
    def source(self) -> Path:
        return self.project.folder / "videoteca"

    def write(self, name: str, text: str) -> None:
        (self.source / name).write_text(text)

    def change(self) -> None:
        """A line that nobody has seen before."""
        self.write("news.txt", f"{time.time_ns()}\n")

    def current(self) -> str:
        return self.project.on(CENTRAL, LINK).strip()

    def links(self) -> dict[str, str]:
        return {node: self.project.on(node, LINK).strip() for node in NODES}

    def served(self) -> set[str]:
        return {whoami(self.project.cluster, child).get("release", "") for child in CHILDREN}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    project = Project.make(tmp_path_factory.mktemp("deploys"), "deploys", 141)
    with project.up("provision", "deploy"):
        site = Site(project)
        site.serves = site.current()
        wait_for("first release", 60, lambda: site.served() == {site.serves})
        yield site


# The kinds of deploys. Each changes the source and types what has to be typed; it ends well,
# or with the words that it returns.


def changed_line(site: Site) -> str:
    site.change()
    return ""


def same_again(site: Site) -> str:
    return ""


def another_package(site: Site) -> str:
    """With one requirement more, which brings an environment of its own."""
    name = f"shelf{time.time_ns()}"
    package = site.source / "vendor" / name
    package.mkdir(parents=True)
    (package / "setup.py").write_text(
        f"from setuptools import setup\nsetup(name={name!r}, version='1', py_modules=['shelf'])\n"
    )
    (package / "shelf.py").write_text("")
    with (site.source / "requirements.txt").open("a") as file:
        file.write(f"./vendor/{name}\n")
    return ""


def migration(site: Site) -> str:
    site.migrations += 1
    _migration(site, f"{site.migrations:04}_next", "SELECT 1")
    return ""


def failing_migration(site: Site) -> str:
    _migration(site, "9000_bad", "ALTER TABLE no_such_table ADD x INT")
    return "no_such_table"


def _migration(site: Site, name: str, sql: str) -> None:
    before = max(path.stem for path in (site.source / "videos/migrations").glob("0*.py"))
    site.write(
        f"videos/migrations/{name}.py",
        "from django.db import migrations\n"
        "class Migration(migrations.Migration):\n"
        f'    dependencies = [("videos", "{before}")]\n'
        f'    operations = [migrations.RunSQL("{sql}", migrations.RunSQL.noop)]\n',
    )


def missing_requirement(site: Site) -> str:
    with (site.source / "requirements.txt").open("a") as file:
        file.write("Django==0.0.0.99\n")
    return "0.0.0.99"


def no_import(site: Site) -> str:
    site.write("videoteca/wsgi.py", "import a_module_that_is_nowhere\n")
    return "a_module_that_is_nowhere"


def failing_requests(site: Site) -> str:
    site.write(
        "videoteca/bad.py",
        "def bad(get_response):\n"
        "    def answer(request):\n"
        '        raise RuntimeError("each request fails")\n'
        "    return answer\n",
    )
    text = (site.source / "videoteca/settings.py").read_text()
    wrong = text.replace("MIDDLEWARE = [", 'MIDDLEWARE = ["videoteca.bad.bad",')
    site.write("videoteca/settings.py", wrong)
    return "each request fails"


def unwell_after_the_switch(site: Site) -> str:
    """A page that nginx answers by itself, so that a trial can't know."""
    site.change()
    site.project.write(health=[{"path": "/healthz/here", "expect": 302}])
    return "/healthz/here"


GOOD = (changed_line, changed_line, same_again, another_package, migration)
BAD = (
    failing_migration,
    missing_requirement,
    no_import,
    failing_requests,
    unwell_after_the_switch,
)


@pytest.mark.parametrize("number", range(DEPLOYS))
def test_deploy_of_any_kind__loses_no_request(site: Site, number: int) -> None:
    chance = random.Random(f"{SEED} {number}")
    back = bool(site.former) and chance.random() < 0.2
    kind = chance.choice(GOOD + BAD)
    print(f"NODRIZA_SEED={SEED}, {number}: {'rollback' if back else kind.__name__}")  # noqa: T201
    with Visitor(site.project.cluster, "/") as visitor:
        failed = _back(site) if back else _deploy(site, kind)
        time.sleep(2)
    assert visitor.bad == []
    assert visitor.answers > 50
    assert set(site.links().values()) == {site.serves}
    assert site.served() == {site.serves}
    assert nothing_is_left(site, failed=failed) == {}


def _deploy(site: Site, kind: collections.abc.Callable[[Site], str]) -> bool:
    """Whether it failed, as it had to."""
    kept = site.source.with_name("kept")
    shutil.copytree(site.source, kept)
    words = kind(site)
    result = site.project.fab("deploy")
    if words:
        assert result.exit == 1, result.said
        assert words in result.said
        assert f"{site.serves}" in result.said
        assert "goes on serving" in result.said
        shutil.rmtree(site.source)
        kept.rename(site.source)
        site.project.write()
        return True
    shutil.rmtree(kept)
    _now_serves(site, result)
    return False


def _back(site: Site) -> bool:
    result = site.project.fab("deploy", "--rollback")
    _now_serves(site, result)
    # What is on the controller's disk is newer than what serves now.
    site.former = ""
    return False


def _now_serves(site: Site, result: Result) -> None:
    result.well()
    assert "2 of 2 children serve" in result.said
    now = site.current()
    if now != site.serves:
        site.former, site.serves = site.serves, now


@pytest.mark.parametrize("number", range(ACCIDENTS_WANTED))
def test_deploy_that_something_ended__is_completed_by_the_same_again(
    site: Site, number: int, pytestconfig: pytest.Config
) -> None:
    chance = random.Random(f"{SEED} accident {number}")
    way, node, part = chance.choice([*WAYS, step_killed]), chance.choice(NODES), chance.random()
    site.change()
    before = site.serves
    if not number:
        began = time.monotonic()
        site.project.fab("deploy").well()
        site.span = time.monotonic() - began
        site.serves = site.current()
        return
    agent = site.project.agent
    print(f"NODRIZA_SEED={SEED}, {number}: {way.__name__} on {node} at {part:.3f} of {site.span}")  # noqa: T201
    with Visitor(site.project.cluster, "/") as visitor:
        struck = _disturbed(site, way, node, part * site.span)
        serve = site.served() - ({""} if way is power_cut else set())  # it may still be starting
        assert serve <= {before, *site.links().values()}, "a release, and a whole one"
        wait_for("end of the agents", 300, lambda: not any(map(agent, NODES)), every=0.2)
        _now_serves(site, site.project.fab("deploy"))
    assert site.serves != before
    if way is not power_cut:
        assert visitor.bad == []
    wait_for("children", 60, lambda: not not_serving(site.project.cluster), every=0.3)
    assert set(site.links().values()) == {site.serves}
    assert site.served() == {site.serves}
    assert nothing_is_left(site) == {}
    if struck:
        counts = pytestconfig.stash.setdefault(ACCIDENTS, collections.Counter())
        counts[f"deploy, {way.__name__} on {node}"] += 1


def step_killed(project: Project, node: str, controller: subprocess.Popen[str]) -> None:
    """SIGKILL of whatever step of the build is under way on the central node."""
    script = "systemctl kill --signal=KILL 'nodriza-videoteca-*.service'"
    project.on(CENTRAL, script, check=False)


def _disturbed(site: Site, way: Way, node: str, after: float) -> bool:
    """A deploy that has an accident; whether it came in time."""
    with site.project.start("deploy") as process:
        time.sleep(after)
        struck = process.poll() is None
        if struck:
            way(site.project, node, process)
        out, err = process.communicate(timeout=400)
    assert "Traceback" not in out + err, out + err
    assert process.returncode in (0, 1, -9), out + err
    return struck


def nothing_is_left(site: Site, *, failed: bool = False) -> dict[str, str]:
    """What is on a node that should not be; the releases that are there are whole ones."""
    look = LEFT if failed else LEFT + OWED
    app, found = site.project.cluster.app, {}
    for node in NODES:
        if left := site.project.on(node, f"cd /; {look}", check=False).strip():
            found[node] = left
    releases, packs, seals = (
        set(site.project.on(CENTRAL, f"ls -A {folder}").split())
        for folder in (app.release_folder, app.packs, app.seals)
    )
    environments = set(site.project.on(CENTRAL, f"ls -A {app.venv_folder}").split())
    for name, there in (("packs", packs), ("seals", seals)):
        ids = {re.sub(r"^(venv-)?|\.\w+$", "", each) for each in there}
        if extra := ids - releases - environments:
            found[name] = " ".join(sorted(extra))
    return found


def test_deploys_and_a_provision_at_once__are_one_after_the_other(site: Site) -> None:
    """The second operator comes while the first one's release goes from child to child."""
    site.change()
    with Visitor(site.project.cluster, "/") as visitor, site.project.start("deploy") as first:
        wait_for("children's part", 200, lambda: site.project.agent("server-2"), every=0.05)
        site.change()
        refused = site.project.fab("deploy")
        provision = site.project.fab("provision:video-1", "--wait", "300")
        last = site.project.fab("deploy", "--wait", "300")
        out, err = first.communicate(timeout=400)
    assert first.returncode == 0, out + err
    assert "2 of 2 children serve" in out
    assert refused.exit == 1
    assert re.search(r"another run is at work on this host: deploy.* by \S+ from", refused.said)
    assert "goes on serving" in refused.said
    provision.well()
    _now_serves(site, last)
    assert visitor.bad == []
    assert set(site.links().values()) == {site.serves}
    assert site.served() == {site.serves}
    assert nothing_is_left(site) == {}
