"""The share, and what waits for it."""

from __future__ import annotations

import pytest

from nodriza.plan.plan import plan_node
from nodriza.resources import File, Mount, Service
from tests.unit.roles.made import content, resources, settings
from tests.unit.roles.test_tls import with_tls


def test_nfs__is_exported_to_each_node_by_address(three_node):
    exports = settings(content(three_node, "server-1", "/etc/exports.d/videoteca.exports"))
    assert [line.split("(")[0] for line in exports] == [
        "/srv/videoteca 198.18.7.12",
        "/srv/videoteca 198.18.7.13",
        "/srv/videoteca 198.18.7.21",
    ]
    assert all("root_squash" in line and "*" not in line for line in exports)


def with_share(cluster, **keys):
    return cluster.model_copy(update={"share": cluster.share.model_copy(update=keys)})


def test_nfs__of_a_folder_looks_each_handle_up_and_of_a_disk_needs_not(three_node):
    path = "/etc/exports.d/videoteca.exports"
    plain = settings(content(three_node, "server-1", path))
    assert all(",subtree_check," in line and "mountpoint" not in line for line in plain)
    disk = with_share(three_node, device="/dev/vdb")
    alone = settings(content(disk, "server-1", path))
    assert all(",no_subtree_check,mountpoint," in line for line in alone)


def test_share__is_mounted_from_its_device_before_anything_is_made_in_it(three_node):
    cluster = with_share(three_node, device="/var/lib/share.img", size_mb=4096)
    order = [resource.id for resource in resources(cluster, "server-1")]
    made, mounted = (
        order.index("filesystem:/var/lib/share.img"),
        order.index("mount:/srv/videoteca"),
    )
    assert made < mounted < order.index("directory:/srv/videoteca")
    (mount,) = resources(cluster, "server-1", Mount)
    assert mount.source == "/var/lib/share.img"
    assert {"loop", "nosuid", "nodev", "nofail"} == set(mount.options)


def test_nfs__needs_no_portmapper_on_either_side(three_node):
    for node in three_node.nodes:
        resources = [planned.resource for planned in plan_node(node, three_node).resources]
        masked = [one.unit for one in resources if isinstance(one, Service) and one.masked]
        assert masked == ["rpcbind.socket", "rpcbind", "rpc-statd"]


def test_nfs__has_no_server_when_there_is_nobody(three_node):
    """A line without a client would export to the whole world (exports(5))."""
    alone = type(three_node)(
        **{k: getattr(three_node, k) for k in type(three_node).model_fields}
        | {"nodes": (three_node.builder,)}
    )
    ids = [resource.id for resource in resources(alone, "server-1")]
    assert "package:nfs-kernel-server" not in ids
    assert "file:/etc/exports.d/videoteca.exports" not in ids
    assert "directory:/srv/videoteca" in ids
    assert "saddr {" not in content(alone, "server-1", "/etc/nftables.conf")


def test_share__is_mounted_where_the_central_has_it(cluster):
    for name in ("server-2", "video-1"):
        (mount,) = resources(cluster, name, Mount)
        assert mount.path == cluster.app.root
        assert mount.source.startswith(f"{cluster.builder.private}:/")
        assert "nofail" in mount.options  # the node boots without its share


def test_share__of_glusterfs_is_never_written_behind_its_back(gluster):
    (mount,) = resources(gluster, "server-1", Mount)
    assert mount.path == "/srv/videoteca"
    order = [resource.id for resource in resources(gluster, "server-1")]
    assert order.index(mount.id) < order.index("directory:/srv/videoteca/media")


def test_programs__start_after_the_share_answers(cluster):
    for name, unit in (("server-2", "uwsgi"), ("server-3", "uwsgi"), ("video-1", "celery")):
        lines = settings(content(cluster, name, f"/etc/systemd/system/{unit}.service"))
        after = next(line for line in lines if line.startswith("After="))
        assert "videoteca-share.service" in after
        assert "StartLimitIntervalSec=0" in lines  # however long the central is away


PATIENT = (
    "ExecStartPre=/usr/bin/timeout 60 /bin/sh -c"
    " 'until test -e /srv/videoteca/reload; do sleep 1; done'"
)
BEAR_IT = {
    "videoteca-share.service",  # waits itself, without end
    "videoteca-tls.service",  # looks every minute
}


@pytest.mark.parametrize("mode", ["none", "acme"])
def test_unit_that_needs_the_share__waits_for_it_however_it_comes_to_be_started(cluster, mode):
    """After the boot nobody else does; the empty folder below is no share."""
    whole, patient = with_tls(cluster, mode), set()
    for node in whole.nodes:
        files = {file.path: file.content for file in resources(whole, node.name, File)}
        for path, text in files.items():
            name = path.rpartition("/")[2]
            if not path.endswith(".service") or name in BEAR_IT:
                continue
            starts = [other for other in files if f"{other}\n" in text.replace(" ", "\n")]
            reads = [text, *(files[other] for other in starts)]
            if any("/srv/videoteca" in "\n".join(settings(each)) for each in reads):
                patient.add(name)
                assert PATIENT in settings(text), name
                after = " ".join(line for line in settings(text) if line.startswith("After="))
                assert "videoteca-share.service" in after or "srv-videoteca.mount" in after
    acme = {"videoteca-certificate.service"} if mode == "acme" else set()
    assert patient == {"uwsgi.service", "celery.service"} | acme


def test_renewal_of_a_certificate__waits_for_the_share(cluster):
    whole = with_tls(cluster, "acme")
    drop_in = content(whole, "server-1", "/etc/systemd/system/certbot.service.d/nodriza.conf")
    assert PATIENT in settings(drop_in)


def test_mount__is_tried_for_ever(cluster):
    for node in cluster.nodes:
        for mount in resources(cluster, node.name, Mount):
            unit = mount.path.strip("/").replace("/", "-")
            path = f"/etc/systemd/system/{unit}.mount.d/retry.conf"
            assert "StartLimitIntervalSec=0" in settings(content(cluster, node.name, path))
