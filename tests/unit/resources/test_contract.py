"""What every noun promises, whoever wrote it."""

import ast
import dataclasses
import grp
import hashlib
import json
import os
import pkgutil
import pwd
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nodriza.host.host
import nodriza.resources
from nodriza.host.host import Host
from nodriza.resources import (
    Absent,
    Built,
    Command,
    Copy,
    Database,
    DatabaseAccess,
    DatabaseUser,
    Directory,
    Environment,
    File,
    FileSystem,
    GlusterVolume,
    Group,
    Health,
    Intact,
    Interpreter,
    Link,
    Migrations,
    Mount,
    NfsExport,
    OldReleases,
    Package,
    Peers,
    Preflight,
    Sealed,
    Served,
    Service,
    Static,
    Touch,
    Trial,
    Upload,
    User,
    Venv,
    Zone,
    from_data,
    gap_between,
    to_data,
)

ME = {
    "owner": pwd.getpwuid(os.geteuid()).pw_name,
    "group": grp.getgrgid(os.getegid()).gr_name,
}
FILE = File("/etc/file", "ñ: ‹text›\n", mode="0640", **ME)
NO_FILES = b"[]"
IN_A_FOLDER = [
    FILE,
    File("/bytes", bytes(range(256)), **ME),
    Directory("/etc/folder", mode="0750", **ME),
    Link("/link", "etc/folder"),
    Absent("/etc"),
    Upload("/tree", hashlib.sha256(NO_FILES).hexdigest()),
    Touch("/reload", on_change=(FILE, "link:/link"), **ME),
    OldReleases("/releases", kept=("a",), current="/current", venvs="/venvs"),
    Intact("/tree", seal="/seal"),
    Served("/var/lib/record", "aaa", "/current", commit="0815"),
    Zone("/zone", "@ IN SOA ns1 mail. (\n SERIAL ; serial\n)\n", (("server-2", "192.0.2.2"),)),
]
"""Those that can do all their work in a root of their own, with no program."""
SAMPLES = [
    *IN_A_FOLDER,
    Command("migrate", ["true"], unless=["false"], on_change=[FILE], user="app", env_file="/env"),
    Command("load", ["true"], creates="/loaded"),
    Built("/tree", "/source", ("make",), user="app-build", unit="app-build", venv="/venv"),
    Copy("/tree", tree="0" * 64, pack="/pack.tar", sha256="1" * 64, size=9),
    Sealed("/tree", seal="/seal", pack="/pack.tar", user="app"),
    Database("videoteca"),
    DatabaseUser("app", "198.18.7.12", "‹secret:mysql_app›", (("a_b", "ALL"), ("c", "SELECT"))),
    DatabaseAccess("app2", ("198.18.7.12",)),
    Environment(
        "/venv",
        release="/releases/a",
        python="python3",
        made_for="cpython-39",
        copy=Copy("/venv", tree="0" * 64),
        venv=Venv("/venv", user="app-build", unit="app-environment", hidden=("/etc/app",)),
        uv=Venv("/uv", "/uv.txt", user="app-build", unit="app-uv"),
        packages=("gcc",),
        seal="/seal",
    ),
    FileSystem("/var/lib/share.img", "/srv/app", size_mb=64),
    GlusterVolume("app", "198.18.7.11:/srv/b", ("198.18.7.12",), (("nfs.disable", "on"),)),
    Group("app", gid=800),
    Health("http://127.0.0.1/healthz/here", name="www.example.org", also=(("/", 302),)),
    Interpreter("/venv", python="/usr/bin/python3"),
    Mount("/srv/app", "198.18.7.11:/srv/app", "nfs4", ("hard",)),
    Migrations("/releases/a", "/current", words="How to look."),
    NfsExport("/srv/app", ("198.18.7.12",)),
    Package("nginx"),
    Peers("mysql", ("3306", "49152-49251"), ("198.18.7.12",)),
    Preflight("/releases/a", "/current", "shop.wsgi", "www.example.org", (("m", "def main"),)),
    Service("nginx.service", reload_on=(FILE,), check=("nginx", "-t")),
    Service("rpcbind.socket", masked=True),
    Static("/releases/a/static", scratch="/opt/collected", user="app", unit="nodriza-app"),
    Trial("/releases/a", "/current", "shop.wsgi", "www.example.org", asked=(("/", 302),)),
    User("app", uid=800, groups=("video", "adm")),
    Venv("/venv", "/requirements.txt", user="app"),
]
every_sample = pytest.mark.parametrize("resource", SAMPLES, ids=lambda resource: resource.id)
named = [getattr(nodriza.resources, name) for name in nodriza.resources.__all__]
nouns = [
    noun for noun in named if isinstance(noun, type) and noun is not nodriza.resources.Resource
]
every_noun = pytest.mark.parametrize("noun", nouns)


@pytest.fixture
def bare(tmp_path, tmp_path_factory, monkeypatch):
    """A host with nothing on it: no file, and no program but sync(1)."""
    programs = tmp_path_factory.mktemp("bin")
    (programs / "sync").symlink_to("/usr/bin/sync")
    monkeypatch.setattr(nodriza.host.host, "PATH", str(programs))
    host = Host(str(tmp_path))
    host.fetch = lambda *_: iter([NO_FILES])
    return host


def look(host, resource):
    states = type(resource).look(host, [resource])
    assert len(states) == 1
    return states[0]


def test_package__names_the_noun_of_every_module():
    """One that is not named there would be unknown on the host."""
    names = {module.name for module in pkgutil.iter_modules(nodriza.resources.__path__)}
    assert {noun.__module__.rpartition(".")[2] for noun in nouns} == names - {"base"}


@every_noun
def test_noun__has_a_sample_here(noun):
    assert noun in {type(resource) for resource in SAMPLES}


@every_noun
def test_noun__is_documented_and_frozen(noun):
    assert noun.__doc__
    assert not noun.__doc__.startswith(f"{noun.__name__}(")
    assert noun.__dataclass_params__.frozen


@every_noun
def test_noun__answers_all_three_questions_itself(noun):
    for question in ("wanted", "look", "fix"):
        assert getattr(noun, question) is not getattr(nodriza.resources.Resource, question)


def test_ids__are_the_noun_and_the_subject():
    assert FILE.id == "file:/etc/file"
    assert DatabaseUser("app", "198.18.7.12", "p").id == "databaseuser:app@198.18.7.12"
    assert len({resource.id for resource in SAMPLES}) == len(SAMPLES)


@every_sample
def test_first_field__is_what_the_resource_is_about(resource):
    first = getattr(resource, dataclasses.fields(resource)[0].name)
    assert resource.subject.startswith(first)


@every_sample
def test_resource__is_the_same_after_its_travel_as_json(resource):
    data = json.loads(json.dumps(to_data(resource)))
    assert from_data({**data, "id": resource.id, "origin": "roles/app.py:1"}) == resource
    assert hash(from_data(data)) == hash(resource)


@every_sample
def test_state__is_flat_and_plain(resource):
    wanted = resource.wanted()
    assert wanted is None or all(
        isinstance(value, (str, int, bool, type(None))) for value in wanted.values()
    )
    assert set(resource.HIDDEN) <= set(wanted or {})


@every_noun
def test_look__on_a_bare_host_sees_one_state_each(bare, noun):
    many = [resource for resource in SAMPLES if isinstance(resource, noun)]
    states = noun.look(bare, [*many, *many])
    assert len(states) == 2 * len(many)
    assert states[: len(many)] == states[len(many) :]


@every_noun
def test_look__changes_nothing(bare, noun):
    noun.look(bare, [resource for resource in SAMPLES if isinstance(resource, noun)])
    assert not list(Path(bare.root).iterdir())


@pytest.mark.parametrize("resource", IN_A_FOLDER, ids=lambda resource: resource.id)
def test_fix__brings_what_is_wanted_and_a_second_time_changes_nothing(bare, resource):
    bare.mkdir("/etc")
    for _ in range(2):
        resource.fix(bare, look(bare, resource))
        assert look(bare, resource) == resource.wanted()
        assert gap_between(resource, look(bare, resource)) == {}
    assert not list(Path(bare.root).rglob("*nodriza-new*"))


PATHS = st.sampled_from(["/a", "/b"])
FILE_LIKE = st.one_of(
    st.builds(
        File,
        PATHS,
        st.one_of(st.binary(max_size=40), st.text(st.characters(codec="utf-8"), max_size=40)),
        mode=st.sampled_from(["0600", "0644", "0755"]),
        **{key: st.just(value) for key, value in ME.items()},
    ),
    st.builds(Link, PATHS, st.text(st.sampled_from("ab/."), min_size=1, max_size=9)),
    st.builds(Absent, PATHS),
    st.builds(Touch, PATHS, **{key: st.just(value) for key, value in ME.items()}),
)


@given(steps=st.lists(FILE_LIKE, max_size=8))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_likes__twice_is_once_after_any_history(tmp_path_factory, steps):
    host = Host(str(tmp_path_factory.mktemp("host")))
    for resource in steps:
        now = look(host, resource)
        if isinstance(resource, Link) and now is not None and now["type"] != "link":
            continue  # it refuses, rightly
        if gap_between(resource, now):
            resource.fix(host, now)
        once = look(host, resource)
        assert gap_between(resource, once) == {}
        resource.fix(host, once)
        assert look(host, resource) == once


STANDARD = {
    "abc", "base64", "contextlib", "dataclasses", "difflib", "functools", "hashlib", "http",
    "importlib", "ipaddress", "json", "os", "posixpath", "re", "ssl", "stat", "sys", "time",
    "typing", "xml", "__future__",
}  # fmt: skip


@pytest.mark.parametrize(
    "path", sorted(Path(nodriza.resources.__path__[0]).glob("*.py")), ids=lambda path: path.stem
)
def test_module__travels_with_the_standard_library_and_python_3_9(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module)
    travels = ("nodriza.resources", "nodriza.agent", "nodriza.host")
    ours = {name for name in imported if name.startswith(travels)}
    assert {name.split(".")[0] for name in imported - ours} <= STANDARD
