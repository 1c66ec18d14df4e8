"""What a check is handed: the site as a visitor sees it, and a way to look on a node."""

from __future__ import annotations

import functools
import json
import re
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from nodriza import foreign
from nodriza.errors import HostRefused, SmokeError
from nodriza.plan.offers import server
from nodriza.smoke.browser import browser, origin, send
from nodriza.ssh.channel import sudo_words
from nodriza.ssh.connection import connect
from nodriza.ssh.script import output

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

T = TypeVar("T")
IMPATIENT = 5  # seconds
LONGEST = 4 * 1024 * 1024
"""Characters of a page as text, and bytes of what a program on a node prints."""
MOST = 2_000
"""Characters of what a failed check was answered."""
PATIENCE = 60  # seconds for a program on a node
TOKEN_FIELD = re.compile(r'name="csrfmiddlewaretoken"\s+value="([^"]+)"')


class Failed(Exception):
    """A check's no: what was expected, what came, and where to look."""

    def __init__(self, expected: str, got: object, look: str = "") -> None:
        self.expected = foreign.line(expected)
        self.got = foreign.quoted(str(got), MOST)
        self.look = foreign.line(look)
        super().__init__(f"expected {expected}, got {self.got}")


class Closed(Failed):
    """The site is closed, or asks for a password: no sooner open for being asked again."""


@dataclass(frozen=True)
class Response:
    """An HTTP answer; header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8, clean (``nodriza.foreign``)."""
        return foreign.text(self.body.decode("utf-8", "replace"), LONGEST)

    def json(self) -> Any:
        """The body as JSON, or ``Failed`` with its beginning."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Failed("JSON", self.text[:200]) from None


@dataclass(frozen=True)
class Child:
    """A child node as visitors reach it."""

    name: str
    address: str


class Site:
    """The cluster's web site; each child is spoken to by its address, under the domain."""

    Failed = Failed

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.patient = True
        """Off after a first failure: what is broken need not be waited for again."""
        self.closed = False
        """Whether this computer gets the page of ``fab maintenance``."""
        self.let_in = False
        """Whether it is on, and something else came."""
        self.children = [Child(node.name, node.web_address) for node in cluster.children]

    def get(self, child: Child, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """GET a path from a child, as a browser that looked the domain up would."""
        with self._browser(child) as browser:
            return self._answer(child, path, browser, "GET", headers)

    def post_form(
        self,
        child: Child,
        path: str,
        fields: Mapping[str, str],
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> Response:
        """Open a page with a form, fill it in and send it, with its cookies and token."""
        with self._browser(child) as browser:
            page = self._answer(child, path, browser, "GET")
            token = TOKEN_FIELD.search(page.text)
            if token is None:
                raise Failed(f"a form on {path}", f"{page.status}: {page.text[:200]}")
            data = {**fields, "csrfmiddlewaretoken": token.group(1)}
            sent_from = {"Referer": f"{origin(self.cluster)}{path}"}
            return self._answer(
                child, path, browser, "POST", sent_from, data=data, files=files or None
            )

    def wait(self, seconds: float, function: Callable[[], T], what: str) -> T:
        """Ask until the answer is something; ``Failed`` when time is up."""
        if overlay := self.cluster.lab_overlay:
            # Emulated machines need minutes from a deploy to workers that serve it.
            seconds = max(seconds, 3 * overlay.patience)
        seconds = seconds if self.patient else min(seconds, IMPATIENT)
        end = time.monotonic() + seconds
        last: object = None
        look = ""
        while time.monotonic() < end:
            try:
                last = function()
                if last:
                    return last
            except Closed:
                raise
            except Failed as failed:
                last, look = failed.got, failed.look
            time.sleep(0.25)
        raise Failed(f"{what} within {seconds:.0f} s", f"at the end: {last}", look)

    def on(self, node: Node, *argv: str) -> str:
        """The output of a program on a node, through SSH, as root; ``HostRefused``."""
        command = shlex.join(argv)
        with connect(node, self.cluster) as connection:
            exit, said, words = output(
                connection,
                f"exec {command}",
                sudo_words(connection.user, None),
                seconds=PATIENCE,
                most=LONGEST,
            )
        if exit:
            raise HostRefused(f"{command}: {words or f'exit {exit}'}", where=node.name)
        return said

    def manage(self, *argv: str) -> str:
        """The output of ``manage.py`` where releases are made: as the application's user, with its
        variables, in the release that serves; ``HostRefused``.
        """
        app = self.cluster.app
        return self.on(
            self.cluster.builder,
            *("systemd-run", "--quiet", "--pipe", "--wait", "--collect"),
            *(f"--uid={app.user}", f"--property=EnvironmentFile={app.environment_file}"),
            *(f"--working-directory={app.current}/app", f"{app.current}/venv/bin/python"),
            *("manage.py", *argv),
        )

    def is_open(self, address: str, port: int, seconds: float = 1.5) -> bool:
        """Does anything accept a TCP connection there, from where we stand?"""
        try:
            with socket.create_connection((address, port), timeout=seconds):
                return True
        except OSError:
            return False

    @property
    def _look_for_certificate(self) -> str:
        if self.cluster.tls.mode != "acme":
            return ""
        unit, node = f"{self.cluster.app.name}-certificate", server(self.cluster, "certificate")
        return f"; whether the certificate has come: journalctl -u {unit} on {node.name}"

    @functools.cached_property
    def _sample(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sample.mov"
            picture = "testsrc=duration=2:size=320x240:rate=15"
            sound = "sine=frequency=440:duration=2"
            self._program(
                "ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound,
                "-c:v", "mpeg4", "-c:a", "aac", str(path),
            )  # fmt: skip
            return path.read_bytes()

    def sample_video(self) -> bytes:
        """Two seconds of test picture with a tone, as a camera would deliver them."""
        return self._sample

    def ffprobe(self, video: bytes) -> dict[str, Any]:
        """What ffprobe(1) reads in a video: ``format`` and ``streams``."""
        with tempfile.NamedTemporaryFile(suffix=".video") as file:
            file.write(video)
            file.flush()
            out = self._program(
                "ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", file.name
            )
        found: dict[str, Any] = json.loads(out)
        return found

    def _program(self, *argv: str) -> str:
        try:
            done = subprocess.run(
                argv,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=60,
                check=False,
            )
        except FileNotFoundError:
            raise SmokeError(
                f"{argv[0]} is not installed here", do="apt-get install ffmpeg"
            ) from None
        if done.returncode:
            raise Failed(f"{argv[0]} to accept the video", done.stderr.strip()[-300:])
        return done.stdout

    def _refuse_closed(self, child: Child, status: int, headers: httpx.Headers) -> None:
        closed = "X-Maintenance" in headers
        if closed and status == 503:
            self.closed = True
            raise Closed(
                f"the site on {child.name}",
                f"the page of maintenance, which is on: {status}",
                "fab maintenance off; or fab maintenance on --allow ADDRESS, of this computer",
            )
        self.let_in = self.let_in or closed
        if self.cluster.basic_auth and status == 401 and "WWW-Authenticate" in headers:
            raise Closed(
                f"the site on {child.name}",
                "a question for name and password (basic_auth of the inventory)",
                "operators: [ADDRESS] in the inventory asks this computer for none",
            )

    def _browser(self, child: Child) -> httpx.Client:
        return browser(self.cluster, child.address)

    def _answer(
        self,
        child: Child,
        path: str,
        client: httpx.Client,
        method: str,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Response:
        try:
            answer, content = send(client, method, path, headers, **body)
        except httpx.HTTPError as error:
            raise Failed(
                f"an answer from {origin(self.cluster, child.address)}{path}",
                f"{type(error).__name__}: {foreign.reason(error)}",
                f"fab status; fab logs:{child.name}{self._look_for_certificate}",
            ) from None
        cleaned = [(name, foreign.line(value)) for name, value in answer.headers.multi_items()]
        self._refuse_closed(child, answer.status_code, httpx.Headers(cleaned))
        return Response(answer.status_code, httpx.Headers(cleaned), content)
