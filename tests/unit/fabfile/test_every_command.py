"""Every command that there is, with every kind of wrong input: exit 2, and nothing is touched.

Commands, flags and what may stand behind them are found from the collection, so that a new
command is walked without anybody adding it here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from invoke import Context
from nodriza.fabfile import flags, kinds
from nodriza.fabfile.task import Command, flag_of

from nodriza.inventory import load_cluster
from tests.unit.fabfile import test_commands
from tests.unit.fabfile.test_grammar import all_commands
from tests.unit.typed import typed

project = test_commands.project

COMMANDS = all_commands()
NEEDS_NO_INVENTORY = {"inventory.keys", "inventory.schema"}
LOCAL = {
    "demo",
    "drill",
    "lab.box",
    "lab.down",
    "lab.ssh",
    "lab.up",
    "render",
    "secrets.key",
    "topology",
}
"""They change files on this computer, and machines that it has made."""
AT_A_TERMINAL = {"secrets.edit"}
"""It says so before it reads anything."""
OTHERS = {"run": ["line"], "manage": ["line"], "rollback": ["run"]}
"""What a command must be told besides what it is about."""
LONG = "x" * 5_000

WRONG = {
    "OneOf": [("nope", "there is no such")],
    "Keeping": [("cache", "there is no such"), ("database,nope", "there is no such")],
    "Whole": [
        ("many", "'many' is not a whole"),
        ("-1", "must be at least"),
        ("1.5", "is not"),
    ],
    "Share": [("0%x", "it is a number of children, or such a part of them")],
    "Like": [("?", "")],
    "When": [
        ("yesterday", "not a time"),
        ("2999-01-01", "that time has not come"),
        ("9999999999999d", "not a time"),
        ("15", "not a time"),
    ],
    "At": [
        ("yesterday", "not a time in UTC to the second"),
        ("2026-11-30", "not a time in UTC to the second"),
        ("2999-01-01 00:00:00", "that time has not come"),
    ],
    "Addresses": [("nope", "that is no IP address"), ("1.2.3.256", "that is no IP address")],
    "Networks": [("nope", "must be an IPv4 address"), ("192.0.2.7/28", "the network is")],
    "NewFile": [
        ("/nope/x.svg", "there is no such folder"),
        ("/etc/passwd/x.svg", "there is no such folder"),
    ],
    "NewFolder": [("/etc/passwd", "is no folder"), ("/etc/passwd/x", "is no folder")],
    "Secret": [("?", "")],
    "Kind": [],
    "Target": [],
    "UnitName": [],
}
"""A kind of value, what it can never be, and what is said of that."""


class Mistake(NamedTuple):
    words: list[str]
    said: str


def needed(name: str, *, subject: bool = True) -> list[str]:
    """The command with all that it can't do without."""
    task = COMMANDS[name]
    words = [name]
    for arg in task.get_arguments(ignore_unknown_help=True):
        if arg.positional and arg.name != task.subject:
            words += [flag_of(arg.name), "uptime"]
        elif arg.positional and subject:
            words += [flag_of(arg.name), right(name)]
    return words


def turn(name: str, ways: list[Any]) -> list[Any]:
    """One of several ways of the same mistake, another one for the next command."""
    return [ways[sorted(COMMANDS).index(name) % len(ways)]]


def right(name: str) -> str:
    """Something that the command could be about."""
    return {"target": "server-2", "name": "newcomer", "state": "on", "address": "192.0.2.7"}[
        COMMANDS[name].subject
    ]


def with_value(task: Command) -> list[str]:
    """The parameters behind which something stands."""
    args = task.get_arguments(ignore_unknown_help=True)
    return [arg.name for arg in args if arg.takes_value]


def mistakes(name: str) -> Iterator[Mistake]:
    task = COMMANDS[name]
    yield Mistake([*needed(name), "--nope"], f"{name} has no flag --nope")
    yield Mistake([name[:-1] + "zzz"], "no command and no inventory")
    yield Mistake([*needed(name), "--", "uptime"], "nothing can stand behind --")
    yield Mistake([*needed(name), "mine"], "the inventory comes first")
    yield Mistake(["mine:server-2", *needed(name)], "mine is an inventory")
    yield Mistake(["mine", "other", *needed(name)], "are inventories: one at a time")
    for word in turn(name, ["\udcff", "a\nb", "\x1b[31m", "", LONG]):
        yield Mistake([*needed(name), *[word] * 3], "")
    yield from about(name, task)
    yield from values(name, task)
    yield from core(name, task)


def about(name: str, task: Command) -> Iterator[Mistake]:
    """What it is about, in every way."""
    rest = needed(name, subject=False)[1:]
    if not task.subject:
        ways = [[f"{name}:server-2"], [name, "server-2"], [name, "--target", "server-2"]]
        for words in ways:
            yield Mistake([*words, *rest], f"{name} takes no target")
        yield Mistake(["-H", "server-2", name], f"{name} takes no target")
        return
    flag = flag_of(task.subject)
    empty = [[f"{name}:"], [name, flag, ""], [name, f"{flag}="], [f"{name}: "]]
    for words in turn(name, empty):
        yield Mistake([*words, *rest], f"{name}: there is no {task.subject}")
    yield Mistake([f"{name}:one", flag, "two", *rest], f"{name} has two targets, one and two")
    yield Mistake([name, flag, "one", flag, "two", *rest], f"{name} has two targets")
    if name not in OTHERS:
        yield Mistake([f"{name}:one", "two"], f"{name} has one already: what is two?")
    if needed(name) != needed(name, subject=False):
        yield Mistake([name], f"{name} needs to be told: {task.subject}")
    if task.subject != "target":
        yield Mistake(["-H", "server-2", name, *rest], f"{name} takes no target")
        return
    for number, (word, said) in enumerate(
        [
            ("nobody", "there is no such node"),
            ("server_2", "did you mean server-2"),
            ("SERVER-2", "did you mean server-2?"),
            ("server-2,,server-3", "nothing between two commas"),
            ("../../etc", "there is no such node"),
            ("server-2:server-3", "there is no such node"),
            ("server-[2:9]", "do not exist"),
            ("server-[2", ""),
            (LONG, "there is no such node"),
        ]
    ):
        ways = [[f"{name}:{word}"], [name, flag, word], ["-H", word, name]]
        yield Mistake([*ways[number % 3], *rest], said)


def values(name: str, task: Command) -> Iterator[Mistake]:
    """Behind each flag what can't stand there."""
    for param in with_value(task):
        flag, kind = flag_of(param), task.kinds[param]
        base = needed(name, subject=param != task.subject)
        base = [name] if param in OTHERS.get(name, []) else base
        yield Mistake([*base, flag], f"{flag} needs a value behind it")
        if param == task.subject:
            continue
        empty = "is not a whole number" if isinstance(kind, kinds.Whole) else ""
        yield Mistake([*base, f"{flag}="], empty)
        for value, said in WRONG[type(kind).__name__]:
            yield Mistake([*base, f"{flag}={value}"], said)


def core(name: str, task: Command) -> Iterator[Mistake]:
    """Fabric's own flags."""
    shell = ["--echo", "--pty", "--warn-only", "--hide=out", "--command-timeout=5"]
    for flag in turn(name, shell):
        yield Mistake([flag, *needed(name)], "is for shell commands of one's own fabfile")
    if not task.connects:
        login = ["--identity=/etc/passwd", "--connect-timeout=5", "--prompt-for-passphrase"]
        for flag in turn(name, login):
            yield Mistake([flag, *needed(name)], f"has no meaning for {name}")
    else:
        ways = [
            ("--identity=nope", "the key nope can't be read"),
            ("--ssh-config=nope", "there is no such file"),
            ("--connect-timeout=0", "1 to 86400 seconds"),
            ("--config=nope.yaml", "there is no such file"),
        ]
        for flag, said in turn(name, ways):
            yield Mistake([flag, *needed(name)], said)
    if not (task.reads or task.checks):
        yield Mistake(["--dry", *needed(name)], f"--dry: {name} can't be tried")
    for param, kind in task.kinds.items():
        if kind.writes and task.reads:
            words = ["--dry", *needed(name), f"{flag_of(param)}=x"]
            yield Mistake(words, f"--dry: {name} would write the file")


@pytest.fixture
def away(project, tmp_path_factory):
    """A cluster that is no lab, so that a connection would be tried; and a second one."""
    file = project / "inventories" / "mine.yml"
    text = file.read_text().split("\nlab:")[0] + "\n"
    file.write_text(text)
    (project / "inventories" / "other.yml").write_text(text)
    (project / "fabric.yaml").write_text("nodriza: {inventory: mine}\n")
    return project


def refused(folder: Path, words: list[str], said: str, *, code: int = 2, **env: str) -> None:
    """Everything that must hold of a line that can't be meant."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    env = {"HOME": "/nonexistent", "NODRIZA_AGE_KEY_FILE": str(folder / "key"), **env}
    done = typed(*words, folder=folder, **env)
    shown = f"{[word[:60] for word in words]}\n{done.stdout}{done.stderr[:2000]}"
    assert "Traceback" not in done.stderr, shown
    assert said in done.stderr, shown
    assert done.returncode == code, shown
    assert done.stdout == "", shown
    assert done.touched == [], shown
    assert "\x1b" not in done.stderr, shown
    assert len(done.stderr) < 2_000, shown
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before, shown


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_wrong_input__is_refused_with_words_and_nothing_is_touched(away, name):
    for mistake in mistakes(name):
        # Of drift 2 means that there is some; a cluster that it can't read is an error.
        late = name == "drift" and mistake.words[-1] != "" and is_late(mistake)
        refused(away, mistake.words, mistake.said, code=1 if late else 2)


def is_late(mistake: Mistake) -> bool:
    """Whether only the inventory shows it."""
    words = ("no such node", "did you mean server-2", "two commas", "do not exist")
    return any(each in mistake.said for each in words) or "server-[2" in " ".join(mistake.words)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - NEEDS_NO_INVENTORY - AT_A_TERMINAL))
def test_inventory_that_can_not_be_read__is_told_by_every_command(away, name):
    code = 1 if name == "drift" else 2
    file = away / "inventories" / "mine.yml"
    file.write_text(file.read_text().replace("domain:", "domian:"))
    refused(away, needed(name), 'did you mean "domain"?', code=code)
    refused(away, needed(name), "no inventory nope, which $", code=code, NODRIZA_INVENTORY="nope")
    (away / "fabric.yaml").write_text("nodriza: {inventory: othr}\n")
    refused(away, needed(name), "did you mean other?", code=code)
    (away / "fabric.yaml").unlink()
    refused(away, needed(name), "which inventory?", code=code)
    for path in (away / "inventories").iterdir():
        path.unlink()
    refused(away, needed(name), "no inventory here", code=code)


@pytest.mark.parametrize("name", sorted(name for name, task in COMMANDS.items() if task.edits))
def test_checkout_that_can_not_be_written__is_told_before_anything_else(away, name):
    if os.geteuid():
        pytest.skip("takes the place of a user who may not write here, which root can")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "p")
        away.rename(folder)
        for path in (Path(place), folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        refused(folder, needed(name), "can't be written: you may not write there", user="65534")


@pytest.mark.parametrize("name", sorted(n for n, task in COMMANDS.items() if not task.connects))
def test_command_that_logs_in_nowhere__says_so_rightly(away, name):
    """Fabric's flags for logging in are refused by it, so it must not log in."""
    if name in ("lab.up", "lab.down", "lab.box", "demo", "dns.check"):
        pytest.skip("makes or asks machines, and logs in to none that the flags are about")
    touched = typed(*needed(name), folder=away).touched
    assert not [each for each in touched if "connection" in each]


@pytest.mark.parametrize("name", sorted(name for name, task in COMMANDS.items() if task.reads))
def test_command_that_reads__writes_nothing(away, name):
    before = {path: path.stat().st_mtime_ns for path in away.rglob("*")}
    env = {"HOME": "/nonexistent", "NODRIZA_AGE_KEY_FILE": str(away / "key")}
    done = typed("--dry", *needed(name), folder=away, **env)
    assert "Traceback" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in away.rglob("*")} == before


def test_every_command__says_what_it_is_about():
    """What a command can't do without is its subject, but for the line of run and manage."""
    for name, task in COMMANDS.items():
        args = task.get_arguments(ignore_unknown_help=True)
        others = [arg.name for arg in args if arg.positional and arg.name != task.subject]
        assert others == OTHERS.get(name, [])
        assert task.subject in ("", "target", "name", "state", "address")


@pytest.fixture
def guarded(away):
    """A protected cluster, and another one beside it."""
    file = away / "inventories" / "mine.yml"
    file.write_text(file.read_text() + "\nprotected: true\n")
    return away


CHANGING = sorted(name for name, task in COMMANDS.items() if task.may_change)


@pytest.mark.parametrize("name", CHANGING)
def test_protected_cluster__is_changed_by_no_command_that_nobody_was_asked_about(guarded, name):
    """A command that says nothing of itself is one that changes."""
    cluster = load_cluster(guarded / "inventories" / "mine.yml").name
    words = needed(name) + ([right(name)] if name in ("block", "maintenance") else [])
    said = f"the same command with --yes {cluster}"
    refused(guarded, ["mine", *words], said)
    refused(guarded, ["mine", *words, "--yes", "other"], f"--yes other: this cluster is {cluster}")
    # With its name it goes on, to whatever else may be wrong.
    env = {"HOME": "/nonexistent", "NODRIZA_AGE_KEY_FILE": str(guarded / "key")}
    done = typed("mine", *words, "--yes", cluster, folder=guarded, **env)
    assert "is protected" not in done.stderr


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {*CHANGING}))
def test_command_that_changes_nothing_of_a_cluster__asks_for_no_name(guarded, name):
    assert "--yes" not in [flag for arg in COMMANDS[name].get_arguments() for flag in arg.names]
    assert COMMANDS[name].reads or name in LOCAL


def test_check_and_a_look__ask_for_no_name(guarded):
    env = {"HOME": "/nonexistent", "NODRIZA_AGE_KEY_FILE": str(guarded / "key")}
    for words in (["provision", "--check"], ["--dry", "deploy"], ["maintenance"]):
        assert "is protected" not in typed("mine", *words, folder=guarded, **env).stderr


def test_every_kind__has_a_value_that_it_can_never_be():
    used = {type(kind).__name__ for task in COMMANDS.values() for kind in task.kinds.values()}
    assert used <= set(WRONG)


def test_parameter_without_a_kind__can_not_be_defined():
    with pytest.raises(TypeError, match="change: size needs a kind"):
        Command(change)


def change(c: Context, size: int = 3) -> None:
    """A command as nobody may write it."""


def test_flags_of_fabric__are_all_walked():
    assert set(flags.REFUSED) == {"command-timeout", "echo", "hide", "pty", "warn-only"}
