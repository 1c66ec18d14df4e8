"""What is asked of the application (``views.py`` beside this file), and what must come back."""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.lab.visits.asking import chunked, request
from tests.lab.visits.case import FORM, KB, MB, Case, echoed, get, post, said, text

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
