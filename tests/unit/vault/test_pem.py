"""Private keys: the one secret with more than one line, from file to vault to editor."""

from __future__ import annotations

import pytest

from nodriza.host.redact import Redactor
from nodriza.vault.edit import edit
from nodriza.vault.pem import private_key
from nodriza.vault.store import Vault
from tests.unit.roles.test_tls import make_pair

KEY = make_pair()[1]
RSA = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nQUJD\n-----END RSA PRIVATE KEY-----"
LOCKED = KEY.replace("PRIVATE", "ENCRYPTED PRIVATE")
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path / "shop.secrets.age", tmp_path / "age.key")


@pytest.mark.parametrize(
    "text",
    [KEY, RSA, KEY.replace("\n", "\r\n"), f"\n  {RSA}\n\n"],
    ids=["EC", "RSA", "CRLF", "blanks"],
)
def test_private_key__is_known_however_its_lines_end(text):
    assert private_key(text).splitlines() == [line.strip() for line in text.strip().splitlines()]


def test_private_key__is_taken_out_of_what_openssl_writes_around_it():
    assert private_key(PARAMETERS + KEY) == KEY.strip()


@pytest.mark.parametrize(
    "text",
    ["", "x", LOCKED, KEY + KEY, "password\n" + KEY, KEY[:80]],
    ids=["nothing", "letter", "locked", "two", "more", "half"],
)
def test_private_key__is_nothing_else(text):
    assert private_key(text) == ""


def test_vault__keeps_a_private_key_in_its_bare_form_and_other_lines_as_they_are(vault):
    vault.set("tls_key", KEY)
    assert vault.value("tls_key") == KEY.strip()
    vault.set("words", "one-line-of\nmany-lines")
    assert vault.value("words") == "one-line-of\nmany-lines"


def test_editor__brings_a_private_key_back_as_it_was(vault, monkeypatch):
    vault.set("tls_key", KEY)
    monkeypatch.setenv("VISUAL", "true")
    assert edit(vault) == "nothing changed"
    monkeypatch.setenv("VISUAL", "sed -i '$aredis: another-password'")
    assert edit(vault) == "new: redis"
    assert vault.value("tls_key") == KEY.strip()


def test_agent__hides_each_line_of_a_private_key():
    redactor = Redactor({"tls_key": KEY.strip()})
    content = redactor.reveal("chain\n‹secret:tls_key›\n")
    assert KEY.strip() in content
    assert redactor.hide(content) == "chain\n‹secret:tls_key›\n"
    for line in KEY.splitlines()[1:-2]:
        assert redactor.hide(f"+{line}") == "+‹secret:tls_key›"
