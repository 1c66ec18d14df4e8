"""Which releases go: those that never served, and those that served too long ago."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.agent.host import Host
from nodriza.resources import OldReleases

MANY = OldReleases("/releases", keep=2, current="/current", record="/record")


@pytest.fixture
def host(tmp_path):
    (tmp_path / "releases").mkdir()
    return Host(str(tmp_path))


def built(host, *names):
    for name in names:
        host.mkdirs(f"/releases/{name}/app")
        host.write(f"/releases/{name}/app/file", name)


def serve(host, *names):
    """One after the other, in an order that no time stamp knows."""
    built(host, *(name for name in names if host.stat(f"/releases/{name}") is None))
    entries = ({"release": name, "at": 0.0, "how": "deploy", "commit": ""} for name in names)
    host.write("/record", "".join(json.dumps(entry) + "\n" for entry in entries))
    host.symlink("/current", f"/releases/{names[-1]}")


def look(host, many=MANY):
    return OldReleases.look(host, [many])[0]


def test_old_releases__are_none_where_nothing_was_ever_deployed(tmp_path):
    assert look(Host(str(tmp_path))) == {"old": 0}


def test_old_releases__beyond_the_last_that_served_go(host):
    serve(host, "d", "b", "a", "c")
    assert look(host) == {"old": 1}
    MANY.fix(host, look(host))
    assert look(host) == {"old": 0}
    assert host.list("/releases") == ["a", "b", "c"]


def test_release_that_never_served__goes_however_new_it_is(host):
    serve(host, "b", "a")
    built(host, "failed")
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["a", "b"]


def test_release_that_served_again__counts_from_then(host):
    serve(host, "a", "b", "c", "a", "d")
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["a", "c", "d"]


@pytest.mark.parametrize("target", ["/releases/a", "releases/a", "releases/a/", "releases/a/app"])
def test_old_releases__never_include_the_one_in_use(host, target):
    serve(host, "b", "c", "d")
    built(host, "a")
    host.symlink("/current", target)
    MANY.fix(host, look(host))
    assert "a" in host.list("/releases")


def test_old_releases__leave_alone_what_is_no_release(host):
    serve(host, "d", "c")
    built(host, ".unfinished")
    host.write("/releases/README", "not a directory")
    host.symlink("/releases/stable", "c")
    before = host.list("/releases")
    assert look(host) == {"old": 0}
    MANY.fix(host, look(host))
    assert host.list("/releases") == before


def test_old_releases__one_half_removed_by_a_killed_run_is_removed_by_the_next(host, monkeypatch):
    serve(host, "a", "b", "c", "d")

    def power_cut(path):
        (Path(path) / "app" / "file").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", power_cut)
        with pytest.raises(KeyboardInterrupt):
            MANY.fix(host, look(host))
    assert "a" not in host.list("/releases"), "half a release must not be one"
    assert look(host) == {"old": 1}
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["b", "c", "d"]


@given(
    served=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12),
    failed=st.sets(st.sampled_from("ghi")),
    keep=st.integers(0, 4),
)
@settings(max_examples=25, deadline=None)
def test_old_releases__twice_is_once_and_the_last_that_served_stay(
    tmp_path_factory, served, failed, keep
):
    host = Host(str(tmp_path_factory.mktemp("host")))
    built(host, *failed)
    serve(host, *served)
    many = OldReleases("/releases", keep=keep, current="/current", record="/record")
    many.fix(host, look(host, many))
    assert look(host, many) == many.wanted()
    last = list(dict.fromkeys(reversed(served)))
    assert host.list("/releases") == sorted(last[: keep + 1])


def test_environment__goes_with_the_last_release_that_has_it(host):
    serve(host, "a", "b", "c", "d")
    for name, venv in zip("abcd", ("1", "2", "2", "3"), strict=True):
        host.mkdirs(f"/venvs/{venv}")
        host.symlink(f"/releases/{name}/venv", f"/venvs/{venv}")
    host.mkdirs("/venvs/.unfinished")
    many = dataclasses.replace(MANY, venvs="/venvs")
    many.fix(host, look(host, many))
    assert host.list("/releases") == ["b", "c", "d"]
    assert host.list("/venvs") == [".unfinished", "2", "3"]
