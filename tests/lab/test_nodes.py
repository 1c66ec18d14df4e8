"""A child more, a child less, and another machine under its name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from nodriza.lab import state
from tests.lab.project import Project, Result, wait_for
from tests.lab.resolver import SERVERS, serial, site
from tests.lab.visitor import get, whoami

NODE = "server-4"
ADDRESS = "198.18.107.14"
ALL = ["server-2", "server-3", NODE]
KNOWN = """
cat /etc/hosts /etc/nftables.conf /etc/exports.d/* 2>/dev/null
gluster volume info 2>/dev/null
mariadb -e 'SELECT User, Host FROM mysql.global_priv; SHOW PROCESSLIST'
"""
LINES = "ss -Htn state established\n"


@dataclass(frozen=True)
class Seen:
    """What a command said, and how things were right after it."""

    said: Result
    inventory: str
    site: list[list[str]]
    serials: list[int]
    known: str
    """All that the central node has about its others."""

    @classmethod
    def after(cls, said: Result, project: Project) -> Seen:
        return cls(
            said,
            project.inventory.read_text(),
            [site(project, server) for server in SERVERS],
            [serial(project, server) for server in SERVERS],
            project.on("server-1", KNOWN + LINES),
        )


@pytest.fixture(scope="module")
def before(named: Project) -> Seen:
    """The cluster with its two children."""
    return Seen.after(named.fab("provision", "--json").well(), named)


@pytest.fixture(scope="module")
def grown(named: Project, before: Seen) -> Iterator[tuple[Result, Seen, dict[str, str]]]:
    """Added, provisioned; what the new child then said of itself."""
    added = named.fab("node.add", NODE).well()
    named.fab("lab.up").well()
    done = named.fab("provision", "--json").well()
    named.times["node.add: provision with a new child"] = done.seconds
    wait_for("news", 5, lambda: site(named, "ns-2") == ALL)
    yield added, Seen.after(done, named), whoami(named.cluster, NODE)
    if any(node.name == NODE for node in named.cluster.nodes):
        named.fab("node.remove", NODE).well()
        named.fab("lab.up").well()


def test_new_child__is_written_into_the_inventory_whose_comments_stay(
    before: Seen, grown: tuple[Result, Seen, dict[str, str]]
) -> None:
    added, seen, _ = grown
    assert "next: fab lab.up; fab provision" in added.stdout + added.stderr
    lines = [
        f"  {NODE}:",
        "    kind: child",
        f"    private: {ADDRESS}",
        "    public: 198.18.108.14",
    ]
    old, new = before.inventory.splitlines(), seen.inventory.splitlines()
    at = new.index(lines[0])
    assert new[at : at + 4] == lines
    assert new[:at] + new[at + 4 :] == old
    assert "  server-[2:3]:  # two, for now" in new


def test_new_child__serves_and_is_in_dns_and_the_others_are_left_alone(
    before: Seen, grown: tuple[Result, Seen, dict[str, str]]
) -> None:
    _, seen, answer = grown
    assert answer["node"] == NODE
    assert seen.site == [ALL, ALL]
    assert min(seen.serials) > max(before.serials)
    assert set(seen.said.changed()) == {"server-1", NODE}
    restarted = [id for id in seen.said.changed()["server-1"] if id.startswith("service:")]
    assert set(restarted) <= {"service:nftables", "service:nsd", "service:nfs-server"}
    assert ADDRESS in seen.known


@pytest.fixture(scope="module")
def shrunk(named: Project, grown: object) -> Seen:
    """Removed; its machine goes on running, and has the host key that was known."""
    known = state.Place(named.name).known_hosts
    shutil.copy(known, named.inventory.with_name("operator.keys"))
    said = named.fab("node.remove", NODE).well()
    named.times["node.remove"] = said.seconds
    wait_for("news", 5, lambda: NODE not in site(named, "ns-2"))
    return Seen.after(said, named)


def test_child_that_is_removed__leaves_no_trace_in_the_cluster(
    named: Project, before: Seen, shrunk: Seen
) -> None:
    assert shrunk.inventory == before.inventory
    assert shrunk.site == before.site == [ALL[:2], ALL[:2]]
    assert ADDRESS not in shrunk.known
    drift = named.fab("drift")
    assert drift.exit == 0, drift.said
    assert drift.stdout == "4 of 4 nodes are as planned\n"
    assert named.fab("provision", "--json").well().changed() == {}


def test_child_that_is_removed__is_drained_first_and_a_person_is_told_what_is_left(
    shrunk: Seen,
) -> None:
    steps = [
        "so long resolvers may believe the old answer",
        "/var/lib/nodriza-away/operator (new)",
        "service:uwsgi (not enabled, not running)",
        f"{NODE} is no more in named.yml",
        f"databaseuser:videoteca@{ADDRESS} (not planned any more)",
        f"{NODE} gets no visitors, no files and no data any more",
        f"switch it off ({ADDRESS}), and erase its disk",
        f"fab hostkeys.accept {NODE} --replace",
    ]
    places = [shrunk.said.said.find(step) for step in steps]
    assert -1 not in places, dict(zip(steps, places, strict=True))


@pytest.fixture(scope="module")
def replaced(named: Project, shrunk: Seen) -> str:
    """Another machine, bare, under the old name; the operator's inventory of real hosts."""
    named.fab("lab.up").well()  # the old one is gone for good
    named.fab("node.add", NODE).well()
    named.fab("lab.up").well()
    named.data = yaml.safe_load(named.inventory.read_text())
    return named.as_real_hosts("real", known_hosts="operator.keys")


def test_other_machine_under_an_old_name__is_sent_nothing_until_its_key_is_accepted(
    named: Project, replaced: str
) -> None:
    refused = named.fab(replaced, f"provision:{NODE}", inside=True)
    assert refused.exit == 1
    assert "THE HOST KEY HAS CHANGED" in refused.said
    assert f"fab hostkeys.accept {NODE} --replace" in refused.said
    assert named.on(NODE, "ls /var/lib/nodriza", check=False) == ""
    assert site(named, "server-1") == ALL[:2]

    own = named.on(NODE, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    accept = ["hostkeys.accept", NODE, "--replace", "--fingerprint", own]
    named.fab(replaced, *accept, inside=True).well()
    named.fab(replaced, "provision", inside=True).well()
    wait_for("news", 5, lambda: [site(named, server) for server in SERVERS] == [ALL, ALL])
    child = named.cluster.node(NODE)
    assert get(child.web_address, "/healthz", named.cluster.domain)[0] == 200


def test_child_that_died__is_removed_as_well(named: Project, replaced: str) -> None:
    if named.on(NODE, "ls /var/lib/nodriza", check=False) == "":
        named.fab("provision").well()
    named.power_cut(NODE)
    said = named.fab("node.remove", NODE).well()
    named.times["node.remove of a dead node"] = said.seconds
    wait_for("news", 5, lambda: [site(named, server) for server in SERVERS] == [ALL[:2]] * 2)
    assert NODE not in named.inventory.read_text()
    assert ADDRESS not in named.on("server-1", KNOWN)
    # It has closed nothing: the share's server notices when nobody answers on its line.
    wait_for("end of its lines", 120, lambda: ADDRESS not in named.on("server-1", LINES), every=1)
    assert f"switch it off ({ADDRESS})" in said.said
    assert named.fab("drift").exit == 0


def test_video_node__comes_works_and_goes(named: Project) -> None:
    """Nobody drains who has no visitors; but its worker takes no task any more."""
    named.fab("node.add", "video-1", "--kind", "video").well()
    named.fab("lab.up").well()
    named.fab("provision").well()
    address = named.cluster.node("video-1").private
    assert named.on("video-1", "systemctl is-active celery") == "active\n"
    assert address in named.on("server-1", KNOWN + LINES)
    said = named.fab("node.remove", "video-1").well()
    assert "waiting" not in said.said
    assert address not in named.on("server-1", KNOWN + LINES)
    drift = named.fab("drift")
    assert drift.exit == 0, drift.said
