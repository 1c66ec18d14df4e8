"""A release is named by its content."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile

import pytest

from nodriza.deploy import archive, release_id, release_plan
from nodriza.errors import NodrizaError


def source(folder):
    (folder / "app").mkdir(parents=True)
    (folder / "manage.py").write_text("print()")
    (folder / "manage.py").chmod(0o755)
    (folder / "app" / "x.py").write_text("x = 1")
    return folder


def names(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def test_archive__is_the_same_bytes_for_the_same_files(tmp_path):
    first, second = source(tmp_path / "1"), source(tmp_path / "2")
    os.utime(second / "manage.py", (1, 1))
    assert archive(first) == archive(second)


def test_archive__changes_with_a_file(tmp_path):
    first = archive(source(tmp_path))
    (tmp_path / "app" / "x.py").write_text("x = 2")
    assert release_id(first) != release_id(archive(tmp_path))


def test_archive__leaves_out_what_git_ignores_and_caches(tmp_path):
    source(tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "debug.log").write_text("x")
    (tmp_path / "app" / "__pycache__").mkdir()
    (tmp_path / "app" / "__pycache__" / "x.pyc").write_text("x")
    assert names(archive(tmp_path)) == [".gitignore", "app/x.py", "manage.py"]


def test_missing_source__is_told(tmp_path):
    with pytest.raises(NodrizaError, match="source is not there"):
        archive(tmp_path / "nowhere")


def test_release__is_switched_to_only_after_everything_else(three_node):
    ids = [planned.resource.id for planned in release_plan(three_node).resources]
    switch = ids.index(f"link:{three_node.app.current}")
    migrate = next(index for index, id in enumerate(ids) if "migrate" in id)
    assert migrate < switch < ids.index(f"touch:{three_node.app.reload}")
