"""``fab doctor``, and what a deploy says first: the application as it would be sent, and read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nodriza.change import deploy, doctor
from nodriza.inventory import Cluster
from tests.unit.conftest import ROOT
from tests.unit.roles.made import with_gunicorn


@pytest.fixture
def cluster(three_node: Cluster, tmp_path: Path) -> Cluster:
    """The example site, in a folder where it may be spoilt."""
    source = tmp_path / "videoteca"
    shutil.copytree(ROOT / "examples/videoteca", source)
    app = three_node.app.model_copy(update={"source": source, "source_path": source})
    return three_node.model_copy(update={"app": app})


def words(cluster: Cluster) -> str:
    found = doctor.examine(cluster, deploy.read(cluster))
    return "\n".join(doctor.as_lines(found, cluster.path))


def spoil(cluster: Cluster, name: str, old: str, new: str) -> None:
    path = cluster.app.source_path / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_example__lacks_nothing(cluster):
    assert words(cluster) == ""


def test_driver__that_is_not_installed_is_named_with_the_file(cluster):
    spoil(cluster, "requirements.txt", "PyMySQL", "# PyMySQL")
    assert "no driver for MySQL is among what is installed  (requirements.txt)" in words(cluster)
    outside = {"DATABASE_HOST": "elsewhere", "DATABASE_NAME": "x"}
    app = cluster.app.model_copy(update={"environment": outside})
    assert "no driver" not in words(cluster.model_copy(update={"app": app}))


def test_pymysql__that_django_would_not_find_has_its_line(cluster):
    for path in cluster.app.source_path.rglob("*.py"):
        path.write_text(path.read_text().replace("install_as_MySQLdb", "other"))
    assert "pymysql.install_as_MySQLdb()" in words(cluster)


def test_variable__that_nobody_gives_is_a_line_for_the_inventory(cluster):
    with (cluster.app.source_path / "videoteca/settings.py").open("a") as file:
        file.write('\nimport os\nKEY = os.environ["FILMS_KEY"]\nDEBUG = os.getenv("DEBUG", "1")\n')
    said = words(cluster)
    assert (
        "FILMS_KEY has no default, and the cluster does not give it  (videoteca/settings" in said
    )
    assert "these lines are for app.environment in three-node.yml:" in said
    assert '    DEBUG: "False"' in said
    assert "    secrets: [FILMS_KEY]\n    fab secrets.set films_key" in said
    app = cluster.app.model_copy(update={"environment": {"FILMS_KEY": "a", "DEBUG": "0"}})
    assert words(cluster.model_copy(update={"app": app})) == ""


def test_requirements__that_are_not_there_are_told_as_a_deploy_does(cluster):
    (cluster.app.source_path / "requirements.txt").unlink()
    assert "none of uv.lock" in words(cluster) or "no requirements.txt" in words(cluster)


def test_asgi_application__without_uvicorn_has_the_line(cluster):
    served = with_gunicorn(cluster, "videoteca.asgi:application")
    said = words(served)
    assert "uvicorn, which serves app.asgi, is not among what is installed  (requirements" in said
    assert "a line uvicorn[standard]" in said
    with (cluster.app.source_path / "requirements.txt").open("a") as file:
        file.write("uvicorn==0.54.0\n")
    assert words(served) == ""
