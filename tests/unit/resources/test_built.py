"""A project's own commands change its tree, or leave it as it was."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace

import pytest

from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Built

OWNER = pwd.getpwuid(os.getuid()).pw_name
BUILT = Built(
    "/app", "/source", ("make",), OWNER, "nodriza-app-build", "/venv", ("/secret",), "/cache"
)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """One on which units are programs that see the copy where systemd would show it."""
    monkeypatch.setattr("nodriza.host.transient.free", lambda *_, **__: None)
    host = Host(str(tmp_path))
    host.mkdirs("/source")
    host.write("/source/page.ts", "let a")

    def run(host, unit, argv, *, cwd, timeout, env, check):
        ((copy, seen),) = unit.binds
        assert seen == cwd
        assert {*unit.writable} == {seen, "/cache"}
        assert unit.hidden == ("/secret",)
        return host.run(argv, cwd=host.at(copy), env=env, check=check)

    monkeypatch.setattr("nodriza.host.transient.run", run)
    return host


def look(host, built):
    return Built.look(host, [built])[0]


def test_commands__make_the_tree_of_the_source_all_of_them_once(host):
    built = replace(BUILT, commands=("cp page.ts page.js", "rm page.ts; umask 0; touch open"))
    assert look(host, built) is None
    built.fix(host, look(host, built))
    assert look(host, built) == built.wanted()
    assert host.list("/app") == [".nodriza-built", "open", "page.js"]
    assert host.stat("/app/open").mode == "0644", "root's own, and nobody else's to write"
    assert host.list("/") == ["app", "source"]
    assert host.list("/source") == ["page.ts"]
    other = replace(built, commands=("true",))
    assert look(host, other) != other.wanted()


def test_commands__that_are_run_again_leave_what_serves_until_all_is_made(host):
    host.mkdirs("/release")
    host.rename("/source", "/release/source")
    built = replace(
        BUILT, path="/release/app", source="/release/source", commands=("cp page.ts a",)
    )
    built.fix(host, look(host, built))
    host.remove("/release/app/.nodriza-built")
    failing = replace(built, commands=("cat /release/app/a >>seen; false",))
    with pytest.raises(HostError):
        failing.fix(host, look(host, failing))
    assert host.list("/release/app") == ["a", "page.ts"]
    built.fix(host, look(host, built))
    assert look(host, built) == built.wanted()
    assert host.list("/") == [".release.1.nodriza-old", "release"], "somebody may work in it"
    assert host.list("/.release.1.nodriza-old/app") == ["a", "page.ts"]


def test_commands__of_which_one_fails_make_no_tree(host):
    built = replace(BUILT, commands=("rm page.ts", "echo no such luck >&2; exit 3"))
    with pytest.raises(HostError) as caught:
        built.fix(host, look(host, built))
    first, second = str(caught.value).splitlines()
    assert first == "app.hooks.build: echo no such luck >&2; exit 3: exit 3"
    assert second == "no such luck"
    assert host.list("/") == ["source"]


def test_commands__find_the_programs_of_the_environment_first(host):
    host.mkdirs("/venv/bin")
    host.write("/venv/bin/make", "#!/bin/sh\necho ours >made\n", mode="0755")
    BUILT.fix(host, look(host, BUILT))
    assert host.read("/app/made") == b"ours\n"
