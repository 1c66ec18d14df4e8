"""Secrets: tokens that reveal nothing, and the store that holds the values."""

import copy
import json
import os
import pickle
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrage import decrypt, x25519

from nodriza.errors import NodrizaError, SecretError
from nodriza.secret import Secret, names_in, secret
from nodriza.vault import Vault
from nodriza.vault_edit import _line, edit, parse


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    (tmp_path / "inventories").mkdir()
    return Vault(tmp_path / "inventories/home.secrets.age", tmp_path / "config/age.key")


def colleague(vault: Vault, folder: Path) -> Vault:
    """The same store, seen by somebody with another key."""
    return Vault(vault.path, folder / "colleague.key")


# Tokens


@pytest.mark.parametrize(
    "shown",
    [
        str(secret("redis")),
        repr(secret("redis")),
        f"{secret('redis')}",
        f"{secret('redis')!r}",
        "" + secret("redis"),
        json.loads(json.dumps(secret("redis"))),
        jinja2.Template("{{ it }}").render(it=secret("redis")),
        jinja2.Template("{{ it }}", autoescape=True).render(it=secret("redis")),
        pickle.loads(pickle.dumps(secret("redis"))),
        copy.deepcopy(secret("redis")),
    ],
)
def test_secret__shows_as_its_token_in_every_way(shown: str) -> None:
    assert shown == "‹secret:redis›"


def test_secret__knows_its_name() -> None:
    assert secret("mysql_app").name == "mysql_app"


@pytest.mark.parametrize("name", ["", "MySQL", "a-b", "a›b", "a b"])
def test_secret__refuses_a_name_that_no_token_can_carry(name: str) -> None:
    with pytest.raises(SecretError, match="can't be the name"):
        Secret(name)


def test_names_in__finds_every_secret_of_a_text() -> None:
    text = f"redis://:{secret('redis')}@198.18.7.11/0 {secret('a1')} {secret('redis')}"
    assert names_in(text) == {"redis", "a1"}
    assert names_in("no secret: here") == set()


@pytest.mark.parametrize("way", ["upper", "tojson", "urlencode", "replace('redis', '')"])
def test_names_in__refuses_a_token_that_a_filter_has_ruined(way: str) -> None:
    text = jinja2.Template("{{ it|" + way + " }}").render(it=secret("redis"))
    with pytest.raises(SecretError, match="changed on its way"):
        names_in(text)


# The store


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


def test_two_first_uses_at_once__agree_on_one_key(vault: Vault) -> None:
    threads = [
        threading.Thread(target=Vault(vault.path, vault.key.path).ensure, args=([name],))
        for name in ("a", "b", "c", "d")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vault.names() == ["a", "b", "c", "d"]


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


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n"), min_size=8))
def test_edit__shows_every_possible_value_so_that_it_reads_the_same_again(value: str) -> None:
    if value == value.strip():
        assert parse(_line("key", value)) == {"key": value}


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


# Keys


def test_environment__names_the_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODRIZA_AGE_KEY_FILE", str(tmp_path / "elsewhere.key"))
    vault = Vault.beside(tmp_path / "home.yml")
    vault.ensure(["redis"])

    assert vault.path == tmp_path / "home.secrets.age"
    assert (tmp_path / "elsewhere.key").exists()


def test_key_file__looks_as_age_keygen_writes_it(vault: Vault) -> None:
    public = vault.key.public()[0]
    created, named, identity = vault.key.path.read_text().splitlines()
    assert created.startswith("# created: 2")
    assert named == f"# public key: {public}"
    assert str(x25519.Identity.from_str(identity).to_public()) == public


def test_wrong_key__says_which_file_which_key_and_what_to_do(vault: Vault, tmp_path: Path) -> None:
    vault.ensure(["redis"])
    other = colleague(vault, tmp_path)
    public = other.key.public()[0]
    with pytest.raises(SecretError) as caught:
        other.ensure(["redis"])
    for part in (vault.path, other.key.path, public, other.recipients.path, "secrets.rekey"):
        assert str(part) in str(caught.value)


def test_recipients__may_open_after_a_rekey(vault: Vault, tmp_path: Path) -> None:
    vault.set("redis", "shared-value")
    other = colleague(vault, tmp_path)
    vault.recipients.path.write_text(f"# the team\n\n{other.key.public()[0]}  # Ana\n")

    assert vault.recipients.path.name == "home.recipients"
    assert [reader.name for reader in vault.rekey().new] == ["Ana"]
    assert other.value("redis") == "shared-value"
    assert vault.value("redis") == "shared-value"


def test_recipients__that_are_no_keys_are_refused_by_line_and_never_shown(vault: Vault) -> None:
    mistake = str(x25519.Identity.generate())
    vault.recipients.path.write_text(f"# the team\n{mistake}\n")
    with pytest.raises(SecretError, match=r"home\.recipients:2: this line is not") as caught:
        vault.ensure(["redis"])
    assert mistake not in str(caught.value)
    assert not vault.path.exists()


def test_missing_key__is_not_made_anew_when_there_is_a_store(vault: Vault) -> None:
    vault.ensure(["redis"])
    vault.key.path.unlink()
    with pytest.raises(SecretError, match=r"there is no key at(?s:.*)secrets\.key"):
        vault.ensure(["redis", "mysql_app"])
    assert not vault.key.path.exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_key__that_others_may_read_is_refused(vault: Vault, mode: int) -> None:
    vault.ensure(["redis"])
    vault.key.path.chmod(mode)
    with pytest.raises(SecretError, match=f"chmod 600 {vault.key.path}"):
        vault.value("redis")


@pytest.mark.parametrize("text", ["", "# a comment only\n", "AGE-SECRET-KEY-1NONSENSE\n"])
def test_key_file__without_a_key_is_refused_unseen(vault: Vault, text: str) -> None:
    vault.ensure(["redis"])
    vault.key.path.write_text(text)
    with pytest.raises(SecretError, match="no age key in this file") as caught:
        vault.value("redis")
    assert "NONSENSE" not in str(caught.value)


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


# The editor


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shell script in the place of an editor; it finds the file as ``$1``."""
    script = tmp_path / "editor"
    monkeypatch.setenv("VISUAL", f"sh -eu {script}")
    return script


def test_edit__changes_adds_and_removes(vault: Vault, editor: Path) -> None:
    vault.set("redis", "the-old-value")
    vault.set("stays", "the-same-value")
    vault.set("leaves", "not-needed-now")
    editor.write_text(
        "sed -i 's/the-old-value/the-new-value/; /^leaves/d' $1; echo sentry: 012345678 >> $1"
    )
    said = edit(vault)

    assert said == "new: sentry; changed: redis; gone: leaves"
    assert vault.values() == {
        "redis": "the-new-value",
        "sentry": "012345678",
        "stays": "the-same-value",
    }


def test_edit__works_on_a_private_file_that_is_gone_afterwards(
    vault: Vault, editor: Path, tmp_path: Path
) -> None:
    vault.set("redis", "a-good-value")
    editor.write_text(
        f'stat -c "%a %n" $1 $(dirname $1) > {tmp_path}/seen; cp $1 $1~; cp $1 $(dirname $1)/.swp'
    )
    assert edit(vault) == "nothing changed"

    file, folder = (tmp_path / "seen").read_text().splitlines()
    assert (file[:3], folder[:3]) == ("600", "700")
    assert not Path(folder[4:]).exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'redis: [1' > $1", "line 2: this is not YAML"),
        ("echo just-words > $1", "line 1: there must be"),
        ("echo 'redis: {a: b}' > $1", "line 1: a value must be"),
        ("echo 'redis: short' > $1", "the value of redis can't be used: it is shorter"),
        ("printf 'a: long-enough\\na: long-enough\\n' > $1", "line 2: a is there twice"),
        ("printf '\\007' > $1", "a character in it that YAML does not allow"),
        ("exit 3", "the editor failed: .*: exit 3"),
    ],
)
def test_edit__of_bad_text_says_where_and_keeps_the_old(
    vault: Vault, editor: Path, tmp_path: Path, script: str, words: str
) -> None:
    vault.set("redis", "the-old-value")
    editor.write_text(f"dirname $1 > {tmp_path}/seen; {script}")
    with pytest.raises(SecretError, match=words) as caught:
        edit(vault)
    assert "kept: " in str(caught.value)
    assert vault.values() == {"redis": "the-old-value"}
    assert not Path((tmp_path / "seen").read_text().strip()).exists()


def test_edit__never_repeats_a_line_of_bad_text(vault: Vault) -> None:
    with pytest.raises(SecretError) as caught:
        parse("redis: 'hunter2-hunter2\nother: *hunter2")
    assert "hunter2" not in str(caught.value)


def test_edit__does_not_undo_what_somebody_else_did_meanwhile(vault: Vault, editor: Path) -> None:
    before = {"redis": "the-old-value"}
    vault.set("redis", "their-new-value")
    with pytest.raises(SecretError, match="changed by somebody else"):
        vault.replace(before, {"redis": "our-new-value"})
    assert vault.value("redis") == "their-new-value"


def test_edit__without_an_editor_says_how_to_choose_one(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor")
    with pytest.raises(SecretError, match="set EDITOR"):
        edit(vault)


def test_vault_that_was_opened__leaves_no_core_file() -> None:
    """It would hold every value; of a process of its own, since the limit stays."""
    program = """
import resource, sys
from pathlib import Path
from nodriza.vault import Vault
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
