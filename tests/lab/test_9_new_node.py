"""Another child: without Python, as some providers hand hosts over; then with NFS files."""

from __future__ import annotations

import base64
import copy
import io
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.project import Project, Result, wait_for
from tests.lab.test_1_provision import commands_started
from tests.lab.visitor import get, serving

NODE = "server-4"
VERBOSE = "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/20-verbose.conf; systemctl restart ssh"


@pytest.fixture(scope="module")
def bigger(deployed: Project) -> Iterator[Project]:
    """One more node in the range, as bare as it gets."""
    before = deployed.data
    deployed.data = copy.deepcopy(before)
    range_ = deployed.data["nodes"].pop("server-[2:3]")
    deployed.data["nodes"]["server-[2:4]"] = {
        key: value.replace(":13]", ":14]") if isinstance(value, str) else value
        for key, value in range_.items()
    }
    deployed.write()
    deployed.fab("lab.up").well()
    deployed.on(NODE, VERBOSE)
    yield deployed
    deployed.data = before
    deployed.write()
    deployed.fab("lab.up").well()
    deployed.fab("provision").well()


@pytest.fixture(scope="module")
def joined(bigger: Project) -> tuple[Result, Result, int]:
    """The check, the run, and how many sessions the run opened on the new host."""
    bigger.on(NODE, "apt-get -qy purge 'python3*' 'libpython3*' >/dev/null; ! command -v python3")
    began = time.time()
    done = bigger.fab("provision", "--json")
    ended = time.time()
    bigger.times["provision, a child more that has no Python"] = done.seconds
    again = bigger.fab("provision", "--json")
    return done, again, commands_started(bigger, NODE, began, ended)


def test_host_without_python__gets_it_in_its_first_session(
    bigger: Project, joined: tuple[Result, Result, int]
) -> None:
    done, again, sessions = joined
    done.well()
    assert sessions == 2, "one for its plan, one for the release that the others serve"
    assert again.well().changed() == {}


def test_new_child__serves_the_current_release_like_its_siblings(
    bigger: Project, joined: tuple[Result, Result, int]
) -> None:
    joined[0].well()
    wait_for("answer of every child", 30, lambda: serving(bigger.cluster))
    node = bigger.cluster.node(NODE)
    assert get(node.web_address, "/healthz", bigger.cluster.domain)[0] == 200


@pytest.fixture(scope="module")
def rendered(bigger: Project) -> Path:
    """Every file of every node, where the share is NFS."""
    name = bigger.as_real_hosts("with-nfs")
    path = bigger.inventory.with_name(f"{name}.yml")
    data = yaml.safe_load(path.read_text())
    data["share"] = {"engine": "nfs", "options": ["nconnect=4"]}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    output = bigger.folder / "rendered"
    bigger.fab(name, "render", "--output", str(output)).well()
    return output


@pytest.fixture(scope="module")
def nfs_machine(bigger: Project, joined: object) -> Project:
    """The new child, with the programs that read NFS's files."""
    install = "SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive apt-get -qqy install"
    bigger.on(NODE, f"{install} --no-install-recommends nfs-kernel-server nfs-common >/dev/null")
    return bigger


def put(project: Project, rendered: Path, node: str) -> str:
    """The rendered files of a node in a folder on the machine; returns the folder."""
    folder = f"/root/rendered-{node}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(rendered / node, arcname=".")
    text = base64.b64encode(packed.getvalue()).decode()
    project.on(NODE, f"mkdir -p {folder}; base64 -d | tar x -C {folder}", stdin=text)
    return folder


def test_nfs_files__differ_from_the_ones_that_are_live_in_the_share_only(
    bigger: Project, rendered: Path
) -> None:
    """And in who may have to make an environment: each node that has releases of its own."""
    live = bigger.folder / "rendered-live"
    bigger.fab("render", "--output", str(live)).well()
    paths = {
        str(file.relative_to(folder))
        for folder in (rendered, live)
        for file in folder.rglob("*")
        if file.is_file()
    }
    different = {
        path.partition("/")[2]
        for path in paths
        if not (rendered / path).exists()
        or not (live / path).exists()
        or (rendered / path).read_bytes() != (live / path).read_bytes()
    }
    if bigger.cluster.share.engine == "nfs":
        assert different == set()
        return
    units = r"systemd/system/(srv-|glusterd|\S*-share)"
    shares = rf"etc/(exports\.d|nfs\.conf\.d|nftables|glusterfs|{units})|opt/videoteca/uv\.txt$"
    assert {path for path in different if not re.match(shares, path)} == set()


def test_exports__are_accepted_by_exportfs_for_exactly_the_nodes(
    nfs_machine: Project, rendered: Path
) -> None:
    folder = put(nfs_machine, rendered, "server-1")
    # Without nfsd in the kernel exportfs parses, writes its table, and can't hand it on.
    said = nfs_machine.on(
        NODE,
        f"mkdir -p /srv/videoteca /etc/exports.d; unshare -m sh -c '"
        f"mount --bind {folder}/etc/exports.d /etc/exports.d && exportfs -ra; exportfs -s' 2>&1",
        check=False,
    )
    others = {"198.18.27.12", "198.18.27.13", "198.18.27.14", "198.18.27.21"}
    assert set(re.findall(r"198\.18\.27\.\d+", said)) == others, said
    assert not re.search(r"unknown keyword|bad |syntax|Invalid", said), said


def test_nfs_conf__is_read_by_nfsconf_as_meant(nfs_machine: Project, rendered: Path) -> None:
    folder = f"{put(nfs_machine, rendered, 'server-1')}/etc/nfs.conf.d"
    read = "nfsconf --file {}/{}.conf --get nfsd {}"
    for file, key, value in (
        ("nodriza", "host", "198.18.27.11"),
        ("nodriza", "vers3", "n"),
        ("threads", "threads", "13"),
    ):
        assert nfs_machine.on(NODE, read.format(folder, file, key)).strip() == value


def test_firewalls_of_the_nfs_cluster__are_accepted_by_nft(
    nfs_machine: Project, rendered: Path
) -> None:
    for node in ("server-1", "server-2", "video-1"):
        conf = f"{put(nfs_machine, rendered, node)}/etc/nftables.conf"
        nfs_machine.on(NODE, f"nft -c -f {conf}")
    text = (rendered / "server-1/etc/nftables.conf").read_text()
    assert "2049" in text


def test_mount__is_accepted_by_findmnt_and_by_systemds_generator(
    nfs_machine: Project, rendered: Path
) -> None:
    from nodriza.inventory import load_cluster
    from nodriza.plan.plan import plan_all
    from nodriza.resources import Mount

    cluster = load_cluster(nfs_machine.inventory.with_name("with-nfs.yml"))
    (plan,) = plan_all(cluster, [cluster.node(NODE)])
    (mount,) = [p.resource for p in plan.resources if isinstance(p.resource, Mount)]
    assert (mount.fstype, mount.source) == ("nfs4", "198.18.27.11:/srv/videoteca")
    fstab = f"{mount.source} {mount.path} {mount.fstype} {','.join(mount.options)} 0 0\n"
    nfs_machine.on(NODE, "cat >/root/fstab", stdin=fstab)
    said = nfs_machine.on(NODE, "findmnt --verify --tab-file /root/fstab 2>&1", check=False)
    assert said == "Success, no errors or warnings detected\n"

    folder = put(nfs_machine, rendered, NODE)
    script = (
        "rm -rf /root/units; mkdir /root/units; SYSTEMD_FSTAB=/root/fstab"
        " /usr/lib/systemd/system-generators/systemd-fstab-generator /root/units /root/units"
        f" /root/units && cp -r {folder}/etc/systemd/system/. /root/units/ &&"
        " cd /root/units && systemd-analyze verify --man=no srv-videoteca.mount *.service 2>&1"
    )
    assert nfs_machine.on(NODE, script) == ""
