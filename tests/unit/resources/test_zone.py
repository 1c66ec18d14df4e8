"""The zone and who is in it."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import dns.zone
import pytest

from nodriza.agent.converge import Converge
from nodriza.agent.journal import Journal
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Service, Zone, gap_between
from nodriza.resources.zone import SERIAL

HEAD = """\
$ORIGIN www.example.org.
$TTL 60
@ IN SOA ns1 hostmaster (
    SERIAL ; serial
    60 ; refresh
    30 ; retry
    1209600 ; expire
    60
)
@ IN NS ns1
ns1 IN A 192.0.2.1
"""
CHILDREN = (("server-2", "192.0.2.2"), ("server-3", "192.0.2.3"))


@pytest.fixture
def host(tmp_path) -> Host:
    return Host(str(tmp_path))


def zone(**fields) -> Zone:
    return Zone("/zone", HEAD, **{"children": CHILDREN, **fields})


def bring(host: Host, wanted: Zone) -> str:
    now = Zone.look(host, [wanted])[0]
    if gap_between(wanted, now):
        wanted.vet(host)
        wanted.fix(host, now)
    assert gap_between(wanted, Zone.look(host, [wanted])[0]) == {}
    return (host.read("/zone") or b"").decode()


def addresses(text: str) -> set[str]:
    """As a DNS server reads it."""
    node = dns.zone.from_text(text, "www.example.org").find_node("@")
    return {
        record.address
        for rdataset in node.rdatasets
        if rdataset.rdtype == dns.rdatatype.A
        for record in rdataset
    }


def serial(text: str) -> int:
    found = SERIAL.search(text)
    assert found
    return int(found.group(1))


def test_zone__has_an_address_for_each_child(host):
    assert addresses(bring(host, zone())) == {"192.0.2.2", "192.0.2.3"}


def test_serial__grows_with_every_change_and_with_nothing_else(host, monkeypatch):
    first = bring(host, zone())
    assert bring(host, zone()) == first
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a clock that was set back
    second = bring(host, zone(out=("server-3",)))
    assert serial(second) == serial(first) + 1


def test_drained_child__stays_out_whoever_plans(host):
    bring(host, zone())
    bring(host, zone(out=("server-3",)))
    assert addresses(bring(host, zone())) == {"192.0.2.2"}
    assert addresses(bring(host, zone(back=("server-3",)))) == {"192.0.2.2", "192.0.2.3"}


def test_last_child__is_refused_and_nothing_is_remembered(host):
    before = bring(host, zone())
    with pytest.raises(HostError, match="no child would be in rotation"):
        zone(out=("server-2", "server-3")).vet(host)
    assert bring(host, zone()) == before


def test_last_child_that_is_well__is_refused_too(host, child):
    """The others are drained, or new and not well yet."""
    url, _ = child
    bring(host, zone(children=CHILDREN[:1]))
    with pytest.raises(HostError, match="no child would be in rotation"):
        zone(out=("server-2",), health=url).vet(host)


def test_refusal__says_whom_to_bring_back_and_leaves_nothing_due(host):
    bring(host, zone(out=("server-3",)))
    last, journal = zone(out=("server-2",)), Journal(host, "run-1")
    events: list[dict] = []
    reader = Service("nsd", running=False, enabled=False, reload_on=(last,))
    Converge(host, journal, [last, reader], events.append).run()
    (said,) = [event for event in events if event.get("status") == "failed"]
    assert said["words"].endswith("First bring one back: fab undrain server-3")
    assert journal.all_owed() == []


def test_node_that_gets_the_name_of_a_drained_one__begins_in_rotation(host):
    bring(host, zone())
    bring(host, zone(out=("server-3",)))
    bring(host, zone(children=CHILDREN[:1]))
    assert addresses(bring(host, zone())) == {"192.0.2.2", "192.0.2.3"}


@pytest.fixture
def child() -> Iterator[tuple[str, list[int]]]:
    """A child's address, and what it answers."""
    says = [503]

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(says[0])
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ADDRESS", says
        server.shutdown()
        thread.join()


def test_new_child__comes_in_when_it_is_well(host, child):
    url, says = child
    bring(host, zone(children=CHILDREN[:1], health=url))
    assert addresses(bring(host, zone(health=url))) == {"192.0.2.2"}
    says[0] = 200
    assert addresses(bring(host, zone(health=url))) == {"192.0.2.2", "192.0.2.3"}
    says[0] = 503  # who is in stays in: nobody takes it out by being slow once
    assert addresses(bring(host, zone(health=url))) == {"192.0.2.2", "192.0.2.3"}
