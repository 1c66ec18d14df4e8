"""Everything a person can get wrong is told at once, where it is written."""

from __future__ import annotations

import pytest

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster
from tests.unit.inventory.conftest import GOOD

PLANTED = """\
cluster: Shop!
domain: http://shop.example.org
network: {}
networks:
  private: 10.0.0.1/16
  public: 192.0.2.0/24
app:
  name: mysql
  source: ../ap
  wsgi: shop.wsgi:application
  settings: no
  uid: 012
  threads: 2.5
  environment: {LINES: "a\\nb"}
  packages: libfoo
share: {engine: nsf}
roles: [ngins]
kinds:
  childs: {}
nodes:
  server-1: {kind: central, private: 10.0.0.11}
  server-1: {kind: central, private: 10.0.0.12}
  server-2: {kind: centrl, private: 10.0.0.11, adress: 1}
  server-[3:5]: {kind: child, private: "10.0.0.[3:4]", publik: 192.0.2.1}
  server-[8:6]: {kind: child, private: "10.0.0.[6:8]"}
  server_9: {kind: child, memory_mb: "512"}
lab: {release: trixi}
"""
FOUND = """\
1:10 cluster: "Shop!" can't name a cluster
2:9 domain: "http://shop.example.org" must be a host name
3:1 network: unknown key, did you mean "networks"?
5:12 networks/private: "10.0.0.1/16" is an address in a network; the network is 10.0.0.0/16
8:9 app/name: "mysql" is a name that the system
9:11 app/source: there is no folder "../ap", did you mean "app"?
10:9 app/wsgi: "shop.wsgi:application" only the module is wanted
11:13 app/settings: YAML takes no for false
12:8 app/uid: YAML takes 012 for an octal number
13:12 app/threads: must be a whole number, not 2.5
14:24 app/environment/LINES: "a b" must be one line
15:13 app/packages: must be a list
16:17 share/engine: "nsf" is none of nfs, glusterfs, did you mean "nfs"?
17:9 roles/1: there is no role "ngins", did you mean "nginx"?
19:3 kinds/childs: unknown key, did you mean "child"?
22:3 nodes/server-1: the same key is already in line 21
23:20 nodes/server-2/kind: "centrl" is none of central, combined, child,
23:37 nodes/server-2/private: 10.0.0.11 is already the address of server-1 in line 21
23:48 nodes/server-2/adress: unknown key; known here: kind, private, public,
24:40 nodes/server-[3:5]/private: has 2 numbers, but the node's name has 3
24:56 nodes/server-[3:5]/publik: unknown key, did you mean "public"?
25:3 nodes/server-[8:6]: [8:6] runs backwards: write [6:8]
26:3 nodes/server_9: a node's name becomes its hostname
26:3 nodes/server_9/private: the key "private" is missing here
26:38 nodes/server_9/memory_mb: must be a whole number, not "512"
27:16 lab/release: "trixi" is none of bookworm, trixie, did you mean "trixie"?
"""


def test_mistakes__are_all_told_at_once_with_line_and_column(mistakes, tmp_path):
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "nginx.py").touch()
    for said, expected in zip(mistakes(PLANTED), FOUND.splitlines(), strict=True):
        assert said.startswith(expected)


@pytest.mark.parametrize(
    ("node", "at", "said"),
    [
        ("x: {kind: central, private: 10.0.0.9}", "central", "x/kind: there can be one central"),
        ("x: {kind: child, private: 10.0.0.11}", "10.", "x/private: 10.0.0.11 is already the"),
        ("x: {kind: child, private: 10.9.0.1}", "10.", "x/private: 10.9.0.1 is not in the"),
        ("x: {kind: child, private: 10.0.0.0}", "10.", "x/private: 10.0.0.0 is the private n"),
        ("x: {kind: child, private: 10.0.255.255}", "10.", "x/private: 10.0.255.255 is the br"),
        ("x: {kind: child, private: 10.0.0.09}", "10.", 'x/private: "10.0.0.09" is not an IPv4'),
        ("x: {kind: child, private: fd00--1}", "fd", 'x/private: "fd00--1" is not an IPv4'),
        ("x: {kind: child, private: }", "}", "x/private: has no value"),
        ("x: ~", "~", "x: has no value"),
        ("x: [1]", "[", "x: must have keys and values of its own, not a list"),
        ("x: {kind: child}", "x", 'x/private: the key "private" is missing'),
        ("children: {kind: child, private: 10.0.0.9}", "children", 'children: "children" is a'),
        ("X: {kind: child, private: 10.0.0.9}", "X", "X: a node's name"),
        ("x-: {kind: child, private: 10.0.0.9}", "x-", "x-: a node's name"),
        ("x.y: {kind: child, private: 10.0.0.9}", "x.y", "x.y: a node's name"),
        ('"12": {kind: child, private: 10.0.0.9}', '"12"', "12: a node's name"),
        (
            "server-[2:3]: {kind: child, private: '10.0.0.[8:9]'}",
            "server",
            'server-[2:3]: "server-2" is already made by "server-2" in line 11',
        ),
        (
            "x: {kind: child, private: 10.0.0.9, ssh: {gateway: sever-1}}",
            "sever",
            'x/ssh/gateway: no node is called "sever-1", did you mean "server-1"?',
        ),
        (
            "xy: {kind: child, private: 10.0.0.9, ssh: {gateway: xy}}",
            "xy}",
            "xy/ssh/gateway: the way in through this gateway leads back",
        ),
        (
            "x: {kind: child, private: 10.0.0.9, ssh: {key: ~nobody-at-all/k}}",
            "~",
            'x/ssh/key: "~nobody-at-all/k" begins with ~ and no such user',
        ),
    ],
)
def test_mistakes__in_a_node(mistakes, node, at, said):
    (found,) = mistakes(GOOD + f"  {node}\n")
    assert found.startswith(f"12:{3 + node.index(at)} nodes/{said}")


@pytest.mark.parametrize(
    ("line", "at", "said"),
    [
        ("aliases: [shop.example.org]", "shop", "aliases/1: is the domain itself"),
        ("aliases: [a.test, b.test, a.test]", "a.test]", "aliases/3: a.test stands here twice"),
        ("aliases: [ns1.shop.example.org]", "ns1", "aliases/1: is what the zone calls"),
        ("aliases: ['*.example.org']", "'*", "aliases/1: must be a host name in small letters"),
        ("aliases: www.example.org", "www", "aliases: must be a list"),
        ("proxies: [192.0.2.9/28]", "192", "proxies/1: is an address in a network; the network"),
        ("proxies: [0.0.0.0/0]", "0", "proxies/1: is too large: whoever comes from there is"),
        ("proxies: ['::1']", "'", "proxies/1: must be an IPv4 address or a network"),
        ("proxies: [balancer]", "bal", "proxies/1: must be an IPv4 address or a network"),
        ("limits: {connections: 4}", "4", "limits/connections: must be at least 8, not 4"),
        (
            "limits: {request: 4}",
            "request",
            'limits/request: unknown key, did you mean "requests"',
        ),
        (
            "lab: {releases: {server-3: trixie}}",
            "server-3",
            'lab/releases/server-3: no node is called "server-3", did you mean "server-',
        ),
        (
            "lab: {driver: vagrant, releases: {server-1: trixie}}",
            "releases",
            "lab/releases: is for driver: nspawn",
        ),
    ],
)
def test_mistakes__in_names_proxies_limits_and_labs(mistakes, line, at, said):
    (found,) = mistakes(GOOD + line + "\n")
    key, _, words = said.partition(": ")
    assert found.startswith(f"12:{1 + line.index(at)} {key}: ")
    assert words in found


@pytest.mark.parametrize(
    ("line", "at", "said"),
    [
        ("max_upload_mb: 500", "500", 'app/max_upload_mb: needs "uploads", the addresses where'),
        ("uploads: [upload/]", "upload/", "app/uploads/1: must be the beginning of an address"),
        ("uploads: [//upload/]", "//", "app/uploads/1: must be the beginning of an address"),
        ("uploads: ['/a b']", "'/a", "app/uploads/1: must be the beginning of an address"),
        (
            "uploads: [/media/new/]",
            "/media",
            "app/uploads/1: the web server serves /media/new/ itself",
        ),
        ("uploads: [/static]", "/static", "app/uploads/1: the web server serves /static itself"),
    ],
)
def test_mistakes__in_uploads(mistakes, line, at, said):
    (found,) = mistakes(GOOD.replace("  settings", f"  {line}\n  settings"))
    key, _, words = said.partition(": ")
    assert found.startswith(f"8:{3 + line.index(at)} {key}: ")
    assert words in found


def test_mistakes__in_a_range_are_told_once(mistakes):
    lines = 'server-[20:29]: {kind: child, private: "10.0.1.[20:29]", public: "192.0.9.[20:29]"}'
    (said,) = mistakes(GOOD + f"  {lines}\n")
    assert said.startswith("12:68 nodes/server-[20:29]/public: 192.0.9.20 is not in the public")
    assert said.endswith("(for server-20)")


def test_mistakes__no_central(mistakes):
    (said,) = mistakes(GOOD.replace("kind: central", "kind: child"))
    assert said.startswith("9:1 nodes: no node is the central one")


def test_mistakes__public_address_without_a_public_network(mistakes):
    found = mistakes(GOOD.replace(", public: 192.0.2.0/24", ""))
    assert [line.split(":")[0] for line in found] == ["10", "11"]
    assert "the cluster has no public network" in found[0]


def test_mistakes__overlapping_networks(mistakes):
    found = mistakes(GOOD.replace("192.0.2.", "10.0.2."))
    assert found[0].startswith("3:42 networks/public: 10.0.2.0/24 overlaps the private network")


def test_mistakes__the_labs_own_address(mistakes):
    (said,) = mistakes(GOOD.replace("10.0.0.12", "10.0.0.1") + "lab:\n")
    assert "this machine's own address" in said


@pytest.mark.parametrize("place", ["ssh: {key: id}\n", "kinds: {child: {ssh: {key: id}}}\n"])
def test_mistakes__a_key_that_is_not_there_matters_to_who_connects(write, place):
    file = write(GOOD + place)
    load_cluster(file)
    (file.parent / "idd").touch()
    with pytest.raises(
        InventoryError, match=r'ssh/key: there is no file "id", did you mean "idd"'
    ):
        load_cluster(file, connects=True)
    (file.parent / "id").touch()
    load_cluster(file, connects=True)


def test_mistakes__more_than_a_hundred_are_counted(mistakes):
    found = mistakes(GOOD + "".join(f"key{n}: 1\n" for n in range(130)))
    assert len(found) == 101
    assert found[-1].endswith("and 30 more")


def test_mistakes__a_value_is_never_more_than_a_line(mistakes):
    (said,) = mistakes(GOOD.replace("shop.example.org", '"' + r"a\nb\u2028" * 99 + '"'))
    assert len(said.splitlines()) == 1
    assert len(said) < 250


def test_mistakes__a_file_that_is_not_there(write):
    file = write(GOOD)
    with pytest.raises(InventoryError) as caught:
        load_cluster(file.with_name("shpo.yml"))
    assert caught.value.problems == [
        f'{file.with_name("shpo.yml")}: there is no such file, did you mean "shop.yml"?'
    ]


def test_mistakes__a_file_that_is_not_text(write):
    file = write(GOOD)
    file.write_bytes(GOOD.encode() + b"x: \xff\n")
    with pytest.raises(InventoryError, match=r"shop\.yml:12: is not UTF-8 text"):
        load_cluster(file)
    with pytest.raises(InventoryError, match="can't be read: Is a directory"):
        load_cluster(file.parent)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ("{device: /dev/vdb, size_mb: 100}", "share/size_mb: is the size of an image file"),
        ("{size_mb: 100}", "share/size_mb: is the size of an image file"),
        ("{device: /var/share.img}", "an image file needs size_mb beside it"),
        ("{engine: glusterfs, device: /dev/vdb}", "is for engine: nfs"),
        ("{device: vdb}", "must be a device below /dev"),
        ("{device: /dev/../etc/passwd}", "must be a device below /dev"),
    ],
)
def test_share__has_a_disk_or_an_image_file_and_nothing_between(mistakes, share, words):
    (said,) = mistakes(GOOD.replace("nodes:", f"share: {share}\nnodes:"))
    assert words in said


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ("{timezone: Europe/Madird}", 'did you mean "Europe/Madrid"?'),
        ("{celery_concurrency: 0}", "celery_concurrency"),
    ],
)
def test_mistakes__variables_whose_role_could_not_use_them(mistakes, variables, said):
    (found,) = mistakes(GOOD + f"variables: {variables}\n")
    assert found.startswith("12:")
    assert said in found


def test_variable_near_one_of_ours__is_told_unless_somebody_here_reads_it(
    mistakes, write, tmp_path
):
    text = GOOD + "variables: {celery_concurency: 4, colour: red}\n"
    (found,) = mistakes(text)
    assert found.startswith("12:13 variables/celery_concurency: nothing reads the variable")
    assert found.endswith('did you mean "celery_concurrency"?')
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "mine.py").write_text('node.variables["celery_concurency"]\n')
    assert load_cluster(write(text)).variables["celery_concurency"] == 4
