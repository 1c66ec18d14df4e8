"""Migrations are judged for the release that serves beside them, and code for the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, Result
from tests.lab.visitor import Visitor

CENTRAL = "server-1"
REMOVES = 'migrations.RemoveField("video", "work_seconds")'
ADDS = 'migrations.AddField("video", "stars", models.IntegerField({more}))'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A central node and one child that serve a release."""
    folder = tmp_path_factory.mktemp("judged")
    project = Project.make(folder, "judged", 31, children=1, videos=0)
    with project.up("provision"):
        first = project.fab("deploy").well()
        assert "migrates" in first.said
        assert "warning" not in first.said
        yield project


def app(project: Project) -> Path:
    return project.folder / "videoteca"


def current(project: Project) -> str:
    return project.on(CENTRAL, "basename $(readlink /opt/videoteca/current)").strip()


def migration(project: Project, name: str, operation: str, after: str) -> Path:
    path = app(project) / "videos" / "migrations" / f"{name}.py"
    path.write_text(
        "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        f"    dependencies = [('videos', '{after}')]\n"
        f"    operations = [{operation}]\n"
    )
    return path


def without_field(project: Project) -> None:
    """The code does not know work_seconds any more."""
    for name in ("models.py", "tasks.py"):
        path = app(project) / "videos" / name
        lines = path.read_text().replace(", work_seconds=work", "").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "work_seconds = " not in line))


def columns(project: Project) -> set[str]:
    return set(
        project.on(CENTRAL, "mariadb -N videoteca -e 'show columns from videos_video'|cut -f1")
        .strip()
        .split("\n")
    )


def refused(project: Project, *words: str) -> Result:
    """Nothing has changed for anybody."""
    before, there = current(project), columns(project)
    with Visitor(project.cluster, "/") as visitor:
        result = project.fab(*(words or ("deploy",)))
    assert result.exit == 1, result.said
    assert "preflight:" in result.said
    assert visitor.bad == []
    assert (current(project), columns(project)) == (before, there)
    return result


def passes(project: Project, *words: str) -> Result:
    with Visitor(project.cluster, "/") as visitor:
        result = project.fab(*(words or ("deploy",))).well()
    assert visitor.bad == []
    assert "1 of 1 children serve" in result.said
    return result


def test_column__is_taken_away_in_two_steps_and_no_visitor_notices(project: Project):
    first = current(project)
    gone = migration(project, "0002_gone", REMOVES, "0001_initial")
    said = refused(project).said
    assert "videos/migrations/0002_gone.py: Remove field work_seconds from video" in said
    assert "takes the column videos_video.work_seconds away" in said
    assert "1. take Video.work_seconds out of the code" in said
    assert "fab deploy --breaking" in said
    gone.unlink()
    without_field(project)
    passes(project)
    assert "work_seconds" in columns(project)
    second = current(project)
    migration(project, "0002_gone", REMOVES, "0001_initial")
    said = passes(project).said
    assert "note     migrates videos/migrations/0002_gone.py: Remove field work_seconds" in said
    assert "work_seconds" not in columns(project)
    # The way back is open as far as the code goes that does without.
    back = refused(project, "deploy", "--rollback", "--release", first)
    assert "videos_video.work_seconds: the code has this column, and the database" in back.said
    assert "not undone" not in back.said
    passes(project, "deploy", "--rollback")
    assert current(project) == second
    passes(project)


def test_column_that_old_code_can_not_fill__needs_a_default_of_the_database(project: Project):
    migration(project, "0003_stars", ADDS.format(more="default=0"), "0002_gone")
    said = refused(project).said
    assert "makes a column NOT NULL that code without it can't fill: videos_video.stars" in said
    assert "Video.stars a default that the database knows, db_default=" in said
    models = app(project) / "videos" / "models.py"
    text = models.read_text()
    field = "    stars = models.IntegerField(default=0, db_default=0)\n    attempt ="
    models.write_text(text.replace("    attempt =", field, 1))
    migration(project, "0003_stars", ADDS.format(more="default=0, db_default=0"), "0002_gone")
    passes(project)
    assert "stars" in columns(project)
    passes(project, "deploy", "--rollback")
    passes(project)


def test_model_whose_migration_was_forgotten__ends_a_deploy(project: Project):
    models = app(project) / "videos" / "models.py"
    text = models.read_text()
    models.write_text(
        text.replace("    attempt =", "    moons = models.IntegerField()\n    attempt =", 1)
    )
    said = refused(project).said
    assert "videos_video.moons: the code has this column, and the database does not" in said
    models.write_text(text)


def test_debug__ends_a_deploy_unless_the_inventory_allows_it(project: Project):
    settings = app(project) / "videoteca" / "settings.py"
    text = settings.read_text()
    settings.write_text(text.replace('DEBUG = switch("DJANGO_DEBUG")', "DEBUG = True"))
    line = 1 + text[: text.index("DEBUG = ")].count("\n")
    said = refused(project).said
    assert f"DEBUG is True (videoteca/settings.py:{line})" in said
    project.write(debug=True)
    assert "DEBUG is True, as app.debug of the inventory allows" in passes(project).said
    project.write()
    settings.write_text(text)
    passes(project)


def test_breaking_migration__is_deployed_by_who_says_so(project: Project):
    migration(project, "0004_off", REMOVES.replace("work_seconds", "stars"), "0003_stars")
    models = app(project) / "videos" / "models.py"
    lines = models.read_text().splitlines(keepends=True)
    models.write_text("".join(line for line in lines if "stars = " not in line))
    refused(project)
    said = project.fab("deploy", "--breaking").well().said
    assert "as --breaking allows: a migration would break release" in said
    assert "stars" not in columns(project)
    refused(project, "deploy", "--rollback")
