"""Databases and their users in MariaDB.

Everything goes through the ``mariadb`` client, as root over the server's socket, in
batch mode with the statements on stdin.
"""

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

from nodriza.agent.host import CommandFailed
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host

CLIENT = ["mariadb", "--protocol=socket", "--batch", "--skip-column-names"]
CLIENT += ["--default-character-set=utf8mb4"]
NO_SERVER = ("ERROR 2002", "ERROR 2013")  # can't connect; gone while connecting
ALL = "ALL"
GRANT_OPTION = "GRANT OPTION"
PLUGIN = "mysql_native_password"
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
class Database(Resource):
    """A database with a default character set; tables that exist keep their own."""

    name: str
    charset: str = "utf8mb4"

    def wanted(self) -> State:
        """The default character set, by the name that the server gives it."""
        return {"charset": self.charset}

    @classmethod
    def look(cls, host: Host, many: Sequence[Database]) -> List[State]:
        """All at once; none where there is no server."""
        rows = ask(
            host,
            "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA;",
        )
        found = {row[0]: row[1] for row in rows or []}
        return [{"charset": found[db.name]} if db.name in found else None for db in many]

    def fix(self, host: Host, now: State) -> None:
        """CREATE or ALTER DATABASE."""
        verb = "CREATE" if now is None else "ALTER"
        charset = string(self.charset)
        tell(host, f"{verb} DATABASE {identifier(self.name)} CHARACTER SET = {charset};")


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
        return [one and {"password": one.password, "grants": one.shown_grants} for one in found]

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


class Account(NamedTuple):
    """What the server knows of an account; ``grants``: pattern to privileges."""

    password: str
    grants: Dict[str, Set[str]]
    every: int

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


def identifier(name: str) -> str:
    """A name in backticks. ``ValueError`` for one that MariaDB doesn't take."""
    bad = any(char < " " or char > "\uffff" or "\ud800" <= char <= "\udfff" for char in name)
    if bad or not 1 <= len(name) <= 64 or name.endswith(" "):
        raise ValueError(f"not a name for a database: {name!r}")
    return "`" + name.replace("`", "``") + "`"


def string(text: str) -> str:
    """A string literal, for a session without NO_BACKSLASH_ESCAPES."""
    special = {"\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z", "'": "\\'", "\\": "\\\\"}
    return "'" + "".join(special.get(char, char) for char in text) + "'"


def pattern(database: str) -> str:
    """A database's name as GRANT takes it, where "_" and "%" would stand for others."""
    return re.sub(r"([\\_%])", r"\\\1", database)


def ask(host: Host, query: str) -> Optional[List[List[str]]]:
    """The rows of some queries; ``None`` where there is no server, or none that runs."""
    result = host.run(CLIENT, input=query, check=False, timeout=60)
    if result.exit == 127 or result.err.startswith(NO_SERVER):
        return None
    if result.exit:
        raise CommandFailed(result)
    lines = result.out.split("\n")[:-1]
    return [[_unescaped(value) for value in line.split("\t")] for line in lines]


def tell(host: Host, statements: str) -> None:
    """Run statements; ``CommandFailed`` has the server's words."""
    host.run(CLIENT, input=f"SET SESSION sql_mode = 'NO_AUTO_CREATE_USER';\n{statements}\n")


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


def _unescaped(value: str) -> str:
    letters = {"n": "\n", "t": "\t", "0": "\0"}
    return re.sub(r"\\(.)", lambda match: letters.get(match[1], match[1]), value)
