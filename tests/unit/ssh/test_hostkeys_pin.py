"""What is written into a file of known hosts, and what is left alone in it."""

from pathlib import Path

import paramiko

from nodriza.ssh import hostkeys
from tests.unit.ssh.conftest import ECDSA, OTHER, RSA


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
