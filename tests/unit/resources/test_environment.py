"""A node with another Python than the central node's makes an environment of its own."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nodriza.host import tree
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Copy, Environment, Package, Venv, gap_between

TAG = sys.implementation.cache_tag
ME = pwd.getpwuid(os.getuid()).pw_name
BUILT = {"user": ME, "python": sys.executable}
OWN = Environment(
    "/venvs/e",
    release="/releases/a",
    python=sys.executable,
    made_for="cpython-39",
    copy=Copy("/venvs/e", tree="0" * 64, pack="/pack.tar"),
    venv=Venv("/venvs/e", unit="app-environment", folder="/releases/a", **BUILT),
    uv=Venv("/uv", "/uv.txt", unit="app-uv", **BUILT),
    packages=("gcc",),
    seal="/seals/venv-e.json",
)
RECIPE = {
    "folder": "app",
    "requirements": "app/requirements.txt",
    "digest": "e",
    "installer": "uv",
}


@pytest.fixture
def installed(monkeypatch):
    """The packages that were installed."""
    found = []
    monkeypatch.setattr(Package, "look", lambda _, many: [None] * len(many))
    monkeypatch.setattr(Package, "fix_together", lambda _, many: found.extend(many))
    return found


@pytest.fixture
def host(tmp_path, monkeypatch, installed):
    """One with a release that needs nothing; a unit sees what is bound to its place."""
    host = Host(str(tmp_path))
    host.notes = []
    host.note = host.notes.append
    for folder in ("/releases/a/app", "/run", "/venvs"):
        host.mkdirs(folder)
    host.write("/releases/a/app/requirements.txt", "")
    host.write("/releases/a/environment.json", json.dumps(RECIPE))
    host.write("/uv.txt", "uv")
    host.mkdirs("/uv/bin")
    host.write("/uv/.nodriza-requirements", f"{hashlib.sha256(b'uv').hexdigest()} {TAG}\n")
    os.symlink(Path(sys.executable).with_name("uv"), host.at("/uv/bin/uv"))

    def run(host, unit, argv, *, cwd, timeout, env, check):
        (new, seen), *_ = unit.binds
        assert new != seen, "what serves is not touched meanwhile"
        host.rename(seen, f"{seen}.below")
        host.rename(new, seen)
        try:
            return host.run(argv, cwd=host.at(cwd), env=env, check=check)
        finally:
            host.rename(seen, new)
            host.rename(f"{seen}.below", seen)

    monkeypatch.setattr("nodriza.host.transient.run", run)
    monkeypatch.setattr("nodriza.host.transient.free", lambda *_, **__: None)
    return host


def look(host, one=OWN):
    return Environment.look(host, [one])[0]


def made(host, one=OWN):
    one.fix(host, look(host, one))
    return host.stat("/venvs/e")


def test_environment_of_its_own__is_made_by_the_recipe_of_the_release(host, installed):
    assert look(host) is None
    made(host)
    assert look(host) == OWN.wanted()
    assert [package.name for package in installed] == ["gcc"]
    assert host.read("/venvs/e/.nodriza-requirements") == f"e {TAG}\n".encode()
    assert host.run([host.at("/venvs/e/bin/python"), "-c", "print(1)"]).out == "1\n"
    (note,) = host.notes
    own = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    assert note.startswith(f"this node has {own}, and the node that builds Python 3.9: it makes")


def test_environment_of_its_own__that_somebody_has_changed_is_made_anew(host):
    made(host)
    host.write("/venvs/e/lib/evil.py", "")
    assert look(host) == {"intact": False}
    made(host)
    assert look(host) == OWN.wanted()
    assert not host.stat("/venvs/e/lib/evil.py")


def test_environment_of_its_own__is_none_without_its_seal_or_for_another_python(host):
    made(host)
    seal = host.read(OWN.seal)
    host.remove(OWN.seal)
    assert look(host) == {"intact": False}
    host.write("/venvs/e/.nodriza-requirements", "e cpython-38\n")
    host.write(OWN.seal, json.dumps({**json.loads(seal), "tree": tree.digest(host, "/venvs/e")}))
    assert look(host) == {"intact": False}, "this node's Debian was upgraded"


def test_environment_of_its_own__that_can_not_be_made_leaves_what_was_there(host):
    made(host)
    before = tree.digest(host, "/venvs/e")
    host.write("/venvs/e/lib/evil.py", "")
    host.write("/releases/a/app/requirements.txt", "--no-index\nnothing-of-that-name\n")
    with pytest.raises(
        HostError, match=r"(?s)Its own environment can't be made:\nuv pip install: "
    ):
        made(host)
    assert look(host) == {"intact": False}
    host.remove("/venvs/e/lib/evil.py")
    assert tree.digest(host, "/venvs/e") == before


def test_first_environment__that_can_not_be_made_leaves_nothing(host):
    host.write("/releases/a/app/requirements.txt", "--no-index\nnothing-of-that-name\n")
    with pytest.raises(HostError):
        made(host)
    assert host.list("/venvs") == []
    assert look(host) is None


@pytest.mark.parametrize("before", [True, False], ids=["before", "meanwhile"])
def test_environment_of_its_own__without_room_leaves_nothing(host, monkeypatch, before):
    monkeypatch.setattr("nodriza.host.room.RESERVE", 1 << 60)
    if before:
        monkeypatch.setattr("nodriza.host.transient.run", None)  # nothing is begun
    else:
        monkeypatch.setattr(Venv, "vet", lambda *_: None)
    with pytest.raises(HostError, match="no room for /venvs/e"):
        made(host)
    assert host.list("/venvs") == []


def test_environment__needs_a_python_and_a_recipe(host):
    with pytest.raises(HostError, match="this node has no /usr/bin/python9"):
        replace(OWN, python="/usr/bin/python9").fix(host, None)
    host.remove("/releases/a/environment.json")
    with pytest.raises(HostError, match="has no environment.json, which says what to install"):
        OWN.fix(host, None)


@pytest.mark.parametrize("made_for", [TAG, ""])
def test_environment_for_the_same_python__is_the_central_node_s(host, made_for, monkeypatch):
    """Compared with what that one wrote down, whatever this node has written down itself."""
    one = replace(OWN, made_for=made_for)
    host.mkdirs("/venvs/e")
    host.mkdirs("/seals")
    host.write("/venvs/e/.nodriza-requirements", f"e {TAG}\n")
    host.write(OWN.seal, json.dumps({"tree": tree.digest(host, "/venvs/e")}))
    assert look(host) == OWN.wanted()
    assert look(host, one) == {"intact": False}
    fits = replace(one, copy=replace(OWN.copy, tree=tree.digest(host, "/venvs/e")))
    assert not gap_between(fits, look(host, fits))
    asked = []
    monkeypatch.setattr(Copy, "vet", lambda copy, _: asked.append(copy.pack))
    monkeypatch.setattr(Copy, "fix", lambda copy, *_: asked.append(copy.sha256))
    one.vet(host)
    one.fix(host, look(host, one))
    assert asked == ["/pack.tar", ""]
    assert host.list("/seals") == [], "it is about nothing that is there"
