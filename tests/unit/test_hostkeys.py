"""Host keys: who is there, and is it who we know? Against a real SSH server on a socket pair."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import paramiko
import pytest
from paramiko.hostkeys import HostKeyEntry

from nodriza.errors import ConnectionFailed, HostKeyError
from nodriza.inventory import Cluster, Node, load_cluster
from nodriza.ssh import client, hostkeys
from nodriza.ssh.accept import accept, listing, to_know
from nodriza.ssh.connection import fetch_key
from nodriza.ssh.hops import Hop, to_node

ECDSA = paramiko.ECDSAKey.generate()
OTHER = paramiko.ECDSAKey.generate()
RSA = paramiko.RSAKey.generate(2048)

INVENTORY = """
cluster: home
domain: example.test
networks: {private: 198.18.7.0/24}
app: {name: site, source: ., wsgi: site.wsgi, settings: site.settings}
nodes:
  server-1: {kind: central, private: 198.18.7.11}
  server-2: {kind: child, private: 198.18.7.12, ssh: {port: 2222}}
  server-3: {kind: child, private: 198.18.7.13, ssh: {gateway: "ops@bastion.example.test:2200"}}
  server-4: {kind: child, private: 198.18.7.14, ssh: {known_hosts: keys/lab}}
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "home.yml").write_text(INVENTORY)
    (tmp_path / "requirements.txt").touch()
    return load_cluster(tmp_path / "home.yml")


@dataclass
class Server:
    """Real SSH servers, each on one end of a socket pair."""

    running: list[paramiko.Transport] = field(default_factory=list)

    def line(self, *keys: paramiko.PKey) -> socket.socket:
        ours, theirs = socket.socketpair()
        transport = paramiko.Transport(theirs)
        for key in keys:
            transport.add_server_key(key)
        transport.start_server(event=threading.Event(), server=paramiko.ServerInterface())
        self.running.append(transport)
        return ours


@pytest.fixture
def server() -> Iterator[Server]:
    it = Server()
    yield it
    for transport in it.running:
        transport.close()


@pytest.fixture
def hop(cluster: Cluster, server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hop]:
    """The way to a node, where somebody with these keys answers."""

    def to(name: str, *keys: paramiko.PKey) -> Hop:
        monkeypatch.setattr(client, "_dial", lambda _: server.line(*keys))
        return to_node(cluster.node(name), cluster)

    return to


def connect(node: Node, cluster: Cluster, sock: socket.socket) -> None:
    hop = to_node(node, cluster)
    ours = client.Client(hop)
    try:
        ours.connect(
            hop.host,
            hop.port,
            username="root",
            password="x",
            sock=sock,
            allow_agent=False,
            look_for_keys=False,
        )
    finally:
        ours.close()


def no(_question: str) -> bool:
    return False


def yes(_question: str) -> bool:
    return True


# Connecting


def test_unknown_key__is_refused_with_its_fingerprint_and_what_to_type(
    cluster: Cluster, server: Server
) -> None:
    with pytest.raises(HostKeyError) as caught:
        connect(cluster.node("server-2"), cluster, server.line(ECDSA))
    said = str(caught.value)
    assert said.startswith("server-2 ([198.18.7.12]:2222): unknown host key: ecdsa-sha2-nistp256")
    assert ECDSA.fingerprint in said
    assert "fab hostkeys.accept server-2" in said
    assert "ssh_host_ecdsa_key.pub" in said


def test_known_key__goes_on_to_the_log_in(cluster: Cluster, server: Server) -> None:
    node = cluster.node("server-2")
    hostkeys.pin(to_node(node, cluster).known_hosts[0][0], "[198.18.7.12]:2222", ECDSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(node, cluster, server.line(ECDSA))


def test_key_under_a_hashed_name__is_known_beside_damaged_lines(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    """As ssh itself writes it with HashKnownHosts (ssh_config(5)), which is Debian's default."""
    hashed = paramiko.HostKeys.hash_host("198.18.7.11")
    (tmp_path / ".ssh/known_hosts").write_text(
        f"|1|\n|1|x|y ssh-rsa AAAA\n{hashed} {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    )
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.central, cluster, server.line(ECDSA))


def test_keys_of_other_hosts__are_not_read(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a thousand nodes would read the keys of all: minutes."""
    lines = [f"198.18.7.{n} {ECDSA.get_name()} {ECDSA.get_base64()}" for n in range(110)]
    (tmp_path / "home.known_hosts").write_text("\n".join(lines))
    read: list[int] = []
    real = HostKeyEntry.from_line

    def from_line(line: str, number: int) -> HostKeyEntry | None:
        read.append(number)
        return real(line, number)

    monkeypatch.setattr(HostKeyEntry, "from_line", from_line)
    hostkeys.check(to_node(cluster.central, cluster), ECDSA)
    assert read == [12]


def test_key_of_one_port__says_nothing_about_another(cluster: Cluster, server: Server) -> None:
    node = cluster.node("server-2")
    hostkeys.pin(to_node(node, cluster).known_hosts[0][0], "198.18.7.12", ECDSA)
    with pytest.raises(HostKeyError, match="unknown host key"):
        connect(node, cluster, server.line(ECDSA))


def test_key_known_at_home__is_good_enough(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / ".ssh/known_hosts", "198.18.7.11", RSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.central, cluster, server.line(ECDSA, RSA))


def test_changed_key__names_both_fingerprints_and_the_line_of_the_old(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "home.known_hosts").write_text("# ours\n")
    hostkeys.pin(tmp_path / "home.known_hosts", "[198.18.7.12]:2222", OTHER)
    node = cluster.node("server-2")
    with pytest.raises(HostKeyError) as caught:
        connect(node, cluster, server.line(ECDSA))
    said = str(caught.value)

    assert f"known:   ecdsa-sha2-nistp256 {OTHER.fingerprint}" in said
    assert f"offered: ecdsa-sha2-nistp256 {ECDSA.fingerprint}" in said
    assert f"{tmp_path}/home.known_hosts:2" in said
    assert "fab hostkeys.accept server-2 --replace" in said


def test_changed_key_of_a_gateway__is_not_taken_for_the_nodes(
    cluster: Cluster, tmp_path: Path
) -> None:
    name = "bastion.example.test"
    hostkeys.pin(tmp_path / "home.known_hosts", f"[{name}]:2200", OTHER)
    gateway, _ = to_node(cluster.node("server-3"), cluster)
    with pytest.raises(HostKeyError) as caught:
        hostkeys.check(gateway, ECDSA)
    said = str(caught.value)

    assert said.startswith(f"{name}:2200 ([{name}]:2200): THE HOST KEY HAS CHANGED")
    assert OTHER.fingerprint in said
    assert f"fab hostkeys.accept {name}:2200 --replace" in said


def test_pinned_key__counts_more_than_the_one_at_home(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / ".ssh/known_hosts", "198.18.7.11", OTHER)
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.central, cluster, server.line(ECDSA))


def test_node_with_its_own_file__is_looked_up_nowhere_else(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    for other in ("home.known_hosts", ".ssh/known_hosts"):
        hostkeys.pin(tmp_path / other, "198.18.7.14", ECDSA)
    with pytest.raises(HostKeyError, match="unknown host key"):
        connect(cluster.node("server-4"), cluster, server.line(ECDSA))


def test_unknown_gateway__is_called_by_its_own_name(cluster: Cluster) -> None:
    gateway, _ = to_node(cluster.node("server-3"), cluster)
    with pytest.raises(HostKeyError, match=r"hostkeys\.accept bastion\.example\.test:2200"):
        hostkeys.check(gateway, ECDSA)


def test_second_key_of_one_type__is_known_as_well(cluster: Cluster, tmp_path: Path) -> None:
    """As while a host changes its key: ssh accepts every key that is listed."""
    hop = to_node(cluster.central, cluster)
    lines = [f"198.18.7.11 {key.get_name()} {key.get_base64()}\n" for key in (OTHER, ECDSA)]
    (tmp_path / "home.known_hosts").write_text("".join(lines))
    hostkeys.check(hop, ECDSA)
    hostkeys.check(hop, OTHER)


@pytest.mark.parametrize(
    ("names", "known"),
    [
        ("*.7.11", True),
        ("198.18.?.11", True),
        ("*,!198.18.7.11", False),
        ("*,!198.18.7.12", True),
        ("198.18.7.1", False),
    ],
)
def test_patterns_of_a_known_hosts_file__mean_what_they_mean_to_ssh(
    cluster: Cluster, tmp_path: Path, names: str, known: bool
) -> None:
    (tmp_path / "home.known_hosts").write_text(f"{names}  ssh-rsa \t{RSA.get_base64()} comment\n")
    assert bool(hostkeys.known(to_node(cluster.central, cluster))) is known


# What is revoked, or can't be read


@pytest.mark.parametrize("file", ["home.known_hosts", ".ssh/known_hosts"])
@pytest.mark.parametrize("names", ["198.18.7.11", "*", "hashed", "198.18.7.1,198.18.7.11"])
def test_revoked_key__is_refused_though_it_is_known(
    cluster: Cluster, server: Server, tmp_path: Path, names: str, file: str
) -> None:
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    names = paramiko.HostKeys.hash_host("198.18.7.11") if names == "hashed" else names
    with (tmp_path / file).open("a") as writer:
        writer.write(f"@revoked\t{names} {ECDSA.get_name()} {ECDSA.get_base64()}\n")
    with pytest.raises(HostKeyError, match="THE HOST KEY IS REVOKED") as caught:
        connect(cluster.central, cluster, server.line(ECDSA))
    assert f"{tmp_path / file}:" in str(caught.value)
    assert "hostkeys.accept" not in str(caught.value), "nobody is led to accept it"


def test_key_that_is_revoked_for_another_host__is_as_good_as_before(
    cluster: Cluster, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    with (tmp_path / "home.known_hosts").open("a") as writer:
        writer.write(f"@revoked 198.18.7.12 {ECDSA.get_name()} {ECDSA.get_base64()}\n")
        writer.write(f"@revoked * {OTHER.get_name()} {OTHER.get_base64()}\n")
    hostkeys.check(to_node(cluster.central, cluster), ECDSA)


def test_accept__takes_no_revoked_key_whatever_is_typed(
    hop: Callable[..., Hop], tmp_path: Path
) -> None:
    (tmp_path / ".ssh/known_hosts").write_text(
        f"@revoked * {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    )
    with pytest.raises(HostKeyError, match="REVOKED"):
        accept(hop("server-1", ECDSA), fingerprint=ECDSA.fingerprint, replace=True, ask=yes)
    assert not (tmp_path / "home.known_hosts").exists()


def test_line_that_revokes_and_is_damaged__is_refused_with_its_place(
    cluster: Cluster, tmp_path: Path
) -> None:
    """It may have meant any key."""
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    with (tmp_path / "home.known_hosts").open("a") as writer:
        writer.write("@revoked 198.18.7.11 ssh-rsa\n")
    with pytest.raises(HostKeyError, match=r"home\.known_hosts:2: .*can't be read"):
        hostkeys.check(to_node(cluster.central, cluster), ECDSA)


def test_authority_of_certificates__makes_nobody_known_and_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    line = f"@cert-authority *.7.11 {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    (tmp_path / ".ssh/known_hosts").write_text(line)
    with pytest.raises(HostKeyError, match="unknown host key") as caught:
        hostkeys.check(to_node(cluster.central, cluster), ECDSA)
    assert f"{tmp_path}/.ssh/known_hosts:1 trusts an authority" in str(caught.value)
    assert "certificates of hosts are not understood here" in str(caught.value)


def test_keys_that_can_not_be_read__are_not_taken_for_none(
    cluster: Cluster, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    (tmp_path / ".ssh/known_hosts").mkdir()
    with pytest.raises(HostKeyError, match=r"known_hosts: the keys of hosts can't be read"):
        hostkeys.check(to_node(cluster.central, cluster), ECDSA)


@pytest.mark.parametrize("form", ["plain", "krl"])
def test_revoked_host_keys_of_ssh_config__are_refused(
    cluster: Cluster, tmp_path: Path, form: str
) -> None:
    """RevokedHostKeys of ssh_config(5): public keys, or a list that ssh-keygen(1) made."""
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    public = tmp_path / "key.pub"
    public.write_text(f"{ECDSA.get_name()} {ECDSA.get_base64()}\n")
    if form == "krl":
        krl = tmp_path / "krl"
        argv = ["ssh-keygen", "-q", "-k", "-f", str(krl), str(public)]
        subprocess.run(argv, check=True, timeout=20)
        public = krl
    hop = replace(to_node(cluster.central, cluster), revoked=(str(public),))
    with pytest.raises(HostKeyError, match="REVOKED"):
        hostkeys.check(hop, ECDSA)
    with pytest.raises(HostKeyError, match="CHANGED"):
        hostkeys.check(hop, OTHER)
    gone = replace(hop, revoked=(str(tmp_path / "none"),))
    with pytest.raises(HostKeyError, match="can't be read"):
        hostkeys.check(gone, ECDSA)


# Fetching


def test_fetch_key__asks_first_for_the_type_that_is_known(
    hop: Callable[..., Hop], tmp_path: Path
) -> None:
    (tmp_path / "home.known_hosts").write_text(f"198.18.7.11 ssh-rsa {RSA.get_base64()}\n")
    assert fetch_key(hop("server-1", ECDSA, RSA)).get_name() == "ssh-rsa"
    (tmp_path / "home.known_hosts").write_text(
        f"198.18.7.11 {OTHER.get_name()} {OTHER.get_base64()}\n"
    )
    assert fetch_key(hop("server-1", ECDSA, RSA)).get_name() == "ecdsa-sha2-nistp256"


def test_fetch_key__of_something_that_is_no_ssh_server_says_so(
    hop: Callable[..., Hop], monkeypatch: pytest.MonkeyPatch
) -> None:
    way = hop("server-2")
    monkeypatch.setattr("nodriza.ssh.connection.PAUSES", ())

    def dial(_: Hop) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours

    monkeypatch.setattr(client, "_dial", dial)
    with pytest.raises(ConnectionFailed, match=r"server-2 \(root@198\.18\.7\.12:2222\): "):
        fetch_key(way)


# Pinning


def test_pin__keeps_comments_and_other_hosts(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    hostkeys.pin(file, "a", ECDSA)
    file.write_text(f"# the team's hosts\n\n{file.read_text().replace('a ', 'a,b ', 1)}nonsense\n")
    hostkeys.pin(file, "a", OTHER)

    assert file.read_text().splitlines() == [
        "# the team's hosts",
        "",
        f"b {ECDSA.get_name()} {ECDSA.get_base64()}",
        "nonsense",
        f"a {OTHER.get_name()} {OTHER.get_base64()}",
    ]


def test_pin__replaces_a_hashed_name_too(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    hashed = paramiko.HostKeys.hash_host("a")
    file.write_text(f"{hashed} {ECDSA.get_name()} {ECDSA.get_base64()}\n")
    assert [known.key for known in hostkeys.known_in([file], "a")] == [ECDSA]

    hostkeys.pin(file, "a", OTHER)
    assert [known.key for known in hostkeys.known_in([file], "a")] == [OTHER]
    assert len(file.read_text().splitlines()) == 1


def test_known__does_not_take_a_revoked_key_for_a_known_one(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked a {ECDSA.get_name()} {ECDSA.get_base64()}\n")
    assert list(hostkeys.known_in([file], "a")) == []


# Accepting


Hops = Callable[..., Hop]


def test_accept__pins_the_key_after_a_yes(hop: Hops, tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        return True

    said = accept(hop("server-2", ECDSA), ask=ask)

    assert ECDSA.fingerprint in asked[0]
    assert said.startswith("server-2 accepted: ecdsa-sha2-nistp256 SHA256:")
    assert (tmp_path / "home.known_hosts").read_text() == (
        f"[198.18.7.12]:2222 {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    )
    assert "known already" in accept(hop("server-2", ECDSA), ask=None)


def test_accept__writes_to_the_nodes_own_file(hop: Hops, tmp_path: Path) -> None:
    accept(hop("server-4", ECDSA), ask=yes)
    assert (tmp_path / "keys/lab").read_text().startswith("198.18.7.14 ecdsa")


def test_accept__writes_nothing_after_a_no(hop: Hops, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match="not accepted"):
        accept(hop("server-1", ECDSA), ask=no)
    assert not (tmp_path / "home.known_hosts").exists()


def test_accept__refuses_when_nobody_is_there_to_verify(hop: Hops, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match=r"accept server-1 --fingerprint SHA256:"):
        accept(hop("server-1", ECDSA), ask=None)
    assert not (tmp_path / "home.known_hosts").exists()


def test_accept__takes_the_right_fingerprint_for_a_yes(hop: Hops) -> None:
    said = accept(hop("server-1", ECDSA), fingerprint=ECDSA.fingerprint, ask=None)
    assert said.startswith("server-1 accepted")


@pytest.mark.parametrize("given", [OTHER.fingerprint, "SHA256:", "SHA256:wrong", " "])
def test_accept__refuses_another_fingerprint_even_when_asked_to_replace(
    hop: Hops, tmp_path: Path, given: str
) -> None:
    with pytest.raises(HostKeyError, match="another key than you expect"):
        accept(hop("server-1", ECDSA), fingerprint=given, replace=True, ask=yes)
    assert not (tmp_path / "home.known_hosts").exists()


def test_accept__of_a_changed_key_wants_to_be_told_to_replace(hop: Hops, tmp_path: Path) -> None:
    accept(hop("server-1", OTHER), ask=yes)
    with pytest.raises(HostKeyError, match="HAS CHANGED"):
        accept(hop("server-1", ECDSA), fingerprint=ECDSA.fingerprint, ask=yes)

    accept(hop("server-1", ECDSA), replace=True, ask=yes)
    found = hostkeys.known_in([tmp_path / "home.known_hosts"], "198.18.7.11")
    assert [known.key for known in found] == [ECDSA]


def test_ways__lead_to_nodes_and_to_gateways(cluster: Cluster) -> None:
    assert [hop.word for hop in to_know(cluster, "server-1,server-2")] == ["server-1", "server-2"]
    for word in ("bastion.example.test:2200", "ops@bastion.example.test:2200"):
        (gateway,) = to_know(cluster, word)
        assert gateway.known_as == "[bastion.example.test]:2200"


def test_pin__leaves_patterns_and_revoked_keys_alone(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    kept = [
        f"*.example.test,a {ECDSA.get_name()} {ECDSA.get_base64()} ours",
        f"@revoked a {RSA.get_name()} {RSA.get_base64()}",
        f"? {ECDSA.get_name()} {ECDSA.get_base64()} all of one letter",
    ]
    file.write_text("\n".join(kept) + "\n")
    hostkeys.pin(file, "a", OTHER)
    lines = file.read_text().splitlines()
    assert lines[:3] == [kept[0].replace(",a", ""), *kept[1:]]
    assert lines[3:] == [f"a {OTHER.get_name()} {OTHER.get_base64()}"]


def test_listing__tells_known_nodes_from_unknown_ones(hop: Hops, cluster: Cluster) -> None:
    accept(hop("server-1", ECDSA), ask=yes)
    first, second, *_ = listing(cluster)
    assert ECDSA.fingerprint in first
    assert "home.known_hosts:1" in first
    assert second == "server-2  [198.18.7.12]:2222  unknown: fab hostkeys.accept server-2"
