"""No mistake hides another: any two that have nothing to do with each other are both told."""

from __future__ import annotations

import itertools

import pytest

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster

BASE = """\
cluster: shop
domain: shop.example.org
networks:
  private: 10.0.0.0/16
  public: 192.0.2.0/24
app:
  name: shop
  source: ../app
  wsgi: shop.wsgi
  settings: shop.settings
  threads: 2
  environment: {A: x}
share: {engine: nfs}
tls: {mode: none}
ssh: {user: root}
variables: {timezone: Etc/UTC}
roles: [default]
kinds:
  child: {ssh: {port: 22}}
nodes:
  server-1: {kind: central, private: 10.0.0.11, public: 192.0.2.11}
  server-2:
    kind: child
    private: 10.0.0.12
    memory_mb: 1024
  server-[3:6]:
    kind: child
    private: "10.0.0.[13:16]"
    public: "192.0.2.[13:16]"
    ssh: {user: admin, port: 22}
    roles: [default]
  video-1: {kind: video, private: 10.0.0.21}
"""
MISTAKES = {
    # What is changed, into what, and what is said about it.
    "cluster": ("cluster: shop", "cluster: Shop!", "can't name a cluster"),
    "domain": ("domain: shop.", "domain: http://shop.", "must be a host name"),
    "domain that is an address": ("domain: shop.example.org", 'domain: "127.1"', "is an address"),
    "key": ("share: {", "shar: {}\nshare: {", "unknown key"),
    "quotes": ("threads: 2", "threads: 012", "an octal number"),
    "number": ("threads: 2", "threads: 2.5", "must be a whole number"),
    "environment": ("{A: x}", '{A: "x\\ny"}', "must be one line"),
    "engine": ("engine: nfs", "engine: nsf", 'did you mean "nfs"'),
    "tls": ("tls: {mode: none}", "tls: {mode: files}", 'needs "certificate"'),
    "hsts": ("tls: {mode: none}", "tls: {mode: none, hsts: -1}", "must be at least 0"),
    "login": ("ssh: {user: root}", "ssh: {user: r t}", "the name of a unix account"),
    "zone": ("timezone: Etc/UTC", "timezone: Etc/UTZ", "is no time zone"),
    "role": ("roles: [default]\nkinds", "roles: [default, ngins]\nkinds", 'role "ngins"'),
    "kind's gateway": ("child: {ssh: {port: 22}}", "child: {ssh: {port: 22, gateway: sever-1}}",
                       'called "sever-1"'),
    "kind's port": ("child: {ssh: {port: 22}}", "child: {ssh: {port: 0, user: a}}", "at least 1"),
    "no central": ("kind: central", "kind: video", "no node is the central one"),
    "two centrals": ("  video-1: {kind: video", "  video-1: {kind: central", "combined node only"),
    "kind": ("server-2:\n    kind: child", "server-2:\n    kind: chidl", 'did you mean "child"'),
    "memory": ("memory_mb: 1024", 'memory_mb: "1024"', "must be a whole number"),
    "length": ("10.0.0.[13:16]", "10.0.0.[13:15]", "has 3 numbers"),
    "other length": ("192.0.2.[13:16]", "192.0.2.[13:18]", "has 6 numbers"),
    "backwards": ("192.0.2.[13:16]", "192.0.2.[16:13]", "runs backwards"),
    "names backwards": ("server-[3:6]", "server-[6:3]", "runs backwards"),
    "overlap": ("  video-1:", "  server-4: {kind: child, private: 10.0.0.30}\n  video-1:",
                '"server-4" is already made by'),
    "overlap at the end": ("  video-1:",
                           "  server-6: {kind: child, private: 10.0.0.31}\n  video-1:",
                           '"server-6" is already made by'),
    "overlap of ranges": ("  server-2:\n", "  server-[2:3]:\n", "is already made by"),
    "address twice": ("private: 10.0.0.21", "private: 10.0.0.13", "10.0.0.13 is already the"),
    "address in the range twice": ("  server-2:\n    kind: child\n    private: 10.0.0.12",
                                   "  server-2:\n    kind: child\n    private: 10.0.0.14",
                                   "10.0.0.14 is already the address of server-2"),
    "address outside": ("private: 10.0.0.21", "private: 10.9.0.21", "is not in the private"),
    "broadcast": ("private: 10.0.0.12", "private: 10.0.255.255", "the broadcast address"),
    "no address": ("private: 10.0.0.12", "private: 10.0.0", "is not an IPv4 address"),
    "name": ("video-1:", "Video_1:", "a node's name becomes its hostname"),
    "name that is an address": ("video-1:", "0x1f:", "an address for every program"),
    "group": ("video-1:", "children:", "a word for a group"),
    "node's gateway": ("{user: admin, port: 22}", "{user: admin, port: 22, gateway: nowhere}",
                       'called "nowhere"'),
    "node's port": ("{user: admin, port: 22}", "{user: admin, port: 99999}", "at most 65535"),
    "node's role": ("roles: [default]\n  video", "roles: [default, nope]\n  video", 'role "nope"'),
    "node's role that is none": ("roles: [default]\n  video", "roles: [7, default]\n  video",
                                 "must be text"),
    "networks": ("public: 192.0.2.0/24", "public: 10.0.1.0/24", "overlaps the private network"),
    "same key": ("    memory_mb: 1024\n", "    memory_mb: 1024\n    memory_mb: 1\n", "same key"),
    "second of the same node": (
        "  video-1:", "  server-2: {kind: child, private: 10.0.0.40, cpus: 0}\n  video-1:",
        "server-2/cpus: must be at least 1"),
    "source": ("source: ../app", "source: ../ap", "there is no folder"),
    "requirements": ("  threads:", "  requirements: r.txt\n  threads:", 'no file "r.txt"'),
}  # fmt: skip
DEPENDENT = {
    frozenset(pair)
    for pair in (
        # The one makes the other one right, or takes its place away.
        ("source", "requirements"),
        ("quotes", "number"),
        ("no central", "two centrals"),
        ("no central", "name that is an address"),
        ("networks", "other length"),
        ("overlap of ranges", "second of the same node"),
        ("overlap of ranges", "kind"),
        ("overlap of ranges", "address in the range twice"),
        ("no address", "second of the same node"),
    )
}


def planted(*names: str) -> str:
    text = BASE
    for name in names:
        before, after, _ = MISTAKES[name]
        if before not in text:
            pytest.skip("both change the same words")
        text = text.replace(before, after, 1)
    return text


def told(write, text: str) -> str:
    file = write(text)
    with pytest.raises(InventoryError) as caught:
        load_cluster(file)
    return "\n".join(caught.value.problems)


def test_base__is_right(write):
    load_cluster(write(BASE))


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake__is_told(write, name):
    assert MISTAKES[name][2] in told(write, planted(name))


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake__hides_no_other_one(write, name):
    for other in MISTAKES:
        if other == name or frozenset((name, other)) in DEPENDENT:
            continue
        before = MISTAKES[other][0]
        text = planted(name)
        if before in text:
            said = told(write, text.replace(before, MISTAKES[other][1], 1))
            assert MISTAKES[name][2] in said, f"{other} hides {name}:\n{said}"
            assert MISTAKES[other][2] in said, f"{name} hides {other}:\n{said}"


def test_three_at_once__are_three(write):
    for names in itertools.combinations(("length", "overlap", "address twice", "memory"), 3):
        said = told(write, planted(*names))
        assert all(MISTAKES[name][2] in said for name in names)


def test_range__says_each_thing_that_is_wrong_with_it_and_each_once(write):
    nodes = "  a: {kind: child, private: 10.0.0.13}\n  b: {kind: child, private: 10.0.0.16}\n"
    said = told(write, BASE.replace("  server-[3:6]", f"{nodes}  server-[3:6]"))
    assert "10.0.0.13 is already the address of a" in said
    assert "10.0.0.16 is already the address of b" in said
    many = BASE.replace("10.0.0.[13:16]", "10.9.0.[13:16]")
    assert told(write, many).count("is not in the private network") == 1


def test_range_that_overlaps_two_others__says_both(write):
    nodes = "  server-4: {kind: child, private: 10.0.0.31}\n"
    nodes += "  server-6: {kind: child, private: 10.0.0.32}\n"
    said = told(write, BASE.replace("  server-[3:6]", f"{nodes}  server-[3:6]"))
    assert '"server-4" is already made by "server-4"' in said
    assert '"server-6" is already made by "server-6"' in said
