"""A host key is compared with what the operator's files know: against a real SSH server."""

from pathlib import Path

import paramiko
import pytest
from paramiko.hostkeys import HostKeyEntry

from nodriza.errors import HostKeyError
from nodriza.inventory import Cluster
from nodriza.ssh import hostkeys
from nodriza.ssh.hops import to_node
from tests.unit.ssh.conftest import ECDSA, OTHER, RSA, Answering, connect


def test_unknown_key__is_refused_with_its_fingerprint_and_what_to_type(
    cluster: Cluster, server: Answering
) -> None:
    with pytest.raises(HostKeyError) as caught:
        connect(cluster.node("server-2"), cluster, server.line(ECDSA))
    said = str(caught.value)
    assert said.startswith("server-2 ([198.18.7.12]:2222): unknown host key: ecdsa-sha2-nistp256")
    assert ECDSA.fingerprint in said
    assert "fab hostkeys.accept server-2" in said
    assert "ssh_host_ecdsa_key.pub" in said


def test_known_key__goes_on_to_the_log_in(cluster: Cluster, server: Answering) -> None:
    node = cluster.node("server-2")
    hostkeys.pin(to_node(node, cluster).known_hosts[0][0], "[198.18.7.12]:2222", ECDSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(node, cluster, server.line(ECDSA))


def test_key_under_a_hashed_name__is_known_beside_damaged_lines(
    cluster: Cluster, server: Answering, tmp_path: Path
) -> None:
    """As ssh itself writes it with HashKnownHosts (ssh_config(5)), which is Debian's default."""
    hashed = paramiko.HostKeys.hash_host("198.18.7.11")
    (tmp_path / ".ssh/known_hosts").write_text(
        f"|1|\n|1|x|y ssh-rsa AAAA\n{hashed} {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    )
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.builder, cluster, server.line(ECDSA))


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
    hostkeys.check(to_node(cluster.builder, cluster), ECDSA)
    assert read == [12]


def test_key_of_one_port__says_nothing_about_another(cluster: Cluster, server: Answering) -> None:
    node = cluster.node("server-2")
    hostkeys.pin(to_node(node, cluster).known_hosts[0][0], "198.18.7.12", ECDSA)
    with pytest.raises(HostKeyError, match="unknown host key"):
        connect(node, cluster, server.line(ECDSA))


def test_key_known_at_home__is_good_enough(
    cluster: Cluster, server: Answering, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / ".ssh/known_hosts", "198.18.7.11", RSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.builder, cluster, server.line(ECDSA, RSA))


def test_changed_key__names_both_fingerprints_and_the_line_of_the_old(
    cluster: Cluster, server: Answering, tmp_path: Path
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
    cluster: Cluster, server: Answering, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / ".ssh/known_hosts", "198.18.7.11", OTHER)
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.builder, cluster, server.line(ECDSA))


def test_node_with_its_own_file__is_looked_up_nowhere_else(
    cluster: Cluster, server: Answering, tmp_path: Path
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
    hop = to_node(cluster.builder, cluster)
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
    assert bool(hostkeys.known(to_node(cluster.builder, cluster))) is known
