"""The site as its visitors meet it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from nodriza.inventory import Cluster


def get(
    address: str, path: str, host: str, timeout: float = 20
) -> tuple[int, dict[str, str], str]:
    """Status, headers and text; status 0 when nobody answers."""
    connection = http.client.HTTPConnection(address, 80, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, {}, f"{type(error).__name__}: {error}"
    else:
        return answer.status, dict(answer.getheaders()), text
    finally:
        connection.close()


def whoami(cluster: Cluster, child: str) -> dict[str, Any]:
    """What a child says of itself; empty while it says nothing."""
    status, _, text = get(cluster.node(child).web_address, "/whoami", cluster.domain)
    return json.loads(text) if status == 200 else {}


def serving(cluster: Cluster) -> bool:
    """Does every child answer under its own name?"""
    return not not_serving(cluster)


def not_serving(cluster: Cluster) -> dict[str, str]:
    """What the children say that do not answer under their own name."""
    answers = {each.name: get(each.web_address, "/", cluster.domain) for each in cluster.children}
    return {
        name: f"{status} {headers} {text[:300]}"
        for name, (status, headers, text) in answers.items()
        if status != 200 or headers.get("X-Served-By") != name
    }


def taken_over(cluster: Cluster, on: Callable[[str, str], str]) -> bool:
    """Has every worker of every child the current release? ``on`` runs a script on a node.

    They take it one after the other, and of those that are idle mostly the same one
    answers, so visits alone don't tell. Each lives in its release's folder.
    """
    app = cluster.app
    script = (
        f"readlink -f {app.current}/app;"
        " for pid in $(systemctl show -P ControlGroup uwsgi gunicorn |"
        " sed 's|.|/sys/fs/cgroup&|; s|$|/cgroup.procs|' | xargs cat 2>/dev/null);"
        f" do readlink /proc/$pid/cwd; done | grep {app.release_folder}/ | sort -u"
    )
    for child in cluster.children:
        folders = on(child.name, script).splitlines()
        if len(folders) != 2 or folders[0] != folders[1]:
            return False
    return serving(cluster)


def upload_is_refused(cluster: Cluster, child: str, size: int) -> bool:
    """Does nginx refuse a body of so many bytes? It says so before it has seen any."""
    head = (
        f"POST /upload/ HTTP/1.1\r\nHost: {cluster.domain}\r\nContent-Length: {size}\r\n"
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    address = cluster.node(child).web_address
    with socket.create_connection((address, 80), timeout=5) as sock:
        sock.sendall(head.encode())
        sock.settimeout(0.5)
        try:
            return sock.recv(64).startswith(b"HTTP/1.1 413")
        except TimeoutError:
            return False  # it waits for the body


class Visitor:
    """Asks every child again and again, and remembers what was not 200."""

    def __init__(self, cluster: Cluster, path: str = "/whoami") -> None:
        self.cluster = cluster
        self.path = path
        self.answers = 0
        self.bad: list[str] = []
        self._leave = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(child.name, child.web_address))
            for child in cluster.children
        ]

    def _visit(self, child: str, address: str) -> None:
        while not self._leave.is_set():
            began = time.strftime("%H:%M:%S")
            status, _, text = get(address, self.path, self.cluster.domain)
            self.answers += 1
            if status != 200:
                self.bad.append(f"{began} {child}: {status} {text[:200]}")
            self._leave.wait(0.1)

    def __enter__(self) -> Visitor:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave.set()
        for thread in self._threads:
            thread.join()
