"""What a project lacks to be served by a cluster, with the line to write for each.

It is read and not run, so it says nothing of what only running would show: there it is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nodriza.project import rules
from nodriza.project.files import Files
from nodriza.project.rules import Given, Need, Project
from nodriza.project.settings import read_settings

RULES: tuple[Callable[[Project], Iterator[Need]], ...] = (
    rules.debug,
    rules.secret_key,
    rules.hosts,
    rules.redirect,
    rules.database,
    rules.static,
    rules.media,
    rules.broker,
    rules.caches,
    rules.compressor,
    rules.channels,
    rules.variables,
)


def needs(files: Files, given: Given) -> Iterator[Need]:
    """In the order in which a person would see to them."""
    place = files.module(given.settings)
    if not place:
        yield Need(
            f"there is no module {given.settings} among the files that are deployed",
            do="app.settings in the inventory names the settings module",
        )
        return
    project = Project(files, given, read_settings(files, given.settings))
    if project.settings.wrong:
        yield Need("this file can't be read as Python", project.settings.wrong)
    for rule in RULES:
        yield from rule(project)
