"""The store that holds the values: encrypted, whole, and its owner's alone."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from pyrage import decrypt, x25519

from nodriza.errors import NodrizaError, SecretError
from nodriza.vault.edit import edit
from nodriza.vault.store import Vault


def test_ensure__makes_what_is_missing_and_keeps_what_is_there(vault: Vault) -> None:
    first = vault.ensure(["redis"])
    both = vault.ensure({"redis", "mysql_app"})

    assert both["redis"] == first["redis"]
    assert set(both) == {"redis", "mysql_app"}
    assert all(len(value) == 40 and value.isalnum() for value in both.values())
    assert vault.names() == ["mysql_app", "redis"]


def test_ensure__hands_out_only_what_was_asked_for(vault: Vault) -> None:
    vault.ensure(["redis", "mysql_app"])
    assert set(vault.ensure(["redis"])) == {"redis"}


def test_ensure__of_nothing_needs_neither_key_nor_store(vault: Vault) -> None:
    assert vault.ensure([]) == {}
    assert not vault.path.exists()
    assert not vault.key.path.exists()


def test_ensure__without_keeping_writes_nothing_and_still_redacts(vault: Vault) -> None:
    value = vault.ensure(["redis"], keep=False)["redis"]

    assert vault.redact(f"requirepass {value}") == "requirepass ‹secret:redis›"
    assert not vault.path.exists()
    assert not vault.key.path.exists()


def test_store__is_age_encrypted_json_that_other_tools_can_open(vault: Vault) -> None:
    vault.set("redis", "long-enough")
    identity = x25519.Identity.from_str(vault.key.path.read_text().splitlines()[-1])

    data = vault.path.read_bytes()
    assert data.startswith(b"age-encryption.org/v1")
    assert b"long-enough" not in data
    assert json.loads(decrypt(data, [identity]))["secrets"] == {"redis": "long-enough"}


def test_store_and_key__are_readable_by_their_owner_only(vault: Vault) -> None:
    old = os.umask(0)
    try:
        vault.ensure(["redis"])
    finally:
        os.umask(old)
    for path in (vault.path, vault.key.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.key.path.parent.stat().st_mode) == 0o700


def test_store__leaves_no_other_file_beside_it(vault: Vault) -> None:
    vault.ensure(["redis"])
    vault.replace_at_once("redis")
    assert list(vault.path.parent.iterdir()) == [vault.path]
    assert list(vault.key.path.parent.iterdir()) == [vault.key.path]


def test_store__stays_whole_when_writing_fails(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = vault.ensure(["redis"])["redis"]

    def full_disk(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_disk)
        with pytest.raises(NodrizaError, match="No space left"):
            vault.replace_at_once("redis")
    assert vault.value("redis") == value
    assert list(vault.path.parent.iterdir()) == [vault.path]


def test_two_operators_at_once__lose_nothing(vault: Vault) -> None:
    vault.ensure(["first"])
    names = [f"secret_{number}" for number in range(12)]
    threads = [
        threading.Thread(target=Vault(vault.path, vault.key.path).ensure, args=([name],))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vault.names() == sorted([*names, "first"])


def test_rotate__gives_a_new_value_and_still_hides_the_old_one(vault: Vault) -> None:
    old = vault.ensure(["redis"])["redis"]
    vault.replace_at_once("redis")
    new = vault.value("redis")

    assert new != old
    assert vault.value("redis") == new
    assert vault.redact(f"-{old} +{new}") == "-‹secret:redis› +‹secret:redis›"


def test_rotate__of_an_unknown_secret_names_the_known_ones(vault: Vault) -> None:
    vault.ensure(["redis", "mysql_app"])
    with pytest.raises(SecretError, match=r"no secret reds(?s:.*)mysql_app, redis"):
        vault.replace_at_once("reds")


def test_redact__replaces_a_value_that_begins_with_another_one(vault: Vault) -> None:
    vault.set("short", "abcdefgh")
    vault.set("long", "abcdefghijkl")
    assert vault.redact("abcdefghijkl abcdefgh") == "‹secret:long› ‹secret:short›"


GCP = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN\\nMII\\n-----END"\n}'


@pytest.mark.parametrize(
    "value",
    [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "https://0123abcd@o4.ingest.example.org/77?x=1&y=%20",
        "postgres://shop:p%40ss@10.0.0.1:5432/shop",
        "correct horse; battery 'staple' \"$1\" `id` \\ #",
        GCP,
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_set__takes_what_clouds_and_services_hand_out_as_it_is(
    vault: Vault, value: str, editor: Path
) -> None:
    vault.set("key", value)
    assert vault.value("key") == value

    editor.write_text("true")
    assert edit(vault) == "nothing changed"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("seven77", "shorter than 8"),
        ("x" * 40_000, "longer than 32768"),
        ("with\x07bell", r"not printable ASCII \(U\+0007\)"),
        ("with\ttabulator", "a tab"),
        ("with\r\nreturn", "a carriage return"),
        ("contraseña-larga", r"not printable ASCII \(U\+00F1\)"),
        ("‹secret:redis›", "not printable ASCII"),
        ("a blank behind ", "begins or ends with a blank"),
    ],
)
def test_set__refuses_other_values_with_the_reason_and_does_not_repeat_them(
    vault: Vault, value: str, why: str
) -> None:
    with pytest.raises(SecretError, match=f"the value of redis can't be used: .*{why}") as caught:
        vault.set("redis", value)
    assert value not in str(caught.value)
    assert not vault.path.exists()


def test_remove__forgets_a_secret_and_names_the_others_when_it_is_not_there(vault: Vault) -> None:
    vault.set("redis", "long-enough")
    vault.set("sentry", "also-long-enough")
    vault.remove("sentry")
    assert vault.names() == ["redis"]
    with pytest.raises(SecretError, match=r"no secret sentry(?s:.*)redis"):
        vault.remove("sentry")


@pytest.mark.parametrize("damage", [b"", b"garbage", b"cut"])
def test_damaged_store__is_told_from_a_wrong_key_and_left_alone(
    vault: Vault, damage: bytes
) -> None:
    vault.ensure(["redis"])
    data = vault.path.read_bytes()[:-3] if damage == b"cut" else damage
    vault.path.write_bytes(data)
    with pytest.raises(SecretError, match=r"home\.secrets\.age: the file is damaged"):
        vault.ensure(["redis", "mysql_app"])
    assert vault.path.read_bytes() == data


def test_vault_that_was_opened__leaves_no_core_file() -> None:
    """It would hold every value; of a process of its own, since the limit stays."""
    program = """
import resource, sys
from pathlib import Path
from nodriza.vault.store import Vault
allowed = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (allowed, allowed))
Vault(Path(sys.argv[1]) / "x.secrets.age", Path(sys.argv[1]) / "key").ensure(["redis"])
print(resource.getrlimit(resource.RLIMIT_CORE)[0])
"""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", program, folder], capture_output=True, text=True, check=True
        )
    assert done.stdout == "0\n"


def test_link_that_leads_nowhere__is_no_empty_store(vault: Vault) -> None:
    """New passwords would take the place of those that it had."""
    vault.path.symlink_to("not-mounted/home.secrets.age")
    for act in (vault.names, lambda: vault.ensure(["redis"]), lambda: vault.set("mine", "x" * 9)):
        with pytest.raises(SecretError, match="leads nowhere, to not-mounted/home"):
            act()
    assert not vault.path.exists()


def test_pipe_in_the_place_of_a_store__is_not_waited_for(vault: Vault) -> None:
    os.mkfifo(vault.path)
    with pytest.raises(SecretError, match="no file, but a pipe"):
        vault.names()
