"""A backup put in the place of what nodes have, in turn: looked at, rebuilt beside, swapped.

What takes long comes first, while everything serves. Then the programs that use the data end, the
data are swapped by a rename, and the programs begin again. Killed in between, the same command
does it all once more; what was there before is aside, and never overwritten.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nodriza.backup.made import Made, RunName
from nodriza.backup.nodes import Said, ask, do, program, with_backups, wrong
from nodriza.errors import HostRefused, NodrizaError, TargetError
from nodriza.plan.backups import backups
from nodriza.plan.plan import plan_all
from nodriza.release.plan import followers
from nodriza.resources import Service
from nodriza.ssh.bounded import Line, Number
from nodriza.watch.backups import age
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

Show = Callable[[str, str], None]
STOP = (
    'by=$(systemctl show -P TriggeredBy "$unit");'
    ' if systemctl --quiet is-active "$unit"; then echo "$unit" >>"$note"; fi;'
    ' systemctl stop $by "$unit" || exit 1'
)
START = (
    'by=$(systemctl show -P TriggeredBy "$unit");'
    ' if grep -qsxF "$unit" "$note"; then systemctl start "$unit" $by || exit 1;'
    ' else echo "$unit did not run before: fab provision starts it";'
    ' for each in $by; do systemctl start "$each" || exit 1; done; fi'
)
"""For ``$unit``, with the ``$note`` of those that ran."""


class Part(Said):
    """What would be put where, and what is there now."""

    name: Line
    run: RunName
    host: Line
    there: bool
    program: bool
    live: Annotated[dict[Line, int], Field(max_length=100)]


class Look(Said):
    """A node's answer."""

    parts: Annotated[list[Part], Field(max_length=100)]
    seconds: Number
    now: Number


class Restore:
    """One restore; ``at`` and ``only`` as they were typed."""

    def __init__(
        self, cluster: Cluster, at: str, only: str, *, sudo_password: str | None = None
    ) -> None:
        self.cluster = cluster
        self.at = at
        self.only = only
        self.sudo_password = sudo_password
        having = with_backups(cluster)
        names = [each.name for node in having for each in backups(node, cluster)]
        if only and only not in names:
            raise TargetError(
                f"--only {only[:60]}: no role backs that up{did_you_mean(only, names)}",
                kept="nothing was done",
                do=f"choose from {', '.join(dict.fromkeys(names))}",
            )
        self.nodes = [
            node
            for node in having
            if not only or only in {each.name for each in backups(node, cluster)}
        ]

    def look(self) -> dict[str, Look]:
        """What each node would do; the first that can't is an error, and nothing was touched."""
        words = ["look", self.at, self.only]
        found = ask(self.cluster, self.nodes, words, Look, sudo_password=self.sudo_password)
        good = {}
        for name, each in found.items():
            if isinstance(each, NodrizaError):
                raise HostRefused(
                    each.what, where=name, kept="nothing was changed anywhere", do=each.do
                )
            good[name] = each
        return good

    def words(self, looks: Mapping[str, Look]) -> Iterator[str]:
        """For a person who decides: what comes, how old it is, and what goes."""
        for name, look in looks.items():
            for part in look.parts:
                made = Made(run=part.run, host=part.host)
                old = age(look.now - made.began)
                to = f", and on to {self.at} UTC" if self.at and part.program else ""
                yield f"{name}: {part.name} from the backup of {made.when} UTC, {old} old{to}"
                has = ", ".join(f"{number} {what}" for what, number in part.live.items())
                yield f"  now there: {has or 'nothing'}"
        seconds = max((look.seconds for look in looks.values()), default=0)
        if seconds:
            yield f"its last trial took {seconds:.0f} s"

    def refuse(self, looks: Mapping[str, Look], fab: str, *, replace: bool) -> None:
        """Raise ``TargetError`` where data would be replaced that nobody said to replace."""
        there = [
            f"{part.name} of {name}"
            for name, look in looks.items()
            for part in look.parts
            if part.there
        ]
        if there and not replace:
            words = ["restore", *(["--at", shlex.quote(self.at)] if self.at else [])]
            words += ["--only", self.only] if self.only else []
            raise TargetError(
                f"there are data: {', '.join(there)}",
                kept="nothing was changed",
                do=f"{fab} {' '.join(words)} --replace, which keeps them aside",
            )

    def run(self, show: Show) -> Iterator[str]:
        """All of it; raises where a node does not do its part."""
        began = time.monotonic()
        self._all("prepare", show, "nothing was replaced", self.at, self.only)
        programs = dict(self._programs())
        stopped = time.monotonic()
        try:
            self._systemctl("stop", programs, show)
            self._all("place", show, "what was there before, on the nodes")
        finally:
            self._systemctl("start", programs, show)
        now = time.monotonic()
        away = f"the application was away for {now - stopped:.0f} s"
        yield f"restored in {now - began:.0f} s; {away}"

    def _all(self, word: str, show: Show, kept: str, *words: str) -> None:
        line = program(self.cluster, "start", word, *words)
        commands = dict.fromkeys((node.name for node in self.nodes), line)
        ended = do(self.cluster, commands, show, sudo_password=self.sudo_password)
        if bad := wrong(ended):
            raise HostRefused("; ".join(bad), kept=kept, do="the same command again")

    def _programs(self) -> Iterator[tuple[str, list[str]]]:
        """Node to the services that are the application's: they follow its releases."""
        for plan in plan_all(self.cluster, self.cluster.nodes):
            found = [
                it.full_unit for it, _ in followers(self.cluster, plan) if isinstance(it, Service)
            ]
            if found:
                yield plan.node, found

    def _systemctl(self, word: str, programs: Mapping[str, list[str]], show: Show) -> None:
        """With what would start them meanwhile (a socket, a timer).

        Those that ran are noted on the node, and only they are started: another one may have no
        release yet. A restore that is killed between the two leaves the note for the next.
        """
        note = f"/run/{self.cluster.app.name}-restore"
        line = STOP if word == "stop" else START
        end = "" if word == "stop" else f"; rm -f {note}"
        commands = {
            node: f"note={note}; for unit in {shlex.join(units)}; do {line}; done{end}"
            for node, units in programs.items()
        }
        ended = do(self.cluster, commands, show, sudo_password=self.sudo_password)
        if bad := wrong(ended):
            raise HostRefused(
                f"the application's programs do not all {word}: {'; '.join(bad)}",
                kept="the data are whole",
                do="fab status; fab provision starts what is not running",
            )
