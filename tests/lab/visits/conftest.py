"""One cluster for all visitors: a central node and a child, with views of these tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, wait_for
from tests.lab.visitor import taken_over
from tests.lab.visits.asking import Client
from tests.lab.visits.files import HASHED, KEPT, RUN, TYPES

HERE = Path(__file__).parent
ENDINGS = sorted({*TYPES, *RUN, *KEPT})
STATIC = (
    *(f"file.{ending}" for ending in ENDINGS),
    *("plain.txt", "site.css", HASHED, "a/b/site.css", f"a/b/{HASHED}"),
    *("LICENSE", "LICENSE.0123456789ab", "informe.20240131.pdf", "informe.202401311230.pdf"),
    *("main.0123abcd.js", "main.js"),
)
"""For collectstatic to find."""
# What the application would have put there, as its own user does.
FILES = f"""
set -e
put() {{ mkdir -p "$(dirname "$1")"; echo ok >"$1"; }}
cd /srv/videoteca
for ending in {" ".join(ENDINGS)}; do put media/file.$ending; done
put media/{HASHED}
put media/site.css
put "media/año nuevo.txt"
mkdir -p media/folder
head -c 200000 /dev/zero >media/film.mp4
ln -sfn file.txt media/own-link.txt
ln -sfn /etc media/etc
ln -sfn /var/log/nginx/access.log media/log.txt
chown -hR videoteca: media
"""


WITH_VISITS = "urlpatterns.append(path('visits/', include('videos.visits')))"


def with_visits(project: Project) -> Project:
    """The example with the views of these tests in it."""
    source = project.folder / "videoteca"
    shutil.copy(HERE / "views.py", source / "videos" / "visits.py")
    for name in STATIC:
        file = source / "videos" / "static" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("ok\n")
    urls = source / "videoteca" / "urls.py"
    urls.write_text(f"{urls.read_text()}\nfrom django.urls import include\n{WITH_VISITS}\n")
    return project


def by_asgi(project: Project) -> None:
    """The same pages, by Django's other interface."""
    source, app = project.folder / "videoteca", project.data["app"]
    wsgi = (source / "videoteca/wsgi.py").read_text()
    (source / "videoteca/asgi.py").write_text(wsgi.replace("wsgi", "asgi"))
    with (source / "requirements.txt").open("a") as file:
        file.write("h11==0.16.0\nuvicorn==0.54.0\n")
    for key in ("wsgi", "threads"):
        del app[key]
    app["asgi"] = "videoteca.asgi"


@pytest.fixture(scope="package")
def server(project: Project) -> str:
    """A word of ``SERVERS``."""
    asgi = "asgi" in project.data["app"]
    return "asgi" if asgi else str(project.data["services"]["application"])


@pytest.fixture(scope="package")
def unit(project: Project) -> str:
    """Of the application server."""
    return str(project.data["services"]["application"])


SERVERS = {"uwsgi": "uwsgi", "gunicorn": "gunicorn", "asgi": "gunicorn"}
"""Whatever serves the application, and its unit."""


@pytest.fixture(scope="package", params=SERVERS)
def project(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    times: dict[str, float],
) -> Iterator[Project]:
    """A central node and one child."""
    folder = tmp_path_factory.mktemp("visitors")
    project = with_visits(Project.make(folder, "labvisit", 215, children=1, videos=0))
    project.times = times
    for key in ("celery", "smoke"):
        del project.data["app"][key]
    if request.param == "asgi":
        by_asgi(project)
    project.data["services"] = {"application": SERVERS[request.param]}
    project.data["app"].update(max_upload_mb=60, uploads=["/upload/", "/visits/upload/"])
    project.data["limits"] = LIMITS
    project.write()
    with project.up("provision", "deploy"):
        wait_for("answers of every worker", 120, lambda: taken_over(project.cluster, project.on))
        project.on("server-1", FILES)
        yield project


LIMITS = {"connections": 40, "requests": 6}


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    """A visitor's way to the child."""
    made = Client(project.cluster.node("server-2").web_address, project.netns)
    yield made
    made.close()


OTHERS = ("198.18.216.201", "198.18.216.202")
"""Addresses of two more visitors in the lab's public network, beside the controller's."""


@pytest.fixture(scope="package")
def addresses(project: Project) -> None:
    """Visitors of several addresses."""
    for address in OTHERS:
        subprocess.run(
            ["ip", "-n", project.netns, "address", "replace", f"{address}/24", "dev", "br-public"],
            check=True,
        )


@pytest.fixture
def greedy(client: Client, addresses: None) -> Iterator[Client]:
    """Somebody who means no good, from an address of his own."""
    made = Client(client.address, client.netns, OTHERS[0])
    yield made
    made.close()


@pytest.fixture
def honest(client: Client, addresses: None) -> Client:
    """Everybody else."""
    return Client(client.address, client.netns, OTHERS[1])
