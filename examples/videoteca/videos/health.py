"""What load balancers and checks ask a node."""

from __future__ import annotations

import logging
import os
import threading

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that the share has for its answer."""


class Probe(threading.Thread):
    """One question to the share.

    A hard mounted share whose server is away lets its callers wait without end, so the
    question is asked in a thread that may be left behind.
    """

    current: Probe | None = None
    lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.words = ""

    def run(self) -> None:
        try:
            os.stat(settings.MEDIA_ROOT)  # noqa: PTH116
            # stat may be answered from the client's memory, this goes to the server.
            os.statvfs(settings.MEDIA_ROOT)
        except OSError as error:
            self.words = f"share: {error.strerror}"


def share_says() -> str:
    """What is wrong with the share; empty when nothing is.

    A question that is still open is not asked a second time: one thread waits, not one
    for every visit.
    """
    with Probe.lock:
        if Probe.current is None or not Probe.current.is_alive():
            Probe.current = Probe()
            Probe.current.start()
        probe = Probe.current
    probe.join(PATIENCE)
    return f"share: no answer within {PATIENCE:.0f} s" if probe.is_alive() else probe.words


def database_says() -> str:
    """What is wrong with the database; empty when nothing is."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("database: %s", error)  # its words name hosts and users: not for visitors
        return f"database: {type(error).__name__}"
    return ""


@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 when this node can do its work, or 503 and what it lacks."""
    lacks = [said for said in (database_says(), share_says()) if said]
    text = "\n".join(lacks) or "ok"
    return HttpResponse(
        f"{text}\n", status=503 if lacks else 200, content_type="text/plain; charset=utf-8"
    )


@never_cache
def whoami(request: HttpRequest) -> JsonResponse:
    """Which process of which release on which node this is."""
    return JsonResponse(
        {
            "node": settings.NODE_NAME,
            "release": settings.RELEASE,
            "worker_started": settings.STARTED,
            "pid": os.getpid(),
        }
    )
