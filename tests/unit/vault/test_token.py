"""Tokens that stand for secrets: they reveal nothing, and arrive whole or not at all."""

import copy
import json
import pickle

import jinja2
import pytest

from nodriza.errors import SecretError
from nodriza.vault.token import Secret, names_in, secret


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
