"""A release: the application's source as one archive, named by its content.

The same source gives the same release, so deploying it twice changes nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza.errors import NodrizaError
from nodriza.plan import Plan, declared, make_plan
from nodriza.render import Renderer
from nodriza.rollout import Run, roll_out

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.result import NodeResult
    from nodriza.vault import Vault

NEVER = {".git", "__pycache__", ".venv", "node_modules", ".pytest_cache"}


def deploy(
    cluster: Cluster, vault: Vault, report: Report, *, check: bool = False, **options: Any
) -> dict[str, NodeResult]:
    """Bring the source to the central node as a release and switch to it."""
    plan = release_plan(cluster)
    values = vault.ensure(plan.secrets, keep=not check)
    run = Run(cluster, report, values, "deploy", check=check, **options)
    return roll_out(run, [plan])


def release_plan(cluster: Cluster) -> Plan:
    """The resources of a release, on the central node."""
    data = archive(cluster.app.source_path)
    node = cluster.central
    venv_id = requirements_id(cluster.app.source_path, cluster.app.requirements)
    items = declared("release", node, cluster, release_id(data), venv_id, data)
    return make_plan(items, node, cluster, Renderer.of(cluster))


def release_id(data: bytes) -> str:
    """Twelve hexadecimal digits of the archive's SHA-256."""
    return hashlib.sha256(data).hexdigest()[:12]


def requirements_id(source: Path, name: str) -> str:
    """Twelve digits that stand for what gets installed: the file and all that it includes.

    Requirements that install from the source itself (``-e .``, ``./lib``) change with any
    of its files.
    """
    text = "".join(_lines(source / name, set()))
    if re.search(r"(?m)^\s*(-e\b|--editable\b|\.|file:)", text):
        text += release_id(archive(source))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _lines(path: Path, seen: set[Path]) -> Iterator[str]:
    """A requirements file with its ``-r`` and ``-c`` files in place (pip's format)."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    for line in path.read_text("utf-8").splitlines(keepends=True):
        included = re.match(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)", line)
        if included:
            yield from _lines((path.parent / included[1]).resolve(), seen)
        else:
            yield line


def archive(source: Path) -> bytes:
    """A tar.gz of the source, byte for byte the same for the same files.

    In a git checkout the files that git tracks or would track, elsewhere all files;
    names sorted, no times, no owners.
    """
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in _files(source):
            entry = tar.gettarinfo(str(source / name), arcname=name)
            entry.mtime = 0
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            if entry.isreg():
                with (source / name).open("rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
    return buffer.getvalue()


def _files(source: Path) -> list[str]:
    if not source.is_dir():
        raise NodrizaError(f"the application's source is not there: {source}")
    found = [
        path.relative_to(source)
        for path in source.rglob("*")
        if (path.is_file() or path.is_symlink())
        and not NEVER.intersection(path.relative_to(source).parts)
    ]
    ignored = _ignored(source, found)
    return sorted(str(path) for path in found if str(path) not in ignored)


def _ignored(source: Path, found: list[Path]) -> set[str]:
    """What .gitignore leaves out; nothing outside a git checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(source), "check-ignore", "--stdin", "-z"],
            input="\0".join(map(str, found)),
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        return set()
    return set(done.stdout.split("\0"))
