"""A project's own commands change its tree, or leave it as it was."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace

import pytest

from nodriza.agent.host import Host, HostError
from nodriza.resources import Built

OWNER = pwd.getpwuid(os.getuid()).pw_name
BUILT = Built("/app", ("make",), OWNER, "nodriza-app-build", "/venv", ("/secret",), "/cache")


@pytest.fixture
def host(tmp_path, monkeypatch):
    """One on which units are programs that see the copy where systemd would show it."""
    monkeypatch.setattr("nodriza.agent.transient.free", lambda *_, **__: None)
    host = Host(str(tmp_path))
    host.mkdirs("/app")
    host.write("/app/page.ts", "let a")

    def run(host, unit, argv, *, cwd, timeout, env, check):
        ((copy, seen),) = unit.binds
        assert (seen, cwd) == ("/app", "/app")
        assert {*unit.writable} == {"/app", "/cache"}
        assert unit.hidden == ("/secret",)
        return host.run(argv, cwd=host.at(copy), env=env, check=check)

    monkeypatch.setattr("nodriza.agent.transient.run", run)
    return host


def look(host, built):
    return Built.look(host, [built])[0]


def test_commands__change_the_tree_all_of_them_once(host):
    built = replace(BUILT, commands=("cp page.ts page.js", "rm page.ts; umask 0; touch open"))
    assert look(host, built) != built.wanted()
    built.fix(host, look(host, built))
    assert look(host, built) == built.wanted()
    assert host.list("/app") == [".nodriza-built", "open", "page.js"]
    assert host.stat("/app/open").mode == "0644", "root's own, and nobody else's to write"
    assert host.list("/") == ["app"]
    other = replace(built, commands=("true",))
    assert look(host, other) != other.wanted()


def test_commands__of_which_one_fails_leave_the_tree_as_it_was(host):
    built = replace(BUILT, commands=("rm page.ts", "echo no such luck >&2; exit 3"))
    with pytest.raises(HostError) as caught:
        built.fix(host, look(host, built))
    first, second = str(caught.value).splitlines()
    assert first == "app.hooks.build: echo no such luck >&2; exit 3: exit 3"
    assert second == "no such luck"
    assert host.list("/app") == ["page.ts"]
    assert host.list("/") == ["app"]


def test_commands__find_the_programs_of_the_environment_first(host):
    host.mkdirs("/venv/bin")
    host.write("/venv/bin/make", "#!/bin/sh\necho ours >made\n", mode="0755")
    BUILT.fix(host, look(host, BUILT))
    assert host.read("/app/made") == b"ours\n"


def test_tree__that_is_not_there_is_not_built(host):
    host.remove("/app")
    assert look(host, BUILT) is None
