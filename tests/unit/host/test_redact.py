"""Secrets are opened in one place and closed again in everything that leaves."""

from __future__ import annotations

import base64
import difflib
import html
import json
import shlex
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodriza.host.redact import HIDDEN, Redactor, escaped, hide_old_values, holds_secrets

VALUES = st.text("abcXYZ0189", min_size=8, max_size=20)
TEXTS = st.text(max_size=80)


@given(VALUES, TEXTS, TEXTS)
def test_hide__undoes_reveal(value, before, after):
    redactor = Redactor({"redis": value})
    text = f"{before}‹secret:redis›{after}"
    shown = redactor.hide(redactor.reveal(text))
    assert value not in shown
    assert "‹secret:redis›" in shown


def test_reveal__goes_into_lists_and_dicts():
    redactor = Redactor({"a": "one11111", "b": "two22222"})
    data = {"x": ["‹secret:a›", {"y": "z‹secret:b›"}], "n": 1}
    assert redactor.reveal(data) == {"x": ["one11111", {"y": "ztwo22222"}], "n": 1}
    assert redactor.hide(redactor.reveal(data)) == data


def test_reveal__encodes_what_stands_where_a_url_has_its_password():
    redactor = Redactor({"redis": "a@b/c?d:[e]+f", "dsn": "https://k@host/1"})
    text = 'URL="redis://:‹secret:redis›@198.18.7.11:6379/0"\nDSN=‹secret:dsn›\nP=‹secret:redis›'
    opened = redactor.reveal(text)
    url, dsn, plain = (line.partition("=")[2].strip('"') for line in opened.splitlines())
    assert unquote(str(urlsplit(url).password)) == plain == "a@b/c?d:[e]+f"
    assert urlsplit(url).hostname == "198.18.7.11"
    assert dsn == "https://k@host/1"
    assert redactor.hide(opened) == text


def test_hide__goes_into_the_names_of_a_dict_as_well():
    """A listing's are the paths of a host."""
    assert Redactor({"a": "one11111"}).hide({"/one11111": 1}) == {"/‹secret:a›": 1}


def test_hide__takes_the_longest_value_first():
    redactor = Redactor({"short": "password", "long": "password-and-more"})
    assert redactor.hide("password-and-more") == "‹secret:long›"


@given(st.text("abcXYZ019._~-+=!*", min_size=8, max_size=20), st.binary(max_size=7), TEXTS)
def test_hide__knows_a_value_in_other_clothes(value, before, after):
    redactor = Redactor({"redis": value})
    data = before + value.encode() + after.encode()
    clothes = {
        "url": quote(value, safe=""),
        "path": quote(value),
        "xml": html.escape(value),
        "hex": data.hex(),
        "base64": base64.b64encode(data).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(data).decode(),
        "json": json.dumps(value),
        "shell": shlex.quote(value),
        "repr": repr(value),
    }
    for name, text in clothes.items():
        assert "‹secret:redis›" in redactor.hide(f"x {text} y"), name


@pytest.mark.parametrize(
    "value", ["a<b>c&d'e", 'plain"quote', "back\\slash", 'a"b\nc$d\ne`f', "pay$load`1"]
)
def test_hide__knows_a_value_that_needs_quoting_in_the_quotes_of_each(value):
    redactor = Redactor({"redis": value})
    for quoted in (html.escape, json.dumps, shlex.quote, repr, quote, str, escaped):
        assert redactor.hide(f"x {quoted(value)} y").count("‹secret:redis›") == 1, quoted


def test_hide__knows_each_line_of_a_private_key():
    """A diff or an error may have any one of them."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"
    shown = Redactor({"tls": key}).hide("line 3 is bad: hkiG9w0BAQEFAASC")
    assert shown == "line 3 is bad: ‹secret:tls›"


def test_hide__leaves_other_texts_alone():
    redactor = Redactor({"redis": "abcdefgh"})
    text = "YWJj abcdefg bcdefgh 6162 %61"
    assert redactor.hide(text) == text


def test_reveal__opens_the_second_value_of_a_secret_in_rotation():
    redactor = Redactor({"redis": "in-use-1", "redis.other": "the-other"})
    data = redactor.reveal("›‹secret:redis› ‹secret:redis.other›")
    assert data == "›in-use-1 the-other"
    assert redactor.hide(data) == "›‹secret:redis› ‹secret:redis.other›"


def test_holds_secrets__looks_everywhere():
    assert holds_secrets({"a": [("x", "‹secret:b›")]})
    assert not holds_secrets({"a": [("x", "secret:b")]})


def diff(old: str, new: str, wanted: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "old", "new", lineterm="")
    return hide_old_values("\n".join(lines), wanted)


def test_old_value_of_a_rotated_secret__never_shows():
    wanted = "bind 10.0.0.1\nrequirepass ‹secret:redis›\n"
    shown = diff("bind 10.0.0.2\nrequirepass OLDVALUE\n", wanted, wanted)
    assert "OLDVALUE" not in shown
    assert "-requirepass ‹secret:redis›" in shown


def test_old_line_of_another_shape__is_hidden_whole():
    wanted = "password = ‹secret:db›\n"
    shown = diff("pass: OLDVALUE\n", wanted, wanted)
    assert "OLDVALUE" not in shown
    assert f"-{HIDDEN}" in shown


def test_old_line_of_a_shown_new_one__is_shown_with_its_name():
    wanted = 'MAX="300"\nPASSWORD="‹secret:db›"\n'
    shown = diff('MAX="200"\nPASSWORD="‹secret:db›"\nOTHER="200"\n', wanted, wanted)
    assert f'-MAX={HIDDEN}\n+MAX="300"' in shown
    assert f"-{HIDDEN}" in shown
    assert "200" not in shown


def test_token__is_shown_alike_in_both_lines_of_a_diff():
    wanted = 'PASSWORD="‹secret:db:env›"\nX="2"\n'
    shown = diff('PASSWORD="OLDVALUE"\n', 'PASSWORD="‹secret:db›"\nX="2"\n', wanted)
    assert '-PASSWORD="‹secret:db›"\n+PASSWORD="‹secret:db›"' in shown
