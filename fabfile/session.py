"""What every command shares: the chosen inventory, and errors without a traceback."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from nodriza import alive
from nodriza.errors import NodrizaError, TargetError
from nodriza.files import refuse_closed

from .flags import refuse_dry
from .kinds import Text
from .output import GONE, is_read
from .protected import YES, refuse_unasked
from .refusal import near, refusal, short
from .task import Command

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.vault.store import Vault

VARIABLE = "NODRIZA_INVENTORY"
_chosen: list[Path] = []
_from: list[Path] = []


def command(body: Callable[..., None] | None = None, **options: Any) -> Any:
    """A task whose errors are told in words; ``options`` are those of ``Command``.

    It gives a sign of life when it is silent for long, unless it is ``interactive``: then
    a person has the terminal.
    """
    if body is None:
        return functools.partial(command, **options)
    if options.get("subject") == "target":
        options["help"] = {"target": "nodes, as in provision", **options.get("help", {})}
    asks = not (options.get("reads") or options.get("local"))
    if asks:
        options["help"] = {**options.get("help", {}), "yes": YES}

    @functools.wraps(body)
    def told(c: Context, *args: Any, yes: str = "", **kwargs: Any) -> None:
        if c.config.run.dry:
            refuse_dry(made.name, made, kwargs)
            kwargs = {**kwargs, "check": True} if made.checks else kwargs
        try:
            if made.changes({**_defaults(body), **kwargs}):
                refuse_unasked(current_path(c), yes)
            if made.edits:
                refuse_closed(current_path(c).parent)
            with alive.hushed() if made.interactive else alive.watched("still at work"):
                body(c, *args, **kwargs)
        except NodrizaError as error:
            raise Exit(f"{error}", code=error.exit_code) from None
        except BrokenPipeError:
            if is_read():
                raise
            raise Exit(code=GONE) from None
        except OSError as error:  # a file of this computer's; what hosts do has words already
            if error.filename is None:
                raise
            raise Exit(
                f"{error.filename}: {error.strerror}\n  next: ls -ld {error.filename}", code=1
            ) from None
        except KeyboardInterrupt:
            # A second Ctrl-C, or one while nothing runs on a host: nobody waits for threads.
            sys.stdout.flush()
            os._exit(130)

    if asks:
        _give_yes(told, body)
    made = Command(told, **options)
    return made


def _give_yes(told: Callable[..., None], body: Callable[..., None]) -> None:
    """The flag ``--yes``, which each command that may change something has by that alone."""
    own = inspect.signature(body)
    flag = inspect.Parameter("yes", inspect.Parameter.KEYWORD_ONLY, default="", annotation=Text)
    told.__signature__ = own.replace(parameters=[*own.parameters.values(), flag])  # type: ignore[attr-defined]
    told.__annotations__ = {**body.__annotations__, "yes": Text}


def _defaults(body: Callable[..., None]) -> dict[str, Any]:
    parameters = inspect.signature(body).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def inventory_word(name: str, path: Path) -> Command:
    """A task that only chooses an inventory."""

    def choose(c: Context) -> None:  # noqa: ARG001
        _chosen[:] = [path]

    choose.__doc__ = f"Choose the inventory {path.parent.name}/{path.name} for what follows."
    return Command(choose, name=name, chooses=True)


def look_from(folder: str | None) -> None:
    """Where Fabric's --search-root says that the repository is."""
    _from[:] = [Path(folder).absolute()] if folder else []


def inventories() -> dict[str, Path]:
    """Every inventory of the nearest ``inventories`` folder, by its word."""
    from nodriza.inventory.files import find_inventories

    return find_inventories(_folder())


def doubles() -> dict[str, list[Path]]:
    """Words that two files of that folder have."""
    from nodriza.inventory.files import find_doubles

    return find_doubles(_folder())


def refuse_double(name: str) -> None:
    """Raises ``Exit`` for the word of two files: they would share their secrets, too."""
    if files := doubles().get(name):
        names = " and ".join(file.name for file in files)
        raise refusal(
            f"{short(name)} could be {names}", f"give one of them another name, and {name}.* too"
        )


def _folder() -> Path:
    here = _from[0] if _from else Path.cwd()
    near_ones = (folder / "inventories" for folder in (here, *here.parents))
    return next((folder for folder in near_ones if folder.is_dir()), here / "inventories")


def current_path(c: Context) -> Path:
    """The inventory that was chosen by a word, by $NODRIZA_INVENTORY or in fabric.yaml."""
    if _chosen:
        return _chosen[0]
    known = inventories()
    own = c.config.get("nodriza", {})
    configured = own.get("inventory") if hasattr(own, "get") else None
    # Of several, none is taken by chance: it could be the one that people depend on.
    only = next(iter(known)) if len(known) == 1 and not doubles() else ""
    name = str(os.environ.get(VARIABLE) or configured or only)
    if name in known:
        return known[name]
    for double in [name] if name else doubles():
        refuse_double(double)
    if not known:
        raise TargetError("no inventory here", do="nodriza init, or write inventories/NAME.yml")
    where = f"${VARIABLE}" if os.environ.get(VARIABLE) else "fabric.yaml"
    raise TargetError(
        f"no inventory {name}, which {where} asks for" if name else "which inventory?",
        kept="nothing was done",
        do=f"{near(name, known) if name else ''}choose one, as in fab {next(iter(known))} plan:"
        f" {', '.join(known)}",
    )


def fab(c: Context) -> str:
    """How a person goes on after this command: "fab", or "fab production"."""
    return f"fab {current_path(c).stem}" if _chosen else "fab"


def current_cluster(c: Context, *, connects: bool = False) -> Cluster:
    """The chosen inventory, loaded and checked; ``connects``: the SSH keys as well."""
    from nodriza.inventory import load_cluster

    return load_cluster(current_path(c), connects=connects)


def reachable_cluster(c: Context, target: str = "") -> Cluster:
    """The same, for commands that talk to nodes: a lab's network is entered first.

    ``target``: a word in it that names no node is refused before anything is said of the lab.
    """
    cluster = current_cluster(c, connects=True)
    if target:
        from nodriza.inventory import resolve_target

        resolve_target(cluster, target)
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
    from nodriza.vault.store import Vault

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
