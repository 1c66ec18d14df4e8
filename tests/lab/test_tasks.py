"""What is at work while the code and the variables change: tasks of Celery, and own services.

A cluster of its own: the application gets a task that only takes time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import yaml

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import Visitor
from tests.pages import blocks

VIDEO = "video-1"
TASK = '''

@shared_task(name="videos.slow")
def slow(name: str) -> None:
    """Say when it begins and when it ends, and with which variables; it ends when it may."""
    import os

    path, may_end = (Path(settings.MEDIA_ROOT) / each for each in (name, f"{name}.end"))
    with path.open("a") as file:
        print("begins", settings.RELEASE, os.environ.get("SHADE", "none"), file=file, flush=True)
        while not may_end.exists():
            time.sleep(0.2)
        print("ends", settings.RELEASE, file=file, flush=True)
'''
SEND = """
set -a; . /etc/videoteca/videoteca.env; cd /opt/videoteca/current/app
exec runuser -u videoteca -- ../venv/bin/python -c "
import videoteca.wsgi
from videos.tasks import slow
slow.delay('{name}')
"
"""
LONGEST = 900  # seconds


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.make(tmp_path_factory.mktemp("tasks"), "nodriza-tasks", 33)
    with (project.folder / "videoteca/videos/tasks.py").open("a") as file:
        file.write(TASK)
    # The program of the application that the page about roles shows.
    code = blocks("docs/writing-a-role.rst")
    for path, text in (
        ("roles/beat.py", code["python"][1]),
        ("templates/beat/beat.service.j2", code["jinja"][1]),
    ):
        (project.folder / path).parent.mkdir(parents=True)
        (project.folder / path).write_text(text)
    project.data.update(yaml.safe_load(code["yaml"][1]))
    project.write(tasks={"longest": LONGEST})
    with project.up("provision", "deploy"):
        yield project


def send(project: Project, name: str) -> None:
    project.on("server-1", SEND.format(name=name))


def let_end(project: Project, name: str) -> None:
    project.on("server-1", f"touch /srv/videoteca/media/{name}.end")


def ended(project: Project, name: str) -> None:
    """Its release began it and ended it, and nobody else."""
    wait_for(f"end of {name}", 60, lambda: len(log(project, name)) > 1, every=0.5)
    first, *others = log(project, name)
    assert others == [["ends", first[1]]]


def log(project: Project, name: str) -> list[list[str]]:
    text = project.on("server-1", f"cat /srv/videoteca/media/{name} 2>/dev/null || true")
    return [line.split() for line in text.splitlines()]


def begun(project: Project, name: str) -> str:
    """The release in which a task has begun."""
    lines = wait_for(f"begin of {name}", 60, lambda: log(project, name), every=0.5)
    return str(lines[0][1])


def change(project: Project) -> None:
    (project.folder / "videoteca/news.txt").write_text(f"{time.time()}\n")


def pid(project: Project) -> str:
    return project.on(VIDEO, "systemctl show -P MainPID celery").strip()


def test_task_that_began_before_a_deploy__ends_once_and_nobody_waits_for_it(busy: Project) -> None:
    send(busy, "long")
    old = begun(busy, "long")
    change(busy)
    done = busy.fab("deploy").well()
    busy.times["deploy while a task is at work"] = done.seconds
    let_end(busy, "short")
    send(busy, "short")
    assert begun(busy, "short") != old, "the new worker takes tasks beside the old one"
    ended(busy, "short")
    busy.fab("status").well()
    assert busy.fab("provision", "--json").well().changed() == {}
    assert len(log(busy, "long")) == 1
    let_end(busy, "long")
    ended(busy, "long")
    wait_for("one worker", 30, lambda: workers(busy) == 1, every=0.5)


def workers(project: Project) -> int:
    """Main processes of Celery; each has one for its tasks too."""
    names = project.on(VIDEO, "pgrep -fa 'hostname=celery-' | grep -o 'celery-[0-9a-f]*@' || true")
    return len(set(names.split()))


def not_deployed(project: Project) -> Result:
    before = project.on(VIDEO, "readlink /opt/videoteca/current")
    with Visitor(project.cluster) as visitor:
        done = project.fab("deploy")
    assert done.exit == 1, done.said
    assert visitor.bad == []
    for node in ("server-2", "server-3", VIDEO):
        assert project.on(node, "readlink /opt/videoteca/current") == before
    return done


def test_release_whose_worker_does_not_come_up__is_taken_back_from_everybody(
    busy: Project,
) -> None:
    """Nothing but a worker imports what Celery's own settings name."""
    file = busy.folder / "videoteca/videoteca/celery.py"
    good, main = file.read_text(), pid(busy)
    send(busy, "meanwhile")
    begun(busy, "meanwhile")
    try:
        file.write_text(f'{good}\napp.conf.imports = ("videos.nowhere",)\n')
        done = not_deployed(busy)
    finally:
        file.write_text(good)
    assert "service:celery" in done.said
    assert "the new worker ended with" in done.said
    assert "No module named 'videos.nowhere'" in done.said
    let_end(busy, "meanwhile")
    ended(busy, "meanwhile")
    assert pid(busy) == main


def state(project: Project) -> str:
    return project.on(VIDEO, "systemctl show -P ActiveState celery").strip()


def test_provision_that_changes_the_unit__waits_for_the_task_and_ends_none(busy: Project) -> None:
    send(busy, "restarted")
    begun(busy, "restarted")
    busy.write(tasks={"longest": LONGEST + 1})
    with busy.start("provision:video-1", "--json") as process:
        wait_for("restart", 120, lambda: state(busy) == "deactivating", every=0.5)
        assert len(log(busy, "restarted")) == 1
        let_end(busy, "restarted")
        assert process.wait(120) == 0
    ended(busy, "restarted")
    busy.fab("provision").well()
    assert busy.fab("provision", "--json").well().changed() == {}
    assert busy.fab("drift").exit == 0


def test_stop__lets_the_task_end(busy: Project) -> None:
    send(busy, "stopped")
    begun(busy, "stopped")
    busy.on(VIDEO, "systemctl stop --no-block celery; sleep 3")
    assert state(busy) == "deactivating"
    let_end(busy, "stopped")
    wait_for("stop", 60, lambda: state(busy) == "inactive", every=0.5)
    ended(busy, "stopped")
    assert workers(busy) == 0
    busy.on(VIDEO, "systemctl start celery")


def test_program_of_an_own_role__follows_each_release(busy: Project) -> None:
    working = "readlink /proc/$(systemctl show -P MainPID beat)/cwd"
    change(busy)
    done = busy.fab("deploy", "--json").well()
    assert "service:beat" in done.changed()[VIDEO]
    release = busy.on(VIDEO, "readlink /opt/videoteca/current").strip()
    assert busy.on(VIDEO, working).strip() == f"{release}/app"
    assert busy.on(VIDEO, "pgrep -fc 'celery.* beat '").strip() == "1"


def shades(project: Project) -> dict[str, str]:
    """What each node's file says of a variable."""
    show = "sed -n 's/^SHADE=//p' /etc/videoteca/videoteca.env"
    return {n: project.on(n, show).strip() for n in ("server-1", "server-2", "server-3", VIDEO)}


def test_variables__are_followed_by_a_deploy_as_code_is(busy: Project) -> None:
    """The new code needs the new variable: neither serves without the other."""
    urls = busy.folder / "videoteca/videoteca/urls.py"
    good = urls.read_text()
    urls.write_text(f'import os\n\nos.environ["SHADE"]\n{good}')
    done = not_deployed(busy)
    assert "KeyError: 'SHADE'" in done.said
    busy.write(tasks={"longest": LONGEST}, environment={"SHADE": "dark"})
    with Visitor(busy.cluster) as visitor:
        busy.fab("deploy").well()
    assert visitor.bad == []
    assert {*shades(busy).values()} == {'"dark"'}
    let_end(busy, "shade")
    send(busy, "shade")
    ended(busy, "shade")
    assert log(busy, "shade")[0][2] == "dark"
    assert busy.fab("deploy", "--json").well().changed() == {}
    # The unit of uWSGI has to be new too; that is a provision's.
    busy.fab("provision").well()


def test_variables_that_the_application_refuses__reach_no_child(busy: Project) -> None:
    before = shades(busy)
    busy.write(
        tasks={"longest": LONGEST},
        environment={"SHADE": "light", "DJANGO_SETTINGS_MODULE": "nowhere"},
    )
    try:
        done = not_deployed(busy)
    finally:
        busy.write(tasks={"longest": LONGEST}, environment={"SHADE": "dark"})
    assert "No module named 'nowhere'" in done.said
    after = shades(busy)
    assert {n: after[n] for n in ("server-2", "server-3")} == {
        n: before[n] for n in ("server-2", "server-3")
    }
    busy.fab("provision").well()
