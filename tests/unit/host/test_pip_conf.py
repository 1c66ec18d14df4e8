"""uv reaches packages as pip would on the same host."""

from __future__ import annotations

import pytest

from nodriza.host.env_file import parse_environment
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.host.pip_conf import environment_file, variables


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def write(host, text, name="/etc/pip.conf"):
    host.mkdirs(name.rpartition("/")[0])
    host.write(name, text)


def test_host__without_settings_has_none_for_uv(host):
    assert variables(host) == {}


def test_settings__are_said_in_the_words_of_uv(host):
    write(
        host,
        "[global]\nindex-url = https://u:p%40ss@pypi.example/simple\n"
        "extra_index_url =\n  https://a.example/simple\n  https://b.example/simple\n"
        "find-links = /srv/wheels /opt/wheels\ntrusted-host = a.example\n"
        "cert = /etc/ssl/certs/ca-certificates.crt\ntimeout = 60\n"
        "[install]\nproxy = http://proxy.example:3128\n[list]\nformat = columns\n",
    )
    assert variables(host) == {
        "UV_DEFAULT_INDEX": "https://u:p%40ss@pypi.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_FIND_LINKS": "/srv/wheels,/opt/wheels",
        "UV_INSECURE_HOST": "a.example",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        "ALL_PROXY": "http://proxy.example:3128",
    }


def test_settings__of_the_later_file_count(host):
    for name, index in (("/etc/xdg/pip/pip.conf", "one"), ("/etc/pip.conf", "two")):
        write(host, f"[global]\nindex-url = https://{index}.example\n", name)
    assert variables(host) == {"UV_DEFAULT_INDEX": "https://two.example"}


def test_settings__of_uv_itself_are_the_better_ones(host):
    write(host, "[global]\nindex-url = https://one.example\n")
    write(host, "", "/etc/uv/uv.toml")
    assert variables(host) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [("index-url = x\n", "can't be read"), ("[global]\nno-index = true\n", "/etc/uv/uv.toml")],
)
def test_settings__that_can_not_be_kept_are_refused(host, text, said):
    write(host, text)
    with pytest.raises(HostError, match=said):
        variables(host)


def test_environment_file__is_read_by_systemd_as_it_was_meant():
    odd = {"UV_INDEX": 'https://u:"$x`\\y@a.example', "ALL_PROXY": "a b"}
    assert parse_environment(environment_file(odd)) == odd
