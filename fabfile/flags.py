"""What each flag and each setting of Fabric's means for the commands here.

Fabric's promise "echo commands instead of running" is about ``Connection.run``, which no
command here uses. So each flag has a rule below: it is honoured, or refused with what to type
instead. One that has no rule is refused: a later Fabric may have more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fabric import Config
from invoke.parser import Argument

from .refusal import refusal
from .task import Command

INVOKES = {
    "collection",
    "complete",
    "config",
    "debug",
    "help",
    "list",
    "list-agent-keys",
    "list-depth",
    "list-format",
    "no-dedupe",  # Fabric's executor never takes a repeated command away
    "print-completion-script",
    "search-root",
    "version",
    "write-pyc",
}
"""About reading the fabfile and about help; Invoke does what they say before a command begins."""
LOGIN = {
    "connect-timeout",
    "identity",
    "prompt-for-login-password",
    "prompt-for-passphrase",
    "prompt-for-sudo-password",
    "ssh-config",
}
"""They reach every connection (nodriza/ssh/login.py); only for commands that log in to nodes."""
DRY = "dry"
"""The same as ``--check``."""
HOSTS = "hosts"
"""The same as ``--target`` (grammar.py)."""
REFUSED = {
    "command-timeout": "fab run 'timeout 60 COMMAND' limits one command, on the node itself",
    "echo": "fab provision --diff shows what changes, --json every step",
    "hide": "fab COMMAND >/dev/null",
    "pty": "fab console NODE is a terminal",
    "warn-only": "fab run 'COMMAND || true' goes on after a failure",
}
"""For shell commands that a fabfile runs; with what to type instead."""
SETTINGS = {
    "nodriza",
    "run",  # dry is honoured; the others are for shell commands that own tasks run
    "runners",
    "ssh_config_path",
    "tasks",
}
"""Parts of Fabric's configuration that are honoured, or are not about these commands."""
PARTS = {
    "authentication": {"identities"},
    "connect_kwargs": {"key_filename", "passphrase", "password", "timeout"},
    "sudo": {"password", "prompt"},
    "timeouts": {"connect", "command"},
}
"""The same for settings within settings."""
OWN_SETTINGS = {"inventory"}
LONGEST = 86_400  # seconds


def refuse_flags(core: Iterable[Argument], tasks: Mapping[str, Command]) -> None:
    """Raises ``Exit`` for a core flag that was typed and that a command does not honour.

    ``tasks``: those of ours on the command line, by name.
    """
    given = {_name(arg): arg.value for arg in core if arg.got_value}
    for flag in sorted(given):
        for name, task in tasks.items():
            if flag in REFUSED:
                raise refusal(
                    f"--{flag} is for shell commands of one's own fabfile: {name} has none",
                    REFUSED[flag],
                )
            if flag in LOGIN and not task.connects:
                raise refusal(
                    f"--{flag} has no meaning for {name}, which logs in to no node", f"fab {name}"
                )
            if flag == "connect-timeout" and not 1 <= given[flag] <= LONGEST:
                raise refusal(f"--{flag} {given[flag]}: 1 to {LONGEST} seconds", f"--{flag} 10")
            if flag not in {*INVOKES, *LOGIN, DRY, HOSTS}:
                raise refusal(
                    f"--{flag} is a flag of Fabric's that {name} does not know", f"fab {name}"
                )


def refuse_settings(config: Config) -> None:
    """Raises ``Exit`` for what fabric.yaml, --config or a variable asks for, and nobody does."""
    for where, settings in _levels(config):
        for key in _without_rule(settings):
            raise refusal(
                f"{where} sets {key}, which these commands do not read",
                "users, ports, keys and gateways belong under ssh in the inventory"
                " (docs/inventory.rst)",
            )
        own = settings.get("nodriza", {})
        if not isinstance(own, Mapping) or set(own) - OWN_SETTINGS:
            raise refusal(
                f"{where}: under nodriza there is only inventory",
                "nodriza: {inventory: NAME}",
            )


def _levels(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What was set for this project or this command line; a person's own file is Fabric's."""
    levels = (
        (config._project_path or "fabric.yaml", config._project),
        (config._runtime_path or "--config", config._runtime),
        ("a variable FABRIC_…", config._env),
    )
    yield from ((str(where), level) for where, level in levels if isinstance(level, Mapping))


def _without_rule(settings: Mapping[str, Any]) -> Iterator[str]:
    known = set(Config.global_defaults())
    for key, value in settings.items():
        if key in PARTS:
            inner = value if isinstance(value, Mapping) else {}
            yield from (f"{key}.{part}" for part in inner if part not in PARTS[key])
        elif key in known and key not in SETTINGS:
            yield key


def refuse_dry(name: str, task: Command, values: Mapping[str, Any]) -> None:
    """Raises ``Exit`` where a command could not keep the promise to change nothing.

    ``values``: of its parameters, by name.
    """
    if not (task.reads or task.checks):
        raise refusal(
            f"--dry: {name} can't be tried without being done",
            "leave out --dry (run.dry, FABRIC_RUN_DRY); fab --list says which commands only look",
        )
    if written := task.written(values):
        raise refusal(
            f"--dry: {name} would write the file behind {written[0]}", f"leave out {written[0]}"
        )


def dry_by_variable() -> bool:
    """Whether Invoke's own variable asks for it; Fabric reads FABRIC_RUN_DRY only."""
    return os.environ.get("INVOKE_RUN_DRY", "") not in ("", "0")


def _name(arg: Argument) -> str:
    """The long one."""
    return max(arg.names, key=len)
