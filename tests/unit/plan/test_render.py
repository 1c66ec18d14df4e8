"""Templates stay compiled from one run to the next, where nobody else can put anything."""

from __future__ import annotations

import os

import pytest

from nodriza.plan.render import Renderer, template


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache folder of this user's."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def content(tmp_path, three_node):
    """What a text becomes that is a template's."""
    (tmp_path / "templates").mkdir()

    def rendered(text, **options):
        (tmp_path / "templates/a.j2").write_text(text)
        renderer = Renderer([tmp_path / "templates"])
        wanted = template("a.j2", to="/etc/a", **options)
        return renderer.render(wanted, three_node.builder, three_node).content

    return rendered


def kept(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_template__is_compiled_once(cache, content, monkeypatch):
    assert content("{{ node.name }}\n") == "server-1\n"
    assert len(kept(cache)) == 1
    monkeypatch.setattr("jinja2.Environment.compile", None)
    assert content("{{ node.name }}\n") == "server-1\n"


def test_template__that_was_edited_is_compiled_anew(cache, content):
    assert content("{{ node.name }}\n") == "server-1\n"
    assert content("{{ node.name }}!\n") == "server-1!\n"


def test_compiled_template__that_is_damaged_is_compiled_anew(cache, content):
    content("{{ node.name }}\n")
    for file in kept(cache):
        file.write_bytes(file.read_bytes()[:-20])
    assert content("{{ node.name }}\n") == "server-1\n"


def test_compiled_templates__are_for_nobody_else(cache, content):
    content("a\n")
    (folder,) = (cache / "nodriza").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("which", ["cache", "templates"])
def test_folder_that_others_can_write_to__is_not_used(cache, content, which):
    if which == "templates":
        content("a\n")
        (folder,) = (cache / "nodriza").iterdir()
        for file in kept(cache):
            file.unlink()
    else:
        folder = cache
    folder.chmod(0o777)
    assert content("{{ node.name }}\n") == "server-1\n"
    assert kept(cache) == []


def test_home_of_another_user__gets_nothing(cache, content, monkeypatch):
    """Root's files there would be in that user's way."""
    uid = os.geteuid()
    monkeypatch.setattr("nodriza.plan.render.os.geteuid", lambda: uid + 1)
    assert content("{{ node.name }}\n") == "server-1\n"
    assert list(cache.iterdir()) == []


def test_user_without_a_home__has_no_cache(content, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert content("{{ node.name }}\n") == "server-1\n"


def test_line__keeps_its_number_where_that_is_asked_for(content):
    """What a program says of a line is then said of the source."""
    text = "one\n{# a word #}\n{% if node.number %}\n  four\n{% endif %}\nsix\n"
    assert content(text, same_lines=True).splitlines() == ["one", "", "", "  four", "", "six"]
    assert content(text).splitlines() == ["one", "  four", "six"]
