"""What every role promises, whoever wrote it."""

from __future__ import annotations

import ast
import inspect

import jinja2.meta
import pytest

from nodriza.agent.transaction import FIELDS
from nodriza.inventory.services import Placed
from nodriza.plan.render import Template
from nodriza.resources import Directory, File, Link, Service, Upload
from nodriza.source.requirements import Requirements
from tests.unit.backup.conftest import with_backup
from tests.unit.conftest import ROOT
from tests.unit.roles.made import remake, resources, role
from tests.unit.roles.test_processes import with_processes
from tests.unit.roles.test_tls import with_tls

MODULES = sorted(
    path.stem for path in (ROOT / "roles").glob("*.py") if not path.stem.startswith("_")
)
DEPLOY = ("build", "record", "release")  # plans of their own
ROLES = [name for name in MODULES if name not in DEPLOY]
PURE = {"__future__", "collections.abc", "dataclasses", "hashlib", "json", "re", "shlex", "typing"}
ENGINE = {
    "nodriza.inventory",
    "nodriza.plan",
    "nodriza.plan.render",
    "nodriza.release.record",
    "nodriza.release.release",
    "nodriza.resources",
    "nodriza.source.requirements",
}
"""For the plans of a deploy, which nobody else writes."""


@pytest.mark.parametrize("name", MODULES)
def test_role__is_a_generator_named_as_its_module_that_says_what_it_is(name):
    function = role(name)
    module = inspect.getmodule(function)
    assert inspect.isgeneratorfunction(function)
    assert module.__doc__.startswith(f"{name}: ")
    assert function.__doc__
    assert list(inspect.signature(function).parameters)[:2] == ["node", "cluster"]


@pytest.mark.parametrize("name", MODULES)
def test_role__imports_only_what_is_promised_to_all_who_write_one(name):
    tree = ast.parse((ROOT / "roles" / f"{name}.py").read_text())
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    assert found <= PURE | {"nodriza.role"} | (ENGINE if name in DEPLOY else set())


@pytest.mark.parametrize("name", ROLES)
def test_role__needs_no_host_and_says_the_same_twice(name, cluster):
    cluster = with_processes(cluster)
    for node in cluster.nodes:
        first = list(role(name)(node, cluster))
        assert first
        assert first == list(role(name)(node, cluster))


def test_templates__are_in_the_folder_of_the_role_that_uses_them_and_none_is_left_over(
    three_node, gluster
):
    used = set()
    fetched = with_tls(three_node, "acme", ca=ROOT / "setup.py")
    every = {name: Placed(engine="redis", on="server-1") for name in ("broker", "cache", "data")}
    asked = remake(three_node, services={**three_node.services, **every})
    beside = with_processes(three_node)
    for cluster in (three_node, gluster, fetched, asked, with_backup(three_node), beside):
        for node in cluster.nodes:
            for name in ROLES:
                used |= sources(name, role(name)(node, cluster))
    needs = Requirements("requirements.txt", "b", "uv")
    made = role("build")(three_node.builder, three_node, "a", "b", Upload("/app", "a"), needs)
    used |= sources("build", made)
    folder = ROOT / "templates"
    used |= {f"nginx/{protocol}.j2" for protocol in ("uwsgi", "http")}  # Offer.speaks
    fresh = used
    while fresh:
        trees = [jinja2.Environment().parse((folder / source).read_text()) for source in fresh]
        named = {each for tree in trees for each in jinja2.meta.find_referenced_templates(tree)}
        fresh = {each for each in named if each} - used
        used |= fresh
    assert used == {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def sources(name, items):
    """The templates of a role's items."""
    found = {item.source for item in items if isinstance(item, Template)}
    assert all(source.split("/")[0] == name for source in found)
    return found


def test_files__come_after_the_folder_that_a_role_makes_for_them(cluster):
    for node in cluster.nodes:
        made, all_made = set(), {d.path for d in resources(cluster, node.name, Directory)}
        for resource in resources(cluster, node.name):
            if isinstance(resource, File | Link):
                folder = resource.path.rpartition("/")[0]
                assert folder in made or folder not in all_made, resource.id
            if isinstance(resource, Directory):
                made.add(resource.path)


@pytest.mark.parametrize("name", ["server-1", "server-2", "video-1"])
def test_files__with_secrets_are_closed_to_the_world(cluster, name):
    secret = [file for file in resources(cluster, name, File) if "‹secret:" in file.content]
    assert secret
    assert {file.mode for file in secret} == {"0640"}


def test_services__read_their_files_only_after_they_are_written(cluster):
    for node in cluster.nodes:
        seen = {f"link:{cluster.app.current}"}  # a deploy's
        for resource in resources(cluster, node.name):
            if isinstance(resource, Service):
                assert set(resource.reload_on) | set(resource.restart_on) <= seen
            seen.add(resource.id)


READ_EACH_TIME = {
    "52nodriza": "apt",
    "hostname": "the boot",
    "timezone": "whoever configures tzdata",
    "99-nodriza.cfg": "cloud-init, at the boot",
    "mariadb-time-zones": "a unit that systemd starts when tzdata has changed",
    "hosts": "whoever looks up a name",
    "retry.conf": "systemd, which is owed a look at its unit files",
    "nodriza.conf": "the same, for certbot's own service",
    "videoteca.env": "on the central node by each step of a deploy",
    "videoteca_ready.py": "a start and a stop of uWSGI",
    "videoteca_renew.py": "a reload of uWSGI",
    "uv.txt": "whoever makes an environment",
    "passphrase": "a script that a timer starts each minute",
    "videoteca-tls": "the same",
    "known": "whoever types fab maintenance on",
}
"""Files that no service follows, and who reads them anew whenever they are needed."""


def test_every_file__is_followed_by_a_service_or_is_read_each_time_it_is_needed(cluster):
    """Else something runs that has not read what is on disk, and nobody is owed anything."""
    for whole in (cluster, with_tls(cluster, "acme"), with_tls(cluster, "files")):
        for node in whole.nodes:
            plan = resources(whole, node.name)
            followed = {id for each in plan for field in FIELDS for id in getattr(each, field, ())}
            left = {each.subject for each in plan if isinstance(each, File)}
            left -= {id.partition(":")[2] for id in followed}
            assert {path.rpartition("/")[2] for path in left} <= {*READ_EACH_TIME}, node.name


NO_ZONE = {
    "systemd-journald": "it keeps UTC",
    "nftables": "no process",
    "nfs-server": "no process",
    "glusterd": "it writes UTC",
    "videoteca-share.service": "it waits and is done",
}


def test_services__that_know_the_time_zone_from_their_start_follow_it(cluster):
    """tzset(3): a process reads /etc/localtime once."""
    central = cluster.builder.model_copy(update={"roles": (*cluster.builder.roles, "dns")})
    cluster = remake(cluster, nodes=(central, *cluster.nodes[1:]))
    seen = set()
    for node in cluster.nodes:
        for service in resources(cluster, node.name, Service):
            if service.full_unit.endswith(".service") and not service.masked:
                follows = {*service.reload_on, *service.restart_on}
                assert ("link:/etc/localtime" in follows) != (service.unit in NO_ZONE), service.id
                seen.add(service.unit)
    assert {"mariadb", "redis-server", "redis-server@cache", "nsd", "nginx", "uwsgi"} <= seen


def test_node__without_the_role_base_needs_no_zone(three_node):
    node = three_node.node("server-2")
    bare = node.model_copy(update={"roles": tuple(r for r in node.roles if r != "base")})
    assert resources(remake(three_node, nodes=(three_node.builder, bare)), "server-2", Service)
