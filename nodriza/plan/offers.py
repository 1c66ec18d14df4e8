"""What a role gives to other nodes, and what it needs of them.

A role says both beside its function, in a tuple or in a function of node and cluster::

    OFFERS = (Offer("database", ports=("3306",), name="MariaDB", carries="rows"),)
    NEEDS = ("database", "broker")

The firewall, the application's variables, the picture and the smoke test read it here, and know no
service by its name. A role of one's own with the name of a shipped one offers and needs what that
one does, unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nodriza.errors import RoleError
from nodriza.inventory.places import place, place_of_node
from nodriza.inventory.roles import known_roles
from nodriza.plan.plan import as_role_error, role_names, where_said
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.plan.dump import Dumps
    from nodriza.plan.queue import Queues, Takes

Variables = Callable[["Node", "Cluster"], Mapping[str, str]]


@dataclass(frozen=True)
class Offer:
    """One job that a node does for others.

    ``job``: the word that others need, such as "database". ``ports``: "3306" or "49152-49251".
    They are open at the private address, to the nodes that need the job; with ``public`` they are
    open to everybody, and with ``limited`` no address may have more connections than
    ``limits.connections`` of the inventory. ``protocols``: "tcp", "udp". ``name`` and ``carries``
    are for people: "MariaDB", "rows".

    ``variables``: from the node that does it and the cluster to what the application is told,
    ready for the inside of double quotes. A job with variables is done by one node only.

    ``data``: folders with what it keeps. The application's code, which may run on the same node,
    does not see them. ``sockets``: where it also answers on its node. The code that builds an
    environment does not see these either.

    ``drivers``: distributions of Python of which the application has one to speak to it; of the
    job "application", to be served by it.

    ``dump``: how ``fab db.dump``, ``db.load`` and ``dbshell`` go about it (``nodriza.plan.dump``).

    ``queue``: how ``fab queue`` and ``queue.purge`` go about it; ``takes``: from which queues a
    node takes tasks (``nodriza.plan.queue``).

    ``speaks``: how it is spoken to, where those who do need to know: an application server "uwsgi"
    or "http", as it is without a word. Each is a file in ``templates/nginx``.
    """

    job: str
    ports: tuple[str, ...] = ()
    name: str = ""
    carries: str = ""
    variables: Variables | None = None
    public: bool = False
    limited: bool = False
    protocols: tuple[str, ...] = ("tcp",)
    speaks: str = ""
    data: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    dump: Dumps | None = None
    queue: Queues | None = None
    takes: Takes | None = None


class Door(NamedTuple):
    """Ports of a role on one node, and the private addresses that they are open to."""

    name: str
    ports: list[str]
    users: list[str]
    protocols: tuple[str, ...]


class Told(NamedTuple):
    """What the application is told of one job."""

    offer: Offer
    server: Node
    variables: dict[str, str]


class Links:
    """Who offers and who needs what in one cluster, found in one pass over its nodes.

    Asked anew for each node, plans of a thousand nodes would take minutes.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._same: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.order = {node.name: number for number, node in enumerate(cluster.nodes)}
        self.offers: dict[str, list[tuple[str, Offer]]] = {}
        self.needs: dict[str, dict[str, str]] = {}
        """Node to job to the role that needs it; "" where the inventory says so."""
        self.servers: dict[str, list[tuple[Node, str, Offer]]] = {}
        self.users: dict[str, list[Node]] = {}
        for node in cluster.nodes:
            self._add(node)
        self._check_placed()
        self._told: dict[str, dict[str, str]] = {}

    def _add(self, node: Node) -> None:
        offers = [(r, o) for r in node.roles for o in self._said(r, "OFFERS", Offer, node)]
        needs = {j: r for r in node.roles for j in self._said(r, "NEEDS", str, node)}
        needs = {**dict.fromkeys(node.variables.get("needs", ()), ""), **needs}
        self.offers[node.name], self.needs[node.name] = offers, needs
        for role, offer in offers:
            for word in {role, offer.job}:
                self.servers.setdefault(word, []).append((node, role, offer))
        for word in needs:
            self.users.setdefault(word, []).append(node)

    def _said(self, role: str, what: str, kind: type[Any], node: Node) -> tuple[Any, ...]:
        """Of a role that says the same for every node only once."""
        items = self._same.get((role, what))
        if items is None:
            items = said(role, what, kind, node, self.cluster)
            if not callable(role_names(role, self.cluster).get(what)):
                self._same[role, what] = items
        return items

    def told(self, word: str) -> list[Told]:
        """Of the job, or of all that a role does; ``RoleError`` if two nodes would do it."""
        servers = [each for each in self.servers[word] if each[2].variables]
        found = []
        for job in dict.fromkeys(offer.job for _, _, offer in servers):
            node, role, offer = self.one(job)
            if job not in self._told:
                with as_role_error(role, node, self.cluster):
                    self._told[job] = dict(offer.variables(node, self.cluster))  # type: ignore[misc]
            found.append(Told(offer, node, self._told[job]))
        return found

    def one(self, job: str) -> tuple[Node, str, Offer]:
        """The only one that does it."""
        servers = self.servers.get(job, [])
        if len(servers) == 1:
            return servers[0]
        who = " and ".join(f"{role} on {node.name}" for node, role, _ in servers[:3])
        said = job in self.cluster.services
        on = place_of_node(self.cluster, servers[1][0], "roles") if servers else ""
        raise RoleError(
            f'{who} both offer "{job}"' if servers else f'no node offers "{job}"',
            where=on or place(self.cluster.path, *(("services", job) if said else ("nodes",))),
            kept="no host was touched",
            do=f"let one role of one node offer {job}",
        )

    def _check_placed(self) -> None:
        """Whatever the inventory places is done there; else ``RoleError`` with its line."""
        for job, placed in self.cluster.services.items():
            doing = [self.cluster.node(placed.on)] if placed.on else self.cluster.children[:1]
            if not placed.said or not doing:
                continue
            node = doing[0]
            if any(offer.job == job for _, offer in self.offers[node.name]):
                continue
            own = sorted({offer.job for r, offer in self.offers[node.name] if r == placed.engine})
            why = (
                f"the role {placed.engine} offers {', '.join(own)}"
                if own
                else (f"its roles are {', '.join(node.roles)}")
            )
            raise RoleError(
                f'no role of {node.name} offers "{job}": {why}',
                where=place(self.cluster.path, "services", job, placed.said[0]),
                kept="no host was touched",
                do=f'another engine, or "default" among the roles of {node.name}',
            )


_last: list[Links] = []


def links(cluster: Cluster) -> Links:
    """The same for all plans of a cluster; only the last one is kept."""
    if not _last or _last[0].cluster is not cluster:
        _last[:] = [Links(cluster)]
    return _last[0]


def said(role: str, what: str, kind: type[Any], node: Node, cluster: Cluster) -> tuple[Any, ...]:
    """What a role says in ``OFFERS`` or ``NEEDS``; ``RoleError`` for another type."""
    with as_role_error(role, node, cluster):
        value = role_names(role, cluster).get(what, ())
        items = value(node, cluster) if callable(value) else value
        if not isinstance(items, tuple) or not all(isinstance(each, kind) for each in items):
            raise RoleError(
                f"{what} of the role {role} must be a tuple of {kind.__name__}, and is {items!r}",
                where=where_said(role, what, cluster),
                kept="no host was touched",
                do=f"{what} = (…,)",
            )
        return items


def server(cluster: Cluster, job: str) -> Node:
    """The node that does a job which one node does for all; ``RoleError`` without one."""
    return links(cluster).one(job)[0]


def servers(cluster: Cluster, job: str) -> tuple[Node, ...]:
    """The nodes that do a job which several may do, in the order of the inventory."""
    return tuple(node for node in cluster.nodes if does(node, cluster, job))


def users(cluster: Cluster, job: str) -> tuple[Node, ...]:
    """The nodes that need it, in the order of the inventory."""
    return tuple(links(cluster).users.get(job, ()))


def does(node: Node, cluster: Cluster, job: str) -> bool:
    """Whether a role of the node offers the job."""
    return offered(node, cluster, job) is not None


def offered(node: Node, cluster: Cluster, job: str) -> Offer | None:
    """What a role of the node offers as this job; ``None`` where none does."""
    offers = links(cluster).offers[node.name]
    return next((offer for _, offer in offers if offer.job == job), None)


def needs(node: Node, cluster: Cluster, job: str) -> bool:
    """Whether a role of the node needs the job, whoever does it."""
    return job in links(cluster).needs[node.name]


def neighbours(node: Node, cluster: Cluster) -> tuple[Node, ...]:
    """The other nodes that do what it needs, in the order of the inventory."""
    known = links(cluster)
    found = {
        each.name: each
        for word in known.needs[node.name]
        for each, _, _ in known.servers.get(word, ())
    }
    found.pop(node.name, None)
    return tuple(sorted(found.values(), key=lambda each: known.order[each.name]))


def public(node: Node, cluster: Cluster) -> list[Offer]:
    """What a node offers to everybody."""
    return [o for _, o in links(cluster).offers[node.name] if o.public and o.ports]


def doors(node: Node, cluster: Cluster) -> list[Door]:
    """What a node answers at its private address, and to whom; those of a role with the same
    users are one."""
    known = links(cluster)
    by_role: dict[str, dict[Any, list[Offer]]] = {}
    for role, offer in known.offers[node.name]:
        if offer.public or not offer.ports:
            continue
        asking = {n.name: n for word in (role, offer.job) for n in known.users.get(word, ())}
        others = sorted(asking.keys() - {node.name}, key=known.order.__getitem__)
        found = tuple(asking[name].private for name in others)
        if found:
            same = by_role.setdefault(role, {})
            same.setdefault((found, offer.protocols), []).append(offer)
    return [
        Door(
            role if len(same) == 1 else f"{role}-{offers[0].job}",
            [port for offer in offers for port in offer.ports],
            list(found),
            protocols,
        )
        for role, same in by_role.items()
        for (found, protocols), offers in same.items()
    ]


def told(node: Node, cluster: Cluster) -> list[Told]:
    """What the application on a node is told of the jobs that it needs.

    ``RoleError`` for a job that nobody does, unless ``app.environment`` or ``app.secrets`` has its
    variables: then it
    is done by somebody outside.
    """
    known = links(cluster)
    found = {}
    for word, role in known.needs[node.name].items():
        if word not in known.servers:
            _refuse_unmet(word, role, node, cluster)
            continue
        found.update({each.offer.job: each for each in known.told(word)})
    return list(found.values())


def offers_of_all_roles(node: Node, cluster: Cluster) -> list[tuple[str, Offer]]:
    """What every role that there is would offer on a node. Imports them all: not for each plan."""
    return [
        (name, offer)
        for name in known_roles(cluster.path)
        for offer in said(name, "OFFERS", Offer, node, cluster)
    ]


def _refuse_unmet(job: str, role: str, node: Node, cluster: Cluster) -> None:
    """Imports every role that there is, which only a mistake is worth."""
    all_ = {
        (name, offer.job): list(offer.variables(node, cluster)) if offer.variables else []
        for name, offer in offers_of_all_roles(node, cluster)
    }
    could = sorted(name for name, its in all_ if its == job)
    variables = [each for (_, its), names in all_.items() if its == job for each in names]
    if set(variables) & cluster.app.own_variables:
        return
    outside = f", or, if it is outside, its {variables[0]} in app.environment" if variables else ""
    near = did_you_mean(job, {its for _, its in all_})
    raise RoleError(
        f'{node.name} needs "{job}"{f" for its role {role}" if role else ""}, and no node offers'
        f" that{near}",
        where=where_said(role, "NEEDS", cluster)
        if role
        else place_of_node(cluster, node, "variables", "needs"),
        kept="no host was touched",
        do=f"give a node the role {' or '.join(could)}{outside}" if could else "",
    )
