"""Slips on the command line: told at once, with what to type, and nothing done."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.unit.fabfile import test_commands
from tests.unit.fabfile.test_commands import fab

project = test_commands.project


@pytest.mark.parametrize(
    ("line", "said"),
    [
        # A variable in a script that was empty must not mean "all nodes".
        ("provision:", "provision: there is no target after the colon"),
        ("'provision: '", "provision: there is no target after the colon"),
        ("provision --target=", "provision: there is no target behind --target"),
        ("provision --target ' '", "provision: there is no target behind --target"),
        ("plan:,", "there is nothing between two commas"),
        ("plan:server-2,,server-3", "there is nothing between two commas"),
        ("plan:SERVER-2", "did you mean server-2?"),
        ("plan:server_2", "did you mean server-2"),
        ("plan:server-2:server-3", 'target "server-2:server-3": there is no such node'),
        ("plan:../../etc", 'target "../../etc": there is no such node'),
        (f"plan:{'x' * 50_000}", "there is no such node"),
        (f"plan:{'server-2,' * 5_000}nobody", 'target "nobody": there is no such node'),
        ("plan:server-2 --target server-3", "next: fab plan:server-2,server-3 for both"),
        ("deploy:server-2", "deploy takes no target: it is for the whole cluster"),
        ("provison", "did you mean provision?"),
        ("PLAN", "no command and no inventory PLAN"),
        ("vagrnt plan", "did you mean vagrant?"),
        ("lab", "next: fab lab.box, fab lab.down, fab lab.machines, fab lab.ssh"),
        ("lab.staus", "did you mean lab.status"),
        ("lab.ssh server-2 -- uptime", "next: fab run 'uptime' --target NODE"),
        ("plan smok", "did you mean smoke?"),
        (
            "plan --jsno",
            "plan has no flag --jsno\n  kept: nothing was done\n  next: did you mean --json?",
        ),
        ("--bogus plan", "fab has no flag --bogus"),
        ("provision --parallel many", "'many' is not a whole number"),
        ("provision --parallel", "--parallel needs a value behind it"),
        ("provision --parallel 0", "--parallel must be at least 1"),
        ("hostkeys.accept", "hostkeys.accept needs to be told: target"),
        ("vagrant", "vagrant is an inventory: what shall be done with it?"),
        ("vagrant three-node plan", "vagrant and three-node are inventories: one at a time"),
        ("vagrant plan three-node plan", "one at a time"),
        # Would have provisioned another cluster than the one that is named.
        ("provision vagrant", "the inventory comes first"),
        ("plan:server-2 vagrant", "next: fab vagrant plan:server-2"),
    ],
    ids=lambda value: value[:40],
)
def test_slip__is_told_with_what_to_type(line, said):
    done = fab(*shlex.split(line))
    assert said in done.stderr
    assert done.stderr.count("\n  next: ") == 1 or "--parallel must" in said
    assert done.stdout == ""
    assert done.returncode == 2
    assert len(done.stderr) < 700


@pytest.mark.parametrize(
    "line",
    [
        "vagrant --help",
        "--help plan",
        "plan --help",
        "--list lab",
        "drain --help",
        "vagrant node.add -h",
        "provision:server-2 --help",
    ],
)
def test_help__is_not_taken_for_a_slip(line):
    done = fab(*shlex.split(line))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(("Usage: fab ", "Available"))


@pytest.mark.parametrize(
    "line",
    [
        "vagrant plan:server-2",
        "'plan: server-2 , server-3'",
        "plan --target server-n",
        "plan plan",
    ],
)
def test_what_is_meant__is_done(line):
    done = fab(*shlex.split(line))
    assert (done.returncode, done.stderr) == (0, "")
    assert "server-2: " in done.stdout


# Only names of commands that could do no harm here if they were not refused.
@pytest.mark.parametrize("name", ["plan", "lab", "inventory.schema", "a.b", "smoke"])
def test_inventory_called_like_a_command__is_refused_when_its_name_is_typed(project, name):
    (project / "inventories" / "mine.yml").rename(project / "inventories" / f"{name}.yml")
    done = fab(name, "plan", folder=project)
    assert done.returncode == 2
    assert f"so it can't stand for inventories/{name}.yml" in done.stderr
    assert "next: give the file another name" in done.stderr
    other = fab("inventory.check", folder=project)  # is the only one here, so needs no word
    assert other.returncode == 0
    assert f"inventories/{name}.yml is right" in other.stdout
    assert fab("--list", folder=project).returncode == 0


@pytest.mark.parametrize("name", ["my_cluster", "2024", "été", "-x", "with blank"])
def test_inventory_with_an_odd_name__works_or_is_told(project, name):
    (project / "inventories" / "mine.yml").rename(project / "inventories" / f"{name}.yml")
    done = fab(name, "inventory.check", folder=project)
    assert "Traceback" not in done.stderr
    assert (done.returncode == 0) == (f"{name}.yml is right" in done.stdout)
    assert fab("--list", folder=project).returncode == 0


def test_inventory_check__says_what_it_makes(project):
    said = fab("inventory.check", folder=project).stdout.splitlines()
    assert said[0] == "inventories/mine.yml is right"
    assert said[1].startswith("  three-node serves videoteca.test: 4 nodes, ")
    assert any(line.startswith("  child   server-2, server-3: ") for line in said)
    assert said[-1] == "  secrets django_secret_key, mysql_app, redis, redis_admin"


def test_inventory_check__warns_of_glusterfs_outside_of_a_lab(project):
    path = project / "inventories" / "mine.yml"
    text = path.read_text().replace("engine: nfs", "engine: glusterfs")
    path.write_text(re.sub(r"(?m)^lab:.*\n(?:[ #].*\n|\n)*", "", text))
    said = fab("inventory.check", folder=project).stdout.splitlines()
    assert said[-1].startswith("warning: share/engine is glusterfs, where root of any node")


def test_inventory_check__stays_short_for_a_large_cluster(project):
    file = project / "inventories" / "mine.yml"
    text = file.read_text("utf-8").replace("server-[2:3]", "server-[2:40]")
    file.write_text(text.replace("[12:13]", "[32:70]"), encoding="utf-8")
    said = fab("inventory.check", folder=project).stdout
    assert "server-2, server-3, server-4, … server-40 (39)" in said
    assert len(said.splitlines()) < 16


def test_inventory_check__tells_all_mistakes(project):
    file = project / "inventories" / "mine.yml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("domain:", "domian:").replace("kind: video", "kind: vidoe"))
    done = fab("inventory.check", folder=project)
    assert done.returncode == 2
    assert 'domian: unknown key, did you mean "domain"?' in done.stderr
    assert 'did you mean "video"?' in done.stderr


def test_inventory_schema__is_what_the_repository_has(project):
    from tests.unit.conftest import ROOT

    committed = (ROOT / "inventories" / "schema.json").read_text("utf-8")
    assert fab("inventory.schema", folder=project).stdout == committed
