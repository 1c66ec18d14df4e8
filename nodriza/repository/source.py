"""What can be known of a Django project by reading it; nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nodriza.source import drivers
from nodriza.source.requirements import POETRY, PYPROJECT, UV_LOCK

SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")
# The names that projects give to what runs on a server, and to what must not.
ON_SERVERS = ("production", "prod", "live")
ON_DESKS = ("dev", "develop", "development", "local", "test", "testing")
REQUIREMENTS = (
    UV_LOCK,
    "pylock.toml",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements.txt",
    "requirements/base.txt",
    "requirements.pip",
    POETRY,
    PYPROJECT,
)
NEVER = {".git", ".venv", "venv", "env", "node_modules", "site-packages", "__pycache__"}


@dataclass(frozen=True)
class Found:
    """A value for the inventory's ``app`` and where it comes from."""

    key: str
    value: str | tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Source:
    """A Django project: what was found, and what is left to do for its owner."""

    folder: Path
    found: tuple[Found, ...]
    missing: tuple[str, ...]

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


def read_source(folder: Path) -> Source:
    """Everything that can be known of the project in ``folder``, which has the manage.py."""
    wsgi = _wsgi(folder)
    settings = _settings(folder, wsgi)
    package = str(settings.value).partition(".")[0] if settings else folder.resolve().name
    found: list[Found] = [Found("name", _app_name(package), "the project's package")]
    found += [item for item in (wsgi, settings, _celery(folder)) if item]
    requirements = next((name for name in REQUIREMENTS if (folder / name).is_file()), "")
    missing: list[str] = []
    if requirements:
        found.append(Found("requirements", requirements, "what is installed"))
        driver_found, driver_missing = drivers.look(folder / requirements)
        found += [Found(*item) for item in driver_found]
        missing += driver_missing
    else:
        missing.append(
            "a file that says what is installed, beside manage.py: uv.lock, pylock.toml,"
            " requirements.txt, poetry.lock or pyproject.toml"
        )
    if settings and not _reads_our_variables(folder, str(settings.value)):
        missing.append(
            f"{settings.value} reads neither DATABASE_HOST nor DATABASE_URL from its environment:"
            " the application would not find its database (own-repository in the docs)"
        )
    return Source(folder, tuple(found), tuple(missing))


def _files(folder: Path, name: str) -> Iterator[Path]:
    """Files of that name, the ones nearest to ``folder`` first."""
    found = [path for path in folder.rglob(name) if not NEVER.intersection(path.parts)]
    yield from sorted(found, key=lambda path: (len(path.parts), path))


def _module(folder: Path, path: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts)


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")


def _wsgi(folder: Path) -> Found | None:
    for path in _files(folder, "wsgi.py"):
        if re.search(r"^application\s*=", _text(path), re.MULTILINE):
            return Found("wsgi", _module(folder, path), "it has an application")
    return None


def _settings(folder: Path, wsgi: Found | None) -> Found | None:
    """What wsgi.py names, else manage.py; but the settings for servers, if there are any."""
    files = [folder / "manage.py"]
    if wsgi and isinstance(wsgi.value, str):
        files.insert(0, folder / Path(*wsgi.value.split(".")).with_suffix(".py"))
    for path in files:
        named = SETTINGS.search(_text(path)) if path.is_file() else None
        if named is None:
            continue
        package, _, last = named[1].rpartition(".")
        place = folder / Path(*package.split("."))
        for name in ON_SERVERS if last in ON_DESKS else ():
            if package and (place / f"{name}.py").is_file():
                return Found("settings", f"{package}.{name}", f"{path.name} says {last}")
        return Found("settings", named[1], f"{path.name} says so")
    return None


def _celery(folder: Path) -> Found | None:
    for path in _files(folder, "celery.py"):
        if "Celery(" in _text(path) and path.parent != folder:
            return Found("celery", _module(folder, path.parent), "it has a celery.py")
    return None


def _app_name(package: str) -> str:
    """Unix user and database; whether it may be one is for the inventory to say."""
    return re.sub(r"[^a-z0-9_]", "_", package.lower()).lstrip("_0123456789")[:32] or "site"


def _reads_our_variables(folder: Path, module: str) -> bool:
    """Somewhere in the module, or in the ones beside it, which it may import."""
    path = folder / Path(*module.split("."))
    folders = [path] if path.is_dir() else [path.parent]
    texts = (_text(file) for place in folders for file in place.glob("*.py"))
    return any(re.search(r"DATABASE_(HOST|URL)", text) for text in texts)
