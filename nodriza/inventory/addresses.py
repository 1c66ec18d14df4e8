"""Addresses and networks, IPv4: what one may look like, and why one can't be."""

from __future__ import annotations

import ipaddress
import re

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
PROXY_WORDS = "must be an IPv4 address or a network of them, such as 192.0.2.7 or 192.0.2.0/28"


def address(value: str) -> str:
    """One address, as it is shown. Raises ``ValueError`` with the reason."""
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        reason = "is not an IPv4 address, such as 192.0.2.11"
        if re.search(r"(^|\.)0\d", value):
            reason += " (no leading zeros)"
        elif "[" in value:
            reason += "; a range is written 192.0.2.[12:15], in a node whose name is a range too"
        elif ":" in value:
            reason += " (IPv6 is not supported)"
        raise ValueError(reason) from None


def _whole_network(value: str, otherwise: str) -> ipaddress.IPv4Network:
    """A network without an address in it; ``otherwise`` says what is not even that."""
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        if "host bits" in str(error):
            whole = ipaddress.IPv4Network(value, strict=False)
            raise ValueError(f"is an address in a network; the network is {whole}") from None
        raise ValueError(otherwise) from None


def network_of_hosts(value: str) -> str:
    """One that hosts can have addresses from. Raises ``ValueError`` with the reason."""
    if "/" not in value:
        raise ValueError("is not a network: write it as 192.0.2.0/24")
    network = _whole_network(value, "is not an IPv4 network, such as 192.0.2.0/24")
    if not 8 <= network.prefixlen <= 29:
        raise ValueError("must be between /8 and /29 in size")
    if network.is_loopback or network.is_multicast or network.is_unspecified:
        raise ValueError("hosts can't have addresses from this network")
    return str(network)


def proxy(value: str) -> str:
    """An address or a network that is believed. Raises ``ValueError`` with the reason."""
    network = _whole_network(value, PROXY_WORDS)
    if network.prefixlen < 8:
        raise ValueError("is too large: whoever comes from there is believed; at most a /8")
    return value
