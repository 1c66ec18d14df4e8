"""A release of a real Django project is asked whether it may serve; its migrations come after."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest

from nodriza.host import verdict
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.release import release
from nodriza.resources import Migrations, Preflight

STRONG = "k9!xw2" * 10
SETTINGS = f"""
import os
SECRET_KEY = "{STRONG}"
DEBUG = False
ALLOWED_HOSTS = ["www.example.org"]
INSTALLED_APPS = ["shop"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DB"]}}}}
"""
WSGI = """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_a_test.settings")
print("words of the application")
application = get_wsgi_application()
"""
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_a_test.settings")
execute_from_command_line(sys.argv)
"""
MODELS = """
from django.db import models
class Item(models.Model):
    name = models.CharField(max_length=20)
    note = models.CharField(max_length=20, null=True)
"""
FIRST = """
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Item", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=20)),
            ("note", models.CharField(max_length=20, null=True)),
        ]),
    ]
"""
NEXT = """
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("shop", "{after}")]
    operations = [migrations.{operation}]
"""
REMOVES = 'RemoveField("Item", "note")'


class Machine(Host):
    """Remembers what it was told to tell."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.told: list[str] = []
        self.note = self.told.append
        self.warn = lambda words: self.told.append(f"warning: {words}")


def made(host: Host, name: str) -> str:
    """A release of the project that has two migrations' worth of models and one migration."""
    folder = f"/releases/{name}"
    for each in ("site_of_a_test", "shop/migrations"):
        host.mkdirs(f"{folder}/app/{each}")
    python = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    host.mkdirs(f"{folder}/venv/bin")
    host.write(f"{folder}/venv/bin/python", python, mode="0755")
    for path, content in (
        ("manage.py", MANAGE),
        ("site_of_a_test/__init__.py", ""),
        ("site_of_a_test/settings.py", SETTINGS),
        ("site_of_a_test/wsgi.py", WSGI),
        ("shop/__init__.py", ""),
        ("shop/models.py", MODELS),
        ("shop/migrations/__init__.py", ""),
        ("shop/migrations/0001_initial.py", FIRST),
    ):
        host.write(f"{folder}/app/{path}", content)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A release that serves, and its database, made once for all tests."""
    root = tmp_path_factory.mktemp("served")
    host = Machine(root)
    folder = made(host, "old")
    host.write("/env", f'DB="{root}/db.sqlite3"\n')
    preflight(folder).fix(host, None)
    migrations(folder).fix(host, None)
    assert host.told == ["migrates 1 of a new database"]
    host.symlink("/current", folder)
    return root


@pytest.fixture
def host(served, tmp_path):
    """With a new release of the same source beside it."""
    shutil.copytree(served, tmp_path / "root", symlinks=True)
    host = Machine(tmp_path / "root")
    host.write("/env", f'DB="{host.root}/db.sqlite3"\n')
    made(host, "new")
    return host


def preflight(path: str = "/releases/new", **more) -> Preflight:
    fields = {"host": "www.example.org", "modules": release._modules(), "env_file": "/env"}
    return Preflight(path, "/current", "site_of_a_test.wsgi", **{**fields, **more})


def migrations(path: str = "/releases/new") -> Migrations:
    return Migrations(path, "/current", env_file="/env", words="How to look.")


def look(host, one):
    return type(one).look(host, [one])[0]


def migration(host, operation: str, name: str = "0002_next", after: str = "0001_initial") -> None:
    path = f"/releases/new/app/shop/migrations/{name}.py"
    host.write(path, NEXT.format(operation=operation, after=after))


def change(host, path: str, was: str, now: str) -> None:
    path = f"/releases/new/app/{path}"
    text = host.read(path).decode()
    assert was in text
    host.write(path, text.replace(was, now))


def refused(host, one) -> str:
    with pytest.raises(HostError) as error:
        one.fix(host, look(host, one))
    assert look(host, one) == {"passed": False}
    assert look(host, migrations()) == {"applied": False}
    return str(error.value)


def test_release__that_is_fit_passes_and_has_nothing_to_migrate(host):
    one = preflight()
    assert look(host, one) == {"passed": False}
    one.fix(host, look(host, one))
    assert look(host, one) == one.wanted()
    assert look(host, migrations()) == migrations().wanted()
    assert host.told == []


def test_release__that_serves_is_not_asked(host, monkeypatch):
    monkeypatch.setattr(host, "run", None)
    assert look(host, preflight("/releases/old")) == {"passed": True}
    assert look(host, migrations("/releases/old")) == {"applied": True}


def test_release__that_does_not_import_is_refused_in_its_words(host):
    change(host, "site_of_a_test/wsgi.py", "import os", "import os, a_module_that_is_nowhere")
    words = refused(host, preflight())
    assert words.startswith("the release does not work:\n")
    assert "No module named 'a_module_that_is_nowhere'" in words


def test_debug__is_refused_with_its_line_unless_the_inventory_allows_it(host):
    change(host, "site_of_a_test/settings.py", "DEBUG = False", "DEBUG = True")
    words = refused(host, preflight())
    assert "DEBUG is True (site_of_a_test/settings.py:4)" in words
    assert "app: {debug: true}" in words
    preflight(debug=True).fix(host, None)
    assert host.told == ["warning: DEBUG is True, as app.debug of the inventory allows"]


def test_name_that_is_not_allowed__is_refused_with_what_to_write(host):
    words = refused(host, preflight(host="shop.example.org"))
    assert "ALLOWED_HOSTS (site_of_a_test/settings.py:5) does not have shop.example.org" in words
    assert 'os.environ["DJANGO_ALLOWED_HOSTS"].split(",")' in words


def test_setting_of_another_module__is_found_there(host):
    change(host, "site_of_a_test/settings.py", "DEBUG = False", "from .settings_base import *")
    host.write("/releases/new/app/site_of_a_test/settings_base.py", "\n\nDEBUG = True\n")
    assert "DEBUG is True (site_of_a_test/settings_base.py:3)" in refused(host, preflight())


def test_weak_key__is_told_with_what_to_write_and_ends_nothing(host):
    change(host, "site_of_a_test/settings.py", STRONG, "django-insecure-1")
    preflight().fix(host, None)
    (words,) = host.told
    assert words.startswith("warning: SECRET_KEY is a weak one (site_of_a_test/settings.py:3)")
    assert 'os.environ["DJANGO_SECRET_KEY"]' in words


def test_key_of_the_vault__is_shorter_than_djangos_and_no_weak_one(host):
    change(host, "site_of_a_test/settings.py", f'"{STRONG}"', 'os.environ["DJANGO_SECRET_KEY"]')
    host.write("/env", host.read("/env") + b"DJANGO_SECRET_KEY=Zk3vXw81LqPd93sRtB2m\n")
    preflight().fix(host, None)
    assert host.told == []


def test_cookies_without_https__are_told_where_visitors_come_by_it(host):
    preflight().fix(host, None)
    assert host.told == []
    preflight(tls=True).fix(host, None)
    (words,) = host.told
    assert "security.W016" in words
    assert "HSTS" not in words


def test_error_of_a_check__is_refused_in_its_words(host):
    change(host, "shop/models.py", "max_length=20)", 'max_length="x")')
    words = refused(host, preflight())
    assert "manage.py check --deploy: shop.Item.name: (fields.E121)" in words


def test_migration__is_shown_before_it_runs(host):
    migration(host, 'AddField("Item", "size", models.IntegerField(null=True))')
    preflight().fix(host, None)
    assert look(host, migrations()) == {"applied": False}
    migrations().fix(host, None)
    assert host.told == ["migrates shop/migrations/0002_next.py: Add field size to Item"]
    assert look(host, migrations()) == {"applied": True}
    again = Machine(Path(host.root))
    preflight().fix(again, None)
    assert look(again, migrations()) == {"applied": True}, "as the database itself says"


def test_migration__that_nobody_can_judge_is_told_and_runs(host):
    migration(host, "RunPython(migrations.RunPython.noop)")
    preflight().fix(host, None)
    migrations().fix(host, None)
    (words,) = host.told
    assert "Raw Python operation (not judged" in words


def test_migration__that_takes_from_the_release_that_serves_is_refused(host):
    migration(host, REMOVES)
    words = refused(host, preflight())
    assert "would break release old" in words
    assert "shop/migrations/0002_next.py: Remove field note from Item" in words
    assert "takes the column shop_item.note away" in words
    assert "instead: 1. take Item.note out of the code" in words
    assert "fab deploy --breaking" in words
    preflight(breaking=True).fix(host, None)
    (told,) = host.told
    assert told.startswith("warning: as --breaking allows: a migration would break release old")


def test_migration__that_takes_what_the_release_that_serves_does_not_know_is_harmless(host):
    """The second of two steps."""
    migration(host, REMOVES)
    path = "/releases/old/app/shop/models.py"
    host.write(path, MODELS.replace("    note =", "    # note ="))
    preflight().fix(host, None)
    assert look(host, preflight()) == {"passed": True}


def test_migration__that_takes_something_is_refused_where_nobody_knows_what_serves(host):
    migration(host, REMOVES)
    host.write("/releases/old/app/site_of_a_test/wsgi.py", "raise ValueError")
    assert "takes the column" in refused(host, preflight())


def test_migration__that_takes_something_is_harmless_where_nothing_serves(host):
    migration(host, REMOVES)
    host.remove("/current")
    preflight().fix(host, None)
    host.symlink("/current", "/releases/gone")
    preflight().fix(host, None)


def test_two_ends__are_refused_with_what_to_type(host):
    for name in ("0002_a", "0002_b"):
        migration(host, 'AlterModelOptions("Item", {})', name)
    words = refused(host, preflight())
    assert "shop: 0002_a, 0002_b" in words
    assert "makemigrations --merge" in words


def test_model__whose_migration_was_forgotten_is_refused(host):
    change(host, "shop/models.py", "    note =", "    size = models.IntegerField()\n    note =")
    words = refused(host, preflight())
    assert "shop_item.size: the code has this column, and the database does not" in words
    assert "makemigrations" in words


def test_first_of_two_steps__is_refused_where_rows_could_not_be_written(host):
    """The field is out of the code, and its column is NOT NULL."""
    change(host, "shop/models.py", "    name =", "    # name =")
    words = refused(host, preflight())
    assert "shop_item.name: the code does not have this column, which is NOT NULL" in words


def test_way_back__over_a_migration_that_took_something_is_refused(host):
    migration(host, REMOVES)
    change(host, "shop/models.py", "    note =", "    # note =")
    preflight(breaking=True).fix(host, None)
    migrations().fix(host, None)
    host.symlink("/current", "/releases/new")
    back = preflight("/releases/old", again=True)
    again = Machine(Path(host.root))
    with pytest.raises(HostError, match=r"release old can't work with the database") as error:
        back.fix(again, look(again, back))
    assert "shop_item.note: the code has this column, and" in str(error.value)
    assert "fab deploy --rollback --breaking" in str(error.value)
    assert look(again, back) == {"passed": False}
    back = preflight("/releases/old", again=True, breaking=True)
    back.fix(again, look(again, back))
    assert look(again, back) == {"passed": True}
    (words,) = again.told
    assert words.startswith("warning: as --breaking allows: release old can't work")


def test_way_back__over_a_migration_that_took_nothing_is_open(host):
    migration(host, 'AddField("Item", "size", models.IntegerField(null=True))')
    preflight().fix(host, None)
    migrations().fix(host, None)
    host.symlink("/current", "/releases/new")
    preflight("/releases/old", again=True).fix(host, None)


def test_migration__that_fails_says_how_to_look(host):
    migration(host, 'RunSQL("ALTER TABLE no_such_table ADD x INT")')
    preflight().fix(host, None)
    host.write("/seal.json", "{}")
    one = dataclasses.replace(migrations(), seal="/seal.json")
    with pytest.raises(HostError, match=r"(?s)no_such_table.*\nHow to look\."):
        one.fix(host, look(host, one))
    assert look(host, migrations()) == {"applied": False}
    assert host.stat("/seal.json") is None, "the next build takes the release away"


def test_migration__has_all_the_time_there_is(host, monkeypatch):
    host.preflights["/releases/new"] = {"number": 1, "first": False, "pending": ["a: b"]}
    given = {}
    monkeypatch.setattr(host, "run", lambda argv, **options: given.update(options))
    migrations().fix(host, None)
    assert given["timeout"] is None


def test_migration__is_not_applied_before_anybody_has_looked_at_it(host):
    with pytest.raises(HostError, match="nothing has looked at"):
        migrations().fix(host, None)


@pytest.mark.parametrize(
    "said",
    ["", "no mark", "{m}", "{m}[]", "{m}{{}}", '{m}{{"debug": false, "host": true, "places": 1}}'],
)
def test_answer__that_is_none_is_refused(said):
    with pytest.raises(HostError, match="answer"):
        verdict.answered(said.format(m=verdict.MARK))


def test_mark__is_the_same_on_both_sides():
    asked = dict(release._modules())["nodriza.application.preflight"]
    assert f"MARK = {verdict.MARK!r}" in asked.replace('"', "'")


def test_check__asks_a_release_that_is_there_and_runs_no_migration(host):
    host.mkdirs("/releases/new/static")
    migration(host, REMOVES)
    with pytest.raises(HostError, match="note"):
        preflight().foretell(host)
    preflight(breaking=True).foretell(host)
    assert not look(host, migrations())["applied"]
    migrations().foretell(host)
    assert "migrates shop/migrations/0002_next.py" in "".join(host.told)
    preflight(breaking=True).fix(host, None)
    assert not look(host, migrations())["applied"], "it is still to come"


def test_check__asks_with_the_variables_that_are_to_come(host):
    host.mkdirs("/releases/new/static")
    host.mkdirs("/run")
    text = host.read("/env").decode()
    host.write("/env", "OTHER=1\n")
    with pytest.raises(HostError):
        preflight().foretell(host)
    preflight(environment=text).foretell(host)
    assert look(host, preflight()) == {"passed": True}


def test_check_of_a_release_that_is_not_made_yet__says_what_it_did_not_look_at(host):
    preflight().foretell(host)
    (words,) = host.told
    assert words.startswith("warning: a check makes no release")
    assert look(host, preflight()) == {"passed": False}
