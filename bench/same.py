"""That the peers' tasks are this project's plan: nothing is missing, and nothing is more.

``python -m bench.same`` prints them side by side. What is in the files is one and the same, and
that it all has come about is seen on the hosts: the floor looks after each run.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import yaml

from bench.cluster import Bench, say
from bench.given import plans_of
from bench.tools import PEERS
from nodriza.plan.plan import Plan

Thing = tuple[str, str, str]
"""A kind, what it is about, and how it shall be: ("file", "/etc/hosts", "root root 0644").

("reload", "nginx", "/etc/nginx/nginx.conf") is what follows a change.
"""


def refuse_differences(bench: Bench) -> None:
    """Raises ``RuntimeError`` with each thing that somebody has and somebody else has not."""
    (plan,) = plans_of(bench.inventory(1, 0))
    wanted = set(of_plan(plan))
    for name, things in (("ansible", of_ansible()), ("pyinfra", of_pyinfra())):
        found = set(things)
        lines = [f"{name} lacks {thing}" for thing in sorted(wanted - found)]
        lines += [f"only {name} has {thing}" for thing in sorted(found - wanted)]
        if lines:
            raise RuntimeError("\n".join(["not the same work:", *lines]))
    kinds = Counter(kind for kind, _, _ in wanted)
    say("the same work: " + ", ".join(f"{number} {kind}" for kind, number in kinds.items()))


def of_plan(plan: Plan) -> Iterator[Thing]:
    """A plan's resources, and what they follow."""
    resources = plan.to_data()
    ids = {data["id"] for data in resources}
    for data in resources:
        kind = data["kind"].lower()
        subject = data["id"].partition(":")[2]
        if kind == "health":
            continue  # more than the peers are asked for: a stat(2) when nothing changes
        if kind == "service":
            subject = subject.removesuffix(".service")
        yield kind, subject, _OF_PLAN[kind](data)
        for verb in ("reload", "restart"):
            for id in data.get(f"{verb}_on", ()):
                if id in ids:  # a release has a plan of its own
                    yield verb, subject, id.removeprefix("file:")


def _owned(data: dict[str, Any]) -> str:
    return f"{data['owner']} {data['group']} {data['mode']:0>4}"


_OF_PLAN: dict[str, Callable[[dict[str, Any]], str]] = {
    "command": lambda _: "guarded",
    "directory": _owned,
    "file": _owned,
    "group": lambda data: str(data["gid"]),
    "link": lambda data: data["target"],
    "mount": lambda data: (
        f"{data['source']} {data['fstype']} {','.join(data['options'])},x-systemd.automount"
    ),
    "package": lambda _: "installed",
    "service": lambda data: f"enabled {data['enabled']}, running {data['running']}",
    "user": lambda data: f"{data['uid']} {data['group']} {data['shell']}",
}


# The playbook


def of_ansible() -> Iterator[Thing]:
    """Every task of the playbook, and what it notifies."""
    (play,) = yaml.safe_load((PEERS / "child.yml").read_text())
    defaults = play["module_defaults"]
    yield from _mounts(list(_tasks(play["tasks"], defaults)))


def _tasks(tasks: Iterable[dict[str, Any]], defaults: dict[str, Any]) -> Iterator[Thing]:
    for task in tasks:
        (module,) = (key for key in task if key.startswith("ansible.builtin."))
        given = task[module]
        if isinstance(given, dict):
            given = {**defaults.get(module, {}), **given}
        yield from _OF_ANSIBLE[module.rpartition(".")[2]](given)
        notified = task.get("notify", ())
        for handler in [notified] if isinstance(notified, str) else notified:
            verb, _, unit = handler.partition(" ")
            yield verb, unit, given.get("dest") or f"link:{given['path']}"


def _copy(given: dict[str, Any]) -> Iterator[Thing]:
    assert given["src"] == "{{ here }}" + given["dest"], given
    yield "file", given["dest"], _owned(given)


def _path(given: dict[str, Any]) -> Iterator[Thing]:
    if given["state"] == "link":
        yield "link", given["path"], given["src"]
    else:
        yield given["state"], given["path"], _owned(given)


def _systemd(given: dict[str, Any]) -> Iterator[Thing]:
    running = given["state"] == "started"
    if given["name"].endswith(".automount"):
        yield "automount", given["name"], str(running)
    else:
        name = given["name"].removesuffix(".service")
        yield "service", name, f"enabled {given['enabled']}, running {running}"


def _user(given: dict[str, Any]) -> Iterator[Thing]:
    # Without a number, and with the group of its own name.
    uid, group = given.get("uid"), given.get("group", "")
    yield "user", given["name"], f"{uid} {group} {given['shell']}"


_OF_ANSIBLE: dict[str, Callable[[Any], Iterable[Thing]]] = {
    "apt": lambda given: (("package", name, "installed") for name in given["name"]),
    "copy": _copy,
    "file": _path,
    "group": lambda given: [("group", given["name"], str(given["gid"]))],
    "lineinfile": lambda given: [("line", given["path"], given["line"])],
    "shell": lambda given: [_command(given)],
    "systemd_service": _systemd,
    "user": _user,
}


# The deploy


def of_pyinfra() -> Iterator[Thing]:
    """Every operation of the deploy, and what it depends on."""
    tree = ast.parse((PEERS / "child.py").read_text())
    yield from _mounts(list(_operations(tree)))


def _operations(tree: ast.Module) -> Iterator[Thing]:
    texts: dict[str, Any] = {}
    paths: dict[str, str] = {}  # of the variables that hold what became of a file
    for statement in tree.body:
        if isinstance(statement, ast.If):
            yield _command(ast.unparse(statement))
        elif isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Call):
            if not isinstance(statement.value, ast.JoinedStr):
                texts[ast.unparse(statement.targets[0])] = ast.literal_eval(statement.value)
        elif isinstance(statement, (ast.Assign, ast.Expr)) and isinstance(
            statement.value, ast.Call
        ):
            given = {
                word.arg: texts.get(ast.unparse(word.value)) or _value(word.value)
                for word in statement.value.keywords
                if word.arg
            }
            name = ast.unparse(statement.value.func)
            if name == "put":
                given["path"] = ast.literal_eval(statement.value.args[0])
            if isinstance(statement, ast.Assign) and "path" in given:
                link = "link:" if name == "files.link" else ""
                paths[ast.unparse(statement.targets[0])] = f"{link}{given['path']}"
            yield from _operation(name, given, paths)


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _operation(name: str, given: dict[str, Any], paths: dict[str, str]) -> Iterator[Thing]:
    owner = given.get("user", "root") if name == "files.directory" else "root"
    owned = f"{owner} {given.get('group', 'root')} {given.get('mode', '644'):0>4}"
    service = str(given.get("service", "")).removesuffix(".service")
    if name == "put":
        yield "file", given["path"], owned
    elif name == "files.directory":
        yield "directory", given["path"], owned
    elif name == "files.link":
        yield "link", given["path"], given["target"]
    elif name == "files.line":
        yield "line", given["path"], given["replace"]
    elif name == "apt.packages":
        yield from (("package", each, "installed") for each in given["packages"])
    elif name == "server.group":
        yield "group", given["group"], str(given["gid"])
    elif name == "server.user":
        yield from _user({**given, "name": given["user"]})
    elif name == "systemd.service" and "_if" in given:
        verb = "reload" if given.get("reloaded") else "restart"
        yield from ((verb, service, paths[each]) for each in _named(given["_if"]))
    elif name == "systemd.service" and service.endswith(".automount"):
        yield "automount", service, str(given["running"])
    elif name == "systemd.service":
        yield "service", service, f"enabled {given['enabled']}, running {given['running']}"
    else:  # what belongs to a change: the checkers, and systemd's own reload
        assert name in ("server.shell", "systemd.daemon_reload") and "_if" in given, name  # noqa: PT018
        text = str(given.get("commands", ""))
        yield from [_command(text)] if any(mark in text for mark in _COMMANDS) else []


def _named(condition: str) -> list[str]:
    return (
        condition.removesuffix(".did_change").removeprefix("any_changed(").rstrip(")").split(", ")
    )


# Both


_COMMANDS = {
    "nft list table": "firewall",
    "hostname ": "hostname",
    "systemd-timesyncd": "clock",
    "try-restart": "others-in-the-zone",
}
"""A part of its text to the name that the plan has for it."""


def _command(text: str) -> Thing:
    return "command", next(name for mark, name in _COMMANDS.items() if mark in text), "guarded"


def _mounts(things: list[Thing]) -> Iterator[Thing]:
    """A line of fstab and the start of its unit are a mount."""
    started = {unit for kind, unit, running in things if kind == "automount" and running == "True"}
    for kind, subject, how in things:
        if kind == "line":
            source, path, fstype, options, _, _ = how.split()
            assert started == {path.strip("/").replace("/", "-") + ".automount"}, started
            yield "mount", path, f"{source} {fstype} {options}"
        elif kind != "automount":
            yield kind, subject, how


if __name__ == "__main__":
    (the_plan,) = plans_of(Bench(1).inventory(1, 0))
    ansible, pyinfra = set(of_ansible()), set(of_pyinfra())
    for thing in of_plan(the_plan):
        marks = ["yes" if thing in found else "NO " for found in (ansible, pyinfra)]
        sys.stdout.write(f"ansible {marks[0]}  pyinfra {marks[1]}  {' '.join(thing)}\n")
