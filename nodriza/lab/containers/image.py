"""Bare Debian as a directory tree: built once per recipe, the lower layer of every machine.

The recipe is all that goes into the image, so that a changed recipe has another
name and an image never changes while machines run on it. A tree is built under a
temporary name and renamed when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from nodriza.errors import LabError
from nodriza.lab import programs, state
from nodriza.lab.containers import disk

CACHE = Path("/var/cache/nodriza/images")
PATIENCE = 900
"""Seconds for one image, on a slow line too."""
KEEP_DAYS = 60
"""After that an image that no lab was brought up with is taken away; each has 0.4 GB."""
MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
RELEASES = r"(?:bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing)"

PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
)
APT = (
    'Acquire::Languages "none"',
    'Acquire::Retries "3"',
    'DPkg::Lock::Timeout "60"',
)
DPKG = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    # Lab machines are thrown away: nothing is gained by waiting for the disk.
    "force-unsafe-io",
)
INHERITED = (
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
)
"""Settings of the controller's apt without which the same mirror would not answer a machine."""
FILES = {
    "etc/pip.conf": "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n",
    "etc/ssh/sshd_config.d/10-lab.conf": (
        "HostKey /etc/ssh/ssh_host_ed25519_key\n"
        "PermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\n"
    ),
}
"""Machines behind an intercepting proxy need its certificate for pip too, which
brings its own list unless told."""
DISABLED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer")
"""Timers that would take the package lock, or look after disks that a machine has not."""
MASKED = ("console-getty.service",)


@dataclass(frozen=True)
class Recipe:
    """All that goes into an image."""

    release: str
    mirror: str
    security: str
    apt: tuple[str, ...]
    certificates: tuple[tuple[str, str], ...]
    packages: tuple[str, ...] = PACKAGES
    dpkg: tuple[str, ...] = DPKG
    files: tuple[tuple[str, str], ...] = tuple(FILES.items())
    disabled: tuple[str, ...] = DISABLED
    masked: tuple[str, ...] = MASKED

    @property
    def path(self) -> Path:
        """Where the finished tree is, or will be."""
        text = json.dumps(asdict(self), sort_keys=True).encode()
        return CACHE / f"{self.release}-{hashlib.sha256(text).hexdigest()[:12]}"

    @property
    def hooks(self) -> tuple[str, ...]:
        """What mmdebstrap(1) is told besides."""
        return ()

    @property
    def setup(self) -> str:
        """A shell script that has the last word, inside the tree."""
        return ""

    @property
    def sources(self) -> tuple[str, ...]:
        """The lines of the image's sources.list."""
        signed = f"[signed-by={programs.KEYRING}]"
        return (
            f"deb {signed} {self.mirror} {self.release} main",
            f"deb {signed} {self.mirror} {self.release}-updates main",
            f"deb {signed} {self.security} {self.release}-security main",
        )


def recipe(release: str) -> Recipe:
    """What an image would be made of on this controller today."""
    mirror, security = mirrors(Path("/etc/apt"))
    found = sorted(Path("/usr/local/share/ca-certificates").glob("**/*.crt"))
    return Recipe(
        release=release,
        mirror=mirror,
        security=security,
        apt=(*APT, *_inherited()),
        certificates=tuple((path.name, path.read_text()) for path in found),
    )


def ensure(wanted: Recipe, say: Callable[[str], None]) -> Path:
    """The tree of a recipe, built if it is not there."""
    if not wanted.path.exists():
        lock = _lock(wanted.path)
        with state.locked(lock, busy=f"{wanted.path.name} is being built", seconds=900):
            if not wanted.path.exists():
                say(f"building the base image of Debian {wanted.release} (once; about a minute)")
                _build(wanted, say)
                prune()
    used(wanted.path)
    return wanted.path


def used(tree: Path) -> None:
    """A lab is brought up with it: it is kept for another while."""
    _lock(tree).touch()


def prune() -> None:
    """Take away what no lab has used for long, with the packages that were kept for it."""
    for tree in CACHE.glob("[!.]*"):
        lock = _lock(tree)
        last = max(path.stat().st_mtime for path in (tree, lock) if path.exists())
        if last < time.time() - KEEP_DAYS * 86400 and not mounted(tree):
            old = tree.with_name(f".{tree.name}.old")
            tree.rename(old)  # half a tree must not look like an image
            _remove(old)
            _remove(disk.DEBS / tree.name)
            lock.unlink(missing_ok=True)


def mounted(tree: Path) -> bool:
    """Whether a machine that runs has it below its disk; each has mounts of its own."""
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):  # a process that has ended
            if f"lowerdir={tree}" in mounts.read_text():
                return True
    return False


def _lock(tree: Path) -> Path:
    """Held while a tree is built; its time is when a lab was last brought up with it."""
    return CACHE / f".{tree.name}.lock"


def mirrors(folder: Path) -> tuple[str, str]:
    """The controller's own Debian mirror and security mirror, or Debian's defaults."""
    main, security = "", ""
    for uri, suite in _entries(folder):
        if re.fullmatch(RELEASES, suite):
            main = main or uri
        elif re.fullmatch(rf"{RELEASES}-security", suite):
            security = security or uri
    return (main or MIRROR, security or SECURITY)


def _entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Each (URI, suite) of the sources, both of the one-line and the deb822 style."""
    lists = sorted(folder.glob("sources.list.d/*.list"))
    for path in (folder / "sources.list", *lists):
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            if found := re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+\S", line):
                yield found[1].rstrip("/"), found[2]
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        text = re.sub(r"(?m)^#.*\n?", "", path.read_text())
        for stanza in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"(?m)^([A-Za-z-]+):\s*(.*(?:\n[ \t].*)*)", stanza))
            if "deb" not in fields.get("Types", "").split() or fields.get("Enabled") == "no":
                continue
            for uri in fields.get("URIs", "").split():
                for suite in fields.get("Suites", "").split():
                    yield uri.rstrip("/"), suite


def _inherited() -> list[str]:
    if not shutil.which("apt-config", path=programs.PATH):
        return []
    settings = []
    for line in programs.run(["apt-config", "dump", *INHERITED]).splitlines():
        name, _, value = line.rstrip(";").partition(" ")
        # A proxy on the controller's loopback is not there for a machine.
        if name in INHERITED and not re.search(r'""|localhost|127\.|\[::1\]', value):
            settings.append(f"{name} {value}")
    return settings


def _build(wanted: Recipe, say: Callable[[str], None]) -> None:
    new = CACHE / f".{wanted.path.name}.new"
    _remove(new)
    try:
        _debootstrap(wanted, new, say)
        _finish(wanted, new)
    except BaseException:
        _remove(new)
        raise
    os.sync()
    new.rename(wanted.path)


def _debootstrap(wanted: Recipe, new: Path, say: Callable[[str], None]) -> None:
    # In a process namespace of its own, which ends with us, however we end.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
    argv += ["--kill-child", "--mount-proc", "mmdebstrap", "--mode=root", "--format=directory"]
    argv += ["--variant=minbase", f"--include={','.join(wanted.packages)}"]
    argv += [f"--aptopt={option}" for option in wanted.apt]
    argv += [f"--dpkgopt={option}" for option in wanted.dpkg]
    # A real machine has its package lists, and a fresh look at them is cheap.
    argv += ["--skip=cleanup/apt/lists", *wanted.hooks]
    argv += [wanted.release, str(new), *wanted.sources]
    words: list[str] = []
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "PATH": programs.PATH, "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    ) as process:
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            for line in process.stderr or ():
                words.append(line.rstrip())
                if line.startswith("I: "):
                    say(f"  {line[3:].rstrip()}")
            code = process.wait()
        finally:
            alarm.cancel()
            process.kill()
    if code:
        raise LabError(
            f"mmdebstrap could not make a Debian {wanted.release} from {wanted.mirror}:\n"
            + "\n".join(words[-15:]),
            do="see that this computer reaches the mirror, then fab lab.up",
        )


def _finish(wanted: Recipe, tree: Path) -> None:
    """Make the tree the disk of a machine that nobody has switched on yet."""
    for name, text in wanted.files:
        _put(tree / name, text)
    for name, text in wanted.certificates:
        _put(tree / "usr/local/share/ca-certificates" / name, text)
    programs.run(["chroot", tree, "update-ca-certificates"], timeout=120)
    units = ["systemctl", f"--root={tree}", "--quiet"]
    present = [unit for unit in wanted.disabled if (tree / "lib/systemd/system" / unit).exists()]
    programs.run([*units, "disable", *present])
    programs.run([*units, "mask", *wanted.masked])
    programs.run(["chroot", tree, "sh", "-ec", wanted.setup], timeout=120)
    for path in (*tree.glob("etc/ssh/ssh_host_*"), tree / "etc/resolv.conf"):
        path.unlink(missing_ok=True)
    _put(tree / "etc/machine-id", "")
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def _remove(tree: Path) -> None:
    programs.run(["rm", "-rf", "--one-file-system", tree], timeout=120)
