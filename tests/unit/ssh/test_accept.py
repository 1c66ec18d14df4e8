"""A key is fetched, shown, and pinned after a yes."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nodriza.errors import ConnectionFailed, HostKeyError
from nodriza.inventory import Cluster
from nodriza.ssh import client, hostkeys
from nodriza.ssh.accept import accept, listing, to_know
from nodriza.ssh.connection import fetch_key
from nodriza.ssh.hops import Hop
from tests.unit.ssh.conftest import ECDSA, OTHER, RSA, no, yes


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


@pytest.mark.parametrize(
    "given",
    [OTHER.fingerprint, "SHA256:", "SHA256:wrong", " "],
    ids=["another", "empty", "wrong", "blank"],  # a key that is made anew has no name that stays
)
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


def test_listing__tells_known_nodes_from_unknown_ones(hop: Hops, cluster: Cluster) -> None:
    accept(hop("server-1", ECDSA), ask=yes)
    first, second, *_ = listing(cluster)
    assert ECDSA.fingerprint in first
    assert "home.known_hosts:1" in first
    assert second == "server-2  [198.18.7.12]:2222  unknown: fab hostkeys.accept server-2"
