"""Ways to nodes over gateways: who is checked there, and how many are reached through one.

Real OpenSSH on every machine, with Debian's own configuration: controller → server-1 → server-2
→ server-3, and a hundred addresses of one machine behind server-1.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nodriza.fabfile
import pytest
import yaml

from nodriza.lab import network, state
from tests.lab.project import Project, Result

NODE, NAMES = "server-3", ["server-1", "server-2", "server-3"]
FAULTS = {
    "unknown": "unknown host key",
    "changed": "THE HOST KEY HAS CHANGED",
    "revoked": "THE HOST KEY IS REVOKED",
}
WORDS = {
    "console": [],
    "drain": [],
    "manage": ["check"],
    "hostkeys.accept": ["--fingerprint", f"SHA256:{'A' * 43}"],
    "node.remove": [],
    "rollback": ["--run", "20260101T000000Z-abcdef"],
    "run": ["true"],
    "secrets.rotate": [],
    "undrain": [],
}
"""What else a command has to be told."""
CONNECTING = sorted(
    name
    for name in nodriza.fabfile.ns.task_names
    if getattr(nodriza.fabfile.ns[name], "connects", False)
)
HUNDRED = 100


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Three bare machines, and an operator whose ssh_config the tests write."""
    project = Project.make(tmp_path_factory.mktemp("gateways"), "gateways", 205, videos=0)
    with project.up():
        (project.folder / "home" / ".ssh").mkdir(mode=0o700, parents=True, exist_ok=True)
        yield project


@pytest.fixture(autouse=True)
def _no_ssh_config(lab: Project) -> Iterator[None]:
    yield
    (lab.folder / "home" / ".ssh" / "config").unlink(missing_ok=True)


def key_of(lab: Project, name: str) -> str:
    """The line of a machine in a known_hosts file, without its name."""
    return " ".join(lab.on(name, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])


def address(lab: Project, name: str) -> str:
    return lab.cluster.node(name).private


def inventory(lab: Project, name: str, nodes: dict[str, Any], known: str) -> str:
    """Another inventory of these machines, with host keys of its own."""
    data = {key: value for key, value in lab.data.items() if key != "lab"}
    keys = lab.inventory.with_name(f"{name}.keys")
    keys.write_text(known)
    data["ssh"] = {"key": str(state.Place(lab.name).key), "known_hosts": str(keys)}
    data["nodes"] = nodes
    data["share"] = {"engine": lab.cluster.share.engine}
    data["backup"] = {"to": "/srv/backup"}
    path = lab.inventory.with_name(f"{name}.yml")
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return name


def chain(lab: Project, way: str, known: str) -> str:
    """The inventory ``chained``, whose last node is behind two gateways."""
    nodes = {
        "server-1": {"kind": "central", "private": address(lab, "server-1")},
        "server-2": {"kind": "child", "private": address(lab, "server-2")},
        "server-3": {"kind": "child", "private": address(lab, "server-3")},
    }
    key = state.Place(lab.name).key
    first, second, node = (address(lab, name) for name in NAMES)
    if way == "inventory":
        nodes["server-2"]["ssh"] = {"gateway": "server-1"}
        nodes["server-3"]["ssh"] = {"gateway": "server-2"}
    else:
        jumps = {
            "jump": f"Host {node}\n ProxyJump root@{first},root@{second}\n",
            "nested": f"Host {node}\n ProxyJump {second}\nHost {second}\n ProxyJump {first}\n",
        }
        config = lab.folder / "home" / ".ssh" / "config"
        config.write_text(f"{jumps[way]}Host *\n IdentityFile {key}\n User root\n")
        config.chmod(0o600)
    return inventory(lab, "chained", nodes, known)


def known_with(lab: Project, fault: str, at: str) -> str:
    """A known_hosts file in which everything is right, but at one hop."""
    keys = {name: key_of(lab, name) for name in NAMES}
    lines = [f"{address(lab, name)} {keys[name]}" for name in NAMES]
    place = NAMES.index(at)
    if fault == "unknown":
        del lines[place]
    elif fault == "changed":
        lines[place] = f"{address(lab, at)} {keys[NAMES[place - 1]]}"
    else:
        lines.append(f"@revoked {address(lab, at)} {keys[at]}")
    return "\n".join(lines) + "\n"


def log_ins(lab: Project, name: str, since: float) -> int:
    """How often sshd let somebody in, but for the tests' own question."""
    said = lab.on(name, f"journalctl -t sshd -t sshd-session --since=@{int(since)} -o cat")
    return said.count("Accepted publickey") - 1


def refused_at(result: Result, lab: Project, fault: str, at: str) -> None:
    assert result.exit != 0, result.said
    assert "Traceback" not in result.said
    assert FAULTS[fault] in result.said
    assert address(lab, at) in result.said or f"{at}: {FAULTS[fault]}" in result.said
    assert lab.on(at, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1] in result.said


@pytest.mark.parametrize("way", ["inventory", "jump", "nested"])
def test_node_behind_two_gateways__is_reached(lab: Project, way: str) -> None:
    known = "".join(f"{address(lab, name)} {key_of(lab, name)}\n" for name in NAMES)
    chained = chain(lab, way, known)
    done = lab.fab(chained, f"run:{NODE}", "hostname; echo $SSH_CONNECTION", inside=True).well()
    assert f"{NODE} | {NODE}" in done.stdout
    assert f"| {address(lab, 'server-2')} " in done.stdout, "and from the second gateway"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", NAMES)
@pytest.mark.parametrize("way", ["inventory", "jump", "nested"])
def test_hop_whose_key_is_not_good__ends_the_way_there(
    lab: Project, way: str, at: str, fault: str
) -> None:
    chained = chain(lab, way, known_with(lab, fault, at))
    time.sleep(1.1)  # journalctl counts whole seconds
    began = time.time()
    refused_at(lab.fab(chained, f"run:{NODE}", "true", inside=True), lab, fault, at)
    for name in NAMES[NAMES.index(at) :]:
        # The test's own look at the key is one more on the machine where the fault is.
        assert log_ins(lab, name, began) <= (name == at), f"nobody is logged in to {name}"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", ["inventory", "jump"])
@pytest.mark.parametrize("command", CONNECTING)
def test_command__goes_no_further_than_a_gateway_with_a_bad_key(
    lab: Project, command: str, way: str, fault: str
) -> None:
    """The second one, to which Fabric alone made plain connections."""
    task = nodriza.fabfile.ns[command]
    # Without a target the first machine is the one that all others wait for.
    at = "server-2" if task.subject == "target" else "server-1"
    chained = chain(lab, way, known_with(lab, fault, at))
    target = {"target": f":{NODE}", "name": ":redis"}.get(task.subject, "")
    words = WORDS.get(command, [])
    typed = [chained, f"{command}{target}", *words]
    if task.subject == "name":  # there is no secret before the first plan was to be carried out
        assert lab.fab(chained, "provision", inside=True).exit != 0
    if task.interactive:
        terminal = replace(lab, program=Path("script"))  # script(1)
        typed = ["-qec", shlex.join([str(lab.program), *typed]), "/dev/null"]
        result = terminal.fab(*typed, inside=True, timeout=60)
    else:
        with lab.inventory.open() as something:  # for what has to be told what to load
            result = lab.fab(*typed, inside=True, timeout=60, stdin=something)
    refused_at(result, lab, fault, at)


def test_accept__gets_to_know_each_hop_under_its_own_name(lab: Project) -> None:
    chained = chain(lab, "jump", "")
    for name in NAMES:
        refused = lab.fab(chained, f"run:{NODE}", "true", inside=True)
        (word,) = set(re.findall(r"fab hostkeys\.accept (\S+)", refused.said))
        own = lab.on(name, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
        accept = [chained, "hostkeys.accept", word, "--fingerprint", own]
        lab.fab(*accept, inside=True).well()
        last = lab.inventory.with_name("chained.keys").read_text().splitlines()[-1]
        assert last == f"{address(lab, name)} {key_of(lab, name)}"
    lab.fab(chained, f"run:{NODE}", "true", inside=True).well()


# A hundred behind one


@pytest.fixture(scope="module")
def hundred(lab: Project) -> Iterator[str]:
    """An inventory of a hundred nodes behind server-1, whose sshd is as Debian ships it.

    They are addresses of server-3, whose sshd takes as many guests as a hundred of them would.
    """
    first = address(lab, "server-1").rpartition(".")[0]
    last = 100 + HUNDRED - 1
    lab.on(
        "server-3",
        f"for n in $(seq 100 {last}); do ip address add {first}.$n/24 dev $(ip -o -4 address"
        f" | grep -F {address(lab, 'server-3')}/ | tr -s ' ' | cut -d ' ' -f 2); done;"
        " echo MaxStartups 1000 >/etc/ssh/sshd_config.d/10-many.conf; systemctl restart ssh",
    )
    assert "maxstartups 10:30:100" in lab.on("server-1", "sshd -T")
    assert "maxsessions 10\n" in lab.on("server-1", "sshd -T")
    nodes = {
        "server-1": {"kind": "central", "private": address(lab, "server-1")},
        f"server-[2:{HUNDRED + 1}]": {
            "kind": "child",
            "private": f"{first}.[100:{last}]",
            "ssh": {"gateway": "server-1"},
        },
    }
    lines = [f"{address(lab, 'server-1')} {key_of(lab, 'server-1')}\n"]
    lines += [f"{first}.{n} {key_of(lab, 'server-3')}\n" for n in range(100, last + 1)]
    yield inventory(lab, "hundred", nodes, "".join(lines))
    lab.on("server-3", "rm /etc/ssh/sshd_config.d/10-many.conf")


def test_hundred_nodes__are_reached_through_one_log_in_at_their_gateway(
    lab: Project, hundred: str
) -> None:
    time.sleep(1.1)
    began = time.time()
    done = lab.fab(hundred, "run:server-n", "echo $SSH_CONNECTION", inside=True).well()
    assert done.stdout.count("exit 0") == HUNDRED
    assert log_ins(lab, "server-1", began) == 1
    lab.times[f"{HUNDRED} nodes through one gateway"] = done.seconds


@contextlib.contextmanager
def guests(lab: Project, number: int) -> Iterator[None]:
    """So many connections to the gateway that never log in, as scanners keep them open."""
    place = (address(lab, "server-1"), 22)

    def come() -> list[socket.socket]:
        return [socket.create_connection(place, 5) for _ in range(number)]

    held = network.inside(lab.netns, come)
    try:
        yield
    finally:
        for guest in held:
            guest.close()


def test_gateway_that_turns_guests_away__is_asked_again(lab: Project, hundred: str) -> None:
    """Of forty that have not logged in, sshd turns away every second one (MaxStartups)."""
    for _ in range(3):
        with guests(lab, 40):
            done = lab.fab(hundred, "run:server-[2:31]", "true", inside=True)
            assert done.stdout.count("exit 0") == 30, done.said


def test_gateway_that_turns_everybody_away__is_named_for_every_node(
    lab: Project, hundred: str
) -> None:
    file = "/etc/ssh/sshd_config.d/10-few.conf"
    lab.on("server-1", f"echo MaxStartups 5:100:5 >{file}; systemctl restart ssh")
    try:
        with guests(lab, 5):
            done = lab.fab(hundred, "run:server-[2:31]", "true", inside=True, timeout=60)
    finally:
        lab.on("server-1", f"rm {file}; systemctl restart ssh")
    assert done.exit == 1
    where = f": its gateway server-1 (root@{address(lab, 'server-1')}:22): "
    assert done.stdout.count(where) == 30
    assert "MaxStartups" in done.stdout
    assert done.seconds < 30


@pytest.mark.parametrize("accident", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "freezes"])
def test_gateway_that_dies_or_freezes__fails_each_node_in_words_and_nobody_hangs(
    lab: Project, hundred: str, accident: signal.Signals
) -> None:
    with lab.start(hundred, "run:server-[2:31]", "echo begun; sleep 300", inside=True) as process:
        assert process.stdout is not None
        for _ in range(30):
            assert "begun" in process.stdout.readline()
        sessions = [pid for pid, argv in lab.processes("server-1") if "sshd: root" in argv]
        assert sessions
        began = time.monotonic()
        for pid in sessions:
            os.kill(pid, accident)
        out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 45
    assert process.returncode == 1
    assert out.count("the line to the gateway server-1 broke") == 30, out + err
    assert "Traceback" not in out + err
    for pid in sessions:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
