"""An ASGI project with websockets, on real machines: Channels, its messages by Redis, and deploys.

The example with an ``asgi.py`` and one consumer, served by Gunicorn with uvicorn.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.lab.project import Project, wait_for
from tests.lab.visitor import Visitor, get, serving, whoami
from tests.lab.websocket import Closed, WebSocket, connect

CHILDREN = ("server-2", "server-3")
SERVICE_RESTART = 1012
ASGI = '''"""Pages by Django, websockets by Channels."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoteca.settings")
pages = get_asgi_application()

from videos.chat import Chat  # noqa: E402

sockets = URLRouter([path("ws/chat/", Chat.as_asgi())])
application = ProtocolTypeRouter(
    {"http": pages, "websocket": AllowedHostsOriginValidator(sockets)}
)
'''
CHAT = '''"""Who is connected hears what everybody says, whichever child he is on."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings


class Chat(AsyncJsonWebsocketConsumer):
    groups = ["chat"]

    async def connect(self):
        await super().connect()
        address, scheme = self.scope["client"][0], self.scope["scheme"]
        about = {"node": settings.NODE_NAME, "release": settings.RELEASE}
        await self.send_json({**about, "address": address, "scheme": scheme})

    async def receive_json(self, content):
        await self.channel_layer.group_send("chat", {"type": "chat.said", "said": content})

    async def chat_said(self, event):
        await self.send_json({"said": event["said"]})
'''
SETTINGS = """
INSTALLED_APPS += ["channels"]
ASGI_APPLICATION = "videoteca.asgi.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # It waits 5 s for a message, and redis-py itself gives up after 5 s by default.
        "CONFIG": {"hosts": [{"address": os.environ.get("REDIS_URL", ""), "socket_timeout": 15}]},
    }
}
if IN_CLUSTER:
    # Each request has a thread of its own (Django's documentation, "Asynchronous support").
    DATABASES["default"]["CONN_MAX_AGE"] = 0
"""
REQUIREMENTS = """
channels==4.3.2
channels-redis==4.3.0
h11==0.16.0
msgpack==1.2.4
uvicorn==0.54.0
websockets==17.4
"""


def speaks_asgi(project: Project) -> Project:
    """The example as its owner would have it with Channels, and his inventory."""
    source = project.folder / "videoteca"
    (source / "videoteca/asgi.py").write_text(ASGI)
    (source / "videos/chat.py").write_text(CHAT)
    for name, more in (("videoteca/settings.py", SETTINGS), ("requirements.txt", REQUIREMENTS)):
        path = source / name
        path.write_text(path.read_text() + more)
    app = project.data["app"]
    for key in ("wsgi", "threads", "celery", "smoke"):
        del app[key]
    app["asgi"] = "videoteca.asgi:application"
    project.data["services"] = {"data": "redis"}
    return project


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("asgi")
    project = speaks_asgi(Project.make(folder, "labasgi", 70, videos=0))
    project.times = times
    project.data["share"] = {"engine": "glusterfs"}
    project.write()
    with project.up("provision", "deploy"):
        wait_for("pages of every child", 60, lambda: serving(project.cluster))
        yield project


def chat(project: Project, child: str) -> tuple[WebSocket, dict[str, str]]:
    """A websocket of a child, and what it says at the beginning."""
    node = project.cluster.node(child)
    made = connect(project.netns, node.web_address, project.cluster.domain, "/ws/chat/")
    return made, made.receive()


def test_second_run__changes_nothing(site: Project) -> None:
    assert site.fab("provision", "--json").well().changed() == {}
    assert site.fab("deploy", "--json").well().changed() == {}


def test_smoke__is_green(site: Project) -> None:
    assert "a touched reload file reloads gunicorn on every child" in site.fab("smoke").well().said


def test_message__goes_from_one_child_to_another(site: Project) -> None:
    (first, about), (second, other) = (chat(site, child) for child in CHILDREN)
    assert (about["node"], other["node"]) == CHILDREN
    assert about["scheme"] == "ws"
    assert about["address"].startswith("198.18.71.")
    first.send("hola")
    assert second.receive() == {"said": "hola"}
    assert first.receive() == {"said": "hola"}


def test_deploy__loses_no_request_and_tells_websockets_to_come_again(site: Project) -> None:
    old = {child: whoami(site.cluster, child)["release"] for child in CHILDREN}
    masters = {child: main_process(site, child) for child in CHILDREN}
    opened = [chat(site, child)[0] for child in CHILDREN for _ in range(4)]
    (site.folder / "videoteca/rolling.txt").write_text(f"{time.time()}\n")
    with Visitor(site.cluster, "/") as visitor:
        done = site.fab("deploy", "--json").well()
        time.sleep(2)
    assert visitor.bad == []
    assert visitor.answers > 50
    assert [code(each) for each in opened] == [SERVICE_RESTART] * len(opened)
    for child in CHILDREN:
        assert "service:gunicorn" in done.changed()[child]
        made, about = chat(site, child)
        made.close()
        assert about["release"] == whoami(site.cluster, child)["release"] != old[child]
        assert main_process(site, child) == masters[child]


def code(made: WebSocket) -> int:
    """With which it was closed."""
    try:
        while True:
            made.receive(5)
    except Closed as closed:
        return closed.code
    except TimeoutError:
        return 0


def main_process(project: Project, child: str) -> str:
    return project.on(child, "systemctl show -P MainPID gunicorn").strip()


def test_restart__loses_no_request_and_tells_websockets_to_come_again(site: Project) -> None:
    opened = [chat(site, child)[0] for child in CHILDREN]
    with Visitor(site.cluster, "/") as visitor:
        site.fab("restart").well()
        time.sleep(2)
    assert visitor.bad == []
    assert [code(each) for each in opened] == [SERVICE_RESTART] * len(opened)


def test_release_that_does_not_import__serves_nobody_and_ends_no_websocket(site: Project) -> None:
    asgi = site.folder / "videoteca/videoteca/asgi.py"
    kept = asgi.read_text()
    asgi.write_text(kept + "\nraise RuntimeError('does not import')\n")
    made, _ = chat(site, "server-2")
    try:
        with Visitor(site.cluster, "/") as visitor:
            done = site.fab("deploy")
        assert done.exit == 1
        assert "does not import" in done.said
        assert visitor.bad == []
        made.send("still here")
        assert made.receive() == {"said": "still here"}
    finally:
        asgi.write_text(kept)


def test_node_that_is_ill__is_not_well_for_load_balancers(site: Project) -> None:
    address, domain = site.cluster.node("server-2").web_address, site.cluster.domain
    assert get(address, "/healthz", domain)[0] == 200
    site.on("server-1", "systemctl stop mariadb")
    try:
        status, _, text = get(address, "/healthz", domain)
        assert (status, text.strip()) == (503, "database: OperationalError")
    finally:
        site.on("server-1", "systemctl start mariadb")
    wait_for("health", 30, lambda: get(address, "/healthz", domain)[0] == 200)


def test_operator__has_the_same_commands(site: Project) -> None:
    assert "gunicorn 20" in site.fab("status", timeout=60).well().said
    assert "system check" in site.fab("manage", "check").well().said.lower()
    assert "REDIS_URL" in site.fab("env").well().said
    assert site.fab("logs", "server-2", "--unit", "gunicorn").exit == 0
    planned = json.loads(site.fab("plan:server-2", "--json").well().stdout)
    assert '"health:' in json.dumps(planned)
