"""A bare ``startproject`` comes aboard by what ``fab doctor`` says, and by nothing else.

Its lines are written where it says, and the first deploy serves. The oldest Django that is
supported, line by line, and the newest one, which needs another Debian, with ``init --settings``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.project import FAB, Project
from tests.lab.visitor import get
from tests.wheel import run

DJANGOS = {"4.2": "bookworm", "6.0": "trixie"}
EDITS = {"4.2": 6, "6.0": 1}
"""Lines that a person writes: with the settings module only the driver."""
THIRD = 110
TO_DO = re.compile(r"^to do  .*\(([\w/.]+)(?::\d+)?\)\n {9}(.*)$", re.MULTILINE)


@pytest.fixture(scope="module", params=DJANGOS)
def begun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what ``django-admin startproject`` makes, and what ``nodriza init`` adds."""
    version = request.param
    folder = tmp_path_factory.mktemp("aboard")
    run(sys.executable, "-m", "venv", folder / "venv")
    if sys.version_info < (3, 12) and version == "6.0":
        version = "5.2"  # the newest that starts here; the hosts install the one below
    run(folder / "venv/bin/pip", "--quiet", "install", f"Django~={version}.0")
    run(folder / "venv/bin/django-admin", "startproject", "films", cwd=folder)
    text = f"Django~={request.param}.0\n"
    (folder / "films/requirements.txt").write_text(text)
    settings = ["--settings"] if request.param == "6.0" else []
    run(FAB.with_name("nodriza"), "init", "--yes", "--source", "films", *settings, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def served(begun: Path, times: dict[str, float]) -> Iterator[Project]:
    """What doctor says is done, line by line, and then one deploy."""
    done = doctor(begun)
    assert done.returncode == 1, done.stdout
    (version,) = re.findall(r"Django~=(\d\.\d)", (begun / "films/requirements.txt").read_text())
    assert obey(begun, done.stdout) == EDITS[version], done.stdout
    after = doctor(begun)
    assert (after.returncode, after.stderr) == (0, ""), after.stdout
    project = Project(begun, "films", small(begun), FAB, times)
    project.write()
    with project.up("provision", "deploy"):
        yield project


def doctor(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FAB, "doctor"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def obey(folder: Path, said: str) -> int:
    """Write each line where it belongs, as a person does who knows Django; how many there are."""
    lines = TO_DO.findall(said)
    assert lines, said
    for file, line in lines:
        path = folder / "films" / file
        # A setting is given anew at the end of its file; of a list of drivers one is taken.
        text = "mysqlclient" if line.startswith("one of ") else f"import os\n{line}"
        path.write_text(f"{path.read_text()}\n{text}\n")
    return len(lines)


def small(folder: Path) -> dict[str, object]:
    """As doctor left it, with one child, at addresses of its own. Its first page is the log-in."""
    text = (folder / "inventories/films.yml").read_text()
    (third,) = set(re.findall(r"private: 198\.18\.(\d+)\.0/24", text))
    text = text.replace(f"198.18.{int(third) + 1}.", f"198.18.{THIRD + 1}.")
    text = text.replace(f"198.18.{third}.", f"198.18.{THIRD}.")
    text = text.replace("[2:3]", "2").replace("[12:13]", "12")
    data: dict[str, object] = yaml.safe_load(text)
    app = data["app"]
    assert isinstance(app, dict)
    app["packages"] = ["libmariadb3"]
    app["build_packages"] = ["gcc", "libmariadb-dev", "pkg-config", "python3-dev"]
    app["health"] = [{"path": "/admin/login/", "expect": 200}, {"path": "/", "expect": 404}]
    return data


def test_init__takes_the_debian_that_has_its_python(begun: Path) -> None:
    data = yaml.safe_load((begun / "inventories/films.yml").read_text())
    (version,) = re.findall(r"Django~=(\d\.\d)", (begun / "films/requirements.txt").read_text())
    assert data["lab"]["release"] == DJANGOS[version]


def test_first_deploy__serves_the_admin_with_its_static_files(served: Project) -> None:
    address = served.cluster.children[0].web_address
    status, _, page = get(address, "/admin/login/", served.cluster.domain)
    assert status == 200
    (style,) = re.findall(r'href="(/static/admin/css/login[^"]*)"', page)
    assert get(address, style, served.cluster.domain)[0] == 200


def test_smoke__is_green(served: Project) -> None:
    done = served.fab("smoke").well()
    assert "0 failed" in done.stdout
