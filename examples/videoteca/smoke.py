"""What the site promises its visitors, seen from outside: run by ``fab smoke``.

Each function in ``CHECKS`` gets ``site`` from the smoke runner, and its docstring's first line
is the sentence it checks. Nothing here imports the application.
"""

import re
import secrets

from nodriza.role import does

PAGES = ("/", "/upload/", "/notes/", "/no-such-page/")
MARK = f"Smoke test {secrets.token_hex(16)}"
"""Title and author of all that is made here, so that it can be taken away again."""
MAKING = 120
"""Seconds that a film of two seconds may take, on a slow node with other work."""


def every_child_can_do_its_work(site):
    """every child reaches its database and its share"""
    for child in site.children:
        answer = site.get(child, "/healthz")
        if answer.status != 200 or answer.text.strip() != "ok":
            raise site.Failed(
                expected=f"200 ok from {child.name}/healthz",
                got=f"{answer.status} {answer.text.strip()[:200]}",
                look=f"the journal of the application on {child.name}; the mount of the share",
            )


def every_page_names_its_node(site):
    """every page says which node served it"""
    for child in site.children:
        for path in PAGES:
            _must_name_node(site, child, path)


def a_row_crosses_the_children(site):
    """a row written through one child is read through another"""
    writer, reader = site.children[0], site.children[-1]
    words = f"smoke {secrets.token_hex(8)}"
    answer = site.post_form(writer, "/notes/", {"author": MARK, "text": words}, {})
    _must_redirect(site, writer, "/notes/", answer)
    page = site.get(reader, "/notes/")
    if page.status != 200 or words not in page.text:
        raise site.Failed(
            expected=f"the note {words!r}, written through {writer.name}, on {reader.name}/notes/",
            got=f"{page.status}, a page without it",
            look=f"DATABASE_HOST in the environment file of {writer.name} and {reader.name}",
        )


def an_upload_crosses_the_children(site):
    """a file uploaded through one child is served by another, byte for byte"""
    writer, reader = site.children[0], site.children[-1]
    sent = site.sample_video()
    path = _upload(site, writer, sent)["original"]
    if not path.startswith("/media/uploads/"):
        raise site.Failed(
            expected="the original below /media/uploads/",
            got=path,
            look="MEDIA_URL and the model of the application",
        )
    site.wait(
        15,
        lambda: site.get(reader, path).status == 200,
        f"{reader.name} to serve {path}, uploaded through {writer.name}",
    )
    answer = site.get(reader, path)
    if answer.body != sent:
        raise site.Failed(
            expected=f"the {len(sent)} bytes that were uploaded through {writer.name}",
            got=f"{len(answer.body)} bytes, {_first_difference(sent, answer.body)}",
            look=f"the mount of the share on {writer.name} and {reader.name}",
        )


def a_video_is_made_and_plays(site):
    """a video uploaded through a child is made by a video node and plays from another child"""
    writer, reader = site.children[0], site.children[-1]
    number = _upload(site, writer, site.sample_video())["id"]

    def now():
        return site.get(reader, f"/videos/{number}.json").json()

    site.wait(
        MAKING,
        lambda: now()["state"] in ("ready", "failed"),
        f"a video node to make video {number} (celery on the video nodes; the broker)",
    )
    video = now()
    # Whatever they are called.
    makers = {node.name for node in site.cluster.nodes if does(node, site.cluster, "encoding")}
    if video["state"] != "ready" or video["node_made"] not in makers:
        raise site.Failed(
            expected="state ready, made by a video node",
            got=f"state {video['state']}, made by {video['node_made'] or 'nobody'}: "
            f"{video['words']}",
            look="the journal of celery on the video nodes",
        )
    _must_play(site, reader, video["mp4"])
    poster = site.get(reader, video["poster"])
    if poster.status != 200 or not poster.body.startswith(b"\xff\xd8\xff"):
        raise site.Failed(
            expected=f"a JPEG at {reader.name}{video['poster']}",
            got=f"{poster.status}, beginning with {poster.body[:12]!r}",
            look="the journal of celery on the video nodes; /media/ in nginx's site",
        )


def static_files_are_kept_by_browsers(site):
    """static files are served by nginx and may be cached for ever"""
    for child in site.children:
        found = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', site.get(child, "/").text)
        if not found:
            raise site.Failed(
                expected=f"a style sheet with a hash in its name on {child.name}/",
                got="none",
                look="collectstatic in the deploy; staticfiles.json in STATIC_ROOT",
            )
        _must_be_kept(site, child, found[1])


def nothing_is_left_for_visitors_to_see(site):
    """what the checks made is taken away again"""
    site.manage("remove_smoke_tests", MARK)
    for child in site.children:
        for path in ("/", "/notes/"):
            if MARK in site.get(child, path).text:
                raise site.Failed(
                    expected=f"nothing named {MARK!r} on {child.name}{path}",
                    got="it is there still",
                    look="manage.py remove_smoke_tests; the cache of the application",
                )


CHECKS = [
    every_child_can_do_its_work,
    every_page_names_its_node,
    a_row_crosses_the_children,
    an_upload_crosses_the_children,
    a_video_is_made_and_plays,
    static_files_are_kept_by_browsers,
]
LAST = nothing_is_left_for_visitors_to_see
"""Comes after all others, also when one of them fails or somebody interrupts them."""


def _must_name_node(site, child, path):
    page = site.get(child, path)
    named = re.search(r'data-node="([^"]*)"', page.text)
    expected_status = 404 if path == "/no-such-page/" else 200
    if page.status != expected_status or not named or named[1] != child.name:
        raise site.Failed(
            expected=f"{expected_status} and the name {child.name} on {child.address}{path}",
            got=f"{page.status} and {repr(named[1]) if named else 'no name'}",
            look=f"NODE_NAME in the environment file of {child.name}; the application's journal",
        )


def _must_redirect(site, child, path, answer):
    if answer.status not in (302, 303):
        errors = re.findall(r'class="error">([^<]*)<', answer.text)
        raise site.Failed(
            expected=f"a redirect after the form at {child.name}{path} was sent",
            got=f"{answer.status} {' '.join(errors) or answer.text.strip()[:200]}",
            look=f"the application's journal on {child.name}",
        )


def _upload(site, child, sent):
    """Upload as a browser does; what the site then says about the video."""
    files = {"original": ("smoke.mp4", sent, "video/mp4")}
    answer = site.post_form(child, "/upload/", {"title": MARK}, files)
    _must_redirect(site, child, "/upload/", answer)
    page = answer.headers["Location"].rstrip("/")
    return site.get(child, f"{page}.json").json()


def _must_play(site, child, path):
    answer = site.get(child, path)
    if answer.status != 200:
        raise site.Failed(
            expected=f"the film at {child.name}{path}",
            got=str(answer.status),
            look=f"/media/ in nginx's site on {child.name}; the mount of the share",
        )
    seen = site.ffprobe(answer.body)
    codecs = [stream.get("codec_name") for stream in seen.get("streams", [])]
    seconds = float(seen.get("format", {}).get("duration", 0))
    if "h264" not in codecs or not 1.5 <= seconds <= 2.5:
        raise site.Failed(
            expected="an MP4 with H.264 of about 2 s",
            got=f"{codecs or 'no streams'}, {seconds} s, {len(answer.body)} bytes",
            look="the journal of celery on the video nodes",
        )


def _must_be_kept(site, child, path):
    answer = site.get(child, path)
    rule = answer.headers.get("Cache-Control") or ""
    age = re.search(r"max-age=(\d+)", rule)
    if answer.status != 200 or not age or int(age[1]) < 86400 or "immutable" not in rule:
        raise site.Failed(
            expected=f"200 for {path} with Cache-Control: max-age of a day or more, immutable",
            got=f"{answer.status}, Cache-Control: {rule or 'none'}",
            look=f"/static/ in nginx's site on {child.name}",
        )
    # nginx knows a file's ETag; the application, which serves no static files, would not.
    tag = answer.headers.get("ETag") or ""
    again = site.get(child, path, headers={"If-None-Match": tag}) if tag else answer
    if again.status != 304:
        raise site.Failed(
            expected=f"an ETag for {path}, and 304 when it is sent back",
            got=f"ETag {tag or 'none'}, then {again.status}",
            look=f"/static/ in nginx's site on {child.name}",
        )


def _first_difference(sent, came):
    for place, (one, other) in enumerate(zip(sent, came, strict=False)):
        if one != other:
            return f"different from byte {place}"
    return "cut short" if len(came) < len(sent) else "with more at the end"
