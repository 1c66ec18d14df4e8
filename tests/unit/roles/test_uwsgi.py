"""The children: uwsgi's workers, nginx before them, and that all are alike."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from nodriza.host.env_file import parse_environment
from nodriza.resources import Service
from tests.unit.roles.made import content, functions, remake, resources, settings


def test_uwsgi__has_a_worker_more_than_cores_unless_the_inventory_has_a_number(three_node):
    by_cores = remake(three_node, app=three_node.app.model_copy(update={"workers": None}))
    unit, ini = "/etc/systemd/system/uwsgi.service", "/etc/uwsgi/videoteca.ini"
    assert "$$(nproc) + 1" in content(by_cores, "server-2", unit)
    assert "processes" not in content(by_cores, "server-2", ini)
    assert "nproc" not in content(three_node, "server-2", unit)
    assert "\nprocesses = 2\n" in content(three_node, "server-2", ini)


def test_uwsgi__is_reloaded_for_a_password_and_restarted_for_what_only_a_start_can_see(
    three_node,
):
    def service(cluster):
        return next(s for s in resources(cluster, "server-2", Service) if s.unit == "uwsgi")

    def unit(cluster):
        return content(cluster, "server-2", "/etc/systemd/system/uwsgi.service")

    assert "file:/etc/videoteca/videoteca.env" in service(three_node).reload_on
    only = {"file:/etc/systemd/system/uwsgi.service", "link:/etc/localtime"}
    assert set(service(three_node).restart_on) == only
    rotating = remake(three_node, rotating=frozenset({"mysql_app", "django_secret_key"}))
    assert unit(rotating) == unit(three_node)
    app = three_node.app.model_copy(update={"environment": {"MALLOC_ARENA_MAX": "2"}})
    assert unit(remake(three_node, app=app)) != unit(three_node)


def test_uwsgi__follows_the_reload_file_worker_after_worker(three_node):
    ini = settings(content(three_node, "server-2", "/etc/uwsgi/videoteca.ini"))
    assert "mule = /etc/uwsgi/videoteca_reload.py" in ini
    follow = content(three_node, "server-2", "/etc/uwsgi/videoteca_reload.py")
    assert 'RELOAD = "/srv/videoteca/reload"' in follow
    assert "lazy-apps = true" in ini
    assert not [line for line in ini if line.startswith(("touch-", "vacuum", "chdir"))]


def test_reload__ends_when_uwsgi_does_so_that_systemd_can_start_it_again(three_node, tmp_path):
    renew = functions(three_node, "server-2", "/etc/uwsgi/videoteca_renew.py")
    renew.update(until=time.monotonic() + 60, STATS=str(tmp_path / "nobody listens"))
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    renew["main"] = gone.pid
    with pytest.raises(SystemExit, match="uWSGI has ended meanwhile"):
        renew["new_workers"]()


class Workers:
    """Two, in a time of their own; a chain replaces the first at once, the other 3 s later.

    Nobody learns the time of day, which may be set meanwhile.
    """

    def __init__(self):
        self.now, self.second, self.chains = 100.54, 0.0, 0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        if self.now > 140:
            raise TimeoutError

    def chain(self):
        if self.now >= self.second:  # else one is running already
            self.chains += 1
            self.second = self.now + 3

    def all(self):
        done = [self.chains, self.chains - (self.now < self.second)]
        return [
            {"id": id, "pid": 70 + id, "respawn_count": count, "accepting": 1}
            for id, count in enumerate(done)
        ]


def test_reload__replaces_every_worker_once(three_node):
    renew, uwsgi = functions(three_node, "server-2", "/etc/uwsgi/videoteca_renew.py"), Workers()
    renew.update(time=uwsgi, workers=uwsgi.all, ask_for_chain=uwsgi.chain)
    renew["pause"] = lambda: uwsgi.sleep(0.25)
    renew["new_workers"]()
    assert uwsgi.chains == 1
    assert uwsgi.now < 105


def test_touch__replaces_every_worker_once(three_node, monkeypatch, tmp_path):
    uwsgi = Workers()
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(workers=uwsgi.all))
    mule = functions(three_node, "server-2", "/etc/uwsgi/videoteca_reload.py")
    touches = iter([1])

    def written(path, mode):
        uwsgi.chain()
        return open(tmp_path / "fifo", mode)

    seen = {"last_seen": lambda: next(touches), "remember": lambda seen: None}
    mule.update(time=uwsgi, touched=lambda: 2, open=written, **seen)
    with pytest.raises(TimeoutError):
        mule["follow"]()
    assert uwsgi.chains == 1


def test_mule_that_takes_the_place_of_another__knows_what_that_one_saw(
    three_node, monkeypatch, tmp_path
):
    """A touch between the two must not be lost."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(workers=Workers().all))
    mule = functions(three_node, "server-2", "/etc/uwsgi/videoteca_reload.py")
    mule.update(SEEN=str(tmp_path / "touched"), touched=lambda: 7)
    assert mule["last_seen"]() == 7
    mule["remember"](5)
    assert mule["last_seen"]() == 5


def test_touch_while_workers_start__is_none_that_the_mule_has_seen(
    three_node, monkeypatch, tmp_path
):
    """A worker may look for the release before it is switched, and the mule after the touch."""
    unit = content(three_node, "server-2", "/etc/systemd/system/uwsgi.service")
    (start,) = (line for line in settings(unit) if "stat --format" in line)
    reload, seen = tmp_path / "reload", tmp_path / "seen"
    reload.touch()
    before = reload.stat().st_mtime_ns
    shell = (
        start.partition("=")[2].replace("%%", "%").replace("/srv/videoteca/reload", str(reload))
    )
    subprocess.run(
        shell.replace("/run/uwsgi/videoteca.touched", str(seen)), shell=True, check=True
    )
    reload.touch()
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(workers=Workers().all))
    mule = functions(three_node, "server-2", "/etc/uwsgi/videoteca_reload.py")
    mule.update(SEEN=str(seen), RELOAD=str(reload))
    assert mule["last_seen"]() == before
    assert mule["touched"]() != before


@pytest.fixture
def reload(three_node, tmp_path):
    """``systemctl reload``, and what it did: ("master",) or ("workers",)."""
    names, done = functions(three_node, "server-2", "/etc/uwsgi/videoteca_renew.py"), []
    ini, mule, read = (tmp_path / name for name in ("ini", "mule", "read"))
    ini.write_text("threads = 2\n")
    mule.write_text("follow()\n")
    names.update(CONFIGURATION=(str(ini), str(mule)), READ=str(read), quiet=lambda: None)
    names["new_master"] = lambda: done.append("master")
    names["new_workers"] = lambda: done.append("workers")

    def run():
        done.clear()
        names["renew"]()
        return done

    run.ini, run.read, run.names = ini, read, names
    sums = ["sha256sum", str(ini), str(mule)]
    run.start = lambda: read.write_bytes(subprocess.check_output(sums))
    return run


def test_reload__of_a_file_that_changed_while_uwsgi_was_starting_takes_a_new_master(reload):
    """The socket of its statistics is younger than the file, and it has read the old one."""
    reload.start()
    reload.ini.write_text("threads = 4\n")
    assert reload() == ["master"]
    assert reload() == ["workers"]


def test_reload__of_what_uwsgi_has_read_takes_new_workers_only(reload):
    reload.start()
    assert reload() == ["workers"]


def test_reload__that_was_ended_half_way_is_done_again(reload):
    reload.start()
    reload.ini.write_text("threads = 4\n")

    def ended():
        raise TimeoutError

    whole = reload.names["new_master"]
    reload.names["new_master"] = ended
    with pytest.raises(TimeoutError):
        reload()
    reload.names["new_master"] = whole
    assert reload() == ["master"]


@pytest.fixture
def ended(three_node, tmp_path):
    """What a reload says at its end when workers 1 and 2 serve these releases."""
    names = functions(three_node, "server-2", "/etc/uwsgi/videoteca_renew.py")
    names.update(CURRENT=str(tmp_path / "current"), SERVES=str(tmp_path / "serves"))
    names["workers"] = lambda: [{"id": 1}, {"id": 2}]
    (tmp_path / "new").mkdir()
    (tmp_path / "current").symlink_to(tmp_path / "new")

    def said(*serve):
        for id, release in enumerate(serve, 1):
            (tmp_path / f"serves.{id}").write_text(str(release and tmp_path / release))
        try:
            names["refuse_another"]()
        except SystemExit as error:
            return str(error)
        return ""

    return said


def test_reload__fails_when_a_worker_serves_another_release_than_current(ended):
    """Whichever it is: the last one may have found the new release, and the first one not."""
    assert ended("new", "new") == ""
    pattern = r"worker 1 serves \S*/old, and current is \S*/new\. Why: "
    assert re.match(pattern, ended("old", "new"))
    assert "worker 2 serves nothing" in ended("new", "")


def test_reload__is_well_where_there_is_no_release_to_serve(ended, tmp_path):
    """Before the first deploy, and while the share is away that has it."""
    (tmp_path / "new").rmdir()
    assert ended("", "old") == ""


def test_environment__is_read_by_a_reloaded_worker_as_systemd_reads_it(three_node):
    odd = {"ODD": 'a "b" \\c $HOME `id` #x = y\\', "EMPTY": ""}
    app = three_node.app.model_copy(update={"environment": odd})
    cluster = remake(three_node, app=app, rotating=frozenset({"django_secret_key"}))
    text = content(cluster, "server-2", "/etc/videoteca/videoteca.env")
    names = functions(cluster, "server-2", "/etc/uwsgi/videoteca_release.py")
    assert names["variables"](text) == parse_environment(text)
    assert names["variables"](text)["ODD"] == odd["ODD"]


def test_nginx__accepts_what_the_inventory_allows_to_upload(three_node):
    app = three_node.app.model_copy(update={"max_upload_mb": 700})
    site = content(remake(three_node, app=app), "server-2", "/etc/nginx/conf.d/videoteca.conf")
    assert "client_max_body_size 701m;" in settings(site)


def test_children__are_the_same_but_for_their_own_names(three_node):
    def plan(name):
        other = three_node.node(name)
        text = str(resources(three_node, name))
        for own in (other.name, other.private, other.public):
            text = text.replace(own, "OWN")
        return re.sub(r"198\.18\.[78]\.1[23]|server-[23]", "CHILD", text.replace("OWN", "CHILD"))

    assert plan("server-2") == plan("server-3")
