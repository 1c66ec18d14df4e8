"""The operator's own key: made once, theirs alone, and never written over."""

import os
import threading
from pathlib import Path

import pytest
from pyrage import x25519

from nodriza.errors import SecretError
from nodriza.files import write_whole
from nodriza.vault import key as vault_key
from nodriza.vault.key import Key
from nodriza.vault.store import Vault
from tests.unit.vault.conftest import colleague


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


def test_key_that_somebody_made_meanwhile__is_kept_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the writing: what was encrypted for it could never be opened again."""
    key, theirs = Key(tmp_path / "age.key"), x25519.Identity.generate()

    def write_late(path: Path, data: bytes, mode: int, *, follow: bool) -> None:
        write_whole(key.path, f"{theirs}\n".encode(), 0o600)
        write_whole(path, data, mode, follow=follow)

    monkeypatch.setattr(vault_key, "write_whole", write_late)
    assert key.public() == [str(theirs.to_public())]
    assert list(tmp_path.iterdir()) == [key.path]


def test_key_from_a_pipe__is_read_once_and_used_as_often_as_it_is_needed(vault: Vault) -> None:
    """``NODRIZA_AGE_KEY_FILE=<(pass show age)``."""
    vault.ensure(["redis"])
    reader, writer = os.pipe()
    os.write(writer, vault.key.path.read_bytes())
    os.close(writer)
    piped = Vault(vault.path, Path(f"/dev/fd/{reader}"))
    piped.set("mine", "longer than eight")
    assert piped.names() == ["mine", "redis"]
    os.close(reader)
