"""A Vagrant box for libvirt: bare Debian that boots by itself, made here, nothing prebuilt.

One disk with an MBR, GRUB in the gap behind it and one ext4 partition. Nothing is
mounted for it: mke2fs(8) copies the tree, and GRUB's two parts are put where
grub-bios-setup(8) would put them.
"""

from __future__ import annotations

import json
import shutil
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza.errors import LabError
from nodriza.lab import programs, state
from nodriza.lab.containers import image
from nodriza.lab.virtual.vagrant import Vagrant
from nodriza.plan.plan import plan_node
from nodriza.resources import Package, Service

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

FOLDER = Path("/var/cache/nodriza/boxes")
SECTOR = 512
DISK_MB = 10_240
"""What a machine sees; the file has only what is in use."""
START = 1_048_576
"""Where the partition begins, as partitioners have it: the gap before it is GRUB's."""
GRUB = Path("/usr/lib/grub/i386-pc")
MODULES = ("biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile", "echo", "test")
PROGRAMS = {
    "grub-mkimage": "grub-common",
    "qemu-img": "qemu-utils",
    "mke2fs": "e2fsprogs",
    "vagrant": "vagrant",
}
PACKAGES = (
    *image.PACKAGES,
    "e2fsprogs",
    "ifupdown",  # what Vagrant gives a Debian its addresses with
    "initramfs-tools",
    "isc-dhcp-client",
    "kmod",
    "linux-image-cloud-amd64",  # small, with virtio, NFS and nftables
    "udev",
)
# Vagrant's own "insecure" key: it lets `vagrant up` in once, which puts a new one in its place.
# github.com/hashicorp/vagrant/tree/main/keys
KEY = """\
ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key
"""  # noqa: E501
FILES = {
    **image.FILES,
    "etc/hostname": "debian\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n",
    "etc/fstab": "LABEL=debian / ext4 errors=remount-ro 0 1\n",
    "etc/network/interfaces": (
        "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n"
    ),
    "etc/default/grub": "# The kernel is found by /boot/grub/grub.cfg, which nothing rewrites.\n",
    "etc/sudoers.d/vagrant": "vagrant ALL=(ALL) NOPASSWD: ALL\n",
    "etc/systemd/system/host-keys.service": (
        "[Unit]\n"
        "Description=Host keys of this machine's own\n"
        "ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n"
        "Before=ssh.service\n\n"
        "[Service]\n"
        "Type=oneshot\n"
        "ExecStart=/usr/bin/ssh-keygen -A\n\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    ),
    # The links are kept by the kernel's own packages (linux-update-symlinks(1)).
    # mitigations=off: a machine for trying things out, and emulated ones are slow enough.
    "boot/grub/grub.cfg": (
        "linux /vmlinuz root=LABEL=debian ro net.ifnames=0 mitigations=off"
        " console=tty0 console=ttyS0\n"
        "initrd /initrd.img\n"
        "boot\n"
    ),
    "home/vagrant/.ssh/authorized_keys": KEY,
}
SETUP = """
useradd --shell /bin/bash --home-dir /home/vagrant vagrant
chown -R vagrant: /home/vagrant
chmod 700 /home/vagrant/.ssh
chmod 600 /home/vagrant/.ssh/authorized_keys
chmod 440 /etc/sudoers.d/vagrant
systemctl --quiet enable host-keys.service
systemctl --quiet disable e2scrub_reap.service  # for disks under LVM
"""
VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.provider "libvirt" do |libvirt|
    libvirt.disk_bus = "virtio"
  end
end
"""


OFF = "systemctl --quiet disable {unit} 2>/dev/null || true  # comes with a package, or not\n"
GET = """\
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
apt-get clean
apt-get --yes --download-only --no-install-recommends install {packages}
"""


@dataclass(frozen=True)
class Recipe(image.Recipe):
    """A tree with a kernel; ``cached``: packages that wait in apt's cache, not installed."""

    cached: tuple[str, ...] = ()
    script: str = SETUP

    @property
    def setup(self) -> str:
        """Vagrant's user, and host keys at the first boot."""
        return self.script

    @property
    def hooks(self) -> tuple[str, ...]:
        """Download them once the system is there."""
        if not self.cached:
            return ()
        get = GET.format(packages=" ".join(self.cached))
        return (f"--customize-hook={get}", "--skip=cleanup/apt/cache")


def build(cluster: Cluster, say: Callable[[str], None], *, installed: bool = False) -> None:
    """Make a box of the Debian release of a cluster's lab and give it to Vagrant.

    The packages that its nodes need come along in apt's cache, so that a provision
    downloads what has become newer since, and no more. ``installed``: they are installed,
    all on every machine and their services off; emulated machines are slow at that.
    """
    programs.require(PROGRAMS)
    if not (GRUB / "boot.img").exists():
        raise LabError("GRUB for PCs is not installed", do="apt-get install grub-pc-bin")
    wanted = _recipe(cluster, installed)
    release = wanted.release
    file = FOLDER / f"{wanted.path.name}.box"
    FOLDER.mkdir(parents=True, exist_ok=True)
    lock = FOLDER / f".{release}.lock"
    with state.locked(lock, busy=f"the box of {release} is being built", seconds=900):
        if not file.exists():
            tree = image.ensure(wanted, say)
            say("making a disk of it")
            _pack(tree, file)
    name = f"nodriza/{release}64"
    say(f"giving it to Vagrant: {file.stat().st_size // 1_000_000} MB")
    Vagrant(FOLDER, cluster.path, FOLDER / ".vagrant").box_add(name, file)
    say(f"to use it: NODRIZA_BOX={name} fab lab.up, or box: {name} in the inventory's lab")


def _recipe(cluster: Cluster, installed: bool) -> Recipe:
    release = cluster.lab.release if cluster.lab else "bookworm"
    bare = {**vars(image.recipe(release)), "files": tuple(FILES.items())}
    plans = [plan_node(node, cluster).resources for node in cluster.nodes]
    resources = [planned.resource for plan in plans for planned in plan]
    packages = tuple(sorted({one.name for one in resources if isinstance(one, Package)}))
    if not installed:
        return Recipe(**bare | {"packages": PACKAGES}, cached=packages)
    units = sorted({one.full_unit for one in resources if isinstance(one, Service)})
    off = "".join(OFF.format(unit=unit) for unit in units)
    return Recipe(**bare | {"packages": (*PACKAGES, *packages)}, script=SETUP + off)


def _pack(tree: Path, file: Path) -> None:
    work = file.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        raw = work / "box.raw"
        _disk(tree, raw, work)
        programs.run(
            ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, work / "box.img"],
            timeout=600,
        )
        raw.unlink()
        about = {"provider": "libvirt", "format": "qcow2", "virtual_size": DISK_MB // 1024}
        (work / "metadata.json").write_text(json.dumps(about))
        (work / "Vagrantfile").write_text(VAGRANTFILE)
        new = work / "whole.box"
        # Not compressed: it is read on this computer, once.
        with tarfile.open(new, "w") as box:
            for name in ("metadata.json", "Vagrantfile", "box.img"):
                box.add(work / name, arcname=name)
        new.rename(file)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _disk(tree: Path, raw: Path, work: Path) -> None:
    size = DISK_MB * 1_048_576
    with raw.open("wb") as disk:
        disk.truncate(size)
        disk.write(_boot_sector((size - START) // SECTOR))
        disk.write(_core(work))
        if disk.tell() > START:
            raise LabError("GRUB does not fit before the partition")
    mke2fs: list[str | Path] = ["mke2fs", "-q", "-t", "ext4", "-L", "debian", "-d", tree]
    mke2fs += ["-E", f"offset={START},root_owner=0:0", "-F", raw]
    programs.run([*mke2fs, f"{(size - START) // 1024}k"], timeout=600)


def _boot_sector(sectors: int) -> bytes:
    """GRUB's boot.img, which loads what begins in the next sector, and one partition."""
    code = (GRUB / "boot.img").read_bytes()[:440]
    no_chs = b"\xfe\xff\xff"  # what the addresses of before 1994 say when they say nothing
    linux = struct.pack("<B3sB3sII", 0x80, no_chs, 0x83, no_chs, START // SECTOR, sectors)
    return code.ljust(446, b"\0") + linux.ljust(64, b"\0") + b"\x55\xaa"


def _core(work: Path) -> bytes:
    """The rest of GRUB; grub-mkimage(1) makes it for the sectors from the second on."""
    argv: list[str | Path] = [
        "grub-mkimage",
        "-O",
        "i386-pc",
        "-d",
        GRUB,
        "-p",
        "(hd0,msdos1)/boot/grub",
    ]
    programs.run([*argv, "-o", work / "core.img", *MODULES])
    return (work / "core.img").read_bytes()
