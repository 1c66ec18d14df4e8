"""What is said of a release that was asked whether it is fit to serve.

The answer is that of ``nodriza/application/preflight.py``: other people's code had it in its
hands, so each part is read as what it has to be, or refused.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional

from nodriza.host.errors import HostError

MARK = "\x1enodriza-preflight "
"""What the answer stands behind; the same as in nodriza/application/preflight.py."""
SHOWN = 12
"""Messages that are shown of each kind."""
BY_NGINX = ("security.W004", "security.W005", "security.W008", "security.W021")
"""HSTS, and HTTP that is sent on to HTTPS: nginx does both, where the inventory has ``tls``."""
FOR_HTTPS = tuple(f"security.W{number:03}" for number in (10, 11, 12, 15, 16, 17))
"""Cookies for HTTPS only: without ``tls`` they would log everybody out."""
ELSEWHERE = ("security.W018", "security.W020")
"""DEBUG and ALLOWED_HOSTS: told by ``refusals``."""
SECRET = ("security.W009", "security.W025")
BREAKING = "fab deploy --breaking"
BACK = "fab deploy --rollback --breaking"


class Break(NamedTuple):
    """An operation of a pending migration that takes something from code which knows it.

    ``own``: the migration is the project's, and not that of a package.
    """

    own: bool
    file: str
    does: str
    takes: str
    way: str
    table: str
    column: str


class Answer(NamedTuple):
    """``host``: whether the site's name is an allowed one. ``given``: whether the secret key is
    that of the environment. ``number``: of pending migrations, of which ``pending`` shows the
    first. ``unfit``: what the database lacks. ``more``: breaks beyond those that are told.
    """

    debug: bool
    host: bool
    given: bool
    places: Dict[str, str]
    errors: List[str]
    warnings: Dict[str, str]
    conflicts: List[str]
    number: int
    first: bool
    unfit: List[str]
    pending: List[str]
    breaks: List[Break]
    more: int


def read(said: str) -> Dict[str, Any]:
    """The object behind the mark. Raises ``HostError`` where there is none."""
    _, mark, text = said.rpartition(MARK)
    try:
        answer = json.loads(text.split("\n", 1)[0]) if mark else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise HostError("the release was asked how it is, and gave no answer")
    return answer


def answered(said: str) -> Answer:
    """What was said, each part of its kind. Raises ``HostError`` where one is not."""
    data = read(said)
    try:
        return Answer(
            debug=bool(data["debug"]),
            host=bool(data["host"]),
            given=bool(data["given"]),
            places={str(name): str(place) for name, place in data["places"].items()},
            errors=[_message(each) for each in data["errors"]],
            warnings={str(each["id"]): _message(each) for each in data["warnings"]},
            conflicts=[str(each) for each in data["conflicts"]],
            number=int(data["count"]),
            first=bool(data["first"]),
            unfit=[str(each) for each in data["unfit"]],
            pending=[str(each) for each in data["pending"]],
            breaks=[_break(each) for each in data["breaks"]],
            more=int(data["more"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HostError(f"the release answers what can't be read: {error!r}") from None


def tables(said: str) -> Dict[str, List[str]]:
    """The columns of each table that code knows. Raises ``HostError``."""
    try:
        found = read(said)["tables"]
        return {str(table): [str(name) for name in names] for table, names in found.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise HostError(f"the release answers what can't be read: {error!r}") from None


def unfit(said: str) -> List[str]:
    """What the database lacks for code that served before. Raises ``HostError``."""
    found = read(said).get("unfit")
    if not isinstance(found, list):
        raise HostError("the release answers what can't be read: no list")
    return [str(each) for each in found]


def hit(breaks: List[Break], known: Optional[Dict[str, List[str]]]) -> List[Break]:
    """Those that hit code which knows these tables and columns; ``None``: nobody could say."""
    if known is None:
        return breaks
    return [
        each
        for each in breaks
        if each.table in known and (not each.column or each.column in known[each.table])
    ]


def refusals(answer: Answer, *, debug: bool, host: str) -> List[str]:
    """Why the release must not serve, each with what to change."""
    found = []
    if answer.debug and not debug:
        found.append(
            f"DEBUG is True{_at(answer, 'DEBUG')}: at each error visitors would see source and"
            " settings\n  write DEBUG = False there. If it shall be so: app: {debug: true} in"
            " the inventory"
        )
    if not answer.host:
        found.append(
            f"ALLOWED_HOSTS{_at(answer, 'ALLOWED_HOSTS')} does not have {host}: each visitor would"
            " be answered 400\n  write there:"
            ' ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")'
        )
    found += [f"manage.py check --deploy: {each}" for each in answer.errors[:SHOWN]]
    if len(answer.errors) > SHOWN:
        found.append(f"and {len(answer.errors) - SHOWN} errors more of manage.py check --deploy")
    found += [
        f"migrations that do not know of each other: {each}\n"
        "  type manage.py makemigrations --merge"
        for each in answer.conflicts[:SHOWN]
    ]
    if answer.unfit:
        found.append(
            "code and database differ, and no migration is pending:\n"
            f"{_listed(answer.unfit)}\n"
            "type manage.py makemigrations, and add to the source what it writes"
        )
    return found


def stuck(found: List[str], release: str) -> str:
    """Why an older release can't work with the database as it is now."""
    return (
        f"release {release} can't work with the database: newer migrations stay applied\n"
        f"{_listed(found)}\n"
        "undo them before (manage.py migrate APP NUMBER, in the release that serves). Where some"
        f" pages may fail: {BACK}"
    )


def harm(breaks: List[Break], more: int, serves: str) -> str:
    """What pending migrations take from the release that serves, and the way around it."""
    lines = [
        f"a migration would break release {serves}, which serves until every child has the new"
        " one, and is gone back to when one is not well"
    ]
    for each in breaks[:SHOWN]:
        lines += [f"{each.file}: {each.does}", f"  {each.takes}"]
        if each.own:
            lines.append(f"  instead: {each.way}")
    if left := len(breaks[SHOWN:]) + more:
        lines.append(f"and {left} more")
    lines.append(f"where visitors may meet errors meanwhile: {BREAKING}")
    return "\n".join(lines)


def warnings(answer: Answer, *, debug: bool, tls: bool) -> List[str]:
    """What is not as it should be, and keeps nobody from serving; each in a line."""
    found = []
    if answer.debug and debug:
        found.append("DEBUG is True, as app.debug of the inventory allows")
    others = []
    for id, message in answer.warnings.items():
        if id in ELSEWHERE or id in BY_NGINX or (id in FOR_HTTPS and not tls):
            continue
        if id in SECRET and answer.given:
            continue  # it is shorter than Django's own, and made by chance all the same
        if id in SECRET:
            found.append(
                f"SECRET_KEY is a weak one{_at(answer, 'SECRET_KEY')}: write there"
                ' SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]'
            )
        elif id.startswith("security."):
            found.append(f"manage.py check --deploy: {message}")
        else:
            others.append(id)
    if others:
        found.append(f"manage.py check says more: {', '.join(sorted(others)[:SHOWN])}")
    return found


def _listed(found: List[str]) -> str:
    more = [f"  and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "\n".join([f"  {each}" for each in found[:SHOWN]] + more)


def _at(answer: Answer, name: str) -> str:
    place = answer.places.get(name)
    return f" ({place})" if place else ""


def _break(data: Dict[str, Any]) -> Break:
    texts = (str(data[name]) for name in Break._fields[1:])
    return Break(bool(data["own"]), *texts)


def _message(data: Dict[str, Any]) -> str:
    about = f"{data['about']}: " if data["about"] else ""
    hint = f" {data['hint']}" if data["hint"] else ""
    return f"{about}({data['id']}) {data['words']}{hint}"
