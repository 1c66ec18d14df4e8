"""A deploy: the application's source becomes a release, and every node serves it.

A release is the source as one archive, named by its content and its requirements.

The same source gives the same release, so deploying it twice changes nothing.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING, Any

from nodriza.git import EXECUTABLE, LINK
from nodriza.plan import Plan, declared, make_plan
from nodriza.release import Release
from nodriza.releases import question
from nodriza.render import Renderer
from nodriza.requirements import Requirements, read_requirements
from nodriza.rollout import Run, roll_out
from nodriza.source import Source, read_source
from nodriza.switch import Switch

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.result import NodeResult
    from nodriza.vault import Vault


def read(cluster: Cluster, ref: str = "") -> Source:
    """What would be deployed of the application's source."""
    return read_source(cluster.app.source_path, ref, cluster.app.include)


def requirements(cluster: Cluster, source: Source) -> Requirements:
    """What would be installed beside it."""
    return read_requirements(source, cluster.app.requirements, cluster.app.installer)


def deploy(
    cluster: Cluster,
    source: Source,
    needs: Requirements,
    vault: Vault,
    report: Report,
    *,
    breaking: bool = False,
    **options: Any,
) -> tuple[dict[str, NodeResult], Switch]:
    """Make a release of the source on the central node, and bring every node to it.

    ``breaking``: its migrations may take something from the release that serves. ``options``
    are fields of ``Run``.
    """
    data = archive(source)
    switch = Switch(
        cluster,
        release_id(data, needs, *cluster.app.hooks.build),
        needs.id,
        source.commit,
        "deploy",
    )
    what = f"deploy of {source.label}" if source.label else "deploy"
    plan = build_plan(cluster, switch.to, data, needs, breaking=breaking)
    return _run(cluster, plan, switch, vault, report, what, **options), switch


def go_back(
    cluster: Cluster,
    to: Release,
    vault: Vault,
    report: Report,
    *,
    breaking: bool = False,
    **options: Any,
) -> tuple[dict[str, NodeResult], Switch]:
    """Bring every node to a release that served before.

    ``breaking``: the database may lack what it works with. ``options`` are fields of ``Run``.
    """
    switch = Switch(cluster, to.id, to.venv, to.commit, "rollback")
    plan = build_plan(cluster, to, breaking=breaking)
    return _run(cluster, plan, switch, vault, report, "deploy --rollback", **options), switch


def _run(
    cluster: Cluster,
    plan: Plan,
    switch: Switch,
    vault: Vault,
    report: Report,
    what: str,
    **options: Any,
) -> dict[str, NodeResult]:
    values = vault.ensure(plan.secrets, keep=not options.get("check"))
    asked = question(cluster)
    run = Run(cluster, report, values, what, ask=asked, waves=switch.waves, **options)
    return roll_out(run, [plan])


def build_plan(
    cluster: Cluster,
    release: Release,
    data: bytes = b"",
    needs: Requirements | None = None,
    *,
    breaking: bool = False,
) -> Plan:
    """The resources that make a release on the central node, or try one that is there."""
    node = cluster.central
    items = declared("build", node, cluster, release.id, release.venv, data, needs, breaking)
    plan = make_plan(items, node, cluster, Renderer.of(cluster))
    return dataclasses.replace(plan, releases=True)


def release_id(data: bytes, needs: Requirements, *commands: str) -> str:
    """Twelve hexadecimal digits that stand for the archive and all that is made of it: what is
    installed beside it, and the ``commands`` that are run in it.
    """
    made = "\0".join((needs.id, *commands, ""))
    return hashlib.sha256(made.encode() + data).hexdigest()[:12]


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
