"""What visitors ask and what must come back, whatever program serves the application.

A row is a request and its answer; the application behind it is ``views.py`` beside this file, the
files are those that ``test_visitors.py`` puts into static and media. An application server
passes when every row does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.lab.visits.asking import Answer, chunked, request

KB, MB = 1024, 1024 * 1024
FORM = {"Content-Type": "application/octet-stream"}
SANDBOX = "^sandbox; script-src 'none'"
HASHED = "site.0123456789ab.css"


@dataclass(frozen=True)
class Case:
    """``has``: patterns for headers that come exactly once; ``lacks``: headers that don't come."""

    name: str
    sent: bytes
    status: int = 200
    method: str = "GET"
    has: dict[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    size: int | None = None
    says: Callable[[bytes], bool] = lambda body: True

    def wrong(self, answer: Answer) -> list[str]:
        """What is not as it must be, in words; nothing, if all is."""
        found = []
        if answer.status != self.status:
            found.append(f"{answer.status} instead of {self.status}: {answer.body[:300]!r}")
        for name, pattern in self.has.items():
            values = answer.all(name)
            if len(values) != 1 or not re.search(pattern, values[0]):
                found.append(f"{name}: {values} instead of one like {pattern}")
        found += [f"{name}: {answer.all(name)}" for name in self.lacks if answer.all(name)]
        if self.size is not None and len(answer.body) != self.size:
            found.append(f"{len(answer.body)} bytes instead of {self.size}")
        if not self.says(answer.body):
            found.append(f"the body is {answer.body[:300]!r}")
        return found


def get(
    name: str, path: str | bytes, headers: dict[str, str] | None = None, **want: object
) -> Case:
    return Case(name, request(path, headers=headers), **want)  # type: ignore[arg-type]


def post(name: str, path: str, body: bytes, **want: object) -> Case:
    return Case(name, request(path, "POST", headers=FORM, body=body), method="POST", **want)  # type: ignore[arg-type]


def said(**expected: object) -> Callable[[bytes], bool]:
    """JSON with these values in it."""

    def check(body: bytes) -> bool:
        found = json.loads(body)
        return all(found.get(key) == value for key, value in expected.items())

    return check


def echoed(body: bytes, method: str = "POST") -> Callable[[bytes], bool]:
    digest = hashlib.sha256(body).hexdigest()
    return said(method=method, bytes=len(body), sha256=digest)


def text(expected: bytes) -> Callable[[bytes], bool]:
    return lambda body: body == expected


LARGE = bytes(range(256)) * (8 * KB)  # 2 MiB
HUGE = bytes(range(256)) * (48 * KB)  # 12 MiB
COOKIES = "; ".join(f"name{index}={'v' * 400}" for index in range(18))  # 7.4 KB in one header

ANSWERS = [
    *(
        get(f"headers of {size} bytes", f"/visits/headers?bytes={size}", says=text(b"%d" % size))
        for size in (1000, 4000, 5000, 8000, 16_000, 33_000, 60_000)
    ),
    *(
        get(f"a body of {size} bytes", f"/visits/body?bytes={size}", size=size)
        for size in (
            0,
            1,
            4095,
            4096,
            4097,
            16 * KB,
            32 * KB,
            64 * KB,
            72 * KB,
            256 * KB,
            8 * MB + 1,
        )
    ),
    Case(
        "HEAD has the headers and no body",
        request("/visits/body?bytes=5000", "HEAD"),
        method="HEAD",
        has={"Content-Length": "^5000$"},
        size=0,
    ),
    get("204 has no body", "/visits/body?status=204", status=204, size=0),
    get("304 has no body", "/visits/body?status=304", status=304, size=0),
    get("the application's own 502", "/visits/body?status=502&bytes=3", status=502, size=3),
    get("the application's own 503", "/visits/body?status=503&bytes=3", status=503, size=3),
    get("the application's own 504", "/visits/body?status=504&bytes=3", status=504, size=3),
    get("the application's own 429", "/visits/body?status=429&bytes=3", status=429, size=3),
    get("the application's own 413", "/visits/body?status=413&bytes=3", status=413, size=3),
    get("a stream of many parts", "/visits/stream?parts=300&times=1000", size=1_090_000),
    get("a stream that pauses", "/visits/stream?parts=4&pause=0.3", says=text(b"0\n1\n2\n3\n")),
    get(
        "a type without a charset stays so",
        "/visits/body?bytes=3&type=text/plain",
        has={"Content-Type": "^text/plain$"},
    ),
    Case(
        "HTTP/1.0",
        request("/visits/body?bytes=9000", version="1.0"),
        size=9000,
        lacks=("Transfer-Encoding",),
    ),
    Case(
        "HTTP/1.0, a stream",
        request("/visits/stream?parts=300&times=100", version="1.0"),
        size=109_000,
        lacks=("Transfer-Encoding",),
    ),
]

BODIES = [
    post("a form is read", "/visits/echo", b"a=b" * 100, says=echoed(b"a=b" * 100)),
    post("no bytes", "/visits/echo", b"", says=echoed(b"")),
    post("2 MiB where no files are sent", "/visits/body?bytes=9", LARGE, size=9),
    post(
        "2 MiB that are read", "/visits/upload/echo", LARGE[: 2 * MB], says=echoed(LARGE[: 2 * MB])
    ),
    *(
        post(
            f"{len(body)} bytes, refused with {status} without being read",
            f"/visits/{where}body?bytes=9&status={status}",
            body,
            status=status,
            size=9,
        )
        for status in (200, 403, 413)
        for body, where in ((b"x" * 100, ""), (b"x" * 70_000, ""), (LARGE, ""), (HUGE, "upload/"))
    ),
    post(
        "ten bytes are read of many",
        "/visits/upload/begin",
        b"0123456789" * 1_000_000,
        status=413,
        says=text(b"0123456789"),
    ),
    post(
        "refused with large headers and unread", "/visits/headers?bytes=30000", LARGE, status=403
    ),  # Django's own: there is no token
    Case(
        "a body in chunks",
        request(
            "/visits/echo",
            "POST",
            body=chunked(b"ab" * 5000),
            headers={**FORM, "Transfer-Encoding": "chunked"},
        ),
        method="POST",
        says=echoed(b"ab" * 5000),
    ),
    Case(
        "a body in chunks, unread",
        request(
            "/visits/body?status=403&bytes=9",
            "POST",
            body=chunked(LARGE, 9999),
            headers={**FORM, "Transfer-Encoding": "chunked"},
        ),
        method="POST",
        status=403,
        size=9,
    ),
    Case(
        "Expect: 100-continue",
        request(
            "/visits/echo", "POST", body=b"abc" * 500, headers={**FORM, "Expect": "100-continue"}
        ),
        method="POST",
        says=echoed(b"abc" * 500),
    ),
    Case(
        "PUT",
        request("/visits/echo", "PUT", headers=FORM, body=b"put"),
        method="PUT",
        says=echoed(b"put", "PUT"),
    ),
    Case(
        "DELETE without a body",
        request("/visits/echo", "DELETE"),
        method="DELETE",
        says=echoed(b"", "DELETE"),
    ),
    post(
        "a body that is too large, where no files are sent",
        "/visits/echo",
        b"x" * (4 * MB),
        status=413,
    ),
    post("a body that is too large, at no address", "/nowhere", b"x" * (4 * MB), status=413),
    post(
        "an address that only begins like one for files",
        "/visits/uploads",
        b"x" * (4 * MB),
        status=413,
    ),
]

REQUESTS = [
    get("a long query", f"/visits/seen?{'q' * 7000}", says=said(query="q" * 7000)),
    get("a long path", f"/visits/seen/{'p' * 7000}", says=said(path=f"/visits/seen/{'p' * 7000}")),
    get(
        "many cookies",
        "/visits/seen",
        {"Cookie": COOKIES},
        says=lambda body: json.loads(body)["headers"]["HTTP_COOKIE"] == COOKIES,
    ),
    get(
        "cookies and other headers of 30 KB",
        "/visits/seen",
        {"Cookie": COOKIES, "X-A": "a" * 8000, "X-B": "b" * 8000, "X-C": "c" * 6000},
        says=lambda body: len(json.loads(body)["headers"]["HTTP_X_B"]) == 8000,
    ),
    get("a header that is too large", "/visits/seen", {"Cookie": "c" * 20_000}, status=400),
    get("an address that is too long", f"/visits/seen?{'q' * 20_000}", status=414),
    get(
        "a path with blanks and quotes",
        "/visits/seen/a%20b%22%27%3C",
        says=said(path="/visits/seen/a b\"'<"),
    ),
    get(
        "a path in another language",
        f"/visits/seen/{quote('ñandú/日本')}",
        says=said(path="/visits/seen/ñandú/日本"),
    ),
    get("the same as it is", "/visits/seen/ñ".encode(), says=said(path="/visits/seen/ñ")),
    get("two slashes stay two", "/visits/seen//a///b", says=said(path="/visits/seen//a///b")),
    get(
        "an address within the path",
        "/visits/seen/https://a.b/c",
        says=said(path="/visits/seen/https://a.b/c"),
    ),
    get("a percent sign", "/visits/seen/100%25", says=said(path="/visits/seen/100%")),
    get(
        "a plus is a plus", "/visits/seen/a+b?c+d", says=said(path="/visits/seen/a+b", query="c+d")
    ),
    get(
        "a question mark in the path",
        "/visits/seen/a%3Fb?c",
        says=said(path="/visits/seen/a?b", query="c"),
    ),
    get(
        "no slash is put behind an address for files",
        "/visits/upload",
        says=said(path="/visits/upload"),
    ),
    get("a name that is not the site's", "/visits/seen", {"Host": "evil.example"}, status=400),
]

HEADERS = [
    get(
        "what nginx adds",
        "/visits/body",
        has={
            "X-Served-By": "^server-2$",
            "X-Content-Type-Options": "^nosniff$",
            "Referrer-Policy": "^same-origin$",  # Django's SecurityMiddleware says so
        },
    ),
    get(
        "what the project says stands",
        "/visits/own",
        has={
            "Referrer-Policy": "^no-referrer$",
            "X-Content-Type-Options": "^of-the-project$",
            "X-Served-By": "^the project$",
            "Strict-Transport-Security": "^max-age=77$",
            "Content-Security-Policy": "^default-src 'self'$",
            "Cache-Control": "^private, max-age=7$",
            "Server-Timing": "own",
        },
    ),
    get(
        "what nginx adds to a file",
        "/static/plain.txt",
        has={
            "X-Served-By": "^server-2$",
            "X-Content-Type-Options": "^nosniff$",
            "Referrer-Policy": "^strict-origin-when-cross-origin$",
        },
    ),
]

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "js": "(application|text)/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "webmanifest": "application/manifest\\+json; charset=utf-8",
    "svg": "image/svg\\+xml; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "ics": "text/calendar; charset=utf-8",
    "wasm": "application/wasm",
    "avif": "image/avif",
    "webp": "image/webp",
    "jxl": "image/jxl",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "otf": "font/otf",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "pdf": "application/pdf",
    "unknown": "application/octet-stream",
}
"""The type of a file by the end of its name, in static and in media."""
RUN = ("html", "svg", "xml", "js", "mjs", "xhtml", "htm", "rss", "webmanifest", "css", "swf")
"""Uploads that a browser might run or load as a document."""
KEPT = ("txt", "pdf", "mp4", "webp", "unknown", "vtt", "woff2", "zip")
"""Uploads that it only shows or saves."""
HOUR = {"Cache-Control": "^public, max-age=3600$"}
FIVE_MINUTES = {"Cache-Control": "^public, max-age=300$"}
FOR_EVER = {"Cache-Control": "^public, max-age=31536000, immutable$"}

FILES = [
    *(
        get(f"{where}: .{ending}", f"/{where}/file.{ending}", has={"Content-Type": f"^{kind}$"})
        for where in ("static", "media")
        for ending, kind in TYPES.items()
    ),
    *(
        get(
            f"an uploaded .{ending} is not run",
            f"/media/file.{ending}",
            has={
                "Content-Security-Policy": SANDBOX,
                "X-Content-Type-Options": "^nosniff$",
                **HOUR,
            },
        )
        for ending in RUN
    ),
    *(
        get(
            f"an uploaded .{ending} is only shown or saved",
            f"/media/file.{ending}",
            has={"X-Content-Type-Options": "^nosniff$", **HOUR},
            lacks=("Content-Security-Policy",),
        )
        for ending in KEPT
    ),
    get(
        "static files are the project's own",
        "/static/file.html",
        lacks=("Content-Security-Policy",),
    ),
    get("a hash is for ever", f"/static/{HASHED}", has=FOR_EVER),
    get("a hash in a folder", f"/static/a/b/{HASHED}", has=FOR_EVER),
    get("a hash and no ending", "/static/LICENSE.0123456789ab", has=FOR_EVER),
    get("a name without one is not", "/static/plain.txt", has=FIVE_MINUTES),
    get("a date is no hash", "/static/informe.20240131.pdf", has=FIVE_MINUTES),
    get("a date with the time is none", "/static/informe.202401311230.pdf", has=FIVE_MINUTES),
    get("a hash of another length is none", "/static/main.0123abcd.js", has=FIVE_MINUTES),
    get("nor is one in media", f"/media/{HASHED}", has=HOUR),
    get(
        "a file that is not there is not kept",
        "/static/gone.0123456789ab.css",
        status=404,
        lacks=("Cache-Control",),
    ),
    get(
        "a range",
        "/media/film.mp4",
        {"Range": "bytes=100-199"},
        status=206,
        size=100,
        has={"Content-Range": "^bytes 100-199/200000$"},
    ),
    get("the end of a file", "/media/film.mp4", {"Range": "bytes=-10"}, status=206, size=10),
    get(
        "two ranges",
        "/media/film.mp4",
        {"Range": "bytes=0-9,20-29"},
        status=206,
        has={"Content-Type": "^multipart/byteranges"},
    ),
    get("a range behind the end", "/media/film.mp4", {"Range": "bytes=300000-"}, status=416),
    get("a range of static", "/static/plain.txt", {"Range": "bytes=0-1"}, status=206, size=2),
    Case(
        "HEAD of a film",
        request("/media/film.mp4", "HEAD"),
        method="HEAD",
        has={"Content-Length": "^200000$", "Accept-Ranges": "^bytes$"},
        size=0,
    ),
    get("a blank and an accent in a name", f"/media/{quote('año nuevo.txt')}", says=text(b"ok\n")),
    get("a folder is not listed", "/media/folder/", status=403),
    get(
        "a folder's name is sent on to this very place",
        "/media/folder",
        status=301,
        has={"Location": "^/media/folder/$"},
    ),
    get("a link to what others own", "/media/log.txt", status=403),
    get("a folder that is such a link", "/media/etc/hostname", status=403),
    get("a link to one's own", "/media/own-link.txt", says=text(b"ok\n")),
    get("a way out of the folder", "/media/../../../etc/passwd", status=400),
    get("the same in other words", "/media/..%2f..%2f..%2fetc%2fpasswd", status=400),
    get("a file of the folder beside it", "/static../reload", status=404),
    get("what a file system calls a device", "/media/file.txt%00.html", status=400),
]

ACCELERATED = [
    get(
        "a file in the place of an answer",
        "/visits/accel?to=/media/film.mp4&type=video/mp4",
        size=200_000,
        has={
            "Content-Type": "^video/mp4$",
            "Content-Disposition": 'filename="a b.txt"',
            "Cache-Control": "^private, max-age=7$",
            "X-Content-Type-Options": "^nosniff$",
        },
    ),
    get(
        "a range of it",
        "/visits/accel?to=/media/film.mp4&type=video/mp4",
        {"Range": "bytes=5-9"},
        status=206,
        size=5,
    ),
    get(
        "of a type that is run",
        "/visits/accel?to=/media/film.mp4&type=text/html",
        has={"Content-Security-Policy": SANDBOX},
    ),
    get(
        "with the project's own policy",
        "/visits/accel?to=/media/file.html&type=text/html&policy=default-src+none",
        has={"Content-Security-Policy": "^default-src none$"},
    ),
    get("that is a link to what others own", "/visits/accel?to=/media/log.txt", status=403),
    get("that is not there", "/visits/accel?to=/media/gone", status=404),
]

CASES = [*ANSWERS, *BODIES, *REQUESTS, *HEADERS, *FILES, *ACCELERATED]
