"""One line for whatever shell a user has: sshd hands every command to it first (sshd(8)).

bash, dash, zsh, fish and tcsh agree on little. tcsh ends a quotation at a line break, reads
``!`` within quotes, and limits the length of a word; fish reads some backslashes. So only
words of letters, digits and ``+/=`` pass through it, in quotes without any of these, and
sh reads the script that they stand for.
"""

from __future__ import annotations

import base64

WORD = 900
"""Characters of a word: csh takes no more than 1,024."""
DECODE = """/bin/sh -c 'eval "$(printf %s "$@" | /usr/bin/base64 -d)"' sh"""
"""printf is a part of sh, base64 of Debian's coreutils, which every installation has; by their
whole paths, because a login's PATH may hold anything."""


def in_sh(script: str, sudo: str = "") -> str:
    """What runs ``script`` in sh(1); ``sudo``: the words before it, or nothing.

    stdin is the script's own. Bytes that are no text pass as they were typed (PEP 383).
    """
    coded = base64.b64encode(script.encode("utf-8", "surrogateescape")).decode()
    words = [coded[at : at + WORD] for at in range(0, len(coded), WORD)]
    return " ".join([*([sudo] if sudo else []), DECODE, *words])
