"""A deploy: the application's source becomes a release, and every node serves it.

A release is named by the content of its source and by its requirements.

The same source gives the same release, so deploying it twice changes nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from typing import TYPE_CHECKING, Any

from nodriza.change.drivers import refuse_unspoken
from nodriza.change.fetched import refuse_unfetchable
from nodriza.change.switch import Switch
from nodriza.plan.plan import Plan, declared, make_plan, plan_node
from nodriza.plan.render import Renderer
from nodriza.release.plan import followers
from nodriza.release.record import question
from nodriza.release.release import Release, source_name, takes
from nodriza.release.secrets import refuse_unset
from nodriza.release.variables import environment_files, tried_with, with_the_next
from nodriza.resources import Static, Upload
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.source.requirements import Requirements, read_requirements
from nodriza.source.tree import Source, read_source

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.report.result import NodeResult
    from nodriza.vault.store import Vault


def read(cluster: Cluster, ref: str = "") -> Source:
    """What would be deployed of the application's source."""
    return read_source(cluster.app.source_path, ref, cluster.app.include)


def requirements(cluster: Cluster, source: Source) -> Requirements:
    """What would be installed beside it; ``SourceError`` if that can't speak to the database, or
    nobody could fetch it.
    """
    needs = read_requirements(source, cluster.app.requirements, cluster.app.installer)
    refuse_unspoken(cluster, source, needs.file)
    refuse_unfetchable(cluster, source, needs)
    return needs


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
    """Make a release of the source on the builder, and bring every node to it.

    ``breaking``: its migrations may take something from the release that serves. ``options``
    are fields of ``Run``.
    """
    switch = Switch(
        cluster,
        release_id(source, needs, *cluster.app.hooks.build),
        needs.id,
        source.commit,
        "deploy",
    )
    what = f"deploy of {source.label}" if source.label else "deploy"
    plan = build_plan(cluster, switch.to, source, needs, breaking=breaking)
    options["sources"] = {source.sha256: source}
    return _run(cluster, plan, switch, vault, report, what, **options), switch


def build(
    cluster: Cluster,
    source: Source,
    needs: Requirements,
    vault: Vault,
    report: Report,
    **options: Any,
) -> dict[str, NodeResult]:
    """Only what has to be fetched for a release, on the builder: source, environment, and what
    the project's build commands make.

    Nothing of it runs with the application's variables, and its rows are not looked at. A deploy
    of the same source goes on from there.
    """
    to = release_id(source, needs, *cluster.app.hooks.build)
    plan = build_plan(cluster, Release(to, commit=source.commit, venv=needs.id), source, needs)
    first = next(n for n, it in enumerate(plan.resources) if isinstance(it.resource, Static))
    plan = dataclasses.replace(plan, resources=plan.resources[:first])
    values = vault.ensure(plan.secrets, keep=not options.get("check"))
    options["sources"] = {source.sha256: source}
    run = Run(cluster, report, values, f"build of {source.label or to}", **options)
    return roll_out(run, [plan])


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
    refuse_unset(cluster, vault)
    values = vault.ensure(plan.secrets, keep=not options.get("check"))
    asked = question(cluster)
    run = Run(cluster, report, values, what, ask=asked, waves=switch.waves, **options)
    return roll_out(run, [plan])


def build_plan(
    cluster: Cluster,
    release: Release,
    source: Source | None = None,
    needs: Requirements | None = None,
    *,
    breaking: bool = False,
) -> Plan:
    """The resources that make a release on the builder, or try one that is there.

    Its steps have the variables of the inventory as it is now, as all nodes are to have. Where the
    builder serves, what it serves keeps the ones that it has until the release is switched to.
    """
    node, renderer = cluster.builder, Renderer.of(cluster)
    whole = plan_node(node, cluster, renderer)
    tree = upload(cluster, release.id, source) if source else None
    made = declared("build", node, cluster, release.id, release.venv, tree, needs, breaking)
    if takes(node, cluster):
        files = environment_files(cluster, whole, cluster.app.next_environment_file)
        items = itertools.chain(files, with_the_next(cluster, tried_with(cluster, made, files)))
    else:
        files = environment_files(cluster, whole)
        items = itertools.chain(files, tried_with(cluster, made, files), followers(cluster, whole))
    plan = make_plan(items, node, cluster, renderer)
    return dataclasses.replace(plan, releases=True)


def upload(cluster: Cluster, release: str, source: Source) -> Upload:
    """The source on the builder. Of it travels what the release that serves does not have."""
    return Upload(
        f"{cluster.app.release_folder}/{release}/{source_name(cluster)}",
        source.sha256,
        files=len(source.entries),
        size=source.size,
        like=f"{cluster.app.current}/app",
    )


def release_id(source: Source, needs: Requirements, *commands: str) -> str:
    """Twelve hexadecimal digits that stand for the source and all that is made of it: what is
    installed beside it, and the ``commands`` that are run in it.
    """
    made = "\0".join((needs.id, *commands, source.sha256))
    return hashlib.sha256(made.encode()).hexdigest()[:12]
