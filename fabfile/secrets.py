"""fab secrets.show, secrets.edit, secrets.set, secrets.rotate, secrets.rekey, secrets.key"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from invoke import Context, Exit

from .session import command, current_cluster, fab, reachable_cluster, sudo_password, vault

if TYPE_CHECKING:
    from nodriza.rotation import Step
    from nodriza.vault import Vault


@command(subject="name", reads=True, help={"name": "print this one's value"})
def show(c: Context, name: str = "") -> None:
    """List the secrets by name; --name NAME prints that one's value."""
    from nodriza.inventory.rotating import Rotating
    from nodriza.rotation import shown

    cluster = current_cluster(c)
    store = vault(cluster)
    since = Rotating.beside(cluster.path).read()
    print(store.value(name) if name else "\n".join(shown(store.names(), since)) or "none yet")


@command(interactive=True)
def edit(c: Context) -> None:
    """Edit all secrets in your $EDITOR."""
    from nodriza.vault_edit import edit as in_editor

    print(in_editor(vault(current_cluster(c))))


@command(name="set", subject="name", interactive=True, help={"name": "the secret's name"})
def set_(c: Context, name: str) -> None:
    """Take over a secret's value from elsewhere: asked for, or read from stdin."""
    import getpass

    store = vault(current_cluster(c))
    # More than one line: a private key.
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.read().strip("\r\n")
    store.set(name, value)
    print(f"{name} is set; fab provision brings it to the nodes")


@command(
    subject="name",
    connects=True,
    help={
        "name": "the secret's name",
        "keep-old": "end while both values are good; without it, the same command goes on",
        "at-once": "no overlap, and no node is touched: fab provision brings it to them",
        "diff": "show how files change; secrets stay hidden",
    },
)
def rotate(
    c: Context, name: str, keep_old: bool = False, at_once: bool = False, diff: bool = False
) -> None:
    """Give a secret a new value, on all nodes, with no request lost; the old one dies."""
    from nodriza import rotation
    from nodriza.errors import NodrizaError
    from nodriza.inventory.rotating import Rotating

    cluster = current_cluster(c) if at_once else reachable_cluster(c)
    store = vault(cluster)
    one = rotation.Rotation(name, store, Rotating.beside(cluster.path))
    if at_once:
        one.at_once()
        print(f"{name} has a new value; {fab(c)} provision brings it to the nodes,")
        print("and until each of them has it, requests may fail")
        return
    one.refuse_without_overlap(cluster)
    again = f"{fab(c)} secrets.rotate {name}"
    try:
        one.run(lambda step: _bring(c, store, step, diff=diff), keep_old=keep_old)
    except (NodrizaError, Exit):
        print(f"\n{one.stands()}\n  next: {again}", file=sys.stderr)
        raise
    if keep_old:
        print(f"\n{one.stands()}\n  next: {again}   which ends the old one")
    else:
        print(f"\n{name} is rotated: the new value is in use, the old one is refused")


def _bring(c: Context, store: Vault, step: Step, *, diff: bool) -> None:
    """All nodes to a step of the rotation, and a look whether they serve."""
    from nodriza.provision import provision
    from nodriza.report import make_report
    from nodriza.rollout import exit_code
    from nodriza.rotation import children_answer

    cluster = current_cluster(c)
    print(f"\nstep {step.value} of 3: {step.words}", flush=True)
    report = make_report(diff=diff, again=f"{fab(c)} provision:{{node}}", redact=store.redact)
    password = sudo_password(c)
    results = provision(cluster, cluster.nodes, store, report, diff=diff, sudo_password=password)
    if code := exit_code(results):
        raise Exit(code=code)
    children_answer(cluster)


@command
def rekey(c: Context) -> None:
    """Encrypt the secrets again, for everybody that the .recipients file lists."""
    store = vault(current_cluster(c))
    keys = store.rekey()
    print(f"{store.path.name} now opens with {keys} key{'s'[: keys != 1]}")


@command
def key(c: Context) -> None:
    """Print your public key, for the .recipients file of a colleague."""
    print("\n".join(vault(current_cluster(c)).key.public()))
