"""What a project lacks is told with the line to write; what only running shows is not guessed."""

from __future__ import annotations

import pytest

from nodriza.project.files import Files
from nodriza.project.needs import needs
from nodriza.project.rules import Given, Need

OURS = (
    *("DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS", "DATABASE_HOST", "DATABASE_PORT"),
    *("DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD", "DATABASE_URL", "CACHE_URL"),
    *("CELERY_BROKER_URL", "STATIC_ROOT", "MEDIA_ROOT"),
)
WELL = """
import os
DEBUG = False
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")
INSTALLED_APPS = ["django.contrib.staticfiles"]
HOST = os.environ["DATABASE_HOST"]
DATABASES = {"default": {"ENGINE": "django.db.backends.mysql", "HOST": HOST}}
STATIC_URL = "static/"
STATIC_ROOT = os.environ["STATIC_ROOT"]
MEDIA_ROOT = os.environ["MEDIA_ROOT"]
CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]
"""


def missing(
    text: str, *, own: dict[str, str] | None = None, more: str = "", asgi: str = ""
) -> list[Need]:
    names = {"shop/settings.py": text, "shop/models.py": more}
    files = Files({name: lambda text=text: text for name, text in names.items()})  # type: ignore[misc]
    variables = {**dict.fromkeys(OURS, "x"), **(own or {})}
    given = Given("shop.settings", "www.example.org", variables, "MySQL", "shop", asgi=asgi)
    return list(needs(files, given))


def without(setting: str, *lines: str) -> str:
    kept = [line for line in WELL.splitlines() if not line.startswith(f"{setting} =")]
    return "\n".join([*kept, *lines])


def test_project__that_reads_what_the_cluster_gives_needs_nothing():
    assert missing(WELL) == []


@pytest.mark.parametrize(
    ("setting", "line", "words", "do"),
    [
        ("DEBUG", "DEBUG = True", "DEBUG is True", "DEBUG = False"),
        ("SECRET_KEY", "", "there is no SECRET_KEY", 'os.environ["DJANGO_SECRET_KEY"]'),
        ("SECRET_KEY", 'SECRET_KEY = "abc"', "stands in the source", "DJANGO_SECRET_KEY"),
        ("ALLOWED_HOSTS", "", "every page would be 400", "DJANGO_ALLOWED_HOSTS"),
        ("ALLOWED_HOSTS", 'ALLOWED_HOSTS = ["a.org"]', "does not have www.example.org", "split"),
        (
            "DATABASES",
            'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}',
            "for SQLite, and this cluster has MySQL",
            '"ENGINE": "django.db.backends.mysql"',
        ),
        (
            "STATIC_ROOT",
            'STATIC_ROOT = "/srv"',
            "of the project's own",
            'os.environ["STATIC_ROOT"]',
        ),
        ("X", "SECURE_SSL_REDIRECT = True", "this cluster does not have", "REDIRECT = False"),
        ("STATIC_URL", 'STATIC_URL = "/s/"', "has these files at /static/", '"/static/"'),
        ("CELERY_BROKER_URL", "", "not told where its queue is", "CELERY_BROKER_URL"),
        ("X", "COMPRESS_OFFLINE = True", "no deploy makes them", "manage.py compress --force"),
        (
            "X",
            'INSTALLED_APPS = ["channels"]',
            "and no websocket",
            "asgi: mysite.asgi:application",
        ),
    ],
)
def test_line__to_write_is_named(setting, line, words, do):
    (need,) = missing(without(setting, line))
    assert words in need.words
    assert do in need.do
    assert need.where.startswith("shop/settings.py")


@pytest.mark.parametrize(
    ("setting", "line", "variables"),
    [
        ("DEBUG", 'DEBUG = os.getenv("DEBUG", "True") == "True"', {"DEBUG": "False"}),
        ("SECRET_KEY", 'SECRET_KEY = os.environ["KEY"]', {"KEY": "$DJANGO_SECRET_KEY"}),
        (
            "ALLOWED_HOSTS",
            'ALLOWED_HOSTS = [os.getenv("H")]',
            {"H": "$DJANGO_ALLOWED_HOSTS"},
        ),
        (
            "DATABASES",
            'DATABASES = {"H": os.environ["DB_HOST"], "P": os.environ["DB_PASS"]}',
            {"DB_HOST": "$DATABASE_HOST", "DB_PASS": "$DATABASE_PASSWORD"},
        ),
        (
            "DATABASES",
            'DATABASES = {"default": {"ENGINE": os.getenv("E", "django.db.backends.sqlite3"),'
            ' "HOST": os.environ["DATABASE_HOST"]}}',
            {"E": "django.db.backends.mysql"},
        ),
        (
            "DATABASES",
            'if os.getenv("DB") == "mysql":\n'
            '    DATABASES = {"ENGINE": "django.db.backends.mysql", "H": HOST}',
            {"DB": "mysql"},
        ),
        ("CELERY_BROKER_URL", 'BROKER_URL = os.environ["REDIS"]', {"REDIS": "$CELERY_BROKER_URL"}),
        ("X", 'CACHES = {"default": {"LOCATION": os.environ["REDIS"]}}', {"REDIS": "$CACHE_URL"}),
        ("X", 'BUCKET = os.environ["BUCKET"]', {"BUCKET": "…"}),
        ("X", 'KEY = os.environ["SECRET_KEY"]', {"SECRET_KEY": "$DJANGO_SECRET_KEY"}),
        ("X", 'OLD = os.environ["POSTGRES_DB"]', {"POSTGRES_DB": "$DATABASE_NAME"}),
        ("X", 'SECURE_SSL_REDIRECT = os.getenv("SSL", "1") == "1"', {"SSL": "False"}),
    ],
)
def test_variable__of_another_name_is_a_line_of_the_inventory(setting, line, variables):
    found = missing(without(setting, line))
    assert {name: value for need in found for name, value in need.inventory} == variables
    if "…" not in variables.values():
        assert missing(without(setting, line), own=variables) == []


def test_variable__that_is_secret_by_its_name_is_for_the_vault():
    (need,) = missing(without("X", 'S = os.environ["STRIPE_KEY"]'))
    assert (need.secrets, need.inventory) == (("STRIPE_KEY",), ())


@pytest.mark.parametrize(
    "line",
    [
        'SECRET_KEY = getattr(config, "SECRET_KEY")',
        'ALLOWED_HOSTS = ["*"]',
        'ALLOWED_HOSTS = [".example.org"]',
        'STRIPE_KEY = os.getenv("STRIPE_KEY")',
        'if DEBUG:\n    DESK = os.environ["DESK"]',
    ],
)
def test_what_only_running_shows__is_not_guessed(line):
    assert missing(without(line.partition(" =")[0], line)) == []


def test_uploads__go_to_the_share_where_there_are_any():
    text = without("MEDIA_ROOT")
    assert missing(text) == []
    (need,) = missing(text, more="class Film(Model):\n    file = models.FileField()\n")
    assert need.do == 'MEDIA_ROOT = os.environ["MEDIA_ROOT"]'


def test_settings__that_are_not_there_are_all_that_is_said():
    (need,) = needs(Files({}), Given("shop.settings", "a.org", {}))
    assert "no module shop.settings" in need.words


def test_channels__with_asgi_needs_a_layer_that_reaches_every_process():
    text = without("INSTALLED_APPS", 'INSTALLED_APPS = ["django.contrib.staticfiles", "channels"]')
    assert missing(text, asgi="shop.asgi:application") == []
    layer = 'CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}'
    (need,) = missing(f"{text}\n{layer}\n", asgi="shop.asgi:application")
    assert "no other worker or child has them" in need.words
    assert "REDIS_URL" in need.do
