"""A role goes from a node, or moves to another one: what it had made goes with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.lab.project import Project, wait_for

ROLE = '''"""clock: a program, a timer, a place in nginx, and an account of the database."""

from nodriza.role import (
    Database,
    DatabaseUser,
    Directory,
    Mount,
    Package,
    Service,
    User,
    secret,
    template,
)


def clock(node, cluster):
    """Writes down its configuration, so that a test sees what it has read."""
    yield Package("bc")
    yield User("clock")
    yield Directory("/etc/clock")
    yield Directory("/etc/clock/parts")
    yield Mount("/mnt/clock", "clock", "tmpfs", automount=False)
    conf = template("clock/clock.conf.j2", to="/etc/clock/clock.conf")
    part = template("clock/clock.conf.j2", to="/etc/clock/parts/part.conf")
    units = tuple(
        template(f"clock/{name}.j2", to=f"/etc/systemd/system/{name}")
        for name in ("clock.service", "clock-tick.service", "clock-tick.timer")
    )
    yield conf
    yield part
    yield from units
    yield Service("clock", restart_on=(conf, part, *units))
    yield Service("clock-tick.timer", restart_on=units)
    if "mysql" in node.roles:
        yield Database("clock")
        yield DatabaseUser("clock", "198.18.90.99", secret("clock"), (("clock", "ALL"),))
'''
TEMPLATES = {
    "clock.conf": "{{ node.name }} of {{ cluster.name }}\n",
    "clock.service": """# systemd.service(5)
[Service]
User=clock
StateDirectory=clock
ExecStart=/bin/sh -c 'cp /etc/clock/clock.conf /var/lib/clock/read; exec sleep infinity'
ExecStop=/bin/sleep 2
[Install]
WantedBy=multi-user.target
""",
    "clock-tick.service": "[Service]\nType=oneshot\nExecStart=/bin/date\n",
    "clock-tick.timer": "[Timer]\nOnCalendar=hourly\n[Install]\nWantedBy=timers.target\n",
}
UNITS = [f"file:/etc/systemd/system/{name}" for name in TEMPLATES if name != "clock.conf"]
GOES = [
    "service:clock-tick.timer",
    "service:clock",
    *reversed(UNITS),
    "file:/etc/clock/parts/part.conf",
    "file:/etc/clock/clock.conf",
    "mount:/mnt/clock",
    "directory:/etc/clock/parts",
    "directory:/etc/clock",
]
STATE = """
ls -d /etc/clock /etc/clock/* /etc/clock/parts/* /etc/systemd/system/clock* /var/lib/clock/* \
    /etc/systemd/system/*.wants/clock* 2>/dev/null
systemctl list-units --all --no-legend --plain 'clock*' | awk '{print $1, $3}'
ls /var/lib/nodriza/owed
grep clock /etc/fstab /proc/mounts
find /etc -name '*.nodriza-new'
"""


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """A central node, and a child with a role more; nothing is deployed."""
    folder = tmp_path_factory.mktemp("left")
    project = Project.make(folder, "nodriza-left", 90, children=1, videos=0)
    project.times.update(times)
    (folder / "roles").mkdir()
    (folder / "roles/clock.py").write_text(ROLE)
    (folder / "templates/clock").mkdir(parents=True)
    for name, text in TEMPLATES.items():
        (folder / f"templates/clock/{name}.j2").write_text(text)
    _on(project, "child")
    with project.up("provision"):
        yield project


def _on(project: Project, *kinds: str) -> None:
    """The role is on nodes of these kinds, and on no other."""
    project.data["kinds"] = {kind: {"roles": ["default", "clock"]} for kind in kinds}
    project.write()


def _state(project: Project, node: str) -> list[str]:
    return project.on(node, STATE, check=False).split("\n")[:-1]


@pytest.fixture
def with_clock(project: Project) -> Project:
    """The child has the role, as it was made."""
    _on(project, "child")
    project.fab("provision").well()
    assert "clock.service active" in _state(project, "server-2")
    return project


def test_role_that_is_taken_out__goes_as_a_check_has_foretold(with_clock: Project) -> None:
    project = with_clock
    _on(project)
    check = project.fab("provision", "--check", "--json").well()
    assert [id for id in check.changed()["server-2"] if not id.startswith("health:")] == GOES
    assert "clock.service active" in _state(project, "server-2")
    drift = project.fab("drift")
    assert drift.exit == 2
    assert "server-2  differs  service:clock (not planned any more)" in drift.stdout

    done = project.fab("provision")
    lines = done.well().stdout.splitlines()
    assert [line.split()[2] for line in lines if "  removed  " in line] == GOES
    assert "server-2  kept     package:bc (not planned any more, others may need it)" in lines
    user = "server-2  kept     user:clock (not planned any more, files belong to its number)"
    assert user in lines
    assert _state(project, "server-2") == ["/var/lib/clock/read"], "data stay"

    again = project.fab("provision", "--json").well()
    assert again.changed() == {}
    assert not [event for event in again.events if event["event"] == "kept"]
    assert project.fab("drift").exit == 0


def test_service__moves_to_another_node(with_clock: Project) -> None:
    project = with_clock
    _on(project, "central")
    done = project.fab("provision", "--json").well()
    assert [id for id in done.changed()["server-2"] if not id.startswith("health:")] == GOES
    assert {"service:clock", "databaseuser:clock@198.18.90.99"} <= set(done.changed()["server-1"])
    assert "clock.service active" in _state(project, "server-1")
    assert project.on("server-1", "cat /var/lib/clock/read") == "server-1 of nodriza-left\n"
    assert project.fab("provision", "--json").well().changed() == {}

    _on(project)
    back = project.fab("provision", "--json").well()
    gone = back.changed()["server-1"]
    assert gone == ["databaseuser:clock@198.18.90.99", *GOES]
    kept = next(event["things"] for event in back.events if event["event"] == "kept")
    assert kept["database:clock"] == "its data stay"
    users = project.on("server-1", "mariadb -N -e 'SELECT User FROM mysql.global_priv'").split()
    assert "clock" not in users
    assert "videoteca" in users
    assert "clock" in project.on("server-1", "mariadb -N -e 'SHOW DATABASES'").split()


def test_what_somebody_else_has_changed__stays(with_clock: Project) -> None:
    project = with_clock
    project.on("server-2", "echo mine >>/etc/clock/clock.conf; touch /etc/clock/parts/mine")
    _on(project)
    done = project.fab("provision", "--json").well()
    kept = next(event["things"] for event in done.events if event["event"] == "kept")
    assert {id: why for id, why in kept.items() if "/" in id} == {
        "file:/etc/clock/clock.conf": "somebody else has changed it",
        "directory:/etc/clock/parts": "it is not empty",
        "directory:/etc/clock": "it is not empty",
    }
    left = ["/etc/clock", "/etc/clock/clock.conf", "/etc/clock/parts", "/etc/clock/parts/mine"]
    assert sorted(_state(project, "server-2")) == [*left, "/var/lib/clock/read"]
    project.on("server-2", "rm -r /etc/clock")


@pytest.mark.parametrize("last", ["service:clock-tick.timer", "service:clock", UNITS[-1]])
def test_killed_half_way__the_next_run_ends_it(with_clock: Project, last: str) -> None:
    project = with_clock
    _on(project)
    with project.start("provision:server-2", "--json") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if f'"{last}"' in line and '"event": "doing"' in line:
                break
        pid = wait_for("agent", 5, lambda: project.agent("server-2"))
        os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=120)
    assert _state(project, "server-2") != ["/var/lib/clock/read"], "it was killed too late"
    project.fab("provision:server-2").well()
    assert _state(project, "server-2") == ["/var/lib/clock/read"]
    assert project.fab("provision", "--json").well().changed() == {}
