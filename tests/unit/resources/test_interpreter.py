"""An environment goes to hosts with the Python that it was made for, and to no others."""

from __future__ import annotations

import json
import re
import sys

import pytest

from nodriza.host import tree
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Intact, Interpreter, Venv

TAG = sys.implementation.cache_tag
FITS = Interpreter("/venv", python=sys.executable)


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def made(host, tag):
    host.mkdirs("/venv")
    host.write("/venv/.nodriza-requirements", f"0815 {tag}\n")


def look(host, resource):
    return type(resource).look(host, [resource])[0]


def test_environment__of_the_same_python_fits(host):
    assert look(host, FITS) == FITS.wanted(), "what is not there yet is no reason to refuse it"
    made(host, TAG)
    assert look(host, FITS) == FITS.wanted()


def test_environment__of_another_python_is_refused_in_words(host):
    made(host, "cpython-39")
    assert look(host, FITS) == {"fits": False}
    own = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(
        HostError, match=rf"Python 3\.9, and this node has {re.escape(own)}. On the"
    ):
        FITS.fix(host, look(host, FITS))


def test_environment__needs_a_python(host):
    made(host, TAG)
    with pytest.raises(HostError, match="this node has no /usr/bin/python9"):
        Interpreter("/venv", python="/usr/bin/python9").fix(host, {"fits": False})


def test_environment__of_a_python_that_is_gone_loses_its_seal_and_is_made_anew(host):
    """Debian was upgraded: a new one under the old seal would look like one that was changed."""
    made(host, "cpython-39")
    seal = {"tree": tree.digest(host, "/venv"), "sha256": "", "size": 0}
    host.write("/seal", json.dumps(seal))
    assert look(host, Intact("/venv", seal="/seal")) == {"intact": True}
    markers = (".nodriza-requirements",)
    intact = Intact("/venv", seal="/seal", markers=markers, python=sys.executable)
    assert look(host, intact) == {"intact": False}
    intact.fix(host, look(host, intact))
    assert host.list("/") == ["venv"]
    venv = Venv("/venv", python=sys.executable)
    assert look(host, venv) != venv.wanted()
