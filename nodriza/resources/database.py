"""Databases in MariaDB.

Everything goes through the ``mariadb`` client, as root over the server's socket, in
batch mode with the statements on stdin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    ClassVar,
    List,
    Optional,
    Sequence,
)

from nodriza.host.errors import CommandFailed
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

CLIENT = ["mariadb", "--protocol=socket", "--batch", "--skip-column-names"]
CLIENT += ["--default-character-set=utf8mb4"]
NO_SERVER = ("ERROR 2002", "ERROR 2013")  # can't connect; gone while connecting


@dataclass(frozen=True)
class Database(Resource):
    """A database with a default character set; tables that exist keep their own."""

    name: str
    charset: str = "utf8mb4"
    STAYS: ClassVar[str] = "its data stay"

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


def drop(host: Host, name: str, address: str) -> None:
    """DROP USER, which leaves connections that are open as they were, then KILL."""
    account = f"{string(name)}@{string(address)}"
    tell(host, f"DROP USER IF EXISTS {account};\nKILL USER {account};")


def _unescaped(value: str) -> str:
    letters = {"n": "\n", "t": "\t", "0": "\0"}
    return re.sub(r"\\(.)", lambda match: letters.get(match[1], match[1]), value)
