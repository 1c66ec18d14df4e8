import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.agent.host import Host
from nodriza.resources import OldReleases

MANY = OldReleases("/releases", keep=2, current="/current")


@pytest.fixture
def host(tmp_path):
    (tmp_path / "releases").mkdir()
    return Host(str(tmp_path))


def release(host, name, age):
    """A release with a file in it, ``age`` days old."""
    host.mkdirs(f"/releases/{name}/app")
    host.write(f"/releases/{name}/app/file", name)
    os.utime(host.at(f"/releases/{name}"), (10**9 - age * 86400,) * 2)


def look(host):
    return OldReleases.look(host, [MANY])[0]


def test_old_releases__are_none_where_nothing_was_ever_deployed(tmp_path):
    assert look(Host(str(tmp_path))) == {"old": 0}


def test_old_releases__beyond_the_newest_go(host):
    for age, name in enumerate(["d", "c", "b", "a"]):
        release(host, name, age)
    assert look(host) == {"old": 2}
    MANY.fix(host, look(host))
    assert look(host) == {"old": 0}
    assert host.list("/releases") == ["c", "d"]


@pytest.mark.parametrize("target", ["/releases/a", "releases/a", "releases/a/", "releases/a/app"])
def test_old_releases__never_include_the_one_in_use(host, target):
    for age, name in enumerate(["d", "c", "b", "a"]):
        release(host, name, age)
    host.symlink("/current", target)
    assert look(host) == {"old": 1}
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["a", "c", "d"]


def test_old_releases__leave_alone_what_is_no_release(host):
    for age, name in enumerate(["d", "c", ".unfinished"]):
        release(host, name, age)
    host.write("/releases/README", "not a directory")
    host.symlink("/releases/stable", "c")
    before = host.list("/releases")
    assert look(host) == {"old": 0}
    MANY.fix(host, look(host))
    assert host.list("/releases") == before


def test_old_releases__one_half_removed_by_a_killed_run_is_old_not_the_newest(host, monkeypatch):
    for age, name in enumerate(["c", "b", "a"]):
        release(host, name, age)

    def power_cut(path):
        (Path(path) / "app" / "file").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", power_cut)
        with pytest.raises(KeyboardInterrupt):
            MANY.fix(host, look(host))
    assert look(host) == {"old": 1}
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["b", "c"]


@given(
    ages=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9)), keep=st.integers(0, 9)
)
@settings(max_examples=25, deadline=None)
def test_old_releases__twice_is_once(tmp_path_factory, ages, keep):
    host = Host(str(tmp_path_factory.mktemp("host")))
    for name, age in ages.items():
        release(host, name, age)
    many = OldReleases("/releases", keep=keep)
    now = OldReleases.look(host, [many])[0]
    assert now == {"old": max(0, len(ages) - keep)}
    many.fix(host, now)
    assert OldReleases.look(host, [many]) == [many.wanted()]
    left = host.list("/releases")
    gone = set(ages) - set(left)
    assert all(ages[old] >= ages[new] for old in gone for new in left)
