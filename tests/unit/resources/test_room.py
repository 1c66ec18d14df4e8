"""Room for an environment, before it is begun."""

import os

import pytest

from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Venv


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def test_venv__is_not_begun_where_it_has_no_room(host, monkeypatch):
    free = os.statvfs(host.at("/")).f_bavail * os.statvfs(host.at("/")).f_frsize
    venv = Venv("/venvs/new", "/requirements.txt", digest="d")
    venv.vet(host)
    monkeypatch.setattr("nodriza.resources.venv.LEAST", 1 << 60)
    with pytest.raises(HostError, match=r"no room for /venvs/new: \d+ MB are needed"):
        venv.vet(host)
    Venv("/venvs/new").vet(host)  # an empty one needs none
    monkeypatch.setattr("nodriza.resources.venv.LEAST", 0)
    monkeypatch.setattr("nodriza.resources.venv.LEAST_FILES", 0)
    host.mkdirs("/venvs/old")
    os.truncate(os.open(host.at("/venvs/old/lib.so"), os.O_CREAT | os.O_RDWR), free // 3 * 2)
    venv.vet(host)  # what is no environment says nothing about one
    host.write("/venvs/old/.nodriza-requirements", "d cpython-311\n")
    with pytest.raises(HostError, match="no room for /venvs/new"):
        venv.vet(host)
