"""The floor sees what the project sees."""

import getpass
import grp
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from bench import floor_host
from bench.given import checks
from nodriza.host.host import Host
from nodriza.plan.plan import Planned
from nodriza.resources import Command, Directory, File, Link, Package, User
from nodriza.resources.base import Resource, gap_between

ME, MINE = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
OWN: dict[str, Any] = {"owner": ME, "group": MINE}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file, a directory, a link."""
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("content\n")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    return tmp_path


def wanted(folder: Path) -> list[tuple[Resource, bool]]:
    """Resources, and whether they are so."""
    file, mode = f"{folder}/file", "0640"
    return [
        (File(file, "content\n", mode=mode, **OWN), True),
        (File(file, "contenT\n", mode=mode, **OWN), False),
        (File(file, "longer content\n", mode=mode, **OWN), False),
        (File(file, "content\n", mode="0644", **OWN), False),
        (File(file, "content\n", mode=mode, owner=ME, group="daemon"), False),
        (File(f"{folder}/nothing", "", **OWN), False),
        (File(f"{folder}/link", "file", **OWN), False),
        (Directory(str(folder), **OWN), True),
        (Directory(file, mode=mode, **OWN), False),
        (Link(f"{folder}/link", "file"), True),
        (Link(f"{folder}/link", "other"), False),
        (Link(file, "file"), False),
        (Package("libc6"), True),
        (Package("no-such-package"), False),
        (Command("yes", ("true",), unless=("true",)), True),
        (Command("no", ("true",), unless=("false",)), False),
        (Command("made", ("true",), creates=f"{folder}/file"), True),
        (Command("not made", ("true",), creates=f"{folder}/nothing"), False),
        (User("root", shell="/bin/bash"), True),
        (User("root", shell="/bin/false"), False),
        (Command("after a change", ("true",), on_change=("file:/a",)), True),
    ]


@pytest.mark.parametrize("index", range(21))
def test_it_finds_a_gap_where_the_project_does_and_nowhere_else(folder: Path, index: int) -> None:
    resource, right = wanted(folder)[index]
    (now,) = type(resource).look(Host(), [resource])
    assert bool(gap_between(resource, now)) is not right
    found = floor_host.main(checks([Planned(resource, "").to_data()]))
    assert bool(found) is not right


def test_it_names_what_is_not_so(folder: Path) -> None:
    (check,) = checks([Planned(File(f"{folder}/file", "other\n\n\n", **OWN), "").to_data()])
    ((noun, subject, now),) = floor_host.main([check])
    assert (noun, subject) == ("file", f"{folder}/file")
    assert now["mode"] == "0640"
    assert check[2]["sha256"] == hashlib.sha256(b"other\n\n\n").hexdigest()
