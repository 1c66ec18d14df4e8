"""Virtual environments, made by the real venv and pip, from a wheel made here."""

import zipfile

import pytest

from nodriza.agent.host import Host, HostError
from nodriza.resources import Venv
from nodriza.resources.venv import reason

VENV = Venv("/venv", requirements="/requirements.txt")


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def require(host, *versions):
    """Requirements: a tiny package in some versions, as wheels beside the file."""
    lines = ["--no-index"]
    for version in versions:
        wheel = host.at(f"/tiny-{version}-py3-none-any.whl")
        about = f"tiny-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny.py", f"version = {version!r}\n")
            archive.writestr(f"{about}/METADATA", f"Name: tiny\nVersion: {version}\n")
            archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{about}/RECORD", "")
        lines.append(wheel)
    host.write("/requirements.txt", "\n".join(lines))


def look(host, venv=VENV):
    return Venv.look(host, [venv])[0]


def imported(host):
    code = "import tiny; print(tiny.version)"
    return host.run([host.at("/venv/bin/python"), "-c", code]).out.strip()


def test_venv__holds_what_the_requirements_say_and_follows_them(host):
    require(host, "1.0")
    assert look(host) is None
    VENV.fix(host, None)
    assert look(host) == VENV.wanted()
    assert imported(host) == "1.0"

    host.write("/venv/kept", "")  # a changed file of requirements does not start anew
    require(host, "2.0")
    assert look(host) == {"installed": False}
    VENV.fix(host, look(host))
    assert look(host) == VENV.wanted()
    assert imported(host) == "2.0"
    assert host.stat("/venv/kept")

    require(host, "3.0")
    host.remove("/tiny-3.0-py3-none-any.whl")
    with pytest.raises(HostError, match=r"tiny-3\.0"):
        VENV.fix(host, look(host))
    require(host, "2.0")
    assert look(host) == {"installed": False}, "a failed pip leaves nothing that looks complete"
    VENV.fix(host, look(host))
    assert look(host) == VENV.wanted()
    assert not host.stat("/venv/kept"), "what was left half-way is made anew"


def test_venv__takes_relative_requirements_from_its_folder(host):
    require(host, "1.0")
    host.mkdirs("/app/vendor")
    host.rename("/tiny-1.0-py3-none-any.whl", "/moved")
    wheel = host.read("/moved")
    host.write("/app/vendor/tiny-1.0-py3-none-any.whl", wheel)
    host.write("/requirements.txt", "--no-index\n./vendor/tiny-1.0-py3-none-any.whl\n")
    venv = Venv("/venv", requirements="/requirements.txt", folder="/app")
    venv.fix(host, None)
    assert imported(host) == "1.0"


def test_venv__says_first_that_the_index_can_not_be_reached_and_tries_once_more_only(host):
    host.write("/requirements.txt", "--index-url http://127.0.0.1:9/simple\ntiny\n")
    with pytest.raises(HostError) as caught:
        VENV.fix(host, None)
    first, second = str(caught.value).splitlines()[:2]
    assert first.startswith("pip install: exit 1")
    assert second == "the package index can't be reached from this host: Connection refused"
    assert str(caught.value).count("WARNING: Retrying") == 1


DEAD = """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object \
at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'\
: /simple/tiny/
ERROR: Could not find a version that satisfies the requirement tiny (from versions: none)
"""


@pytest.mark.parametrize(
    ("said", "first"),
    [
        (DEAD, "the package index can't be reached from this host: Temporary failure in name"),
        (DEAD.replace("Temporary failure in name resolution", "x"), "WARNING: Retrying"),
        ("(caused by ConnectTimeoutError: connection to a.example timed out", "the package ind"),
        ("ERROR: No matching distribution found for tiny==9", "ERROR: No matching"),
    ],
)
def test_reason__is_above_what_pip_said(said, first):
    lines = reason(said).splitlines()
    assert lines[0].startswith(first)
    assert lines[-1] == said.splitlines()[-1]


def test_venv__is_empty_without_requirements(host):
    venv = Venv("/venv")
    venv.fix(host, look(host, venv))
    assert look(host, venv) == venv.wanted()
    assert host.run([host.at("/venv/bin/python"), "-c", "import sys; sys.exit(0)"]).exit == 0
    assert host.stat("/venv/bin/pip") is None


def test_venv__of_another_python_is_made_anew(host):
    venv = Venv("/venv")
    venv.fix(host, None)
    host.write("/venv/.nodriza-requirements", "- cpython-39\n")
    assert look(host, venv) == {"installed": False}
    venv.fix(host, look(host, venv))
    assert look(host, venv) == venv.wanted()


def test_venv__is_unknown_before_its_requirements_or_python_are_there(host):
    host.mkdirs("/venv")
    assert look(host) is None
    require(host, "1.0")
    assert look(host, Venv("/venv", "/requirements.txt", python="python9.9")) is None


@pytest.mark.parametrize(
    ("venv", "missing"),
    [(VENV, "/requirements.txt"), (Venv("/venv", python="python9.9"), "python9.9")],
    ids=["requirements", "python"],
)
def test_venv__that_can_not_be_made_says_what_is_missing(host, venv, missing):
    with pytest.raises(HostError, match=f"/venv can't be made: there is no {missing}"):
        venv.fix(host, None)


def test_venv__leaves_a_directory_with_other_files_alone(host):
    host.mkdirs("/venv")
    host.write("/venv/thesis.txt", "years of work")
    with pytest.raises(HostError, match="isn't a virtual environment"):
        Venv("/venv").fix(host, {"installed": False})
    assert host.read("/venv/thesis.txt") == b"years of work"
