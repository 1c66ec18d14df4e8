"""A release reaches every child; one that is no good reaches none."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import Visitor, not_serving, whoami

CHILDREN = ("server-2", "server-3")
NODES = ("server-1", *CHILDREN, "video-1")
LINK = "basename $(readlink /opt/videoteca/current)"


def releases(project: Project) -> set[str]:
    return {whoami(project.cluster, child).get("release", "") for child in CHILDREN}


def current(project: Project) -> str:
    return project.on("server-1", "readlink /opt/videoteca/current").strip().rpartition("/")[2]


@pytest.fixture
def source(deployed: Project) -> Iterator[Path]:
    """The application's source, for a test that changes it; the old one is back at the end."""
    source, kept = deployed.folder / "videoteca", deployed.folder / "videoteca.kept"
    shutil.copytree(source, kept)
    yield source
    shutil.rmtree(source)
    kept.rename(source)
    deployed.fab("deploy").well()
    wait_for("old release", 30, lambda: releases(deployed) == {current(deployed)})


def test_deploy__brings_the_release_to_every_child(deployed: Project) -> None:
    assert not_serving(deployed.cluster) == {}
    assert releases(deployed) == {current(deployed)}


def test_second_deploy__changes_nothing_and_says_so(deployed: Project) -> None:
    again = deployed.fab("deploy", "--json").well()
    deployed.times["deploy, nothing to change"] = again.seconds
    assert again.changed() == {}
    assert deployed.fab("deploy", "--check", "--json").well().changed() == {}


def test_new_release__replaces_the_old_one_within_seconds_and_no_visitor_notices(
    deployed: Project, source: Path
) -> None:
    before = current(deployed)
    (source / "news.txt").write_text(f"{time.time()}\n")
    predicted = deployed.fab("deploy", "--check", "--json").well()
    with Visitor(deployed.cluster) as visitor:
        done = deployed.fab("deploy", "--json").well()
        began = time.monotonic()
        wait_for("new release", 20, lambda: releases(deployed) == {current(deployed)})
        deployed.times["new release on every child, after the deploy"] = time.monotonic() - began
    deployed.times["deploy of a changed release"] = done.seconds
    assert current(deployed) != before
    assert visitor.bad == []
    assert visitor.answers > 20
    # The name of the release is the content's, so the check has named it already. Whether
    # a release that is not there yet has migrations, no check can know.
    foretold, changed = set(predicted.changed()["server-1"]), set(done.changed()["server-1"])
    assert changed <= foretold
    assert f"upload:/opt/videoteca/releases/{current(deployed)}/app" in changed


def refused(project: Project, by: str = "build") -> Result:
    """A deploy that must not come through, with visitors on the site."""
    before = current(project)
    with Visitor(project.cluster) as visitor:
        result = project.fab("deploy")
        time.sleep(3)
    assert result.exit == 1, result.said
    assert visitor.bad == []
    assert visitor.answers > 20
    assert current(project) == before
    assert releases(project) == {before}
    assert f"release {before}" in result.stderr
    assert "goes on serving" in result.stderr
    assert re.search(rf"at +\S*roles/{by}\.py:\d+", result.said), result.said
    return result


def test_failing_migration__leaves_the_old_release_serving(
    deployed: Project, source: Path
) -> None:
    (source / "videos/migrations/0002_bad.py").write_text(
        "from django.db import migrations\n"
        "class Migration(migrations.Migration):\n"
        '    dependencies = [("videos", "0001_initial")]\n'
        '    operations = [migrations.RunSQL("ALTER TABLE no_such_table ADD x INT")]\n'
    )
    result = refused(deployed)
    assert "migrations:" in result.said
    assert "no_such_table" in result.said


def test_release_that_does_not_import__leaves_the_old_release_serving(
    deployed: Project, source: Path
) -> None:
    (source / "videoteca/wsgi.py").write_text("import a_module_that_is_nowhere\n")
    result = refused(deployed)
    assert "preflight:" in result.said
    assert "No module named 'a_module_that_is_nowhere'" in result.said


def test_requirement_that_does_not_exist__leaves_the_old_release_serving(
    deployed: Project, source: Path
) -> None:
    with (source / "requirements.txt").open("a") as file:
        file.write("Django==0.0.0.99\n")
    result = refused(deployed)
    assert "venv:" in result.said
    assert "django==0.0.0.99" in result.said.lower()


def test_release_whose_every_request_fails__reaches_no_visitor(
    deployed: Project, source: Path
) -> None:
    """It imports, passes every check and migrates."""
    (source / "videoteca/bad.py").write_text(
        "def bad(get_response):\n"
        "    def answer(request):\n"
        '        raise RuntimeError("each request fails")\n'
        "    return answer\n"
    )
    settings = source / "videoteca/settings.py"
    text = settings.read_text()
    wrong = text.replace("MIDDLEWARE = [", 'MIDDLEWARE = ["videoteca.bad.bad",')
    settings.write_text(wrong)
    result = refused(deployed, by="release")
    assert "trial:" in result.said
    assert "each request fails" in result.said


@pytest.mark.parametrize("how", ["raise RuntimeError('not here')", "os.kill(os.getpid(), 11)"])
def test_release_that_imports_everywhere_but_in_uwsgi__leaves_the_old_release_serving(
    deployed: Project, source: Path, how: str
) -> None:
    """Its first worker ends, and the one in its place has the release before."""
    with (source / "videoteca/wsgi.py").open("a") as file:
        file.write(
            f"import os\ntry:\n    import uwsgi\nexcept ImportError:\n    pass\nelse:\n    {how}\n"
        )
    before = current(deployed)
    with Visitor(deployed.cluster) as visitor:
        result = deployed.fab("deploy")
    assert result.exit == 1, result.said
    assert visitor.bad == []
    assert visitor.answers > 20
    assert f"serves /opt/videoteca/releases/{before}, and current is" in result.said
    assert {deployed.on(node, LINK).strip() for node in NODES} == {before}
    assert releases(deployed) == {before}


def test_page_that_is_not_as_expected_after_the_switch__takes_the_release_back_from_all(
    deployed: Project, source: Path
) -> None:
    """Here a page that nginx answers by itself, so that the trial can't know."""
    serves = current(deployed)
    (source / "news.txt").write_text(f"{time.time()}\n")
    deployed.write(health=[{"path": "/healthz/here", "expect": 302}])
    try:
        with Visitor(deployed.cluster) as visitor:
            result = deployed.fab("deploy")
    finally:
        deployed.write()
    assert result.exit == 1, result.said
    assert "/healthz/here answers 404" in result.said or "in the place of 302" in result.said
    assert visitor.bad == []
    assert releases(deployed) == {serves}
    assert {deployed.on(node, LINK).strip() for node in NODES} == {serves}


def test_release_that_somebody_changed__is_seen_by_drift_and_mended_while_it_serves(
    deployed: Project,
) -> None:
    """Source, environment and a file more, on the central node and on a child."""
    release = f"/opt/videoteca/releases/{current(deployed)}"
    for node in ("server-1", "server-3"):
        venv = deployed.on(node, f"readlink {release}/venv").strip()
        deployed.on(
            node,
            f"echo '# evil' | tee -a {release}/app/videos/urls.py {release}/app/evil.py"
            f" {release}/evil.txt {venv}/lib/python3*/site-packages/django/urls/base.py;"
            f" rm {venv}/pyvenv.cfg",
        )
    seen = deployed.fab("drift")
    assert seen.exit == 2, seen.said
    for changed in (release, venv):
        assert f"intact:{changed}" in seen.said
    assert f"copy:{release}" in seen.said
    assert f"environment:{venv}" in seen.said
    assert "is made anew by: fab deploy" in seen.said
    with Visitor(deployed.cluster) as visitor:
        done = deployed.fab("deploy", "--json").well()
    assert visitor.bad == []
    assert visitor.answers > 20
    assert "service:uwsgi" in done.changed()["server-3"], "its workers may have read it"
    assert deployed.fab("drift").exit == 0
    evil = f"grep -rl evil {release} {venv} --include=*.py --include=*.txt || true"
    sound = deployed.on("server-2", evil)
    assert {deployed.on(node, evil) for node in NODES} == {sound}
    assert "urls.py" not in sound
    left = "ls -A /opt/videoteca/releases /opt/videoteca/venvs | grep nodriza || true"
    assert {deployed.on(node, left) for node in CHILDREN} == {""}
    assert deployed.fab("deploy", "--json").well().changed().keys() <= {"video-1"}


def test_child_that_was_down__is_told_and_brought_along_by_the_next_provision(
    deployed: Project, source: Path
) -> None:
    before = current(deployed)
    deployed.power_cut("server-3")
    (source / "news.txt").write_text(f"{time.time()}\n")
    try:
        done = deployed.fab("deploy")
    finally:
        deployed.power_on("server-3")
    assert done.exit == 1, done.said
    assert "1 of 2 children serve" in done.stderr
    assert "server-3 was not reached. Next: fab provision:server-3" in done.stderr
    assert current(deployed) != before
    assert deployed.on("server-3", LINK).strip() == before
    deployed.fab("provision:server-3").well()
    assert deployed.on("server-3", LINK).strip() == current(deployed)
    wait_for("the release everywhere", 20, lambda: releases(deployed) == {current(deployed)})
    assert deployed.fab("provision", "--json").well().changed() == {}


def test_way_back_after_a_deploy_that_failed__leads_to_what_served(
    deployed: Project, source: Path
) -> None:
    """Whatever the clocks say: the failed release is the newest folder on the share but one."""
    served = current(deployed)
    bad = source / "videos/migrations/0002_bad.py"
    bad.write_text(
        "from django.db import migrations\n"
        "class Migration(migrations.Migration):\n"
        '    dependencies = [("videos", "0001_initial")]\n'
        '    operations = [migrations.RunSQL("ALTER TABLE no_such_table ADD x INT")]\n'
    )
    refused(deployed)
    bad.unlink()
    with (source / "videos/views.py").open("a") as file:
        file.write("# another release\n")
    deployed.fab("deploy").well()
    assert current(deployed) != served
    deployed.on("server-1", "touch --date=2001-01-01 /opt/videoteca/releases/*")
    with Visitor(deployed.cluster) as visitor:
        deployed.fab("deploy", "--rollback").well()
        wait_for("the release before", 20, lambda: releases(deployed) == {served})
    assert visitor.bad == []
    assert current(deployed) == served
