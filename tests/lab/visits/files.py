"""What is asked of files, and what must come back.

They are those that ``test_visitors.py`` puts into static and media.
"""

from __future__ import annotations

from urllib.parse import quote

from tests.lab.visits.asking import request
from tests.lab.visits.case import Case, get, text

SANDBOX = "^sandbox; script-src 'none'"
HASHED = "site.0123456789ab.css"

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
