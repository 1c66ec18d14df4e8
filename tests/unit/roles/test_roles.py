"""Each role: what it is, what it needs, and what must hold of the cluster it makes."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from nodriza.agent.host import Host
from nodriza.plan import Plan, plan_node
from nodriza.render import Renderer, Template
from nodriza.resources import Command, DatabaseUser, Directory, File, Link, Mount, Package, Service
from nodriza.resources.command import parse_environment
from tests.unit.conftest import ROOT

MODULES = sorted(
    path.stem for path in (ROOT / "roles").glob("*.py") if not path.stem.startswith("_")
)
ROLES = [name for name in MODULES if name != "release"]  # that is a plan of its own: a deploy
PURE = {"__future__", "collections.abc", "hashlib", "re", "nodriza.inventory", "nodriza.render"}
PURE |= {"nodriza.resources", "nodriza.secret"}


def role(name):
    return getattr(importlib.import_module(f"nodriza.roles.{name}"), name)


def remake(cluster, **changes):
    """The same cluster with other fields, for nodes of one role."""
    return cluster.model_copy(update=changes)


@pytest.fixture
def gluster(three_node):
    """The same cluster with the share that needs no NFS in the kernel."""
    from nodriza.inventory.roles import default_roles

    share = three_node.share.model_copy(update={"engine": "glusterfs"})
    nodes = tuple(
        node.model_copy(update={"roles": default_roles(node.kind, "glusterfs")})
        for node in three_node.nodes
    )
    return type(three_node)(
        **{**{k: getattr(three_node, k) for k in type(three_node).model_fields}}
        | {"share": share, "nodes": nodes}
    )


@pytest.fixture(params=["nfs", "glusterfs"])
def cluster(request, three_node, gluster):
    return three_node if request.param == "nfs" else gluster


def resources(cluster, name, kind=object):
    plan: Plan = plan_node(cluster.node(name), cluster)
    return [planned.resource for planned in plan.resources if isinstance(planned.resource, kind)]


def content(cluster, name, path):
    return next(file.content for file in resources(cluster, name, File) if file.path == path)


def settings(text):
    """The lines of a configuration file that are not comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


# What a role is


@pytest.mark.parametrize("name", MODULES)
def test_role__is_a_generator_named_as_its_module_that_says_what_it_is(name):
    function = role(name)
    module = inspect.getmodule(function)
    assert inspect.isgeneratorfunction(function)
    assert module.__doc__.startswith(f"{name}: ")
    assert function.__doc__
    assert list(inspect.signature(function).parameters)[:2] == ["node", "cluster"]


@pytest.mark.parametrize("name", MODULES)
def test_role__imports_nothing_that_could_touch_a_host(name):
    tree = ast.parse((ROOT / "roles" / f"{name}.py").read_text())
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    assert found <= PURE


@pytest.mark.parametrize("name", ROLES)
def test_role__needs_no_host_and_says_the_same_twice(name, cluster):
    for node in cluster.nodes:
        first = list(role(name)(node, cluster))
        assert first
        assert first == list(role(name)(node, cluster))


def test_templates__are_in_the_folder_of_the_role_that_uses_them_and_none_is_left_over(
    three_node, gluster
):
    used = set()
    tls = {"mode": "acme", "ca": ROOT / "setup.py"}
    with_tls = remake(three_node, tls=three_node.tls.model_copy(update=tls))
    for cluster in (three_node, gluster, with_tls):
        for node in cluster.nodes:
            for name in ROLES:
                for item in role(name)(node, cluster):
                    if isinstance(item, Template):
                        assert item.source.split("/")[0] == name
                        used.add(item.source)
    folder = ROOT / "templates"
    assert used == {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_files__come_after_the_folder_that_a_role_makes_for_them(cluster):
    for node in cluster.nodes:
        made, all_made = set(), {d.path for d in resources(cluster, node.name, Directory)}
        for resource in resources(cluster, node.name):
            if isinstance(resource, File | Link):
                folder = resource.path.rpartition("/")[0]
                assert folder in made or folder not in all_made, resource.id
            if isinstance(resource, Directory):
                made.add(resource.path)


def test_services__read_their_files_only_after_they_are_written(cluster):
    for node in cluster.nodes:
        seen = set()
        for resource in resources(cluster, node.name):
            if isinstance(resource, Service):
                assert set(resource.reload_on) | set(resource.restart_on) <= seen
            seen.add(resource.id)


@pytest.mark.parametrize("name", ["server-1", "server-2", "video-1"])
def test_files__with_secrets_are_closed_to_the_world(cluster, name):
    secret = [file for file in resources(cluster, name, File) if "‹secret:" in file.content]
    assert secret
    assert {file.mode for file in secret} == {"0640"}


# The firewall


def test_central__takes_no_web_traffic(cluster):
    rules = content(cluster, "server-1", "/etc/nftables.conf")
    open_to_all = [line for line in settings(rules) if line.startswith("tcp dport")]
    assert open_to_all == ["tcp dport { 22 } accept"]
    assert not {"nginx", "uwsgi-core"} & {p.name for p in resources(cluster, "server-1", Package)}


def test_central__serves_the_other_nodes_at_its_private_address_only(three_node):
    rules = settings(content(three_node, "server-1", "/etc/nftables.conf"))
    assert (
        "ip saddr { 198.18.7.12, 198.18.7.13, 198.18.7.21 } ip daddr 198.18.7.11"
        " tcp dport { 2049 } accept"
    ) in rules


def private_doors(cluster, name):
    """Port to the addresses that it is open to, besides those that are open to all."""
    rules = settings(content(cluster, name, "/etc/nftables.conf"))
    pattern = r"ip saddr { (.*) } ip daddr \S+ tcp dport { (.*) } accept"
    found = [match for match in (re.fullmatch(pattern, rule) for rule in rules) if match]
    return {port: set(m[1].split(", ")) for m in found for port in m[2].split(", ")}


def test_each_node__reaches_only_what_its_own_work_needs(three_node):
    everybody = {"198.18.7.12", "198.18.7.13", "198.18.7.21"}
    doors = private_doors(three_node, "server-1")
    assert doors == {"3306": everybody, "6379": everybody, "2049": everybody}
    without = remake(three_node, app=three_node.app.model_copy(update={"celery": None}))
    doors = private_doors(without, "server-1")
    assert "198.18.7.21" in doors["2049"]  # ffmpeg's films
    assert doors["3306"] == doors["6379"] == everybody - {"198.18.7.21"}
    assert private_doors(three_node, "server-2") == private_doors(three_node, "video-1") == {}


def test_variable_needs__opens_a_door_for_a_role_of_ones_own(three_node):
    without = three_node.app.model_copy(update={"celery": None})
    video = three_node.videos[0].model_copy(update={"variables": {"needs": ["mysql"]}})
    fields = {k: getattr(three_node, k) for k in type(three_node).model_fields}
    nodes = (*three_node.nodes[:3], video)
    cluster = type(three_node)(**fields | {"app": without, "nodes": nodes})
    doors = private_doors(cluster, "server-1")
    assert video.private in doors["3306"]
    assert video.private not in doors["6379"]


def test_child__is_open_for_the_web_and_for_nothing_else(cluster):
    rules = settings(content(cluster, "server-2", "/etc/nftables.conf"))
    assert [line for line in rules if "tcp dport" in line] == [
        "tcp dport { 22 } accept",
        "tcp dport { 80 } accept",
    ]


def test_video__is_open_for_operators_only(cluster):
    rules = settings(content(cluster, "video-1", "/etc/nftables.conf"))
    assert [line for line in rules if "tcp dport" in line] == ["tcp dport { 22 } accept"]


def test_firewall__keeps_22_and_the_port_of_the_inventory_open(three_node):
    node = three_node.node("server-2")
    moved = node.model_copy(update={"ssh": node.ssh.model_copy(update={"port": 2222})})
    rules = next(
        item for item in role("firewall")(moved, three_node) if isinstance(item, Template)
    )
    text = Renderer().render(rules, moved, three_node).content
    assert "tcp dport { 22, 2222 } accept" in settings(text)


def test_firewall__never_removes_the_tables_of_others(cluster):
    rules = settings(content(cluster, "server-1", "/etc/nftables.conf"))
    assert rules[:2] == ["table inet nodriza", "delete table inet nodriza"]
    assert not [line for line in rules if "flush" in line]


# The database


def test_each_node__may_log_in_from_its_own_address_only(three_node):
    users = resources(three_node, "server-1", DatabaseUser)
    assert sorted(user.host for user in users) == sorted(three_node.private_addresses)
    assert {user.grants for user in users} == {(("videoteca", "ALL"),)}
    assert not any("%" in user.host for user in users)


def test_database__has_a_connection_for_every_thread_of_every_child(three_node):
    from nodriza.roles.mysql import connections

    more = three_node.app.model_copy(update={"threads": three_node.app.threads + 10})
    workers = len(three_node.children) * three_node.app.most_processes
    grown = connections(remake(three_node, app=more)) - connections(three_node)
    assert grown == workers * 10 * 2  # twice: old and new workers during a reload


def test_uwsgi__has_a_worker_more_than_cores_unless_the_inventory_has_a_number(three_node):
    by_cores = remake(three_node, app=three_node.app.model_copy(update={"processes": None}))
    unit, ini = "/etc/systemd/system/uwsgi.service", "/etc/uwsgi/videoteca.ini"
    assert "$$(nproc) + 1" in content(by_cores, "server-2", unit)
    assert "processes" not in content(by_cores, "server-2", ini)
    assert "nproc" not in content(three_node, "server-2", unit)
    assert "\nprocesses = 2\n" in content(three_node, "server-2", ini)


def test_database__leaves_memory_for_the_rest(three_node):
    text = content(three_node, "server-1", "/etc/mysql/mariadb.conf.d/60-cluster.cnf")
    pool = int(re.search(r"^innodb_buffer_pool_size = (\d+)M$", text, re.MULTILINE)[1])
    redis = content(three_node, "server-1", "/etc/redis/redis.conf")
    cache = int(re.search(r"^maxmemory (\d+)mb$", redis, re.MULTILINE)[1])
    assert pool + cache <= three_node.central.memory_mb / 2


def test_mysql_and_redis__listen_on_the_private_network_only(three_node):
    text = content(three_node, "server-1", "/etc/mysql/mariadb.conf.d/60-cluster.cnf")
    assert "bind-address = 198.18.7.11" in settings(text)
    redis = settings(content(three_node, "server-1", "/etc/redis/redis.conf"))
    assert "bind 198.18.7.11 127.0.0.1" in redis
    assert "aclfile /etc/redis/users.acl" in redis


# The share


def test_nfs__is_exported_to_each_node_by_address(three_node):
    exports = settings(content(three_node, "server-1", "/etc/exports.d/videoteca.exports"))
    assert [line.split("(")[0] for line in exports] == [
        "/srv/videoteca 198.18.7.12",
        "/srv/videoteca 198.18.7.13",
        "/srv/videoteca 198.18.7.21",
    ]
    assert all("root_squash" in line and "*" not in line for line in exports)


def test_nfs__needs_no_portmapper_on_either_side(three_node):
    for node in three_node.nodes:
        resources = [planned.resource for planned in plan_node(node, three_node).resources]
        masked = [one.unit for one in resources if isinstance(one, Service) and one.masked]
        assert masked == ["rpcbind.socket", "rpcbind", "rpc-statd"]


def test_nfs__is_exported_to_nobody_when_there_is_nobody(three_node):
    """A line without a client would export to the whole world (exports(5))."""
    alone = type(three_node)(
        **{k: getattr(three_node, k) for k in type(three_node).model_fields}
        | {"nodes": (three_node.central,)}
    )
    assert settings(content(alone, "server-1", "/etc/exports.d/videoteca.exports")) == []
    assert "saddr {" not in content(alone, "server-1", "/etc/nftables.conf")


def test_share__is_mounted_where_the_central_has_it(cluster):
    for name in ("server-2", "video-1"):
        (mount,) = resources(cluster, name, Mount)
        assert mount.path == cluster.app.root
        assert mount.source.startswith(f"{cluster.central.private}:/")
        assert "nofail" in mount.options  # the node boots without its share


def test_share__of_glusterfs_is_never_written_behind_its_back(gluster):
    (mount,) = resources(gluster, "server-1", Mount)
    assert mount.path == "/srv/videoteca"
    order = [resource.id for resource in resources(gluster, "server-1")]
    assert order.index(mount.id) < order.index("directory:/srv/videoteca/media")


def test_programs__start_after_the_share_answers(cluster):
    for name, unit in (("server-2", "uwsgi"), ("server-3", "uwsgi"), ("video-1", "celery")):
        lines = settings(content(cluster, name, f"/etc/systemd/system/{unit}.service"))
        after = next(line for line in lines if line.startswith("After="))
        assert "videoteca-share.service" in after
        assert "StartLimitIntervalSec=0" in lines  # however long the central is away
        assert "ExecStartPre=/usr/bin/test -e /srv/videoteca/reload" in lines


def test_mount__is_tried_for_ever(cluster):
    for node in cluster.nodes:
        for mount in resources(cluster, node.name, Mount):
            unit = mount.path.strip("/").replace("/", "-")
            path = f"/etc/systemd/system/{unit}.mount.d/retry.conf"
            assert "StartLimitIntervalSec=0" in settings(content(cluster, node.name, path))


# The application


def test_environment__reads_back_as_it_was_meant(three_node, tmp_path):
    """By the same rules as systemd, whatever stands in a value."""
    odd = {"ODD": 'a "b" \\c $HOME `id` #x', "EMPTY": "", "NODE_NAME": "mine"}
    app = three_node.app.model_copy(update={"environment": odd})
    cluster = remake(three_node, app=app)
    item = next(i for i in role("app")(three_node.children[0], cluster) if isinstance(i, Template))
    host = Host(str(tmp_path))
    host.write("/env", Renderer().render(item, three_node.children[0], cluster).content)
    found = parse_environment(host.read("/env").decode())
    assert found["ODD"] == odd["ODD"]
    assert found["EMPTY"] == ""
    assert found["NODE_NAME"] == "mine"  # the inventory has the last word
    assert found["DATABASE_HOST"] == "198.18.7.11"
    assert found["CELERY_BROKER_URL"] == "redis://:‹secret:redis›@198.18.7.11:6379/0"


def test_environment__is_read_by_a_reloaded_worker_as_systemd_reads_it(three_node):
    odd = {"ODD": 'a "b" \\c $HOME `id` #x = y\\', "EMPTY": ""}
    app = three_node.app.model_copy(update={"environment": odd})
    cluster = remake(three_node, app=app, rotating=frozenset({"django_secret_key"}))
    text = content(cluster, "server-2", "/etc/videoteca/videoteca.env")
    loader = ast.parse(content(cluster, "server-2", "/etc/uwsgi/videoteca_release.py"))
    names = {"re": re}
    for node in loader.body:
        if isinstance(node, ast.FunctionDef) and node.name == "variables":
            exec(compile(ast.Module([node], []), "release.py", "exec"), names)
    assert names["variables"](text) == parse_environment(text)
    assert names["variables"](text)["ODD"] == odd["ODD"]


def test_uwsgi__is_reloaded_for_a_password_and_restarted_for_what_only_a_start_can_see(
    three_node,
):
    def service(cluster):
        return next(s for s in resources(cluster, "server-2", Service) if s.unit == "uwsgi")

    def unit(cluster):
        return content(cluster, "server-2", "/etc/systemd/system/uwsgi.service")

    assert "file:/etc/videoteca/videoteca.env" in service(three_node).reload_on
    assert service(three_node).restart_on == ("file:/etc/systemd/system/uwsgi.service",)
    rotating = remake(three_node, rotating=frozenset({"mysql_app", "django_secret_key"}))
    assert unit(rotating) == unit(three_node)
    app = three_node.app.model_copy(update={"environment": {"MALLOC_ARENA_MAX": "2"}})
    assert unit(remake(three_node, app=app)) != unit(three_node)


# Secrets that are being rotated


def accepted(cluster, node):
    """What the servers of a node take, as they are told."""
    users = resources(cluster, node, DatabaseUser)
    return {
        "mysql": {(user.password, *user.also) for user in users},
        "redis": [
            line
            for file in resources(cluster, node, File)
            if file.path == "/etc/redis/users.acl"
            for line in file.content.splitlines()
        ],
    }


def test_servers__accept_one_value_and_two_while_it_is_rotated(three_node):
    assert accepted(three_node, "server-1") == {
        "mysql": {("‹secret:mysql_app›",)},
        "redis": [
            "user default on >‹secret:redis› ~* &* +@all",
            "user reload on nopass -@all +acl|load",
        ],
    }
    rotating = remake(three_node, rotating=frozenset({"mysql_app", "redis"}))
    both = accepted(rotating, "server-1")
    assert both["mysql"] == {("‹secret:mysql_app›", "‹secret:mysql_app.other›")}
    assert both["redis"][0] == (
        "user default on >‹secret:redis› >‹secret:redis.other› ~* &* +@all"
    )


def test_programs__use_one_value_also_while_it_is_rotated(three_node):
    rotating = remake(three_node, rotating=frozenset({"mysql_app", "redis"}))
    for node in three_node.nodes:
        path = "/etc/videoteca/videoteca.env"
        assert content(rotating, node.name, path) == content(three_node, node.name, path)


def test_django__accepts_what_the_other_key_has_signed(three_node):
    def keys(cluster):
        found = parse_environment(content(cluster, "server-2", "/etc/videoteca/videoteca.env"))
        return found["DJANGO_SECRET_KEY"], found["DJANGO_SECRET_KEY_FALLBACKS"].split()

    assert keys(three_node) == ("‹secret:django_secret_key›", [])
    rotating = remake(three_node, rotating=frozenset({"django_secret_key"}))
    assert keys(rotating) == ("‹secret:django_secret_key›", ["‹secret:django_secret_key.other›"])


@pytest.fixture
def redis_folder(tmp_path):
    # A short path: a socket's may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="nodriza-redis-"))
    yield folder
    shutil.rmtree(folder)


def test_redis__takes_both_passwords_and_forgets_the_old_one_in_a_reload(three_node, redis_folder):
    """The real server, over a socket."""
    values = {"redis": "in-use-password", "redis.other": "other-password"}
    users, socket = redis_folder / "users.acl", redis_folder / "socket"

    def write(cluster):
        text = content(cluster, "server-1", "/etc/redis/users.acl")
        users.write_text(re.sub("‹secret:(.*?)›", lambda match: values[match[1]], text))

    def ask(password, *words):
        done = subprocess.run(
            ["redis-cli", "-s", str(socket), *words],
            env={"REDISCLI_AUTH": password, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        return done.stdout.strip()

    write(remake(three_node, rotating=frozenset({"redis"})))
    argv = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
    argv += ["--aclfile", str(users), "--dir", str(redis_folder)]
    unit = content(
        three_node, "server-1", "/etc/systemd/system/redis-server.service.d/cluster.conf"
    )
    reload = re.search("^ExecReload=(.*)$", unit, re.MULTILINE)[1].split()[1:]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 10
            while not socket.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert [ask(value, "PING") for value in values.values()] == ["PONG", "PONG"]
            write(three_node)
            assert ask("", *reload) == "OK"
            assert ask("in-use-password", "PING") == "PONG"
            assert ask("other-password", "PING") != "PONG"
            # The user of the reload can do nothing else.
            as_reload = [word for word in reload if word not in ("ACL", "LOAD")]
            for words in (["PING"], ["GET", "x"], ["ACL", "LIST"], ["SHUTDOWN"]):
                assert "OK" not in ask("", *as_reload, *words)
                assert "PONG" not in ask("", *as_reload, *words)
            assert ask("in-use-password", "PING") == "PONG"
        finally:
            server.terminate()


def test_environment__names_the_site_and_the_child_itself_as_hosts(three_node):
    """Not its siblings: a cluster that grows changes nothing on the children it has."""
    text = content(three_node, "server-3", "/etc/videoteca/videoteca.env")
    hosts = parse_environment(text)["DJANGO_ALLOWED_HOSTS"].split(",")
    assert "videoteca.test" in hosts
    assert {"server-3", "198.18.8.13"} <= set(hosts)
    assert "server-2" not in hosts


def test_central__change_of_address_reaches_the_children_in_the_same_run(three_node):
    moved = three_node.central.model_copy(update={"private": "198.18.7.99"})
    nodes = (moved, *three_node.children, *three_node.videos)
    fields = {k: getattr(three_node, k) for k in type(three_node).model_fields}
    cluster = type(three_node)(**fields | {"nodes": nodes})
    for name in ("server-2", "video-1"):
        env = parse_environment(content(cluster, name, "/etc/videoteca/videoteca.env"))
        assert env["DATABASE_HOST"] == "198.18.7.99"
        assert resources(cluster, name, Mount)[0].source.startswith("198.18.7.99:")


def test_children__are_the_same_but_for_their_own_names(three_node):
    def plan(name):
        other = three_node.node(name)
        text = str(resources(three_node, name))
        for own in (other.name, other.private, other.public):
            text = text.replace(own, "OWN")
        return re.sub(r"198\.18\.[78]\.1[23]|server-[23]", "CHILD", text.replace("OWN", "CHILD"))

    assert plan("server-2") == plan("server-3")


def test_uwsgi__follows_the_reload_file_worker_after_worker(three_node):
    ini = settings(content(three_node, "server-2", "/etc/uwsgi/videoteca.ini"))
    assert "mule = /etc/uwsgi/videoteca_reload.py" in ini
    follow = content(three_node, "server-2", "/etc/uwsgi/videoteca_reload.py")
    assert 'RELOAD = "/srv/videoteca/reload"' in follow
    assert "lazy-apps = true" in ini
    assert not [line for line in ini if line.startswith(("touch-", "vacuum", "chdir"))]


def test_nginx__accepts_what_the_inventory_allows_to_upload(three_node):
    app = three_node.app.model_copy(update={"max_upload_mb": 700})
    site = content(remake(three_node, app=app), "server-2", "/etc/nginx/conf.d/videoteca.conf")
    assert "client_max_body_size 701m;" in settings(site)


def test_video__without_celery_in_the_application_has_ffmpeg_only(three_node):
    app = three_node.app.model_copy(update={"celery": None})
    items = list(role("celery")(three_node.videos[0], remake(three_node, app=app)))
    assert items == [Package("ffmpeg")]


# The deploy


def test_release__switches_after_everything_else_has_worked(three_node):
    ids = [r.id for r in role("release")(three_node.central, three_node, "2024", "abc", b"")]
    switch = ids.index("link:/srv/videoteca/current")
    for step in ("import", "check", "migrate", "collectstatic"):
        assert ids.index(f"command:{step}") < switch
    assert ids.index("touch:/srv/videoteca/reload") > switch


def test_release__runs_the_application_as_its_user_and_keeps_its_code_from_it(three_node):
    plan = list(role("release")(three_node.central, three_node, "2024", "abc", b""))
    steps = [r for r in plan if isinstance(r, Command) and r.name != "caches"]
    assert {step.user for step in steps} == {"videoteca"}
    assert {r.owner for r in plan if hasattr(r, "owner")} == {"root"}
