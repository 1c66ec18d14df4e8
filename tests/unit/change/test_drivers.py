"""A database that the project's requirements can't speak to is told before anything is sent."""

from __future__ import annotations

import pytest

from nodriza.change.deploy import requirements
from nodriza.errors import SourceError
from nodriza.source.tree import read_source
from tests.unit.roles.made import with_gunicorn

LOCK = '[[package]]\nname = "django"\nversion = "5"\n[[package]]\nname = "%s"\nversion = "3"\n'
PYPROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = [\n  "django", "%s>=3",\n]\n'


@pytest.fixture
def read(three_node, tmp_path):
    """What is installed of a project with these files."""

    def read(environment=None, **files):
        (tmp_path / "manage.py").write_text("")
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        changed = {"source_path": tmp_path, "environment": environment or {}, "requirements": None}
        app = three_node.app.model_copy(update=changed)
        cluster = three_node.model_copy(update={"app": app})
        return requirements(cluster, read_source(tmp_path))

    return read


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"requirements_txt": "Django==5.2\npsycopg[binary]==3.2\n"}, "requirements.txt:2"),
        ({"requirements_txt": "Django\n\n# x\npsycopg >= 3 ; x\n"}, "requirements.txt:4"),
        (
            {"requirements_txt": "-r base/all.txt\n", "base__all_txt": "Psycopg\n"},
            "base/all.txt:1",
        ),
        ({"uv_lock": LOCK % "psycopg", "pyproject_toml": PYPROJECT % "psycopg"}, "uv.lock:5"),
        ({"pyproject_toml": PYPROJECT % "psycopg"}, "pyproject.toml:5"),
    ],
)
def test_driver_of_another_engine__is_told_with_its_line(read, tmp_path, files, place):
    with pytest.raises(SourceError) as told:
        read(**files)
    said = str(told.value)
    assert f"{tmp_path / place}: psycopg speaks to PostgreSQL, and the database of this" in said
    assert "is MariaDB on server-1" in said
    assert "no host was touched" in said
    assert "mysqlclient, pymysql" in said


@pytest.mark.parametrize(
    "text",
    [
        "Django\nPyMySQL==1.1\n",
        "Django\nmysqlclient\npsycopg  # for a data warehouse\n",
        "Django  # no database at all\n",
        "-c all.txt\nDjango\n",
        "",
    ],
)
def test_requirements__that_speak_to_the_database_or_to_none_are_well(read, text):
    assert read(requirements_txt=text, all_txt="psycopg==3\n").file == "requirements.txt"


def test_database_outside__is_spoken_to_by_whatever_driver(read):
    outside = {"DATABASE_URL": "postgres://db.example.org/shop"}
    assert read(requirements_txt="psycopg\n", environment=outside)


@pytest.fixture
def read_asgi(read, three_node, monkeypatch):
    """The same of an ASGI application."""
    served = with_gunicorn(three_node, "videoteca.asgi:application")
    changed = {"nodes": served.nodes, "app": served.app}
    monkeypatch.setitem(three_node.__dict__, "nodes", changed["nodes"])
    monkeypatch.setitem(three_node.__dict__, "app", changed["app"])
    return read


def test_asgi_application__whose_server_is_not_installed_is_told_with_the_line(
    read_asgi, tmp_path
):
    with pytest.raises(SourceError) as told:
        read_asgi(requirements_txt="Django\nPyMySQL\n")
    said = str(told.value)
    assert f"{tmp_path / 'requirements.txt'}: what serves an application of videoteca.asgi" in said
    assert "no host was touched" in said
    assert "a line uvicorn[standard] in requirements.txt" in said


@pytest.mark.parametrize("line", ["uvicorn", "uvicorn[standard]>=0.30", "Uvicorn == 0.54"])
def test_asgi_application__whose_server_is_installed_is_well(read_asgi, line):
    assert read_asgi(requirements_txt=f"Django\nPyMySQL\n{line}\n")
