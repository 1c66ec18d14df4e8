"""How checks are run and told; the checks themselves need a cluster."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from nodriza.smoke import Failed, run_checks
from nodriza.smoke.checks import CHECKS
from nodriza.smoke.run import all_checks, junit
from nodriza.smoke.site import Site


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


def test_junit__counts_and_names_failures(three_node):
    suite = ET.fromstring(junit(run_checks(Site(three_node), [good, bad]), "smoke"))
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "1"
    failure = suite.find("testcase[@name='the page is blue']/failure")
    assert failure is not None
    assert "site.css" in failure.text


def test_every_check__is_a_sentence(three_node):
    checks = all_checks(three_node, Site(three_node), reboot=True)
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
    more = set(all_checks(secure, Site(secure))) - set(all_checks(three_node, Site(three_node)))
    assert "every child sends visitors without TLS to the site's HTTPS" in {
        check.__doc__ for check in more
    }
