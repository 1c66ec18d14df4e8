"""An application's day: its own programs, its database, at a terminal and in pipes."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.lab.project import Project, wait_for
from tests.lab.terminal import terminal
from tests.pages import blocks


def going(project: Project, number: int) -> list[str]:
    """What a node runs of a program that sleeps so long; on server-3."""
    lines = [argv for _, argv in project.processes("server-3")]
    return [argv for argv in lines if argv.startswith("/opt") and f"sleep({number})" in argv]


def sleeper(number: int) -> str:
    return f"shell -c \"import time; print('at' + ' work'); time.sleep({number})\""


def test_manage__asks_at_a_terminal_and_shows_no_password(deployed: Project) -> None:
    script = "import getpass; print(len(input('Who? ')), len(getpass.getpass('Password: ')))"
    with terminal(deployed, "manage", f'shell -c "{script}"') as person:
        person.expect("Who? ")
        person.type("ana\n")
        person.expect("Password: ")
        person.type("correct horse\n")
        person.expect("3 13")
        assert person.end() == 0
        assert "ana" in person.seen
        assert "correct" not in person.seen


def test_shell__knows_the_terminal_and_its_size(deployed: Project) -> None:
    with terminal(deployed, "shell", columns=111, rows=33) as person:
        person.expect(">>> ")
        person.type(
            "import os, sys, time; print('is', *os.get_terminal_size(), os.environ['TERM'])\n"
        )
        person.expect("is 111 33 xterm-256color")
        person.resize(77, 22)
        person.type("time.sleep(1); print('is', *os.get_terminal_size())\n")
        person.expect("is 77 22")
        person.type("sys.exit(9)\n")
        assert person.end() == 9


def test_ctrl_c__is_for_the_program_and_not_for_fab(deployed: Project) -> None:
    with terminal(deployed, "shell") as person:
        person.expect(">>> ")
        person.type("import time; print('at' + ' work'); time.sleep(4713)\n")
        person.expect("at work")
        person.type("\x03")
        person.expect("KeyboardInterrupt")
        person.type("print(40 + 2)\n")
        person.expect("42")
        person.type("\x04")
        assert person.end() == 0


def test_terminal_that_is_hung_up__ends_the_program(deployed: Project) -> None:
    with terminal(deployed, "manage:server-3", sleeper(4714)) as person:
        person.expect("at work")
        assert going(deployed, 4714)
    wait_for("end of it", 20, lambda: not going(deployed, 4714))
    assert "nodriza-videoteca-manage" not in deployed.on(
        "server-3", "systemctl list-units --all --no-legend --plain"
    )


def test_pipe_that_is_cut__ends_the_program(deployed: Project) -> None:
    with deployed.start("manage:server-3", sleeper(4715)) as process:
        wait_for("program", 30, lambda: going(deployed, 4715))
        process.kill()
    wait_for("end of it", 40, lambda: not going(deployed, 4715))


def test_ctrl_c_in_a_pipe__ends_the_program_and_says_130(deployed: Project) -> None:
    with deployed.start("manage:server-3", sleeper(4716)) as process:
        wait_for("program", 30, lambda: going(deployed, 4716))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    wait_for("end of it", 20, lambda: not going(deployed, 4716))


@pytest.mark.parametrize("node", ["server-1", "server-2", "video-1"])
def test_manage__is_the_application_as_its_services_are(deployed: Project, node: str) -> None:
    asked = (
        "import os, json; print(json.dumps([os.getuid(), os.getcwd(), os.environ['NODE_NAME'],"
        " os.environ['STATIC_ROOT'], sorted(os.environ)]))"
    )
    said = deployed.fab(f"manage:{node}", f'shell -v 0 -c "{asked}"').well().stdout
    uid, folder, name, static, names = json.loads(said)
    release = deployed.on(node, "readlink /opt/videoteca/current").strip()
    assert (uid, folder, name, static) == (800, f"{release}/app", node, f"{release}/static")
    assert not {"LANG", "SSH_CONNECTION", "XDG_SESSION_ID"} & set(names)


def test_exit_code_and_both_streams__are_those_of_the_command(deployed: Project) -> None:
    script = "import sys; sys.stdout.write('out'); sys.stderr.write('err'); sys.exit(37)"
    done = deployed.fab("manage", f'shell -v 0 -c "{script}"')
    assert (done.exit, done.stdout) == (37, "out")
    assert done.stderr == "err\n"


def test_no_secret__is_in_any_command_line_of_the_node(deployed: Project) -> None:
    secrets = deployed.fab("secrets.show").well().stdout.split()
    values = [deployed.fab("secrets.show", name).well().stdout.strip() for name in secrets]
    with deployed.start("manage:server-3", sleeper(4717)) as process:
        wait_for("program", 30, lambda: going(deployed, 4717))
        lines = [argv for _, argv in deployed.processes("server-3")]
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert len(lines) > 10
    assert not [argv for argv in lines for value in values if value in argv]


def test_node_without_a_release__is_told(deployed: Project) -> None:
    deployed.on("server-3", "mv /opt/videoteca/current /opt/videoteca/aside")
    try:
        done = deployed.fab("manage:server-3", "check")
        assert done.exit == 1
        assert "nothing is deployed here yet" in done.stderr
        assert "Next: fab deploy" in done.stderr
    finally:
        deployed.on("server-3", "mv /opt/videoteca/aside /opt/videoteca/current")


def test_stdin__reaches_the_program(deployed: Project) -> None:
    with deployed.start("manage", "shell -v 0", stdin=subprocess.PIPE) as process:
        out, _ = process.communicate("print(6 * 7)\n", timeout=60)
    assert (process.returncode, out) == (0, "42\n")


def test_restart__is_in_turns_and_leaves_nothing_to_change(deployed: Project) -> None:
    ask = "systemctl show --property=InvocationID --value uwsgi"
    before = [deployed.on(node, ask) for node in ("server-2", "server-3")]
    done = deployed.fab("restart", "--json").well()
    assert list(done.changed()["server-2"]) == [
        "file:/var/lib/nodriza/restarted",
        "service:uwsgi",
        "health:http://127.0.0.1/healthz/here",
    ]
    assert done.changed()["video-1"][1:] == ["service:celery"]
    after = [deployed.on(node, ask) for node in ("server-2", "server-3")]
    assert not set(before) & set(after)
    assert deployed.fab("provision", "--check", "--json").well().changed() == {}
    assert "restart videoteca on server-2" in deployed.fab("history").well().stdout


def test_cache_of_each_process__is_not_said_to_be_empty(deployed: Project) -> None:
    """The example names no cache, so it has what Django has by itself."""
    done = deployed.fab("cache.clear")
    assert (done.exit, done.stdout) == (1, "")
    assert "default of CACHES: each process has its own" in done.stderr
    assert "next: fab restart" in done.stderr


def asked(project: Project, child: str, path: str) -> tuple[int, dict[str, str]]:
    """Status and headers that a visitor gets from a child."""
    address = project.cluster.node(child).web_address
    argv = ["nsenter", f"--net=/run/netns/{project.netns}", "curl", "-si", "--max-time", "10"]
    done = subprocess.run(
        [*argv, f"http://{address}{path}"], capture_output=True, text=True, check=True
    )
    first, *lines = done.stdout.partition("\n\n")[0].splitlines()
    headers = dict(line.partition(": ")[::2] for line in lines if line)
    return int(first.split()[1]), headers


def test_maintenance__is_on_everywhere_through_a_provision_and_a_restart(
    deployed: Project,
) -> None:
    children = ("server-2", "server-3")
    deployed.fab("maintenance", "on").well()
    try:
        deployed.fab("provision:server-n").well()
        deployed.on("server-2", "systemctl restart nginx")
        for child in children:
            status, headers = asked(deployed, child, "/")
            assert (status, headers["Retry-After"], headers["X-Served-By"]) == (503, "300", child)
            assert asked(deployed, child, "/healthz")[0] == 200
        assert deployed.fab("status").said.count("closed for maintenance") == 2
        me = str(deployed.cluster.networks.public).replace(".0/24", ".1")
        deployed.fab("maintenance", "on", "--allow", me).well()
        assert f"server-3  closed; let in: {me}" in deployed.fab("maintenance").well().stdout
        status, headers = asked(deployed, "server-3", "/")
        assert (status, headers["X-Maintenance"]) == (200, "on")
    finally:
        deployed.fab("maintenance", "off").well()
    assert [asked(deployed, child, "/")[0] for child in children] == [200, 200]
    assert deployed.fab("maintenance").well().stdout.split() == [
        "server-2",
        "open",
        "server-3",
        "open",
    ]


def test_own_lines_of_nginx__serve_as_the_page_shows_or_are_told_with_their_line(
    deployed: Project,
) -> None:
    http, site = blocks("docs/daily.rst")["nginx"]
    folder = deployed.folder / "templates" / "nginx"
    folder.mkdir(parents=True)
    try:
        (folder / "http.extra.j2").write_text(http)
        (folder / "site.extra.j2").write_text(site)
        deployed.fab("provision:server-n").well()
        assert asked(deployed, "server-2", "/robots.txt")[0] == 200
        policy = asked(deployed, "server-2", "/embed/x")[1]["Content-Security-Policy"]
        assert policy == "frame-ancestors https://partner.example"
        codes = [asked(deployed, "server-3", "/login/")[0] for _ in range(7)]
        assert codes == [404] * 6 + [429]
        wrong = "{# a word #}\n{% if node.number %}\ngzp on;\n{% endif %}\n"
        (folder / "site.extra.j2").write_text(wrong)
        done = deployed.fab("provision:server-n")
        assert done.exit == 1
        assert 'unknown directive "gzp"' in done.said
        assert "site.extra.j2:3" in done.said
        assert asked(deployed, "server-2", "/robots.txt")[0] == 200
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        folder.parent.rmdir()
        deployed.fab("provision:server-n").well()
    assert asked(deployed, "server-2", "/robots.txt")[0] == 404
