"""A release is named by its content."""

from __future__ import annotations

import io
import os
import tarfile

from nodriza import deploy
from nodriza.deploy import release_id
from nodriza.release import Release
from nodriza.requirements import Requirements
from nodriza.source import read_source


def source(folder):
    (folder / "app").mkdir(parents=True)
    (folder / "manage.py").write_text("print()")
    (folder / "manage.py").chmod(0o755)
    (folder / "app" / "x.py").write_text("x = 1")
    return folder


def archive(folder):
    return deploy.archive(read_source(folder))


def test_archive__is_the_same_bytes_for_the_same_files(tmp_path, monkeypatch):
    first, second = source(tmp_path / "1"), source(tmp_path / "2")
    os.utime(second / "manage.py", (1, 1))
    before = archive(first)
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert archive(second) == before, "made at another time"


def test_deploy__has_the_releases_to_itself_while_it_goes_from_node_to_node(three_node):
    plan = deploy.build_plan(three_node, Release("new", venv="e"), b"source")
    assert plan.releases


def test_archive__changes_with_a_file(tmp_path):
    first = archive(source(tmp_path))
    (tmp_path / "app" / "x.py").write_text("x = 2")
    needs = Requirements("requirements.txt", "one", "uv")
    assert release_id(first, needs) != release_id(archive(tmp_path), needs)


def test_release__is_another_with_other_requirements(tmp_path):
    data, one = archive(source(tmp_path)), Requirements("requirements.txt", "one", "uv")
    assert release_id(data, one) == release_id(data, one)
    assert release_id(data, one) != release_id(data, Requirements("uv.lock", "two", "uv"))


def test_release__is_another_after_other_build_commands(tmp_path):
    data, one = archive(source(tmp_path)), Requirements("requirements.txt", "one", "uv")
    assert release_id(data, one) != release_id(data, one, "npm ci")
    assert release_id(data, one, "a", "b") != release_id(data, one, "a b")


def test_archive__keeps_links_and_who_may_execute(tmp_path):
    source(tmp_path)
    (tmp_path / "link").symlink_to("app/x.py")
    with tarfile.open(fileobj=io.BytesIO(archive(tmp_path))) as tar:
        assert tar.getmember("link").linkname == "app/x.py"
        assert tar.getmember("manage.py").mode == 0o755
        assert tar.getmember("app/x.py").mode == 0o644
