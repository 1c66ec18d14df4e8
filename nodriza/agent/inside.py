"""A program of a release, run as the application runs: its user, its variables, its folder."""

from __future__ import annotations

from typing import Any, Optional, Protocol, Sequence, Tuple

from nodriza.agent import transient
from nodriza.agent.host import Host, Result
from nodriza.resources.command import parse_environment


class Inside(Protocol):
    """What the nouns have that ask a release something.

    With ``unit`` it runs in a transient unit of that name (``nodriza.agent.transient``): it may
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
) -> Result:
    """Run the Python of a release in its source; ``argv`` is what comes after ``python``."""
    variables = (host.read(about.env_file) or b"") if about.env_file else b""
    env = parse_environment(variables.decode("utf-8", "replace"))
    words, folder = [host.at(f"{release}/venv/bin/python"), *argv], f"{release}/app"
    options: Any = {"timeout": timeout, "check": check}
    if about.unit and about.user:
        unit = transient.Unit(
            about.unit, about.user, about.writable, about.hidden, about.env_file, tuple(env)
        )
        return transient.run(host, unit, words, cwd=folder, **options)
    return host.run(words, env=env, user=about.user, cwd=host.at(folder), **options)
