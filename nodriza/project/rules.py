"""One rule for each thing that a cluster needs of a project's settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nodriza.project.environment import UNKNOWN
from nodriza.project.files import Files, dotted
from nodriza.project.settings import Setting, Settings, literals

BACKENDS = {
    "MySQL": "django.db.backends.mysql",
    "PostgreSQL": "django.db.backends.postgresql",
    "SQLite": "django.db.backends.sqlite3",
    "Oracle": "django.db.backends.oracle",
}
"""Django's documentation, "Databases"."""
_FIELDS = ("HOST", "PORT", "NAME", "USER", "PASSWORD")
_PARTS = {
    **{each: f"DATABASE_{each}" for each in (*_FIELDS, "URL")},
    "PASS": "DATABASE_PASSWORD",
    "USERNAME": "DATABASE_USER",
}
"""The last part of a variable's name, and what the cluster calls the same."""
_SAME = {
    "SECRET_KEY": "DJANGO_SECRET_KEY",
    "ALLOWED_HOSTS": "DJANGO_ALLOWED_HOSTS",
    "STATIC_ROOT": "STATIC_ROOT",
    "MEDIA_ROOT": "MEDIA_ROOT",
    "CELERY_BROKER_URL": "CELERY_BROKER_URL",
    "BROKER_URL": "CELERY_BROKER_URL",
    "CACHES": "CACHE_URL",
    "CSRF_TRUSTED_ORIGINS": "CSRF_TRUSTED_ORIGINS",
}
"""A setting, and the variable of the cluster's that it has to come from."""
_SECRET = re.compile(r"(^|_)(KEY|SECRET|PASSWORD|PASS|TOKEN|DSN|CREDENTIALS)(_|$)")
_FALSE = (False, None, "", "0", "false", "no", "off", "f", "n")


@dataclass(frozen=True)
class Need:
    """``do``: a line for the file that ``where`` names, or for the inventory."""

    words: str
    where: str = ""
    do: str = ""
    inventory: tuple[tuple[str, str], ...] = ()
    """Variables for ``app.environment``."""
    secrets: tuple[str, ...] = ()
    """Variables for ``app.secrets``."""


@dataclass(frozen=True)
class Given:
    """What a cluster has for the project."""

    settings: str
    domain: str
    variables: Mapping[str, str]
    """All that the application is told, ``app.environment`` included."""
    database: str = ""
    """The system behind DATABASE_HOST, as ``BACKENDS`` calls it."""
    celery: str = ""
    build: tuple[str, ...] = ()
    """``app.hooks.build``."""
    asgi: str = ""


@dataclass
class Project:
    """What the rules look at."""

    files: Files
    given: Given
    settings: Settings
    told: set[str] = field(default_factory=set)
    """Variables for which there is a line already."""

    def get(self, name: str) -> Setting | None:
        """A setting that the project's own modules give."""
        return self.settings.values.get(name)

    @property
    def place(self) -> str:
        """The file of the settings."""
        return self.files.module(self.given.settings)

    def lacking(self, setting: Setting) -> list[str]:
        """The variables that it comes from, where the cluster gives none of them."""
        found = sorted(setting.variables)
        return [] if {*found} & {*self.given.variables} else found

    def text(self, name: str) -> str:
        """The expression of a setting; empty without one."""
        setting = self.get(name)
        return setting.text if setting else ""


def debug(project: Project) -> Iterator[Need]:
    """Nobody outside may see its pages."""
    setting = project.get("DEBUG")
    if setting is None:
        return
    if setting.value is True:
        yield Need(
            "DEBUG is True: visitors would see Django's pages for developers",
            setting.where,
            "DEBUG = False",
        )
    for read in setting.reads:
        if read.name not in project.given.variables and _is_true(read.default):
            project.told.add(read.name)
            yield Need(
                f"DEBUG comes from {read.name}, whose default is {read.default!r}",
                read.where,
                inventory=((read.name, "False"),),
            )


def redirect(project: Project) -> Iterator[Need]:
    """To HTTPS, where there is none, each page would lead to itself for ever."""
    setting = project.get("SECURE_SSL_REDIRECT")
    if setting is None or {"DJANGO_SECURE", "CSRF_TRUSTED_ORIGINS"} & {*project.given.variables}:
        return
    words = "sends every visitor to HTTPS, which this cluster does not have (tls)"
    if setting.value is True:
        do = "SECURE_SSL_REDIRECT = False"
        yield Need(f"SECURE_SSL_REDIRECT {words}", setting.where, do)
    for read in setting.reads:
        if read.name not in project.given.variables and _is_true(read.default):
            project.told.add(read.name)
            yield Need(f"{read.name} {words}", read.where, inventory=((read.name, "False"),))


def secret_key(project: Project) -> Iterator[Need]:
    """It is a secret, and the same on all nodes."""
    setting, line = project.get("SECRET_KEY"), 'SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]'
    if setting is None:
        yield Need("there is no SECRET_KEY", project.place, line)
    elif isinstance(setting.value, str):
        words = "SECRET_KEY stands in the source: who reads it can forge sessions"
        yield Need(words, setting.where, line)
    else:
        yield from _from_elsewhere(project, setting)


def hosts(project: Project) -> Iterator[Need]:
    """The site's name is among them."""
    setting = project.get("ALLOWED_HOSTS")
    line = 'ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")'
    domain = project.given.domain
    if setting is None:
        yield Need("there is no ALLOWED_HOSTS: every page would be 400", project.place, line)
    elif isinstance(setting.value, (list, tuple)):
        if not any(_matches(str(each), domain) for each in setting.value):
            words = f"ALLOWED_HOSTS does not have {domain}: every page would be 400"
            yield Need(words, setting.where, line)
    else:
        yield from _from_elsewhere(project, setting)


def database(project: Project) -> Iterator[Need]:
    """Its engine is the cluster's, and its place comes from the cluster's variables."""
    setting, system = project.get("DATABASES"), project.given.database
    if setting is None or not system:
        return
    lines, ours = dict(_engine(project, setting, system)), project.given.variables
    assumed = {str(read.default) for read in setting.reads}
    fixed = {
        name
        for name, backend in BACKENDS.items()
        if backend in {*literals(setting.text)} - assumed
    }
    if fixed and system not in fixed:
        yield Need(
            f"DATABASES is for {' or '.join(sorted(fixed))}, and this cluster has {system}",
            setting.where,
            _databases(system),
        )
        return
    names = sorted(setting.variables)
    if not {*names} & {*ours}:
        lines |= {
            name: f"${_PARTS[last]}"
            for name in names
            if (last := name.rpartition("_")[2]) in _PARTS and _PARTS[last] in ours
        }
        if not lines:
            words = "DATABASES does not come from what the cluster gives"
            yield Need(words, setting.where, _databases(system))
            return
    if lines:
        project.told |= {*lines}
        words = f"DATABASES comes from {', '.join(lines)}, which the cluster does not give"
        yield Need(words, setting.where, inventory=tuple(lines.items()))


def _engine(project: Project, setting: Setting, system: str) -> Iterator[tuple[str, str]]:
    """The variable that decides which database it is, and its value for this cluster's."""
    given = project.given.variables
    for read in setting.reads:
        default = str(read.default)
        if default in BACKENDS.values() and default != BACKENDS[system] and read.name not in given:
            yield read.name, BACKENDS[system]
    for name, value, text in setting.choices:
        if BACKENDS[system] in {*literals(text)} and name not in given:
            yield name, value


def static(project: Project) -> Iterator[Need]:
    """Each release has its own files, where nginx looks for them."""
    apps = project.get("INSTALLED_APPS")
    if apps and apps.value is not UNKNOWN and "django.contrib.staticfiles" not in apps.value:
        return
    yield from _folder(
        project, "STATIC_ROOT", "the web server looks there for each release's static files"
    )
    yield from _url(project, "STATIC_URL", "static")


def media(project: Project) -> Iterator[Need]:
    """All children have the same uploads."""
    fields = re.compile(r"\b(File|Image)Field\(")
    models = (name for name in project.files.names if name.endswith("models.py"))
    if project.get("MEDIA_ROOT") or any(fields.search(project.files.text(m)) for m in models):
        yield from _folder(
            project, "MEDIA_ROOT", "uploads go to the share, so all children have them"
        )
        yield from _url(project, "MEDIA_URL", "media")


def broker(project: Project) -> Iterator[Need]:
    """Celery knows its queue."""
    if not project.given.celery:
        return
    setting = project.get("CELERY_BROKER_URL") or project.get("BROKER_URL")
    if setting:
        yield from _from_elsewhere(project, setting)
        return
    if any("CELERY_BROKER_URL" in project.files.text(name) for name in project.files.named(".py")):
        return
    yield Need(
        "Celery is not told where its queue is",
        project.place,
        'CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]',
    )


def caches(project: Project) -> Iterator[Need]:
    """A cache that comes from a variable comes from the cluster's."""
    setting = project.get("CACHES")
    if setting and setting.variables:
        yield from _from_elsewhere(project, setting)


def variables(project: Project) -> Iterator[Need]:
    """Those without which the settings can't even be imported."""
    for read in project.settings.reads:
        if not (read.needed and read.sure) or read.name in project.told:
            continue
        if read.name in project.given.variables:
            continue
        project.told.add(read.name)
        words = f"{read.name} has no default, and the cluster does not give it"
        if ours := _same(read.name, project.given.variables):
            yield Need(words, read.where, inventory=((read.name, f"${ours}"),))
        elif _SECRET.search(read.name):
            yield Need(words, read.where, secrets=(read.name,))
        else:
            yield Need(words, read.where, inventory=((read.name, "…"),))


def compressor(project: Project) -> Iterator[Need]:
    """What was to be compressed beforehand is missing otherwise, and each page with it is 500."""
    setting = project.get("COMPRESS_OFFLINE")
    if not setting or setting.value is not True:
        return
    if any(re.search(r"\bcompress\b", line) for line in project.given.build):
        return
    yield Need(
        "django-compressor takes files that manage.py compress has made, and no deploy makes them",
        setting.where,
        "app.hooks of the inventory: {build: [STATIC_ROOT=$PWD/static python manage.py compress"
        " --force]}, with a folder of STATICFILES_DIRS for static",
    )


def channels(project: Project) -> Iterator[Need]:
    """Its websockets are served, and what is said in one process is heard in all."""
    if "'channels'" not in project.text("INSTALLED_APPS"):
        return
    if not project.given.asgi:
        module = next(iter(project.files.named("asgi.py")), "mysite/asgi.py")
        yield Need(
            "Channels needs an ASGI server; by app.wsgi the pages are served, and no websocket",
            project.settings.values["INSTALLED_APPS"].where,
            f"app of the inventory: asgi: {dotted(module)}:application in the place of wsgi",
        )
    setting = project.get("CHANNEL_LAYERS")
    if setting and "InMemoryChannelLayer" in setting.text:
        yield Need(
            "CHANNEL_LAYERS keeps messages in one process, so no other worker or child has them",
            setting.where,
            "channels_redis with REDIS_URL, and services of the inventory: {data: redis}",
        )


def _from_elsewhere(project: Project, setting: Setting) -> Iterator[Need]:
    """A setting that comes from variables of other names than the cluster's."""
    lacking = [name for name in project.lacking(setting) if name not in project.told]
    ours = _SAME[setting.name]
    if not lacking or ours not in project.given.variables:
        return
    likely = next((name for name in lacking if _alike(name, ours)), lacking[0])
    project.told.add(likely)
    yield Need(
        f"{setting.name} comes from {likely}, which the cluster does not give",
        setting.where,
        inventory=((likely, f"${ours}"),),
    )


def _same(name: str, ours: Mapping[str, str]) -> str:
    """What the cluster calls a variable with the name of a setting, or of a database's part."""
    first, _, last = name.partition("_")
    found = _SAME.get(name) or _SAME.get(last if first in ("DJANGO", "APP") else "", "")
    if not found and first in ("DB", "MYSQL", "POSTGRES", "SQL"):
        found = _PARTS.get(last, "DATABASE_NAME" if last in ("DB", "DATABASE") else "")
    return found if found in ours else ""


def _folder(project: Project, name: str, why: str) -> Iterator[Need]:
    setting, line = project.get(name), f'{name} = os.environ["{name}"]'
    if setting is None:
        yield Need(f"there is no {name}: {why}", project.place, line)
    elif setting.variables:
        yield from _from_elsewhere(project, setting)
    else:
        yield Need(f"{name} is a folder of the project's own: {why}", setting.where, line)


def _url(project: Project, name: str, path: str) -> Iterator[Need]:
    setting = project.get(name)
    value = setting.value if setting else UNKNOWN
    if setting and isinstance(value, str) and value.strip("/") != path:
        words = f"{name} is {value!r}, and the web server has these files at /{path}/"
        yield Need(words, setting.where, f'{name} = "/{path}/"')


def _databases(system: str) -> str:
    fields = ", ".join(f'"{each}": os.environ["DATABASE_{each}"]' for each in _FIELDS)
    return f'DATABASES = {{"default": {{"ENGINE": "{BACKENDS[system]}", {fields}}}}}'


def _is_true(default: Any) -> bool:
    if default is UNKNOWN:
        return False
    value = default.lower() if isinstance(default, str) else default
    return value not in _FALSE


def _matches(pattern: str, host: str) -> bool:
    """As Django's ``validate_host``."""
    if pattern.startswith("."):
        return host == pattern[1:] or host.endswith(pattern)
    return pattern in ("*", host)


def _alike(name: str, ours: str) -> bool:
    return bool({*name.split("_")} & {*ours.split("_")} - {"DJANGO"})
