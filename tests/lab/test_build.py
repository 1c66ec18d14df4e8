"""What other people's code can do on the central node while a release is made: very little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, wait_for

CENTRAL = "server-1"
HOSTILE = """
import os, subprocess
from setuptools import setup
found = []
def look(what, act):
    try:
        act()
    except OSError as error:
        found.append(f"{what}: no")
    else:
        found.append(f"{what}: yes")
look("env", lambda: open("/etc/videoteca/videoteca.env").read())
look("records", lambda: os.listdir("/var/lib/nodriza"))
look("database", lambda: os.listdir("/var/lib/mysql"))
look("socket", lambda: os.stat("/run/mysqld/mysqld.sock"))
look("media", lambda: os.listdir("/srv/videoteca/media"))
look("etc", lambda: open("/etc/left", "w"))
look("releases", lambda: open("/opt/videoteca/releases/left", "w"))
look("rights", lambda: os.setuid(0))
quiet = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
subprocess.Popen(["sleep", "7654"], start_new_session=True, **quiet)
setup(name="hostile", version="1", py_modules=["hostile"])
open("hostile.py", "w").write(f"found = {found!r}\\nuid = {os.getuid()}\\n")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A central node and one child, provisioned and deployed once."""
    project = Project.make(tmp_path_factory.mktemp("build"), "builder", 210)
    nodes = project.data["nodes"]
    del nodes["video-1"]
    places = {"private": "198.18.210.12", "public": "198.18.211.12"}
    nodes["server-2"] = {**nodes.pop("server-[2:3]"), **places}
    project.write()
    project.fab("lab.down").well()
    try:
        project.fab("lab.up").well()
        project.fab("provision").well()
        project.fab("deploy").well()
        yield project
    finally:
        project.fab("lab.down").well()


def processes(project: Project, mark: str) -> list[str]:
    return [argv for _, argv in project.processes(CENTRAL) if mark in argv]


def app(project: Project) -> Path:
    return project.folder / "videoteca"


def test_hostile_requirement__reads_nothing_changes_nothing_and_leaves_nothing(project: Project):
    package = app(project) / "vendor" / "hostile"
    package.mkdir(parents=True)
    (package / "setup.py").write_text(HOSTILE)
    with (app(project) / "requirements.txt").open("a") as file:
        file.write("./vendor/hostile\n")
    project.fab("deploy").well()
    venv = project.on(CENTRAL, "readlink -f /opt/videoteca/current/venv").strip()
    said = project.on(CENTRAL, f"cat {venv}/lib/python3*/site-packages/hostile.py")
    assert "yes" not in said
    assert said.count(": no") == 8
    builder = project.on(CENTRAL, "id -u videoteca-build").strip()
    assert f"uid = {builder}\n" in said
    assert not processes(project, "7654")
    others = project.on(
        CENTRAL, f"find {venv} /opt/videoteca/current/ ! -user root -o -perm /022 ! -type l"
    )
    assert others == ""
    assert project.on(CENTRAL, "ls /opt/videoteca") == "current\nreleases\nvenvs\n"
    assert "hostile.py" not in project.on(CENTRAL, "ls /opt/videoteca/current/app/vendor/hostile")


def test_program_that_the_application_starts__ends_with_the_step(project: Project):
    with (app(project) / "videoteca" / "wsgi.py").open("a") as file:
        # Not in the workers of the child: uWSGI waits for what they start.
        file.write("import os, subprocess\nif os.environ.get('NODE_NAME') == 'server-1':\n")
        file.write("    subprocess.Popen(['sleep', '7655'], start_new_session=True)\n")
    project.fab("deploy").well()
    assert not processes(project, "7655")


def test_killed_run__leaves_a_migration_that_the_next_one_waits_for(project: Project):
    begun = "/srv/videoteca/media/begun"
    migration(project, "0900_slow", f"import time\n    open('{begun}', 'w')\n    time.sleep(40)")
    with project.start("deploy") as deploy:
        # Not only its unit: Python takes a while to come to it.
        look = f"test -e {begun} && echo yes"
        wait_for("migration", 90, lambda: project.on(CENTRAL, look, check=False), every=0.5)
        project.on(CENTRAL, f"kill -9 {agents(project)}")
        deploy.wait(30)
    assert going(project), "what must not be cut short goes on"
    again = project.fab("deploy").well()
    assert "1 of 1 children serve" in again.said
    rows = project.on(
        CENTRAL,
        'mariadb -N videoteca -e "select count(*) from django_migrations'
        " where name = '0900_slow'\"",
    )
    assert rows.strip() == "1"


def test_failed_migration__says_what_stays_and_how_to_look(project: Project):
    migration(project, "0901_broken", "raise ValueError('no such luck')", after="0900_slow")
    failed = project.fab("deploy")
    assert failed.exit == 1
    assert "no such luck" in failed.said
    assert "MariaDB does not undo changes of tables" in failed.said
    look = next(line for line in failed.said.splitlines() if "showmigrations" in line)
    words = look[look.index("fab run:") + 4 :]
    command, _, quoted = words.partition(" ")
    said = project.fab(command, quoted.strip().strip('"')).well()
    assert "[X] 0900_slow" in said.said
    assert "[ ] 0901_broken" in said.said


def going(project: Project) -> bool:
    show = "systemctl show --property=ActiveState --value nodriza-videoteca-migrate"
    return project.on(CENTRAL, show, check=False).strip() in ("active", "activating")


def agents(project: Project) -> str:
    return project.on(CENTRAL, "pgrep -f '^python3 -I -S -B' | tr '\\n' ' '")


def migration(project: Project, name: str, body: str, after: str = "") -> None:
    folder = app(project) / "videos" / "migrations"
    last = after or max(path.stem for path in folder.glob("0*.py"))
    (folder / f"{name}.py").write_text(
        "from django.db import migrations\n\n\n"
        f"def work(apps, editor):\n    {body}\n\n\n"
        "class Migration(migrations.Migration):\n"
        f"    dependencies = [('videos', '{last}')]\n"
        "    operations = [migrations.RunPython(work, migrations.RunPython.noop)]\n"
    )
