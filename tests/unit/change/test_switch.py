"""Who takes a release, who goes back, and when it counts."""

from __future__ import annotations

import dataclasses

import pytest

from nodriza.change.deploy import build_plan
from nodriza.change.switch import Stragglers, Switch
from nodriza.errors import ConnectionFailed, HostRefused, Interrupted
from nodriza.inventory.roles import default_roles
from nodriza.inventory.services import engines as engines_of
from nodriza.inventory.services import on_each
from nodriza.plan.plan import Plan, Planned
from nodriza.plan.render import Renderer
from nodriza.release.plan import as_recorded, followers
from nodriza.release.record import of, question
from nodriza.release.release import Release
from nodriza.report.result import NodeResult
from nodriza.resources import Environment, Health, OldReleases, Service, Trial
from nodriza.rollout.query import Silent

SEAL = {"tree": "a" * 64, "sha256": "b" * 64, "size": 9, "number": 3}
LINK = "link:/opt/videoteca/current"
FILE = "file:/etc/videoteca/videoteca.env"
EVERYBODY = ["server-2", "server-3", "video-1"]


def facts(current="", served=("old",)):
    return {
        "event": "facts",
        "releases": {
            "served": [
                {"release": id, "at": 0.0, "how": "deploy", "commit": f"of-{id}"} for id in served
            ],
            "current": current,
            "seals": {"new": {**SEAL, "number": 4}, "old": SEAL, "venv-e": SEAL},
            "venvs": {"new": "e", "old": "e"},
            "working": [],
            "pythons": {"e": "cpython-311"},
        },
    }


def result(node, *, error=None, failed=0, switched=False, **more):
    one = NodeResult(node, error=error, failed=failed, facts=facts(**more))
    if switched or failed:
        status = "changed" if switched else "failed"
        one.resources.append({"event": "resource", "id": LINK, "status": status})
    return one


@pytest.fixture
def combined(three_node):
    """The builder serves, and so do server-2 and server-3."""
    engines, tls = engines_of(three_node.services), three_node.tls.mode
    roles = default_roles("combined", engines, on_each(three_node.services)["server-1"], tls)
    changed = three_node.nodes[0].model_copy(update={"kind": "combined", "roles": roles})
    return three_node.model_copy(update={"nodes": (changed, *three_node.nodes[1:])})


@pytest.fixture
def switch(three_node):
    return Switch(three_node, "new", "e", "0815", "deploy")


def taken(switch, **others):
    """After the wave in which the nodes take it; ``others``: what came of some of them."""
    results = {"server-1": result("server-1")}
    plans = switch.take(results)
    assert [plan.node for plan in plans] == EVERYBODY
    assert all(plan.together for plan in plans)
    results |= {name: result(name, switched=True) for name in EVERYBODY}
    results |= {name.replace("_", "-"): one for name, one in others.items()}
    return results


def words(switch, results):
    return list(switch.words(results, "fab provision", "fab deploy"))


def targets(plans):
    return {
        plan.node: planned.resource.target.rpartition("/")[2]
        for plan in plans
        for planned in plan.resources
        if planned.resource.id == LINK
    }


def test_release_that_could_not_be_built__is_offered_to_nobody(switch):
    assert switch.take({"server-1": result("server-1", failed=1)}) == []
    assert switch.settle({"server-1": result("server-1", failed=1)}) == []


def test_release__is_written_down_when_everybody_serves_it(switch):
    results = taken(switch)
    plans = switch.settle(results)
    assert targets(plans) == {"server-1": "new"}
    assert switch.serving == ["server-2", "server-3"]
    assert words(switch, results) == ["2 of 2 children serve commit 0815 (release new)"]


def test_release_that_others_still_work_in__is_not_taken_from_the_share(switch):
    """A video node's task of an hour ago."""
    results = taken(switch)
    video = results["video-1"].facts["releases"]
    results["video-1"].facts = {"event": "facts", "releases": {**video, "working": ["failed"]}}
    switch.there = dataclasses.replace(switch.there, all=(*switch.there.all, Release("failed")))
    (plan,) = switch.settle(results)
    (old,) = [p.resource for p in plan.resources if isinstance(p.resource, OldReleases)]
    assert old.kept == ("new", "old", "failed")


def test_release_that_is_not_well_on_one_node__goes_back_on_all_that_had_it(switch):
    left_alone = result("server-3", error=HostRefused("left alone"))
    results = taken(switch, server_2=result("server-2", failed=1), server_3=left_alone)
    plans = switch.settle(results)
    assert targets(plans) == {"video-1": "old"}
    results["video-1"].resources *= 2  # once there, and once back
    assert switch.serving == []
    assert words(switch, results) == ["commit of-old (release old) goes on serving"]


def test_release_that_is_gone_back_from__stays_for_the_pages_that_visitors_have_of_it(switch):
    results = taken(switch, server_2=result("server-2", failed=1))
    plans = {plan.node: plan for plan in switch.settle(results)}
    back = {planned.resource.id: planned.resource for planned in plans["server-3"].resources}
    assert back[LINK].target == "/srv/videoteca/releases/old"
    assert back["link:/opt/videoteca/newest"].target == "/srv/videoteca/releases/new"


def test_node_out_of_reach__is_told_and_keeps_nobody_from_the_release(switch):
    lost = result("server-3", error=ConnectionFailed("no way to the host"))
    results = taken(switch, server_3=lost)
    plans = switch.settle(results)
    assert targets(plans) == {"server-1": "new"}
    assert words(switch, results) == [
        "1 of 2 children serve commit 0815 (release new)",
        "  server-3 was not reached. Next: fab provision:server-3, once it is there again",
    ]


def test_node_that_was_lost_on_the_way__may_serve_anything_so_the_others_go_back(switch):
    lost = result("server-3", error=ConnectionFailed("the line broke"), switched=True)
    plans = switch.settle(taken(switch, server_3=lost))
    assert targets(plans) == {"server-2": "old", "video-1": "old"}


def test_deploy_that_was_interrupted__names_who_has_the_release_and_what_to_type(switch):
    stopped = result("server-3", error=Interrupted("its turn had not come"))
    results = taken(switch, server_3=stopped)
    switch.settle(results)  # after a Ctrl-C nobody is sent what it says
    assert words(switch, results) == [
        "server-2, video-1: on commit 0815 (release new), which is not written down",
        "  next: fab deploy, which brings the others to it, or fab provision, which brings",
        "        all back to commit of-old (release old)",
    ]


def test_release_that_could_not_be_written_down__is_told(switch):
    results = taken(switch)
    switch.settle(results)
    results["server-1"] = result("server-1", error=ConnectionFailed("the line broke"))
    assert words(switch, results) == [
        "2 of 2 children serve commit 0815 (release new)",
        "  it is not written down, so a provision would take it back",
        "  next: fab deploy, which writes it down",
    ]


def test_no_child_in_reach__is_no_deploy(switch):
    away = {
        name: result(name.replace("_", "-"), error=ConnectionFailed("no way"))
        for name in ("server_2", "server_3")
    }
    assert targets(switch.settle(taken(switch, **away))) == {"video-1": "old"}


def test_first_release_of_all__has_nothing_to_go_back_to(switch):
    central = NodeResult("server-1", facts=facts(served=()))
    switch.take({"server-1": central})
    results = {"server-1": central, "server-2": result("server-2", failed=1)}
    assert switch.settle(results) == []
    assert words(switch, results) == ["nothing was served before"]


def test_node_that_runs_no_application__takes_no_release(three_node):
    name_server = three_node.node("video-1").model_copy(update={"roles": ("base", "dns")})
    nodes = (*three_node.nodes[:3], name_server)
    cluster = three_node.model_copy(update={"nodes": nodes})
    plans = Switch(cluster, "new", "e", "", "deploy").take({"server-1": result("server-1")})
    assert [plan.node for plan in plans] == ["server-2", "server-3"]
    results = {node.name: result(node.name) for node in nodes}
    behind = brought(Stragglers(cluster, list(nodes), Silent()), results)
    assert [plan.node for plan in behind] == ["server-2", "server-3"]
    there = of(facts()["releases"])
    assert as_recorded(cluster, name_server, Renderer.of(cluster), there) == []
    (link,) = as_recorded(cluster, nodes[1], Renderer.of(cluster), there)
    assert link.resource.id == LINK


def test_services__follow_the_link_and_the_variables_and_nothing_else_of_what_they_follow(switch):
    plans = {plan.node: plan for plan in switch.take({"server-1": result("server-1")})}
    (uwsgi,) = [p.resource for p in plans["server-2"].resources if isinstance(p.resource, Service)]
    assert (uwsgi.id, uwsgi.reload_on, uwsgi.restart_on) == ("service:uwsgi", (LINK, FILE), ())
    assert isinstance(plans["server-2"].resources[-1].resource, Health)
    services = [p.resource for p in plans["video-1"].resources if isinstance(p.resource, Service)]
    assert [(one.id, one.reload_on) for one in services] == [("service:celery", (LINK, FILE))]


def test_variables__change_with_the_release_that_was_tried_with_them(switch):
    """Code that needs a new variable could neither be tried nor served without it."""
    for plan in switch.take({"server-1": result("server-1")}):
        order = [planned.resource for planned in plan.resources]
        ids = [each.id for each in order]
        assert ids[ids.index(FILE) + 1] == LINK
        trials = [each for each in order if isinstance(each, Trial)]
        assert len(trials) == 1
        for trial in trials:
            assert ids.index(trial.id) < ids.index(FILE)
            assert trial.environment == order[ids.index(FILE)].content


def test_build__has_the_variables_that_all_others_will_have(three_node):
    plan = build_plan(three_node, Release("new", venv="e"))
    assert plan.resources[0].resource.id == FILE


def test_service_that_follows_the_variables_only__follows_a_deploy_too(switch):
    unit = "mailer"
    whole = Plan("server-2", (Planned(Service(unit, restart_on=(FILE, "file:/other")), "here"),))
    ((service, _),) = followers(switch.cluster, whole)
    assert (service.unit, service.restart_on) == (unit, (FILE,))


def test_copy_of_what_serves_that_is_mended__is_begun_anew_with(three_node):
    """What somebody has changed may be what the workers have read."""
    app = three_node.app.model_copy(update={"releases": "local"})
    cluster = three_node.model_copy(update={"app": app})
    for release, copies in (("old", 2), ("new", 0)):
        plans = Switch(cluster, release, "e", "", "deploy").take({"server-1": result("server-1")})
        (uwsgi,) = [p.resource for p in plans[0].resources if isinstance(p.resource, Service)]
        mended = [id for id in uwsgi.reload_on if id.startswith(("copy:", "environment:"))]
        assert len(mended) == copies


def test_release_on_the_share_that_was_made_anew__is_begun_anew_with_once(three_node):
    """Nothing that is on the node itself has changed: its number tells."""

    def begun(number, serves="new"):
        switch = Switch(three_node, "new", "e", "0815", "deploy")
        there = facts(current=serves, served=("old", serves))
        there["releases"]["seals"]["new"]["number"] = number
        (plan, *_) = switch.take({"server-1": NodeResult("server-1", facts=there)})
        (file,) = [p.resource for p in plan.resources if p.resource.id.endswith("begun")]
        services = [p.resource for p in plan.resources if isinstance(p.resource, Service)]
        return file, {file.id in (*each.reload_on, *each.restart_on) for each in services}

    made, follows = begun(4)
    assert follows == {True}
    assert begun(4)[0] == made
    assert begun(5)[0].content != made.content
    assert not made.ahead, "it waits for the node's turn"


def test_drift__reads_each_file_of_what_a_deploy_looks_at_the_times_of(three_node):
    app = three_node.app.model_copy(update={"releases": "local"})
    local = three_node.model_copy(update={"app": app})
    there = of(facts(current="old")["releases"])
    for name, number in (("server-1", 2), ("server-2", 2)):
        recorded = as_recorded(local, local.node(name), Renderer.of(local), there)
        found = [getattr(each.resource, "copy", each.resource) for each in recorded]
        assert [one.thorough for one in found if hasattr(one, "thorough")] == [True] * number


def test_what_nobody_works_in_any_more__goes_once_the_services_have_begun_anew(switch):
    app = switch.cluster.app.model_copy(update={"releases": "local"})
    local = switch.cluster.model_copy(update={"app": app})
    (plan, *_) = Switch(local, "new", "e", "", "deploy").take({"server-1": result("server-1")})
    kinds = [type(planned.resource) for planned in plan.resources]
    assert kinds[-2:] == [OldReleases, Health]
    assert Service in kinds


def test_check_of_a_release_that_is_not_made_yet__knows_an_environment_that_is_there(three_node):
    app = three_node.app.model_copy(update={"releases": "local"})
    cluster = three_node.model_copy(update={"app": app})

    def made_for(venv):
        plans = Switch(cluster, "next", venv, "", "deploy").take({"server-1": result("server-1")})
        (one,) = [p.resource for p in plans[0].resources if isinstance(p.resource, Environment)]
        return one.made_for, one.copy.tree

    assert made_for("e") == ("cpython-311", "a" * 64)
    assert made_for("f") == ("", "")


def brought(behind, results):
    """The plans of those that are behind, and none without the central's releases in hand."""
    first = behind.begin(results)
    plans = behind.bring(results)
    assert [(plan.node, plan.resources, plan.releases) for plan in first] == (
        [("server-1", (), True)] if plans else []
    )
    return plans


def test_provision_during_a_deploy__takes_nobody_back(three_node):
    """The deploy has brought server-2 along already, and then writes down what it has."""
    nodes = list(three_node.nodes)
    results = {node.name: result(node.name, current="new") for node in nodes}
    behind = Stragglers(three_node, nodes, Silent())
    assert [plan.node for plan in behind.begin(results)] == ["server-1"]
    busy = HostRefused("another run is at work on this host: deploy by ana")
    assert behind.bring({**results, "server-1": result("server-1", error=busy)}) == []
    written = NodeResult("server-1", facts=facts("new", served=("old", "new")))
    assert behind.bring({**results, "server-1": written}) == []


def test_nodes_with_another_release__are_brought_along_by_a_provision(three_node):
    nodes = list(three_node.nodes)
    current = {"server-1": "old", "server-2": "old", "server-3": "other", "video-1": ""}
    results = {name: result(name, current=now) for name, now in current.items()}
    plans = brought(Stragglers(three_node, nodes, Silent()), results)
    assert targets(plans) == {"server-3": "old", "video-1": "old"}


def test_provision__brings_nobody_along_where_nothing_was_deployed_or_the_central_is_not_well(
    three_node,
):
    nodes = list(three_node.nodes)
    results = {node.name: NodeResult(node.name, facts=facts(served=())) for node in nodes}
    assert brought(Stragglers(three_node, nodes, Silent()), results) == []
    results = {node.name: result(node.name) for node in nodes}
    results["server-1"] = result("server-1", failed=1)
    assert brought(Stragglers(three_node, nodes, Silent()), results) == []


def test_central_that_does_not_answer__is_told_and_the_run_has_done_its_work(
    three_node, monkeypatch
):
    def read(*_, **__):
        raise HostRefused("it has another key")

    monkeypatch.setattr("nodriza.change.switch.read", read)
    report = Silent()
    told = []
    report.event = lambda node, event: told.append((node, event["words"]))
    alone = Stragglers(three_node, [three_node.node("server-3")], report)
    assert brought(alone, {"server-3": result("server-3", current="other")}) == []
    assert told == [
        (
            "server-3",
            "which release it is to serve is not known: server-1: it has another key",
        )
    ]


def test_question__asks_all_nodes_the_same(three_node):
    (about,) = question(three_node).values()
    assert about["current"] == three_node.app.current


def test_central_that_says_nothing__has_words_that_claim_nothing(switch):
    """It was taken by another run, or could not be reached: what it has is not known."""
    central = NodeResult("server-1", error=HostRefused("another run is at work on this host"))
    assert switch.take({"server-1": central}) == []
    assert words(switch, {"server-1": central}) == ["what served goes on serving"]


def kinds(plan):
    return [type(planned.resource).__name__ for planned in plan.resources]


def test_builder_that_serves__switches_as_the_others_and_writes_down_when_all_are_well(combined):
    switch = Switch(combined, "new", "e", "0815", "deploy")
    plans = switch.take({"server-1": result("server-1")})
    assert [plan.node for plan in plans] == ["server-1", *EVERYBODY]
    taken = kinds(plans[0])
    assert "Served" not in taken
    assert taken[-1] == "Health"
    assert (
        taken.index("Trial") < taken.index("Link", taken.index("Trial")) < taken.index("Service")
    )
    names = ("server-1", *EVERYBODY)
    results = {name: result(name, switched=True) for name in names}
    (record,) = switch.settle(results)
    assert (record.node, kinds(record)) == ("server-1", ["Served", "OldReleases"])
    assert record.resources[0].resource.current == ""
    assert words(switch, results) == ["3 of 3 children serve commit 0815 (release new)"]


def test_builder_that_serves__goes_back_with_the_others(combined):
    switch = Switch(combined, "new", "e", "0815", "deploy")
    switch.take({"server-1": result("server-1")})
    results = {name: result(name, switched=True) for name in ("server-1", *EVERYBODY)}
    results["server-3"] = result("server-3", failed=1)
    assert set(targets(switch.settle(results)).values()) == {"old"}
    assert "server-1" in targets(switch.settle(results))


def test_builder_that_serves_and_is_not_well__writes_nothing_down(combined):
    for bad in (
        result("server-1", failed=1),
        result("server-1", error=ConnectionFailed("the line broke"), switched=True),
        result("server-1", error=ConnectionFailed("no way")),
    ):
        switch = Switch(combined, "new", "e", "0815", "deploy")
        switch.take({"server-1": result("server-1")})
        results = {name: result(name, switched=True) for name in EVERYBODY}
        plans = switch.settle({**results, "server-1": bad})
        assert not any("Served" in kinds(plan) for plan in plans)
        assert targets(plans) == dict.fromkeys(EVERYBODY, "old")


def test_builder_that_serves__is_brought_back_to_what_is_written_down(combined):
    """A deploy that was killed after its switch, and before it was written down."""
    nodes = list(combined.nodes)
    results = {node.name: result(node.name, current="new") for node in nodes}
    plans = brought(Stragglers(combined, nodes, Silent()), results)
    assert targets(plans) == dict.fromkeys(("server-1", *EVERYBODY), "old")
    (about,) = question(combined).values()
    assert about["counts"] == "", "the record alone says what serves"


def test_what_a_builder_serves__keeps_its_variables_while_the_next_is_built(combined):
    plan = build_plan(combined, Release("new", venv="e"))
    ids = [planned.resource.id for planned in plan.resources]
    following = "/etc/videoteca/videoteca.next.env"
    assert ids[0] == f"file:{following}"
    assert FILE not in ids
    assert not {"Service", "Health"} & {*kinds(plan)}
    read = {getattr(planned.resource, "env_file", "") for planned in plan.resources}
    assert read <= {"", following}


def test_processes_of_a_builder_that_serves__begin_anew_with_a_release_that_was_made_anew(
    combined,
):
    (plan, *_) = Switch(combined, "new", "e", "", "deploy").take({"server-1": result("server-1")})
    assert "file:/opt/videoteca/begun" in [planned.resource.id for planned in plan.resources]
