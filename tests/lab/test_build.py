"""What other people's code can do on the central node while a release is made: very little."""

from __future__ import annotations

import subprocess
import sys
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
POETRY_PROJECT = '[project]\nname = "videoteca"\nversion = "1"\nrequires-python = ">=3.11"\n'
POETRY_SUM = "dc7d249c43736b4dc5c67d29d4918f1ddf6778b40ca2b95bc8536b20175944eb"
"""What Poetry itself writes for it."""
POETRY_PACKAGE = """\
[[package]]
name = "%s"
version = "%s"
optional = false
python-versions = "*"
groups = ["%s"]
files = [
%s]

"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A central node and one child, provisioned and deployed once."""
    folder = tmp_path_factory.mktemp("build")
    project = Project.make(folder, "builder", 210, children=1, videos=0)
    with project.up("provision", "deploy"):
        yield project


def processes(project: Project, mark: str) -> list[str]:
    return [argv for _, argv in project.processes(CENTRAL) if mark in argv]


def app(project: Project) -> Path:
    return project.folder / "videoteca"


def requirements(project: Project) -> list[str]:
    lines = (app(project) / "requirements.txt").read_text().splitlines()
    return [line for line in lines if "==" in line]


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
    assert project.on(CENTRAL, "ls /opt/videoteca") == "current\nreleases\nuv\nuv.txt\nvenvs\n"
    assert "hostile.py" not in project.on(CENTRAL, "ls /opt/videoteca/current/app/vendor/hostile")


def test_lock_and_commands__are_built_by_somebody_without_rights(project: Project):
    """uv installs from its own lock; what the project's commands made is root's in the end."""
    (app(project) / "pyproject.toml").write_text(
        '[project]\nname = "videoteca"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f"dependencies = {requirements(project)!r}\n"
        '[dependency-groups]\ndev = ["iniconfig"]\n'
    )
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "lock", "--quiet", "--project", app(project)], check=True, timeout=120)
    hooks = {
        "build": [
            "mkdir dist; python -c 'import django; print(django.__file__)' >dist/made",
            "{ id -un; env | grep DJANGO_; ls /etc/videoteca; } >>dist/made 2>&1; true",
        ],
        "before_switch": ["python manage.py check && touch $HOME/$DJANGO_SETTINGS_MODULE"],
        "after": ["echo $NODRIZA_CHILDREN $NODRIZA_RELEASE >told", "echo no such luck; false"],
    }
    project.write(requirements="uv.lock", hooks=hooks)
    done = project.fab("deploy").well()
    assert "environment: uv.lock, by uv (not read: requirements.txt)" in done.said
    assert "app.hooks.after: echo no such luck; false: exit 1\nno such luck" in done.said
    release = project.on(CENTRAL, "basename $(readlink /opt/videoteca/current)").strip()
    told = (project.inventory.parent / "told").read_text()
    assert told == f"server-2 {release}\n"
    made = project.on("server-2", "cat /opt/videoteca/current/app/dist/made").splitlines()
    venv = project.on(CENTRAL, "readlink -f /opt/videoteca/current/venv").strip()
    assert made[0].startswith(venv)
    assert made[1] == "videoteca-build"
    assert made[2:] == ["ls: cannot open directory '/etc/videoteca': Permission denied"]
    assert project.on(CENTRAL, "ls /var/lib/videoteca-home/videoteca.settings")
    others = f"find {venv} /opt/videoteca/current/ ! -user root -o -perm /022 ! -type l"
    assert project.on(CENTRAL, others) == ""
    assert "iniconfig" not in project.on(CENTRAL, f"ls {venv}/lib/python3*/site-packages")
    (project.inventory.parent / "told").unlink()
    assert "nothing to change on 2 nodes" in project.fab("deploy").well().said
    assert not (project.inventory.parent / "told").exists(), "nothing began to serve"
    hooks["build"] = ["echo no such luck >&2; exit 3"]
    project.write(requirements="uv.lock", hooks=hooks)
    failed = project.fab("deploy")
    assert failed.exit == 1
    assert "no such luck" in failed.said
    assert f"release {release} goes on serving" in failed.said
    project.write()


def test_poetrys_lock__is_installed_without_poetry(project: Project):
    """The group main, by its sums; a lock that is out of date is told, and nothing is sent."""
    (app(project) / "pyproject.toml").write_text(POETRY_PROJECT)
    lock = [poetry_package(block) for block in compiled(project)]
    lock.append(POETRY_PACKAGE % ("iniconfig", "2.0.0", "dev", ""))
    metadata = f'[metadata]\nlock-version = "2.1"\ncontent-hash = "{POETRY_SUM}"\n'
    (app(project) / "poetry.lock").write_text("".join([*lock, metadata]))
    project.write(requirements="poetry.lock")
    done = project.fab("deploy").well()
    assert "environment: poetry.lock, by uv" in done.said
    venv = project.on(CENTRAL, "readlink -f /opt/videoteca/current/venv").strip()
    there = project.on("server-2", f"cd {venv}/lib/python3*/site-packages && ls").lower()
    wanted = [line.split("==")[0].lower() for line in requirements(project)]
    assert [name for name in wanted if name.replace("-", "_") not in there] == []
    assert "iniconfig" not in there
    assert "nothing to change on 2 nodes" in project.fab("deploy").well().said
    (app(project) / "pyproject.toml").write_text(POETRY_PROJECT.replace("3.11", "3.10"))
    refused = project.fab("deploy")
    assert refused.exit == 2
    assert "poetry.lock does not fit pyproject.toml" in refused.said
    project.write()


def compiled(project: Project) -> list[list[str]]:
    """What is installed: blocks of a name with its version, and its sums."""
    uv = Path(sys.executable).with_name("uv")
    argv = [uv, "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "-"]
    argv += ["--generate-hashes", "--no-annotate", "--no-header"]
    wanted = "\n".join(requirements(project))
    done = subprocess.run(
        argv, input=wanted, text=True, capture_output=True, check=True, timeout=120
    )
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return [line.split() for line in lines if "==" in line and ";" not in line]


def poetry_package(block: list[str]) -> str:
    """The same as Poetry writes it."""
    (name, version), sums = block[0].split("=="), block[1:]
    files = [f'    {{file = "{n}", hash = "{sum[7:]}"}},\n' for n, sum in enumerate(sums)]
    return POETRY_PACKAGE % (name, version, "main", "".join(files))


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
    assert "can't undo changes of tables, as MariaDB can't" in failed.said
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
