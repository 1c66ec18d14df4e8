"""The application's own secrets: a variable each, with a value that somebody has said."""

from __future__ import annotations

import pytest

from nodriza.errors import SecretError
from nodriza.host.env_file import parse_environment
from nodriza.host.redact import Redactor
from nodriza.release.secrets import refuse_unset
from tests.unit.roles.made import content, remake

VALUE = "one \"quoted\" $HOME `id` \\ # %s 'x'\n  second {{ y }} end"


class Known:
    """A vault that can be opened."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def values(self) -> dict[str, str]:
        return self._values


@pytest.fixture
def told(three_node):
    app = three_node.app.model_copy(update={"secrets": ("EMAIL_HOST_PASSWORD", "API_KEY")})
    return remake(three_node, app=app)


@pytest.mark.parametrize("node", ["server-1", "server-2", "video-1"])
def test_variable__has_the_value_with_every_character_and_line(told, node):
    text = content(told, node, told.app.environment_file)
    assert 'EMAIL_HOST_PASSWORD="‹secret:email_host_password:env›"\n' in text
    opened = Redactor(dict.fromkeys(secrets_in(text), VALUE)).reveal(text)
    found = parse_environment(opened)
    assert found["EMAIL_HOST_PASSWORD"] == found["API_KEY"] == VALUE


def secrets_in(text):
    from nodriza.vault.token import names_in

    return names_in(text)


def test_variable_that_comes_or_goes__restarts_uwsgi_and_another_value_reloads_it(
    three_node, told
):
    unit = "/etc/systemd/system/uwsgi.service"
    assert content(three_node, "server-2", unit) != content(told, "server-2", unit)


def test_secret_without_a_value__is_told_before_any_host_is_touched(told):
    real = remake(told, lab=None)
    with pytest.raises(SecretError) as refused:
        refuse_unset(real, Known(api_key="12345678"))
    assert refused.value.what == "EMAIL_HOST_PASSWORD of app.secrets: there is no value for it"
    assert refused.value.do == "fab secrets.set email_host_password"
    refuse_unset(real, Known(api_key="12345678", email_host_password="12345678"))


def test_lab__makes_values_up(told):
    assert told.lab is not None
    refuse_unset(told, Known())
