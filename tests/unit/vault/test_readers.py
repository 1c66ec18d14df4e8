"""Who can open the secrets is remembered, and changes in one way only, never in silence."""

from __future__ import annotations

import getpass
import json
import subprocess
from pathlib import Path

import pytest
from pyrage import decrypt, encrypt, x25519

from nodriza.errors import SecretError
from nodriza.vault.edit import edit
from nodriza.vault.store import Vault
from tests.unit.vault.conftest import colleague


class Team:
    """A repository, and people with a key each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def vault(self, name: str) -> Vault:
        return Vault(
            self.folder / "home.secrets.age", self.folder / f"{name}.key", self.said.append
        )

    def key(self, name: str) -> str:
        return self.vault(name).key.public()[0]

    def lists(self, *names: str) -> None:
        lines = (f"{self.key(name)}  # {name}\n" for name in names)
        self.vault("ana").recipients.path.write_text("".join(lines))

    def can_open(self, name: str) -> bool:
        try:
            self.vault(name).values()
        except SecretError:
            return False
        return True


@pytest.fixture
def team(tmp_path: Path) -> Team:
    """Ana has made the store, and given it to Bo."""
    team = Team(tmp_path)
    team.vault("ana").set("redis", "a-first-value")
    team.lists("ana", "bo")
    team.vault("ana").rekey()
    return team


WRITES = {
    "set": lambda vault: vault.set("other", "another-value"),
    "remove": lambda vault: vault.remove("redis"),
    "ensure": lambda vault: vault.ensure(["mysql_app"]),
    "at once": lambda vault: vault.replace_at_once("redis"),
    "rotation": lambda vault: vault.change(lambda now: {**now, "redis.next": "x" * 40}),
    "editor": edit,
}


@pytest.mark.parametrize("way", WRITES)
def test_new_line__opens_nothing_by_an_ordinary_write_and_is_named(
    team: Team, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "sh -c 'echo sentry: 012345678 >>$0'")
    team.lists("ana", "bo", "eve")
    WRITES[way](team.vault("ana"))

    assert not team.can_open("eve")
    assert team.can_open("bo")
    (said,) = team.said
    assert f"new   {team.key('eve')}  eve: can't open it yet" in said
    assert "next: fab secrets.rekey" in said

    assert [reader.name for reader in team.vault("ana").rekey().new] == ["eve"]
    assert team.can_open("eve")


def test_removed_line__still_opens_until_a_rekey_and_is_named(team: Team) -> None:
    team.lists("ana")
    team.vault("ana").set("redis", "a-second-value")
    assert team.can_open("bo")
    assert f"gone  {team.key('bo')}  bo: still can open it, and knows every value" in team.said[0]

    assert [reader.name for reader in team.vault("ana").rekey().gone] == ["bo"]
    assert not team.can_open("bo")
    assert len(team.said) == 1


def test_first_store__is_its_makers_alone_whoever_is_listed(tmp_path: Path) -> None:
    team = Team(tmp_path)
    team.lists("eve")
    team.vault("ana").ensure(["redis"])
    assert not team.can_open("eve")
    assert "eve: can't open it yet" in team.said[0]


def test_key_of_another_under_a_known_name__is_said_to_be_another(team: Team) -> None:
    path = team.vault("ana").recipients.path
    path.write_text(path.read_text() + f"{team.key('eve')}  # bo\n")
    team.vault("ana").set("other", "another-value")
    assert f"(not the key that bo had: {team.key('bo')})" in team.said[0]
    assert not team.can_open("eve")


def test_vanished_list__changes_nothing_and_no_rekey_takes_it_for_an_empty_one(team: Team) -> None:
    path = team.vault("ana").recipients.path
    path.unlink()
    team.vault("ana").set("other", "another-value")
    assert team.can_open("bo")
    assert "home.recipients is gone" in team.said[0]

    with pytest.raises(
        SecretError, match=rf"is not there(?s:.*){team.key('bo')}(?s:.*)kept: they"
    ):
        team.vault("ana").rekey()
    assert team.can_open("bo")

    path.touch()  # to be the only one, in so many words
    team.vault("ana").rekey()
    assert not team.can_open("bo")


def test_alone__nobody_needs_a_list_and_nothing_is_said(tmp_path: Path) -> None:
    team = Team(tmp_path)
    vault = team.vault("ana")
    vault.ensure(["redis"])
    assert not vault.rekey()
    vault.set("other", "another-value")
    assert team.said == []
    assert not vault.recipients.path.exists()


def test_rekey__writes_its_own_key_into_the_list_so_that_the_next_one_keeps_it(
    tmp_path: Path,
) -> None:
    team = Team(tmp_path)
    team.vault("ana").set("redis", "a-first-value")
    team.lists("bo")
    team.vault("ana").rekey()
    assert team.key("ana") in team.vault("ana").recipients.path.read_text()

    assert not team.vault("bo").rekey()
    assert team.can_open("ana")


def test_ordinary_write_of_a_colleague__shuts_nobody_out(team: Team) -> None:
    team.vault("bo").set("other", "another-value")
    assert team.can_open("ana")
    assert team.said == []


def test_duplicate_lines_and_names_above_a_key__are_one_reader_with_that_name(team: Team) -> None:
    path = team.vault("ana").recipients.path
    lines = [team.key("ana"), "", "# Bo of Lima", team.key("bo"), f"{team.key('bo')} # again"]
    path.write_text("\n".join(lines))
    assert not team.vault("ana").rekey()
    names = [reader.name for reader in team.vault("ana").readers()]
    assert names[0].startswith(f"{getpass.getuser()}@")
    assert names[1:] == ["Bo of Lima"]


def test_name__can_do_nothing_to_a_terminal(team: Team) -> None:
    path = team.vault("ana").recipients.path
    path.write_text(f"{path.read_text()}{team.key('eve')} # \x1b[2Jx\u202e{'y' * 500}\n")
    team.vault("ana").set("other", "another-value")
    assert "\x1b" not in team.said[0]
    assert "\u202e" not in team.said[0]
    assert max(map(len, team.said[0].splitlines())) < 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"<<<<<<< HEAD\nage1x\n", "home.recipients:1: two branches changed this file"),
        (b"\xff\xfe", "home.recipients: this is not UTF-8 text"),
        (b"age1nonsense # Ana", "home.recipients:1: this line is not an age public key"),
    ],
)
def test_list_that_is_broken__lets_nothing_be_written(team: Team, text: bytes, words: str) -> None:
    vault = team.vault("ana")
    before = vault.path.read_bytes()
    vault.recipients.path.write_bytes(text)
    for write in (lambda: vault.set("other", "another-value"), vault.rekey):
        with pytest.raises(SecretError, match=words):
            write()
    assert vault.path.read_bytes() == before
    assert vault.value("redis") == "a-first-value"  # it can be read


def test_what_another_program_encrypted__is_not_written_before_a_rekey(team: Team) -> None:
    vault = team.vault("ana")
    ana, eve = vault.key.identities()[0], x25519.Recipient.from_str(team.key("eve"))
    data = decrypt(vault.path.read_bytes(), [ana])
    vault.path.write_bytes(encrypt(data, [ana.to_public(), eve, eve]))
    with pytest.raises(SecretError, match="another program has encrypted it"):
        vault.set("other", "another-value")
    vault.rekey()
    assert not team.can_open("eve")


def test_record__is_under_the_encryption(team: Team) -> None:
    vault = team.vault("ana")
    data = vault.path.read_bytes()
    assert team.key("bo").encode() not in data
    inside = json.loads(decrypt(data, vault.key.identities()))
    assert [reader["name"] for reader in inside["readers"]] == ["ana", "bo"]
    vault.path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SecretError, match="damaged"):
        vault.values()


def test_looking__writes_nothing_and_makes_no_key(team: Team, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    vault = team.vault("ana")
    vault.readers()
    vault.difference()
    vault.names()
    with pytest.raises(SecretError, match="no key"):
        team.vault("nobody").readers()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_branch_that_was_merged__brings_its_readers_only_as_a_wish(team: Team) -> None:
    """Git merges the list by lines; of the store, which is binary, one side is taken."""
    folder, vault = team.folder, team.vault("ana")

    def git(*words: str) -> None:
        name = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
        subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True)

    git("init", "-qb", "main")
    vault.recipients.path.write_text("# the team\n\n" + vault.recipients.path.read_text() + "\n")
    git("add", "home.secrets.age", "home.recipients")
    git("commit", "-qm", "one")
    git("switch", "-qc", "branch")
    text = vault.recipients.path.read_text()
    vault.recipients.path.write_text(f"{text}{team.key('cy')} # cy\n")
    vault.rekey()
    git("commit", "-qam", "two")
    git("switch", "-q", "main")
    vault.set("mysql_app", "another-value")
    git("commit", "-qam", "three")
    git("merge", "-q", "-X", "ours", "branch", "-m", "four")

    vault.set("other", "a-third-value")
    assert not team.can_open("cy")
    assert "cy: can't open it yet" in team.said[-1]


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
