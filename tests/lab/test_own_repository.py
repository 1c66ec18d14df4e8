"""Somebody else's repository: a Wagtail site, from ``pip install`` to its visitors.

Nothing of the checkout is in reach: the wheel is installed into an empty environment,
and the folder has what ``nodriza init`` wrote, the project that ``wagtail start`` made,
and what docs/own-repository.rst shows that its owner adds.
"""

from __future__ import annotations

import http.cookiejar
import re
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import get, taken_over
from tests.walkthrough import shown
from tests.wheel import build_wheel, copy_of_the_source, run


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]) -> Path:
    """The ``bin`` of an empty environment after ``pip install WHEEL wagtail``."""
    began = time.monotonic()
    folder = tmp_path_factory.mktemp("environment")
    wheel = build_wheel(copy_of_the_source(folder), folder)
    run(sys.executable, "-m", "venv", folder / "venv")
    (wagtail,) = re.findall("wagtail==.*", shown("requirements.txt"))
    run(folder / "venv/bin/pip", "--quiet", "install", wheel, wagtail)
    times["own repository: pip install"] = time.monotonic() - began
    return folder / "venv/bin"


@pytest.fixture(scope="module")
def own(
    environment: Path, tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """A folder as its owner would make it; its lab is up: one central, one child."""
    folder = tmp_path_factory.mktemp("own")
    run(environment / "python", environment / "wagtail", "start", "mysite", cwd=folder)
    (folder / "mysite/requirements.txt").write_text(shown("requirements.txt"))
    told = run(environment / "nodriza", "init", "--yes", "--settings", "--name", "own", cwd=folder)
    assert (folder / "mysite/mysite/settings/cluster.py").read_text() == shown("cluster.py")
    assert "to do" not in told, told
    with (folder / "fabfile.py").open("a") as file:
        file.write("\n\n" + shown("fabfile.py"))
    project = Project(folder, "own", _small(folder), environment / "fab", times)
    project.write()
    with project.up():
        yield project


def _small(folder: Path) -> dict[str, object]:
    """What init wrote, with one child, at addresses that no other test's lab has."""
    text = (folder / "inventories/own.yml").read_text()
    (third,) = set(re.findall(r"private: 198\.18\.(\d+)\.0/24", text))
    text = text.replace(f"198.18.{int(third) + 1}.", "198.18.48.")
    text = text.replace(f"198.18.{third}.", "198.18.47.")
    text = text.replace("[2:3]", "2").replace("[12:13]", "12")
    data: dict[str, object] = yaml.safe_load(text)
    return data


@pytest.fixture(scope="module")
def served(own: Project) -> Project:
    """Provisioned and deployed."""
    own.times["own repository: provision"] = own.fab("provision", "--json").well().seconds
    own.times["own repository: deploy"] = own.fab("deploy", "--json").well().seconds
    # 1500 modules over the share, twice: for the trial, and for good.
    wait_for("answers of every worker", 150, lambda: taken_over(own.cluster, own.on))
    return own


def test_own_repository__has_nothing_of_the_checkout(environment: Path, own: Project) -> None:
    program = "import nodriza; print(nodriza.__file__)"
    where = run(environment / "python", "-c", program, cwd=own.folder).strip()
    assert Path(where).is_relative_to(environment.parent)
    listed = own.fab("--list").well().stdout
    assert "\n  greet " in listed
    assert "\n  provision " in listed
    assert own.fab("children").well().stdout == "198.18.48.12\n"


def test_own_repository__serves_its_pages_and_static_files(served: Project) -> None:
    cluster = served.cluster
    address = cluster.children[0].web_address
    status, headers, page = get(address, "/", cluster.domain)
    assert status == 200, page
    assert headers["X-Served-By"] == "server-2"
    assert "Welcome to your new Wagtail site!" in page
    found = re.search(r'href="(/static/css/welcome_page\.[0-9a-f]{12}\.css)"', page)
    assert found, page
    status, headers, _ = get(address, found[1], cluster.domain)
    assert (status, headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in headers["Cache-Control"]


def test_own_repository__lets_its_editor_in(served: Project) -> None:
    """A session and a user in MariaDB, through mysqlclient, as compiled on the central."""
    served.on(
        "server-1",
        "set -a; . /etc/mysite/mysite.env; DJANGO_SUPERUSER_PASSWORD=a-lab-s-own;"
        " cd /opt/mysite/current/app && runuser -u mysite --preserve-environment --"
        " ../venv/bin/python manage.py createsuperuser --noinput --username ed --email e@x.test",
    )
    address = f"http://{served.cluster.children[0].web_address}"
    jar = http.cookiejar.CookieJar()
    visit = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open
    login = visit(f"{address}/admin/", timeout=30)
    assert "/admin/login/" in login.url
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', login.read().decode())
    assert token
    form = {"csrfmiddlewaretoken": token[1], "username": "ed", "password": "a-lab-s-own"}
    inside = visit(login.url, urllib.parse.urlencode(form).encode(), timeout=30)
    assert inside.url == f"{address}/admin/"
    assert re.search(r"<title>\s*Dashboard - Wagtail", inside.read().decode())


def test_own_repository__a_second_run_changes_nothing(served: Project) -> None:
    again: Result = served.fab("provision", "--json").well()
    assert again.changed() == {}
    assert served.fab("deploy", "--json").well().changed() == {}


def test_own_repository__compilers_are_on_the_central_node_only(served: Project) -> None:
    assert "installed" in served.on("server-1", "dpkg-query -W -f '${Status}' gcc")
    assert "installed" not in served.on("server-2", "dpkg -l gcc || true")
