"""The days after the first: history and the way back, drift, and all nodes at one look."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import get, not_serving, upload_is_refused, whoami

CONF = "/etc/nginx/conf.d/videoteca.conf"
MB = 1024 * 1024


def history(project: Project, *words: str) -> list[dict[str, Any]]:
    """The runs, the newest first."""
    found: list[dict[str, Any]] = json.loads(
        project.fab("history", "--json", *words).well().stdout
    )
    return found


def lets_in(project: Project, mb: int) -> list[bool]:
    """Whether each child lets an upload of so many MiB in."""
    children = [child.name for child in project.cluster.children]
    return [not upload_is_refused(project.cluster, child, mb * MB) for child in children]


def stranger(project: Project) -> str:
    """An address in the private network that is no node's."""
    return f"{project.cluster.builder.private.rpartition('.')[0]}.99"


@pytest.fixture
def grown(mended: Project) -> tuple[Project, str]:
    """A provision that changed files on every node; the id of the run."""
    mended.write(max_upload_mb=300)
    mended.fab("provision").well()
    assert lets_in(mended, 250) == [True, True]
    return mended, history(mended)[0]["run"]


def test_history__says_who_did_what_on_which_node(deployed: Project) -> None:
    runs = history(deployed)
    (deploy,) = [run for run in runs if run["nodes"].get("server-1", {}).get("what") == "deploy"][
        -1:
    ]
    first = runs[-1]["nodes"]
    everybody = {"server-1", "server-2", "server-3", "video-1"}
    assert set(deploy["nodes"]) == set(first) == everybody
    record = first["server-2"]
    assert record["what"] == "provision"
    assert record["who"] == "root"
    assert "service:nginx" in record["resources"]
    told = deployed.fab("history:server-2").well().stdout
    assert "server-2 " in told
    assert "server-1 " not in told


def test_run_that_changed_nothing__is_no_entry(deployed: Project) -> None:
    before = history(deployed)
    deployed.fab("provision").well()
    assert history(deployed) == before


def test_rollback__brings_the_old_files_and_what_reads_them(grown: tuple[Project, str]) -> None:
    project, run = grown
    foretold = project.fab("rollback", "--run", run, "--check", "--diff")
    assert foretold.exit == 0, foretold.said
    assert "client_max_body_size 201m;" in foretold.stdout
    assert "‹hidden: this file holds secrets›" in foretold.stdout
    assert lets_in(project, 250) == [True, True]

    project.fab("rollback:server-2", "--run", run).well()
    wait_for("old nginx", 10, lambda: lets_in(project, 250) == [False, True])
    rest = project.fab("rollback", "--run", run).well()
    assert "the next provision brings it back" in rest.stdout
    wait_for("old nginx everywhere", 10, lambda: lets_in(project, 250) == [False, False])
    assert not_serving(project.cluster) == {}
    newest = history(project)[0]["nodes"]["server-3"]
    assert newest["what"] == f"rollback --run {run}"
    assert newest["resources"]["service:nginx"]["words"] == "reload"
    assert "201m" in project.on("server-3", f"cat {CONF}")


def test_rollback__is_refused_for_files_that_a_later_run_replaced(
    grown: tuple[Project, str],
) -> None:
    project, run = grown
    project.write(max_upload_mb=400)
    project.fab("provision").well()
    refused = project.fab("rollback", "--run", run)
    assert refused.exit == 1
    assert CONF in refused.said
    assert "nothing was changed on any node" in refused.said
    assert "401m" in project.on("server-2", f"cat {CONF}")
    project.fab("rollback", "--run", run, "--force").well()
    assert "201m" in project.on("server-2", f"cat {CONF}")


def test_deploy_rollback__serves_the_release_before_and_names_what_stays(
    deployed: Project,
) -> None:
    """The next deploy brings the newer one again."""
    source = deployed.folder / "videoteca"
    before = whoami(deployed.cluster, "server-2")["release"]
    note = source / "videos/migrations/0002_note.py"
    note.write_text(
        "from django.db import migrations\n"
        "class Migration(migrations.Migration):\n"
        '    dependencies = [("videos", "0001_initial")]\n'
        "    operations = []\n"
    )
    try:
        deployed.fab("deploy").well()
        took = deployed.fab("deploy", "--rollback").well()
    finally:
        note.unlink()
    assert "not undone: the database. 1 migration" in took.stdout
    assert "videos/migrations/0002_note.py" in took.stdout
    for child in ("server-2", "server-3"):
        wait_for(
            "old release",
            60,
            lambda child=child: whoami(deployed.cluster, child).get("release") == before,
        )


def test_drift__of_a_clean_cluster_is_none(deployed: Project) -> None:
    deployed.fab("provision").well()
    clean = deployed.fab("drift")
    assert clean.exit == 0, clean.said
    assert clean.stdout == "4 of 4 nodes are as planned\n"
    deployed.times["drift of four nodes"] = clean.seconds


def test_drift__names_what_differs_and_what_should_not_be_there(
    mended: Project, tmp_path: Path
) -> None:
    eva = f"eva@'{stranger(mended)}'"
    mended.on("server-2", f"echo '# by hand' >>{CONF}")
    mended.on("server-1", f"mariadb -e \"CREATE USER {eva} IDENTIFIED BY 'x'\"")
    try:
        found = mended.fab("drift", "--json", "--junit", str(tmp_path / "drift.xml"))
    finally:
        mended.on("server-1", f'mariadb -e "DROP USER {eva}"')
    assert found.exit == 2, found.said
    nodes = json.loads(found.stdout)["nodes"]
    assert nodes["server-2"]["differs"] == {f"file:{CONF}": "content"}
    assert nodes["server-1"]["strays"] == [f"eva@{stranger(mended)} may log in to the database"]
    assert nodes["server-3"]["clean"]
    suite = ET.parse(tmp_path / "drift.xml").getroot()
    assert suite.get("failures") == "2"
    assert "# by hand" in mended.on("server-2", f"cat {CONF}")  # it only looks


def test_drift__names_a_stranger_on_the_share_s_network(mended: Project) -> None:
    """Who was connected before the firewall came is still connected."""
    central, other = mended.cluster.builder.private, stranger(mended)
    hold = (
        "import socket, time; s = socket.create_connection"
        f"(('{central}', 6379), 5, ('{other}', 0)); time.sleep(60)"
    )
    mended.on("server-1", f"nft insert rule inet nodriza input ip saddr {other} accept")
    mended.on("server-2", f"ip addr add {other}/24 dev priv0")
    try:
        mended.on("server-2", f'nohup python3 -c "{hold}" >/dev/null 2>&1 </dev/null &')
        wait_for("stranger", 10, lambda: other in mended.on("server-1", "ss -tn"))
        mended.on("server-1", "nft -f /etc/nftables.conf")
        found = mended.fab("drift:central", "--json")
    finally:
        mended.on("server-2", f"ip addr del {other}/24 dev priv0")
    assert found.exit == 2, found.said
    (words,) = json.loads(found.stdout)["nodes"]["server-1"]["strays"]
    assert words == f"{other} is connected to redis (port 6379)"


def test_status__comes_also_when_a_share_hangs(mended: Project) -> None:
    central = mended.cluster.builder.private
    hook = f"type filter hook output priority 0; ip daddr {central} drop;"
    mended.on("server-3", f"nft 'table inet cut {{ chain out {{ {hook} }}; }}'")
    try:
        said = mended.fab("status", "--json")
    finally:
        mended.on("server-3", "nft delete table inet cut")
    assert said.exit == 1
    assert said.seconds < 20
    nodes = json.loads(said.stdout)
    assert "/srv/videoteca: no answer within 3 s" in nodes["server-3"]["wrong"]
    assert nodes["server-2"]["healthy"]
    assert abs(nodes["server-2"]["clock_lag"]) < 2
    assert nodes["server-2"]["facts"]["versions"]["nginx"]
    mended.times["status with a share that hangs"] = said.seconds


def test_logs__of_all_nodes_are_in_the_order_of_their_times(deployed: Project) -> None:
    mark = f"/?day2={time.time()}"
    for child in deployed.cluster.children:
        assert get(child.web_address, mark, deployed.cluster.domain)[0] == 200
    said = deployed.fab("logs", "--lines", "300", "--since", "10m", "--json").well()
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    times = [line["time"] for line in lines]
    assert times == sorted(times)
    assert len(lines) == 300
    assert {line["node"] for line in lines} >= {"server-1", "server-2", "server-3"}
    served = [line["node"] for line in lines if line["unit"] == "nginx" and mark in line["line"]]
    assert sorted(served) == ["server-2", "server-3"]


def test_followed_logs__go_on_until_ctrl_c(deployed: Project) -> None:
    child = deployed.cluster.node("server-3")
    words = ("logs:server-n", "--unit", "nginx", "--follow", "--lines", "1")
    with deployed.start(*words) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        mark = f"/?follow={time.time()}"
        get(child.web_address, mark, deployed.cluster.domain)
        for line in process.stdout:
            if mark in line:
                break
        assert " server-3 nginx: " in line
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def running(project: Project, word: str) -> list[str]:
    """The nodes on which a process has the word in its command line."""
    nodes = [node.name for node in project.cluster.nodes]
    return [node for node in nodes if any(word in argv for _, argv in project.processes(node))]


def test_run__tells_every_line_and_every_exit_code(deployed: Project) -> None:
    said = deployed.fab("run:server-n", "hostname; test $(hostname) = server-2")
    assert said.exit == 1
    assert "server-2 | server-2\n" in said.stdout
    assert "server-3 | server-3\n" in said.stdout
    assert "server-2  exit 0 (" in said.stdout
    assert "server-3  exit 1 (" in said.stdout


def test_run__shows_no_secret(deployed: Project) -> None:
    said = deployed.fab("run:server-2", "grep PASSWORD /etc/videoteca/videoteca.env").well()
    assert "‹secret:mysql_app›" in said.stdout


def test_ctrl_c__ends_what_runs_on_the_hosts_too(deployed: Project) -> None:
    with deployed.start("run:server-n", "sleep 4711 & sleep 4711") as process:
        wait_for(
            "sleep", 30, lambda: running(deployed, "sleep\x004711") == ["server-2", "server-3"]
        )
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "server-2  exit 143" in out
    wait_for("end of it", 10, lambda: not running(deployed, "sleep\x004711"))


def test_console__is_a_shell_on_the_node(deployed: Project) -> None:
    outer, inner = pty.openpty()
    with subprocess.Popen(
        # setsid(1): the terminal that is controlling, as a person's is.
        ["setsid", "--ctty", "--wait", deployed.program, "console", "server-2"],
        cwd=deployed.folder,
        env=deployed._environment,
        stdin=inner,
        stdout=inner,
        stderr=inner,
    ) as process:
        os.close(inner)
        said = b""
        while not said.endswith(b"# "):  # what is typed before is nobody's
            said += os.read(outer, 4096)
        os.write(outer, b"echo I am $(hostname); exit 5\n")
        try:
            while data := os.read(outer, 4096):
                said += data
        except OSError:  # how a terminal tells its end
            pass
        os.close(outer)
        assert process.wait(30) == 5, said.decode()
    assert b"I am server-2" in said


def test_console__is_for_one_node(deployed: Project) -> None:
    said: Result = deployed.fab("console", "server-n")
    assert said.exit == 2
    assert "one node at a time" in said.said
