"""fab secrets.show, edit, set, remove, rotate, readers, rekey, key"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from .kinds import WAIT, FromNought, SecretName
from .session import command, current_cluster, fab, reachable_cluster, sudo_password, vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodriza.change.rotation import Step
    from nodriza.plan.plan import Plan
    from nodriza.vault.store import Vault


@command(subject="name", reads=True, help={"name": "print this one's value"})
def show(c: Context, name: SecretName = "") -> None:
    """List the secrets by name; --name NAME prints that one's value."""
    from nodriza.change.rotation import shown
    from nodriza.vault.rotating import Rotating

    cluster = current_cluster(c)
    store = vault(cluster)
    since = Rotating.beside(cluster.path).read()
    print(store.value(name) if name else "\n".join(shown(store.names(), since)) or "none yet")


@command(interactive=True, edits=True)
def edit(c: Context) -> None:
    """Edit all secrets in your $EDITOR."""
    from nodriza.plan.plan import plan_all
    from nodriza.plan.secret_uses import refuse_unfit
    from nodriza.vault.edit import edit as in_editor

    # An editor that has no terminal writes the file to whatever reads us.
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Exit(
            "secrets.edit is for people at a terminal\n  kept: nothing was opened\n"
            f"  next: {fab(c)} secrets.set NAME <FILE",
            code=2,
        )
    cluster = current_cluster(c)
    plans = plan_all(cluster, cluster.nodes)
    print(in_editor(vault(cluster), lambda values: refuse_unfit(plans, values)))


@command(
    name="set", subject="name", edits=True, interactive=True, help={"name": "the secret's name"}
)
def set_(c: Context, name: SecretName) -> None:
    """Take over a secret's value from elsewhere: asked for, or read from stdin."""
    import getpass

    from nodriza.plan.plan import plan_all
    from nodriza.plan.secret_uses import refuse_unfit

    cluster = current_cluster(c)
    # More than one line: a key, or a file of them.
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.read().strip("\r\n")
    plans = plan_all(cluster, cluster.nodes)
    refuse_unfit(plans, {name: value})
    vault(cluster).set(name, value)
    if users := _users(plans, name):
        feeds = (
            f", the application's {name.upper()}" if name.upper() in cluster.app.secrets else ""
        )
        print(f"{name} is set{feeds}; {fab(c)} provision brings it to {', '.join(users)}")
    else:
        print(
            f"{name} is set; nothing uses it: no role and no template of this cluster names it."
            f" For the application: secrets: [{name.upper()}] in app"
        )


@command(subject="name", edits=True, help={"name": "the secret's name"})
def remove(c: Context, name: SecretName) -> None:
    """Forget a secret that no node uses."""
    from nodriza.errors import SecretError
    from nodriza.plan.plan import plan_all
    from nodriza.vault.rotating import Rotating

    cluster = current_cluster(c)
    if users := _users(plan_all(cluster, cluster.nodes), name):
        raise SecretError(
            f"{name} is in use on {', '.join(users)}: without it, another value would be made up",
            kept="nothing was changed",
            do=f"take {name.upper()} out of app.secrets first; {fab(c)} secrets.set {name} for"
            " another value"
            if name.upper() in cluster.app.secrets
            else f"{fab(c)} secrets.rotate {name} for a new value;"
            " else take it out of the roles first",
        )
    vault(cluster).remove(name)
    Rotating.beside(cluster.path).remove(name)
    print(f"{name} is gone; files that had it before may be on the nodes still")


def _users(plans: Sequence[Plan], name: str) -> list[str]:
    """The nodes that have a secret, and in how many places."""
    from nodriza.plan.secret_uses import uses
    from nodriza.wording import count

    places: dict[str, set[str]] = {}
    for use in uses(plans):
        if use.name.removesuffix(".other") == name:
            places.setdefault(use.node, set()).add(use.id)
    return [f"{node} ({count(len(ids), 'resource')})" for node, ids in places.items()]


@command(
    subject="name",
    connects=True,
    edits=True,
    help={
        "name": "the secret's name",
        "keep-old": "end while both values are good; without it, the same command goes on",
        "at-once": "no overlap, and no node is touched: fab provision brings it to them",
        "diff": "show how files change; secrets stay hidden",
        "wait": WAIT,
    },
)
def rotate(
    c: Context,
    name: SecretName,
    keep_old: bool = False,
    at_once: bool = False,
    diff: bool = False,
    wait: FromNought = 0,
) -> None:
    """Give a secret a new value, on all nodes, with no request lost; the old one dies."""
    from nodriza.change import rotation
    from nodriza.errors import NodrizaError, SecretError
    from nodriza.vault.rotating import Rotating

    cluster = current_cluster(c) if at_once else reachable_cluster(c)
    if name.upper() in cluster.app.secrets:
        raise SecretError(
            f"{name} is the application's {name.upper()}: nobody can make up its value",
            kept="nothing was changed",
            do=f"{fab(c)} secrets.set {name}, then {fab(c)} provision",
        )
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
        one.run(lambda step: _bring(c, store, step, diff=diff, wait=wait), keep_old=keep_old)
    except (NodrizaError, Exit):
        print(f"\n{one.stands()}\n  next: {again}", file=sys.stderr)
        raise
    if keep_old:
        print(f"\n{one.stands()}\n  next: {again}   which ends the old one")
    else:
        print(f"\n{name} is rotated: the new value is in use, the old one is refused")


def _bring(c: Context, store: Vault, step: Step, **options: Any) -> None:
    """All nodes to a step of the rotation, and a look whether they serve."""
    from nodriza.change.provision import provision
    from nodriza.change.rotation import children_answer
    from nodriza.report import make_report
    from nodriza.rollout.waves import exit_code

    cluster = current_cluster(c)
    print(f"\nstep {step.value} of 3: {step.words}", flush=True)
    again = f"{fab(c)} provision:{{node}}"
    report = make_report(diff=options["diff"], again=again, redact=store.redact)
    options["sudo_password"] = sudo_password(c)
    results = provision(cluster, cluster.nodes, store, report, **options)
    if code := exit_code(results):
        raise Exit(code=code)
    children_answer(cluster)


@command(reads=True)
def readers(c: Context) -> None:
    """Show who can open the secrets, and whom the .recipients file lists otherwise."""
    store = vault(current_cluster(c))
    _who(store)
    if difference := store.difference():
        words = "is not there:" if store.recipients.read() is None else "says otherwise:"
        print(f"\n{store.recipients.path.name} {words}")
        print("\n".join(difference.lines("can't open it", "can open it")))
        print(f"  next: {fab(c)} secrets.rekey, if that is meant")


@command(edits=True)
def rekey(c: Context) -> None:
    """Encrypt the secrets again, for everybody that the .recipients file lists."""
    store = vault(current_cluster(c))
    difference = store.rekey()
    _who(store)
    if difference:
        print("\nwhat changed:")
        print("\n".join(difference.lines("can open it from now on", "can't open it any more")))
    if difference.gone:
        print("\nwhoever is gone knew every value, and has them in older commits as well")
        names = ", ".join(store.names())
        print(f"  next: {fab(c)} secrets.rotate NAME, or secrets.set NAME, for each: {names}")


def _who(store: Vault) -> None:
    mine = store.key.public() if store.key.path.exists() else []
    found = store.readers()
    print(f"{store.path.name} can be opened by" if found else f"there is no {store.path.name} yet")
    for reader in found:
        print(f"  {reader}{' (you)' if reader.key in mine else ''}")


@command(local=True)
def key(c: Context) -> None:
    """Print your public key, for the .recipients file of a colleague."""
    print("\n".join(vault(current_cluster(c)).key.public()))
