"""One release, as roles and reports know it."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza.plan import hidden
from nodriza.plan.offers import needs, users
from nodriza.resources import Copy, Environment, File, Intact, Preflight, Trial, Venv
from nodriza.resources.built import MARKER as BUILT
from nodriza.resources.environment import RECIPE
from nodriza.resources.upload import MARKER as SENT
from nodriza.resources.venv import MARKER as INSTALLED
from nodriza.resources.venv import PINNED

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.source.requirements import Requirements
    from nodriza.ssh.facts import Seal

PYTHON = "/usr/bin/python3"
"""Debian's, on every node: uWSGI has the same one built in."""
VENV = "venv-"
"""Before the name of an environment, among the names of releases."""


@dataclass(frozen=True)
class Release:
    """One that the builder has.

    ``served``: when it began to, the last time, in seconds since the epoch; ``None`` for
    one that never did. Nobody goes back to such a one. ``venv``: the name of its environment.
    ``tree`` and ``environment``: what they hold; ``None`` until both are finished.
    ``python``: what the environment was made for ("cpython-311"); empty where that is not known.
    ``migrations``, where they were asked for, as paths in it.
    """

    id: str
    served: float | None = None
    commit: str = ""
    venv: str = ""
    tree: Seal | None = None
    environment: Seal | None = None
    python: str = ""
    migrations: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What people call it: "commit 1a2b3c4 (release 0f1e2d3c4b5a)"."""
        return f"commit {self.commit} (release {self.id})" if self.commit else f"release {self.id}"


def takers(cluster: Cluster) -> Sequence[Node]:
    """The nodes that take releases and switch to them in turns: those that run the application.
    The one that makes them is among them where it serves; a name server is not.
    """
    return users(cluster, "releases")


def takes(node: Node, cluster: Cluster) -> bool:
    """Whether a node is one of them."""
    return needs(node, cluster, "releases")


def copy(cluster: Cluster, folder: str, name: str, pack: str, seal: Seal | None) -> Copy:
    """The node's own of a release or an environment. A check may be ahead of its ``seal``."""
    return Copy(
        f"{folder}/{name}",
        tree=seal["tree"] if seal else "",
        pack=cluster.app.pack(pack),
        sha256=seal["sha256"] if seal else "",
        size=seal["size"] if seal else 0,
        user=cluster.app.user,
    )


def environment(cluster: Cluster, to: Release) -> Environment:
    """The node's own one of a release: a copy, or made for another Python."""
    app = cluster.app
    folder = f"{app.release_folder}/{to.id}"
    uv, venv = apart(cluster, folder, to.venv)
    return Environment(
        venv.path,
        release=folder,
        python=PYTHON,
        made_for=to.python,
        copy=copy(cluster, app.venv_folder, to.venv, VENV + to.venv, to.environment),
        venv=venv,
        uv=uv,
        packages=("python3-venv", *app.build_packages),
        seal=app.seal(VENV + to.venv),
    )


def intact(
    cluster: Cluster, release_id: str, venv_id: str, python: str = ""
) -> tuple[Intact, Intact]:
    """A release and its environment, as they were on the node that made them; with ``python``
    for no other one.
    """
    app = cluster.app
    return (
        Intact(
            f"{app.release_folder}/{release_id}",
            seal=app.seal(release_id),
            markers=(f"{source_name(cluster)}/{SENT}", f"app/{BUILT}"),
            parts=("source", "app", "venv", "static"),
        ),
        Intact(
            f"{app.venv_folder}/{venv_id}",
            seal=app.seal(VENV + venv_id),
            markers=(INSTALLED,),
            python=python,
        ),
    )


def apart(cluster: Cluster, folder: str, venv_id: str) -> tuple[Venv, Venv]:
    """uv, and an environment of the release in ``folder``, with nothing said of what is installed:
    both are built by a user without rights, out of reach of all else.
    """
    app = cluster.app
    uv = Venv(
        app.uv,
        requirements=f"{app.uv}.txt",
        user=app.builder,
        pip=False,
        python=PYTHON,
        hidden=hidden.from_builder(cluster),
        cache=app.cache,
        unit=f"nodriza-{app.name}-uv",
    )
    venv = replace(
        uv,
        path=f"{app.venv_folder}/{venv_id}",
        requirements="",
        pip=True,
        unit=f"nodriza-{app.name}-environment",
        folder=folder,
        scratch=f"{app.own}/build",
    )
    return uv, venv


def source_name(cluster: Cluster) -> str:
    """Where a release has what was sent: "app", unless the project's own commands make that."""
    return "source" if cluster.app.hooks.build else "app"


def recipe(folder: str, source: str, requirements: Requirements) -> tuple[str, tuple[File, ...]]:
    """What is installed, a path in the release in ``folder``; and the files that say so there, for
    nodes that make the environment themselves. ``source`` is the name of what was sent.
    """
    file = f"{source}/{requirements.file}"
    what = file.rpartition("/")[0] if requirements.package else file
    files = []
    if requirements.pinned:
        what = PINNED
        files.append(File(f"{folder}/{PINNED}", requirements.pinned))
    about = {
        "folder": source,
        "requirements": what,
        "digest": requirements.id,
        "installer": requirements.installer,
    }
    files.append(File(f"{folder}/{RECIPE}", json.dumps(about) + "\n"))
    return what, tuple(files)


def trial(cluster: Cluster, folder: str, *asked: tuple[str, int]) -> Trial:
    """The release in ``folder`` is imported, and answers the pages that are ``asked``."""
    app = cluster.app
    return Trial(
        folder,
        current=app.current,
        wsgi="" if app.asgi else app.module,
        asgi=f"{app.module}:{app.callable}" if app.asgi else "",
        host=cluster.domain,
        scheme="https" if cluster.tls.on else "http",
        asked=asked,
        debug=app.debug,
        **step(cluster, "trial"),
    )


def preflight(cluster: Cluster, folder: str, *, breaking: bool, again: bool = False) -> Preflight:
    """The release in ``folder`` may serve; ``breaking``: whatever the database loses or lacks.

    ``again``: it served before.
    """
    app = cluster.app
    return Preflight(
        folder,
        current=app.current,
        module=app.module,
        host=cluster.domain,
        modules=_modules(),
        tls=cluster.tls.on,
        debug=app.debug,
        breaking=breaking,
        again=again,
        **step(cluster, "preflight"),
    )


def step(cluster: Cluster, name: str) -> dict[str, Any]:
    """The fields of a noun that runs the application as its workers run: its user, its variables,
    and out of reach of the rest; in a transient unit that ends with all that it started.
    """
    app = cluster.app
    return {
        "user": app.user,
        "env_file": app.environment_file,
        "unit": f"nodriza-{app.name}-{name}",
        "writable": app.own_files,
        "hidden": hidden.from_application(cluster),
    }


@functools.cache
def _modules() -> tuple[tuple[str, str], ...]:
    """What runs in the application's Python, in the order in which it is loaded."""
    folder = Path(__file__).parents[1] / "application"
    names = ("fit", "columns", "rules", "judgement", "preflight")
    return tuple((f"nodriza.application.{n}", (folder / f"{n}.py").read_text()) for n in names)
