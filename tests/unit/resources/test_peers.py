"""Strangers on the network: Peers and NfsExport, with tables as the kernel writes them."""

from __future__ import annotations

import socket

from nodriza.host.host import Host
from nodriza.resources import NfsExport, Peers
from nodriza.resources.peers import _links

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
SHARE = Peers("share", ("2049", "49152-49251"), ("198.18.7.12", "2001:db8::12"))


def row(here: str, peer: str, state: str = "01") -> str:
    return f"   0: {here} {peer} {state} 00000000:00000000 00:00000000 00000000     0        0\n"


def ipv4(address: str, port: int) -> str:
    return f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"


def ipv6(address: str, port: int) -> str:
    raw = socket.inet_pton(socket.AF_INET6, address)
    words = [raw[at : at + 4][::-1].hex().upper() for at in (0, 4, 8, 12)]
    return f"{''.join(words)}:{port:04X}"


def host_with(tmp_path, tcp: str = "", tcp6: str = "") -> Host:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/tcp").write_text(HEAD + tcp)
    (tmp_path / "proc/net/tcp6").write_text(HEAD + tcp6)
    return Host(str(tmp_path))


def test_tables_of_these_tests__are_as_the_kernel_writes_them():
    here = ipv4("198.18.7.11", 2049)
    assert here == "0B0712C6:0801"  # as it stands in a real table of a little-endian machine


def test_only_those_who_are_not_allowed__are_strays(tmp_path):
    here = ipv4("198.18.7.11", 2049)
    table = row(here, ipv4("198.18.7.12", 700)) + row(here, ipv4("198.18.7.99", 700))
    assert Peers.strays(host_with(tmp_path, table), [SHARE]) == [
        "198.18.7.99 is connected to share (port 2049)"
    ]


def test_every_port_of_a_range__counts_and_no_other(tmp_path):
    stranger = ipv4("198.18.7.99", 700)
    ports = (49151, 49152, 49251, 49252, 22)
    table = "".join(row(ipv4("198.18.7.11", port), stranger) for port in ports)
    found = Peers.strays(host_with(tmp_path, table), [SHARE])
    assert [words[-6:-1] for words in found] == ["49152", "49251"]


def test_own_connections_and_those_that_are_over__are_none(tmp_path):
    here = ipv4("198.18.7.11", 2049)
    table = row(here, ipv4("198.18.7.11", 700)) + row(here, ipv4("127.0.0.1", 700))
    table += row(here, ipv4("198.18.7.99", 700), "06") + row(here, ipv4("0.0.0.0", 0), "0A")
    assert Peers.strays(host_with(tmp_path, table), [SHARE]) == []


def test_ipv6__and_ipv4_in_its_clothes_are_read(tmp_path):
    table6 = row(ipv6("::ffff:198.18.7.11", 2049), ipv6("::ffff:198.18.7.12", 700))
    table6 += row(ipv6("::ffff:198.18.7.11", 2049), ipv6("::ffff:198.18.7.98", 700))
    table6 += row(ipv6("2001:db8::11", 2049), ipv6("2001:db8::99", 700))
    assert Peers.strays(host_with(tmp_path, tcp6=table6), [SHARE]) == [
        "198.18.7.98 is connected to share (port 2049)",
        "2001:db8::99 is connected to share (port 2049)",
    ]


def test_real_table__is_read():
    """The kernel's own: a connection of this host to itself, which is no stranger's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.socket() as client:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            connection, _ = server.accept()
            with connection:
                assert ("127.0.0.1", port, "127.0.0.1") in list(_links(Host()))
                assert Peers.strays(Host(), [Peers("own", (str(port),), ())]) == []


def test_exports_that_are_not_declared__are_strays(tmp_path):
    (tmp_path / "var/lib/nfs").mkdir(parents=True)
    (tmp_path / "var/lib/nfs/etab").write_text(
        "/srv/app\t198.18.7.12(rw,sync,root_squash,sec=sys)\n"
        "/srv/app\t198.18.7.0/24(rw,sync)\n"
        "/home/ana\t*(ro,sync)\n"
    )
    declared = NfsExport("/srv/app", ("198.18.7.12",))
    assert NfsExport.strays(Host(str(tmp_path)), [declared]) == [
        "/srv/app is exported to 198.18.7.0/24",
        "/home/ana is exported to *",
    ]


def test_host_without_a_server__exports_nothing(tmp_path):
    assert NfsExport.strays(Host(str(tmp_path)), [NfsExport("/srv/app", ())]) == []
