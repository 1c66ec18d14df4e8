"""``nodriza init``: what it finds in a Django project, asks, writes and leaves alone."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from nodriza.inventory import Cluster, load_cluster
from nodriza.inventory.schema import as_json
from nodriza.plan.plan import plan_all
from nodriza.project.reading import read_project
from tests.unit.conftest import ROOT
from tests.walkthrough import shown

WSGI = """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.dev")
application = get_wsgi_application()
"""
SETTINGS = """
import os
import pymysql
pymysql.install_as_MySQLdb()
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")
HOST = os.environ["DATABASE_HOST"]
DATABASES = {"default": {"ENGINE": "django.db.backends.mysql", "HOST": HOST}}
STATIC_ROOT = os.environ["STATIC_ROOT"]
CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]
"""


@pytest.fixture
def project(tmp_path):
    """A Django project of the usual shape, as far as it is read."""
    files = {
        "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.dev")\n',
        "shop/__init__.py": "",
        "shop/wsgi.py": WSGI,
        "shop/settings/base.py": SETTINGS,
        "shop/settings/dev.py": "from .base import *\n",
        "shop/settings/production.py": "from .base import *\n",
        "requirements.txt": "Django\nPyMySQL==1.2  # plain Python\n",
        "venv/lib/other/wsgi.py": "application = None\n",
    }
    for name, text in files.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "src"


def init(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nodriza", "init", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def plans(cluster: Cluster) -> list[set[str]]:
    every = plan_all(cluster, cluster.nodes)
    return [{planned.resource.id for planned in plan.resources} for plan in every]


def found(project: Path) -> dict[str, object]:
    return {item.key: item.value for item in read_project(project).found}


def test_project__is_read_without_running_it(project):
    assert found(project) == {
        "name": "shop",
        "wsgi": "shop.wsgi",
        "settings": "shop.settings.production",
        "requirements": "requirements.txt",
    }


def test_settings__are_those_that_wsgi_names_unless_they_are_for_a_desk(project):
    (project / "shop/settings/production.py").unlink()
    assert found(project)["settings"] == "shop.settings.dev"
    (project / "shop/wsgi.py").write_text(WSGI.replace("settings.dev", "settings.base"))
    assert found(project)["settings"] == "shop.settings.base"


def test_celery__is_found_by_its_file(project):
    (project / "shop/celery.py").write_text('app = Celery("shop")\n')
    assert found(project)["celery"] == "shop"


def test_mysqlclient__brings_what_it_is_compiled_with(project):
    (project / "requirements").mkdir()
    (project / "requirements/base.txt").write_text("mysqlclient>=2\n")
    (project / "requirements/production.txt").write_text("-r base.txt\n")
    assert found(project)["requirements"] == "requirements/production.txt"
    assert found(project)["packages"] == ("libmariadb3",)
    assert init(project, "--yes").returncode == 0
    cluster = load_cluster(project / "inventories/shop.yml")
    central, child, _ = plans(cluster)
    assert "package:gcc" in central - child
    assert "package:libmariadb3" in central & child


def test_name__is_never_one_that_every_project_has(project):
    for name in ("settings", "config"):
        (project / "manage.py").write_text(WSGI.replace("shop.settings.dev", name))
        (project / "shop/wsgi.py").unlink(missing_ok=True)
        (project / f"{name}.py").write_text("")
        assert found(project)["name"] == project.parent.name.lower()[:32].replace("-", "_")


def test_celery__is_found_wherever_it_is_made(project):
    (project / "shop/celery_app.py").write_text('app = Celery("shop")\n')
    (project / "shop/tests").mkdir()
    (project / "shop/tests/celery.py").write_text('app = Celery("none")\n')
    assert found(project)["celery"] == "shop.celery_app"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", '[[package]]\nname = "django"\n[[package]]\nname = "mysqlclient"\n'),
        ("pylock.toml", '[[packages]]\nname = "mysqlclient"\n'),
        ("poetry.lock", '[[package]]\nname = "mysqlclient"\n'),
        ("pyproject.toml", 'dependencies = ["django>=5", "mysqlclient"]\n'),
    ],
)
def test_lock__is_found_and_read_for_the_driver(project, name, text):
    (project / "requirements.txt").unlink()
    (project / name).write_text(text)
    assert found(project)["requirements"] == name
    assert found(project)["packages"] == ("libmariadb3",)


def test_missing__is_told_with_the_line_to_write(project, tmp_path):
    assert "to do" not in init(tmp_path, "--yes").stdout
    (project / "requirements.txt").write_text("Django\n")
    (project / "shop/settings/base.py").write_text(SETTINGS + 'X = os.environ["BUCKET"]\n')
    done = init(tmp_path, "--yes")
    assert (
        "to do  no driver for MySQL is among what is installed  (requirements.txt)" in done.stdout
    )
    assert "BUCKET has no default, and the cluster does not give it" in done.stdout
    assert '    BUCKET: "\u2026"\n' in done.stdout
    assert "next: what is to do, then fab doctor; fab plan" in done.stdout


def test_python__that_the_project_needs_is_the_labs_release(project, tmp_path):
    (project / "requirements.txt").write_text("Django==6.0\nPyMySQL\n")
    done = init(tmp_path, "--yes")
    assert "lab.release: trixie  (Django 6.0 needs Python 3.12 (requirements.txt))" in done.stdout
    cluster = load_cluster(tmp_path / "inventories/shop.yml")
    assert cluster.lab is not None
    assert cluster.lab.release == "trixie"


def test_init__writes_what_loads_at_once(project, tmp_path):
    done = init(tmp_path, "--yes")
    assert done.returncode == 0, done.stderr
    assert "app.settings: shop.settings.production  (wsgi.py says dev)" in done.stdout
    assert len((tmp_path / "fabfile.py").read_text().splitlines()) == 2
    cluster = load_cluster(tmp_path / "inventories/shop.yml")
    assert (cluster.name, cluster.domain) == ("shop", "shop.test")
    assert cluster.app.source_path == project
    assert [node.kind for node in cluster.nodes] == ["central", "child", "child"]
    assert cluster.lab is not None
    assert (tmp_path / "inventories/schema.json").read_text() == as_json()
    assert "$schema=schema.json" in (tmp_path / "inventories/shop.yml").read_text()[:60]


def test_init__with_celery_has_a_video_node(project, tmp_path):
    (project / "shop/celery.py").write_text('app = Celery("shop")\n')
    init(tmp_path, "--yes", "--name", "films", "--domain", "films.example.org")
    cluster = load_cluster(tmp_path / "inventories/films.yml")
    assert cluster.app.celery == "shop"
    assert cluster.domain == "films.example.org"
    assert [node.name for node in cluster.nodes_of("video")] == ["video-1"]


def test_init__with_one_machine_has_a_node_that_does_all(project, tmp_path):
    assert init(tmp_path, "--yes", "--name", "one", "--one-machine").returncode == 0
    (node,) = load_cluster(tmp_path / "inventories/one.yml").nodes
    assert (node.kind, node.serves, node.builds) == ("combined", True, True)


def test_init__in_another_folder_finds_its_way_back(project, tmp_path):
    done = init(tmp_path, "a b/c", "--yes", "--source", "src")
    assert done.returncode == 0, done.stderr
    assert load_cluster(tmp_path / "a b/c/inventories/shop.yml").app.source_path == project
    assert "cd 'a b/c' && fab plan" in done.stdout


def test_init__never_touches_a_file_that_is_there(project, tmp_path):
    for name in ("fabfile.py", ".gitignore", "README.md"):
        (tmp_path / name).write_text("mine\n")
    first = init(tmp_path, "--yes")
    assert "kept   fabfile.py\n" in first.stdout
    assert "from nodriza.fabfile import ns" in first.stdout
    for name in ("fabfile.py", ".gitignore", "README.md"):
        assert (tmp_path / name).read_text() == "mine\n"
    assert not (tmp_path / "README.rst").exists()
    inventory = tmp_path / "inventories/shop.yml"
    inventory.write_text(inventory.read_text().replace("shop.test", "mine.test"))
    again = init(tmp_path, "--yes")
    assert again.returncode == 0
    assert "kept   inventories/shop.yml\n" in again.stdout
    assert load_cluster(inventory).domain == "mine.test"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "Shop!"], '--name "Shop!" can\'t name a cluster'),
        (["--domain", "http://shop"], "must be a host name"),
        (["--source", "."], "next: nodriza init --source src"),
        (["--source", "https://git.example.org/shop"], "clone it first"),
    ],
)
def test_init__refuses_what_does_not_fit_and_writes_nothing(project, tmp_path, words, said):
    done = init(tmp_path, "--yes", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "kept: nothing was written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def test_init__without_a_project_says_what_it_needs(tmp_path):
    done = init(tmp_path, "--yes")
    assert done.returncode == 2
    assert "nodriza init --source FOLDER" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_init__with_a_project_that_lacks_something_says_where(project, tmp_path):
    (project / "requirements.txt").unlink()
    done = init(tmp_path, "--yes")
    assert done.returncode == 2
    assert "what is to be installed? None of uv.lock, pylock.toml" in done.stderr
    assert "kept: what was written above" in done.stderr


def test_init__on_a_terminal_asks_three_questions(project, tmp_path):
    ours, theirs = pty.openpty()
    os.write(ours, b"\nfilms\nfilms.example.org\n")
    done = subprocess.run(
        [sys.executable, "-m", "nodriza", "init"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("]: ") == 3
    assert "[src]" in done.stdout
    assert load_cluster(tmp_path / "inventories/films.yml").domain == "films.example.org"


@pytest.fixture
def bare(project):
    """A project whose settings know nothing of any cluster."""
    (project / "shop/settings/base.py").write_text(
        "DEBUG = True\nSECRET_KEY = 'insecure'\nALLOWED_HOSTS = []\nSTATIC_URL = 'static/'\n"
        "INSTALLED_APPS = ['django.contrib.staticfiles']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n"
    )
    (project / "requirements.txt").write_text("Django\nmysqlclient\n")
    return project


def test_settings__are_written_as_the_documents_show_them_and_nothing_is_missing(bare, tmp_path):
    done = init(tmp_path, "--yes", "--settings")
    assert done.returncode == 0, done.stderr
    file = bare / "shop/settings/cluster.py"
    assert file.read_text() == shown("cluster.py").replace("mysite", "shop")
    assert "to do" not in done.stdout
    cluster = load_cluster(tmp_path / "inventories/shop.yml")
    assert cluster.app.settings == "shop.settings.cluster"


def test_settings__that_are_there_stay_and_so_does_an_inventory_that_was_changed(bare, tmp_path):
    said = init(tmp_path, "--yes").stdout
    assert "nodriza init --settings writes shop/settings/cluster.py" in said
    inventory, file = tmp_path / "inventories/shop.yml", bare / "shop/settings/cluster.py"
    inventory.write_text(f"{inventory.read_text()}# mine\n")
    file.write_text("from shop.settings.production import *\nMINE = 1\n")
    done = init(tmp_path, "--yes", "--settings")
    assert f"kept   {Path('src/shop/settings/cluster.py')}" in done.stdout
    assert "to do  app.settings is still shop.settings.production  (" in done.stdout
    assert "         settings: shop.settings.cluster\n" in done.stdout
    assert inventory.read_text().endswith("# mine\n")
    assert file.read_text().endswith("MINE = 1\n")


def test_settings__come_to_an_inventory_that_init_wrote_before(bare, tmp_path):
    init(tmp_path, "--yes")
    done = init(tmp_path, "--yes", "--settings")
    assert (
        "app.settings: shop.settings.cluster  (on top of shop.settings.production)" in done.stdout
    )
    again = init(tmp_path, "--yes", "--settings")
    assert again.returncode == 0
    assert "to do" not in again.stdout
    cluster = load_cluster(tmp_path / "inventories/shop.yml")
    assert cluster.app.settings == "shop.settings.cluster"


def test_settings__have_the_cache_and_the_queue_where_the_project_speaks_to_them(bare, tmp_path):
    (bare / "requirements.txt").write_text("Django\nPyMySQL\ncelery[redis]\n")
    (bare / "shop/celery.py").write_text('app = Celery("shop")\n')
    base = bare / "shop/settings/base.py"
    base.write_text(base.read_text() + "SECURE_SSL_REDIRECT = True\nLOGGING = {'version': 1}\n")
    done = init(tmp_path, "--yes", "--settings")
    assert "to do" not in done.stdout, done.stdout
    text = (bare / "shop/settings/cluster.py").read_text()
    compile(text, "cluster.py", "exec")
    for name in ("CACHES", "CELERY_BROKER_URL", "SECURE_SSL_REDIRECT", "pymysql.version_info"):
        assert f"\n{name} = " in text
    assert "LOGGING" not in text


def test_settings__of_a_module_alone_stand_beside_it(bare, tmp_path):
    (bare / "manage.py").write_text(WSGI.replace("shop.settings.dev", "site.settings"))
    (bare / "shop/wsgi.py").write_text(WSGI.replace("shop.settings.dev", "shop.settings"))
    for file in (bare / "shop/settings").iterdir():
        file.unlink()
    (bare / "shop/settings").rmdir()
    (bare / "shop/settings.py").write_text("DEBUG = True\n")
    assert init(tmp_path, "--yes", "--settings").returncode == 0
    assert (bare / "shop/settings_cluster.py").is_file()


def test_asgi__is_proposed_where_the_settings_say_so(project):
    """Every new project has an asgi.py; Channels asks for the setting."""
    (project / "shop/asgi.py").write_text(WSGI.replace("wsgi", "asgi"))
    assert found(project)["wsgi"] == "shop.wsgi"
    with (project / "shop/settings/base.py").open("a") as file:
        file.write('ASGI_APPLICATION = "shop.asgi.application"\n')
    read = found(project)
    assert read["asgi"] == "shop.asgi:application"
    assert "wsgi" not in read
    assert read["settings"] == "shop.settings.production"
    assert init(project, "--yes").returncode == 0
    cluster = load_cluster(project / "inventories/shop.yml")
    assert cluster.app.asgi == "shop.asgi:application"
    assert "gunicorn" in cluster.children[0].roles


def test_asgi__is_proposed_where_there_is_nothing_else(project):
    (project / "shop/wsgi.py").rename(project / "shop/asgi.py")
    assert found(project)["asgi"] == "shop.asgi:application"
