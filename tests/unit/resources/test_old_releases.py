"""Which releases go: all but those that are named, and the one in use."""

import contextlib
import dataclasses
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.agent import answers
from nodriza.host.host import Host
from nodriza.resources import OldReleases

MANY = OldReleases("/releases", kept=("b", "c"), current="/current", venvs="/venvs")


@pytest.fixture
def host(tmp_path):
    (tmp_path / "releases").mkdir()
    return Host(str(tmp_path))


def built(host, *names):
    for name in names:
        host.mkdirs(f"/releases/{name}/app")
        host.write(f"/releases/{name}/app/file", name)


def look(host, many=MANY):
    return OldReleases.look(host, [many])[0]


def test_old_releases__are_none_where_nothing_was_ever_deployed(tmp_path):
    assert look(Host(str(tmp_path))) == {"old": 0}


def test_old_releases__go(host):
    built(host, "a", "b", "c")
    assert look(host) == {"old": 1}
    MANY.fix(host, look(host))
    assert look(host) == {"old": 0}
    assert host.list("/releases") == ["b", "c"]


@pytest.mark.parametrize("target", ["/releases/a", "releases/a", "releases/a/"])
def test_old_releases__never_include_the_one_in_use(host, target):
    built(host, "a", "b")
    host.symlink("/current", target)
    MANY.fix(host, look(host))
    assert "a" in host.list("/releases")


def test_what_a_killed_run_was_just_writing__goes_whatever_it_was_to_be(host):
    """The next deploy may be of another source, and would never come to it."""
    built(host, "b", ".z.nodriza-new")
    host.mkdirs("/venvs/.9.nodriza-new/bin")
    host.write("/venvs/.9.tar.nodriza-new", "half a pack")
    assert look(host) == {"old": 3}
    MANY.fix(host, look(host))
    assert look(host) == {"old": 0}
    assert host.list("/releases") == ["b"]
    assert host.list("/venvs") == []


def test_old_releases__leave_alone_what_is_no_release(host):
    built(host, "b", ".unfinished")
    host.write("/releases/README", "not a directory")
    host.symlink("/releases/stable", "c")
    before = host.list("/releases")
    assert look(host) == {"old": 0}
    MANY.fix(host, look(host))
    assert host.list("/releases") == before


def test_old_releases__one_half_removed_by_a_killed_run_is_removed_by_the_next(host, monkeypatch):
    built(host, "a", "b")

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
    assert host.list("/releases") == ["b"]


@given(there=st.sets(st.sampled_from("abcdef")), kept=st.sets(st.sampled_from("abcdefgh")))
@settings(max_examples=25)
def test_old_releases__twice_is_once_and_the_kept_ones_stay(tmp_path_factory, there, kept):
    host = Host(str(tmp_path_factory.mktemp("host")))
    built(host, *there)
    many = dataclasses.replace(MANY, kept=tuple(kept))
    many.fix(host, look(host, many))
    assert look(host, many) == many.wanted()
    assert host.list("/releases") == sorted(there & kept)


def test_environment__goes_with_the_last_release_that_has_it(host):
    built(host, "a", "b", "c", "d")
    for name, venv in zip("abcd", ("1", "2", "2", "3"), strict=True):
        host.mkdirs(f"/venvs/{venv}")
        host.symlink(f"/releases/{name}/venv", f"/venvs/{venv}")
    host.mkdirs("/venvs/.unfinished")
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["b", "c"]
    assert host.list("/venvs") == [".unfinished", "2"]


def test_packs_and_seals__go_with_what_they_are_of(host):
    built(host, "a", "b")
    for name, venv in (("a", "1"), ("b", "2")):
        host.mkdirs(f"/venvs/{venv}")
        host.symlink(f"/releases/{name}/venv", f"/venvs/{venv}")
    host.mkdirs("/packs")
    host.mkdirs("/seals")
    for name in ("a", "b", "venv-1", "venv-2"):
        host.write(f"/packs/{name}.tar", "")
        host.write(f"/seals/{name}.json", "{}")
    host.write("/packs/b.tar.new", "half")
    many = dataclasses.replace(MANY, packs="/packs", seals="/seals")
    many.fix(host, look(host, many))
    assert look(host, many) == {"old": 0}
    assert host.list("/packs") == ["b.tar", "venv-2.tar"]
    assert host.list("/seals") == ["b.json", "venv-2.json"]


def test_what_a_failed_build_left__goes_before_the_next_one(host):
    """It has no seal. The one that is about to be made, and what it is made with, stay."""
    built(host, "served", "gone-back-from", "failed", "in-use", "wanted")
    for name in ("served", "failed", "wanted"):
        host.mkdirs(f"/venvs/{name}")
    host.mkdirs("/venvs/wanted-next")
    host.symlink("/releases/served/venv", "/venvs/served")
    host.symlink("/releases/failed/venv", "/venvs/failed")
    host.symlink("/releases/wanted/venv", "/venvs/wanted")
    host.symlink("/current", "/releases/in-use")
    host.mkdirs("/packs")
    host.mkdirs("/seals")
    for name in ("served", "gone-back-from", "venv-served", "venv-failed", "out-of-sight"):
        host.write(f"/seals/{name}.json", "{}")
        host.write(f"/packs/{name}.tar", "")
    about = {"kept": ("wanted",), "venv": "wanted-next", "packs": "/packs", "seals": "/seals"}
    many = dataclasses.replace(MANY, unsealed=True, **about)
    assert look(host, many) == {"old": 4}
    many.fix(host, look(host, many))
    assert host.list("/releases") == ["gone-back-from", "in-use", "served", "wanted"]
    assert host.list("/venvs") == ["served", "wanted", "wanted-next"]
    names = ["gone-back-from", "out-of-sight", "served", "venv-served"]
    assert host.list("/packs") == [f"{name}.tar" for name in names]
    assert host.list("/seals") == [f"{name}.json" for name in names]


@pytest.fixture
def begin():
    """Starts a process somewhere, which is ended after the test."""
    with contextlib.ExitStack() as until:

        def begin(cwd, *argv):
            process = until.enter_context(subprocess.Popen(argv or ("sleep", "60"), cwd=cwd))
            until.callback(process.kill)
            return process

        yield begin


def test_release_that_a_process_works_in__stays_with_its_environment_until_that_has_ended(
    host, begin
):
    """Celery's worker of before ends a task that takes an hour."""
    built(host, "a", "b", "c", "d")
    for name in "abcd":
        host.mkdirs(f"/venvs/{name * 3}")
        host.symlink(f"/releases/{name}/venv", f"/venvs/{name * 3}")
    worker = begin(host.at("/releases/a/app"))
    assert look(host) == {"old": 2}, "d, and its environment"
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["a", "b", "c"]
    assert host.list("/venvs") == ["aaa", "bbb", "ccc"]
    assert look(host) == {"old": 0}
    worker.kill()
    worker.wait()
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["b", "c"]
    assert host.list("/venvs") == ["bbb", "ccc"]


def test_release_that_was_made_anew__stays_as_it_was_while_somebody_works_in_that(host, begin):
    built(host, "b", ".b.1.nodriza-old")
    worker = begin(host.at("/releases/.b.1.nodriza-old/app"))
    assert look(host) == {"old": 0}
    worker.kill()
    worker.wait()
    assert look(host) == {"old": 1}
    MANY.fix(host, look(host))
    assert host.list("/releases") == ["b"]


def test_process_that_ends_while_others_are_taken_away__leaves_no_more_to_do(host, begin):
    built(host, "a", "b", "d")
    worker = begin(host.at("/releases/a/app"))
    MANY.fix(host, look(host))
    worker.kill()
    worker.wait()
    assert look(host) == {"old": 0}
    assert look(Host(host.root)) == {"old": 1}, "for the next run"


def test_process_that_went_elsewhere__is_known_by_its_command_line(host, begin):
    built(host, "a", "b", "d")
    argv = ("sh", "-c", "sleep 60; :", host.at("/releases/a/app/task.py"))
    begin(host.at("/"), *argv)
    wait = time.monotonic() + 5
    while look(host) != {"old": 1} and time.monotonic() < wait:
        time.sleep(0.05)  # until it is what it is to be
    assert look(host) == {"old": 1}


def test_environment_that_a_process_runs__stays(host, begin):
    built(host, "b")
    host.mkdirs("/venvs/old/bin")
    shutil.copy(shutil.which("sleep"), host.at("/venvs/old/bin/sleep"))
    begin("/", host.at("/venvs/old/bin/sleep"), "60")
    assert look(host) == {"old": 0}


def test_working__is_told_of_releases_that_are_there(host, begin):
    """The central node takes away what lies on the share, and others work there."""
    built(host, "a", "b")
    begin(host.at("/releases/a/app"))
    begin(host.at("/"), "sh", "-c", "sleep 60; :", host.at("/releases/gone; rm -r x"))
    about = {"record": "/r", "current": "/current", "seals": "/seals"}
    about |= {"folder": "/releases", "counts": "/current"}
    assert answers.releases(host, None, (), about)["working"] == ["a"]
