"""How checks are run and told; the checks themselves need a cluster."""

from __future__ import annotations

import json
import signal
import xml.etree.ElementTree as ET

import pytest

from nodriza.report.outcome import junit
from nodriza.smoke import Failed, run_checks, smoke
from nodriza.smoke.checks import CHECKS
from nodriza.smoke.run import all_checks
from nodriza.smoke.site import Response, Site


def good(site):
    """all is well"""


def bad(site):
    """the page is blue"""
    raise Failed("a blue page", "a red one", "site.css")


def broken(site):
    """the check has a mistake"""
    raise KeyError("x")


def test_outcomes__tell_what_was_expected_what_came_and_where_to_look(three_node):
    outcomes = list(run_checks(Site(three_node), [good, bad, broken]))
    assert [bool(outcome.failed) for outcome in outcomes] == [False, True, True]
    said = str(outcomes[1])
    assert said.startswith("FAIL the page is blue")
    for words in ("expected: a blue page", "got: a red one", "look at: site.css"):
        assert words in said
    assert "KeyError" in str(outcomes[2])


LEFT = """
def breaks(site):
    \"\"\"something else goes wrong here\"\"\"
    raise {error}

def tidy(site):
    \"\"\"what was made is taken away\"\"\"
    with open({path!r}, "a") as file:
        file.write("tidy ")

CHECKS, LAST = [breaks], tidy
"""


def made(three_node, tmp_path, error):
    (tmp_path / "smoke.py").write_text(LEFT.format(error=error, path=f"{tmp_path}/log"))
    app = three_node.app.model_copy(update={"source_path": tmp_path})
    nodes = (three_node.builder,)  # of which no check of ours wants anything
    return three_node.model_copy(update={"app": app, "nodes": nodes})


@pytest.fixture
def _no_checks_of_ours(monkeypatch):
    monkeypatch.setattr("nodriza.smoke.run.CHECKS", [])


@pytest.mark.usefixtures("_no_checks_of_ours")
def test_what_checks_made__is_taken_away_when_one_fails(three_node, tmp_path):
    said = []
    outcomes = smoke(made(three_node, tmp_path, "site.Failed('a', 'b')"), said.append)
    assert outcomes == said
    assert [bool(outcome.failed) for outcome in outcomes] == [True, False]
    assert (tmp_path / "log").read_text() == "tidy "


@pytest.mark.usefixtures("_no_checks_of_ours")
def test_what_checks_made__is_taken_away_when_somebody_interrupts(three_node, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        smoke(made(three_node, tmp_path, "KeyboardInterrupt"), lambda _: None)
    assert (tmp_path / "log").read_text() == "tidy "


@pytest.mark.usefixtures("_no_checks_of_ours")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_checks_made__is_taken_away_when_it_is_killed(three_node, tmp_path, number):
    error = f"__import__('os').kill(__import__('os').getpid(), {int(number)}) or KeyError"
    with pytest.raises(SystemExit) as ended:
        smoke(made(three_node, tmp_path, error), lambda _: None)
    assert ended.value.code == 128 + number
    assert (tmp_path / "log").read_text() == "tidy "


def test_example__knows_its_video_nodes_by_what_they_are(three_node):
    """Also where none has "video" in its name."""
    renamed = [
        node.model_copy(update={"name": "maker" if node.kind == "video" else node.name})
        for node in three_node.nodes
    ]
    cluster = three_node.model_copy(update={"nodes": tuple(renamed)})
    site = Pretend(cluster, made_by="maker")
    check = next(c for c in all_checks(cluster, site).all if "is_made" in c.__name__)
    check(site)
    site.made_by = "server-2"
    with pytest.raises(Failed, match="made by a video node"):
        check(site)


class Pretend(Site):
    """A site that says of its video what a test wants it to say."""

    def __init__(self, cluster, made_by):
        super().__init__(cluster)
        self.made_by = made_by

    def sample_video(self):
        return b""

    def post_form(self, child, path, fields, files=None):
        return Response(302, {"Location": "/videos/1/"}, b"")

    def get(self, child, path, headers=None):
        about = {"id": 1, "state": "ready", "node_made": self.made_by, "words": ""}
        about.update(mp4="/media/a.mp4", poster="/media/a.jpg")
        body = json.dumps(about).encode() if path.endswith(".json") else b"\xff\xd8\xff"
        return Response(200, {}, body)

    def ffprobe(self, video):
        return {"streams": [{"codec_name": "h264"}], "format": {"duration": "2"}}


def test_junit__counts_and_names_failures(three_node):
    suite = ET.fromstring(junit(run_checks(Site(three_node), [good, bad]), "smoke"))
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "1"
    failure = suite.find("testcase[@name='the page is blue']/failure")
    assert failure is not None
    assert "site.css" in failure.text


def test_every_check__is_a_sentence(three_node):
    checks = all_checks(three_node, Site(three_node), reboot=True)
    checks = [*checks.all, *checks.last]
    assert len(checks) > len(CHECKS) + len(three_node.nodes)
    for check in checks:
        assert len(check.__doc__.strip().splitlines()[0].split()) > 3


def test_wait__tells_what_came_last_when_time_is_up(three_node):
    site = Site(three_node)

    def never():
        raise Failed("x", "still starting", "the journal")

    with pytest.raises(Failed) as failed:
        site.wait(0.3, never, "the page")
    assert "still starting" in failed.value.got
    assert failed.value.look == "the journal"


def test_wait__returns_the_first_answer(three_node):
    answers = iter([None, 0, "yes"])
    assert Site(three_node).wait(5, lambda: next(answers), "yes") == "yes"


def test_is_open__is_false_where_nobody_listens(three_node, monkeypatch):
    monkeypatch.undo()  # loopback only, and nothing answers there
    assert not Site(three_node).is_open("127.0.0.1", 1)


def test_https__is_how_a_visitor_comes_where_the_inventory_asks_for_it(three_node):
    from nodriza.smoke.browser import browser, origin

    tls = three_node.tls.model_copy(update={"mode": "acme"})
    secure = three_node.model_copy(update={"tls": tls})
    assert origin(three_node) == "http://videoteca.test"
    assert origin(secure, "198.18.8.12") == "https://198.18.8.12"
    with browser(secure, "198.18.8.12") as visitor:
        request = visitor.build_request("GET", "/")
    assert str(request.url) == "https://198.18.8.12/"
    assert request.headers["Host"] == "videoteca.test"
    more = set(all_checks(secure, Site(secure)).all) - set(
        all_checks(three_node, Site(three_node)).all
    )
    assert "every child sends visitors without TLS to the site's HTTPS" in {
        check.__doc__ for check in more
    }
