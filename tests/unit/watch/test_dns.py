"""Whether the servers say the right thing: what is told of each, and who is the measure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nodriza.inventory import load_cluster
from nodriza.watch import dns as cluster_dns

TEXT = """\
cluster: shop
domain: www.example.org
networks: {private: 10.0.0.0/24, public: 203.0.113.0/24}
app: {name: shop, source: ., wsgi: shop.wsgi, settings: shop.settings}
nodes:
  server-1: {kind: central, private: 10.0.0.1, public: 203.0.113.1, roles: [default, dns]}
  server-[2:3]: {kind: child, private: "10.0.0.[2:3]", public: "203.0.113.[2:3]"}
  ns-2: {kind: video, private: 10.0.0.9, public: 203.0.113.9, roles: [base, firewall, dns]}
"""
FIRST, SECOND, RESOLVER = "203.0.113.1", "203.0.113.9", "192.0.2.53"
TWO, THREE, STRANGER = "203.0.113.2", "203.0.113.3", "203.0.113.99"
DOWN = "no answer within 5 s"
Check = Callable[..., list[tuple[bool, str]]]


@pytest.fixture
def check(tmp_path, monkeypatch) -> Check:
    """The check, of servers that say what they are told to: addresses, or what is wrong."""
    for name in ("manage.py", "requirements.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "shop").mkdir()
    for name in ("wsgi.py", "settings.py"):
        (tmp_path / "shop" / name).touch()
    path = tmp_path / "shop.yml"
    path.write_text(TEXT)

    def check(
        first, second, resolver=frozenset({TWO, THREE}), ttl=60, **aliases
    ) -> list[tuple[bool, str]]:
        path.write_text(TEXT + (f"aliases: [{', '.join(aliases)}]\n" if aliases else ""))
        says = {FIRST: first, SECOND: second, RESOLVER: resolver}

        def ask(name, server, *, recursive):
            it = aliases.get(name, says[server])
            return (set(), 0, it) if isinstance(it, str) else (set(it), ttl, "")

        monkeypatch.setattr(cluster_dns, "_ask", ask)
        return list(cluster_dns.check(load_cluster(path), [RESOLVER]))

    return check


def test_all_the_same__is_right(check: Check):
    assert [right for right, _ in check({TWO, THREE}, {TWO, THREE})] == [True, True, True]


def test_child_that_is_out__is_named_and_missing_everywhere(check: Check):
    found = check({TWO}, {TWO}, {TWO})
    assert [right for right, _ in found] == [True, True, True]
    assert "without server-3: drained, or not well yet" in found[0][1]


def test_server_that_is_behind__is_wrong(check: Check):
    found = check({TWO}, {TWO, THREE}, {TWO, THREE})
    assert [right for right, _ in found] == [True, False, False]
    assert "other addresses than server-1 has" in found[1][1]
    assert f"has {THREE} besides" in found[2][1]


def test_first_that_is_down__the_next_is_the_measure(check: Check):
    """The child is drained, and the others know it."""
    found = check(DOWN, {TWO}, {TWO})
    assert [right for right, _ in found] == [False, True, True]
    assert found[0][1].endswith(f"({DOWN})")


def test_first_that_is_wrong__is_not_the_measure(check: Check):
    found = check({TWO, STRANGER}, {TWO, THREE})
    assert [right for right, _ in found] == [False, True, True]
    assert f"{STRANGER} is no child" in found[0][1]


def test_zone_without_an_address__says_so(check: Check):
    found = check(set(), {TWO, THREE})
    assert [right for right, _ in found] == [False, True, True]
    assert "it knows no address of the site" in found[0][1]


def test_answer_that_is_believed_for_too_long__is_wrong(check: Check):
    assert "a TTL of 300 s instead of 60 s" in check({TWO, THREE}, DOWN, ttl=300)[0][1]


def test_alias__has_the_addresses_of_the_site_wherever_its_name_is_kept(check: Check):
    both = {TWO, THREE}
    found = check(both, both, **{"m.www.example.org": both, "example.org": {TWO}})
    assert [right for right, _ in found] == [True] * 6 + [False]
    # Our own servers are asked for what lies in their zone, the resolvers for all.
    assert sum("(m.www.example.org)" in line for _, line in found) == 3
    assert found[-1][1].endswith(f"(example.org: lacks {THREE})")
