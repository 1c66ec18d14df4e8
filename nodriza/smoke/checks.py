"""What every cluster must do, whatever its application: read it as a specification.

A check takes a ``Site`` and raises ``Failed``; the first line of its docstring is the
sentence that the report shows.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType
from typing import TYPE_CHECKING

import httpx

from nodriza.errors import NodrizaError
from nodriza.plan.offers import links, public, said
from nodriza.smoke.browser import origin, send
from nodriza.smoke.site import Child, Failed, Site
from nodriza.watch import backups
from nodriza.watch.health import healthy, look, wrong

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

Check = Callable[[Site], None]

NEVER = (111, 3031, 9090)
"""Ports that no node should answer on: the portmapper, and what uWSGI and others listen on without
a configuration of ours."""


def every_child_answers(site: Site) -> None:
    """every child answers on the web and says its own name"""
    for child in site.children:
        # A release that was switched to just now reaches a child within seconds.
        site.wait(30, lambda child=child: _names_itself(site, child), f"{child.name} serving")  # type: ignore[misc]


def only_some_nodes_take_web_traffic(site: Site) -> None:
    """nodes without a web server take no web traffic"""
    for node in site.cluster.nodes:
        if not any(offer.limited for offer in public(node, site.cluster)):
            _refused(site, node, (80, 443))


def services_refuse_strangers(site: Site) -> None:
    """what nodes offer each other refuses strangers, on every node"""
    for node in site.cluster.nodes:
        _refused(site, node, private_ports(node, site.cluster))


CHECKS: list[Check] = [
    every_child_answers,
    only_some_nodes_take_web_traffic,
    services_refuse_strangers,
]


def private_ports(node: Node, cluster: Cluster) -> tuple[int, ...]:
    """What any node offers to others of the cluster, and this one not to everybody; of a range the
    first."""
    offers = [offer for of_node in links(cluster).offers.values() for _, offer in of_node]
    everybodys = {port for offer in public(node, cluster) for port in offer.ports}
    ports = {port for offer in offers if not offer.public for port in offer.ports} - everybodys
    return tuple(sorted({*(int(port.partition("-")[0]) for port in ports), *NEVER}))


def of_roles(cluster: Cluster) -> list[Check]:
    """What the roles of the cluster say in ``SMOKE``, each check once."""
    nodes = {role: node for node in reversed(cluster.nodes) for role in node.roles}
    roles = dict.fromkeys(role for node in cluster.nodes for role in node.roles)
    checks = (said(role, "SMOKE", FunctionType, nodes[role], cluster) for role in roles)
    return [check for of_role in checks for check in of_role]


def pages_of_the_inventory_answer(site: Site) -> None:
    """every page of app.health answers on every child as the inventory expects"""
    for child in site.children:
        for path, expected in site.cluster.app.asked:
            answer = site.get(child, path)
            if answer.status != expected:
                raise Failed(
                    f"{expected} from {child.name} for {path} (app.health of the inventory)",
                    f"{answer.status}: {answer.text[:200]}",
                    f"fab logs:{child.name}",
                )


def children_send_visitors_to_https(site: Site) -> None:
    """every child sends visitors without TLS to the site's HTTPS"""
    for child in site.children:
        with httpx.Client(
            base_url=f"http://{child.address}", trust_env=False, timeout=20
        ) as client:
            answer, _ = send(client, "GET", "/a?b=c", None)
        wanted, got = f"https://{site.cluster.domain}/a?b=c", answer.headers.get("Location")
        if answer.status_code != 301 or got != wanted:
            raise Failed(
                f"301 to {wanted} from http://{child.address}",
                f"{answer.status_code} to {got}",
                f"the web server's configuration on {child.name}",
            )


def aliases_lead_to_the_site(site: Site) -> None:
    """every child sends visitors of the other names to the site's own"""
    for child in site.children:
        for alias in site.cluster.aliases:
            answer = site.get(child, "/a?b=c", {"Host": alias})
            wanted, got = f"{origin(site.cluster)}/a?b=c", answer.headers.get("Location")
            if answer.status != 301 or got != wanted:
                raise Failed(
                    f"301 to {wanted} for {alias} from {child.name}",
                    f"{answer.status} to {got}",
                    f"the web server's configuration on {child.name}",
                )


def backups_are_there(site: Site) -> None:
    """a young backup that was restored on trial is there, or the first is not due yet"""
    for name, result in look(site.cluster, site.cluster.nodes).items():
        # A node that does not answer is another check's.
        trouble = [] if result.error else list(backups.wrong(result))
        if trouble:
            raise Failed("backups in time, restored on trial", "; ".join(trouble), f"on {name}")


def reboot_checks(site: Site) -> list[Check]:
    """One check a node: it is rebooted, and everything is back."""
    return [_reboot(node) for node in site.cluster.nodes]


def _reboot(node: Node) -> Check:
    def check(site: Site) -> None:
        before = site.on(node, "cat", "/proc/sys/kernel/random/boot_id")
        # In a second: this connection is to end well. Timers are a minute late by default.
        soon = ("--on-active=1", "--timer-property=AccuracySec=100ms")
        site.on(node, "systemd-run", *soon, "systemctl", "reboot")
        site.wait(180, lambda: _boot_id(site, node) not in (None, before), f"{node.name} again")
        for child in site.children:
            site.wait(120, lambda child=child: _names_itself(site, child), f"{child.name} serving")  # type: ignore[misc]
        site.wait(60, lambda: _all_well(site), "every service and mount up")

    check.__name__ = f"reboot_of_{node.name}"
    check.__doc__ = f"after a reboot of {node.name} everything is back"
    return check


def _boot_id(site: Site, node: Node) -> str | None:
    try:
        return site.on(node, "cat", "/proc/sys/kernel/random/boot_id")
    except (NodrizaError, OSError, EOFError):
        return None


def _names_itself(site: Site, child: Child) -> bool:
    # Many sites send visitors from / to a log-in or to a language; app.health may say what to
    # expect.
    wanted = dict(site.cluster.app.asked).get("/")
    answer = site.get(child, "/")
    well = answer.status == wanted if wanted else 200 <= answer.status < 400
    if not well or answer.headers.get("X-Served-By") != child.name:
        raise Failed(
            f"{wanted or 'a page'} and X-Served-By: {child.name} from {child.address}",
            f"{answer.status} and {answer.headers.get('X-Served-By')}: {answer.text[:200]}",
            f"fab logs:{child.name}",
        )
    return True


def _all_well(site: Site) -> bool:
    cluster = site.cluster
    results = look(cluster, cluster.nodes)
    ill = {
        name: result.error or list(wrong(result))
        for name, result in results.items()
        if not healthy(result)
    }
    if ill:
        raise Failed("all well", ill, "fab status")
    return True


def _refused(site: Site, node: Node, ports: tuple[int, ...]) -> None:
    addresses = [address for address in (node.public, node.private) if address]
    doors = [(address, port) for address in addresses for port in ports]
    with ThreadPoolExecutor(len(doors)) as pool:  # a firewall that drops answers with silence
        is_open = list(pool.map(lambda door: site.is_open(*door), doors))
    found = [
        f"{address}:{port}" for (address, port), it_is in zip(doors, is_open, strict=True) if it_is
    ]
    if found:
        raise Failed(
            f"no connection from here to {node.name}",
            f"{', '.join(found)} open",
            f"nft list table inet nodriza; ss -ltnp on {node.name}",
        )
