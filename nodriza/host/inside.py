"""A program of a release, run as the application runs: its user, its variables, its folder."""

from __future__ import annotations

from typing import Any, Optional, Protocol, Sequence, Tuple

from nodriza.host import transient
from nodriza.host.env_file import parse_environment
from nodriza.host.errors import Result
from nodriza.host.host import Host


class Inside(Protocol):
    """What the nouns have that ask a release something.

    With ``unit`` it runs in a transient unit of that name (``nodriza.host.transient``): it may
    change what is ``writable``, does not see what is ``hidden``, and ends with all it started.
    """

    @property
    def user(self) -> Optional[str]:
        """Who runs it."""

    @property
    def env_file(self) -> str:
        """Its variables: an ``EnvironmentFile`` of systemd.exec(5)."""

    @property
    def unit(self) -> str:
        """Without ``.service``; empty: none."""

    @property
    def writable(self) -> Tuple[str, ...]:
        """Paths."""

    @property
    def hidden(self) -> Tuple[str, ...]:
        """Paths."""


def python(
    host: Host,
    about: Inside,
    release: str,
    argv: Sequence[str],
    *,
    timeout: Optional[float],
    check: bool = False,
    static: str = "",
) -> Result:
    """Run the Python of a release in its source; ``argv`` is what comes after ``python``.

    ``static`` is where its static files are to go, if not where they are.
    """
    variables = (host.read(about.env_file) or b"") if about.env_file else b""
    env = parse_environment(variables.decode("utf-8", "replace"))
    # The file of variables says where those of the release that serves are, and systemd believes
    # it more than what it is told besides.
    words = ["/usr/bin/env", f"STATIC_ROOT={host.at(static or f'{release}/static')}"]
    words += [host.at(f"{release}/venv/bin/python"), *argv]
    folder = f"{release}/app"
    options: Any = {"timeout": timeout, "check": check}
    if about.unit and about.user:
        unit = transient.Unit(
            about.unit, about.user, about.writable, about.hidden, about.env_file, tuple(env)
        )
        return transient.run(host, unit, words, cwd=folder, **options)
    return host.run(words, env=env, user=about.user, cwd=host.at(folder), **options)
