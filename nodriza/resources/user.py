"""Users of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Optional, Sequence, Tuple

from nodriza.resources.base import Resource, State, gap_between
from nodriza.resources.group import in_root, read_table

if TYPE_CHECKING:
    from nodriza.host.host import Host

OPTIONS = {"uid": "-u", "group": "-g", "home": "-d", "shell": "-s", "groups": "-G"}
"""Attribute to the option that useradd(8) and usermod(8) have for it."""


@dataclass(frozen=True)
class User(Resource):
    """A system user without a password; what isn't given is left as it is.

    ``home`` is only what passwd(5) says: the directory itself is a ``Directory``.
    ``groups`` are the supplementary ones that it must be in; others it is in stay.
    Without ``group`` a new user gets the group of its own name.
    """

    name: str
    uid: Optional[int] = None
    group: str = ""
    home: str = ""
    shell: str = "/usr/sbin/nologin"
    groups: Tuple[str, ...] = ()
    STAYS: ClassVar[str] = "files belong to its number"

    def wanted(self) -> State:
        """Only what was given."""
        given = {
            "uid": self.uid,
            "group": self.group or None,
            "home": self.home or None,
            "shell": self.shell,
            "groups": ",".join(sorted(set(self.groups))) or None,
        }
        return {
            "exists": True,
            **{key: value for key, value in given.items() if value is not None},
        }

    @classmethod
    def look(cls, host: Host, many: Sequence[User]) -> List[State]:
        """passwd(5) and group(5), each read once."""
        users = {row[0]: row for row in read_table(host, "/etc/passwd", 7)}
        groups = read_table(host, "/etc/group", 4)
        names = {row[2]: row[0] for row in groups}
        states: List[State] = []
        for user in many:
            row = users.get(user.name)
            if row is None:
                states.append(None)
                continue
            member = {g[0] for g in groups if user.name in g[3].split(",") or g[2] == row[3]}
            states.append(
                {
                    "exists": True,
                    "uid": int(row[2]),
                    "group": names.get(row[3], row[3]),
                    "home": row[5],
                    "shell": row[6],
                    "groups": ",".join(sorted(member.intersection(user.groups))),
                }
            )
        return states

    def fix(self, host: Host, now: State) -> None:
        """useradd(8) or usermod(8).

        The password field is "*": no password fits, and unlike "!" (useradd's own choice)
        sshd(8) does not take the account for a locked one.
        """
        wanted, gap = self.wanted() or {}, gap_between(self, now)
        if now is None:
            words = ["useradd", "--system", "--no-create-home", "--password", "*"]
            if not self.group:
                words += ["-g", self.name] if self._group_exists(host) else ["--user-group"]
            if not self.home:
                words += ["-d", "/nonexistent"]  # Debian Policy 9.2.3
        else:
            words = ["usermod", *(["--append"] if "groups" in gap else [])]
        due = [key for key in OPTIONS if key in (wanted if now is None else gap)]
        options = [word for key in due for word in (OPTIONS[key], str(wanted[key]))]
        host.run([*words, *in_root(host), *options, self.name])

    def _group_exists(self, host: Host) -> bool:
        return any(row[0] == self.name for row in read_table(host, "/etc/group", 4))
