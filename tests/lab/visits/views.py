"""What an application may say: put into the example by the tests, below /visits/."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

OWN = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "of-the-project",
    "X-Served-By": "the project",
    "Strict-Transport-Security": "max-age=77",
    "Content-Security-Policy": "default-src 'self'",
    "Cache-Control": "private, max-age=7",
    "Server-Timing": "own;dur=1",
}


def number(request: HttpRequest, name: str, default: int = 0) -> int:
    return int(request.GET.get(name, default))


@csrf_exempt
def body(request: HttpRequest) -> HttpResponse:
    """So many bytes, whatever was sent; nothing of the request is read."""
    return HttpResponse(
        b"x" * number(request, "bytes"),
        status=number(request, "status", 200),
        content_type=request.GET.get("type", "text/plain; charset=utf-8"),
    )


def headers(request: HttpRequest) -> HttpResponse:
    """So many bytes of headers, in lines of at most 4,000, and the count in the body."""
    left = number(request, "bytes")
    answer = HttpResponse(f"{left}")
    index = 0
    while left > 0:
        line = min(left, 4000)
        answer[f"X-Large-{index:03}"] = "v" * (line - len("X-Large-000: \r\n"))
        left, index = left - line, index + 1
    return answer


@csrf_exempt
def echo(request: HttpRequest) -> JsonResponse:
    """What came, all of it read."""
    sent = request.body
    return JsonResponse(
        {"method": request.method, "bytes": len(sent), "sha256": hashlib.sha256(sent).hexdigest()}
    )


@csrf_exempt
def begin(request: HttpRequest) -> HttpResponse:
    """The first ten bytes of what came are read, and no more."""
    return HttpResponse(request.read(10), status=413, content_type="text/plain")


@csrf_exempt
def seen(request: HttpRequest) -> JsonResponse:
    """What the application knows of a request."""
    meta = {key: value for key, value in request.META.items() if isinstance(value, str)}
    known = {
        "path": request.path,
        "query": request.META["QUERY_STRING"],
        "secure": request.is_secure(),
        "scheme": request.scheme,
        "url": request.build_absolute_uri("/"),
        "address": request.META["REMOTE_ADDR"],
        "length": request.META.get("CONTENT_LENGTH", ""),
        "headers": {key: meta[key] for key in sorted(meta) if key.startswith("HTTP_")},
    }
    return JsonResponse(known)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Parts of a text, one after the other, with a pause after each."""
    pause = float(request.GET.get("pause", "0"))

    def parts() -> Iterator[bytes]:
        for index in range(number(request, "parts")):
            yield f"{index}\n".encode() * number(request, "times", 1)
            time.sleep(pause)

    async def later() -> AsyncIterator[bytes]:
        for index in range(number(request, "parts")):
            yield f"{index}\n".encode() * number(request, "times", 1)
            await asyncio.sleep(pause)

    # By ASGI Django would read the other one to its end first.
    told = later() if hasattr(request, "scope") else parts()
    answer = StreamingHttpResponse(told, content_type="text/plain; charset=utf-8")
    if "unbuffered" in request.GET:
        answer["X-Accel-Buffering"] = "no"
    return answer


def own(request: HttpRequest) -> HttpResponse:
    """Headers that nginx has an opinion on, in the project's own words."""
    return HttpResponse("own", headers=OWN)


def accel(request: HttpRequest) -> HttpResponse:
    """A file that nginx sends in the place of this answer."""
    answer = HttpResponse(content_type=request.GET.get("type", "text/plain; charset=utf-8"))
    answer["X-Accel-Redirect"] = request.GET["to"]
    answer["Content-Disposition"] = 'attachment; filename="a b.txt"'
    answer["Cache-Control"] = "private, max-age=7"
    if "policy" in request.GET:
        answer["Content-Security-Policy"] = request.GET["policy"]
    return answer


@csrf_exempt
def wait(request: HttpRequest) -> HttpResponse:
    """An answer that takes so many seconds."""
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse(json.dumps("done"))


urlpatterns = [
    path("body", body),
    path("headers", headers),
    path("echo", echo),
    path("begin", begin),
    path("upload/body", body),
    path("upload/begin", begin),
    path("upload/echo", echo),
    path("stream", stream),
    path("own", own),
    path("accel", accel),
    path("wait", wait),
    path("upload", seen),
    re_path("^seen", seen),
]
