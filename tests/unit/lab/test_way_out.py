"""What of the outside a lab's machines reach, as rules of nftables."""

from __future__ import annotations

import pytest

from nodriza.lab.wiring import Network, WayOut, Wiring, inner_rules, outer_rules

WIRING = Wiring(
    "nodriza-shop",
    (Network("private", "198.18.7.0/24", "198.18.7.1"),),
    "nd-1",
    "198.18.255.1",
    "198.18.255.2",
)


def test_closed_lab__refuses_at_once_what_is_open_already_too():
    rules = [line.strip() for line in inner_rules(WIRING, WayOut(open=False)).splitlines()]
    refused = 'oifname "uplink" ct direction original reject with icmp type admin-prohibited'
    assert rules.index(refused) < rules.index("ct state established,related accept")


def test_closed_lab__is_closed_on_the_computer_as_well():
    rules = [line.strip() for line in outer_rules(WIRING, WayOut(open=False)).splitlines()]
    assert rules.index('iifname "nd-1" drop') < rules.index(
        next(line for line in rules if "accept" in line)
    )
    assert 'iifname "nd-1" drop' not in outer_rules(WIRING)


@pytest.mark.parametrize("address", ["203.0.113.7", "10.0.0.0/8"])
def test_address_that_is_never_reached__is_refused_before_the_way_out_is_open(address):
    rules = inner_rules(WIRING, WayOut(never=("192.0.2.1", address)))
    refused = f'oifname "uplink" ip daddr {address} reject'
    assert rules.index(refused) < rules.index('iifname "br-*" oifname "uplink" accept')
    assert rules.index(refused) < rules.index("established")
