"""Visitors who come through a proxy, and by other names.

The cluster that ``test_visitors.py`` has, changed for it: so these tests come after those.
"""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.project import Project
from tests.lab.visits.asking import Client, opened, receive, request
from tests.lab.visits.conftest import LIMITS, OTHERS
from tests.unit.roles.test_tls import DAY, make_pair


@pytest.fixture(scope="module")
def proxied(project: Project, addresses: None) -> Project:
    """The same site with two more names, and a proxy before it."""
    project.data.update(aliases=["www.videoteca.test", "videoteca.example"], proxies=[PROXY])
    project.write()
    project.fab("provision").well()
    return project


PROXY = OTHERS[1]
VISITOR = "203.0.113.9"


@pytest.fixture
def proxy(proxied: Project, client: Client) -> Iterator[Client]:
    """From the proxy's address."""
    made = Client(client.address, client.netns, PROXY)
    yield made
    made.close()


@pytest.fixture
def stranger(proxied: Project, client: Client) -> Iterator[Client]:
    """From the address of somebody who is no proxy."""
    made = Client(client.address, client.netns, OTHERS[0])
    yield made
    made.close()


CLAIMED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
    "X-Real-IP": "6.6.6.6",
    "True-Client-IP": "6.6.6.6",
    "Cf-Connecting-Ip": "6.6.6.6",
    "X-Remote-User": "root",
    "X-Amzn-Oidc-Identity": "root",
    "X-Goog-Authenticated-User-Email": "accounts.google.com:root@example.org",
    "X-Ssl-Client-Verify": "SUCCESS",
    "Cloudfront-Forwarded-Proto": "https",
    "Front-End-Https": "on",
    "Https": "on",
    "X_Forwarded_For": "6.6.6.6",
    "Proxy": "http://evil.example",
}


def seen(client: Client, headers: dict[str, str], host: str = "videoteca.test") -> dict[str, Any]:
    """What the application knows of a request."""
    answer = client.ask(request("/visits/seen", host=host, headers=headers))
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def test_claims_of_a_visitor__do_not_reach_the_application(stranger: Client) -> None:
    found = seen(stranger, CLAIMED)
    assert found["address"] == OTHERS[0]
    assert (found["secure"], found["url"]) == (False, "http://videoteca.test/")
    known = {key: value for key, value in found["headers"].items() if value}
    assert known == {
        "HTTP_HOST": "videoteca.test",
        "HTTP_CONNECTION": "close",
        "HTTP_X_FORWARDED_FOR": OTHERS[0],
        "HTTP_X_REAL_IP": OTHERS[0],
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_HTTPS": "on",  # no more than a header of that name
    }


@pytest.mark.parametrize(
    "path",
    [VISITOR, f"6.6.6.6, {VISITOR}", f"6.6.6.6,{VISITOR}, {PROXY}", f"{VISITOR}:4711"],
)
def test_proxy__is_believed_when_it_says_who_the_visitor_is(proxy: Client, path: str) -> None:
    found = seen(proxy, {"X-Forwarded-For": path, "X-Forwarded-Proto": "https"})
    assert found["address"] == VISITOR
    assert found["headers"]["HTTP_X_FORWARDED_FOR"] == VISITOR
    assert (found["secure"], found["scheme"]) == (True, "https")
    assert found["url"] == "https://videoteca.test/"


def test_proxy__passes_on_what_only_it_can_know(proxy: Client) -> None:
    found = seen(proxy, {"X-Forwarded-For": VISITOR, "CF-Connecting-IP": VISITOR})
    assert found["headers"]["HTTP_CF_CONNECTING_IP"] == VISITOR
    assert not found["secure"]


def test_requests__are_counted_by_the_visitor_behind_the_proxy(proxy: Client) -> None:
    behind = {"X-Forwarded-For": VISITOR}
    slow = request("/visits/upload/echo", "POST", headers={"Content-Length": "50000000", **behind})
    opened(proxy, LIMITS["requests"], slow)
    assert proxy.ask(request("/visits/body", headers=behind)).status == 429
    other = request("/visits/body", headers={"X-Forwarded-For": "203.0.113.10"})
    assert proxy.ask(other).status == 200


def test_connections_of_a_proxy__are_not_counted(proxy: Client) -> None:
    assert opened(proxy, 3 * LIMITS["connections"], b"") == 3 * LIMITS["connections"]


@pytest.mark.parametrize(
    "alias", ["www.videoteca.test", "videoteca.example", "WWW.Videoteca.Test."]
)
def test_alias__leads_to_the_domain(proxied: Project, stranger: Client, alias: str) -> None:
    answer = stranger.ask(request("/a%20b/?c=d", host=alias))
    assert (answer.status, answer.all("Location")) == (301, ["http://videoteca.test/a%20b/?c=d"])


def test_alias__leads_to_https_who_came_so(proxy: Client) -> None:
    by_tls = {"X-Forwarded-Proto": "https"}
    answer = proxy.ask(request("/a", host="www.videoteca.test", headers=by_tls))
    assert answer.all("Location") == ["https://videoteca.test/a"]


@pytest.fixture(scope="module")
def secure(proxied: Project) -> Project:
    """TLS at the child too, with a certificate for all of its names."""
    proxied.data["tls"] = {"mode": "files", "certificate": "site.pem", "hsts": 60}
    proxied.write()
    now = datetime.datetime.now(datetime.timezone.utc)
    most = ["videoteca.test", "www.videoteca.test"]
    for names in (most, [*most, "videoteca.example"]):
        certificate, key = make_pair(names, begins=now - DAY, ends=now + DAY)
        proxied.inventory.with_name("site.pem").write_text(certificate)
        file = proxied.folder / "key.pem"
        file.write_text(key)
        with file.open() as stdin:
            proxied.fab("secrets.set", "tls_key", stdin=stdin).well()
        done = proxied.fab("provision")
        if len(names) == 2:
            assert "is not for videoteca.example" in done.said
    done.well()
    return proxied


def test_proxy_that_has_ended_tls__is_not_sent_round_in_circles(
    secure: Project, proxy: Client, stranger: Client
) -> None:
    by_tls = {"X-Forwarded-Proto": "https", "X-Forwarded-For": VISITOR}
    assert seen(proxy, by_tls)["secure"]
    answer = proxy.ask(request("/visits/body", headers=by_tls))
    assert answer.all("Strict-Transport-Security") == ["max-age=60"]
    for client, headers in (
        (proxy, {"X-Forwarded-Proto": "http"}),
        (proxy, {}),
        (stranger, by_tls),
    ):
        answer = client.ask(request("/visits/body?a", headers=headers))
        assert answer.status == 301
        assert answer.all("Location") == ["https://videoteca.test/visits/body?a"]
        assert answer.all("Strict-Transport-Security") == []


def test_load_balancer__asks_how_a_child_is_without_tls(secure: Project, proxy: Client) -> None:
    answer = proxy.ask(request("/healthz"))
    assert (answer.status, answer.body) == (200, b"ok\n")


@pytest.mark.parametrize("alias", ["www.videoteca.test", "videoteca.example"])
def test_alias__leads_to_the_domain_over_https(
    secure: Project, client: Client, alias: str
) -> None:
    context = ssl.create_default_context(cafile=secure.inventory.with_name("site.pem"))
    client.port = 443
    with context.wrap_socket(client.open(), server_hostname=alias) as sock:
        sock.sendall(request("/a", host=alias))
        answer = receive(sock)
    assert (answer.status, answer.all("Location")) == (301, ["https://videoteca.test/a"])


def test_smoke__follows_the_other_names(secure: Project) -> None:
    said = secure.fab("smoke").said
    assert "ok   every child sends visitors of the other names to the site's own" in said


def test_second_provision__changes_nothing(secure: Project) -> None:
    assert secure.fab("provision", "--json").well().changed() == {}
