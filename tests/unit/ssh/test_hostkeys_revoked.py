"""A revoked or a short key is refused, and so is a file that can't be read."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from nodriza.errors import HostKeyError
from nodriza.inventory import Cluster
from nodriza.ssh import hostkeys
from nodriza.ssh.accept import accept
from nodriza.ssh.hops import Hop, to_node
from tests.unit.ssh.conftest import ECDSA, OTHER, RSA, Answering, connect, yes


@pytest.mark.parametrize("file", ["home.known_hosts", ".ssh/known_hosts"])
@pytest.mark.parametrize("names", ["198.18.7.11", "*", "hashed", "198.18.7.1,198.18.7.11"])
def test_revoked_key__is_refused_though_it_is_known(
    cluster: Cluster, server: Answering, tmp_path: Path, names: str, file: str
) -> None:
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    names = paramiko.HostKeys.hash_host("198.18.7.11") if names == "hashed" else names
    with (tmp_path / file).open("a") as writer:
        writer.write(f"@revoked\t{names} {ECDSA.get_name()} {ECDSA.get_base64()}\n")
    with pytest.raises(HostKeyError, match="THE HOST KEY IS REVOKED") as caught:
        connect(cluster.builder, cluster, server.line(ECDSA))
    assert f"{tmp_path / file}:" in str(caught.value)
    assert "hostkeys.accept" not in str(caught.value), "nobody is led to accept it"


def test_key_that_is_revoked_for_another_host__is_as_good_as_before(
    cluster: Cluster, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    with (tmp_path / "home.known_hosts").open("a") as writer:
        writer.write(f"@revoked 198.18.7.12 {ECDSA.get_name()} {ECDSA.get_base64()}\n")
        writer.write(f"@revoked * {OTHER.get_name()} {OTHER.get_base64()}\n")
    hostkeys.check(to_node(cluster.builder, cluster), ECDSA)


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
        hostkeys.check(to_node(cluster.builder, cluster), ECDSA)


def test_authority_of_certificates__makes_nobody_known_and_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    line = f"@cert-authority *.7.11 {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    (tmp_path / ".ssh/known_hosts").write_text(line)
    with pytest.raises(HostKeyError, match="unknown host key") as caught:
        hostkeys.check(to_node(cluster.builder, cluster), ECDSA)
    assert f"{tmp_path}/.ssh/known_hosts:1 trusts an authority" in str(caught.value)
    assert "certificates of hosts are not understood here" in str(caught.value)


def test_keys_that_can_not_be_read__are_not_taken_for_none(
    cluster: Cluster, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    (tmp_path / ".ssh/known_hosts").mkdir()
    with pytest.raises(HostKeyError, match=r"known_hosts: the keys of hosts can't be read"):
        hostkeys.check(to_node(cluster.builder, cluster), ECDSA)


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
    hop = replace(to_node(cluster.builder, cluster), revoked=(str(public),))
    with pytest.raises(HostKeyError, match="REVOKED"):
        hostkeys.check(hop, ECDSA)
    with pytest.raises(HostKeyError, match="CHANGED"):
        hostkeys.check(hop, OTHER)
    gone = replace(hop, revoked=(str(tmp_path / "none"),))
    with pytest.raises(HostKeyError, match="can't be read"):
        hostkeys.check(gone, ECDSA)


def test_file_that_is_a_link_into_nowhere__is_no_empty_one(
    cluster: Cluster, server: Answering, tmp_path: Path
) -> None:
    (tmp_path / "home.known_hosts").symlink_to("not-mounted")
    with pytest.raises(HostKeyError, match="can't be read: a link that leads nowhere"):
        connect(cluster.node("server-2"), cluster, server.line(ECDSA))


@pytest.mark.parametrize("known", [True, False])
def test_short_rsa_key__is_refused_also_if_it_is_known(
    hop: Callable[..., Hop], known: bool, tmp_path: Path
) -> None:
    """RequiredRSASize, which Fedora and others set for everybody."""
    to = replace(hop("server-1", RSA), rsa_bits=3072)
    if known:
        (tmp_path / "home.known_hosts").write_text(f"198.18.7.11 ssh-rsa {RSA.get_base64()}\n")
    with pytest.raises(HostKeyError, match="too short: ssh-rsa of 2048 bits.* is 3072"):
        hostkeys.check(to, RSA)
    with pytest.raises(HostKeyError, match="too short"):
        accept(to, ask=yes)
    hostkeys.refuse_bad(replace(to, rsa_bits=2048), RSA)
    hostkeys.refuse_bad(to, ECDSA)
