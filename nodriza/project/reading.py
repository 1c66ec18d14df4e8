"""What can be known of a Django project by reading it, for the inventory; nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nodriza.project.files import Files, dotted
from nodriza.project.python import release_for
from nodriza.source import drivers
from nodriza.source.requirements import ORDER

SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")
ASGI = re.compile(r"^ASGI_APPLICATION\s*=", re.MULTILINE)
"""A setting of Channels', which no new project has."""
CELERY = re.compile(r"^(\w+)\s*(?::[^=]+)?=\s*(?:celery\.)?Celery\(", re.MULTILINE)
"""Where the application is made; ``celery -A MODULE`` takes it (Celery's documentation)."""
# The names that projects give to what runs on a server, and to what must not.
ON_SERVERS = ("production", "prod", "live")
ON_DESKS = ("dev", "develop", "development", "local", "test", "testing")
NO_NAMES = ("config", "conf", "settings", "project", "core", "django", "src", "app", "backend")
"""Packages and folders that are called so in many projects: no user and no database is."""
FOR_THE_CLUSTER = ("cluster", "settings_cluster")
"""The module that ``nodriza init --settings`` adds: in a package of settings, or beside a file."""
REQUIREMENTS = (
    *ORDER[:2],
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements.txt",
    "requirements/base.txt",
    "requirements.pip",
    *ORDER[3:],
)


@dataclass(frozen=True)
class Found:
    """A value for the inventory's ``app`` and where it comes from."""

    key: str
    value: str | tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Reading:
    """A Django project: what was found in it."""

    folder: Path
    found: tuple[Found, ...]
    release: str = ""
    """The Debian release whose Python it needs, where it is not the usual one."""
    why: str = ""

    def value(self, key: str) -> str:
        """What was found for a key; empty if nothing was."""
        found = self.get(key)
        return found.value if found and isinstance(found.value, str) else ""

    def get(self, key: str) -> Found | None:
        """The value for a key with its reason."""
        return next((found for found in self.found if found.key == key), None)


def projects(folder: Path) -> list[Path]:
    """The folders with a manage.py: ``folder`` itself, or else those in it."""
    if (folder / "manage.py").is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob("*/manage.py"))


def read_project(folder: Path) -> Reading:
    """Everything that can be known of the project in ``folder``, which has the manage.py."""
    files = Files.of_folder(folder)
    wsgi, asgi = _wsgi(files), _asgi(files)
    settings = _settings(files, wsgi or asgi)
    package = str(settings.value).partition(".")[0] if settings else ""
    found: list[Found] = [_name(folder, package)]
    found += [item for item in (asgi or wsgi, settings, _celery(files)) if item]
    requirements = next((name for name in REQUIREMENTS if name in files), "")
    if requirements:
        found.append(Found("requirements", requirements, "what is installed"))
        found += [Found(*item) for item in drivers.look(folder / requirements)]
    return Reading(folder, tuple(found), *release_for(files, requirements))


def _name(folder: Path, package: str) -> Found:
    """The unix user's and the database's; whether it may be one is for the inventory to say."""
    place = folder.resolve()
    words = [(package, "the project's package"), (place.name, "the project's folder")]
    words.append((place.parent.name, "the folder above the project"))
    named = ((word, why) for word, why in words if word and word.lower() not in NO_NAMES)
    word, why = next(named, ("site", "nothing else has a name of its own"))
    word = re.sub(r"[^a-z0-9_]", "_", word.lower()).lstrip("_0123456789")[:32] or "site"
    return Found("name", word, why)


def _wsgi(files: Files) -> Found | None:
    for name in files.named("wsgi.py"):
        if re.search(r"^application\s*=", files.text(name), re.MULTILINE):
            return Found("wsgi", dotted(name), "it has an application")
    return None


def _asgi(files: Files) -> Found | None:
    """Every new project has an asgi.py; this one also says that it is to be served, or has nothing
    else."""
    says = next((n for n in _of_the_project(files) if ASGI.search(files.text(n))), "")
    for name in files.named("asgi.py"):
        if re.search(r"^application\s*=", files.text(name), re.MULTILINE):
            if says:
                return Found("asgi", f"{dotted(name)}:application", f"{says} has ASGI_APPLICATION")
            if not _wsgi(files):
                return Found("asgi", f"{dotted(name)}:application", "there is no wsgi.py")
    return None


def _settings(files: Files, module: Found | None) -> Found | None:
    """What wsgi.py names, else manage.py; but the settings for servers, if there are any."""
    named_by = str(module.value).partition(":")[0] if module else ""
    places = [files.module(named_by) if named_by else "", "manage.py"]
    for place in places:
        named = SETTINGS.search(files.text(place)) if place in files else None
        if named is None:
            continue
        package, _, last = named[1].rpartition(".")
        for name in ON_SERVERS if package and last in ON_DESKS else ():
            if files.module(f"{package}.{name}"):
                why = f"{PurePosixPath(place).name} says {last}"
                return Found("settings", f"{package}.{name}", why)
        return Found("settings", named[1], f"{PurePosixPath(place).name} says so")
    return None


@dataclass(frozen=True)
class Module:
    """A settings module for the cluster: its file, and the project's own that it imports."""

    file: str
    base: str
    there: bool


def for_the_cluster(source: Reading) -> Module | None:
    """The one that the project has, or may have; None where its own settings were not found."""
    files, base = Files.of_folder(source.folder), source.value("settings")
    own = files.module(base)
    if not own:
        return None
    place = PurePosixPath(own)
    alone = place.name != "__init__.py" and "settings" in place.stem
    file = str(place.with_name(f"{FOR_THE_CLUSTER[alone]}.py"))
    return Module(file, base, file in files and f"from {base} import" in files.text(file))


def with_settings(source: Reading, module: Module) -> Reading:
    """The same project, served with these settings."""
    mine = Found("settings", dotted(module.file), f"for the cluster, on top of {module.base}")
    found = tuple(mine if each.key == "settings" else each for each in source.found)
    return replace(source, found=found)


def _celery(files: Files) -> Found | None:
    for name in _of_the_project(files):
        if CELERY.search(files.text(name)):
            last = PurePosixPath(name).name
            # Of a package, Celery tries its module "celery" by itself.
            module = dotted(name).removesuffix(".celery") if last == "celery.py" else dotted(name)
            if module != "celery":  # its own name hides Celery's
                return Found("celery", module, f"{name} makes the application")
    return None


def _of_the_project(files: Files) -> Iterator[str]:
    """Its modules, without tests: they make applications that serve nobody."""
    for name in files.named(".py"):
        if not {"tests", "test", "migrations", "docs"}.intersection(PurePosixPath(name).parts):
            yield name
