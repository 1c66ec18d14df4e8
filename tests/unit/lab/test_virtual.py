"""Labs of virtual machines, as far as no machine is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nodriza.errors import LabError
from nodriza.inventory import load_cluster
from nodriza.lab import driver_of
from nodriza.lab.virtual import lab as virtual
from nodriza.lab.virtual.vagrant import Vagrant
from nodriza.ssh.hops import to_node
from tests.unit.conftest import ROOT

INVENTORY = ROOT / "inventories" / "vagrant.yml"
NODES = ("server-1", "server-2", "server-3", "video-1")
FAB = Path(sys.executable).with_name("fab")


def fab(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FAB, *words],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(autouse=True)
def _notes_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "state"))


@pytest.fixture
def inventory(tmp_path):
    """A folder of its own with the shipped inventory, changed at will."""

    def write(**changes: str) -> Path:
        text = INVENTORY.read_text("utf-8").replace("../examples", str(ROOT / "examples"))
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "inventories").mkdir(exist_ok=True)
        path = tmp_path / "inventories" / "vagrant.yml"
        path.write_text(text)
        return path

    return write


def test_machines__are_those_of_the_inventory_with_its_ranges_expanded():
    found = json.loads(fab("vagrant", "lab.machines").stdout)
    assert [(m["name"], m["memory_mb"], m["cpus"]) for m in found["machines"]] == [
        ("server-1", 1024, 1), ("server-2", 768, 1), ("server-3", 768, 1), ("video-1", 768, 1),
    ]  # fmt: skip
    assert found["machines"][2]["networks"] == [
        {"name": "nodriza-vagrant-private", "ip": "192.168.56.13", "netmask": "255.255.255.0"}
    ]


def test_machines__have_both_networks_where_the_inventory_has_them(three_node):
    first = virtual.machines(three_node)["machines"][0]
    assert [network["ip"] for network in first["networks"]] == ["198.18.7.11", "198.18.8.11"]


@pytest.mark.parametrize(
    ("lab", "variable", "box"),
    [
        ("release: bookworm", "", "debian/bookworm64"),
        ("release: trixie", "", "debian/trixie64"),
        ("box: my/own", "", "my/own"),
        ("box: my/own", "another/one", "another/one"),
    ],
)
def test_box__is_debians_unless_the_inventory_or_the_environment_names_another(
    inventory, monkeypatch, lab, variable, box
):
    monkeypatch.setenv("NODRIZA_BOX", variable)
    cluster = load_cluster(inventory(lab=("release: bookworm", lab)))
    assert virtual.machines(cluster)["box"] == box


def test_vagrantfile__has_no_list_of_its_own():
    text = (ROOT / "Vagrantfile").read_text()
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|server-|video-", text)


def test_up__without_vagrant_says_what_to_install(inventory, tmp_path):
    inventory()
    done = fab("vagrant", "lab.up", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "Vagrant is not installed" in done.stderr
    assert "next: apt-get install vagrant" in done.stderr


def test_up__without_a_provider_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "vagrant").write_text("#!/bin/sh\n")
    (tmp_path / "vagrant").chmod(0o755)
    monkeypatch.setattr(virtual.programs, "PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VAGRANT_DEFAULT_PROVIDER", raising=False)
    with pytest.raises(LabError, match="nothing to make virtual machines with"):
        virtual.up(load_cluster(INVENTORY), print)


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        ("The box 'no/such' could not be found or", "fab lab.box makes one"),
        ("The guest machine entered an invalid state", "type the same command again"),
    ],
)
def test_up__that_vagrant_refuses_says_what_to_type(tmp_path, monkeypatch, words, next_step):
    program = tmp_path / "vagrant"
    program.write_text(f'#!/bin/sh\necho "{words}" >&2; exit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError, match=words) as error:
        Vagrant(tmp_path, INVENTORY, tmp_path / "data").up("libvirt", print)
    assert error.value.do.startswith(next_step)


def test_up__of_more_than_the_computer_has_says_how_much_is_needed(inventory):
    cluster = load_cluster(inventory(memory=("memory_mb: 1024", "memory_mb: 16000000")))
    with pytest.raises(LabError, match="need 16002304 MiB of memory.*server-1 16000000") as error:
        virtual.refuse_too_large(cluster.nodes)
    assert error.value.kept == "nothing was started"


def test_driver__that_is_not_there_is_named_with_those_that_are(three_node):
    with pytest.raises(LabError, match="no driver docker") as error:
        driver_of(three_node, "docker")
    assert error.value.do == "one of nspawn, vagrant"


def test_status__of_machines_that_were_never_made_needs_no_vagrant(inventory, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    states = virtual.status(load_cluster(inventory()))
    assert {machine.name: machine.running for machine in states} == dict.fromkeys(NODES, False)


def test_reach__is_nothing_while_no_machine_was_made(inventory):
    assert virtual.reach(load_cluster(inventory())) is None


def notes(cluster, *, port: int) -> None:
    """What a lab of VMs leaves behind, and that Vagrant made its machines before."""
    made = cluster.path.parent.parent / ".vagrant/machines/server-1/virtualbox/id"
    made.parent.mkdir(parents=True)
    made.write_text("0815")
    os.utime(made, (1, 1))
    os.utime(made.parent, (1, 1))
    place = virtual.Lab(cluster).place
    place.folder.mkdir(parents=True)
    login = {
        "user": "vagrant",
        "host": "127.0.0.1",
        "port": port,
        "key": "/k",
        "known_hosts": "/h",
    }
    overlay = {"driver": "vagrant", "netns": "", "patience": 120, "logins": {"server-1": login}}
    place.overlay.write_text(json.dumps(overlay))


def test_reach__knows_how_to_log_in_without_asking_vagrant_again(inventory, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    cluster = load_cluster(inventory())
    notes(cluster, port=2222)
    reached = virtual.reach(cluster)
    assert reached.builder.ssh.host == "127.0.0.1"
    assert reached.builder.ssh.port == 2222
    assert reached.builder.ssh.user == "vagrant"
    assert reached.share.engine == "nfs"
    assert virtual.ssh_argv(reached, "server-1")[-1] == "vagrant@127.0.0.1"


def test_emulated_machines__get_the_time_that_they_need(inventory, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    cluster = load_cluster(inventory())
    notes(cluster, port=2222)
    reached = virtual.reach(cluster)
    assert to_node(reached.builder, reached).timeout == 120
    assert to_node(cluster.builder, cluster).timeout == 10


def test_reach__asks_vagrant_after_it_has_made_another_machine(inventory, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    cluster = load_cluster(inventory())
    notes(cluster, port=2222)
    new = cluster.path.parent.parent / ".vagrant/machines/server-2/virtualbox/id"
    new.parent.mkdir(parents=True)
    new.write_text("4711")
    os.utime(virtual.Lab(cluster).place.overlay, (5, 5))
    with pytest.raises(LabError, match="Vagrant is not installed"):
        virtual.reach(cluster)
