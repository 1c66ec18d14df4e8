"""A secret's new value in the place of the old one, on a cluster that goes on serving.

A server that is told one password before its clients know it refuses them, and the other
way round. So both values are accepted for a while. Where a rotation stands is in two
files beside the inventory, the secrets (``nodriza.vault.store``) and the list of what is being
rotated (``nodriza.vault.rotating``), which is all that plans depend on::

    step         secrets                          listed   accepted   in use
                 mysql_app                                 it         it
    1 announce   mysql_app, mysql_app.next        yes      both       the old one
    2 use        mysql_app, mysql_app.old         yes      both       the new one
    3 drop       mysql_app, mysql_app.old         no       new        the new one
                 mysql_app                                 new        the new one

From one line to the next is one write, made when every node is as the line before says.
Whatever happens in between, the nodes are as one of two neighbouring lines says, and any
two of those work together. After an interruption the same command continues where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

from nodriza.errors import HostRefused, SecretError
from nodriza.plan.plan import plan_node
from nodriza.plan.secret_uses import refuse_unfit
from nodriza.vault.rotating import Rotating
from nodriza.vault.store import Values, Vault, made_up
from nodriza.vault.token import OTHER
from nodriza.vault.value import NEXT, OLD

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

PATIENCE = 60  # seconds for a child to serve again after a reload


class Step(IntEnum):
    """What all nodes are being brought to."""

    NONE = 0
    ANNOUNCE = 1
    USE = 2
    DROP = 3

    @property
    def words(self) -> str:
        """For a person who watches."""
        return (
            "",
            "every server accepts the new value as well",
            "every program uses the new value",
            "every server refuses the old value",
        )[self]


class Rotation:
    """The rotation of one secret of a cluster."""

    def __init__(self, name: str, vault: Vault, rotating: Rotating) -> None:
        self.name = name
        self.vault = vault
        self.rotating = rotating

    @property
    def step(self) -> Step:
        """Where it stands; the secrets are opened for it."""
        values = self.vault.values()
        listed = self.name in self.rotating.read()
        if self.name + OLD in values:
            return Step.USE if listed else Step.DROP
        return Step.ANNOUNCE if listed or self.name + NEXT in values else Step.NONE

    def run(self, bring: Callable[[Step], None], *, keep_old: bool = False) -> None:
        """All of it, or what is left of it.

        ``bring`` brings every node of the cluster, as its inventory is then, to the step;
        it raises when one of them is not there, and the rotation stays at that step.
        ``keep_old``: end before the old value is dropped.
        """
        if self.step <= Step.ANNOUNCE:
            # The value first: who plans with the list and without the value makes one up.
            self.vault.change(lambda now: {self.name + NEXT: made_up(), **now})
            self.rotating.add(self.name)
            bring(Step.ANNOUNCE)
            self.vault.change(self._switch)
        if self.step == Step.USE:
            bring(Step.USE)
            if keep_old:
                return
            self.rotating.remove(self.name)
        bring(Step.DROP)
        self.vault.change(lambda now: {key: now[key] for key in now if key != self.name + OLD})

    def _switch(self, now: Values) -> Values:
        if self.name + NEXT not in now:
            return now  # another operator was faster
        after = {key: value for key, value in now.items() if key != self.name + NEXT}
        return {**after, self.name: now[self.name + NEXT], self.name + OLD: now[self.name]}

    def at_once(self) -> None:
        """A new value with no overlap; a rotation that was under way ends with it."""
        self._refuse_what_is_not_ours()
        self.vault.replace_at_once(self.name)
        self.rotating.remove(self.name)

    def refuse_without_overlap(self, cluster: Cluster) -> None:
        """Raise ``SecretError`` unless some server accepts two values of this secret."""
        self._refuse_what_is_not_ours()
        during = cluster.model_copy(update={"rotating": cluster.rotating | {self.name}})
        plans = [plan_node(node, during) for node in cluster.nodes]
        if not any(self.name + OTHER in plan.secrets for plan in plans):
            raise SecretError(
                f"nothing in the roles accepts two values of {self.name} at a time",
                kept="nothing was changed",
                do=f'let its role render cluster.accepted("{self.name}"), or have a gap:'
                f" fab secrets.rotate {self.name} --at-once",
            )
        value = self.vault.value(self.name)  # which is the other one for a while
        refuse_unfit(plans, {self.name: value, self.name + OTHER: value})

    def _refuse_what_is_not_ours(self) -> None:
        if "\n" in self.vault.value(self.name):  # which raises when there is none
            raise SecretError(
                f"{self.name} has several lines, and is nothing that could be made up here",
                kept="nothing was changed",
                do=f"fab secrets.set {self.name} <NEW_FILE",
            )

    def stands(self) -> str:
        """What there is to know when it has not ended."""
        where = {
            Step.NONE: "the rotation has not begun",
            Step.ANNOUNCE: "in rotation; the old value is in use and good everywhere",
            Step.USE: "in rotation; the new value comes into use, both are good everywhere",
            Step.DROP: "in rotation; the new value is in use and good everywhere",
        }
        return f"{self.name}: {where[self.step]}"


def shown(names: Iterable[str], since: dict[str, str]) -> list[str]:
    """The secrets as lines for a person, with what is being rotated."""
    names = set(names)
    lines = []
    for name in sorted(name for name in names if not name.endswith((NEXT, OLD))):
        words = ""
        if name + OLD in names:
            words = "the new value is in use, the old one "
            words += "still accepted" if name in since else "goes"
        elif name + NEXT in names or name in since:
            words = "the old value is in use, the new one comes"
        when = f" since {since[name]}" if name in since else ""
        lines.append(f"{name}  (in rotation{when}: {words})" if words else name)
    return lines


def children_answer(cluster: Cluster) -> None:
    """Raise ``HostRefused`` unless every child gets its visitors an answer."""
    # Not for the sake of plans: an HTTP client takes its time to import.
    from nodriza.smoke import Failed, Site  # noqa: PLC0415

    site = Site(cluster)
    until = time.monotonic() + PATIENCE
    for child in site.children:
        said = ""
        while time.monotonic() < until or not said:
            try:
                answer = site.get(child, "/")
                said = f"{answer.status}: {answer.text[:200].strip()}"
                if answer.status < 500:
                    break
            except Failed as failed:
                said = failed.got
            time.sleep(0.5)
        else:
            raise HostRefused(
                f"{child.name} does not serve: {said}",
                where=child.name,
                kept="the nodes are as they are, the rotation stays at this step",
                do=f"fab status; fab logs:{child.name}",
            )
