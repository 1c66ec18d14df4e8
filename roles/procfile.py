"""procfile: what runs beside the web, as ``app.processes`` of the inventory says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nodriza.role import Cluster, Node, Resource, Service, Template, server, template

if TYPE_CHECKING:
    from nodriza.role import Site

STEADY = 5
"""Seconds that one has to run on before it is believed: Django's start, and a bit."""
NEEDS = ("database", "broker", "cache")


def processes_run_on(site: Site) -> None:
    """what runs beside the web runs on, on every node where it is planned"""
    app = site.cluster.app
    for node in site.cluster.nodes:
        for name in node.processes:
            if not app.processes[name].every:
                for unit in units(app.name, name, app.processes[name].count):
                    site.wait(
                        90,
                        lambda node=node, unit=unit: _runs_on(site, node, unit),  # type: ignore[misc]
                        f"{unit} on {node.name}, which has ended and begun again",
                    )


SMOKE = (processes_run_on,)


def _runs_on(site: Site, node: Node, unit: str) -> bool:
    """It is up, and was not begun again just now for at least the second time."""
    show = ("systemctl", "show", "-p", "ActiveState,NRestarts,StateChangeTimestampMonotonic", unit)
    seen = dict(line.split("=", 1) for line in site.on(node, *show).splitlines() if "=" in line)
    up = float(site.on(node, "cat", "/proc/uptime").split()[0])
    since = up - int(seen["StateChangeTimestampMonotonic"]) / 1e6
    return seen["ActiveState"] == "active" and (int(seen["NRestarts"]) < 2 or since > 60)


def units(app: str, name: str, count: int) -> list[str]:
    """Of one process that runs for ever."""
    first = f"{app}-process-{name}"
    return [first, *(f"{first}-{number}" for number in range(2, count + 1))]


def procfile(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Each with a unit of its own. One that runs for ever begins anew with a new release; a timer
    takes it at its next run.

    One that is there once holds a lock on the share: where it moves to another node, it begins
    there when it has ended here.
    """
    app = cluster.app
    for name in node.processes:
        process = app.processes[name]
        unit = f"{app.name}-process-{name}"
        values: dict[str, Any] = {
            "process": process,
            "name": name,
            "words": shlex.join(process.words),
            "once": f"{app.once}/{name}" if process.on == "one" else "",
            "memory_mb": process.memory_mb or node.memory_mb // 2,
            "share": server(cluster, "share"),
        }
        run = template("procfile/run.sh.j2", to=f"/usr/local/sbin/{unit}", mode="0755", **values)
        yield run
        values["run"] = run.path
        if process.every:
            yield from _timer(unit, values)
            continue
        for one in units(app.name, name, process.count):
            file = template(
                "procfile/process.service.j2", to=f"/etc/systemd/system/{one}.service", **values
            )
            yield file
            yield Service(
                one,
                restart_on=(
                    run,
                    file,
                    f"link:{app.current}",
                    f"file:{app.environment_file}",
                    *node.zone,
                ),
                check=("sh", "-n", run.path),
                longer=process.patience,
                steady=STEADY,
            )


def _timer(unit: str, values: dict[str, Any]) -> Iterator[Resource | Template]:
    service = template(
        "procfile/process.service.j2", to=f"/etc/systemd/system/{unit}.service", **values
    )
    timer = template("procfile/process.timer.j2", to=f"/etc/systemd/system/{unit}.timer", **values)
    yield service
    yield timer
    yield Service(f"{unit}.timer", restart_on=(service, timer), runs=f"{unit}.service")
