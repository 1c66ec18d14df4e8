"""fab secrets.show, secrets.edit, secrets.set, secrets.rotate, secrets.rekey, secrets.key"""

from __future__ import annotations

from invoke import Context

from .session import command, current_cluster, vault


@command(help={"name": "print this one's value"})
def show(c: Context, name: str = "") -> None:
    """List the secrets by name; --name NAME prints that one's value."""
    store = vault(current_cluster(c))
    print(store.value(name) if name else "\n".join(store.names()) or "no secrets yet")


@command
def edit(c: Context) -> None:
    """Edit all secrets in your $EDITOR."""
    from nodriza.vault_edit import edit as in_editor

    print(in_editor(vault(current_cluster(c))))


@command(name="set", help={"name": "the secret's name"})
def set_(c: Context, name: str) -> None:
    """Take over a secret's value from elsewhere: asked for, or read from stdin."""
    import getpass
    import sys

    store = vault(current_cluster(c))
    if sys.stdin.isatty():
        value = getpass.getpass(f"{name}: ")
    else:
        value = sys.stdin.readline().rstrip("\r\n")
    store.set(name, value)
    print(f"{name} is set; fab provision brings it to the nodes")


@command(help={"name": "the secret's name"})
def rotate(c: Context, name: str) -> None:
    """Give a secret a new made-up value."""
    vault(current_cluster(c)).rotate(name)
    print(f"{name} has a new value; fab provision brings it to the nodes")


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
