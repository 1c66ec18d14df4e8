"""No text of an inventory gets out of the place that it is written to.

Every text of a whole inventory in turn, and several at once, becomes something odd: what
its own pattern just allows, or what a shell, nginx, SQL, systemd, a path, YAML or a
template would take for their own. Either it is refused with words, or all files of all
nodes keep the structure that they have with harmless names.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import posixpath
import re
import subprocess
from dataclasses import fields as fields_of
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from nodriza.errors import InventoryError, RoleError
from nodriza.host.env_file import parse_environment
from nodriza.host.errors import Result
from nodriza.host.host import Host
from nodriza.host.mounts import MountEntry, with_entry
from nodriza.inventory import load_cluster
from nodriza.inventory.schema import schema
from nodriza.plan.plan import plan_node
from nodriza.plan.render import Renderer
from nodriza.resources import Database, DatabaseUser, File, Mount, Package
from nodriza.vault.token import ESCAPED
from tests.unit.hostile.shapes import shape, sql

HARMLESS = {
    "cluster": "plain",
    "domain": "shop.example.org",
    "aliases": ["www.shop.example.org", "shop.example.com"],
    "proxies": ["192.0.2.5", "10.0.9.0/28"],
    "networks": {"private": "10.0.0.0/16", "public": "192.0.2.0/24"},
    "app": {
        "name": "shop",
        "source": "app",
        "wsgi": "shop.wsgi",
        "settings": "shop.settings",
        "celery": "shop",
        "requirements": "requirements.txt",
        "environment": {"COLOUR": "green", "SIZE": "small"},
        "packages": ["libone", "libtwo"],
        "build_packages": ["libthree"],
        "smoke": "smoke.py",
        "uploads": ["/upload/", "/admin/"],
    },
    "share": {"engine": "nfs", "options": ["noresvport"]},
    "tls": {
        "mode": "acme",
        "certificate": "certificate.pem",
        "key": "tls_key",
        "email": "who@example.org",
        "directory": "https://acme.example.org/directory",
        "ca": "ca.pem",
    },
    "ssh": {"user": "deploy", "key": "key", "gateway": "jump@bastion.example.org:22"},
    "variables": {"timezone": "Europe/Madrid", "celery_concurrency": 2, "own": "text"},
    "kinds": {"video": {"ssh": {"known_hosts": "known", "host": "video.example.org"}}},
    "nodes": {
        "central-1": {"kind": "central", "private": "10.0.0.11", "public": "192.0.2.11"},
        "child-1": {"kind": "child", "private": "10.0.0.12", "public": "192.0.2.12"},
        "child-2": {"kind": "child", "private": "10.0.0.13", "variables": {"needs": ["database"]}},
        "video-1": {"kind": "video", "private": "10.0.0.21"},
    },
}
KEY = "(key)"  # at the end of a path: not the value, its name
FILES = ("requirements.txt", "smoke.py")
WORDS = """
; && || | > < $(id) `id` ${IFS} " ' \\ \\" \\' # // /* */ -- ; { } } { %n %i $uri $host *
; DROP/**/DATABASE %s {{app}} {%_if_1_%} {# ../.. /etc/shadow ~ ~root - --help -rf ! \\\\ \\n
[mysqld] [Service] ExecStart=/bin/sh @ @(/etc/shadow) %( ‹secret:redis› ‹secret: › : = , ()
(rw,no_root_squash) 0.0.0.0/0 localhost root mysql é ñ ß \u200b \U0001f600 \ufdd0 \ud7ff
"""
HOSTILE = [
    *WORDS.split(),
    "a b",
    "a\nb",
    "\n",
    "\t",
    "\r\n",
    "\x00",
    "\x1b[2J",
    "\x85",
    "\u2028",
    "\u202e",
]
HOSTILE += ["a\n[Service]\nExecStart=/bin/sh", "x;}\nserver{", "\\\n", " ", "", "#", "a" * 300]


def leaves(data, path=()):
    """The path of every text: values, and keys that people choose."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if path in (("app", "environment"), ("nodes",), ("variables",)):
            yield (*path, key, KEY)
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*path, key))
        elif isinstance(value, str):
            yield (*path, key)


# One of a few words each; another one is another cluster.
WORDED = ("kind", "engine", "mode")
LEAVES = [path for path in leaves(HARMLESS) if path[-1] not in WORDED]
SCHEMA = schema()


def pattern(path):
    """What the schema says of the text at ``path``."""
    place = SCHEMA
    for part in (*path[:-2], KEY) if path[-1] == KEY else path:
        while "$ref" in place or "anyOf" in place or "allOf" in place:
            place = (place.get("anyOf") or place.get("allOf") or [place])[0]
            if "$ref" in place:
                place = SCHEMA["definitions"][place["$ref"].rpartition("/")[2]]
        if part == KEY:
            return place["propertyNames"]["pattern"].partition("$|")[0]
        known = place.get("properties", {})
        inner = place.get("items") if isinstance(part, int) else known.get(part)
        place = inner if inner is not None else place["additionalProperties"]
        parent = place
    return parent.get("pattern") if isinstance(parent, dict) else None


# One for each kind of text.
PLACES = list({pattern(path) or path: path for path in LEAVES}.values())


def odd(path):
    """Texts for one place: hostile, half hostile, and legal but seldom seen."""
    harmless = path[-2] if path[-1] == KEY else at(HARMLESS, path)
    word = st.sampled_from(HOSTILE) | st.text(max_size=6)
    mixed = st.builds(
        lambda bit, place: harmless[:place] + bit + harmless[place:],
        word,
        st.integers(0, len(harmless)),
    )
    allowed = pattern(path)
    kinds = [word, mixed]
    if allowed and allowed != r"^(?:[^\n\r]*)$":
        ascii_ = st.characters(max_codepoint=126)
        kinds += [st.from_regex(re.compile(allowed, re.ASCII), alphabet=ascii_)] * 2
    return st.one_of(kinds)


def at(data, path):
    for part in path:
        data = data[part]
    return data


def put(data, path, text):
    if path[-1] == KEY:
        holder = at(data, path[:-2])
        items = [(text if key == path[-2] else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(items)
    else:
        at(data, path[:-1])[path[-1]] = text


@st.composite
def changes(draw):
    paths = draw(st.lists(st.sampled_from(LEAVES), min_size=1, max_size=2, unique=True))
    return [(path, draw(odd(path))) for path in paths]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "inventories" / "app").mkdir(parents=True)
    for name in ("certificate.pem", "ca.pem"):
        (home / "inventories" / name).write_text("-----BEGIN CERTIFICATE-----\n")
    for name in FILES:
        (home / "inventories" / "app" / name).touch()
    old = os.environ.get("NODRIZA_LAB_STATE")
    os.environ["NODRIZA_LAB_STATE"] = str(home / "lab")
    yield home
    os.environ.pop("NODRIZA_LAB_STATE")
    if old:
        os.environ["NODRIZA_LAB_STATE"] = old


def loaded(home, data):
    """The cluster; the files that the data speaks of are made where that is possible."""
    folder = home / "inventories"
    source = folder / str(data["app"]["source"])
    with contextlib.suppress(OSError, ValueError, UnicodeError):
        if source.is_relative_to(home) and ".." not in source.parts:
            source.mkdir(exist_ok=True)
            for name in FILES:
                (source / name).touch()
            for key in ("requirements", "smoke"):
                if re.fullmatch(r"[A-Za-z0-9_.-]+", data["app"][key]):
                    (source / data["app"][key]).touch()
    for key in ("certificate", "ca"):
        with contextlib.suppress(OSError, ValueError, UnicodeError):
            if "/" not in data["tls"][key]:
                (folder / data["tls"][key]).touch()
    file = folder / "plain.yml"
    text = json.dumps(data, ensure_ascii=False)
    # To YAML these are ends of lines; the texts are meant to have them.
    text = re.sub("[\x85\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return load_cluster(file)


RENDERER = Renderer()  # which compiles each template once


def rendered(cluster):
    """The resources of every node in turn, without packages, which may be twice the same."""
    found = []
    for node in cluster.nodes:
        for planned in plan_node(node, cluster, RENDERER).resources:
            if isinstance(planned.resource, Package):
                assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]", planned.resource.name)
            else:
                found.append(planned.resource)
    return found


class Listener(Host):
    """A database server that knows nobody, and what it is told."""

    def __init__(self) -> None:
        super().__init__("/")
        self.heard = ""

    def run(self, argv, input=None, **kwargs):
        self.heard += input or ""
        return Result(list(argv), 0, "", "")


def statements(resource):
    listener = Listener()
    resource.fix(listener, None)
    return sql(listener.heard)


def check_alike(plain, other, scratch):
    """Two resources that differ in their texts only."""
    assert type(plain) is type(other)
    assert plain.id.count("\n") == other.id.count("\n")
    for field in fields_of(other):
        check_text(field.name, getattr(plain, field.name), getattr(other, field.name))
    if isinstance(plain, File) and plain.data != other.data:
        got = shape(plain.path, other.data, scratch)
        assert got == shape(plain.path, plain.data, scratch), (plain.content, other.content)
    if isinstance(plain, Mount):
        row = with_entry(
            b"", other.path, MountEntry(other.source, other.fstype, ",".join(other.options))
        )
        assert len(row.split()) == 6
        assert len(other.options) == len(",".join(other.options).split(","))
    if isinstance(plain, (Database, DatabaseUser)):
        assert statements(plain) == statements(other)


def check_text(name, plain, text):
    if isinstance(plain, tuple):
        assert len(plain) == len(text)
        for one, another in zip(plain, text, strict=True):
            check_text(name, one, another)
    elif isinstance(text, str) and name != "content":
        assert not re.search(r"[\x00-\x1f\x7f]", text) or text == plain
        if name == "path" or (plain.startswith("/") and "\n" not in plain):
            assert text == posixpath.normpath(text)
            assert text.count("/") == plain.count("/") or "zoneinfo" in text
            assert not re.search(r"\s", text)
        assert text.startswith("-") == plain.startswith("-")


def check_environment(cluster, resources):
    own = cluster.app.environment_file
    files = [item for item in resources if isinstance(item, File) and item.path == own]
    assert len(files) == len(cluster.nodes)
    for file in files:
        found = parse_environment(file.content)
        for key, value in cluster.app.environment.items():
            # A secret is put there as an environment file quotes it.
            assert found.get(key) == re.sub(
                r"‹secret:([a-z0-9_]+)›", rf"‹secret:\1{ESCAPED}›", value
            )


PLAIN = {}


def check_same(home, data):
    """Refused in words, or everything rendered has the structure that it has otherwise."""
    mode = (data["share"]["engine"], data["tls"]["mode"])
    if mode not in PLAIN:
        base = copy.deepcopy(HARMLESS)
        base["share"]["engine"], base["tls"]["mode"] = mode
        PLAIN[mode] = rendered(loaded(home, base))
    try:
        return check_rendered(home, loaded(home, data), PLAIN[mode])
    except InventoryError as error:
        problems = error.problems
    except RoleError as error:  # a job that nobody does
        problems = [error.what]
    assert all(len(line.splitlines()) == 1 and len(line) < 1000 for line in problems)
    return False


def check_rendered(home, cluster, plain):
    resources = rendered(cluster)
    assert len(resources) == len(plain)
    for one, other in zip(plain, resources, strict=True):
        check_alike(one, other, home)
    check_environment(cluster, resources)
    return True


MODES = [("nfs", "acme"), ("nfs", "files"), ("nfs", "none"), ("glusterfs", "none")]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(changed=changes(), mode=st.sampled_from(MODES))
@example(changed=[(("app", "environment", "COLOUR"), '"; } $X `id` \\ # %n')], mode=MODES[0])
@example(changed=[(("app", "environment", "COLOUR"), "‹secret:own›")], mode=MODES[0])
@example(changed=[(("app", "environment", "COLOUR"), "ends with \\")], mode=MODES[0])
@example(changed=[(("app", "environment", "COLOUR", KEY), "PATH")], mode=MODES[0])
@example(changed=[(("app", "name"), "a_")], mode=MODES[0])
@example(changed=[(("nodes", "child-1", KEY), "always")], mode=MODES[0])
@example(changed=[(("nodes", "child-1", KEY), "a" * 63)], mode=MODES[1])
def test_text__of_an_inventory_never_changes_what_is_around_it(home, changed, mode):
    # "/" is a word of its own there: everywhere.
    assume(not any("uploads" in path and text == "/" for path, text in changed))
    data = copy.deepcopy(HARMLESS)
    data["share"]["engine"], data["tls"]["mode"] = mode
    for path, text in sorted(changed, key=lambda change: change[0][-1] == KEY):
        put(data, path, text)
    taken = check_same(home, data)
    event(f"{'taken' if taken else 'refused'}")


@pytest.mark.parametrize("path", PLACES, ids=lambda path: "/".join(map(str, path)))
def test_text__that_is_hostile_is_refused_or_harmless_in_every_place(home, path):
    data = copy.deepcopy(HARMLESS)
    assert check_same(home, data)  # else nothing below would mean much
    taken = 0
    for word in HOSTILE:
        data = copy.deepcopy(HARMLESS)
        put(data, path, word)
        # Once some have been taken, so will the others that are like them.
        taken += taken < 8 and check_same(home, data)


def test_environment__may_have_any_line_of_text_and_gives_it_back(home):
    data = copy.deepcopy(HARMLESS)
    taken = []
    for word in HOSTILE:
        data["app"]["environment"] = {"A": word}
        with contextlib.suppress(InventoryError):
            loaded(home, data)
            taken.append(word)
    assert len(taken) > 50
    data["app"]["environment"] = {f"A{number}": word for number, word in enumerate(taken)}
    cluster = loaded(home, data)
    assert list(cluster.app.environment.values()) == taken
    check_environment(cluster, rendered(cluster))


def test_scripts__are_read_by_their_own_shell(home, tmp_path):
    data = copy.deepcopy(HARMLESS)
    data["app"] |= {"name": "a_0", "celery": "a.b_c._d"}
    data["domain"], data["nodes"]["7-eleven"] = "xn--nio-8ma.example", data["nodes"].pop("child-1")
    scripts = [
        item
        for item in rendered(loaded(home, data))
        if isinstance(item, File) and item.content.startswith("#!/bin/sh")
    ]
    assert len(scripts) >= 4
    for script in scripts:
        file = Path(tmp_path / "script")
        file.write_text(script.content)
        for shell in ("bash", "sh"):
            subprocess.run([shell, "-n", str(file)], check=True)
