"""Each law of docs/design.rst has faults that break it; and what plants them tells the truth."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import plant
from tests.mutants.__main__ import main
from tests.mutants.fault import BadFault, Fault
from tests.mutants.laws import faults
from tests.mutants.plant import Verdict, plant_all
from tests.unit.conftest import ROOT

LAWS = faults()
FAULTS = [fault for many in LAWS.values() for fault in many]
every_fault = pytest.mark.parametrize(
    ("law", "fault"),
    [(law, fault) for law, many in LAWS.items() for fault in many],
    ids=[fault.name.replace(" ", "-") for fault in FAULTS],
)


def laws_in_the_documents() -> dict[int, str]:
    text = (ROOT / "docs/design.rst").read_text()
    laws = text.partition("What always holds\n")[2].partition("\nA change is")[0]
    found = re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", laws, re.MULTILINE | re.DOTALL)
    return {int(number): words for number, words in found}


def test_laws__are_numbered_without_a_gap():
    assert list(laws_in_the_documents()) == list(range(1, len(LAWS) + 1))


@pytest.mark.parametrize("law", laws_in_the_documents())
def test_law__has_a_fault_that_breaks_it(law):
    assert LAWS[law]


@every_fault
def test_fault__can_be_planted_where_it_says_and_names_tests_that_are_there(law, fault):
    """Its text is there exactly once. Whoever moves the code moves the fault as well."""
    try:
        assert fault.planted(ROOT) != (ROOT / fault.file).read_text()
    except BadFault as error:
        pytest.fail(f"{error} (tests/mutants/laws/law_{law:02}*.py, {fault.name!r})")
    for test in fault.tests:
        assert (ROOT / "tests/unit" / test.partition("::")[0]).exists()


def test_faults__have_names_of_their_own():
    assert [name for name, times in Counter(f.name for f in FAULTS).items() if times > 1] == []


# The harness, on a project of two functions.

MODULE = '''
def add(a, b):
    """The sum."""
    total = a + b
    return total


def double(a):
    """Twice as much."""
    total = a + a
    return total
'''
TESTS = """
import time
from engine import add

def test_add():
    assert add(2, 3) == 5

def test_red_anyway():
    assert add(2, 3) == 6

def test_that_waits():
    time.sleep(60)
"""


def fault(was: str, now: str, *tests: str, where: str = "engine.py:add") -> Fault:
    return Fault(f"{was} is {now}", where, was, now, tests or ("test_engine.py::test_add",))


NOTICED = fault("a + b", "a - b")
CHANGES_NOTHING = fault("a + b", "b + a")
IN_TWO_PLACES = fault("return total", "return 0", where="engine.py")
NO_PYTHON = fault("a + b", "a +")
NO_MODULE = fault("def double", "1 / 0\n\n\ndef double", where="engine.py:double")
RED_ANYWAY = fault("a + b", "(a + b)", "test_engine.py::test_red_anyway")
MOVED = {
    "text": fault("a * b", "a - b"),
    "function": fault("a + b", "a - b", where="engine.py:plus"),
    "file": fault("a + b", "a - b", where="motor.py:add"),
}


def write_project(root: Path) -> Path:
    (root / "tests/unit").mkdir(parents=True)
    (root / "engine.py").write_text(MODULE)
    (root / "tests/unit/test_engine.py").write_text(TESTS)
    return root


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[Fault, Verdict]:
    """The last word on each, all planted in one go, one after the other in one copy."""
    root = write_project(tmp_path_factory.mktemp("project") / "it")
    many = [NOTICED, CHANGES_NOTHING, IN_TWO_PLACES, NO_PYTHON, NO_MODULE, RED_ANYWAY]
    before = contents(root)
    found = {v.fault: v for v in plant_all(root, [*many, *MOVED.values()], workers=1)}
    assert contents(root) == before, "the checkout is as it was"
    return found


def test_copy__is_what_its_tests_import(tmp_path):
    """All of it: a fault in a role would else be planted where nobody looks."""
    copy = plant._copy(ROOT, tmp_path / "copy")
    names = ("nodriza", "nodriza.roles", "nodriza.fabfile", "nodriza.host.host", "tests")
    code = "".join(f"import {name}; print({name}.__file__)\n" for name in names)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [Path(line).is_relative_to(copy) for line in done.stdout.split()] == [True] * 5


def test_fault_that_a_test_notices__is_killed_by_that_test(verdicts):
    assert verdicts[NOTICED].killed
    assert verdicts[NOTICED].by == "test_engine.py::test_add"


def test_fault_that_changes_nothing__survives(verdicts):
    """Also after one that was killed in the same copy."""
    assert not verdicts[CHANGES_NOTHING].killed
    assert "SURVIVED" in verdicts[CHANGES_NOTHING].words


def test_fault_of_a_function__leaves_the_same_line_elsewhere_alone(project):
    text = fault("return total", "return 0").planted(project)
    assert text.count("return total") == 1
    assert text.index("return 0") < text.index("def double")


def test_fault_in_two_places__is_an_error_and_no_fault(verdicts):
    assert not verdicts[IN_TWO_PLACES].killed
    words = "the code moved: engine.py has this 2 times, not once"
    assert words in verdicts[IN_TWO_PLACES].words


@pytest.mark.parametrize("what", MOVED)
def test_fault_whose_code_moved__is_an_error_and_no_fault(verdicts, what):
    assert not verdicts[MOVED[what]].killed
    assert "the code moved" in verdicts[MOVED[what]].words


def test_fault_that_is_no_python__kills_nothing(verdicts):
    assert not verdicts[NO_PYTHON].killed
    assert "is no Python" in verdicts[NO_PYTHON].words


def test_fault_that_nothing_can_be_imported_with__kills_nothing(verdicts):
    """It would say of any test that it notices."""
    assert not verdicts[NO_MODULE].killed
    assert "its tests can't be run" in verdicts[NO_MODULE].words


def test_test_that_fails_without_the_fault__kills_nothing(verdicts):
    assert not verdicts[RED_ANYWAY].killed
    assert "fails without the fault as well" in verdicts[RED_ANYWAY].words


def test_test_that_does_not_end__is_ended(project, monkeypatch):
    monkeypatch.setattr(plant, "LONGEST", 1)
    assert plant._pytest(["test_engine.py::test_that_waits"], project) == (None, "")


@pytest.mark.parametrize(("without", "killed"), [((0, ""), True), ((None, ""), False)])
def test_test_that_does_not_end__has_noticed_if_it_ends_without(
    project, monkeypatch, without, killed
):
    answers = [(None, ""), without]
    monkeypatch.setattr(plant, "_pytest", lambda *_: answers.pop(0))
    assert list(plant_all(project, [NOTICED]))[-1].killed is killed


@pytest.mark.parametrize(("many", "code"), [(["killed"], 0), (["killed", "alive"], 1)])
def test_exit_code__tells_of_a_survivor(monkeypatch, capsys, many, code):
    said = {
        "killed": Verdict(NOTICED, 1.0, "test_engine.py::test_add"),
        "alive": Verdict(CHANGES_NOTHING, 1.0, "", "SURVIVED: no test notices it"),
    }
    chosen = [said[word] for word in many]
    monkeypatch.setattr("tests.mutants.__main__.faults", lambda: {3: [v.fault for v in chosen]})
    monkeypatch.setattr("tests.mutants.__main__.plant_all", lambda *_: iter(chosen))
    assert main([]) == code
    shown = capsys.readouterr().out
    assert f"{len(many)} faults, 1 killed, {len(many) - 1} not" in shown
    assert ("law 3: a + b is b + a\n  in engine.py:add" in shown) == bool(code)


def test_word_that_no_fault_has__is_told(capsys):
    assert main(["no-such-word"]) == 2
    assert "no fault is of no-such-word" in capsys.readouterr().out
