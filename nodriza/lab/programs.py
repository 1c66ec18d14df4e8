"""The programs of the controller that a lab is made with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from nodriza.errors import LabError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nft": "nftables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
"""Program to the Debian package that has it."""

WATCHERS = 1024
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def require(more: Mapping[str, str] | None = None) -> None:
    """Raise one ``LabError`` that names all that is missing: root, and programs.

    ``more``: besides the usual ones, the program and its Debian package.
    """
    if os.geteuid() != 0:
        raise LabError(
            "a lab needs root: it makes network namespaces and boots machines",
            do="the same command with sudo in front (sudo -E keeps your settings)",
        )
    wanted = {**PACKAGES, **(more or {})}
    missing = {wanted[name] for name in wanted if shutil.which(name, path=PATH) is None}
    if not KEYRING.exists():
        missing.add("debian-archive-keyring")
    if missing:
        raise LabError(
            "programs that a lab is made with are not installed",
            do="apt-get install " + " ".join(sorted(missing)),
        )


def make_room() -> None:
    """Let every machine's systemd watch its files: the kernel's default, 128, is for twenty."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")  # inotify(7)
    if int(limit.read_text()) < WATCHERS:
        limit.write_text(str(WATCHERS))


def run(argv: Sequence[str | Path], *, stdin: str = "", timeout: float = 30) -> str:
    """What a program wrote; ``LabError`` in its own words when it fails or does not end."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"},
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(words)}: no end after {timeout:.0f} s") from None
    except FileNotFoundError:
        raise LabError(f"{words[0]} is not installed") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()) or f"exit {done.returncode}"
        raise LabError(f"{' '.join(words)}: {said}")
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, timeout: float = 30) -> bool:
    """Whether a program ended with 0."""
    try:
        run(argv, timeout=timeout)
    except LabError:
        return False
    return True
