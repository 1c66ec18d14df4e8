"""A release is made on the central node, and taken by all others: as plans."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from nodriza.release.release import Release
from nodriza.resources import (
    Built,
    Command,
    Copy,
    Environment,
    File,
    Intact,
    Link,
    Migrations,
    OldReleases,
    Preflight,
    Sealed,
    Static,
    Upload,
    Venv,
)
from nodriza.source.requirements import Requirements
from tests.unit.roles.made import remake, resources, role

SEAL = {"tree": "a" * 64, "sha256": "b" * 64, "size": 9, "number": 3}
TREE = Upload("/srv/videoteca/releases/aaa/app", "c" * 64)
TO = Release("aaa", venv="bbb", commit="0815", tree=SEAL, environment=SEAL, python="cpython-311")


@pytest.fixture
def local(three_node):
    """With copies on each node's own disk."""
    return remake(three_node, app=remake(three_node.app, releases="local"))


def build(cluster, tree=TREE, breaking=False, **more):
    known = {"file": "requirements.txt", "id": "bbb", "installer": "uv"}
    needs = Requirements(**{**known, **more})
    made = role("build")(cluster.builder, cluster, "aaa", "bbb", tree, needs, breaking)
    return list(made)


def taken(cluster, name, newest=None):
    newest = newest or TO
    kept = ("aaa", "old", newest.id)
    return list(role("release")(cluster.node(name), cluster, TO, kept, newest))


def recorded(cluster):
    return list(role("record")(cluster.builder, cluster, TO, "deploy", ("aaa", "old")))


def test_build__migrates_after_all_that_may_fail(three_node):
    ids = [resource.id for resource in build(three_node)]
    folder = "/srv/videoteca/releases/aaa"
    assert ids[-1] == f"migrations:{folder}"
    assert ids.index(f"static:{folder}/static") < ids.index(f"preflight:{folder}")
    assert ids.index(f"static:{folder}/static") < ids.index(f"sealed:{folder}")


def test_build__makes_nothing_before_it_knows_that_the_source_has_room(three_node):
    first, second, *_ = [r for r in build(three_node) if not isinstance(r, Intact)]
    assert isinstance(first, OldReleases), "what a failed build left makes room"
    assert second == TREE, "its vet looks at the room"


def test_build__takes_away_what_no_node_was_ever_told_of_and_nothing_else(three_node):
    first, *_ = build(three_node)
    assert (first.kept, first.venv, first.unsealed) == (("aaa",), "bbb", True)
    assert first.seals == three_node.app.seals


def test_build__keeps_the_code_of_the_application_from_its_user(three_node):
    assert {r.owner for r in build(three_node) if hasattr(r, "owner")} == {"root"}


def test_build__has_its_requirements_built_by_somebody_without_rights(three_node):
    uv, venv = [r for r in build(three_node) if isinstance(r, Venv)]
    assert uv.unit == "nodriza-videoteca-uv"
    assert venv.unit == "nodriza-videoteca-environment"
    for each in (uv, venv):
        assert each.user == "videoteca-build"
        hidden = {"/var/lib/nodriza", "/etc/videoteca", "/var/lib/mysql", "/run/mysqld"}
        assert {*each.hidden} > hidden


def test_build__installs_by_uv_which_pip_has_brought_by_its_sum(three_node):
    plan = build(three_node)
    (pinned,) = [r for r in resources(three_node, "server-1", File) if "uv.txt" in r.path]
    text = pinned.content
    assert re.search(r"(?m)^--only-binary :all:$", text)
    assert re.search(r"(?m)^uv==[\d.]+ \\\n +--hash=sha256:", text)
    uv, venv = [r for r in plan if isinstance(r, Venv)]
    assert (uv.requirements, uv.uv, uv.pip) == (pinned.path, "", False)
    assert venv.uv == f"{uv.path}/bin/uv"
    assert plan.index(uv) < plan.index(venv)


def test_build__installs_poetrys_lock_from_what_was_read_of_it(three_node):
    plan = build(three_node, file="conf/poetry.lock", pinned="django==5.2\n")
    pinned = next(r for r in plan if r.id == "file:/srv/videoteca/releases/aaa/pinned.txt")
    assert pinned.content == "django==5.2\n"
    _, venv = [r for r in plan if isinstance(r, Venv)]
    assert venv.requirements == pinned.path
    assert plan.index(pinned) < plan.index(venv)


def hooked(cluster, **hooks):
    return remake(cluster, app=remake(cluster.app, hooks=remake(cluster.app.hooks, **hooks)))


def test_build_commands__are_run_by_somebody_without_rights_before_the_code_is_compiled(
    three_node,
):
    plan = build(hooked(three_node, build=("npm ci", "npm run build")))
    (built,) = [r for r in plan if isinstance(r, Built)]
    assert built.commands == ("npm ci", "npm run build")
    assert (built.user, built.unit) == ("videoteca-build", "nodriza-videoteca-build")
    assert {*built.hidden} > {"/var/lib/nodriza", "/etc/videoteca", "/run/redis"}
    ids = [r.id for r in plan]
    assert ids.index("link:/srv/videoteca/releases/aaa/venv") < ids.index(built.id)
    assert ids.index(built.id) < ids.index("command:compile")
    due = [r for r in plan if isinstance(r, Command)]
    assert all(built.id in step.on_change for step in due), "what it changed is tried anew"


def test_commands_before_the_switch__run_as_the_application_after_the_migrations(three_node):
    plan = build(hooked(three_node, before_switch=("python manage.py warm", "true")))
    ids = [r.id for r in plan]
    assert ids[ids.index("migrations:/srv/videoteca/releases/aaa") + 1 :] == [
        "command:before_switch-1",
        "command:before_switch-2",
    ]
    first = plan[-2]
    assert (first.user, first.env_file) == ("videoteca", "/etc/videoteca/videoteca.env")
    folder = "/srv/videoteca/releases/aaa"
    set_before = f"PATH={folder}/venv/bin:$PATH STATIC_ROOT={folder}/static; "
    assert first.argv[-1] == f"{set_before}python manage.py warm"
    assert "app.hooks.before_switch: python manage.py warm" in first.words


def test_build__by_pip_needs_no_uv(three_node):
    (venv,) = [r for r in build(three_node, installer="pip") if isinstance(r, Venv)]
    assert venv.uv == ""


def test_build__installs_a_project_that_is_a_package_itself(three_node):
    *_, venv = [r for r in build(three_node) if isinstance(r, Venv)]
    assert venv.requirements == "/srv/videoteca/releases/aaa/app/requirements.txt"
    *_, venv = [r for r in build(three_node, package=True) if isinstance(r, Venv)]
    assert venv.requirements == "/srv/videoteca/releases/aaa/app"


def test_build__tries_the_application_out_of_reach_of_keys_and_databases(three_node):
    made, again = build(three_node), build(three_node, None)
    names = ("collectstatic", "preflight", "migrate")
    steps = [r for r in made if isinstance(r, (Static, Preflight, Migrations))]
    assert [step.unit for step in steps] == [f"nodriza-videoteca-{name}" for name in names]
    for step in [*steps, *(r for r in again if isinstance(r, Preflight))]:
        assert step.user == "videoteca"
        assert step.unit.startswith("nodriza-videoteca-")
        assert {*step.hidden} == {"/var/lib/nodriza", "/var/lib/mysql", "/var/lib/redis"}


def test_build__takes_from_what_serves_only_where_it_is_told_that_it_may(three_node):
    def allowed(*more, cluster=three_node):
        plan = build(cluster, TREE, *more)
        (one,) = [r for r in plan if isinstance(r, Preflight)]
        return (one.breaking, one.debug)

    assert allowed() == (False, False)
    assert allowed(True) == (True, False)
    debug = remake(three_node, app=remake(three_node.app, debug=True))
    assert allowed(cluster=debug) == (False, True)


def test_way_back__is_tried_and_may_be_told_that_the_database_lacks_something(three_node):
    first = build(three_node, None)[0]
    assert (first.again, first.breaking) == (True, False)
    assert build(three_node, None, breaking=True)[0].breaking
    assert not any(isinstance(r, Migrations) for r in build(three_node, None))


def test_migration__that_fails_says_what_stays(three_node):
    migrate = build(three_node)[-1]
    assert "stays if the database can't undo" in migrate.words
    assert "showmigrations" in migrate.words
    assert migrate.seal == three_node.app.seal("aaa"), "it is not whole"


def test_build__compiles_by_an_interpreter_that_loads_nothing_of_the_environment(three_node):
    (step,) = [r for r in build(three_node) if r.id == "command:compile"]
    assert step.argv[:2] == ("python3", "-I")


def test_build__makes_anew_what_somebody_has_changed(three_node):
    ids = [resource.id for resource in build(three_node)]
    folder = "/srv/videoteca"
    assert ids.index(f"intact:{folder}/releases/aaa") < ids.index(
        f"upload:{folder}/releases/aaa/app"
    )
    assert ids.index(f"intact:{folder}/venvs/bbb") < ids.index(f"venv:{folder}/venvs/bbb")


def test_build__packs_for_nodes_that_have_copies_and_never_as_root(three_node, local):
    assert {r.pack for r in build(three_node) if isinstance(r, Sealed)} == {""}
    packed = [r for r in build(local) if isinstance(r, Sealed)]
    assert {r.pack for r in packed} == {
        "/srv/videoteca/packs/aaa.tar",
        "/srv/videoteca/packs/venv-bbb.tar",
    }
    assert {r.user for r in packed} == {"videoteca"}


def test_release_that_is_gone_back_to__is_tried_as_the_application_s_user(three_node):
    tried = build(three_node, None)[0]
    assert (type(tried).__name__, tried.user) == ("Preflight", "videoteca")
    assert tried.path == "/srv/videoteca/releases/aaa"


def test_release__is_in_the_record_before_it_serves(three_node):
    """A run that is killed between the two leaves no release that serves without an entry."""
    kinds = [type(r).__name__ for r in recorded(three_node)]
    assert kinds == ["Served", "Link", "OldReleases"]


def test_release__is_taken_whole_before_it_is_switched_to(local):
    kinds = [type(r).__name__ for r in taken(local, "server-2")]
    assert kinds == ["Copy", "Environment", "Link", "Trial", "Link", "OldReleases"]
    release, environment, *_ = taken(local, "server-2")
    for copy in (release, environment.copy):
        assert (copy.tree, copy.sha256, copy.size) == ("a" * 64, "b" * 64, 9)


def test_release__is_asked_on_each_child_before_it_is_switched_to(three_node):
    *_, trial, _, link = taken(three_node, "server-2")
    assert type(trial).__name__ == "Trial"
    assert (trial.path, trial.user) == (link.target, "videoteca")
    assert trial.asked == (("/healthz", 0),)


def test_release_on_the_share__is_only_switched_to(three_node):
    *_, link = taken(three_node, "video-1")
    assert (link.path, link.target) == ("/opt/videoteca/current", "/srv/videoteca/releases/aaa")


@pytest.mark.parametrize("name", ["server-2", "video-1"])
def test_release_on_the_share__is_for_nodes_with_its_python_whatever_they_do(three_node, name):
    ids = [r.id for r in taken(three_node, name)]
    fits = "interpreter:/srv/videoteca/venvs/bbb"
    assert ids.index(fits) < ids.index("trial:/srv/videoteca/releases/aaa")
    assert not any(r.id.startswith("interpreter:") for r in recorded(three_node))


@pytest.mark.parametrize("name", ["server-2", "video-1"])
def test_copy__is_of_the_environment_or_one_is_made_as_the_central_node_makes_it(local, name):
    """By the release that is there already, and before it is tried."""
    local = remake(local, app=remake(local.app, build_packages=("gcc",)))
    plan = taken(local, name)
    kinds = [type(r).__name__ for r in plan]
    assert kinds.index("Copy") < kinds.index("Environment") < kinds.index("Trial")
    (one,) = [r for r in plan if isinstance(r, Environment)]
    assert (one.path, one.release) == (
        "/opt/videoteca/venvs/bbb",
        "/opt/videoteca/releases/aaa",
    )
    assert (one.made_for, one.packages) == ("cpython-311", ("python3-venv", "gcc"))
    uv, venv = [r for r in build(local) if isinstance(r, Venv)]
    assert one.uv == uv
    made = {field: getattr(venv, field) for field in ("requirements", "folder", "digest", "uv")}
    assert replace(one.venv, **made) == venv
    (recipe,) = [r for r in build(local) if isinstance(r, File) and "environment" in r.path]
    assert recipe.path == f"{one.release}/environment.json"
    assert json.loads(recipe.content) == {
        "folder": "app",
        "requirements": "app/requirements.txt",
        "digest": "bbb",
        "installer": "uv",
    }


def test_every_node_with_copies__may_build_and_others_but_the_central_do_not(three_node, local):
    """uv comes by its sum everywhere; compilers come only to nodes that need them."""
    for name in ("server-2", "video-1"):
        assert not [r for r in resources(three_node, name) if "build" in r.id]
        ids = [r.id for r in resources(local, name)]
        assert "user:videoteca-build" in ids
        assert "file:/opt/videoteca/uv.txt" in ids
        assert "directory:/var/cache/nodriza/videoteca" in ids
        assert "package:python3-venv" not in ids


def test_static_files__are_collected_where_nobody_else_reads_or_writes(three_node):
    """The releases may lie on the share, and its user is the same on all nodes."""
    (static,) = [r for r in build(three_node) if isinstance(r, Static)]
    assert static.path == "/srv/videoteca/releases/aaa/static"
    assert static.scratch == "/opt/videoteca/collected"
    assert static.scratch in static.writable


def test_release_that_was_made_last__has_the_static_files_of_pages_that_are_open(local):
    """Before the switch: a page of a child that has switched asks the others for its files."""
    links = [r for r in taken(local, "server-2") if isinstance(r, Link)]
    assert [(link.path, link.ahead) for link in links] == [
        ("/opt/videoteca/newest", True),
        ("/opt/videoteca/current", False),
    ]
    assert {link.target for link in links} == {"/opt/videoteca/releases/aaa"}


def test_release_that_is_gone_back_to__leaves_the_one_that_was_made_last(local):
    newest = Release("zzz", venv="bbb", tree={**SEAL, "tree": "c" * 64, "number": 4})
    plan = taken(local, "server-2", newest)
    (link,) = [r for r in plan if r.id == "link:/opt/videoteca/newest"]
    assert link.target == "/opt/videoteca/releases/zzz"
    copies = {r.path: r.tree for r in plan if isinstance(r, Copy)}
    assert copies["/opt/videoteca/releases/zzz"] == "c" * 64, "a new child has it, too"
    assert len(copies) == 2
    video = taken(local, "video-1", newest)
    assert len([r for r in video if isinstance(r, Copy)]) == 1, "it serves no static files"
