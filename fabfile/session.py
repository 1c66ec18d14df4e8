"""What every command shares: the chosen inventory, and errors without a traceback."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fabric import task
from fabric.tasks import Task
from invoke import Context, Exit

from nodriza import alive
from nodriza.errors import NodrizaError, TargetError

from .output import GONE, is_read

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.vault import Vault

VARIABLE = "NODRIZA_INVENTORY"
_chosen: list[Path] = []


def command(
    body: Callable[..., None] | None = None,
    *,
    target: bool = False,
    interactive: bool = False,
    **options: Any,
) -> Any:
    """A task whose errors are told in words; ``target``: it also takes ``name:TARGET``.

    It gives a sign of life when it is silent for long, unless it is ``interactive``: then
    a person has the terminal.
    """
    if target:
        options["help"] = {"target": "nodes, as in provision", **options.get("help", {})}
    if body is None:
        return functools.partial(command, target=target, interactive=interactive, **options)

    @functools.wraps(body)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            with alive.hushed() if interactive else alive.watched("still at work"):
                body(*args, **kwargs)
        except NodrizaError as error:
            raise Exit(f"{error}", code=error.exit_code) from None
        except BrokenPipeError:
            if is_read():
                raise
            raise Exit(code=GONE) from None
        except KeyboardInterrupt:
            # A second Ctrl-C, or one while nothing runs on a host: nobody waits for threads.
            sys.stdout.flush()
            os._exit(130)

    made = task(told, **options)
    made.takes_target = target
    return made


def with_target(original: Task, word: str, target: str) -> Task:
    """The same task under the name ``provision:server-2``."""

    @functools.wraps(original.body)
    def aimed(*args: Any, **kwargs: Any) -> None:
        original.body(*args, **{**kwargs, "target": target})

    return task(aimed, name=word, help=original.help)


def inventory_word(name: str, path: Path) -> Task:
    """A task that only chooses an inventory."""

    def choose(c: Context) -> None:  # noqa: ARG001
        _chosen[:] = [path]

    choose.__doc__ = f"Choose the inventory {path.parent.name}/{path.name} for what follows."
    made = task(choose, name=name)
    made.chooses = True
    return made


def inventories() -> dict[str, Path]:
    """Every inventory of the nearest ``inventories`` folder, by its word."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "inventories").is_dir():
            found = sorted((folder / "inventories").glob("*.yml"))
            return {p.stem: p for p in found if not p.name.endswith(".example.yml")}
    return {}


def current_path(c: Context) -> Path:
    """The inventory that was chosen by a word, by $NODRIZA_INVENTORY or in fabric.yaml."""
    if _chosen:
        return _chosen[0]
    known = inventories()
    configured = c.config.get("nodriza", {}).get("inventory")
    # Of several, none is taken by chance: it could be the one that people depend on.
    only = next(iter(known)) if len(known) == 1 else ""
    name = os.environ.get(VARIABLE) or configured or only
    if name in known:
        return known[name]
    raise TargetError(
        f"no inventory {name}" if name else "which inventory?" if known else "no inventory here",
        do=f"choose one, as in fab {next(iter(known))} plan: {', '.join(known)}"
        if known
        else "nodriza init, or write inventories/NAME.yml",
    )


def fab(c: Context) -> str:
    """How a person goes on after this command: "fab", or "fab production"."""
    return f"fab {current_path(c).stem}" if _chosen else "fab"


def current_cluster(c: Context) -> Cluster:
    """The chosen inventory, loaded and checked."""
    from nodriza.inventory import load_cluster

    return load_cluster(current_path(c))


def reachable_cluster(c: Context) -> Cluster:
    """The same, for commands that talk to nodes: a lab's network is entered first."""
    cluster = current_cluster(c)
    if cluster.lab is None:
        return cluster
    from nodriza import lab

    if reached := lab.reach(cluster):
        return reached
    raise TargetError(
        f"the lab of {cluster.name} is not up",
        kept="nothing was touched",
        do=f"{fab(c)} lab.up",
    )


def vault(cluster: Cluster) -> Vault:
    """The secrets of a cluster."""
    from nodriza.vault import Vault

    return Vault.beside(cluster.path)


def redactor(cluster: Cluster) -> Callable[[str], str]:
    """What takes the values of secrets out of text that hosts print.

    Without the key nobody here knows them, and then it takes out nothing.
    """
    from nodriza.errors import SecretError

    store = vault(cluster)
    try:
        store.values()
    except SecretError:
        return str
    return store.redact


def sudo_password(c: Context) -> str | None:
    """From ``fab --prompt-for-sudo-password`` or Fabric's configuration."""
    password: str | None = c.config.sudo.password
    return password
