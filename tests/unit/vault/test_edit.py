"""Secrets in an editor: on a private file, and nothing of it is left."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.errors import SecretError
from nodriza.vault.edit import _line, edit, parse
from nodriza.vault.store import Vault


@settings(max_examples=200)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n"), min_size=8))
def test_edit__shows_every_possible_value_so_that_it_reads_the_same_again(value: str) -> None:
    if value == value.strip():
        assert parse(_line("key", value)) == {"key": value}


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
