"""A text that is no YAML, or other YAML than its writer meant: told where, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster
from tests.unit.conftest import ROOT
from tests.unit.inventory.conftest import GOOD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1 inventory: the inventory is empty"),
        ("words", "1:1 inventory: the inventory must begin with keys"),
        ("a:\n\tb: 1\n", "2:1 inventory: a tab"),
        ("a: [1, 2\nb: 3\n", "2:2 inventory: a bracket from line 1 is not closed"),
        ("a:\n  b: 1\n c: 2\n", "3:2 inventory: does not fit into what begins in line 1"),
        ("a\n  b: 1\n", "2:4 inventory: this colon is not expected"),
        ('a: "b\n', "2:1 inventory: the file ends inside of quotes that begin in line 1"),
        ("a: @b\n", "1:4 inventory: text can't start with @"),
        ("a: *b\n", "1:4 inventory: no anchor of this name"),
        ("a: *.b\n", "1:5 inventory: text can't start with * or &"),
        ('a: "\\d"\n', "1:6 inventory: a backslash"),
        ("a: 1\n---\nb: 2\n", "2:1 inventory: a second document"),
        ("a: &a [*a]\n", "1:4 inventory: this anchor contains itself"),
        ("a: " + "[" * 100_000, "1:67 inventory: more than 64 levels deep"),
        ("- " * 100_000, "1:129 inventory: more than 64 levels deep"),
        ("a: \x07\n", "1:4 inventory: a character that no text has (U+0007)"),
    ],
)
def test_mistakes__in_the_grammar_are_told_in_plain_words(mistakes, text, said):
    (found,) = mistakes(text)
    assert found.startswith(said)


def test_mistakes__tags_are_refused(mistakes):
    text = GOOD + "variables: {a: !!python/object/apply:os.system [id], b: !vault x}\n"
    first, second = mistakes(text)
    assert first.startswith("12:16 variables/a: the tag !!python/object/apply:os.system")
    assert second.startswith("12:57 variables/b: the tag !vault")


@pytest.mark.parametrize(
    "raw", ["no", "On", "012", "0x1f", "22:22", "1_000", "3.10", "2024-01-01", ".inf", "1:20.5"]
)
def test_mistakes__what_yaml_would_silently_change_is_refused(mistakes, write, raw):
    (said,) = mistakes(GOOD + f"variables: {{value: {raw}}}\n")
    assert said.startswith("12:20 variables/value: ")
    assert f'"{raw}"' in said
    quoted = load_cluster(write(GOOD + f'variables: {{value: "{raw}"}}\n'))
    assert quoted.variables == {"value": raw}


@pytest.mark.parametrize("raw", ["no", "[a]", '"\\e"'])
def test_mistakes__a_key_that_is_not_text_is_refused(mistakes, raw):
    (said,) = mistakes(GOOD + f"variables: {{{raw}: 1}}\n")
    assert said.startswith("12:13 variables: a key must be text")


@pytest.mark.parametrize("key", ["007", "0x1f", "12", "1e+3", "~", "12:30"])
@pytest.mark.parametrize("place", ["variables: {%s: 1}", "nodes: {%s: 1}"])
def test_mistakes__no_quotes_are_asked_for_where_they_would_not_help(mistakes, place, key):
    found = mistakes(place % key)
    assert not [line for line in found if "quotes" in line]
    assert [line for line in found if f"/{key}: " in line]


def test_mistakes__through_an_anchor_are_told_once_where_they_are_written(mistakes):
    nodes = "  a: &a {kind: child, private: 10.0.0.8, memory_mb: 1}\n"
    nodes += "  b: {<<: *a, private: 10.0.0.9}\n"
    (said,) = mistakes(GOOD + nodes)
    assert said.startswith("12:53 nodes/a/memory_mb: must be at least 128, not 1")


def test_mistakes__anchors_inside_of_anchors_do_not_eat_the_memory(mistakes):
    bomb = "a: &a0 [x]\n" + "".join(
        f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9)
    )
    (said,) = mistakes(bomb)
    assert "too many values" in said


def test_mistakes__merges_inside_of_merges_do_not_eat_the_time(mistakes):
    bomb = "a: &a0 {x: 1}\n" + "".join(
        f"b{n}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(9)
    )
    (said,) = mistakes(bomb)
    assert "too many values" in said


SHIPPED = (ROOT / "inventories" / "production.example.yml").read_text(encoding="utf-8")
LINES = SHIPPED.splitlines(keepends=True)
STROKES = r"null ~ - [ ] { } : &a *video <<:*video !!int 12 012 [1:3] [9:1] \x07 ' \" # = ? | %"
BITS = st.sampled_from(STROKES.split()) | st.sampled_from(
    ["\n", "\t", "\r", "- ", ": ", "<<: *video", '"\\ud800"', "\x85"]
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The shipped example with a few strokes of a cat on the keyboard."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(0, len(lines) - 1))
        line, bit = lines[number], draw(BITS | st.text(max_size=4))
        at = draw(st.integers(0, len(line)))
        cut = draw(st.integers(at, min(at + 12, len(line))))
        lines[number] = line[:at] + bit + line[cut:]
    return "".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the damaged files are read from: beside all that an undamaged one needs."""
    home = tmp_path_factory.mktemp("home")
    source = home / "examples" / "videoteca"
    source.mkdir(parents=True)
    (source / "requirements.txt").touch()
    (source / "smoke.py").touch()
    (home / "inventories").mkdir()
    return home / "inventories"


@settings(max_examples=150)
@example(text=SHIPPED)
@example(text="\ud800")
@example(text="a: !!int x")
@example(text="a: !!null x\n? ? b")
@example(text="nodes: {a: {kind: [], private: {}, ssh: [], roles: [[]], variables: {a: [~]}}}")
@given(text=st.text(max_size=80) | damaged())
def test_any_text__is_a_cluster_or_an_inventory_error(folder, text):
    file = folder / "any.yml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    problems = []
    try:
        assert load_cluster(file).builder
    except InventoryError as error:
        problems = error.problems
        assert problems
    assert all(len(line.splitlines()) == 1 and line.encode() for line in problems)
