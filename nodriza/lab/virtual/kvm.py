"""Whether virtual machines can have this computer's processor (KVM), or must be emulated.

There are computers with a ``/dev/kvm`` on which QEMU does not start, and others on which it
starts, runs the BIOS and then never a kernel. So a kernel is booted, which takes a second or
two with KVM, and the answer is remembered for as long as this computer's kernel and its
QEMU stay the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from nodriza.errors import LabError
from nodriza.files import write_whole
from nodriza.inventory.sections.lab import Acceleration
from nodriza.lab import state
from nodriza.lab.containers import image

if TYPE_CHECKING:
    from nodriza.inventory.model import Cluster

VARIABLE = "NODRIZA_ACCELERATION"
QEMU = "qemu-system-x86_64"
DEVICE = Path("/dev/kvm")
BOOT_SECONDS = 30
"""For a kernel without a root file system, from its start to its panic: 1 to 2 s with KVM."""
STARTS = ("-m", "16", "-monitor", "stdio")
BOOTS = ("-m", "256", "-serial", "stdio", "-no-reboot")
NOTHING_ELSE = ("-no-user-config", "-nodefaults", "-display", "none")


def acceleration(cluster: Cluster) -> Acceleration:
    """What a person has chosen (the variable first, then the inventory), else what works.

    Raises ``LabError`` for a value of the variable that means nothing.
    """
    known: tuple[Acceleration, ...] = get_args(Acceleration)
    written = os.environ.get(VARIABLE)
    if written and written not in known:
        raise LabError(
            f"{VARIABLE}={written}: there is no such acceleration",
            kept="nothing was changed",
            do=f"{VARIABLE}=kvm or {VARIABLE}=emulated, or leave it out",
        )
    chosen = next((each for each in known if each == written), None)
    if chosen is None and cluster.lab:
        chosen = cluster.lab.acceleration
    return chosen or ("kvm" if is_usable() else "emulated")


def is_usable() -> bool:
    """Whether a kernel runs with KVM here, as far as this user can find out."""
    if not DEVICE.exists():
        return False
    if not os.access(DEVICE, os.R_OK | os.W_OK) or not shutil.which(QEMU):
        return True  # libvirt's own user may be able to, and nobody here can try it
    if not _starts():
        return False
    kernel = next(_kernels(), None)
    # Without a kernel to try, machines that stay silent are noticed when they boot (silence.py).
    return kernel is None or _remembered(kernel)


def _remembered(kernel: Path) -> bool:
    notes, about = state.state_root() / "kvm.json", [os.uname().release, _version()]
    known = _read(notes)
    if known.get("about") != about:
        known = {"about": about, "boots": _boots(kernel)}
        notes.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_whole(notes, json.dumps(known).encode(), 0o644)
    return bool(known["boots"])


def _read(notes: Path) -> dict[str, Any]:
    try:
        known = json.loads(notes.read_text("utf-8"))
    except (OSError, ValueError):  # none yet, or cut short: it is found out anew
        return {}
    return known if isinstance(known, dict) and "boots" in known else {}


def _boots(kernel: Path) -> bool:
    # A kernel that is silent in an emulated machine as well is no evidence against KVM.
    return _speaks(kernel, "kvm", "host") or not _speaks(kernel, "tcg", "max")


def _speaks(kernel: Path, accelerator: str, cpu: str) -> bool:
    """Whether a kernel gets to where it misses its root file system, and says so."""
    # https://docs.kernel.org/admin-guide/kernel-parameters.html; panic=-1: restart at once,
    # which ends QEMU (-no-reboot).
    line = "console=ttyS0 panic=-1"
    argv = [*_qemu(accelerator, cpu), *BOOTS, "-kernel", str(kernel), "-append", line]
    done = _run(argv, BOOT_SECONDS)
    return done is not None and b"Linux version" in done.stdout


def _starts() -> bool:
    done = _run([*_qemu("kvm", "host"), *STARTS], 20, b"quit\n")
    return done is not None and done.returncode == 0


def _qemu(accelerator: str, cpu: str) -> Sequence[str]:
    return (QEMU, *NOTHING_ELSE, "-accel", accelerator, "-cpu", cpu)


def _version() -> str:
    done = _run([QEMU, "--version"], 20)
    return done.stdout.decode("utf-8", "replace").partition("\n")[0] if done else ""


def _run(
    argv: Sequence[str], seconds: float, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes] | None:
    """What it did; nothing when it did not end in time."""
    try:
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return None


def _kernels() -> Iterator[Path]:
    """Kernels to try: of boxes that were made here, the newest first, and this computer's own."""
    made = image.CACHE.glob("[!.]*/boot/vmlinuz-*")
    yield from sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)
    own = Path("/boot") / f"vmlinuz-{os.uname().release}"
    if os.access(own, os.R_OK):
        yield own
