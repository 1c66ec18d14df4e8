"""Static files of a release, and those of the pages that visitors have open."""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path

import pytest

from nodriza.host.errors import HostError, Result
from nodriza.host.host import Host
from nodriza.resources import Static

ME = pwd.getpwuid(os.geteuid()).pw_name
NEW = Static(
    "/releases/new/static", scratch="/own/collected", user=ME, unit="nodriza-app-collectstatic"
)
DONE = Result((), 0, "\n2 static files copied to '/own/collected', 2 post-processed.\n", "")


@pytest.fixture
def host(tmp_path):
    host = Host(str(tmp_path))
    for folder in ("/releases/new/app", "/own"):
        host.mkdirs(folder)
    return host


@pytest.fixture
def collects(monkeypatch):
    """Say which files collectstatic writes, and how it ends."""

    def say(files, done=DONE, also=lambda static: None):
        def run(host, unit, argv, *, cwd, timeout, check):
            assert (unit.name, unit.user, cwd) == (NEW.unit, ME, "/releases/new/app")
            assert argv[-3:] == ["manage.py", "collectstatic", "--noinput"]
            static = Path(argv[1].removeprefix("STATIC_ROOT="))
            assert static == Path(host.at(NEW.scratch))
            write(static, files)
            also(static)
            return done

        monkeypatch.setattr("nodriza.host.transient.run", run)
        monkeypatch.setattr("nodriza.host.transient.free", lambda *_, **__: None)

    return say


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def manifest(**paths):
    named = {name.replace("_", "."): hashed for name, hashed in paths.items()}
    return json.dumps({"paths": named, "version": "1.1", "hash": "0815"})


def there(host, release="new"):
    folder = Path(host.at(f"/releases/{release}/static"))
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def other(host, name, files):
    write(Path(host.at(f"/releases/{name}/static")), files)


def fix(host, one=NEW):
    one.fix(host, Static.look(host, [one])[0])
    assert Static.look(host, [one]) == [one.wanted()]


def test_static_files__are_what_was_collected_and_nothing_is_left_beside_them(host, collects):
    collects({"a.css": "new", "deep/er/b.js": "b"})
    fix(host)
    assert there(host) == {"a.css": "new", "deep/er/b.js": "b"}
    assert host.list("/own") == []
    assert host.list("/releases/new") == [".nodriza-collected", "app", "static"]


def test_static_files__are_collected_anew_where_they_have_lost_their_mark(host, collects):
    """As those of a release that somebody has changed; the others are there until then."""
    collects({"a.css": "new"})
    fix(host)
    Path(host.at("/releases/new/static/a.css")).write_text("evil")
    host.remove("/releases/new/.nodriza-collected")
    assert Static.look(host, [NEW]) == [{"collected": False}]
    fix(host)
    assert there(host) == {"a.css": "new"}
    assert host.list("/releases") == [".new.1.nodriza-old", "new"]


def test_static_files__can_be_read_by_nginx_and_changed_by_nobody(host, collects):
    collects({"a.css": "new"}, also=lambda static: (static / "a.css").chmod(0o666))
    fix(host)
    stat = host.stat("/releases/new/static/a.css")
    assert (stat.owner, stat.mode) == (ME, "0644")
    assert host.stat("/releases/new/static").mode == "0755"


def test_file_with_a_hash__of_another_release_is_there_too(host, collects):
    other(
        host,
        "old",
        {
            "staticfiles.json": manifest(
                a_css="a.0ld.css", x_js="x/y.1.js", plain_css="plain.css"
            ),
            "a.css": "old",
            "a.0ld.css": "old",
            "x/y.1.js": "y",
            "plain.css": "plain",
            "notes.txt": "no part of the list",
        },
    )
    other(host, "none", {"b.css": "it has no list"})
    other(host, ".unfinished", {"staticfiles.json": manifest(c_css="c.1.css"), "c.1.css": "c"})
    collects({"staticfiles.json": manifest(a_css="a.new.css"), "a.css": "new", "a.new.css": "new"})
    fix(host)
    found = there(host)
    del found["staticfiles.json"]
    assert found == {"a.css": "new", "a.new.css": "new", "a.0ld.css": "old", "x/y.1.js": "y"}


def test_file_with_a_hash__that_came_from_another_release_goes_no_further(host, collects):
    """Else the files of all releases that ever were would be in each."""
    other(host, "old", {"staticfiles.json": manifest(), "a.older.css": "from the one before"})
    collects({"b.css": "b"})
    fix(host)
    assert there(host) == {"b.css": "b"}


def test_own_file__stays_what_it_is_whatever_another_release_has(host, collects):
    other(host, "old", {"staticfiles.json": manifest(a_css="a.1.css"), "a.1.css": "old"})
    collects({"a.1.css": "new"})
    fix(host)
    assert there(host) == {"a.1.css": "new"}


@pytest.mark.parametrize(
    "listed",
    [
        '{"paths": {"a": "../../secret"}}',
        '{"paths": {"a": "/etc/passwd"}}',
        '{"paths": {"a": "link/secret"}}',
        '{"paths": {"a": "link"}}',
        '{"paths": {"a": ["b"]}}',
        '{"paths": ["a"]}',
        "[]",
        "no JSON",
    ],
)
def test_list__can_name_nothing_but_files_that_are_beside_it(host, collects, tmp_path, listed):
    write(tmp_path, {"outside/secret": "secret"})
    other(host, "old", {"staticfiles.json": listed, "a": "a"})
    (tmp_path / "releases/old/static/link").symlink_to(tmp_path / "outside")
    collects({"b.css": "b"})
    fix(host)
    assert there(host) == {"b.css": "b"}


def test_link__among_them_is_refused_because_nginx_follows_none(host, collects):
    collects({"a.css": "a"}, also=lambda static: (static / "b.css").symlink_to("/etc/passwd"))
    with pytest.raises(HostError, match=r"b\.css among the static files is a link"):
        NEW.fix(host, None)
    assert host.list("/releases/new") == ["app"]
    assert host.list("/own") == []


def test_application_without_static_files__has_an_empty_folder(host, collects):
    said = "Unknown command: 'collectstatic'\nType 'manage.py help' for usage.\n"
    collects({}, Result(("python",), 1, "", said))
    fix(host)
    assert there(host) == {}


@pytest.mark.parametrize(
    "said",
    [
        "django.core.exceptions.ImproperlyConfigured: You're using the staticfiles app without"
        " having set the STATIC_ROOT setting to a filesystem path.",
        "OSError: [Errno 30] Read-only file system: '/opt/app/releases/new/app/static'",
    ],
)
def test_settings_that_say_another_folder__are_told_what_to_say(host, collects, said):
    collects({}, Result(("python",), 1, "", said))
    with pytest.raises(
        HostError, match="(?s)" + re.escape(said[:20]) + r".*os\.environ\[\"STATIC_ROOT\"\]"
    ):
        NEW.fix(host, None)
    assert host.list("/releases/new") == ["app"]


@pytest.mark.parametrize(
    "said",
    [
        "\n127 static files copied to '/srv/app/media'.\n",
        "\n0 static files copied to '/srv/app/media', 127 unmodified.\n",
    ],
)
def test_files_that_were_collected_elsewhere__are_missed(host, collects, said):
    collects({}, Result((), 0, said, ""))
    with pytest.raises(HostError, match=r"(?s)wrote to /srv/app/media.*STATIC_ROOT = "):
        NEW.fix(host, None)


def test_application_that_collects_nothing__is_right(host, collects):
    collects({}, Result((), 0, "\n0 static files copied to '/own/collected'.\n", ""))
    fix(host)


def test_other_failure__is_told_as_it_is(host, collects):
    collects({}, Result(("python",), 1, "", "ValueError: a.png could not be found"))
    with pytest.raises(HostError, match=r"a\.png could not be found$"):
        NEW.fix(host, None)
