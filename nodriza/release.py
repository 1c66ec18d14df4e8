"""One release, as roles and reports know it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza.resources import Copy, Preflight, Trial

if TYPE_CHECKING:
    from nodriza.facts import Seal
    from nodriza.inventory import App, Cluster

PYTHON = "/usr/bin/python3"
"""Debian's, on every node: uWSGI has the same one built in."""
VENV = "venv-"
"""Before the name of an environment, among the names of releases."""


@dataclass(frozen=True)
class Release:
    """One that the central node has.

    ``served``: when it began to, the last time, in seconds since the epoch; ``None`` for
    one that never did. Nobody goes back to such a one. ``venv``: the name of its environment.
    ``tree`` and ``environment``: what they hold; ``None`` until both are finished.
    ``migrations``, where they were asked for, as paths in it.
    """

    id: str
    served: float | None = None
    commit: str = ""
    venv: str = ""
    tree: Seal | None = None
    environment: Seal | None = None
    migrations: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What people call it: "commit 1a2b3c4 (release 0f1e2d3c4b5a)"."""
        return f"commit {self.commit} (release {self.id})" if self.commit else f"release {self.id}"


def copy(cluster: Cluster, folder: str, name: str, pack: str, seal: Seal | None) -> Copy:
    """The node's own of a release or an environment. A check may be ahead of its ``seal``."""
    return Copy(
        f"{folder}/{name}",
        tree=seal["tree"] if seal else "",
        pack=cluster.app.pack(pack),
        sha256=seal["sha256"] if seal else "",
        size=seal["size"] if seal else 0,
    )


def trial(cluster: Cluster, folder: str, *asked: tuple[str, int]) -> Trial:
    """The release in ``folder`` is imported, and answers the pages that are ``asked``."""
    app = cluster.app
    return Trial(
        folder,
        current=app.current,
        wsgi=app.wsgi,
        host=cluster.domain,
        scheme="https" if cluster.tls.on else "http",
        asked=asked,
        debug=app.debug,
        **step(app, "trial"),
    )


def preflight(cluster: Cluster, folder: str, *, breaking: bool, again: bool = False) -> Preflight:
    """The release in ``folder`` may serve; ``breaking``: whatever the database loses or lacks.

    ``again``: it served before.
    """
    app = cluster.app
    return Preflight(
        folder,
        current=app.current,
        wsgi=app.wsgi,
        host=cluster.domain,
        modules=_modules(),
        tls=cluster.tls.on,
        debug=app.debug,
        breaking=breaking,
        again=again,
        **step(app, "preflight"),
    )


def step(app: App, name: str) -> dict[str, Any]:
    """The fields of a noun that runs the application as its workers run: its user, its variables,
    and out of reach of the rest; in a transient unit that ends with all that it started.
    """
    return {
        "user": app.user,
        "env_file": app.environment_file,
        "unit": f"nodriza-{app.name}-{name}",
        "writable": app.own_files,
        "hidden": app.out_of_reach,
    }


@functools.cache
def _modules() -> tuple[tuple[str, str], ...]:
    """What runs in the application's Python, in the order in which it is loaded."""
    folder = Path(__file__).parent / "application"
    names = ("fit", "columns", "rules", "judgement", "preflight")
    return tuple((f"nodriza.application.{n}", (folder / f"{n}.py").read_text()) for n in names)
