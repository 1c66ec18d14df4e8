"""From YAML to the cluster that the rest of the project reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from nodriza.errors import InventoryError
from nodriza.inventory import find_inventories, load_cluster
from nodriza.inventory.doubts import doubts
from nodriza.inventory.model import ClusterSettings
from nodriza.inventory.roles import known_roles
from tests.cost import cost
from tests.unit.conftest import ROOT
from tests.unit.inventory.conftest import GOOD

INVENTORIES = ROOT / "inventories"
EXAMPLE = INVENTORIES / "production.example.yml"


def test_the_lab__is_what_its_file_says(three_node):
    assert three_node.name == "three-node"
    assert [node.name for node in three_node.nodes] == [
        "server-1",
        "server-2",
        "server-3",
        "video-1",
    ]
    assert three_node.builder.address == "198.18.7.11"
    assert [node.web_address for node in three_node.children] == ["198.18.8.12", "198.18.8.13"]
    assert [node.number for node in three_node.nodes] == [1, 2, 3, 1]
    assert three_node.nodes_of("video") == (three_node.node("video-1"),)
    assert three_node.private_addresses[-1] == "198.18.7.21"
    assert three_node.app.source_path == (ROOT / "examples" / "videoteca").resolve()
    assert three_node.app.environment_file == "/etc/videoteca/videoteca.env"
    assert three_node.app.reload == "/srv/videoteca/reload"
    assert three_node.lab is not None
    assert three_node.lab_overlay is None


def test_shipped_inventories__all_load(lab_state):
    found = find_inventories(INVENTORIES)
    assert {"three-node", "vagrant"} <= set(found)
    assert "production.example" not in found
    for path in found.values():
        assert load_cluster(path).children
    vagrant = load_cluster(found["vagrant"])
    assert vagrant.lab is not None
    assert vagrant.lab.driver == "vagrant"
    assert vagrant.share.engine == "nfs"


def test_find_inventories__in_a_folder_that_is_not_there_finds_none(tmp_path):
    assert find_inventories(tmp_path / "nowhere") == {}


def test_find_inventories__needs_no_pydantic():
    """It is behind every command line, `fab --list` too."""
    code = "import sys; from nodriza.inventory import find_inventories as f; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert "nodriza.inventory.files" in done.stdout.split()
    assert not {"pydantic", "yaml"} & set(done.stdout.split())


def test_the_example__loads(lab_state, tmp_path):
    shutil.copytree(ROOT / "examples" / "videoteca", tmp_path / "examples" / "videoteca")
    (tmp_path / "inventories").mkdir()
    file = Path(shutil.copy(EXAMPLE, tmp_path / "inventories" / "production.yml"))
    cluster = load_cluster(file)
    assert len(cluster.children) == 49
    assert cluster.node("server-50").public == "203.0.113.150"
    assert cluster.node("video-3").memory_mb == cluster.node("video-1").memory_mb == 8192
    assert cluster.builder.ssh.gateway is None
    assert cluster.builder.ssh.user == "deploy"
    assert cluster.node("server-2").ssh.port == 2222
    assert cluster.builder.ssh.known_hosts == tmp_path / "inventories" / "production.known_hosts"
    assert cluster.builder.ssh.key == Path("~/.ssh/id_ed25519").expanduser()
    assert cluster.node("video-1").variables == {
        "timezone": "Europe/Madrid",
        "celery_concurrency": 4,
    }


def fields(kind: object) -> set[str]:
    """Every key below a model, however deep, as "Model.key"."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        own = {f"{kind.__name__}.{name}" for name in kind.model_fields}
        return own.union(*(fields(field.annotation) for field in kind.model_fields.values()))
    return set().union(*(fields(part) for part in typing.get_args(kind)), set())


def test_the_example__shows_every_key_of_the_schema():
    keys = {key.partition(".")[2] for key in fields(ClusterSettings)}
    assert len(keys) > 30
    shown = set(re.findall(r"[\s#{,]([a-z_]+):", "\n" + EXAMPLE.read_text(encoding="utf-8")))
    assert keys - shown == set()


def test_the_example__gives_the_defaults_of_the_schema():
    """The comment above a key and the model say the same."""
    text = EXAMPLE.read_text(encoding="utf-8")
    app = ClusterSettings.model_fields["app"].annotation
    assert app is not None
    for name in ("uid", "threads", "max_upload_mb", "installer"):
        comment = re.search(rf"((?:  #.*\n)+)  {name}:", text)
        assert comment, name
        assert f"Default: {app.model_fields[name].default}" in comment.group(1)


def test_settings__nearest_to_the_node_win(write):
    cluster = load_cluster(
        write(
            GOOD.replace("kind: child,", "kind: child, variables: {c: 3}, ssh: {port: 3},")
            + "ssh: {user: deploy, port: 1, key: keys/id}\n"
            + "variables: {a: 1, b: 1, c: 1}\n"
            + "kinds: {child: {variables: {b: 2, c: 2}, ssh: {port: 2, gateway: server-1}}}\n"
        )
    )
    child = cluster.node("server-2")
    assert child.variables == {"a": 1, "b": 2, "c": 3}
    assert (child.ssh.user, child.ssh.port, child.ssh.gateway) == ("deploy", 3, "server-1")
    assert child.ssh.key == cluster.path.parent / "keys" / "id"
    assert cluster.builder.ssh.port == 1


def test_gateway__of_all_nodes_is_reached_without_itself(write):
    cluster = load_cluster(write(GOOD + "ssh: {gateway: server-1}\n"))
    assert cluster.builder.ssh.gateway is None
    assert cluster.node("server-2").ssh.gateway == "server-1"


def test_gateway__null_undoes_the_clusters(write):
    text = GOOD.replace("kind: child,", "kind: child, ssh: {gateway: null},")
    cluster = load_cluster(write(text + "ssh: {gateway: 'jump@192.0.2.1:2222'}\n"))
    assert cluster.builder.ssh.gateway == "jump@192.0.2.1:2222"
    assert cluster.node("server-2").ssh.gateway is None


def test_roles__default_stands_for_the_list_before(write, tmp_path):
    (tmp_path / "roles").mkdir()
    for name in ("munin", "varnish"):
        (tmp_path / "roles" / f"{name}.py").write_text("raise SystemExit", encoding="utf-8")
    text = GOOD + "roles: [default, munin]\nkinds: {child: {roles: [varnish, default]}}\n"
    cluster = load_cluster(write(text))
    assert cluster.builder.roles == (
        "base", "firewall", "nfs_server", "mysql", "redis", "app", "munin",
    )  # fmt: skip
    assert cluster.node("server-2").roles == (
        "varnish", "base", "firewall", "nfs_client", "app", "uwsgi", "nginx", "munin",
    )  # fmt: skip


def test_roles__a_list_without_default_replaces_it(write):
    text = GOOD.replace("kind: child,", "kind: child, roles: [nginx],")
    assert load_cluster(write(text)).node("server-2").roles == ("nginx",)


def test_roles__the_default_ones_exist(three_node):
    known = known_roles(three_node.path)
    assert {role for node in three_node.nodes for role in node.roles} <= set(known)
    assert {"glusterfs_client", "glusterfs_server"} <= set(known)


def test_share__decides_the_roles(write):
    cluster = load_cluster(write(GOOD + "share: {engine: glusterfs}\n"))
    assert "glusterfs_server" in cluster.builder.roles
    assert "glusterfs_client" in cluster.node("server-2").roles


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("share: {engine: glusterfs}\n", True),
        ("share: {engine: glusterfs}\nlab:\n", False),
        ("share: {engine: nfs}\n", False),
        ("", False),
    ],
)
def test_glusterfs_outside_of_a_lab__is_warned_of(write, more, warned):
    said = doubts(load_cluster(write(GOOD + more)))
    assert [line.partition(",")[0] for line in said] == (
        ["warning: share/engine is glusterfs"] if warned else []
    )


def test_empty_section__is_as_if_it_were_absent(write):
    cluster = load_cluster(write(GOOD + "ssh:\nvariables:\nshare:\nkinds:\n  child:\n"))
    assert cluster.share.engine == "nfs"


def test_number__is_the_place_in_the_kind_where_a_name_has_none(write):
    nodes = "  anna: {kind: video, private: 10.0.0.8}\n  bert: {kind: video, private: 10.0.0.9}\n"
    cluster = load_cluster(write(GOOD + nodes))
    assert [node.number for node in cluster.nodes_of("video")] == [1, 2]


def overlay(state: Path, **changes: str) -> None:
    """What a lab of the cluster ``shop`` leaves behind."""
    ssh = state / "shop" / "ssh"
    login = {
        "user": "root",
        "key": str(ssh / "id_ed25519"),
        "known_hosts": str(ssh / "known_hosts"),
    }
    notes = {
        "driver": "nspawn",
        "netns": "nodriza-shop",
        "share_engine": "glusterfs",
        "share_reason": "this kernel has no NFS",
        "logins": dict.fromkeys(("server-1", "server-2"), login),
        **changes,
    }
    (state / "shop").mkdir(parents=True)
    (state / "shop" / "overlay.json").write_text(json.dumps(notes), encoding="utf-8")


def test_lab_overlay__changes_the_share_and_how_to_log_in(write, lab_state):
    overlay(lab_state)
    text = GOOD + "ssh: {user: deploy, key: mine}\nlab:\n"
    cluster = load_cluster(write(text))
    assert cluster.share.engine == "glusterfs"
    assert "glusterfs_server" in cluster.builder.roles
    assert cluster.lab_overlay is not None
    assert cluster.lab_overlay.netns == "nodriza-shop"
    for node in cluster.nodes:
        assert node.ssh.user == "root"
        assert node.ssh.key == lab_state / "shop" / "ssh" / "id_ed25519"
        assert node.ssh.known_hosts == lab_state / "shop" / "ssh" / "known_hosts"


def test_lab_overlay__is_not_for_an_inventory_without_a_lab(write, lab_state):
    overlay(lab_state)
    cluster = load_cluster(write(GOOD))
    assert cluster.lab_overlay is None
    assert cluster.share.engine == "nfs"


def test_lab_overlay__that_is_broken_says_how_to_make_it_anew(write, lab_state):
    overlay(lab_state, share_engine="tape")
    with pytest.raises(InventoryError, match=r"run fab lab\.up again"):
        load_cluster(write(GOOD + "lab: {}\n"))


def test_cluster__is_the_same_twice_and_can_not_be_changed(write):
    file = write(GOOD)
    cluster = load_cluster(file)
    assert cluster == load_cluster(file)
    with pytest.raises(ValueError, match="frozen"):
        cluster.name = "other"  # type: ignore[misc]


def test_ten_thousand_nodes__load_in_about_a_second(write):
    node = '  server-[3:10002]: {kind: child, private: "[10.0.1.1:10.0.40.16]"}\n'
    file = write(GOOD + node)
    # 0.6 s on the machine that it was written on.
    assert cost(lambda: load_cluster(file), enough=3) < 3
    cluster = load_cluster(file)
    assert len(cluster.nodes) == 10_002
    assert cluster.node("server-10002").private == "10.0.40.16"
