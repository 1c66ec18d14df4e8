"""The secrets in an editor: decrypted in memory, in a file that never outlives it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from nodriza.ending import in_order
from nodriza.errors import SecretError
from nodriza.vault.store import Values, Vault
from nodriza.vault.value import LONGEST, refuse_bad

MEMORY = Path("/dev/shm")  # noqa: S108  a private folder is made below it
TEXT, MAP = "tag:yaml.org,2002:str", "tag:yaml.org,2002:map"
HEAD = """\
# The secrets of {name}, one "name: value" a line.
# Save and leave to keep the changes; a line that is gone is a secret that is gone.
"""


def edit(vault: Vault, check: Callable[[Values], None] = lambda values: None) -> str:  # noqa: ARG005
    """Let the operator edit all secrets in $VISUAL or $EDITOR; what came of it, in words.

    ``check`` raises for values that can't be used where they go.
    The store stays as it was when the editor fails or the text is no good.
    """
    before = vault.values()
    with _private_folder() as folder:
        file = folder / "secrets.yml"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(HEAD.format(name=vault.path.name))
            out.writelines(_line(name, value) for name, value in sorted(before.items()))
        _run_editor(file, vault)
        after = parse(file.read_text(encoding="utf-8", errors="replace"))
    if after == before:
        return "nothing changed"
    check(after)
    vault.replace(before, after)
    return _what_changed(before, after)


def _line(name: str, value: str) -> str:
    style = "|" if "\n" in value else "'"
    pair = yaml.ScalarNode(TEXT, name), yaml.ScalarNode(TEXT, value, style=style)
    node = yaml.MappingNode(MAP, [pair])
    return str(yaml.serialize(node, Dumper=yaml.SafeDumper, width=10 * LONGEST))


def parse(text: str) -> Values:
    """The secrets in a YAML text; every value is text, whatever YAML would make of it.

    The errors name lines and never quote them.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _bad(error.problem_mark, "this is not YAML") from None
    except yaml.YAMLError:
        raise _bad(None, "there is a character in it that YAML does not allow") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise _bad(root.start_mark, 'there must be "name: value" lines')
    values: Values = {}
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise _bad(value.start_mark, "a value must be text")
        if key.value in values:
            raise _bad(key.start_mark, f"{key.value} is there twice")
        values[key.value] = value.value
    refuse_bad(values)
    return values


def _bad(mark: yaml.Mark | None, words: str) -> SecretError:
    return SecretError(
        words,
        where=f"line {mark.line + 1}" if mark else "",
        kept="the secrets are as they were",
        do="edit again; put a value with special characters in 'single quotes'",
    )


def _run_editor(file: Path, vault: Vault) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "editor"
    argv = shlex.split(editor)
    try:
        # A Ctrl-C is for the editor. It gets its default handling back with exec.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        code = subprocess.run([*argv, str(file)], check=False).returncode
        words = f"exit {code}" if code else ""
    except OSError as error:
        words = error.strerror or str(error)
    finally:
        signal.signal(signal.SIGINT, before)
    if words:
        raise SecretError(
            f"the editor failed: {editor}: {words}",
            where=str(vault.path),
            kept="the secrets are as they were",
            do="set EDITOR to the editor of your choice, EDITOR=nano for instance",
        )


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that nobody else may enter, gone afterwards with all that an editor left."""
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="nodriza-", dir=parent))
    with in_order():
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _what_changed(before: Values, after: Values) -> str:
    kinds = {
        "new": [name for name in after if name not in before],
        "changed": [name for name in after if name in before and before[name] != after[name]],
        "gone": [name for name in before if name not in after],
    }
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in kinds.items() if names)
