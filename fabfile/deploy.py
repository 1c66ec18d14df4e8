"""fab deploy"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from .kinds import WAIT, FromNought, Text
from .session import command, fab, reachable_cluster, sudo_password, vault

if TYPE_CHECKING:
    from nodriza.change.switch import Switch
    from nodriza.inventory import Cluster
    from nodriza.report.result import NodeResult
    from nodriza.source.requirements import Requirements
    from nodriza.source.tree import Source
    from nodriza.vault.store import Vault


@command(
    connects=True,
    help={
        "check": "change nothing, say what would change",
        "json": "one JSON object per event, for machines",
        "rollback": "go back to the release before; the database stays as it is",
        "release": "with --rollback: go to this one",
        "wait": WAIT,
        "breaking": "go on though code and database will not fit for a while",
        "build": "only fetch and build it, where releases are made; nothing of it runs yet",
        "ref": "a commit, a branch or a tag of git's, in the place of the files as they are",
    },
)
def deploy(
    c: Context,
    check: bool = False,
    json: bool = False,
    rollback: bool = False,
    release: Text = "",
    ref: Text = "",
    breaking: bool = False,
    build: bool = False,
    wait: FromNought = 0,
) -> None:
    """Make a release of the application's source, and bring every node to it."""
    _refuse_mixed(rollback, release, ref)
    if build and (rollback or breaking):
        raise Exit(
            "--build brings no node to the release that it makes\n  kept: nothing was done", code=2
        )
    cluster = reachable_cluster(c)
    store, again = vault(cluster), f"{fab(c)} deploy"
    options: dict[str, Any] = {"check": check, "wait": wait, "breaking": breaking}
    options["sudo_password"] = sudo_password(c)
    if build:
        _build(cluster, store, again, ref, json=json, **options)
        return
    if cluster.app.hooks.after:
        from nodriza.change.hooks import refuse_unknown

        refuse_unknown(cluster, store)
    if rollback:
        results, switch = _go_back(cluster, store, again, release, json=json, **options)
    else:
        results, switch = _put(cluster, store, again, ref, json=json, **options)
    from nodriza.rollout.waves import exit_code

    code = exit_code(results)
    if code or not json:
        for line in switch.words(results, f"{fab(c)} provision", again) if not check else ():
            print(line, file=sys.stderr if code else sys.stdout)
    if not code and not check and switch.switched(results):
        from nodriza.change.hooks import after

        for line in after(cluster, switch, store):
            print(line, file=sys.stderr)
    if code:
        raise Exit(code=code)


def _refuse_mixed(rollback: bool, release: str, ref: str) -> None:
    if release and not rollback:
        raise Exit("--release is for --rollback\n  kept: nothing was done", code=2)
    if ref and rollback:
        raise Exit(
            "--rollback goes to a release that is there, and --ref makes one"
            "\n  kept: nothing was done",
            code=2,
        )


def _build(
    cluster: Cluster, store: Vault, again: str, ref: str, *, json: bool, **options: Any
) -> None:
    from nodriza.change import deploy as engine
    from nodriza.report import make_report
    from nodriza.rollout.waves import exit_code

    source, needs = _read(cluster, ref, json=json)
    report = make_report("json" if json else "auto", again=f"{again} --build", redact=store.redact)
    del options["breaking"]
    if code := exit_code(engine.build(cluster, source, needs, store, report, **options)):
        raise Exit(code=code)


def _read(cluster: Cluster, ref: str, *, json: bool) -> tuple[Source, Requirements]:
    """What is deployed; it is told where people read, and not among the data."""
    from nodriza.change import deploy as engine

    source = engine.read(cluster, ref)
    needs = engine.requirements(cluster, source)
    for line in (source.label, *source.notes, needs.note):
        if line:
            print(line, file=sys.stderr if json else sys.stdout, flush=True)
    return source, needs


def _put(
    cluster: Cluster, store: Vault, again: str, ref: str, *, json: bool, **options: Any
) -> tuple[dict[str, NodeResult], Switch]:
    from nodriza.change import deploy as engine
    from nodriza.change import doctor
    from nodriza.report import make_report

    source, needs = _read(cluster, ref, json=json)
    for line in doctor.as_lines(doctor.examine(cluster, source), cluster.path):
        print(line, file=sys.stderr, flush=True)
    again += f" --ref {shlex.quote(ref)}" if ref else ""
    again += " --breaking" if options["breaking"] else ""
    report = make_report("json" if json else "auto", again=again, redact=store.redact)
    return engine.deploy(cluster, source, needs, store, report, **options)


def _go_back(
    cluster: Cluster, store: Vault, again: str, release: str, *, json: bool, **options: Any
) -> tuple[dict[str, NodeResult], Switch]:
    from nodriza.change import deploy as engine
    from nodriza.release import record as releases
    from nodriza.report import make_report

    there = releases.read(cluster, sudo_password=options["sudo_password"])
    to = there.former(release)
    again += " --rollback --breaking" if options["breaking"] else " --rollback"
    report = make_report("json" if json else "auto", again=again, redact=store.redact)
    done = engine.go_back(cluster, to, store, report, **options)
    if not json and not done[0][cluster.builder.name].bad:
        print("\n".join(releases.farewell(there, to)))
    return done
