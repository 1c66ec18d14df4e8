"""systemd services."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, List, Optional, Sequence, Tuple

from nodriza.host import units
from nodriza.resources.base import CHANGED, Resource, State, ids

if TYPE_CHECKING:
    from nodriza.agent.left import Left
    from nodriza.host.host import Host

SETTLE = 0.25  # seconds a service must stay up after a start before it is believed
SAYS_SO = ("notify", "notify-reload", "forking", "dbus")
"""Types of services that say when they are up (systemd.service(5), Type=)."""
ENABLED = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")


@dataclass(frozen=True)
class Service(Resource):
    """A unit that is enabled and running, and follows the files it reads.

    ``reload_on`` and ``restart_on`` name the resources whose change it owes a reload
    or a restart; ``check`` is the program's own checker, asked before it sees them.
    When the checker says no, or the service does not come up, those files go back to
    what they were (``nodriza.agent.transaction``). ``masked``: off, and nothing can start
    it, not even what wants or requires it. ``logs``: files that it writes beside the
    journal. ``stays``: it looks after the host, and not after the cluster, so it runs on when
    the node leaves. ``longer``: seconds beyond ``units.ARRIVE`` that it may take to do what it is
    told, as when it ends its work before it stops. ``steady``: seconds that it has to run on after
    a start before it is believed; one that begins again and again is not as wanted, although it
    runs now and then. ``runs``: of a timer, the service that it begins, for ``fab status``.
    """

    unit: str
    enabled: bool = True
    running: bool = True
    masked: bool = False
    reload_on: Tuple[Any, ...] = ()
    restart_on: Tuple[Any, ...] = ()
    check: Tuple[str, ...] = ()
    logs: Tuple[str, ...] = ()
    stays: bool = False
    longer: int = 0
    steady: int = 0
    runs: str = ""
    UNDOES: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "reload_on", ids(self.reload_on))
        object.__setattr__(self, "restart_on", ids(self.restart_on))
        object.__setattr__(self, "check", tuple(self.check))
        object.__setattr__(self, "logs", tuple(self.logs))

    def wanted(self) -> State:
        """Enabled at boot, and running now; or never to run."""
        if self.masked:
            return {"masked": True, "running": False}
        steady = {"steady": True} if self.steady else {}
        return {"enabled": self.enabled, "running": self.running, **steady}

    @property
    def patience(self) -> int:
        """Seconds for it to do what it is told, and to get where it is going already."""
        return units.ARRIVE + self.longer

    @property
    def owes(self) -> bool:
        """One that is to be off reads nothing."""
        return self.running

    @property
    def full_unit(self) -> str:
        """With its suffix: ``nginx`` is ``nginx.service``."""
        return full_name(self.unit)

    @classmethod
    def look(cls, host: Host, many: Sequence[Service]) -> List[State]:
        """One ``systemctl show`` for all, when each of them has settled (``units.LOOK``)."""
        found = units.settled(host, [service.full_unit for service in many])
        return [_state(found.get(service.full_unit), service) for service in many]

    def mark(self) -> Optional[str]:
        """``longer``, in seconds. One that is to be off, or ``stays``, leaves nothing behind."""
        off = self.masked or not (self.running or self.enabled)
        return None if off or self.stays else str(self.longer)

    def makes(self, now: State) -> bool:
        """Who starts it: one that runs already is somebody else's."""
        return not (now and now["running"])

    @classmethod
    def remains(cls, host: Host, left: Left) -> Optional[str]:
        """It goes unless it is another name of a unit that is planned, or has been masked."""
        unit = units.seen(host, [full_name(left.name)]).get(full_name(left.name))
        if unit is None or unit.load == "not-found" or left.beside.intersection(unit.names):
            return None
        if unit.load == "masked":
            return CHANGED
        return "" if unit.file == "enabled" or unit.state not in units.OFF else None

    @classmethod
    def take_away(cls, host: Host, left: Left) -> None:
        """Stopped and disabled; what it wrote stays."""
        longer = max((int(mark) for mark in left.marks if mark.isdigit()), default=0)
        service = cls(left.name, enabled=False, running=False, longer=longer)
        service.fix(host, {"enabled": True, "running": True})

    def arrived(self, host: Host) -> State:
        """What it is once it has settled; raises when it has not after ``patience``."""
        unit = units.settled(host, [self.full_unit], self.patience).get(self.full_unit)
        if unit and unit.passing:
            host.refuse(
                f"{self.full_unit} is still {unit.state} ({unit.substate}) after"
                f" {self.patience} s. What it waits for: journalctl -u {self.full_unit};"
                " systemctl list-jobs"
            )
        return _state(unit, self)

    def began_since(self, host: Host, when: float) -> bool:
        """Whether anybody started or reloaded it after ``when`` (``time.monotonic``)."""
        unit = units.seen(host, [self.full_unit]).get(self.full_unit)
        return unit is not None and unit.began and unit.moved >= when

    def fix(self, host: Host, now: State) -> None:
        """Enable or disable, start or stop; or mask."""
        now = now or {}
        if self.masked:
            host.run(["systemctl", "mask", "--now", self.full_unit], timeout=self.patience)
            return
        if now.get("masked"):
            host.refuse(
                f"{self.full_unit} is masked: somebody wants it never to start."
                f" If that is over: systemctl unmask {self.full_unit}"
            )
        if now.get("enabled") != self.enabled:
            word = "enable" if self.enabled else "disable"
            # Where there is an init script too, the links for it take 0.3 s and serve nobody
            # (systemd's ENVIRONMENT.md). A unit that is only such a script counts as enabled.
            env = {"SYSTEMCTL_SKIP_SYSV": "1"} if self.enabled else {}
            host.run(["systemctl", word, self.full_unit], env=env)
            host.units_changed = False  # systemd has read them all after it
        if now.get("running") != self.running:
            self.act(host, "start" if self.running else "stop")
        elif self.steady and now.get("steady") is False:
            self.act(host, "start")  # it may be well by now: it is watched, and counted anew

    def act(self, host: Host, action: str) -> None:
        """``start``, ``stop``, ``reload`` or ``restart``; raises with the unit's own words.

        After a reload or a restart what runs has read what was on disk before, in whatever
        state the unit was found.
        """
        verb = self._verb(host, action)
        # A service that failed too often before would refuse a start that could now work.
        host.run(["systemctl", "reset-failed", self.full_unit], check=False)
        done = host.run(["systemctl", verb, self.full_unit], check=False, timeout=self.patience)
        if done.exit or (action != "stop" and not self._stays_up(host, verb)):
            log = host.run(
                ["journalctl", "-u", self.full_unit, "-n", "15", "--no-pager", "-o", "cat"],
                check=False,
            ).out
            host.refuse(
                f"systemctl {verb} {self.full_unit} failed:\n{done.err.strip()}\n{log.strip()}"
            )

    def _verb(self, host: Host, action: str) -> str:
        """The word for ``systemctl``, once systemd has read what is new in unit files.

        Reading them takes as long as many a start. systemd itself sees what a run that was
        cut short has left, by the files' times (systemctl(1), NeedDaemonReload in
        org.freedesktop.systemd1(5)).

        systemd puts a restart in the place of a start that is at work, and a reload after
        the reload that is (its job.c). It has no reload for what is still starting.
        """
        seen = units.show(host, self.full_unit, "LoadState,NeedDaemonReload,ActiveState")
        known = (seen.get("LoadState"), seen.get("NeedDaemonReload")) == ("loaded", "no")
        if host.units_changed or not known:
            units.read_files(host)
        if action != "reload":
            return action
        return "restart" if seen.get("ActiveState") == "activating" else "reload-or-restart"

    def _stays_up(self, host: Host, verb: str) -> bool:
        """It runs, and a moment later the same process still does; for ``steady`` seconds.

        Nobody waits for a socket, or a oneshot that is done: they have none that could die;
        nor for a service that says itself when it is up, unless it was only told to reload.
        """
        process, kind = self._main_process(host)
        says_so = kind in SAYS_SO and verb in ("start", "restart")
        if process in (None, "0") or says_so:
            return process is not None
        until = time.monotonic() + self.steady
        while True:
            time.sleep(SETTLE)
            if self._main_process(host)[0] != process:
                return False
            if time.monotonic() >= until:
                return True

    def _main_process(self, host: Host) -> Tuple[Optional[str], str]:
        """Its number, "0" when the unit is up without one, ``None`` when it is not; its type."""
        seen = units.show(host, self.full_unit, "ActiveState,MainPID,Type")
        up = seen.get("ActiveState") in units.UP
        return (seen.get("MainPID", "0") if up else None), seen.get("Type", "")


def full_name(unit: str) -> str:
    """With its suffix: ``nginx`` is ``nginx.service``."""
    return unit if "." in unit else f"{unit}.service"


def _state(unit: Optional[units.Unit], service: Service) -> State:
    """``began``: something of it may have read its files; ``passing``: it has not settled."""
    if unit is None or unit.load in ("not-found", "bad-setting", "error"):
        # A unit that is not there is off, which may be all that is asked for.
        wanted = service.enabled or service.running or service.masked
        return None if wanted else {"enabled": False, "running": False, "masked": False}
    # Who waits for its next start is not running, but not off either.
    on, off = unit.state in units.UP or unit.coming, unit.state in units.OFF
    return {
        "enabled": unit.file in ENABLED,
        "running": on if service.running else not off,
        "masked": unit.load == "masked",
        "steady": not unit.begins_again,
        "began": unit.began or unit.coming,
        "passing": f"{unit.state} ({unit.substate})" if unit.passing else "",
    }
