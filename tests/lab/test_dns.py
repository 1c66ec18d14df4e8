"""A cluster that answers for its own name: what is served, who is drained, what a check says.

server-1 makes the zone, ns-2 follows it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest
import yaml

from tests.lab.project import Project, Result, wait_for
from tests.lab.resolver import SERVERS, TTL, Watch, ask, found, serial, site
from tests.lab.visitor import Visitor, get

ZONE = "/etc/nsd/videoteca.test.zone"


def check(named: Project) -> Result:
    """``fab dns.check``; the second name server is the resolver that is asked as well."""
    return named.fab("dns.check", "--resolver", named.cluster.node("ns-2").web_address)


def complaint(named: Project) -> list[str]:
    """What it says of each of the three when it is not content."""
    said = check(named)
    assert said.exit == 2, said.said
    return said.stdout.splitlines()


def health(named: Project, child: str) -> int:
    """What load balancers are told."""
    return get(named.cluster.node(child).web_address, "/healthz", named.cluster.domain)[0]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("server", SERVERS)
def test_name_server__answers_for_the_site_and_for_nothing_else(
    named: Project, server: str, tcp: bool
) -> None:
    answer = ask(named, server, tcp=tcp)
    assert answer.flags & dns.flags.AA
    assert not answer.flags & dns.flags.RA
    assert found(answer) == ["198.18.108.12", "198.18.108.13"]  # never the central node's
    assert {rrset.ttl for rrset in answer.answer} == {TTL}

    names = ask(named, server, "NS", tcp=tcp)
    assert found(names, "NS") == ["ns1.videoteca.test.", "ns2.videoteca.test."]
    for number, node in enumerate(SERVERS, 1):
        at = ask(named, server, name=f"ns{number}.videoteca.test", tcp=tcp)
        assert found(at) == [named.cluster.node(node).public]
    (soa,) = found(ask(named, server, "SOA", tcp=tcp), "SOA")
    first, mailbox, _, refresh, _, _, least = soa.split()
    assert (first, mailbox) == ("ns1.videoteca.test.", "hostmaster.videoteca.test.")
    assert (refresh, least) == ("60", str(TTL))

    other = ask(named, server, name="www.debian.org", tcp=tcp)
    assert (other.rcode(), other.answer) == (dns.rcode.REFUSED, [])
    nobody = ask(named, server, name="admin.videoteca.test", tcp=tcp)
    assert nobody.rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("server", SERVERS)
def test_name_server__gives_the_zone_to_nobody_without_the_key(
    named: Project, server: str
) -> None:
    transfer = dns.query.xfr(named.cluster.node(server).web_address, "videoteca.test", lifetime=5)
    with pytest.raises(dns.exception.DNSException, match="REFUSED"):
        dns.zone.from_xfr(transfer)


def test_provision_without_a_change__leaves_the_serial_alone(named: Project) -> None:
    before = [serial(named, server) for server in SERVERS]
    assert before[0] == before[1]
    assert named.fab("provision", "--json").well().changed() == {}
    assert "nothing to change on 4 nodes" in named.fab("provision").well().stdout
    assert [serial(named, server) for server in SERVERS] == before


def test_printed_zone__is_the_one_that_is_served(named: Project) -> None:
    text = named.fab("dns.zone").well().stdout
    printed = dns.zone.from_text(text, relativize=False)
    values = {
        (str(name), dns.rdatatype.to_text(many.rdtype)): (many.ttl, sorted(map(str, many)))
        for name, many in printed.iterate_rdatasets()
    }
    assert len(values) == 5  # the site's SOA, NS and A, and where the two servers are
    for (name, kind), (ttl, shown) in values.items():
        served = found(ask(named, "ns-2", kind, name), kind)
        assert ttl == TTL
        if kind == "SOA":
            assert list(map(_without_serial, shown)) == list(map(_without_serial, served))
        else:
            assert shown == served
    octodns = yaml.safe_load(named.fab("dns.zone", "--format", "octodns").well().stdout)
    assert octodns == {"": {"ttl": TTL, "type": "A", "values": found(ask(named, "ns-2"))}}


def _without_serial(soa: str) -> str:
    """What is printed has one of its own: it is later."""
    words = soa.split()
    return " ".join(words[:2] + words[3:])


def test_drain__is_dns_then_the_ttl_then_load_balancers_and_ends_no_request(
    named: Project,
) -> None:
    child = named.cluster.node("server-3").web_address
    head = f"POST /whoami HTTP/1.1\r\nHost: {named.cluster.domain}\r\nContent-Length: 8\r\n\r\n"
    before = [serial(named, server) for server in SERVERS]
    with (
        socket.create_connection((child, 80), timeout=30) as slow,
        Visitor(named.cluster) as visitor,
        Watch(named, SERVERS, "server-3") as watch,
    ):
        slow.sendall(head.encode() + b"half")
        time.sleep(0.5)
        said = named.fab("drain", "server-3").well()
        time.sleep(0.5)
        assert health(named, "server-3") == 503
        slow.sendall(b"done")
        assert b"X-Served-By: server-3" in slow.recv(4096)
    assert visitor.bad == []  # whoever comes nevertheless
    assert f"waiting {TTL} s: so long resolvers may believe the old answer" in said.said
    for server in SERVERS:
        assert watch.values(server) == [["server-2", "server-3"], ["server-2"]]
        assert watch.last("healthz") - watch.last(server) > TTL - 1
    assert watch.values("healthz") == [200, 503]
    # By word of the first, not by chance: the second asks once a minute.
    assert watch.last("ns-2") - watch.last("server-1") < TTL
    out = [serial(named, server) for server in SERVERS]
    assert min(out) > max(before)

    with Watch(named, SERVERS, "server-3") as watch:
        time.sleep(0.5)
        named.fab("undrain", "server-3").well()
        wait_for("news", 5, lambda: site(named, "ns-2") == ["server-2", "server-3"])
        time.sleep(0.5)
    assert watch.values("healthz") == [503, 200]
    assert watch.last("healthz") < watch.last("server-1")
    assert min(serial(named, server) for server in SERVERS) > max(out)


@pytest.fixture
def drained(named: Project) -> Iterator[Project]:
    """server-3 is out."""
    named.fab("drain", "server-3").well()
    yield named
    named.fab("undrain", "server-3").well()
    wait_for("news", 5, lambda: site(named, "ns-2") == ["server-2", "server-3"])


def test_drained_child__stays_out_whoever_provisions(drained: Project) -> None:
    before = serial(drained, "server-1")
    assert drained.fab("provision", "--json").well().changed() == {}
    assert [site(drained, server) for server in SERVERS] == [["server-2"], ["server-2"]]
    assert serial(drained, "server-1") == before
    assert health(drained, "server-3") == 503
    assert "drained (operator)" in drained.fab("status").well().stdout
    said = check(drained).well().stdout
    assert said.count("without server-3: drained, or not well yet") == len(SERVERS)
    printed = drained.fab("dns.zone", "--without", "server-3").well().stdout
    assert "198.18.108.13" not in printed
    # And again, which is nothing.
    again = drained.fab("drain", "server-3").well()
    assert "waiting" not in again.said
    assert serial(drained, "server-1") == before


def test_last_child_in_rotation__is_not_drained(drained: Project) -> None:
    before = drained.on("server-1", f"cat {ZONE}")
    refused = drained.fab("drain", "server-2")
    assert refused.exit == 1
    assert f"no child would be in rotation; {ZONE} stays as it is" in refused.said
    assert "First bring one back: fab undrain server-3" in refused.said
    assert drained.on("server-1", f"cat {ZONE}") == before
    assert health(drained, "server-2") == 200
    assert drained.fab("drift").exit == 0  # nothing is owed either

    everybody = drained.fab("drain", "server-n")
    assert everybody.exit == 2
    assert "that would leave nobody to serve" in everybody.said


def test_undrain__of_a_child_that_is_in_rotation_does_nothing(named: Project) -> None:
    before = serial(named, "server-1")
    said = named.fab("undrain", "server-2").well()
    assert said.stdout.count("nothing to change on 1 node") == 2
    assert serial(named, "server-1") == before


def test_check__of_servers_that_say_the_right_thing(named: Project) -> None:
    lines = check(named).well().stdout.splitlines()
    assert [line[:3] for line in lines] == ["ok ", "ok ", "ok "]


@pytest.fixture
def mended(named: Project) -> Iterator[Project]:
    """For a test that leaves a name server other than it found it."""
    yield named
    named.fab("lab.up").well()
    named.fab("provision").well()
    wait_for("peace", 90, lambda: check(named).exit == 0, every=1)


def test_zone_that_was_written_by_hand__is_told_and_made_right_with_a_higher_serial(
    mended: Project,
) -> None:
    """Somebody sends visitors to the central node."""
    before = serial(mended, "server-1")
    mended.on("server-1", f"echo '@ IN A 198.18.108.11' >>{ZONE}; systemctl reload nsd")
    wait_for("mistake", 10, lambda: "198.18.108.11" in site(mended, "server-1"))
    first, second, _ = complaint(mended)
    assert first.startswith("bad  server-1")
    assert "(198.18.108.11 is no child)" in first
    assert second.startswith("ok   ns-2")
    assert f"zone:{ZONE}" in mended.fab("drift").stdout
    done = mended.fab("provision", "--json").well()
    assert done.changed() == {"server-1": [f"zone:{ZONE}", "service:nsd"]}
    wait_for("end of it", 10, lambda: site(mended, "server-1") == ["server-2", "server-3"])
    wait_for("news", 10, lambda: serial(mended, "ns-2") > before)


OTHER = """
systemctl stop nsd
cat >/etc/nsd/other.zone <<'END'
$ORIGIN videoteca.test.
$TTL 5
@ IN SOA ns1 hostmaster 1 60 30 1209600 5
@ IN NS ns1
ns1 IN A 198.18.108.11
@ IN A 198.18.108.13
END
sed -i '/request-xfr/d; /allow-notify/d; s,/var/lib/nsd/videoteca.test.zone,other.zone,' \
    /etc/nsd/nsd.conf
rm -f /var/lib/nsd/*
systemctl start nsd
"""


def test_server_that_follows_no_more__is_told_and_made_to_follow(mended: Project) -> None:
    mended.on("ns-2", OTHER)
    wait_for("mistake", 10, lambda: site(mended, "ns-2") == ["server-3"])
    first, second, resolver = complaint(mended)
    assert first.startswith("ok   server-1")
    assert second.startswith("bad  ns-2")
    assert "(other addresses than server-1 has)" in second
    assert resolver.startswith("bad  198.18.108.22")
    assert "(lacks 198.18.108.12)" in resolver
    done = mended.fab("provision", "--json").well()
    assert done.changed() == {"ns-2": ["file:/etc/nsd/nsd.conf", "service:nsd"]}
    wait_for("following", 10, lambda: site(mended, "ns-2") == ["server-2", "server-3"])


def test_server_that_is_down__is_told_and_the_others_are_asked(mended: Project) -> None:
    """The first one; the other goes on answering, also after a power cut of its own."""
    file = "/var/lib/nsd/videoteca.test.zone"
    wait_for(
        "zone on the disk",
        20,
        lambda: str(serial(mended, "ns-2")) in mended.on("ns-2", f"cat {file}", check=False),
        every=0.5,
    )
    mended.on("server-1", "systemctl stop nsd")
    mended.power_cut("ns-2")
    mended.power_on("ns-2")
    wait_for("answer", 30, lambda: site(mended, "ns-2") == ["server-2", "server-3"])
    first, second, resolver = complaint(mended)
    assert first.startswith("bad  server-1")
    assert "no address  (no answer within 5 s)" in first
    assert second.startswith("ok   ns-2")
    assert resolver.startswith("ok   198.18.108.22")
