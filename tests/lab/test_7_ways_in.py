"""Who a host is, and who we are there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.project import Project

NODE = "server-3"
PASSWORD = "Tr0ub4dor-and-3"
USER = """
id ops 2>/dev/null || useradd -m -s /bin/bash ops
install -d -o ops -g ops -m 700 ~ops/.ssh
install -o ops -g ops -m 600 ~/.ssh/authorized_keys ~ops/.ssh/authorized_keys
"""
TO_CHANGE = "/etc/nginx/videoteca.headers"
CHANGED = [f"file:{TO_CHANGE}", "service:nginx", "health:http://127.0.0.1/healthz/here"]


def fingerprint(project: Project, node: str) -> str:
    return project.on(node, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]


@pytest.fixture
def strangers(deployed: Project) -> str:
    """An inventory of the same hosts that knows none of their keys."""
    deployed.inventory.with_name("strangers.keys").write_text("")
    return deployed.as_real_hosts("strangers", known_hosts="strangers.keys")


def test_unknown_host_key__is_refused_with_its_fingerprint_and_what_to_type(
    deployed: Project, strangers: str
) -> None:
    result = deployed.fab(strangers, "provision:server-n", inside=True)
    assert result.exit == 1
    for node in ("server-2", "server-3"):
        assert fingerprint(deployed, node) in result.said
        assert f"fab hostkeys.accept {node}" in result.said
    assert "nothing was sent to the host" in result.said
    assert deployed.inventory.with_name("strangers.keys").read_text() == ""


def test_host_key__is_accepted_with_the_right_fingerprint_only(
    deployed: Project, strangers: str
) -> None:
    accept = [strangers, "hostkeys.accept", NODE, "--fingerprint"]
    refused = deployed.fab(*accept, fingerprint(deployed, "server-2"), inside=True)
    assert refused.exit == 1
    assert "another key than you expect" in refused.said
    assert deployed.fab(strangers, "hostkeys.accept", NODE, inside=True).exit == 1, "nobody asked"

    deployed.fab(*accept, fingerprint(deployed, NODE), inside=True).well()
    done = deployed.fab(strangers, f"provision:{NODE}", "--json", inside=True).well()
    assert done.changed() == {}
    assert deployed.fab(strangers, "provision:server-2", inside=True).exit == 1, "still unknown"


def test_changed_host_key__is_refused_by_name_and_can_be_replaced(
    deployed: Project, strangers: str
) -> None:
    keys = deployed.inventory.with_name("strangers.keys")
    other = deployed.on("server-2", "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")
    keys.write_text(f"{deployed.cluster.node(NODE).private} {other}")
    result = deployed.fab(strangers, f"provision:{NODE}", inside=True)
    assert result.exit == 1
    assert "THE HOST KEY HAS CHANGED" in result.said
    for node in ("server-2", NODE):
        assert fingerprint(deployed, node) in result.said
    assert f"fab hostkeys.accept {NODE} --replace" in result.said

    accept = [strangers, "hostkeys.accept", NODE, "--fingerprint", fingerprint(deployed, NODE)]
    assert deployed.fab(*accept, inside=True).exit == 1, "not without --replace"
    deployed.fab(*accept, "--replace", inside=True).well()
    deployed.fab(strangers, f"provision:{NODE}", inside=True).well()


@pytest.fixture
def person(deployed: Project) -> Iterator[str]:
    """An inventory with a user who is not root; what sudo lets them do is the test's matter."""
    deployed.on(NODE, USER)
    yield deployed.as_real_hosts("person", user="ops")
    deployed.on(NODE, "rm -f /etc/sudoers.d/ops; userdel -r ops", check=False)


def sudo_rule(project: Project, rule: str) -> None:
    """Also something for the run to change, as root."""
    project.on(NODE, f"echo 'ops ALL=(ALL) {rule}' >/etc/sudoers.d/ops; rm -f {TO_CHANGE}")
    project.on(NODE, "chpasswd", stdin=f"ops:{PASSWORD}\n")


def test_user_with_sudo__needs_no_root_login(deployed: Project, person: str) -> None:
    sudo_rule(deployed, "NOPASSWD: ALL")
    done = deployed.fab(person, f"provision:{NODE}", "--json", inside=True).well()
    assert done.changed() == {NODE: CHANGED}
    assert deployed.on(NODE, f"stat -c %U {TO_CHANGE}") == "root\n"
    # The password that is not asked for does no harm.
    env = {"FABRIC_SUDO_PASSWORD": PASSWORD}
    deployed.fab(person, f"provision:{NODE}", inside=True, env=env).well()


def test_sudo_password__comes_from_fabrics_configuration(deployed: Project, person: str) -> None:
    sudo_rule(deployed, "ALL")
    env = {"FABRIC_SUDO_PASSWORD": PASSWORD}
    done = deployed.fab(person, f"provision:{NODE}", "--json", inside=True, env=env).well()
    assert done.changed() == {NODE: CHANGED}
    assert PASSWORD not in done.said


@pytest.mark.parametrize("env", [{}, {"FABRIC_SUDO_PASSWORD": "wrong"}], ids=["none", "wrong"])
def test_sudo_password__that_is_missing_or_wrong_is_told_in_words(
    deployed: Project, person: str, env: dict[str, str]
) -> None:
    sudo_rule(deployed, "ALL")
    try:
        result = deployed.fab(person, f"provision:{NODE}", inside=True, env=env, timeout=30)
    finally:
        deployed.fab(f"provision:{NODE}").well()
    assert result.exit == 1
    assert "sudo refuses" in result.said
    assert "--prompt-for-sudo-password" in result.said
    assert "nothing was changed on it" in result.said


def test_sudo_that_wants_a_terminal__is_told_with_what_to_write_into_sudoers(
    deployed: Project, person: str
) -> None:
    sudo_rule(deployed, "NOPASSWD: ALL\nDefaults requiretty")
    try:
        result = deployed.fab(person, f"provision:{NODE}", inside=True, timeout=30)
        assert result.exit == 1
        assert "sudo refuses: sudo: sorry, you must have a tty to run sudo" in result.said
        assert "next  in the host's sudoers: Defaults:ops !requiretty" in result.said
        assert "nothing was changed on it" in result.said
        deployed.on(NODE, "echo 'Defaults:ops !requiretty' >>/etc/sudoers.d/ops")
        done = deployed.fab(person, f"provision:{NODE}", "--json", inside=True).well()
        assert done.changed() == {NODE: CHANGED}
    finally:
        deployed.fab(f"provision:{NODE}").well()


def test_user_whom_the_host_does_not_let_in__is_told_in_words(deployed: Project) -> None:
    name = deployed.as_real_hosts("nobody-known", user="nosuchuser")
    result = deployed.fab(name, f"provision:{NODE}", inside=True)
    assert result.exit == 1
    assert "the host refuses to let us in" in result.said
    assert f"nosuchuser@{deployed.cluster.node(NODE).private}" in result.said


LOGINS = {
    "ends": "exit 0",
    "prints": "echo Welcome; echo Hello >&2",
    "is another program": "exec cat",
}


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_bashrc__is_neither_the_output_of_a_command_nor_its_end(
    deployed: Project, person: str, login: str
) -> None:
    sudo_rule(deployed, "NOPASSWD: ALL")
    deployed.on(NODE, "cat >~ops/.bashrc", stdin=f"{login}\n")
    try:
        commands = [
            (f"run:{NODE}", "--raw", "cat /etc/hostname"),
            (f"run:{NODE}", "cat /etc/hostname"),
            (f"manage:{NODE}", "shell -c 'print(6 * 7)'"),
            (f"provision:{NODE}", "--check"),
        ]
        if "cat" in login:  # a minute each, for its silence looks like a slow login
            commands = commands[:1]
        results = [deployed.fab(person, *words, inside=True) for words in commands]
    finally:
        deployed.fab(f"provision:{NODE}").well()
    if "echo" in login:
        assert [each.exit for each in results] == [0] * 4, [each.said for each in results]
        assert results[0].stdout == f"{NODE}\n"
        assert "Welcome" not in results[1].said
        assert results[2].stdout.endswith("42\n")  # Django may speak of imports before it
        assert "Welcome" not in results[2].stdout
    else:
        assert [each.exit for each in results] == [1] * len(results)
        assert all("did not begin our command" in each.said for each in results)
