"""The plan of a node: its resources in order, every template rendered, plain data.

Pure: no host, no clock, no network. The same inventory gives the same bytes.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
import runpy
import stat
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza.errors import NodrizaError, RoleError, TargetError
from nodriza.plan.render import ROOT, Renderer, Template, own_folder
from nodriza.resources import Package, Resource, to_data
from nodriza.vault.token import names_in

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

Declared = Resource | Template
BESIDE = ("OFFERS", "NEEDS", "BACKUPS", "SMOKE", "SHOWN")
"""What a role says beside its function (``nodriza.plan.offers``, ``nodriza.plan.backups``,
``nodriza.smoke``, ``nodriza.watch.topology``)."""
Role = Callable[..., Iterator[Declared]]
"""Takes the node and the cluster; ``release`` takes what is released as well."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A resource and the line of the role that declared it."""

    resource: Resource
    origin: str

    def to_data(self) -> dict[str, Any]:
        """JSON-ready; what ``fab plan --json`` prints."""
        return {**self.to_request(), "origin": self.origin}

    def to_request(self) -> dict[str, Any]:
        """JSON-ready; what travels to the host."""
        return {"id": self.resource.id, **to_data(self.resource)}


@dataclass(frozen=True)
class Plan:
    """Everything that one node shall be."""

    node: str
    resources: tuple[Planned, ...]
    together: bool = False
    """Nobody of its wave has a turn before all have got as far (``nodriza.rollout.turns``)."""
    releases: bool = False
    """Whether the run has this node's releases to itself, from here to the end of its waves."""
    whole: bool = False
    """All that the cluster wants of the node: what an earlier such plan made there and this one
    does not have is taken away (``nodriza.agent.left``)."""
    keepers: Mapping[str, str] = field(default_factory=dict)
    """Of a whole plan: who keeps the data of each job (``nodriza.plan.keepers``)."""
    uses: tuple[str, ...] = ()
    """Those of these jobs that the node does or needs."""

    def to_data(self) -> list[dict[str, Any]]:
        """Secrets are tokens in it."""
        return [planned.to_data() for planned in self.resources]

    def to_request(self) -> list[dict[str, Any]]:
        """What the host is sent; secrets are tokens in it as well."""
        return [planned.to_request() for planned in self.resources]

    @property
    def secrets(self) -> set[str]:
        """The names of the secrets that it needs."""
        return names_in(str([planned.resource for planned in self.resources]))

    def origin(self, id: str) -> str:
        """The role's file and line that declared a resource."""
        return next((p.origin for p in self.resources if p.resource.id == id), "")


def plan_node(node: Node, cluster: Cluster, renderer: Renderer | None = None) -> Plan:
    """What the roles of ``node`` ask for."""
    items = (item for name in node.roles for item in declared(name, node, cluster))
    return make_plan(items, node, cluster, renderer or Renderer.of(cluster))


def declared(
    name: str, node: Node, cluster: Cluster, *more: Any
) -> Iterator[tuple[Declared, str]]:
    """What a role yields, each with its line; a mistake in it is a ``RoleError``."""
    with as_role_error(name, node, cluster):
        yield from with_origin(find_role(name, cluster)(node, cluster, *more))


@contextlib.contextmanager
def as_role_error(name: str, node: Node, cluster: Cluster) -> Iterator[None]:
    """A mistake in a role's code is a ``RoleError`` with the role's own line."""
    try:
        yield
    except NodrizaError:
        raise
    except Exception as error:
        words = error.msg if isinstance(error, SyntaxError) else error
        raise RoleError(
            f"the role {name} does not work for {node.name}: {type(error).__name__}: {words}",
            where=_line_of(error, own_folder(cluster, "roles")),
            kept="no host was touched",
        ) from error


def _line_of(error: Exception, own: Path) -> str:
    """Where a role went wrong: its own line, not that of a library which it called."""
    if isinstance(error, SyntaxError):
        return f"{_shown(str(error.filename))}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    folders = (own, ROOT / "roles")
    last = next((f for f in reversed(frames) if Path(f.filename).parent in folders), frames[-1])
    return f"{_shown(last.filename)}:{last.lineno}"


def make_plan(
    items: Iterable[tuple[Declared, str]], node: Node, cluster: Cluster, renderer: Renderer
) -> Plan:
    """Render and number what was declared. The same resource twice counts once.

    Two different ones with the same id are a mistake in the roles: ``RoleError``.
    """
    planned: dict[str, Planned] = {}
    for item, origin in items:
        resource = renderer.render(item, node, cluster) if isinstance(item, Template) else item
        first = planned.setdefault(resource.id, Planned(resource, origin))
        if first.resource is not resource and first.resource != resource:
            raise RoleError(
                f"{resource.id} is declared twice, differently, here and in {first.origin}",
                where=origin,
                kept="no host was touched",
            )
    # The release has a plan of its own; what follows it says so by this.
    _refuse_unknown_references(planned, node, {f"link:{cluster.app.current}"})
    return Plan(node.name, tuple(_in_order(planned.values())))


def find_role(name: str, cluster: Cluster) -> Role:
    """The generator function of a role: ``nginx`` in ``roles/nginx.py``.

    A role of that name in the user's own ``roles/`` wins over a shipped one.
    """
    names = role_names(name, cluster)
    role: Role | None = names.get(name)
    if role is None:
        raise RoleError(f"a function {name} is missing in it", where=str(names["__file__"]))
    return role


def role_names(name: str, cluster: Cluster) -> Mapping[str, Any]:
    """What is in a role's file, by name. One's own has of a shipped one of that name what it does
    not say itself: what is ``BESIDE`` the function.
    """
    own = f"{own_folder(cluster, 'roles')}/{name}.py"
    try:
        seen = os.stat(own)  # noqa: PTH116  asked for each role of each node
    except OSError:
        return _shipped_role(name)
    if stat.S_ISREG(seen.st_mode) and own != f"{ROOT}/roles/{name}.py":
        return _own_role(own, name, seen.st_mtime_ns)
    return _shipped_role(name)


def has_own(name: str, cluster: Cluster) -> bool:
    """Whether a role is the repository's, and not a shipped one."""
    return not str(role_names(name, cluster)["__file__"]).startswith(f"{ROOT}/roles/")


@functools.cache
def _own_role(path: str, name: str, _changed: int) -> Mapping[str, Any]:
    """Run once for all nodes, and again once it was changed."""
    own = runpy.run_path(path)
    if importlib.util.find_spec(f"nodriza.roles.{name}"):
        shipped = _shipped_role(name)
        said = {what: shipped[what] for what in BESIDE if what in shipped}
        return {**said, **own}
    return own


@functools.cache
def _shipped_role(name: str) -> Mapping[str, Any]:
    try:
        return vars(importlib.import_module(f"nodriza.roles.{name}"))
    except ModuleNotFoundError as error:
        if error.name != f"nodriza.roles.{name}":
            raise
        raise TargetError(f"no role {name} in roles/") from None


def with_origin(declared: Iterator[Declared]) -> Iterator[tuple[Declared, str]]:
    """Each resource with the line that yields it, through helper generators as well."""
    for item in declared:
        frame: Any = declared
        while getattr(frame, "gi_yieldfrom", None) is not None and hasattr(
            frame.gi_yieldfrom, "gi_frame"
        ):
            frame = frame.gi_yieldfrom
        yield item, _line(frame.gi_frame.f_code.co_filename, frame.gi_frame.f_lineno)


@functools.cache
def _line(file: str, number: int) -> str:
    return f"{_shown(file)}:{number}"


def where_said(name: str, what: str, cluster: Cluster) -> str:
    """A role's file, and the line on which it says ``OFFERS`` or ``NEEDS``."""
    file = str(role_names(name, cluster)["__file__"])
    text = Path(file).read_text("utf-8", errors="replace").splitlines()
    at = (number for number, line in enumerate(text, 1) if line.startswith((what, f"def {what}")))
    return f"{_shown(file)}:{next(at, 1)}"


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _in_order(planned: Iterable[Planned]) -> list[Planned]:
    """Packages in one go; how the node is after all of it comes last."""
    return sorted(_gather_packages(planned), key=lambda each: each.resource.FOLLOWS_ALL)


def _gather_packages(planned: Iterable[Planned]) -> list[Planned]:
    """All packages where the first one stands: one run of apt instead of one a role.

    They start nothing, so nothing can run before its configuration has come; and when the
    mirror can't be reached, that is known before anything else has changed.
    """
    planned = list(planned)
    packages = [each for each in planned if isinstance(each.resource, Package)]
    if not packages:
        return planned
    first = planned.index(packages[0])
    rest = [each for each in planned[first:] if not isinstance(each.resource, Package)]
    return [*planned[:first], *packages, *rest]


def _refuse_unknown_references(
    declared: dict[str, Planned], node: Node, elsewhere: set[str]
) -> None:
    known = {*declared, *elsewhere}
    for id, planned in declared.items():
        for which in ("reload_on", "restart_on", "on_change"):
            for reference in getattr(planned.resource, which, ()):
                if reference not in known:
                    raise RoleError(
                        f"{id}: {which} names {reference}, which is not in the plan of"
                        f" {node.name}",
                        where=planned.origin,
                        kept="no host was touched",
                    )


def plan_all(cluster: Cluster, nodes: Sequence[Node]) -> list[Plan]:
    """One plan a node; no host in reach is needed."""
    renderer = Renderer.of(cluster)
    return [plan_node(node, cluster, renderer) for node in nodes]
