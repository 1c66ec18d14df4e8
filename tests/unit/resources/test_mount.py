"""Mounts: what fstab and mountinfo say. Mounting itself is for the lab."""

import errno
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodriza.agent.left import Left
from nodriza.host import dead_mounts
from nodriza.host.errors import HostError, Result
from nodriza.host.host import Host
from nodriza.host.mounts import MountEntry, find_entry, with_entry
from nodriza.resources import Mount, gap_between
from nodriza.resources.mount import unit_name

SHARE = Mount("/srv/app", "198.18.7.11:/srv/app", "nfs4", ("hard", "actimeo=1"))
PLAIN = Mount("/data", "/dev/vdb1", "ext4", automount=False)
FSTAB = "198.18.7.11:/srv/app /srv/app nfs4 hard,actimeo=1,_netdev,nofail{} 0 0\n"
AUTO = FSTAB.format(",x-systemd.automount")
ROOT = "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
AUTOFS = "40 21 0:35 / /srv/app rw,relatime shared:2 - autofs systemd-1 rw,fd=50\n"
NFS = "41 40 0:44 / /srv/app rw shared:3 - nfs4 198.18.7.11:/srv/app rw,vers=4.2,hard\n"
OTHER = NFS.replace("198.18.7.11:", "198.18.7.99:")


@pytest.fixture
def host(tmp_path):
    for folder in ("etc", "proc/self", "dev"):
        (tmp_path / folder).mkdir(parents=True)
    return Host(str(tmp_path))


def look(host, mount=SHARE, *, fstab="", mountinfo="", autofs=True):
    host.write("/etc/fstab", fstab)
    host.write("/proc/self/mountinfo", ROOT + mountinfo)
    host.write("/proc/filesystems", "nodev\ttmpfs\n" + ("nodev\tautofs\n" if autofs else ""))
    host.write("/dev/autofs", "")
    return Mount.look(host, [mount])[0]


def gap(host, mount=SHARE, **files):
    return gap_between(mount, look(host, mount, **files))


def test_mount__is_absent_on_a_bare_host(host):
    assert look(host) is None


@pytest.mark.parametrize("mountinfo", [AUTOFS, AUTOFS + NFS], ids=["waiting", "triggered"])
def test_mount__is_as_wanted_before_and_after_its_first_access(host, mountinfo):
    assert look(host, fstab=AUTO, mountinfo=mountinfo) == SHARE.wanted()


def test_mount__on_a_host_without_autofs_is_mounted_at_boot(host):
    files = {"fstab": FSTAB.format(""), "mountinfo": NFS, "autofs": False}
    assert look(host, **files) == SHARE.wanted()
    files["fstab"] = AUTO
    assert gap(host, **files) == {"automount": ("this host has no autofs", True)}


def test_mount__on_a_host_that_has_autofs_by_now_gets_its_automount(host):
    assert gap(host, fstab=FSTAB.format(""), mountinfo=NFS) == {"automount": (False, True)}


def test_mount__that_is_not_mounted_is_due(host):
    assert gap(host, fstab=AUTO) == {"mounted": (False, True)}


def test_mount__of_another_server_is_seen_as_what_it_is(host):
    changed = gap(host, fstab=AUTO, mountinfo=AUTOFS + OTHER)
    assert changed == {"mounted": ("198.18.7.99:/srv/app", True)}
    assert gap(host, fstab=AUTO, mountinfo=AUTOFS + NFS.replace("nfs4", "ext4")) == {
        "mounted": ("198.18.7.11:/srv/app (ext4)", True)
    }


def test_mount__that_was_made_by_hand_lacks_its_line(host):
    assert set(gap(host, mountinfo=NFS)) == {"source", "fstype", "options", "automount"}


def test_mount__with_other_options_in_fstab_is_due(host):
    fstab = AUTO.replace("hard", "soft")
    options = "actimeo=1,_netdev,nofail"
    assert gap(host, fstab=fstab, mountinfo=AUTOFS) == {
        "options": (f"soft,{options}", f"hard,{options}")
    }


def test_mount__without_automount_is_not_content_with_one(host):
    line = "/dev/vdb1 /data ext4 defaults 0 2\n"
    info = NFS.replace("/srv/app", "/data").replace("nfs4 198.18.7.11:/data", "ext4 /dev/vdb1")
    assert look(host, PLAIN, fstab=line, mountinfo=info) == PLAIN.wanted()
    automount = AUTOFS.replace("/srv/app", "/data")
    assert gap(host, PLAIN, fstab=line, mountinfo=automount) == {"mounted": (False, True)}
    line = line.replace("defaults", "defaults,x-systemd.automount")
    assert gap(host, PLAIN, fstab=line, mountinfo=info) == {"automount": (True, False)}


@pytest.mark.parametrize(
    ("mount", "kernel"),
    [
        (Mount("/m", "198.18.7.11:/vol", "glusterfs"), "fuse.glusterfs 198.18.7.11:/vol"),
        (Mount("/m", "198.18.7.11:vol", "glusterfs"), "fuse.glusterfs 198.18.7.11:/vol"),
        (Mount("/m", "198.18.7.11:/srv/", "nfs"), "nfs4 198.18.7.11:/srv"),
        (Mount("/m", "198.18.7.11:/", "nfs4"), "nfs4 198.18.7.11:/"),
        (Mount("/m", "UUID=0a1b", "ext4"), "ext4 /dev/sda1"),
        (Mount("/m/", "/dev/my disk", "ext4"), "ext4 /dev/my\\040disk"),
    ],
)
def test_mount__knows_the_names_that_the_kernel_gives(host, mount, kernel):
    state = look(host, mount, mountinfo=f"41 21 0:44 / /m rw - {kernel} rw\n")
    assert state["mounted"] is True


def test_mount__looks_without_touching_the_mount_point(host, monkeypatch):
    """A dead NFS server would hold us for ever."""
    seen = []
    real_at = Host.at
    monkeypatch.setattr(Host, "at", lambda self, path: seen.append(path) or real_at(self, path))
    look(host, fstab=AUTO, mountinfo=AUTOFS)
    assert seen
    assert not [path for path in seen if path.startswith("/srv")]


def forgotten(host, monkeypatch, number=errno.ESTALE):
    """Its server answers as one that knows nothing of it."""

    def statvfs(path):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dead_mounts.os, "statvfs", statvfs)
    monkeypatch.setattr(dead_mounts, "RETURN", 0)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOTCONN])
def test_mount_that_its_server_has_forgotten__is_none(host, monkeypatch, number):
    forgotten(host, monkeypatch, number)
    found = gap(host, fstab=AUTO, mountinfo=AUTOFS + NFS)
    assert found == {"mounted": (f"dead: {os.strerror(number)}", True)}
    assert look(host, fstab=AUTO, mountinfo=AUTOFS) == SHARE.wanted()


def test_mount_whose_server_says_nothing__is_left_as_it_is(host, monkeypatch):
    """Programs wait for it (nfs(5), hard), and it may come back."""
    monkeypatch.setattr(dead_mounts, "PATIENCE", 0.1)
    over = threading.Event()
    monkeypatch.setattr(dead_mounts.os, "statvfs", lambda path: over.wait(120))
    began = time.monotonic()
    assert look(host, fstab=AUTO, mountinfo=AUTOFS + NFS) == SHARE.wanted()
    assert time.monotonic() - began < 60
    over.set()


def programs(host, fail=""):
    """What is run, in words; a lazy umount of the share does its work."""
    told = []

    def run(argv, check=True, **_):
        told.append(" ".join(argv))
        if argv[:2] == ["umount", "--lazy"] and argv[-1] == "/srv/app":
            host.write("/proc/self/mountinfo", ROOT + AUTOFS)
        if fail and argv[0] == fail:
            raise HostError(f"{fail} said no")
        return Result(argv, 0, "", "")

    host.run = run
    return told


def serves(host, unit="uwsgi.service"):
    """A process of a service with a file of the share open."""
    for number in (77, 78, 79):
        (Path(host.root) / f"proc/{number}/fd").mkdir(parents=True)
    host.write("/proc/77/cgroup", f"0::/system.slice/{unit}\n")
    (Path(host.root) / "proc/77/fd/3").symlink_to("/srv/app/media/film")
    host.write("/proc/78/cgroup", "0::/user.slice/user-0.slice/user@0.service\n")
    (Path(host.root) / "proc/78/cwd").symlink_to("/srv/app")
    host.write("/proc/79/cgroup", "0::/system.slice/cron.service\n")
    (Path(host.root) / "proc/79/cwd").symlink_to("/srv/apple")


def test_mount_that_is_dead__is_taken_from_under_services_which_start_again(host, monkeypatch):
    look(host, fstab=AUTO, mountinfo=AUTOFS + NFS)
    serves(host)
    forgotten(host, monkeypatch)
    told = programs(host)
    SHARE.fix(host, look(host, fstab=AUTO, mountinfo=AUTOFS + NFS))
    assert told[0].startswith("mount -t nfs4 -o hard,actimeo=1 198.18.7.11:/srv/app /run/nodriza")
    assert told[3:] == [
        "systemctl stop uwsgi.service",
        "umount --lazy --no-canonicalize /srv/app",
        "systemctl stop srv-app.automount",
        "systemctl daemon-reload",
        "systemctl start srv-app.automount",
        "systemctl start --no-block uwsgi.service",
    ]


def test_mount_that_is_dead_while_its_server_is_away__is_left_to_who_waits(host, monkeypatch):
    look(host, fstab=AUTO, mountinfo=AUTOFS + NFS)
    serves(host)
    forgotten(host, monkeypatch)
    told = programs(host, fail="mount")
    with pytest.raises(HostError, match="is dead, and .* can't be mounted anew"):
        SHARE.fix(host, look(host, fstab=AUTO, mountinfo=AUTOFS + NFS))
    assert not [words for words in told if words.split()[-1] == "/srv/app" or "stop" in words]


def test_mount_that_comes_back_by_itself__is_not_taken_away(host, monkeypatch):
    now = look(host, fstab=AUTO, mountinfo=AUTOFS + NFS)
    answers = iter([errno.ENOTCONN])

    def statvfs(path):
        for number in answers:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dead_mounts.os, "statvfs", statvfs)
    told = programs(host)
    SHARE.fix(host, now)
    assert [words.split()[0] for words in told] == ["mount", "umount", "rmdir"]


def test_with_entry__replaces_only_the_line_of_its_mount_point():
    fstab = b"# /srv/app\n\n/dev/a\t/srv/app2 ext4 rw 0 1\nold /srv/app/ nfs rw\r\nx /y z\n#end"
    new = with_entry(fstab, "/srv/app", MountEntry("new:/a b", "nfs4", "hard"))
    assert new == fstab.replace(b"old /srv/app/ nfs rw\r", b"new:/a\\040b /srv/app nfs4 hard 0 0")


def test_with_entry__ends_a_last_line_that_has_no_end():
    assert with_entry(b"a /b c", "/m", MountEntry("s", "t", "o")) == b"a /b c\ns /m t o 0 0\n"


WORDS = st.text(st.characters(exclude_categories=["C"]), min_size=1).filter(
    lambda word: not word.startswith("#") and word.isprintable()
)


@given(fstab=st.binary(), source=WORDS, path=WORDS, options=WORDS)
def test_with_entry__is_found_again_and_twice_is_once(fstab, source, path, options):
    path = "/" + "/".join(part for part in path.split("/") if part.strip("."))
    entry = MountEntry(source, "nfs4", options)
    once = with_entry(fstab, path, entry)
    assert find_entry(once, path) == entry
    assert with_entry(once, path, entry) == once


@given(st.lists(st.binary(max_size=30).filter(lambda row: b"/m" not in row and b"\\" not in row)))
def test_with_entry__leaves_every_other_byte(rows):
    fstab = b"\n".join(rows)
    new = with_entry(fstab, "/m", MountEntry("s", "t", "o"))
    assert new.startswith(fstab)
    assert new[len(fstab) :].strip(b"\n") == b"s /m t o 0 0"


def test_with_entry__that_goes_takes_its_own_line_only():
    fstab = b"# a\n/dev/a /m2 ext4 rw 0 1\ns /m t o 0 0\n#end"
    assert with_entry(fstab, "/m", None) == b"# a\n/dev/a /m2 ext4 rw 0 1\n#end"
    assert with_entry(fstab, "/n", None) == fstab


def left(mount):
    return Left(mount.path, "Mount", (mount.mark(),))


@pytest.mark.parametrize(
    ("fstab", "remains"),
    [
        ("", None),
        (AUTO, ""),
        (AUTO.replace("hard", "soft"), ""),
        (AUTO.replace("7.11:", "7.99:"), "somebody else has changed it"),
    ],
)
def test_mount_that_is_planned_no_more__goes_while_its_line_is_about_the_same(
    host, fstab, remains
):
    look(host, fstab=fstab, mountinfo=AUTOFS + NFS)
    assert Mount.remains(host, left(SHARE)) == remains


@pytest.mark.parametrize("busy", [False, True])
def test_mount_that_is_planned_no_more__is_unmounted_and_then_its_line_goes(host, busy):
    """In this order: what is in use stays as it is, with its line."""
    look(host, fstab=f"# mine\n{AUTO}", mountinfo=AUTOFS + NFS)
    told = []

    def run(argv, **_):
        told.append(argv[1:])
        if not busy and argv[1:] == ["stop", "srv-app.mount"]:
            host.write("/proc/self/mountinfo", ROOT + AUTOFS)
        return Result(argv, 0, "", "")

    host.run = run
    if busy:
        with pytest.raises(HostError, match="is in use"):
            Mount.take_away(host, left(SHARE))
        assert AUTO.encode() in host.read("/etc/fstab")
        return
    Mount.take_away(host, left(SHARE))
    assert told == [["stop", "srv-app.mount"], ["stop", "srv-app.automount"], ["daemon-reload"]]
    assert host.read("/etc/fstab") == b"# mine\n"


PATHS = [
    "/",
    "/srv",
    "/srv/app",
    "/srv/my-app",
    "/srv/.hidden",
    "/.a/b",
    "/ñ/a b",
    "//a//b/",
    "/a_b:c.d",
    "/back\\slash",
    "/at@100%",
]


def test_unit_name__is_what_systemd_escape_says():
    command = ["systemd-escape", "--path", "--suffix=mount", *PATHS]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert [unit_name(path, "mount") for path in PATHS] == said
