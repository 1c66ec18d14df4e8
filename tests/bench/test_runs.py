"""Who runs when, and what is read off a run."""

import sys
from pathlib import Path

import pytest

from bench.hosts import ROUNDS, Cell
from bench.tools import TOOLS, measure

ENV = {"PATH": "/usr/bin:/bin"}


def test_the_tools_take_turns() -> None:
    cell = Cell("noop", 4, 0, ("nodriza", "pyinfra", "ansible"))
    turns = [tool.name for tool in cell.turns()]
    assert turns[:6] == ["nodriza", "pyinfra", "ansible"] * 2
    assert {name: turns.count(name) for name in cell.names} == {
        name: ROUNDS[name] for name in cell.names
    }


def test_the_floor_has_no_place_where_something_is_to_be_done() -> None:
    assert "floor" not in [tool.name for tool in Cell("change", 4, 0).tools]
    assert "floor" in [tool.name for tool in Cell("noop", 4, 0).tools]


def test_in_a_quick_run_the_peers_run_once() -> None:
    turns = [tool.name for tool in Cell("noop", 4, 0, quick=True).turns()]
    assert turns.count("ansible") == turns.count("pyinfra") == turns.count("mitogen") == 1
    assert turns.count("nodriza") == turns.count("floor") == ROUNDS["floor"]


@pytest.mark.parametrize(
    ("name", "said", "changed"),
    [
        ("nodriza", "nothing to change on 2 nodes (1.4 s)", 0),
        ("nodriza", "8 resources changed on 4 nodes (5.4 s)", 8),
        ("pyinfra", "    Grand total      80    -    -    80", 0),
        ("pyinfra", "    Grand total      80    12    -    68", 12),
        ("ansible", "a : ok=31 changed=0 failed=0\nb : ok=31 changed=0 failed=0", 0),
        ("mitogen", "a : ok=31 changed=2 failed=0\nb : ok=31 changed=3 failed=0", 5),
    ],
)
def test_what_a_tool_says_that_it_changed_is_understood(
    name: str, said: str, changed: int
) -> None:
    (tool,) = (tool for tool in TOOLS if tool.name == name)
    assert tool.changed(said) == changed


def test_a_run_is_measured(tmp_path: Path) -> None:
    script = (
        "import time; held = bytearray(b'x') * 300_000_000; time.sleep(0.3)\n"
        "end = time.process_time() + 0.2\n"
        "while time.process_time() < end: pass\n"
        "print('done')"
    )
    took = measure([sys.executable, "-c", script], env=ENV, cwd=tmp_path)
    assert took.said == "done\n"
    assert took.seconds >= 0.5
    assert 0.2 <= took.cpu <= took.seconds
    assert 290_000 < took.peak < 400_000


def test_the_peak_of_a_small_program_is_not_that_of_the_process_which_started_it(
    tmp_path: Path,
) -> None:
    held = bytearray(b"x") * 300_000_000
    assert measure(["sleep", "0.2"], env=ENV, cwd=tmp_path).peak < 20_000
    assert held


def test_a_run_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exit 3\nno such host"):
        measure(["sh", "-c", "echo no such host; exit 3"], env=ENV, cwd=tmp_path)


def test_a_run_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exit -9"):
        measure(["sleep", "60"], env=ENV, cwd=tmp_path, timeout=0.2)
