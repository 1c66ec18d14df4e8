"""Every way this project says no, worded for a tired person.

::

    NodrizaError
    ├── InventoryError      the YAML is wrong (all problems at once)
    ├── TargetError         no such node, kind or inventory
    ├── RoleError           a role does not work
    ├── TemplateError       a template does not render
    ├── SourceError         the application's source can't be read, or should not travel
    ├── SecretError         the secret store can't be opened or written
    ├── SshConfigError      the operator's ssh_config is wrong, or asks for what is not there
    ├── HostKeyError        the host is not who we know, or nobody we know
    ├── ConnectionFailed    no way to the host
    ├── HostRefused         the host was reached and said no
    ├── Interrupted         the operator said stop
    ├── LabError            the local cluster can't be made, or is not up
    └── SmokeError          a check could not be run at all

``exit_code`` 2 means "what you typed or wrote", 1 "what happened".
"""

from __future__ import annotations

from nodriza import foreign


class NodrizaError(Exception):
    """What failed, where, what was kept safe, and what to type next."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", kept: str = "", do: str = "") -> None:
        # Others' words are quoted in errors more than anywhere else.
        self.what, self.where, self.kept, self.do = map(foreign.text, (what, where, kept, do))
        super().__init__(self.what)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.kept:
            lines.append(f"  kept: {self.kept}")
        if self.do:
            lines.append(f"  next: {self.do}")
        return "\n".join(lines)


class InventoryError(NodrizaError):
    """Everything that is wrong with an inventory, each as "file:line:column key: words"."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__(
            f"{count} in the inventory:\n" + "\n".join(f"  {line}" for line in problems),
            kept="no host was touched",
        )


class TargetError(NodrizaError):
    """A word on the command line that names nothing."""

    exit_code = 2


class RoleError(NodrizaError):
    """A role that does not work; ``where`` is its file and line."""

    exit_code = 2


class TemplateError(NodrizaError):
    """A template that does not render; ``where`` is its file and line."""

    exit_code = 2


class SourceError(NodrizaError):
    """The application's source can't be read, or has files that should not travel."""

    exit_code = 2


class SecretError(NodrizaError):
    """The secret store can't be opened, read or written."""


class UnknownSecret(SecretError):
    """A word on the command line that is no secret's name."""

    exit_code = 2


class SshConfigError(NodrizaError):
    """A line of ssh_config that is wrong, or that can't be honoured."""

    exit_code = 2


class HostKeyError(NodrizaError):
    """An unknown, a changed or a revoked host key."""


class ConnectionFailed(NodrizaError):
    """The host could not be reached, or did not let us in."""


class HostRefused(NodrizaError):
    """The host was reached and something on it failed."""


class Interrupted(NodrizaError):
    """The operator said stop, and the host stopped between two resources."""

    exit_code = 130  # 128 + SIGINT, as shells have it


class LabError(NodrizaError):
    """The local cluster can't be made, or is not up."""


class SmokeError(NodrizaError):
    """A check could not be run at all."""
