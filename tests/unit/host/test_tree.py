"""A tree that somebody else made becomes root's own."""

from __future__ import annotations

import os

import pytest

from nodriza.host import tree
from nodriza.host.errors import HostError
from nodriza.host.host import Host


@pytest.fixture
def host(tmp_path):
    host = Host(str(tmp_path))
    for path in ("/env", "/env/bin"):
        host.mkdir(path)
        os.chmod(host.at(path), 0o777)
    host.write("/env/bin/tool", "", mode="0755")
    host.write("/env/data", "", mode="0644")
    os.chmod(host.at("/env/bin/tool"), 0o6777)
    os.chmod(host.at("/env/data"), 0o666)
    host.write("/outside", "", mode="0600")
    host.symlink("/env/link", host.at("/outside"))
    if os.geteuid() == 0:
        for path in ("/env", "/env/bin", "/env/bin/tool", "/env/data", "/env/link"):
            os.lchown(host.at(path), 65534, 65534)
    return host


def test_tree__is_roots_and_nobody_else_writes_in_it(host):
    tree.take(host, "/env")
    for path, mode in {"": "0755", "/bin": "0755", "/bin/tool": "0755", "/data": "0644"}.items():
        assert host.stat(f"/env{path}").mode == mode
    if os.geteuid() == 0:
        paths = ("/env", "/env/bin", "/env/bin/tool", "/env/data", "/env/link")
        assert {host.stat(path).owner for path in paths} == {"root"}


def test_link__is_not_followed(host):
    tree.take(host, "/env")
    assert host.stat("/outside").mode == "0600"


def test_pipe__is_refused(host):
    os.mkfifo(host.at("/env/pipe"))
    with pytest.raises(HostError, match="/env/pipe is no file, no folder and no link"):
        tree.take(host, "/env")
