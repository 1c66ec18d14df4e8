"""A file system of its own, made by the real programs in an image file; none is mounted here."""

import subprocess

import pytest

from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import FileSystem, gap_between
from nodriza.resources.mount import Mount, resolved

SIZE = 64
PARTITIONED = (
    bytes(446) + bytes.fromhex("80feffff83feffff0008000000f80100").ljust(64, b"\0") + b"\x55\xaa"
)
"""A master boot record with one partition."""


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def image(tmp_path):
    return FileSystem(str(tmp_path / "share.img"), str(tmp_path / "srv"), size_mb=SIZE)


def look(host, resource):
    return FileSystem.look(host, [resource])[0]


def gap(host, resource):
    return gap_between(resource, look(host, resource))


def made(host, resource):
    resource.vet(host)
    resource.fix(host, look(host, resource))
    return resource


def said(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def content(path):
    return said("blkid", "-p", path)


def test_image__is_made_with_a_file_system_and_is_roots_alone(host, image, tmp_path):
    made(host, image)
    assert gap(host, image) == {}
    assert 'TYPE="ext4"' in content(image.device)
    assert host.stat(image.device).mode == "0600"


def test_image__that_a_killed_run_left_without_a_file_system_gets_one(host, image):
    host.write(image.device, b"")
    assert gap(host, image) == {"fstype": ("", "ext4"), "size_mb": (0, SIZE)}
    made(host, image)
    assert gap(host, image) == {}


def test_image__keeps_its_files_when_it_grows(host, image):
    made(host, image)
    before = content(image.device)
    larger = made(host, FileSystem(image.device, image.path, size_mb=SIZE + 32))
    assert gap(host, larger) == {}
    assert content(image.device) == before  # its UUID is in there: it was not formatted
    assert f"Block count:              {(SIZE + 32) * 1024}" in said(
        "dumpe2fs", "-h", image.device
    )


def test_image__is_never_made_smaller(host, image):
    made(host, image)
    with pytest.raises(HostError, match=r"has 64 MiB, and is never made smaller"):
        FileSystem(image.device, image.path, size_mb=SIZE - 1).vet(host)


@pytest.mark.parametrize(
    ("start", "program", "named"),
    [
        (b"", ["mkfs.ext2", "-q"], "has ext2 on it"),
        (b"", ["mkswap"], "has swap on it"),
        (PARTITIONED, ["true"], "has a partition table on it"),
    ],
)
def test_device_with_something_on_it__is_never_formatted(host, image, start, program, named):
    host.write(image.device, start.ljust(SIZE * 1024 * 1024, b"\0"))
    said(*program, image.device)
    before = host.read(image.device)
    with pytest.raises(HostError, match=f"{named}, and nothing was formatted"):
        image.vet(host)
    assert host.read(image.device) == before


def test_disk__that_is_not_there_is_asked_for(host):
    disk = FileSystem("/dev/nodriza-no-such-disk", "/srv/nodriza-none")
    assert gap(host, disk) == {"fstype": (None, "ext4")}
    with pytest.raises(HostError, match="attach the disk, or correct share.device"):
        disk.vet(host)


def test_files_that_the_mount_would_hide__stay_where_they_are(host, image):
    host.mkdirs(f"{image.path}/media")
    assert gap(host, image)["hides"] == ("media", "")
    with pytest.raises(HostError, match=r"has files already \(media\), and .* would hide them"):
        image.vet(host)
    assert host.stat(image.device) is None


def test_device__is_known_by_each_of_its_names(tmp_path):
    host = Host(str(tmp_path))
    for folder in ("dev/disk/by-id", "etc", "proc/self", "sys/block/loop3/loop"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dev/disk/by-id/virtio-share").symlink_to("../../vdb")
    (tmp_path / "sys/block/loop3/loop/backing_file").write_text("/var/lib/share.img\n")
    (tmp_path / "etc/fstab").write_text("")
    assert resolved(host, "/dev/disk/by-id/virtio-share") == "/dev/vdb"
    for source, shown in (
        ("/dev/disk/by-id/virtio-share", "/dev/vdb"),
        ("/var/lib/share.img", "/dev/loop3"),
    ):
        host.write("/proc/self/mountinfo", f"41 21 8:1 / /srv/a rw - ext4 {shown} rw\n")
        mount = Mount("/srv/a", source, "ext4", automount=False)
        assert Mount.look(host, [mount])[0]["mounted"] is True
        other = Mount("/srv/a", "/dev/vdc", "ext4", automount=False)
        assert Mount.look(host, [other])[0]["mounted"] == shown
