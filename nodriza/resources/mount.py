"""File systems that are mounted, and stay so."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Optional, Sequence, Tuple

from nodriza.host.dead_mounts import comes_back, dead_among, detach, refuse_unless_mountable
from nodriza.host.errors import HostError
from nodriza.host.mounts import FSTAB, MountEntry, find_entry, mounts_of, write_entry
from nodriza.host.path import is_shared
from nodriza.resources.base import CHANGED, Resource, State, Value

if TYPE_CHECKING:
    from nodriza.agent.left import Left
    from nodriza.host.host import Host

AUTOMOUNT = "x-systemd.automount"
REMOTE = ("_netdev", "nofail")  # a node boots, and can be reached, without its share
PATIENCE = 60  # seconds that systemd gets for a mount or an unmount
SAME = {"nfs": "nfs4", "glusterfs": "fuse.glusterfs", "sshfs": "fuse.sshfs"}
"""The type in fstab to the one that the kernel shows."""


@dataclass(frozen=True)
class Mount(Resource):
    """A line in fstab(5) and the file system that it speaks of, mounted.

    With ``automount`` systemd mounts it at the first access (systemd.automount(5)), so
    that a node boots while the server is away, where the kernel has autofs; elsewhere it
    is mounted at boot. For devices and network file systems, not for bind mounts.

    A network mount whose server has forgotten it (nodriza/host/dead_mounts.py) counts as not
    mounted, and is mounted anew: services that had files of it open are stopped meanwhile.
    """

    path: str
    source: str
    fstype: str
    options: Tuple[str, ...] = ()
    automount: bool = True
    FROM_ANOTHER: ClassVar[bool] = True

    def wanted(self) -> State:
        """The fstab line's options (the kernel adds its own), and that it is in use."""
        return {
            "source": self.source,
            "fstype": self.fstype,
            "options": ",".join(self._options()) or "defaults",
            "automount": self.automount,
            "mounted": True,
        }

    def _options(self) -> List[str]:
        added = [option for option in REMOTE if self.automount and option not in self.options]
        return [*self.options, *added]

    @classmethod
    def look(cls, host: Host, many: Sequence[Mount]) -> List[State]:
        """fstab and mountinfo, read once each.

        Nothing at or below the mount point is touched, because a dead server would hang us; but
        for one bounded question to each network mount that seems to be as wanted.
        """
        fstab, mounts, can = host.read(FSTAB) or b"", mounts_of(host), _can_automount(host)
        states = [mount._look(host, find_entry(fstab, mount._at), mounts, can) for mount in many]
        mounted = {mount._at for mount, state in zip(many, states) if state and state["mounted"]}
        dead = dead_among(host, [at for at in mounted if _is_on_network(mounts.get(at, ()))])
        for mount, state in zip(many, states):
            if state and mount._at in dead and state["mounted"] is True:
                state["mounted"] = f"dead: {dead[mount._at]}"
        return states

    @property
    def _at(self) -> str:
        return posixpath.normpath(self.path)

    def _look(
        self,
        host: Host,
        entry: Optional[MountEntry],
        mounts: Dict[str, List[MountEntry]],
        can: bool,
    ) -> State:
        here = mounts.get(self._at, [])
        if entry is None and not here:
            return None
        options = [] if entry is None else entry.options.split(",")
        state: Dict[str, Value] = {
            "source": entry and entry.source,
            "fstype": entry and entry.fstype,
            "options": ",".join(option for option in options if option != AUTOMOUNT),
            "automount": self._automounted(AUTOMOUNT in options, can),
            "mounted": self._mounted(host, here),
        }
        return state

    def _automounted(self, declared: bool, can: bool) -> Value:
        if self.automount and not can:  # then not having it is what is wanted
            return "this host has no autofs" if declared else True
        return declared

    def _mounted(self, host: Host, here: Sequence[MountEntry]) -> Value:
        real = [mount for mount in here if mount.fstype != "autofs"]
        if not real:
            return self.automount if here else False  # the automount waits for an access
        top = real[-1]
        if SAME.get(self.fstype, self.fstype) != SAME.get(top.fstype, top.fstype):
            return f"{top.source} ({top.fstype})"
        # UUID=, LABEL=: the kernel shows the device.
        by_tag = "=" in self.source.split("/", 1)[0]
        same = _plain(resolved(host, self.source)) == _plain(_behind(host, top.source))
        return True if by_tag or same else top.source

    def fix(self, host: Host, now: State) -> None:
        """Unmount what is there, write the line, mount.

        In this order, so that a run killed in between finds nothing mounted and goes on.
        """
        services: List[str] = []
        if _is_on_network(mounts_of(host).get(self._at, ())) and dead_among(host, [self._at]):
            refuse_unless_mountable(host, self._at, self.source, self.fstype, self._options())
            if not comes_back(host, self._at):
                services = detach(host, self._at)
            elif Mount.look(host, [self])[0] == self.wanted():
                return
        if self._at in mounts_of(host):
            self._unmount(host)
        host.mkdirs(self._at)
        automount = self.automount and _can_automount(host)
        options = [*self._options(), *([AUTOMOUNT] if automount else [])]
        entry = MountEntry(self.source, self.fstype, ",".join(options) or "defaults")
        write_entry(host, self._at, entry)
        unit = unit_name(self._at, "automount" if automount else "mount")
        try:
            host.run(["systemctl", "start", unit], timeout=PATIENCE)
        except HostError as error:
            host.refuse(f"{self.path} can't be mounted: {error}\n{self._journal(host)}")
        if services:
            host.note(f"{self.path} was dead; {', '.join(services)} had files of it open")
            # Whether they come up is for their own resources to see.
            host.run(["systemctl", "start", "--no-block", *services], check=False)

    def mark(self) -> str:
        """What is mounted."""
        return f"{self.source} {self.fstype}"

    @classmethod
    def remains(cls, host: Host, left: Left) -> Optional[str]:
        """It goes while its line in fstab is about the same."""
        entry = find_entry(host.read(FSTAB) or b"", posixpath.normpath(left.name))
        if entry is None:
            return None
        return "" if f"{entry.source} {entry.fstype}" in left.marks else CHANGED

    @classmethod
    def take_away(cls, host: Host, left: Left) -> None:
        """Unmounted, unless it is in use; then its line goes. All that is on it stays there."""
        mount = cls(left.name, "", "")
        if mount._at in mounts_of(host):
            mount._unmount(host)
        write_entry(host, mount._at, None)

    def _unmount(self, host: Host) -> None:
        # The mount first: stopping the automount would detach it, busy or not.
        unit = unit_name(self._at, "mount")
        if any(mount.fstype != "autofs" for mount in mounts_of(host)[self._at]):
            host.run(["systemctl", "stop", unit], check=False, timeout=PATIENCE)
        if any(mount.fstype != "autofs" for mount in mounts_of(host).get(self._at, [])):
            host.refuse(
                f"{self.path} is in use and can't be unmounted; it is left as it was."
                f" Who uses it: fuser -vm {self.path}\n{self._journal(host)}"
            )
        automount = unit_name(self._at, "automount")
        host.run(["systemctl", "stop", automount], check=False, timeout=PATIENCE)

    def _journal(self, host: Host) -> str:
        unit = unit_name(self._at, "mount")
        host.run(["journalctl", "--sync"], check=False, timeout=10)
        show = ["journalctl", f"--unit={unit}", "--lines=6", "--no-pager", "--output=cat"]
        return host.run(show, check=False, timeout=10).out.strip()


def _is_on_network(here: Sequence[MountEntry]) -> bool:
    return bool(here) and is_shared(here[-1].fstype)


def mounted_at(host: Host, path: str) -> bool:
    """Whether something is mounted at a folder, an automount that waits included."""
    return posixpath.normpath(path) in mounts_of(host)


def resolved(host: Host, source: str) -> str:
    """A device by the name that the kernel shows: /dev/disk/by-id and LVM's are links."""
    for _ in range(8 if source.startswith("/dev/") else 0):
        link = host.readlink(source)
        if link is None:
            break
        source = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return source


def _behind(host: Host, source: str) -> str:
    """The image file of a loop device (loop(4)); other sources as they are."""
    if not source.startswith("/dev/loop"):
        return source
    file = host.read(f"/sys/block/{posixpath.basename(source)}/loop/backing_file")
    return (file or b"").decode("utf-8", "surrogateescape").strip() or source


def unit_name(path: str, suffix: str) -> str:
    """The unit of a mount point, escaped as systemd.unit(5) says ("systemd-escape --path")."""
    parts = [part for part in path.split("/") if part]
    escaped = "-".join(re.sub(rb"[^A-Za-z0-9:_.]", _hex, part.encode()).decode() for part in parts)
    if escaped.startswith("."):
        escaped = r"\x2e" + escaped[1:]
    return f"{escaped or '-'}.{suffix}"


def _hex(match: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % ord(match.group())


def _can_automount(host: Host) -> bool:
    known = (host.read("/proc/filesystems") or b"").split()
    return b"autofs" in known and host.stat("/dev/autofs") is not None


def _plain(source: str) -> str:
    # A share's root may be written "host:/name", "host:name" or with a slash at the end.
    host, colon, path = source.partition(":")
    return host + colon + path.strip("/") if colon else source.rstrip("/")
