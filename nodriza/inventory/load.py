"""One YAML file into one ``Cluster``, or everything that is wrong with it at once."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

from pydantic import ValidationError

from nodriza.errors import InventoryError
from nodriza.inventory.build import build
from nodriza.inventory.checks import check_together
from nodriza.inventory.files import find_inventories
from nodriza.inventory.model import Cluster, LabOverlay
from nodriza.inventory.yaml.partial import Draft, read_draft
from nodriza.inventory.yaml.positions import Document, Problem, read_marked
from nodriza.inventory.yaml.positions import Path as Keys
from nodriza.vault.rotating import Rotating
from nodriza.wording import did_you_mean

MAX_BYTES = 2_000_000
"""Ten thousand nodes, each written out, are one."""
_MAX_PROBLEMS = 100


def load_cluster(path: Path, *, connects: bool = False) -> Cluster:
    """Read, check and expand an inventory. Touches no host.

    ``connects``: for a command that does, so that this computer must have the SSH keys.
    Raises ``InventoryError`` with every problem as
    ``file:line:column key/path: message``.
    """
    path = Path(path)
    text = _read(path)
    document = read_marked(text)
    draft = _checked(document, path, connects)
    if document.doubled:
        document.problems += _in_seconds(text, path, connects, document.doubled)
    if document.problems or not draft.settings:
        raise InventoryError(_lines(document, path))
    overlay = _read_overlay(draft.settings.cluster) if draft.settings.lab else None
    cluster = build(draft.settings, draft.nodes, overlay, path)
    return cluster.model_copy(update={"rotating": frozenset(Rotating.beside(path).read())})


def _checked(document: Document, path: Path, connects: bool) -> Draft:
    draft = read_draft(document)
    check_together(draft, path, connects=connects)
    # Quotes help only a key that is right once it has them.
    wrong = {problem.mark for problem in document.problems}
    document.problems += [each for each in document.unquoted if each.mark not in wrong]
    return draft


def _in_seconds(text: str, path: Path, connects: bool, doubled: set[Keys]) -> list[Problem]:
    """What is wrong in the second values of keys that are given twice."""
    other = read_marked(text, last=True)
    _checked(other, path, connects)
    return [
        problem
        for problem in other.problems
        if any(problem.path[: len(keys)] == keys for keys in doubled)
    ]


def _read(path: Path) -> str:
    shown = short_path(path)
    try:
        seen = path.stat()
        if not (stat.S_ISREG(seen.st_mode) or stat.S_ISDIR(seen.st_mode)):
            raise InventoryError([f"{shown}: is not a file"])
        if seen.st_size > MAX_BYTES:
            raise InventoryError([f"{shown}: is larger than {MAX_BYTES // 1_000_000} MB"])
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InventoryError([f"{shown}:{line}: is not UTF-8 text"]) from None
    except FileNotFoundError:
        others = [file.name for file in find_inventories(path.parent).values()]
        near = did_you_mean(path.name, others)
        known = f"; there are {', '.join(others)}" if others and not near else near
        raise InventoryError([f"{shown}: there is no such file{known}"]) from None
    except OSError as error:
        raise InventoryError([f"{shown}: can't be read: {error.strerror}"]) from None


def _lines(document: Document, path: Path) -> list[str]:
    shown = short_path(path)
    # What comes through an anchor is wrong in every place where it is used, and said once.
    once = {(mark, message): path for mark, path, message in reversed(document.problems)}
    problems = sorted(once.items(), key=lambda problem: problem[0][0])
    lines = []
    for (mark, message), keys in problems[:_MAX_PROBLEMS]:
        shown_keys = _bounded("/".join(str(k + 1 if isinstance(k, int) else k) for k in keys))
        # One problem is one line, whatever a quoted value has in it.
        words = re.sub(r"\s+", " ", message)
        lines.append(f"{shown}:{mark.line}:{mark.column} {shown_keys or 'inventory'}: {words}")
    if len(problems) > _MAX_PROBLEMS:
        lines.append(f"{shown}: and {len(problems) - _MAX_PROBLEMS} more")
    return lines


def _bounded(text: str) -> str:
    # One problem is one line, whatever a key has in it.
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 120 else text[:120] + "…"


def short_path(path: Path) -> str:
    """As seen from here, if it is below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def lab_folders() -> list[Path]:
    """Where labs keep their notes: one's own come first, then those of root, which all can read.

    The environment's ``NODRIZA_LAB_STATE`` takes the place of both.
    """
    if moved := os.environ.get("NODRIZA_LAB_STATE"):
        return [Path(moved).absolute()]
    roots = Path("/var/lib/nodriza/lab")
    if os.geteuid() == 0:
        return [roots]
    own = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return [Path(own).expanduser() / "nodriza/lab", roots]


def _read_overlay(name: str) -> LabOverlay | None:
    for folder in lab_folders():
        file = folder / name / "overlay.json"
        try:
            return LabOverlay.model_validate(json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, ValidationError) as error:
            words = str(error).splitlines()[0]
            raise InventoryError(
                [
                    f"{file}: the lab's own notes can't be read ({words}):"
                    " remove that file and run fab lab.up again"
                ]
            ) from None
    return None
