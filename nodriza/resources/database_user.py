"""Accounts in MariaDB."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Dict,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from nodriza.resources.base import CHANGED, Resource, State
from nodriza.resources.database import ask, drop, identifier, string, tell

if TYPE_CHECKING:
    from nodriza.agent.left import Left
    from nodriza.host.host import Host

ALL = "ALL"
GRANT_OPTION = "GRANT OPTION"
PLUGIN = "mysql_native_password"
HERE = ("localhost", "127.0.0.1", "::1")
ACCOUNTS = r"""
SELECT 'every', COUNT(*) FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'db'
   AND COLUMN_NAME LIKE '%\_priv' AND COLUMN_NAME <> 'Grant_priv';
SELECT 'user', User, Host, Priv FROM mysql.global_priv;
SELECT 'grant', GRANTEE, TABLE_SCHEMA, PRIVILEGE_TYPE, IS_GRANTABLE
  FROM information_schema.SCHEMA_PRIVILEGES;
"""
"""All that ``DatabaseUser.look`` needs. "every": how many privileges ALL stands for in
this version, which is one column of mysql.db each."""


@dataclass(frozen=True)
class DatabaseUser(Resource):
    """An account that may log in from ``host`` with ``password``, and no other way.

    ``also``: more passwords that are as good, while one is being exchanged for another.

    ``grants``: pairs of a database and its privileges, "ALL" or "SELECT, INSERT". On
    databases that are not listed it loses what it has; privileges of other levels
    (global, of one table) are left alone.
    """

    name: str
    host: str
    password: str
    grants: Tuple[Tuple[str, str], ...] = ()
    also: Tuple[str, ...] = ()

    HIDDEN: ClassVar[Tuple[str, ...]] = ("password",)

    def __post_init__(self) -> None:
        pairs = tuple((database, privileges) for database, privileges in self.grants)
        object.__setattr__(self, "grants", pairs)
        object.__setattr__(self, "also", tuple(self.also))
        if not all(self._passwords):
            raise ValueError(f"{self.id} has no password")
        if "'" in self.name + self.host:
            raise ValueError(f"{self.id}: no quotes in the name of an account")
        for word in set().union(*self._privileges().values()):
            if not re.fullmatch(r"[A-Z]+( [A-Z]+)*", word):
                raise ValueError(f"{self.id}: {word!r} is not a privilege")

    @property
    def subject(self) -> str:
        """The same name from two hosts is two accounts."""
        return f"{self.name}@{self.host}"

    def wanted(self) -> State:
        """The passwords as the server keeps them, in no order."""
        either = " or ".join(sorted(map(hashed, self._passwords)))
        return {"password": either, "grants": _shown(self._privileges())}

    @property
    def _passwords(self) -> Tuple[str, ...]:
        return (self.password, *self.also)

    def _privileges(self) -> Dict[str, Set[str]]:
        """By the pattern that GRANT takes, in which "_" and "%" stand for others."""
        return {
            pattern(database): {
                ALL if word == "ALL PRIVILEGES" else word
                for word in (part.strip().upper() for part in privileges.split(","))
            }
            for database, privileges in self.grants
        }

    @classmethod
    def look(cls, host: Host, many: Sequence[DatabaseUser]) -> List[State]:
        """All at once; none where there is no server."""
        accounts = _accounts(host)
        found = [accounts.get((user.name, user.host)) for user in many]
        return [one and one.state for one in found]

    def mark(self) -> str:
        """A digest of how it logs in and of what it may do."""
        return _digest(self.wanted())

    @classmethod
    def remains(cls, host: Host, left: Left) -> Optional[str]:
        """It goes while it is as a plan made it; there is none where there is no server."""
        name, _, address = left.name.rpartition("@")
        found = _accounts(host).get((name, address))
        if found is None:
            return None
        return "" if _digest(found.state) in left.marks else CHANGED

    @classmethod
    def take_away(cls, host: Host, left: Left) -> None:
        """With its connections; its tables stay."""
        name, _, address = left.name.rpartition("@")
        drop(host, name, address)

    def fix(self, host: Host, now: State) -> None:
        """Adds before it takes away, so that a service at work is not interrupted."""
        account = f"{string(self.name)}@{string(self.host)}"
        verb = "CREATE" if now is None else "ALTER"
        ways = [f"{PLUGIN} USING {string(hashed(password))}" for password in self._passwords]
        login = f"IDENTIFIED VIA {' OR '.join(ways)}"
        there = _accounts(host).get((self.name, self.host), Account("", {}, 0)).grants
        wanted = self._privileges()
        statements = [f"{verb} USER {account} {login};"]
        for database, words in wanted.items():
            statements.append(f"GRANT {_list(words)} ON {identifier(database)}.* TO {account};")
        for database, words in there.items():
            keep = wanted.get(database, set())
            extra = words & {GRANT_OPTION} - keep if ALL in keep else words - keep
            if extra:
                from_it = f"ON {identifier(database)}.* FROM {account}"
                statements.append(f"REVOKE {_list(extra)} {from_it};")
        tell(host, "\n".join(statements))

    @classmethod
    def strays(cls, host: Host, many: Sequence[DatabaseUser]) -> List[str]:
        """Accounts that log in from elsewhere and are not among ``many``.

        Those of this host itself are its administrator's.
        """
        known = {(user.name, user.host) for user in many}
        return [
            f"{name}@{address} may log in to the database"
            + (f" ({account.shown_grants})" if account.shown_grants else "")
            for (name, address), account in sorted(_accounts(host).items())
            if (name, address) not in known and address not in HERE
        ]


class Account(NamedTuple):
    """What the server knows of an account; ``grants``: pattern to privileges."""

    password: str
    grants: Dict[str, Set[str]]
    every: int

    @property
    def state(self) -> State:
        """As ``DatabaseUser.wanted`` has it."""
        return {"password": self.password, "grants": self.shown_grants}

    @property
    def shown_grants(self) -> str:
        """With ALL for all that there are."""
        return _shown(
            {
                name: words & {GRANT_OPTION} | {ALL}
                if len(words - {GRANT_OPTION}) == self.every
                else words
                for name, words in self.grants.items()
            }
        )


def hashed(password: str) -> str:
    """What PASSWORD() makes of it: the form in which ``mysql_native_password`` is kept."""
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - the server's own algorithm
    return "*" + hashlib.sha1(once).hexdigest().upper()  # noqa: S324


def pattern(database: str) -> str:
    """A database's name as GRANT takes it, where "_" and "%" would stand for others."""
    return re.sub(r"([\\_%])", r"\\\1", database)


def _digest(state: State) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _accounts(host: Host) -> Dict[Tuple[str, str], Account]:
    rows = ask(host, ACCOUNTS) or []
    every = next((int(row[1]) for row in rows if row[0] == "every"), 0)
    grants: Dict[str, Dict[str, Set[str]]] = {}
    for _, grantee, database, privilege, grantable in (r for r in rows if r[0] == "grant"):
        words = grants.setdefault(grantee, {}).setdefault(database, set())
        words.update({privilege} - {"USAGE"})
        words.update({GRANT_OPTION} if grantable == "YES" else ())
    accounts = {}
    for _, name, address, priv in (r for r in rows if r[0] == "user"):
        of_it = grants.get(f"'{name}'@'{address}'", {})
        accounts[name, address] = Account(_password(json.loads(priv)), of_it, every)
    return accounts


def _password(priv: Dict[str, Any]) -> str:
    """How an account logs in; ``priv`` is its row of mysql.global_priv."""
    # IDENTIFIED VIA … OR …: all the ways, {} is the one that stands outside of the list.
    ways = [way or priv for way in priv.get("auth_or", [{}])]
    for way in ways:
        if way.get("plugin", "") not in ("", PLUGIN):
            return f"{way['plugin']} or others"
    return " or ".join(sorted(way.get("authentication_string", "") for way in ways))


def _shown(grants: Dict[str, Set[str]]) -> str:
    shown = (f"{_list(words)} on {name}" for name, words in sorted(grants.items()) if words)
    return "; ".join(shown)


def _list(words: Set[str]) -> str:
    return ", ".join(sorted(words))
