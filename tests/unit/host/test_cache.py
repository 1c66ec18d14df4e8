"""What was downloaded before: kept up to a size, and no further."""

import os
import pwd

import pytest

from nodriza.host import cache
from nodriza.host.host import Host

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def host(tmp_path):
    host = Host(str(tmp_path))
    host.notes = []
    host.note = host.notes.append
    host.mkdirs("/cache/uv/wheels")
    host.write("/cache/uv/wheels/large", b"x" * 5000)
    host.symlink("/cache/uv/link", "/elsewhere")
    host.write("/elsewhere", "not the cache's")
    return host


def test_cache__stays_where_it_is_small(host):
    cache.bound(host, "/cache", ME, 0)
    assert host.read("/cache/uv/wheels/large")
    assert host.notes == []
    cache.bound(host, "", ME, 0)  # a venv that has none


def test_cache__that_is_too_large_begins_anew_and_says_so(host, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST", 4000)
    cache.bound(host, "/cache", ME, 1_000_000)
    assert host.read("/cache/uv/wheels/large"), "an environment of that size needs as much"
    cache.bound(host, "/cache", ME, 2000)
    assert host.list("/cache") == []
    assert host.stat("/cache"), "its folder is the builder's"
    assert host.read("/elsewhere")
    assert host.notes == ["/cache had 0 MB of earlier downloads, and begins anew"]
