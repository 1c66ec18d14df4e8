"""manage.py on a node: as whom, where, and with what."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from nodriza.errors import TargetError
from nodriza.inventory.model import Cluster
from nodriza.operate import program


def node(cluster: Cluster, target: str = "") -> str:
    return program.node_for(cluster, target).name


def test_node__is_the_first_that_serves_the_application_or_the_one_that_is_meant(three_node):
    assert node(three_node) == "server-2"
    assert node(three_node, "video-1") == "video-1"
    assert node(three_node, "server-1") == "server-1"
    with pytest.raises(TargetError, match="one node at a time: server-n is server-2, server-3"):
        node(three_node, "server-n")


def test_script__is_one_that_sh_reads_whatever_the_words(three_node):
    words = ["shell", "-c", "print('a b', \"$HOME\"); x = `id`\n", "--name=ä"]
    text = program.script(three_node, ["manage.py", *words], terminal=False)
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    # A dollar is doubled for systemd, which would put variables in the place of $NAME.
    assert shlex.quote("print('a b', \"$$HOME\"); x = `id`\n") in text


def test_program__is_the_applications_user_with_bounds_and_sees_no_others_data(three_node):
    text = program.script(three_node, ["check"], terminal=False)
    given = re.findall(r"--property=(\S+?)(?:'|\s)", text)
    assert "User=videoteca" in given
    assert "EnvironmentFile=/etc/videoteca/videoteca.env" in given
    assert {"NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryMax=40%"} <= set(given)
    for hidden in ("/var/lib/nodriza", "/var/lib/mysql", "/var/lib/redis"):
        assert f"InaccessiblePaths=-{hidden}" in given
    assert "--pipe" in text
    assert "--pty" in program.script(three_node, ["check"], terminal=True)


def test_no_secret__is_in_what_is_sent(three_node):
    assert "‹secret" not in program.script(three_node, ["check"], terminal=False)
