"""What every command shares: the chosen inventory, and errors without a traceback."""

from __future__ import annotations

import difflib
import functools
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fabric import task
from fabric.tasks import Task
from invoke import Context, Exit

from nodriza.errors import NodrizaError, TargetError

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.vault import Vault

VARIABLE = "NODRIZA_INVENTORY"
_chosen: list[Path] = []


def command(
    body: Callable[..., None] | None = None, *, target: bool = False, **options: Any
) -> Any:
    """A task whose errors are told in words; ``target``: it also takes ``name:TARGET``."""
    if body is None:
        return functools.partial(command, target=target, **options)

    @functools.wraps(body)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            body(*args, **kwargs)
        except NodrizaError as error:
            raise Exit(f"{error}", code=error.exit_code) from None
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
    return task(choose, name=name)


def inventories() -> dict[str, Path]:
    """Every inventory of the nearest ``inventories`` folder, by its word."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "inventories").is_dir():
            found = sorted((folder / "inventories").glob("*.yml"))
            return {p.stem: p for p in found if not p.name.endswith(".example.yml")}
    return {}


def refuse_unknown(words: Sequence[str], known: Collection[str]) -> None:
    """Stop at a first word that is no command and no inventory, with the nearest ones."""
    commands = [word for word in words if word not in inventories()]
    if not commands or commands[0].startswith("-"):
        return
    name = commands[0].partition(":")[0]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise Exit(f"no command and no inventory {name}\n  next: {hint}fab --list", code=2)


def current_path(c: Context) -> Path:
    """The inventory that was chosen by a word, by $NODRIZA_INVENTORY or in fabric.yaml."""
    if _chosen:
        return _chosen[0]
    known = inventories()
    configured = c.config.get("nodriza", {}).get("inventory")
    name = os.environ.get(VARIABLE) or configured or next(iter(known), "")
    if name in known:
        return known[name]
    raise TargetError(
        f"no inventory {name}" if name else "no inventory",
        do=f"choose one of: {', '.join(known) or 'none here; write inventories/NAME.yml'}",
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
    from nodriza.lab.network import enter

    cluster = current_cluster(c)
    if cluster.lab_overlay is not None:
        enter(cluster.lab_overlay.netns)
    elif cluster.lab is not None:
        raise TargetError(
            f"the lab of {cluster.name} is not up",
            kept="nothing was touched",
            do=f"{fab(c)} lab.up",
        )
    return cluster


def vault(cluster: Cluster) -> Vault:
    """The secrets of a cluster."""
    from nodriza.vault import Vault

    return Vault.beside(cluster.path)


def say(line: str) -> None:
    """A line at once, also into a pipe."""
    print(line, flush=True)


def sudo_password(c: Context) -> str | None:
    """From ``fab --prompt-for-sudo-password`` or Fabric's configuration."""
    password: str | None = c.config.sudo.password
    return password
