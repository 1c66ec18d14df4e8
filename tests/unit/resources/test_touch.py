import os

import pytest

from nodriza.host.host import Host
from nodriza.resources import File, Touch


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def test_touch__makes_the_file_when_it_is_missing(host):
    touch = Touch("/reload")
    assert Touch.look(host, [touch]) == [None]
    touch.fix(host, None)
    assert Touch.look(host, [touch]) == [touch.wanted()]
    assert host.read("/reload") == b""


def test_touch__makes_it_newer_and_leaves_what_is_in_it(host, tmp_path):
    (tmp_path / "reload").write_text("kept")
    os.utime(tmp_path / "reload", (1, 1))
    Touch("/reload").fix(host, {"exists": True})
    assert host.stat("/reload").modified > 1_000_000_000
    assert host.read("/reload") == b"kept"


def test_touch__takes_resources_or_ids_for_what_it_follows():
    file = File("/etc/a", "text")
    assert Touch("/reload", on_change=(file, "link:/b")).on_change == ("file:/etc/a", "link:/b")
