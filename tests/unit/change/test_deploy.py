"""A release is named by its content."""

from __future__ import annotations

import hashlib
import json
import os

from nodriza.change.deploy import build_plan, release_id
from nodriza.release.release import Release
from nodriza.source.git import EXECUTABLE, FILE, LINK
from nodriza.source.requirements import Requirements
from nodriza.source.tree import read_source

NEEDS = Requirements("requirements.txt", "one", "uv")


def source(folder):
    (folder / "app").mkdir(parents=True)
    (folder / "manage.py").write_text("print()")
    (folder / "manage.py").chmod(0o755)
    (folder / "app" / "x.py").write_text("x = 1")
    return folder


def manifest(folder):
    return {name: rest for name, *rest in json.loads(read_source(folder).manifest)}


def test_release__is_the_same_for_the_same_files(tmp_path, monkeypatch):
    first, second = source(tmp_path / "1"), source(tmp_path / "2")
    os.utime(second / "manage.py", (1, 1))
    (second / "app/x.py").chmod(0o600)
    before = release_id(read_source(first), NEEDS)
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert release_id(read_source(second), NEEDS) == before, "made at another time"


def test_deploy__has_the_releases_to_itself_while_it_goes_from_node_to_node(three_node):
    assert build_plan(three_node, Release("new", venv="e")).releases


def test_release__changes_with_a_file(tmp_path):
    first = release_id(read_source(source(tmp_path)), NEEDS)
    (tmp_path / "app" / "x.py").write_text("x = 2")
    second = release_id(read_source(tmp_path), NEEDS)
    (tmp_path / "app" / "x.py").chmod(0o755)
    assert len({first, second, release_id(read_source(tmp_path), NEEDS)}) == 3


def test_release__is_another_with_other_requirements(tmp_path):
    here, other = read_source(source(tmp_path)), Requirements("uv.lock", "two", "uv")
    assert release_id(here, NEEDS) == release_id(here, NEEDS)
    assert release_id(here, NEEDS) != release_id(here, other)


def test_release__is_another_after_other_build_commands(tmp_path):
    here = read_source(source(tmp_path))
    assert release_id(here, NEEDS) != release_id(here, NEEDS, "npm ci")
    assert release_id(here, NEEDS, "a", "b") != release_id(here, NEEDS, "a b")


def test_manifest__has_links_and_who_may_execute(tmp_path):
    source(tmp_path)
    (tmp_path / "link").symlink_to("app/x.py")
    (tmp_path / os.fsdecode(b"\xff \n")).write_text("odd")
    rows = manifest(tmp_path)
    assert rows["link"] == [LINK, 8, hashlib.sha256(b"app/x.py").hexdigest()]
    assert rows["manage.py"][0] == EXECUTABLE
    assert rows["app/x.py"] == [FILE, 5, hashlib.sha256(b"x = 1").hexdigest()]
    assert os.fsdecode(b"\xff \n") in rows


def test_parts__are_the_manifest_and_the_contents_in_order(tmp_path):
    here = read_source(source(tmp_path))
    assert b"".join(here.pieces([(0, 0)])) == here.manifest
    assert b"".join(here.pieces([(1, 2)])) == b"x = 1print()"
    assert b"".join(here.pieces([(2, 2)])) == b"print()"
    assert here.size_of([(1, 2)]) == here.size == 12
