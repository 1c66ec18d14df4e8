"""A secret is where it is needed, readable by who needs it, and nowhere else."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import NODES
from tests.lab.leaks import (
    Artefacts,
    environments_with,
    files_with,
    found_in,
    open_to_all,
    said_on,
    sampling,
    values,
)
from tests.lab.project import Project, wait_for
from tests.lab.visitor import serving
from tests.wheel import build_wheel, copy_of_the_source

NAMES = ["django_secret_key", "mysql_app", "redis", "redis_admin"]
APPLICATION = 800  # the user id of the application, as in the inventory
# What may hold them on a node, and for whom it may be readable.
PLACES = {
    r"/etc/videoteca/videoteca\.env": ("640", "root"),
    r"/etc/redis/(queue|cache)\.acl": ("640", "root"),
    r"/etc/redis/admin\.env": ("640", "root"),
    r"/run/redis-admin/(queue|cache)\.env": ("600", "root"),
    r"/var/lib/nodriza/runs/[^/]+/\d{4}": ("600", "root"),
}
CORES = (
    "find / /root /var /var/lib/systemd/coredump -xdev -maxdepth 3 -name 'core*' -type f -size +0"
    " -not -path '/proc/*' -not -path '/usr/*' 2>/dev/null | sort -u"
)
# A role of the operator's that goes wrong in ways that say as much as possible.
TELLS = '''
from nodriza.resources import Command, File
from nodriza.vault.token import secret


def tells(node, cluster):
    """What a program writes that fails."""
    script = "cd /etc; cat videoteca/videoteca.env; base64 -w0 videoteca/videoteca.env; exit 1"
    if "MODE" == "crash":
        yield File("/root/never", "", mode=secret("redis"))  # a mistake that the agent trips over
    if "MODE" == "bug":
        raise RuntimeError(f"{cluster} {secret('redis')}")
    yield Command("tells", argv=("sh", "-c", script), unless=("false",))
'''


@pytest.fixture
def tells(mended: Project) -> Iterator[Project]:
    """A project whose children have that role as well."""
    child = mended.cluster.children[0]
    plain = yaml.safe_load(mended.inventory.read_text())
    kinds = {"child": {"roles": [*child.roles, "tells"]}}
    (mended.folder / "roles").mkdir()
    role = mended.folder / "roles" / "tells.py"
    role.write_text(TELLS.replace("MODE", "fail"))
    mended.inventory.write_text(yaml.safe_dump({**plain, "kinds": kinds}, sort_keys=False))
    yield mended
    mended.write()
    for left in sorted(role.parent.rglob("*"), reverse=True):
        left.rmdir() if left.is_dir() else left.unlink()
    role.parent.rmdir()


def everything(project: Project, secrets: list[str], texts: Artefacts) -> None:
    """A day's work with all that prints, with old and new secrets; adds both to ``secrets``."""
    junit = project.folder / "junit.xml"
    secrets += values(project).values()
    texts.keep("--debug", project.fab("--debug", "provision:server-2", "--diff").well().said)
    texts.keep("deploy", project.fab("deploy").well().said)
    texts.keep("smoke", project.fab("smoke", "--junit", str(junit)).well().said)
    texts.keep("junit", junit.read_text())
    texts.keep("status", project.fab("status").said + project.fab("status", "--json").said)
    texts.keep("plan", project.fab("plan", "--json").well().said)
    texts.keep("render", project.fab("render").well().said)
    texts.keep("rotate", project.fab("secrets.rotate", "mysql_app", "--diff").well().said)
    kept = project.fab("secrets.rotate", "django_secret_key", "--keep-old", "--diff").well()
    texts.keep("keep-old", kept.said)
    secrets += values(project).values()
    both = project.fab("secrets.show").well().stdout.split()
    assert "rotation" in " ".join(both)
    texts.keep("end", project.fab("secrets.rotate", "django_secret_key", "--diff").well().said)
    for name in ("redis", "django_secret_key"):
        texts.keep("at once", project.fab("secrets.rotate", name, "--at-once").well().said)
    secrets += values(project).values()
    texts.keep("wheel", wheel(project))
    texts.keep("check", project.fab("provision", "--check", "--diff").well().said)
    texts.keep("json", project.fab("provision", "--json", "--diff").well().said)


def wheel(project: Project) -> str:
    """What is in a wheel that was built where the cluster's files lie."""
    source = copy_of_the_source(project.folder / "building")
    for file in project.inventory.parent.iterdir():
        shutil.copy(file, source / "inventories")
    with zipfile.ZipFile(build_wheel(source, project.folder / "building")) as packed:
        assert not [name for name in packed.namelist() if project.name in name]
        text = "".join(packed.read(name).decode("latin-1") for name in packed.namelist())
    shutil.rmtree(project.folder / "building")
    return text


def mistakes(project: Project, texts: Artefacts) -> None:
    """What goes wrong, and says so: on a host, in the agent, on this computer."""
    role = project.folder / "roles" / "tells.py"
    for options in ([], ["--json"], ["--diff"]):
        failed = project.fab("provision:server-2", *options)
        texts.keep("failing program", failed.said)
        assert failed.exit == 1
        # It did tell, and was cut short.
        assert "‹secret:mysql_app›" in (
            str(failed.events) if options == ["--json"] else failed.said
        )
    role.write_text(TELLS.replace("MODE", "crash"))
    crashed = project.fab("provision:server-2", "--json")
    texts.keep("crash of the agent", crashed.said)
    assert "invalid literal" in crashed.said
    role.write_text(TELLS.replace("MODE", "bug"))
    bug = project.fab("provision:server-2")
    texts.keep("bug in a role", bug.said)
    assert bug.exit != 0


def test_secrets__are_in_no_artefact_of_a_day_of_work(tells: Project) -> None:
    project = tells
    secrets: list[str] = []
    texts = Artefacts()
    ours = yaml.safe_load(project.inventory.read_text())
    with sampling() as sampler:
        project.write()
        everything(project, secrets, texts)
        project.inventory.write_text(yaml.safe_dump(ours, sort_keys=False))
        mistakes(project, texts)
    # Four; three of them were replaced, and one of these twice.
    assert len(set(secrets)) == len(NAMES) + 4
    wait_for("answer of every child", 30, lambda: serving(project.cluster))

    assert texts.leaks(secrets) == {}
    # What changed is shown, with a name in the place of the values.
    assert 'DATABASE_PASSWORD="‹secret:mysql_app›"' in texts.texts["rotate"]
    assert "databaseuser:videoteca@198.18" in texts.texts["rotate"]

    assert len(sampler.argv) > 100
    assert found_in("\n".join(sampler.argv), secrets) == []
    assert sampler.users_with(secrets) <= {0, APPLICATION}
    assert APPLICATION in sampler.users_with(secrets)  # where it belongs, and where we did look

    beside = (file for file in project.folder.rglob("*") if file.is_file())
    written = "".join(file.read_bytes().decode("latin-1") for file in beside)
    assert found_in(written, secrets) == [], "files of the project"
    for node in NODES:
        look_on(project, node, secrets)
    for history in (".bash_history", ".python_history", ".mysql_history"):
        file = Path.home() / history
        assert not file.exists() or found_in(file.read_text(errors="replace"), secrets) == []


def look_on(project: Project, node: str, secrets: Iterable[str]) -> None:
    """They are in a few files of a node, and nobody else can read or hear them."""
    secrets = list(secrets)
    files = files_with(project, node, secrets)
    assert any(re.fullmatch(place, path) for place in PLACES for path in files)
    for path, mode_and_owner in files.items():
        place = next((place for place in PLACES if re.fullmatch(place, path)), path)
        assert PLACES.get(place) == mode_and_owner, path
    assert open_to_all(project, node, files) == []
    assert environments_with(project, node, secrets) == ""
    assert said_on(project, node, secrets) == {}
    assert project.on(node, CORES) == ""
    modes = project.on(node, "stat -c %a /var/lib/nodriza /var/lib/nodriza/runs")
    assert set(modes.split()) == {"700"}


@pytest.mark.parametrize("node", NODES)
def test_secrets__are_in_a_few_files_of_a_node_and_nobody_else_reads_them(
    deployed: Project, node: str
) -> None:
    look_on(deployed, node, values(deployed).values())


def test_search__really_finds_what_it_looks_for(deployed: Project) -> None:
    secret = values(deployed)["redis"]
    node = "server-2"
    # Written, logged, said; plain and within base64.
    leak = "read -r word; for to in /tmp/leak /root/.bash_history; do echo x$word >$to; done;"
    leak += 'printf "user:%s" $word | base64 -w0 >/srv/leak; echo "a $word" | systemd-cat'
    deployed.on(node, leak, stdin=f"{secret}\n")
    try:
        found = files_with(deployed, node, [secret])
        assert {"/tmp/leak", "/root/.bash_history", "/srv/leak"} <= set(found)
        readable = open_to_all(deployed, node, found)
        assert {"/tmp/leak", "/srv/leak"} <= set(readable)
        assert "/root/.bash_history" not in readable
        wait_for("line in the journal", 10, lambda: said_on(deployed, node, [secret]))
    finally:
        deployed.on(node, "rm /tmp/leak /root/.bash_history /srv/leak")
        # So that the search of others is not for what this test has written.
        deployed.on(node, "journalctl --rotate && journalctl --vacuum-time=1s")


def test_vault__holds_no_plain_value_and_the_key_is_outside_the_repository(
    deployed: Project,
) -> None:
    secrets = list(values(deployed).values())
    beside = deployed.inventory.parent.iterdir()
    assert found_in("".join(f.read_bytes().decode("latin-1") for f in beside), secrets) == []
    key = deployed.folder / "home/.config/nodriza/age.key"
    assert key.stat().st_mode & 0o777 == 0o600
