"""The loop: look, find the gap, record what becomes due, fix, look again."""

from __future__ import annotations

import itertools
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from nodriza.agent.journal import Journal
from nodriza.agent.rolling import Gate, without_others
from nodriza.agent.transaction import Followers, Rejected, settle, unless_started
from nodriza.host import units
from nodriza.host.errors import HostError, Stopped
from nodriza.host.files import UNITS
from nodriza.host.host import Host
from nodriza.host.os_errors import told
from nodriza.resources.base import Gap, Resource, State, gap_between
from nodriza.resources.health import Health
from nodriza.resources.service import Service

NO_TURN = "its turn did not come"
INTERRUPTED = "the run was interrupted"
UNITS_DEBT = "systemd:units"
"""What systemd itself is owed, in the journal: a look at its unit files."""
Emit = Callable[[Dict[str, Any]], None]


class Converge:
    """One plan on one host. ``check``: change nothing, say what would change.

    ``ask``: wait for this node's turn to change, and say whether it came; ``True``: it serves.
    ``note``: told of neighbours in the plan and how they are, before they change.
    """

    def __init__(
        self,
        host: Host,
        journal: Journal,
        resources: Sequence[Resource],
        emit: Emit,
        *,
        check: bool = False,
        diff: bool = False,
        stop: Callable[[], bool] = lambda: False,
        ask: Callable[[bool], bool] = lambda _: True,
        note: Callable[[Sequence[Resource], Dict[str, State]], None] = lambda *_: None,
    ) -> None:
        self.host = host
        self.journal = journal
        self.resources = resources
        self.emit = emit
        self.check = check
        self.diff = diff
        self.stop = stop
        self.note = note
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.followers = Followers(resources)
        self.gate = Gate(host, journal, resources, ask, emit)
        self.changed: Set[str] = set()
        self.counts = {"ok": 0, "changed": 0, "failed": 0, "skipped": 0}
        self._before_turn = without_others(resources, is_new=journal.last_run() is None)
        self._old_debts = {debt["id"] for debt in journal.all_owed()}
        self._dirty = False
        self._seen: Set[str] = set()
        """Ids of what was looked at since anything changed; of what a check foretold as well."""
        if UNITS_DEBT in self._old_debts:
            host.units_changed = True

    def run(self) -> Dict[str, int]:
        """Every resource in order; the first that fails leaves the rest untouched."""
        states = dict(self._look(self.resources))
        why_not = ""
        for group in _neighbours(self.resources):
            if why_not:
                for resource in group:
                    self._say(resource, "skipped", words=why_not)
                continue
            if self._dirty:  # an earlier fix may have changed what these look like
                states.update(self._look(group))
            if self._needs_turn(group, states):
                if not self.gate.leave(self.since):
                    why_not = NO_TURN
                    for resource in group:
                        self._say(resource, "skipped", words=why_not)
                    continue
                # Others have been at work meanwhile.
                self._moved()
                states.update(self._look(group))
            if not self.check:
                self.note(group, states)
            why_not = self._group(group, states)
        self._let_units_be_read()
        self.gate.end()
        return self.counts

    def _let_units_be_read(self) -> None:
        """What no service of this run has seen to: a drop-in of a mount, of a timer's service."""
        if self.check:
            return
        try:
            if self.host.units_changed:
                units.read_files(self.host)
            self.journal.settle(UNITS_DEBT)
        except HostError as error:
            self.emit({"event": "warning", "words": str(error)})

    def _needs_turn(self, group: Sequence[Resource], states: Dict[str, State]) -> bool:
        """Something is to change, and nobody has said yet that it may.

        ``Health`` needs no turn, and neither does a resource that depends on no other node, if
        this node serves no visitors: doing it early keeps its turn short.
        """
        ahead = all(each.ahead for each in group)
        if self.check or self.gate.open or ahead or isinstance(group[0], Health):
            return False
        if not any(gap_between(r, states[r.id]) or self._owed(r) for r in group):
            return False
        return group[0] not in self._before_turn or self.gate.serves()

    def _moved(self) -> None:
        """What was seen of others may be old by now."""
        self._dirty = True
        self._seen.clear()

    def _look(self, resources: Sequence[Resource]) -> Iterator[Tuple[str, State]]:
        """All of a kind at once."""
        by_kind: Dict[type, List[Resource]] = {}
        for resource in resources:
            by_kind.setdefault(type(resource), []).append(resource)
        for kind, many in by_kind.items():
            states = kind.look(self.host, many)  # type: ignore[attr-defined]
            self._seen.update(resource.id for resource in many)
            yield from zip((resource.id for resource in many), states)

    def _group(self, group: Sequence[Resource], states: Dict[str, State]) -> str:
        """Neighbours of one kind. Returns why the rest must wait, or nothing."""
        if hasattr(type(group[0]), "fix_together") and not self.check:
            return self._together(group, states)
        why_not = ""
        for resource in group:
            if self.stop():
                why_not = why_not or INTERRUPTED
            if why_not:
                self._say(resource, "skipped", words=why_not)
                continue
            if resource.ALONE and resource.id not in self._seen:
                states.update(self._look([resource]))
            why_not = self._one(resource, states[resource.id])
        return why_not

    def _one(self, resource: Resource, now: State) -> str:
        """Returns why the rest must wait, or nothing."""
        began = time.monotonic()
        gap = gap_between(resource, now)
        due = self._due(resource)
        if now and now.get("passing") and isinstance(resource, Service) and not gap and not due:
            try:
                now = self._arrived(resource, now)
            except HostError as error:
                self._failed(resource, gap, "", str(error), began)
                return f"after {resource.id} failed"
            gap = gap_between(resource, now)
        if not gap and not due:
            self._say(resource, "ok", began=began)
            return ""
        if self.check:
            diff = self._diff(resource, now) if gap else ""
            try:
                if gap:
                    self._seen.clear()  # what follows may know of the answer
                    resource.foretell(self.host)
            except (HostError, OSError) as error:
                self._failed(resource, gap, diff, told(error, resource.subject), began)
                return f"after {resource.id} failed"
            self._changed(resource, gap, diff, unless_started(due, now, gap), began)
            return ""
        diff = self._diff(resource, now) if gap else ""
        self.emit({"event": "doing", "id": resource.id})
        self._moved()
        try:
            done = self._fix(resource, now, gap)
            self._see_again([resource])
        except Rejected as error:
            if error.restored:
                paths = error.restored
                self.emit({"event": "restored", "unit": resource.subject, "paths": paths})
            self._failed(resource, gap, diff, str(error), began)
            return f"after {resource.id} failed"
        except Stopped:
            self._say(resource, "skipped", words=INTERRUPTED)
            return INTERRUPTED
        except (HostError, OSError) as error:
            self._failed(resource, gap, diff, told(error, resource.subject), began)
            return f"after {resource.id} failed"
        self._changed(resource, gap, diff, done or unless_started(due, now, gap), began)
        return ""

    def _arrived(self, service: Service, now: State) -> State:
        """What becomes of a service that systemd is just bringing up.

        A run waits for it, because what comes next may need it; a check says so.
        """
        if self.check:
            words = f"{service.full_unit} is {now and now['passing']}: it counts as up"
            self.emit({"event": "warning", "words": words})
            return now
        self.emit({"event": "doing", "id": service.id})
        self._moved()
        return service.arrived(self.host)

    def _together(self, group: Sequence[Resource], states: Dict[str, State]) -> str:
        """A kind that closes all its gaps in one go, as apt does."""
        began = time.monotonic()
        gaps = {resource.id: gap_between(resource, states[resource.id]) for resource in group}
        missing = [resource for resource in group if gaps[resource.id]]
        words = ""
        if missing:
            self.emit({"event": "doing", "id": " ".join(resource.id for resource in missing)})
            self._moved()
            try:
                for resource in missing:
                    self.followers.owe(self.journal, resource, self.since)
                type(group[0]).fix_together(self.host, missing)  # type: ignore[attr-defined]
                self._see_again(missing)
            except (HostError, OSError) as error:
                words = told(error, group[0].subject)
        for resource in group:
            if resource not in missing:
                self._say(resource, "ok")
            elif words:
                self._failed(resource, gaps[resource.id], "", words, began)
            else:
                # The time of all is told once, at the first.
                self._changed(resource, gaps[resource.id], "", None, began)
                began = time.monotonic()
        return f"after {missing[0].id} failed" if words else ""

    def _fix(self, resource: Resource, now: State, gap: Gap) -> Optional[str]:
        if isinstance(resource, Health):
            self.gate.pass_through(resource)
            return None
        resource.vet(self.host)
        self.followers.owe(self.journal, resource, self.since)
        if resource.subject.startswith(UNITS) and not self.host.units_changed:
            self.journal.owe(UNITS_DEBT, "daemon-reload", None, self.since)
        if isinstance(resource, Service):
            return settle(self.host, self.journal, resource, now, gap)
        resource.fix(self.host, now)
        self.journal.settle(resource.id)
        return None

    def _see_again(self, resources: Sequence[Resource]) -> None:
        """What counts is what the host shows, not an exit code."""
        for resource, (_, now) in zip(resources, self._look(resources)):
            left = gap_between(resource, now)
            if left:
                words = ", ".join(
                    f"{key} is {'not as wanted' if key in resource.HIDDEN else repr(seen)}"
                    for key, (seen, _) in left.items()
                )
                self.host.refuse(f"{resource.id} was changed, and still {words}")

    def _due(self, resource: Resource) -> Optional[str]:
        """What a change elsewhere, in this run or in one that was cut short, makes due."""
        debt = self._owed(resource)
        if debt is None:
            if not resource.owes:
                return None
            return self.followers.due(self.changed, resource) if self.check else None
        if debt["run"] != self.journal.run:
            self.emit({"event": "owed", **{key: debt[key] for key in ("id", "action", "since")}})
        return str(debt["action"])

    def _owed(self, resource: Resource) -> Optional[Dict[str, Any]]:
        if not resource.owes:
            return None
        if not self._dirty and resource.id not in self._old_debts:
            return None
        return self.journal.owed(resource.id)

    def _diff(self, resource: Resource, now: State) -> str:
        try:
            return resource.diff(self.host, now) if self.diff else ""
        except (HostError, OSError) as error:
            return f"no diff: {told(error, resource.subject)}"

    def _changed(
        self, resource: Resource, gap: Gap, diff: str, due: Optional[str], began: float
    ) -> None:
        self.changed.add(resource.id)
        self._say(resource, "changed", gap=gap, diff=diff, words=due or "", began=began)

    def _failed(self, resource: Resource, gap: Gap, diff: str, words: str, began: float) -> None:
        self._say(resource, "failed", gap=gap, diff=diff, words=words, began=began)

    def _say(
        self,
        resource: Resource,
        status: str,
        *,
        gap: Optional[Gap] = None,
        diff: str = "",
        words: str = "",
        began: Optional[float] = None,
    ) -> None:
        self.counts[status] += 1
        shown = {
            key: ["hidden", "hidden"] if key in resource.HIDDEN else list(values)
            for key, values in (gap or {}).items()
        }
        self.emit(
            {
                "event": "resource",
                "id": resource.id,
                "status": status,
                "gap": shown,
                "diff": diff,
                "words": words,
                "seconds": round(time.monotonic() - began, 3) if began else 0.0,
            }
        )


def _neighbours(resources: Sequence[Resource]) -> Iterator[List[Resource]]:
    for _, group in itertools.groupby(resources, key=type):
        yield list(group)
