"""Which release there is to go back to, and what going back leaves as it is."""

from __future__ import annotations

import dataclasses

import pytest

from nodriza.change.deploy import build_plan
from nodriza.errors import TargetError
from nodriza.release.record import Releases, farewell, of
from nodriza.release.release import Release
from nodriza.resources import Sealed


def releases(
    *served: str, migrations: tuple[str, ...] = (), failed: tuple[str, ...] = (), gone: str = ""
):
    """What the central node has after these served one after the other; "-a": gone back to a."""
    entries = [
        {
            "release": name.lstrip("-"),
            "at": 0.0,  # whatever a clock said
            "how": "rollback" if name.startswith("-") else "deploy",
            "commit": "",
        }
        for name in served
    ]
    there = {entry["release"] for entry in entries} - {gone} | set(failed)
    paths: dict[str, set[str]] = {name: set() for name in there}
    for path in migrations:
        release, _, inside = path.partition("/app/")
        paths[release].add(inside)
    # Numbered in the order of their names.
    seals = {
        name: {"tree": "0" * 64, "sha256": "", "size": 0, "number": number}
        for number, name in enumerate(sorted(there))
    }
    current = entries[-1]["release"] if entries else ""
    facts = {
        "served": entries,
        "current": current,
        "seals": seals,
        "venvs": dict.fromkeys(there, "e"),
        "working": [],
        "pythons": {"e": "cpython-311"},
    }
    return of(facts, paths)


@pytest.mark.parametrize(
    ("served", "former"),
    [
        (("a", "b"), "a"),
        (("c", "a", "b"), "a"),
        # Twice goes one further.
        (("a", "b", "c", "-b"), "a"),
        # What was gone back from is not gone back to: it was not well.
        (("a", "b", "-a", "c"), "a"),
        (("a", "b", "c", "-b", "d"), "b"),
        # An older source once more is a release like any other.
        (("a", "b", "a"), "b"),
        (("a", "b", "-a", "b"), "a"),
    ],
)
def test_former__is_what_led_to_the_one_in_use(served, former):
    assert releases(*served).former().id == former


def test_release_that_never_served__is_none_to_go_back_to():
    there = releases("a", "c", failed=("b",))
    assert there.former().id == "a"
    with pytest.raises(TargetError, match="the release b has never served"):
        there.former("b")


def test_release_that_is_gone__is_passed_over():
    assert releases("a", "b", "c", gone="b").former().id == "a"


def test_former__may_be_named_the_one_that_was_gone_back_from_too():
    assert releases("a", "b", "-a").former("b").id == "b"


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("", "no release served before"),
        ("zzz", "is not there any more"),
        ("a", "serves already"),
    ],
)
def test_refusal__lists_what_there_is(id, words):
    with pytest.raises(TargetError, match=words) as error:
        releases("a", "b", "-a").former(id)
    assert "a (1970-01-01 00:00, serves), b (1970-01-01 00:00)" in error.value.what


def test_nothing_deployed_yet__is_told():
    with pytest.raises(TargetError, match="none"):
        releases().former()


def test_migrations_that_the_database_may_have__are_named():
    """Those of a deploy that failed after them as well: MariaDB does not take them back."""
    there = releases(
        "aaa",
        "bbb",
        failed=("bad",),
        migrations=(
            "aaa/app/videos/migrations/0001_initial.py",
            "bbb/app/videos/migrations/0001_initial.py",
            "bbb/app/videos/migrations/0002_note.py",
            "bad/app/videos/migrations/0003_bad.py",
        ),
    )
    first, then = farewell(there, there.former())
    assert first == (
        "not undone: the database. 2 migrations that aaa does not know, of releases that are kept:"
        " videos/migrations/0002_note.py, videos/migrations/0003_bad.py"
    )
    assert "manage.py migrate" in then


def test_same_migrations__are_said_to_fit():
    there = releases("aaa", "bbb")
    assert farewell(there, there.former()) == [
        "aaa knows every migration that the database may have"
    ]


def test_release_without_its_environment__is_none_to_go_back_to():
    with pytest.raises(TargetError, match="release a has lost its link to an environment"):
        Releases((Release("a", 1.0), Release("b", 2.0, venv="e")), "b", ("a", "b")).former()


def test_kept__are_the_one_that_is_to_serve_and_five_that_served():
    there = releases("a", "b", "c", "d", "e", "f", "g", failed=("bad",))
    assert there.kept("new") == ("new", "g", "f", "e", "d", "c")
    assert there.kept("c") == ("c", "g", "f", "e", "d", "b")
    assert releases("a", "b", failed=("bad",)).kept("b") == ("b", "a"), "and none that never did"


def test_release_in_which_something_works__is_kept_though_it_never_served():
    """A task began in it, and then all went back: it is not written down."""
    there = releases("a", "b", "c", "d", "e", "f", "g", failed=("bad",))
    there = dataclasses.replace(there, working=frozenset({"a", "g", "bad", "gone"}))
    assert there.kept("new") == ("new", "g", "f", "e", "d", "c", "a", "bad")


def test_node_that_lies__does_not_fill_the_disk_of_the_central_one():
    names = [f"r{number}" for number in range(99)]
    there = dataclasses.replace(releases(*names), working=frozenset(names))
    assert len(there.kept("new")) == 26


def test_newest__is_what_was_made_last_of_those_that_are_kept_whatever_served_when():
    there = releases("a", "c", "-a", failed=("d",))
    a, c, d = (there.get(name) for name in "acd")
    assert there.newest(a, there.kept("a")) == c
    assert there.newest(d, there.kept("d")) == d
    assert there.newest(a, ("a",)) == a
    assert there.newest(a, (*there.kept("a"), "d")) == d, "just gone back from"


def test_newest__is_the_one_that_is_about_to_be_made():
    """As a check sees it."""
    new = Release("b")
    there = releases("a", "c")
    assert there.newest(new, there.kept("b")) == new


def test_release__has_its_environment_and_what_both_hold():
    seal = {"tree": "1" * 64, "sha256": "2" * 64, "size": 7}
    facts = {
        "served": [{"release": "aaa", "at": 1.0, "how": "deploy", "commit": "0815abc"}],
        "current": "aaa",
        "seals": {"aaa": {**seal, "size": 8}, "venv-e1": seal},
        "venvs": {"aaa": "e1"},
        "working": [],
        "pythons": {"e1": "cpython-311"},
    }
    (release,) = of(facts).all
    assert (release.venv, release.environment, release.tree["size"]) == ("e1", seal, 8)
    assert release.name == "commit 0815abc (release aaa)"


def test_way_back__tries_the_release_and_touches_neither_code_nor_database(three_node):
    plan = build_plan(three_node, Release("aaa", venv="bbb"))
    declared = [planned.resource for planned in plan.resources]
    kinds = [type(each).__name__ for each in declared]
    assert kinds == ["File", "Preflight", "Sealed", "Sealed"]
    assert {each.path for each in declared if isinstance(each, Sealed)} == {
        "/srv/videoteca/venvs/bbb",
        "/srv/videoteca/releases/aaa",
    }
