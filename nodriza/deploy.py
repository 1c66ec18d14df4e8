"""A release: the application's source as one archive, named by its content.

The same source gives the same release, so deploying it twice changes nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
import re
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nodriza.errors import SourceError
from nodriza.git import EXECUTABLE, LINK
from nodriza.plan import Plan, declared, make_plan
from nodriza.render import Renderer
from nodriza.rollout import Run, roll_out
from nodriza.source import Source, read_source

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.result import NodeResult
    from nodriza.vault import Vault


def read(cluster: Cluster, ref: str = "") -> Source:
    """What would be deployed of the application's source."""
    return read_source(cluster.app.source_path, ref, cluster.app.include)


def deploy(
    cluster: Cluster,
    source: Source,
    vault: Vault,
    report: Report,
    *,
    check: bool = False,
    **options: Any,
) -> dict[str, NodeResult]:
    """Bring the source to the central node as a release and switch to it."""
    plan = release_plan(cluster, source)
    values = vault.ensure(plan.secrets, keep=not check)
    what = f"deploy of {source.label}" if source.label else "deploy"
    return roll_out(Run(cluster, report, values, what, check=check, **options), [plan])


def release_plan(cluster: Cluster, source: Source) -> Plan:
    """The resources of a release, on the central node."""
    data = archive(source)
    node = cluster.central
    venv_id = requirements_id(source, cluster.app.requirements)
    items = declared("release", node, cluster, release_id(data), venv_id, data, source.commit)
    return make_plan(items, node, cluster, Renderer.of(cluster))


def release_id(data: bytes) -> str:
    """Twelve hexadecimal digits of the archive's SHA-256."""
    return hashlib.sha256(data).hexdigest()[:12]


def requirements_id(source: Source, name: str) -> str:
    """Twelve digits that stand for what gets installed: the file and all that it includes.

    Requirements that install from the source itself (``-e .``, ``./lib``) change with any
    of its files.
    """
    text = "".join(_lines(source, name, set()))
    if re.search(r"(?m)^\s*(-e\b|--editable\b|\.|file:|[\w.-]+/|[^#\n]*@\s*file:)", text):
        text += release_id(archive(source))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _lines(source: Source, name: str, seen: set[str]) -> Iterator[str]:
    """A requirements file with its ``-r`` and ``-c`` files in place (pip's format)."""
    if name in seen:
        return
    seen.add(name)
    text = source.text_of(name)
    if text is None:
        raise SourceError(
            f"{name} is not among the files that are deployed, and the requirements need it",
            kept="nothing was sent",
            do=f"git add {name}, or name it in app.include",
        )
    for line in text.splitlines(keepends=True):
        included = re.match(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)", line)
        if included and "://" not in included[1]:
            below = posixpath.join(posixpath.dirname(name), included[1])
            yield from _lines(source, posixpath.normpath(below), seen)
        else:
            yield line


def archive(source: Source) -> bytes:
    """A tar.gz of the source, byte for byte the same for the same files.

    Names sorted, no times, no owners; of the modes only who may execute.
    """
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for each in source.entries:
            entry, content = tarfile.TarInfo(each.name), each.read()
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if each.mode in (EXECUTABLE, LINK) else 0o644
            if each.mode == LINK:
                entry.type, entry.linkname = (
                    tarfile.SYMTYPE,
                    content.decode("utf-8", "surrogateescape"),
                )
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
