"""What the kernel's refusals mean to an operator (errno(3))."""

from __future__ import annotations

import errno
import os

from nodriza.host.path import Trap

HINTS = {
    errno.ENOSPC: "the disk is full or has no inodes left: df -h, df -i",
    errno.EDQUOT: "the quota is used up: quota -v",
    errno.EROFS: "the file system is read-only: findmnt, dmesg | tail",
    errno.EIO: "the disk has errors: dmesg | tail",
    errno.ENOTCONN: "the share is away: systemctl status, on the central as well",
    errno.ESTALE: "the share came back as another one: mount it anew",
    errno.EPERM: "not even root may: lsattr (immutable?), or a container without the right",
    errno.ENOTDIR: "a part of the path is a file",
    errno.ELOOP: "a part of the path is a link that is not followed",
}


def told(error: Exception, about: str) -> str:
    """An error in words; ``about`` is the path or the name that it concerns.

    The kernel's own text names the open folder that was written through, which tells
    nobody anything.
    """
    if not isinstance(error, OSError) or isinstance(error, Trap) or error.errno is None:
        return str(error)
    hint = HINTS.get(error.errno)
    return f"{os.strerror(error.errno)}: {about}" + (f" ({hint})" if hint else "")
