"""Who reaches what: the cluster as seen from a stranger's machine, and from each of its own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import pytest

from tests.lab import stranger
from tests.lab.project import Project

# From the first column, what answers on each node at its private address. A public
# address answers ssh and web where the private one does, and nothing else.
TABLE = """
from      server-1                server-2  server-3  video-1
stranger  ssh                     ssh,web   ssh,web   ssh
server-1  -                       ssh,web   ssh,web   ssh
server-2  ssh,mysql,redis,share   -         ssh,web   ssh
server-3  ssh,mysql,redis,share   ssh,web   -         ssh
video-1   ssh,mysql,redis,share   ssh,web   ssh,web   -
"""
HEAD, *ROWS = (line.split() for line in TABLE.strip().splitlines())
ALLOWED = {
    (row[0], to): set() if doors == "-" else set(doors.split(","))
    for row in ROWS
    for to, doors in zip(HEAD[1:], row[1:], strict=True)
}
NODES = HEAD[1:]
PORTS = {"ssh": {22}, "web": {80}, "mysql": {3306}, "redis": {6379, 6380}}
# Nobody needs these; something in Debian or in a mistake of ours might open them.
NEVER = {53, 111, 443, 2049, 3031, 4369, 5355, 5672, 8000, 8080, 9000, 9090, 9191, 20048}

CONNECT = """
import concurrent.futures, json, socket, sys

def is_open(door):
    try:
        socket.create_connection(door, 2).close()
        return True
    except OSError:
        return False

doors = [tuple(door) for door in json.load(sys.stdin)]
with concurrent.futures.ThreadPoolExecutor(128) as pool:
    print(json.dumps([door for door, it_is in zip(doors, pool.map(is_open, doors)) if it_is]))
"""


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[tuple[Project, Project]]:
    """The operator's project, provisioned, and the way to the stranger."""
    folder = tmp_path_factory.mktemp("strangers")
    project, outside = stranger.make(folder, "strangers", 67, times)
    try:
        project.fab("provision").well()
        stranger.install(outside, ["nmap", "glusterfs-client"])
        yield project, outside
    finally:
        if os.environ.get("NODRIZA_KEEP_LAB") != "1":
            outside.fab("lab.down").well()


@pytest.fixture(scope="module")
def project(both: tuple[Project, Project]) -> Project:
    """The operator's."""
    return both[0]


@pytest.fixture(scope="module")
def outside(both: tuple[Project, Project]) -> Project:
    """For what is done on the stranger's machine."""
    return both[1]


def listening(project: Project, node: str) -> set[tuple[str, str, int, str]]:
    """(protocol, address, port, program) of every socket that waits for others."""
    found = set()
    for line in project.on(node, "ss -Htulpn").splitlines():
        protocol, _, _, _, local, *_ = line.split()
        address, _, port = local.rpartition(":")
        program = re.search(r'\(\("([^"]+)"', line)
        found.add((protocol, address.strip("[]"), int(port), program[1] if program else "kernel"))
    if project.cluster.share.engine == "nfs":
        # Debian's nfs-common brings the portmapper and its friends, which NFSv4 does without;
        # the firewall keeps them to themselves.
        found = {one for one in found if one[2] != 111 and not one[3].startswith("rpc")}
    return found


@pytest.fixture(scope="module")
def ports(project: Project) -> dict[str, set[int]]:
    """The ports of each door; a brick has one of a hundred."""
    if project.cluster.share.engine == "nfs":
        return {**PORTS, "share": {2049}}
    sockets = listening(project, "server-1")
    share = {port for _, _, port, program in sockets if program.startswith("gluster")}
    return {**PORTS, "share": share}


def test_nodes__listen_where_they_must_and_nowhere_else(
    project: Project, ports: dict[str, set[int]]
) -> None:
    everywhere = ("0.0.0.0", "::", "*")
    expected = {
        "server-1": {("198.18.67.11", port) for port in {3306, 6379, 6380, *ports["share"]}},
        "server-2": {("any", 80)},
        "server-3": {("any", 80)},
        "video-1": set(),
    }
    for node in NODES:
        found = {
            ("any" if address in everywhere else address, port)
            for protocol, address, port, _ in listening(project, node)
            if not address.startswith("127.") and protocol == "tcp"
        }
        assert found == expected[node] | {("any", 22)}, node
        # Nobody is asked anything by UDP.
        assert {entry for entry in listening(project, node) if entry[0] == "udp"} == set(), node


def test_stranger__finds_ssh_and_the_web_on_all_ports_of_all_addresses(
    project: Project, outside: Project
) -> None:
    targets = {
        address: node.name
        for node in project.cluster.nodes
        for address in (node.private, node.public)
        if address
    }
    scan = "nmap -n -Pn -sS -p- -T5 --min-rate 20000 --max-retries 2 --open -oG - "
    said = outside.on(stranger.NAME, scan + " ".join(targets))
    found = {address: set[int]() for address in targets}
    for address, listed in re.findall(r"Host: (\S+) .*Ports: (.*)", said):
        found[address] = set(map(int, re.findall(r"(\d+)/open/", listed)))
    names = {22: "ssh", 80: "web"}
    assert {
        address: {names.get(port, port) for port in open_} for address, open_ in found.items()
    } == {address: ALLOWED["stranger", node] for address, node in targets.items()}


@pytest.mark.parametrize("source", [row[0] for row in ROWS])
def test_table__is_what_each_machine_finds(
    project: Project, outside: Project, ports: dict[str, set[int]], source: str
) -> None:
    cluster = project.cluster
    others = [node for node in cluster.nodes if node.name != source]
    # The networks are not routed to each other: who has no public address meets none.
    in_public = source == stranger.NAME or cluster.node(source).public
    doors = set().union(NEVER, *ports.values())
    asked = [
        (address, port)
        for node in others
        for address in (node.private, node.public if in_public else None)
        if address
        for port in doors
    ]
    on = outside if source == stranger.NAME else project
    said = on.on(source, f"python3 -c '{CONNECT}'", stdin=json.dumps(asked))
    found = {(address, port) for address, port in json.loads(said)}
    allowed = set()
    for node in others:
        names = ALLOWED[source, node.name]
        allowed |= {(node.private, port) for name in names for port in ports[name]}
        if node.public and in_public:
            public = names & {"ssh", "web"}
            allowed |= {(node.public, port) for name in public for port in ports[name]}
    assert found == allowed


@pytest.fixture
def flushed(project: Project) -> Iterator[None]:
    """The central node as somebody left it who has flushed its rules by hand."""
    project.on("server-1", "nft flush ruleset")
    yield
    project.on("server-1", "nft -f /etc/nftables.conf")


def test_mysql__does_not_let_a_stranger_say_a_word(outside: Project, flushed: None) -> None:
    ask = (
        "import socket; s = socket.create_connection(('198.18.67.11', 3306), 5);"
        " print(s.recv(200))"
    )
    said = outside.on(stranger.NAME, f'python3 -c "{ask}"')
    assert "Host '198.18.67.66' is not allowed to connect" in said


def test_redis__wants_a_password(outside: Project, flushed: None) -> None:
    ask = (
        "import socket; s = socket.create_connection(('198.18.67.11', 6379), 5);"
        r" s.sendall(b'KEYS *\r\n'); print(s.recv(200))"
    )
    said = outside.on(stranger.NAME, f'python3 -c "{ask}"')
    assert "NOAUTH" in said


def test_share__is_not_mounted_by_a_stranger(
    project: Project, outside: Project, flushed: None
) -> None:
    cluster = project.cluster
    if cluster.share.engine == "nfs":
        mount = "mount -t nfs4 198.18.67.11:/srv/videoteca"
    else:
        mount = "mount -t glusterfs 198.18.67.11:/videoteca"
    # What mount answers is not the point: GlusterFS may say 0 before it is refused.
    attempt = (
        f"mkdir -p /mnt/try; for i in 1 2 3; do timeout 30 {mount} /mnt/try;"
        " timeout 10 ls /mnt/try; timeout 10 touch /mnt/try/was-here; sleep 1;"
        " timeout 10 ls /mnt/try; umount -l /mnt/try; done"
    )
    there = "ls /srv/videoteca/was-here"
    said = outside.on(stranger.NAME, attempt, check=False)
    assert set(said.split()) <= {"was-here"}, said  # in its own folder
    assert project.on("server-1", there, check=False) == ""
    # The same words do it on a node that may.
    said = project.on("video-1", attempt)
    assert {"media", "was-here"} <= set(said.split())
    assert project.on("server-1", f"{there} && rm /srv/videoteca/was-here") != ""


def test_share__takes_no_orders_from_a_stranger(
    project: Project, outside: Project, flushed: None
) -> None:
    if project.cluster.share.engine == "nfs":
        return
    open_to_all = "timeout 10 gluster --mode=script --remote-host=198.18.67.11 volume set"
    stranger.install(outside, ["glusterfs-cli"])
    outside.on(stranger.NAME, f"{open_to_all} videoteca auth.allow '*'", check=False)
    info = project.on("server-1", "gluster volume get videoteca auth.allow")
    assert "198.18.67.12" in info
    assert "*" not in info


def test_provision__puts_a_flushed_firewall_back(project: Project) -> None:
    project.on("server-2", "nft flush ruleset")
    foretold = project.fab("provision:server-2", "--check", "--json").well()
    health = "health:http://127.0.0.1/healthz/here"
    assert foretold.changed() == {"server-2": ["command:firewall", health]}
    assert project.fab("provision:server-2", "--json").well().changed() == foretold.changed()
    assert "policy drop" in project.on("server-2", "nft list table inet nodriza")
