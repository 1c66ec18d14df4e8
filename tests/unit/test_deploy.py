"""A release is named by its content."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from nodriza import deploy
from nodriza.deploy import release_id, requirements_id
from nodriza.errors import SourceError
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


def test_archive__changes_with_a_file(tmp_path):
    first = archive(source(tmp_path))
    (tmp_path / "app" / "x.py").write_text("x = 2")
    assert release_id(first) != release_id(archive(tmp_path))


def test_archive__keeps_links_and_who_may_execute(tmp_path):
    source(tmp_path)
    (tmp_path / "link").symlink_to("app/x.py")
    with tarfile.open(fileobj=io.BytesIO(archive(tmp_path))) as tar:
        assert tar.getmember("link").linkname == "app/x.py"
        assert tar.getmember("manage.py").mode == 0o755
        assert tar.getmember("app/x.py").mode == 0o644


def test_requirements__are_those_that_travel(tmp_path):
    source(tmp_path)
    (tmp_path / "requirements.txt").write_text(
        "-r requirements/base.txt\n-c https://x.test/c.txt\n"
    )
    with pytest.raises(SourceError, match=r"requirements/base.txt is not among the files"):
        requirements_id(read_source(tmp_path), "requirements.txt")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/base.txt").write_text("-r ../more.txt\ndjango\n")
    (tmp_path / "more.txt").write_text("celery\n")
    before = requirements_id(read_source(tmp_path), "requirements.txt")
    (tmp_path / "more.txt").write_text("celery<6\n")
    assert requirements_id(read_source(tmp_path), "requirements.txt") != before
