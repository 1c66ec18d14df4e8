"""The settings module that ``nodriza init --settings`` adds to a project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nodriza.project.files import Files
from nodriza.project.reading import Module, Reading
from nodriza.project.rules import BACKENDS
from nodriza.project.settings import read_settings
from nodriza.repository.write import Written, environment, write_new
from nodriza.source.drivers import named_in


def write_settings(
    source: Reading, module: Module, system: str, variables: Mapping[str, str]
) -> Written:
    """Write ``module``, which imports the project's own settings and takes the rest as given.

    ``system``: the database, as ``BACKENDS`` calls it. ``variables``: all that the cluster tells.
    A file that is there stays as it is.
    """
    installed = _installed(source)
    own = read_settings(Files.of_folder(source.folder), module.base).values
    text = (
        environment()
        .get_template("settings.py.j2")
        .render(
            base=module.base,
            backend=BACKENDS.get(system, "") if "DATABASE_HOST" in variables else "",
            pymysql="pymysql" in installed and "mysqlclient" not in installed,
            cache=_cache(installed, variables.get("CACHE_URL", "")),
            celery=source.value("celery"),
            redirects="SECURE_SSL_REDIRECT" in own,
            logs="LOGGING" in own,
        )
    )
    return write_new(source.folder / module.file, text)


def _cache(installed: set[str], url: str) -> str:
    """The scheme of the cache's address, if something that is installed speaks it."""
    scheme = url.partition(":")[0]
    return scheme if {scheme, f"django-{scheme}"} & installed else ""


def _installed(source: Reading) -> set[str]:
    """Distributions that are named, and what they are asked to bring: celery[redis]."""
    name = source.value("requirements")
    path: Path = source.folder / name
    if not name or not path.is_file():
        return set()
    extras = re.findall(r"\w\[([\w, -]+)\]", path.read_text("utf-8", errors="replace"))
    brought = {word.strip().lower() for each in extras for word in each.split(",")}
    return {*named_in(path)} | brought
