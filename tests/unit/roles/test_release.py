"""The deploy, as a plan."""

from __future__ import annotations

from nodriza.resources import Command
from tests.unit.roles.made import role


def test_release__switches_after_everything_else_has_worked(three_node):
    ids = [r.id for r in role("release")(three_node.central, three_node, "2024", "abc", b"")]
    switch = ids.index("link:/srv/videoteca/current")
    for step in ("import", "check", "migrate", "collectstatic"):
        assert ids.index(f"command:{step}") < switch
    assert ids.index("touch:/srv/videoteca/reload") > switch


def test_release__runs_the_application_as_its_user_and_keeps_its_code_from_it(three_node):
    plan = list(role("release")(three_node.central, three_node, "2024", "abc", b""))
    steps = [r for r in plan if isinstance(r, Command) and r.name != "caches"]
    assert {step.user for step in steps} == {"videoteca"}
    assert {r.owner for r in plan if hasattr(r, "owner")} == {"root"}


def test_release__is_in_the_record_before_it_serves(three_node):
    """A run that is killed between the two leaves no release that serves without an entry."""
    kinds = [type(r).__name__ for r in role("release")(three_node.central, three_node, "2024")]
    assert kinds.index("Served") < kinds.index("Link")


def test_release_that_is_gone_back_to__is_tried_as_the_application_s_user(three_node):
    plan = role("release")(three_node.central, three_node, "2024")
    tried = next(r for r in plan if isinstance(r, Command) and r.name == "import")
    assert tried.user == "videoteca"
