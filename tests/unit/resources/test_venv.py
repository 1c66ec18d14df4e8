"""Virtual environments, made by the real venv and pip, from a wheel made here."""

import ensurepip
import glob
import hashlib
import os
import pwd
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Venv
from nodriza.resources.venv import PINNED, WHEELS

VENV = Venv("/venv", requirements="/requirements.txt")


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def require(host, *versions, needs=""):
    """Requirements: a tiny package in some versions, as wheels beside the file."""
    lines = ["--no-index"]
    for version in versions:
        wheel = host.at(f"/tiny-{version}-py3-none-any.whl")
        about = f"tiny-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny.py", f"version = {version!r}\n")
            archive.writestr(f"{about}/METADATA", f"Name: tiny\nVersion: {version}\n{needs}")
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


def test_venv__without_a_pip_of_its_own_is_filled_by_debians(host):
    require(host, "1.0")
    venv = replace(VENV, pip=False)
    with pytest.raises(HostError, match="the package python3-pip-whl brings it"):
        venv.fix(host, None)
    (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    host.mkdirs(WHEELS)
    host.write(f"{WHEELS}/{wheel.name}", wheel.read_bytes())
    venv.fix(host, None)
    assert imported(host) == "1.0"
    assert not installed(host, "pip*")
    host.remove("/tiny-1.0-py3-none-any.whl")
    host.write("/requirements.txt", "--no-index\n/tiny-1.0-py3-none-any.whl\n")
    with pytest.raises(HostError, match="^pip install: exit 1"):
        venv.fix(host, None)


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


UV = str(Path(sys.executable).with_name("uv"))
BACKEND = """\
import glob
import hashlib
import os
import pwd
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
def _metadata(): return "Name: mine\\nVersion: 1\\n"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "mine-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        archive.write("tiny.py")
        archive.writestr("mine-1.dist-info/METADATA", _metadata())
        archive.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        archive.writestr("mine-1.dist-info/RECORD", "")
    return name
"""
PROJECT = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = {}\n'
PACKAGE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def uv(host, tmp_path):
    """An environment by uv, from a file of the name that is asked for, in /app."""

    def made(name="", text=""):
        host.mkdirs("/app")
        if name:
            host.write(f"/app/{name}", text)
        venv = Venv(
            "/venv",
            f"/app/{name}".rstrip("/"),
            sys.executable,
            folder="/app",
            cache="/cache",
            uv=UV,
        )
        return replace(venv, uv=f"/{os.path.relpath(UV, tmp_path)}")

    return made


def tiny(host, version="1.0", needs=""):
    """A wheel in /app."""
    require(host, version, needs=needs)
    host.mkdirs("/app")
    wheel = f"tiny-{version}-py3-none-any.whl"
    os.rename(host.at(f"/{wheel}"), host.at(f"/app/{wheel}"))
    return wheel


def test_uv__installs_a_list_and_compiles_it(host, uv):
    venv = uv("requirements.txt", f"--no-index\n./{tiny(host)}\n")
    venv.fix(host, None)
    assert look(host, venv) == venv.wanted()
    assert imported(host) == "1.0"
    assert installed(host, "__pycache__/tiny.*.pyc")
    assert host.stat("/venv/bin/pip") is None
    # Root's in the end, so it shares no file with the cache, which stays the builder's.
    (module,) = installed(host, "tiny.py")
    assert os.stat(module).st_nlink == 1


def test_uv__installs_a_standard_lock(host, uv):
    wheel = tiny(host)
    sum = hashlib.sha256(host.read(f"/app/{wheel}")).hexdigest()
    lock = f'wheels = [{{ path = "{wheel}", hashes = {{ sha256 = "%s" }} }}]\n'
    head = (
        'lock-version = "1.0"\ncreated-by = "us"\n[[packages]]\nname = "tiny"\nversion = "1.0"\n'
    )
    with pytest.raises(HostError, match=r"uv pip sync: exit \d+\n(.*\n)*.*[Hh]ash mismatch"):
        uv("pylock.toml", head + lock % ("0" * 64)).fix(host, None)
    uv("pylock.toml", head + lock % sum).fix(host, None)
    assert imported(host) == "1.0"


def test_uv__installs_what_is_pinned_and_nothing_besides(host, uv):
    wheel = tiny(host, needs="Requires-Dist: absent\n")
    sum = hashlib.sha256(host.read(f"/app/{wheel}")).hexdigest()
    text = "--no-index\n--find-links .\nextra==1 ; extra == 'x'\ntiny==1.0 --hash=sha256:%s\n"
    with pytest.raises(HostError, match=r"uv pip sync: exit \d+\n(.*\n)*.*[Hh]ash mismatch"):
        uv(PINNED, text % ("0" * 64)).fix(host, None)
    uv(PINNED, text % sum).fix(host, None)
    assert imported(host) == "1.0"


def installed(host, pattern):
    """Paths in the environment's site-packages."""
    return glob.glob(host.at(f"/venv/lib/python*/site-packages/{pattern}"))


def locked(host, text):
    """A project with its lock, made by uv itself."""
    host.mkdirs("/app")
    host.write("/app/pyproject.toml", text)
    env = {"UV_CACHE_DIR": host.at("/cache"), "UV_PYTHON": sys.executable}
    host.run([UV, "lock", "--offline", "--project", host.at("/app")], env=env)


def test_uv__installs_its_own_lock_without_what_is_for_developers(host, uv):
    wheels = [tiny(host), tiny(host, version="2.0")]
    sources = f'[tool.uv.sources]\ntiny = {{ path = "{wheels[0]}" }}\n'
    groups = '[dependency-groups]\ndev = ["mine-dev"]\n[tool.uv]\npackage = false\n'
    host.mkdirs("/app/dev")
    host.write("/app/dev/pyproject.toml", PROJECT.format("[]").replace("mine", "mine-dev"))
    text = PROJECT.format('["tiny"]') + groups + sources + 'mine-dev = { path = "dev" }\n'
    locked(host, text)
    # What was locked counts, whatever was written afterwards.
    host.write("/app/pyproject.toml", text.replace('["tiny"]', '["tiny", "nowhere"]'))
    venv = replace(uv(), requirements="/app/uv.lock")
    venv.fix(host, None)
    assert imported(host) == "1.0"
    about = {Path(name).name for name in installed(host, "*.dist-info")}
    assert about == {"tiny-1.0.dist-info"}
    assert host.stat("/app/.venv") is None


@pytest.mark.parametrize("name", ["uv.lock", ""])
def test_uv__installs_the_project_where_it_is_a_package(host, uv, name):
    host.mkdirs("/app")
    host.write("/app/backend.py", BACKEND)
    host.write("/app/tiny.py", "version = 'mine'\n")
    locked(host, PROJECT.format("[]") + PACKAGE)
    venv = replace(uv(), requirements=f"/app/{name}".rstrip("/"), digest="0815")
    venv.fix(host, None)
    host.remove("/app/tiny.py")
    assert imported(host) == "mine", "a copy, not a link to the source"


def test_uv__says_first_that_the_index_can_not_be_reached(host, uv):
    venv = uv("requirements.txt", "--index-url http://me:secret@127.0.0.1:9/simple\ntiny\n")
    with pytest.raises(HostError) as caught:
        venv.fix(host, None)
    first, second = str(caught.value).splitlines()[:2]
    assert first.startswith("uv pip install: exit")
    assert second == "the package index can't be reached from this host: Connection refused"
    assert "secret" not in str(caught.value)


def test_uv__takes_the_python_of_the_host_or_none(host, uv):
    text = PROJECT.format("[]").replace(">=3.9", ">=3.99")
    host.mkdirs("/app")
    host.write("/app/pyproject.toml", text)
    host.write("/app/uv.lock", 'version = 1\nrequires-python = ">=3.99"\n')
    with pytest.raises(HostError, match=r"uv sync: exit \d+"):
        replace(uv(), requirements="/app/uv.lock").fix(host, None)
    assert not glob.glob(host.at("/cache/uv/python*"))


def test_index__of_the_host_is_told_to_uv_in_a_file_that_root_reads(host, uv, monkeypatch):
    seen = []

    def run(host, unit, argv, *, cwd, timeout, env, check):
        seen.append((oct(os.stat(host.at(unit.env_file)).st_mode), host.read(unit.env_file)))
        assert not any("secret" in word for word in (*argv, *env.values()))
        return host.run(argv, cwd=host.at(cwd), env=env, check=check)

    monkeypatch.setattr("nodriza.host.transient.run", run)
    monkeypatch.setattr("nodriza.host.transient.free", lambda *_, **__: None)
    host.mkdirs("/etc")
    host.mkdirs("/run")
    host.write("/etc/pip.conf", "[global]\nindex-url = https://me:secret@a.example/simple\n")
    owner = pwd.getpwuid(os.getuid()).pw_name
    venv = replace(uv("requirements.txt", ""), user=owner, unit="nodriza-environment")
    venv.fix(host, None)
    text = b'UV_DEFAULT_INDEX="https://me:secret@a.example/simple"\n'
    assert seen == [("0o100600", text)] * 2
    assert host.list("/run/nodriza") == []
