"""What goes down the channel: a short command, then the agent, then the request.

The command starts Python on the host with ``BOOTSTRAP``, which reads the agent (a zip of
``nodriza/agent`` and ``nodriza/resources``) into a memory file (memfd_create(2)) and
imports it from there: nothing of it is ever on the host's disk. Then comes the request,
zlib-compressed JSON, secrets included; it is never in argv. After that the stream stays
open and silent: its end, for whatever reason, tells the agent to stop after the resource
that it is at.
"""

from __future__ import annotations

import functools
import io
import json
import shlex
import zipfile
import zlib
from pathlib import Path
from typing import Any

import nodriza

MAGIC = b"NODRIZA"

BOOTSTRAP = f"""
import os, sys
stdin = sys.stdin.buffer
line = b"."
while line and not line.startswith({MAGIC!r}):
    line = stdin.readline()
if not line:
    sys.exit("nodriza: no plan came")
if sys.version_info < (3, 9):
    sys.exit("nodriza: needs Python 3.9 or later, here is %s" % sys.version.split()[0])
agent, request = (int(word) for word in line.split()[1:])
fd = os.memfd_create("nodriza")
with open(fd, "wb", closefd=False) as file:
    file.write(stdin.read(agent))
sys.path.insert(0, "/proc/self/fd/%d" % fd)
from nodriza.agent.main import main
main(stdin.read(request), stdin.fileno())
""".strip()

# A host as its provider hands it over may have no Python yet; apt must not eat our stdin.
GET_PYTHON = (
    "command -v python3 >/dev/null 2>&1 || {"
    ' printf \'\\036{"event":"doing","id":"package:python3"}\\n\';'
    " export DEBIAN_FRONTEND=noninteractive;"
    " { apt-get -q update && apt-get -qy --no-install-recommends install python3; }"
    " </dev/null >&2 || exit 4; }"
)


def command(sudo: str) -> str:
    """The one command of a run. ``sudo``: "" for root, else the words before ``sh``."""
    # -I -S: nothing of the host's own Python set-up takes part; -B: nothing is written.
    script = f"{GET_PYTHON}; exec python3 -I -S -B -c {shlex.quote(BOOTSTRAP)}"
    # A noisy login shell can print what it likes; it does not see the script's quoting.
    return f"{sudo} sh -c {shlex.quote(script)}".strip()


def payload(request: dict[str, Any]) -> bytes:
    """Everything that follows the command on stdin."""
    body = zlib.compress(json.dumps(request, ensure_ascii=False).encode(), 6)
    return b"%s %d %d\n" % (MAGIC, len(agent()), len(body)) + agent() + body


@functools.cache
def agent() -> bytes:
    """The agent as a zip; the same bytes every time."""
    root = Path(nodriza.__file__).parent
    files = [root / "__init__.py", *root.glob("agent/*.py"), *root.glob("resources/*.py")]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(str(Path("nodriza") / path.relative_to(root)))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
