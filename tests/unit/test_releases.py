"""Which release there is to go back to, and what going back leaves as it is."""

from __future__ import annotations

import pytest

from nodriza.errors import TargetError
from nodriza.plan import find_role
from nodriza.releases import _releases, farewell
from nodriza.resources import Command, Link

FOLDER = "/srv/shop/releases"


def releases(current: str, migrations: tuple[str, ...] = (), **built: float):
    listing = {f"{FOLDER}/{id}": at for id, at in built.items()}
    listing.update({f"{FOLDER}/{path}": 1.0 for path in migrations})
    return _releases(listing, f"{FOLDER}/{current}", FOLDER)


def test_former__is_the_newest_of_those_that_are_older_than_the_one_in_use():
    there = releases("bbb", aaa=10, ccc=30, bbb=20, old=5)
    assert there.former().id == "aaa"


def test_going_back_twice__goes_further_back():
    there = releases("aaa", aaa=10, bbb=20, ccc=30, old=5)
    assert there.former().id == "old"


def test_former__may_be_named():
    there = releases("bbb", aaa=10, bbb=20, ccc=30)
    assert there.former("ccc").id == "ccc"


@pytest.mark.parametrize(
    ("id", "words"),
    [("", "no release is older"), ("zzz", "is not on the share"), ("aaa", "serves already")],
)
def test_refusal__lists_what_there_is(id, words):
    with pytest.raises(TargetError, match=words) as error:
        releases("aaa", aaa=10, bbb=20).former(id)
    assert "bbb (1970-01-01 00:00), aaa (1970-01-01 00:00, serves)" in error.value.what


def test_nothing_deployed_yet__is_told():
    with pytest.raises(TargetError, match="none"):
        _releases({}, None, FOLDER).former()


def test_migrations_of_the_newer_release_only__are_named():
    there = releases(
        "bbb",
        (
            "aaa/app/videos/migrations/0001_initial.py",
            "bbb/app/videos/migrations/0001_initial.py",
            "bbb/app/videos/migrations/0002_note.py",
        ),
        aaa=10,
        bbb=20,
    )
    first, then = farewell(there, there.former())
    assert first == (
        "not undone: the database. 1 migration of bbb that aaa does not know:"
        " videos/migrations/0002_note.py"
    )
    assert "manage.py migrate" in then


def test_same_migrations__are_said_to_fit_both():
    there = releases("bbb", aaa=10, bbb=20)
    assert farewell(there, there.former()) == [
        "the two releases have the same migrations: the database fits both"
    ]


def test_way_back__tries_the_release_and_touches_neither_code_nor_database(three_node):
    role = find_role("release", three_node)
    declared = list(role(three_node.central, three_node, "aaa"))
    commands = [each.name for each in declared if isinstance(each, Command)]
    assert commands == ["import", "caches"]
    (link,) = [each for each in declared if isinstance(each, Link)]
    assert link.target.endswith("/releases/aaa")
